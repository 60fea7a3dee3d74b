"""The twelve COCO figures, as pycocotools computes them, by faster-coco-eval.

Source: Lin et al., Microsoft COCO, 2014; https://cocodataset.org/#detection-eval
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster

from visionllm_interaction.core.categories import Categories
from visionllm_interaction.core.detections import Detections
from visionllm_interaction.core.geometry import xyxy_to_xywh
from visionllm_interaction.errors import AnnotationError

FIGURES: tuple[str, ...] = (
    "AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl",
)  # fmt: skip
ABSENT = -1.0
"""What COCO writes for a figure that has no ground truth to be computed from."""
IOU_50 = 0
AREA_ALL = 0


def coco_figures(truth: dict[str, Any], results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Evaluate COCO results (``image_id, category_id, bbox`` xywh pixels, ``score``) against COCO annotations.

    Crowd regions are ignored as COCO does. Returns the twelve figures in [0, 1] by name (−1 where there is no
    ground truth) and ``per_category``: name → AP, AP50.

    Raises:
        AnnotationError: if results name pictures or lack keys that the annotations do not have.
    """
    _check(truth, results)
    gt = COCO(_with_positive_ids(truth))
    evaluation = COCOeval_faster(gt, gt.loadRes(copy.deepcopy(list(results))), "bbox", print_function=_silent)
    evaluation.run()
    figures: dict[str, Any] = dict(zip(FIGURES, map(float, evaluation.stats[:12]), strict=True))
    figures["per_category"] = _per_category(evaluation, gt)
    return figures


def to_results(image_id: int, detections: Detections, *, categories: Categories) -> list[dict[str, Any]]:
    """COCO results of one picture."""
    boxes = xyxy_to_xywh(detections.boxes_xyxy).tolist()
    rows = zip(boxes, detections.confidences.tolist(), detections.labels.tolist(), strict=True)
    return [
        {"image_id": image_id, "category_id": categories.by_label[label].category_id, "bbox": box, "score": score}
        for box, score, label in rows
    ]


def _check(truth: dict[str, Any], results: Sequence[dict[str, Any]]) -> None:
    known = {image["id"] for image in truth["images"]}
    lacking = [n for n, row in enumerate(results) if not {"image_id", "category_id", "bbox", "score"} <= row.keys()]
    if lacking:
        raise AnnotationError(
            "Detections lack keys.",
            expected="image_id, category_id, bbox and score in each",
            found=f"{len(lacking)} without, the first is number {lacking[0]}",
        )
    strange = sorted({row["image_id"] for row in results} - known)
    if strange:
        raise AnnotationError(
            "Detections name pictures the annotations do not have.",
            expected=f"image ids among the {len(known)} annotated",
            found=f"{len(strange)} unknown, for example {strange[:3]}",
        )


def _with_positive_ids(truth: dict[str, Any]) -> dict[str, Any]:
    # the evaluation marks "unmatched" by 0 and adds keys to the annotations: give it copies with ids from 1
    annotations = [
        {**annotation, "id": number, "area": annotation.get("area", annotation["bbox"][2] * annotation["bbox"][3])}
        for number, annotation in enumerate(truth["annotations"], start=1)
    ]
    return {**truth, "annotations": annotations}


def _per_category(evaluation: COCOeval_faster, gt: COCO) -> dict[str, dict[str, float]]:
    precision = evaluation.eval["precision"]  # (IoU threshold, recall, category, area range, detections per image)
    names = {category["id"]: category["name"] for category in gt.dataset["categories"]}
    result = {}
    for number, category_id in enumerate(evaluation.params.catIds):
        mine = precision[:, :, number, AREA_ALL, -1]
        result[names[category_id]] = {"AP": _mean(mine), "AP50": _mean(mine[IOU_50])}
    return result


def _mean(precision: np.ndarray[Any, Any]) -> float:
    valid = precision[precision > ABSENT]
    return float(valid.mean()) if valid.size else ABSENT


def _silent(*_: object) -> None:
    """The evaluation's progress messages go nowhere."""
