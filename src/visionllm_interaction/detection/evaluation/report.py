"""The whole evaluation of one detector, or of two on the same images, as plain values and as a page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from visionllm_interaction import __version__
from visionllm_interaction.artifacts.manifest import utc_now
from visionllm_interaction.detection.evaluation import error_analysis as diagnosis
from visionllm_interaction.detection.evaluation.bootstrap import (
    FEW_GROUPS,
    LEVEL,
    Resampled,
    interval,
    matches_of,
    resample,
)
from visionllm_interaction.detection.evaluation.coco_metrics import Results, match, metrics_of
from visionllm_interaction.detection.evaluation.id_numbering import Numbering, category_names, image_numbers
from visionllm_interaction.detection.evaluation.image_groups import Groups
from visionllm_interaction.detection.evaluation.overlays import marks_of
from visionllm_interaction.detection.training.data.coco_annotations import image_name
from visionllm_interaction.utils.atomic_files import write_file

JSON_NAME = "evaluation.json"
PAGE_NAME = "evaluation.html"
MAX_DOUBTS = 50


@dataclass(frozen=True, eq=False)
class Subject:
    """What is evaluated: the detections of one detector or file.

    Attributes:
        name: for people; digest: sha256 of the checkpoint or results file.
    """

    name: str
    digest: str
    results: Results


@dataclass(frozen=True, eq=False)
class Study:
    """An evaluation's result (``content``, plain values) and what the page needs besides.

    Attributes:
        kept: results at or above the best confidence; diagnostics: hotcoco's, of these.
    """

    content: dict[str, Any]
    kept: Results
    diagnostics: dict[str, Any]


def evaluate_in_depth(
    truth: Mapping[str, Any],
    subject: Subject,
    *,
    groups: Groups,
    other: Subject | None = None,
    resamples: int = 1000,
    worst_images: int = 12,
) -> Study:
    """Compute metrics, confidence intervals, error types, calibration, slices and worst images.

    Args:
        truth: COCO annotations; boxes are xywh pixels.
        subject: the detector and its detections.
        groups: the group of each image, for the bootstrap.
        other: a second detector; the difference is other − subject, under the same resampling.
        resamples: number of bootstrap resamples.
        worst_images: number of worst images to list.

    Returns:
        The evaluation.

    Raises:
        AnnotationError: if results name images or categories that the annotations do not have.
    """
    full = match(truth, subject.results)
    numbering = Numbering.of(truth)
    names = dict(enumerate(category_names(truth).values(), start=1))
    metrics = metrics_of(full, truth)
    drawn, matches = _resampled(truth, subject.results, groups, resamples)
    best = diagnosis.best_confidence(matches)
    kept = subject.results[subject.results.scores >= best["confidence"]]
    diagnostics = match(truth, kept).image_diagnostics()
    content: dict[str, Any] = {
        **metrics,
        "intervals": _intervals(drawn, names, list(full.params.cat_ids)),
        "resampling": _about(groups, resamples),
        "best_confidence": best,
        "errors": diagnosis.error_types(full),
        "calibration": diagnosis.calibration(full),
        "confusion": diagnosis.confusion(full, min_confidence=best["confidence"]),
        "curves": diagnosis.precision_recall(full, names),
        "slices": diagnosis.slices(full, truth, groups, numbering),
        "worst_images": _with_marks(
            _with_ids(diagnosis.worst_images(diagnostics, worst_images), numbering), truth, kept, diagnostics
        ),
        "doubtful_annotations": _with_ids(diagnosis.doubtful_annotations(diagnostics, MAX_DOUBTS), numbering),
        "subject": {"name": subject.name, "sha256": subject.digest},
        "images": len(truth["images"]),
        "annotations": len(truth["annotations"]),
        "created_at": utc_now(),
        "version": __version__,
    }
    if other is not None:
        content["comparison"] = _compare(truth, metrics, other, drawn, groups=groups, resamples=resamples)
    return Study(content, kept, diagnostics)


def _resampled(truth: Mapping[str, Any], results: Results, groups: Groups, resamples: int) -> tuple[Resampled, Any]:
    matches = matches_of(match(truth, results, areas=False), image_numbers(truth))
    return resample(matches, groups, resamples=resamples if len(groups) > 1 else 0), matches


def _with_ids(rows: list[dict[str, Any]], numbering: Numbering) -> list[dict[str, Any]]:
    """Rows whose ``image_id`` is the annotation file's instead of its number."""
    return [{**row, "image_id": numbering.image_id(row["image_id"])} for row in rows]


