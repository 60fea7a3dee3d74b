"""The twelve COCO figures, as pycocotools computes them, by hotcoco.

Source: Lin et al., Microsoft COCO, 2014; https://cocodataset.org/#detection-eval
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from hotcoco import COCO, COCOeval
from numpy.typing import NDArray

from visionllm_interaction.core.boxes import xyxy_to_xywh
from visionllm_interaction.core.categories import Categories
from visionllm_interaction.core.detections import Detections
from visionllm_interaction.errors import AnnotationError

FIGURES: tuple[str, ...] = (
    "AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl",
)  # fmt: skip
ABSENT = -1.0
"""What COCO writes for a figure that has no ground truth to be computed from."""
IOU_50, IOU_75 = 0, 5
AREA_ALL = 0
MOST = 2
"""Index of 100 detections per image among 1, 10, 100."""

Results = NDArray[np.float64]
"""(n, 7): image_id, x, y, width, height (pixels), score, category_id; one row per detection."""
IMAGE_ID, SCORE, CATEGORY_ID = 0, 5, 6


class _Row(msgspec.Struct):
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    score: float


def parse_results(content: bytes, *, where: str) -> Results:
    """A COCO results file (a JSON list of ``image_id, category_id, bbox, score``) as :data:`Results`.

    Raises:
        AnnotationError: if it is not such a list.
    """
    try:
        rows = msgspec.json.decode(content, type=list[_Row])
    except msgspec.DecodeError as error:
        raise AnnotationError(
            "A results file cannot be used.",
            expected="a JSON list of {image_id, category_id, bbox, score}",
            found=str(error),
            where=where,
        ) from error
    return np.array([(r.image_id, *r.bbox, r.score, r.category_id) for r in rows], dtype=np.float64).reshape(-1, 7)


def to_results(image_id: int, detections: Detections, *, categories: Categories) -> Results:
    """Detections in one image as :data:`Results`."""
    ids = [categories.by_label[label].category_id for label in detections.labels.tolist()]
    columns = (np.full(len(ids), image_id), xyxy_to_xywh(detections.boxes_xyxy), detections.confidences, ids)
    return np.column_stack(columns).astype(np.float64).reshape(-1, 7)


def join_results(parts: Sequence[Results]) -> Results:
    """Results of several images in one table."""
    return np.concatenate([np.zeros((0, 7)), *parts])


def coco_figures(truth: Mapping[str, Any], results: Results) -> dict[str, Any]:
    """Evaluate results against COCO annotations; crowd regions are ignored as COCO does.

    Returns the twelve figures in [0, 1] by name (−1 where there is no ground truth) and ``per_category``:
    name → AP, AP50.

    Raises:
        AnnotationError: if results name images or categories that the annotations do not have.
    """
    return figures_of(match(truth, results), truth)


def match(truth: Mapping[str, Any], results: Results, *, areas: bool = True) -> COCOeval:
    """The evaluation with detections matched and precision accumulated; without ``areas`` for all sizes only.

    Raises:
        AnnotationError: if results name images or categories that the annotations do not have.
    """
    _check(truth, results)
    boxes = COCO.from_arrays(list(truth["images"]), list(truth["categories"]), **_columns(truth["annotations"]))
    evaluation = COCOeval(boxes, boxes.load_res(results), "bbox")
    if not areas:
        evaluation.params.area_rng = evaluation.params.area_rng[:1]
        evaluation.params.area_rng_lbl = evaluation.params.area_rng_lbl[:1]
    evaluation.evaluate()
    evaluation.accumulate()
    return evaluation


def _columns(annotations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    boxes = np.array([a["bbox"] for a in annotations], dtype=np.float64).reshape(-1, 4)
    areas = [a.get("area", a["bbox"][2] * a["bbox"][3]) for a in annotations]
    return {
        "image_ids": np.array([a["image_id"] for a in annotations], dtype=np.int64),
        "category_ids": np.array([a["category_id"] for a in annotations], dtype=np.int64),
        "boxes": boxes,
        "area": np.array(areas, dtype=np.float64),
        "iscrowd": np.array([a.get("iscrowd", 0) for a in annotations], dtype=np.int64),
    }


def _check(truth: Mapping[str, Any], results: Results) -> None:
    for column, key, what in ((IMAGE_ID, "images", "pictures"), (CATEGORY_ID, "categories", "categories")):
        known = np.array([entry["id"] for entry in truth[key]], dtype=np.float64)
        strange = np.setdiff1d(results[:, column], known)
        if strange.size:
            raise AnnotationError(
                f"Detections name {what} the annotations do not have.",
                expected=f"ids among the {len(known)} {what} annotated",
                found=f"{strange.size} unknown, for example {strange[:3].astype(int).tolist()}",
            )


def figures_of(evaluation: COCOeval, truth: Mapping[str, Any]) -> dict[str, Any]:
    """The twelve figures and ``per_category`` of an evaluation over all areas."""
    precision = accumulated(evaluation, "precision")  # (IoU, recall, category, area, detections)
    recall = accumulated(evaluation, "recall")  # (IoU, category, area, detections)
    everything = precision[..., AREA_ALL, MOST]
    values = [mean_valid(everything), mean_valid(everything[IOU_50]), mean_valid(everything[IOU_75])]
    values += [mean_valid(precision[..., area, MOST]) for area in (1, 2, 3)]
    values += [mean_valid(recall[..., AREA_ALL, most]) for most in (0, 1, 2)]
    values += [mean_valid(recall[..., area, MOST]) for area in (1, 2, 3)]
    return {**dict(zip(FIGURES, values, strict=True)), "per_category": _per_category(evaluation, truth)}


def accumulated(evaluation: COCOeval, key: str) -> NDArray[np.float64]:
    """The table ``precision`` or ``recall`` of an accumulated evaluation."""
    tables: dict[str, NDArray[np.float64]] = evaluation.eval or {}
    return tables[key]


def _per_category(evaluation: COCOeval, truth: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    precision = accumulated(evaluation, "precision")[..., AREA_ALL, MOST]
    names = {category["id"]: category["name"] for category in truth["categories"]}
    columns = {category_id: precision[:, :, n] for n, category_id in enumerate(evaluation.params.cat_ids)}
    return {names[key]: {"AP": mean_valid(mine), "AP50": mean_valid(mine[IOU_50])} for key, mine in columns.items()}


def mean_valid(values: NDArray[np.float64]) -> float:
    """Mean of what is not −1; −1 if nothing is left."""
    valid = values[values > ABSENT]
    return float(valid.mean()) if valid.size else ABSENT
