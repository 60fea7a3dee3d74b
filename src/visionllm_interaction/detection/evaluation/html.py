"""The evaluation as one self-contained HTML file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from visionllm_interaction.detection.evaluation import charts
from visionllm_interaction.detection.evaluation.coco_metrics import METRICS
from visionllm_interaction.detection.evaluation.id_numbering import category_names
from visionllm_interaction.detection.evaluation.overlays import COLOURS, Marks, draw, marks_of
from visionllm_interaction.detection.training.data.coco_annotations import image_name
from visionllm_interaction.reports.html_base import render_template

if TYPE_CHECKING:
    from visionllm_interaction.detection.evaluation.report import Study


def render(study: Study, truth: Mapping[str, Any], *, images: Path | None) -> str:
    """Render the report as one HTML page, with the worst images.

    Args:
        study: the evaluation.
        truth: COCO annotations; boxes are xywh pixels.
        images: folder of the images; ``None`` shows none.

    Returns:
        The HTML page.

    Raises:
        ImageError: if an image cannot be decoded.
    """
    content = study.content
    values = {
        "data": content,
        "names": METRICS,
        "categories": _categories(content, truth),
        "charts": {name: Markup(svg) for name, svg in _charts(content).items()},  # noqa: S704 (our own SVG)
        "worst_images": _worst_images(study, truth, images) if images else [],
        "colours": COLOURS,
        "file_names": {image["id"]: image_name(image) or image["id"] for image in truth["images"]},
    }
    package = "visionllm_interaction.detection.evaluation"
    return render_template(package, "evaluation.html.j2", values, filters={"figure": _metric})


def _metric(value: float | None) -> str:
    return "–" if value is None or value < 0 else f"{value:.3f}"


def _charts(content: Mapping[str, Any]) -> dict[str, str]:
    found = {
        "errors": charts.error_chart(content["errors"]),
        "confusion": charts.confusion_chart(content["confusion"]),
        "calibration": charts.calibration_chart(content["calibration"]),
    }
    if content["curves"]["mean"]:
        found["curves"] = charts.precision_recall_chart(content["curves"], content["per_category"])
    if "comparison" in content:
        rows = _differences(content["comparison"])
        found["comparison"] = charts.interval_chart(rows, "difference of AP (other − this)", zero=True)
    return found


def _differences(comparison: Mapping[str, Any]) -> list[tuple[str, float, tuple[float, float] | None]]:
    rows = [(key, comparison[key]["difference"], comparison[key]["interval"]) for key in ("AP", "AP50")]
    each = sorted(comparison["per_category"].items(), key=lambda item: item[1]["difference"])
    shown = each if len(each) <= 24 else [*each[:12], *each[-12:]]
    return [*rows, *((name, row["difference"], row.get("interval")) for name, row in shown)]


def _categories(content: Mapping[str, Any], truth: Mapping[str, Any]) -> list[dict[str, Any]]:
    counts = Counter(a["category_id"] for a in truth["annotations"] if not a.get("iscrowd", 0))
    intervals = content["intervals"].get("per_category", {})
    rows = [
        {
            "name": name,
            "objects": counts[category_id],
            "interval": intervals.get(name),
            "ece": content["calibration"]["per_category"].get(name),
            **content["per_category"][name],
        }
        for category_id, name in category_names(truth).items()
    ]
    return sorted(rows, key=lambda row: -row["AP"])


def _worst_images(study: Study, truth: Mapping[str, Any], images: Path) -> list[dict[str, Any]]:
    names, records = category_names(truth), {image["id"]: image for image in truth["images"]}
    return [
        _drawn(
            row,
            records[row["image_id"]],
            images,
            marks_of(row["image_id"], truth, study.kept, study.diagnostics, names),
        )
        for row in study.content["worst_images"]
    ]


def _drawn(row: Mapping[str, Any], record: Mapping[str, Any], images: Path, marks: Marks) -> dict[str, Any]:
    name = image_name(record) or str(record["id"])
    size = (record["width"], record["height"]) if {"width", "height"} <= record.keys() else None
    return {**row, "file": name, "uri": draw(images / name, marks, size=size)}
