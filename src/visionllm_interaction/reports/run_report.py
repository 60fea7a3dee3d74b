"""The report of a run as one HTML file that refers to nothing outside itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup

from visionllm_interaction import __version__
from visionllm_interaction.artifacts.manifest import utc_now
from visionllm_interaction.reports.charts import EVENT_MARKERS, PREDICATE_COLOURS, timeline_chart, training_curves
from visionllm_interaction.reports.html_base import image_data_uri, render_template
from visionllm_interaction.reports.overlays import colour_of, draw_boxes
from visionllm_interaction.reports.report_data import ImagePair, QuestionView, ReportData
from visionllm_interaction.utils.atomic_files import write_file

IMAGE_WIDTH, FRAME_WIDTH = 480, 360
"""Largest widths in pixels of what is embedded."""
MARKER_SIGNS: dict[str, str] = {">": "▷", "<": "◁", "^": "△", "v": "▽", "D": "◇"}


def write_report(path: Path, data: ReportData, *, category_names: tuple[str, ...]) -> Path:
    """Write the report atomically.

    Args:
        path: the HTML file.
        data: everything it shows.
        category_names: in the order that fixes their colours.

    Returns:
        ``path``.
    """
    html = render_template("visionllm_interaction.reports", "run_report.html.j2", _context(data, category_names))
    write_file(path, html.encode())
    return path


def _context(data: ReportData, names: tuple[str, ...]) -> dict[str, Any]:
    return {
        "data": data,
        "version": __version__,
        "created_at": utc_now()[:19].replace("T", " ") + " UTC",
        "images": [_image_pair(pair, names) for pair in data.images],
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


def _image_pair(pair: ImagePair, names: tuple[str, ...]) -> dict[str, str]:
    return {
        "title": pair.title,
        "truth": image_data_uri(draw_boxes(pair.image_rgb, pair.truth, names=names), max_width=IMAGE_WIDTH),
        "detected": image_data_uri(draw_boxes(pair.image_rgb, pair.detected, names=names), max_width=IMAGE_WIDTH),
    }


def _question(view: QuestionView, names: tuple[str, ...]) -> dict[str, Any]:
    frames = [
        (frame.title, image_data_uri(draw_boxes(frame.image_rgb, frame.boxes, names=names), max_width=FRAME_WIDTH))
        for frame in view.frames
    ]
    return {"view": view, "frames": frames}