def _with_marks(
    rows: list[dict[str, Any]], truth: Mapping[str, Any], kept: Results, diagnostics: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Rows with the file of the image, and the boxes that were found, found wrongly and missed (xywh pixels)."""
    names, files = category_names(truth), {image["id"]: image_name(image) for image in truth["images"]}
    return [
        {
            **row,
            "file_name": files[row["image_id"]] or str(row["image_id"]),
            "marks": [
                {"kind": kind, "box_xywh": list(box), "caption": caption}
                for kind, box, caption in marks_of(row["image_id"], truth, kept, diagnostics, names)
            ],
        }
        for row in rows
    ]


def _intervals(drawn: Resampled, names: Mapping[int, str], order: list[int]) -> dict[str, Any]:
    if not len(drawn.AP):
        return {}
    each = {names[key]: interval(drawn.per_category[:, n]) for n, key in enumerate(order)}
    return {"AP": interval(drawn.AP), "AP50": interval(drawn.AP50), "per_category": each}


def _about(groups: Groups, resamples: int) -> dict[str, Any]:
    note = None
    if len(groups) < FEW_GROUPS:
        note = f"only {len(groups)} groups: the intervals are too narrow to be relied on"
    elif groups.source == "each image by itself":
        note = "images were resampled one by one: frames of the same child or session make these intervals too narrow"
    return {"groups": len(groups), "source": groups.source, "resamples": resamples, "level": LEVEL, "note": note}


def _compare(
    truth: Mapping[str, Any],
    metrics: Mapping[str, Any],
    other: Subject,
    drawn: Resampled,
    *,
    groups: Groups,
    resamples: int,
) -> dict[str, Any]:
    theirs = metrics_of(match(truth, other.results), truth)
    redrawn, _ = _resampled(truth, other.results, groups, resamples)
    rows = {}
    for key in ("AP", "AP50"):
        differences = getattr(redrawn, key) - getattr(drawn, key)
        rows[key] = {
            "difference": theirs[key] - metrics[key],
            "interval": interval(differences) if len(differences) else None,
            "share_better": float(np.mean(differences > 0)) if len(differences) else None,
        }
    per_category = {
        name: {"difference": theirs["per_category"][name]["AP"] - row["AP"]}
        for name, row in metrics["per_category"].items()
        if row["AP"] >= 0
    }
    for n, name in enumerate(category_names(truth).values()):
        if name in per_category and len(drawn.AP):
            difference = redrawn.per_category[:, n] - drawn.per_category[:, n]
            per_category[name]["interval"] = interval(difference)
    return {"name": other.name, "sha256": other.digest, "figures": theirs, **rows, "per_category": per_category}


def publish(study: Study, truth: Mapping[str, Any], *, images: Path | None, folder: Path) -> dict[str, Path]:
    """Write ``evaluation.json`` and ``evaluation.html``.

    Args:
        study: the evaluation.
        truth: COCO annotations; boxes are xywh pixels.
        images: folder of the images; ``None`` shows none.
        folder: where the files are written.

    Returns:
        Kind of file → path.

    Raises:
        ImageError: if an image cannot be decoded.
    """
    from visionllm_interaction.detection.evaluation.html import render

    page = render(study, truth, images=images)
    write_file(folder / JSON_NAME, json.dumps(study.content, indent=1, ensure_ascii=False).encode())
    write_file(folder / PAGE_NAME, page.encode())
    return {"json": folder / JSON_NAME, "page": folder / PAGE_NAME}
