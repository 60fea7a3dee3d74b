"""Render :class:`ReportData` to one HTML file without a single outside reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from visionllm_interaction import __version__
from visionllm_interaction.artifacts.manifest import utc_now
from visionllm_interaction.reports.charts import EVENT_MARKERS, PREDICATE_COLOURS, timeline_chart, training_curves
from visionllm_interaction.reports.data import PicturePair, QuestionView, ReportData
from visionllm_interaction.reports.overlays import as_data_uri, colour_of, draw_boxes
from visionllm_interaction.utils.atomic_files import write_file
from visionllm_interaction.utils.paths import StrPath

MARKER_SIGNS: dict[str, str] = {">": "▷", "<": "◁", "^": "△", "v": "▽", "D": "◇"}


def write_report(path: StrPath, data: ReportData, *, category_names: tuple[str, ...]) -> Path:
    """Write the report to ``path`` (atomically) and return it; colours follow ``category_names``."""
    path = Path(path)
    environment = Environment(
        loader=PackageLoader("visionllm_interaction.reports", "."),
        autoescape=select_autoescape(enabled_extensions=("j2",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    html = environment.get_template("run_report.html.j2").render(**_context(data, category_names))
    write_file(path, html.encode())
    return path


def _context(data: ReportData, names: tuple[str, ...]) -> dict[str, Any]:
    return {
        "data": data,
        "version": __version__,
        "created_at": utc_now()[:19].replace("T", " ") + " UTC",
        "pictures": [_pair(pair, names) for pair in data.pictures],
        "curves": Markup(training_curves(data.epochs)) if data.epochs else None,  # noqa: S704 (our own SVG)
        "videos": [
            (video.video_id, Markup(timeline_chart(video.timeline, names=names)))  # noqa: S704 (our own SVG)
            for video in data.videos
        ],
        "questions": [_question(question, names) for question in data.questions],
        "legend": [(name, colour_of(name, names)) for name in names],
        "predicates": list(PREDICATE_COLOURS.items()),
        "events": [(kind, MARKER_SIGNS[marker]) for kind, marker in EVENT_MARKERS.items()],
    }


def _pair(pair: PicturePair, names: tuple[str, ...]) -> dict[str, str]:
    return {
        "title": pair.title,
        "truth": as_data_uri(draw_boxes(pair.image_rgb, pair.truth, names=names)),
        "detected": as_data_uri(draw_boxes(pair.image_rgb, pair.detected, names=names)),
    }


def _question(view: QuestionView, names: tuple[str, ...]) -> dict[str, Any]:
    frames = [(f.title, as_data_uri(draw_boxes(f.image_rgb, f.boxes, names=names), max_width=360)) for f in view.frames]
    return {"view": view, "frames": frames}
