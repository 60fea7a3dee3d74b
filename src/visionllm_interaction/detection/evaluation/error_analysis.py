"""Where the errors are: error types, confusions, calibration, slices, the images that went worst."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from hotcoco import COCOeval
from numpy.typing import NDArray

from visionllm_interaction.core.boxes import box_iou, xywh_to_xyxy
from visionllm_interaction.detection.evaluation.bootstrap import DetectionMatches
from visionllm_interaction.detection.evaluation.coco_metrics import ABSENT, AREA_ALL, IOU_50, IOU_75, MOST, accumulated
from visionllm_interaction.detection.evaluation.id_numbering import Id, Numbering, ids_of
from visionllm_interaction.detection.evaluation.image_groups import Groups

ERROR_TYPES: Mapping[str, str] = {
    "Cls": "right place, wrong category",
    "Loc": "right category, box too loose",
    "Both": "wrong category and box too loose",
    "Dupe": "found a second time",
    "Bkg": "nothing there",
    "Miss": "not found",
}
"""TIDE's types. Source: Bolya et al., TIDE: A General Toolbox for Identifying Object Detection Errors, 2020."""
OVERLAPPING_IOU = 0.3
CROWDING: tuple[tuple[str, int, float], ...] = (
    ("1–3 objects", 1, 3), ("4–9 objects", 4, 9), ("10 objects or more", 10, np.inf),
)  # fmt: skip
MAX_GROUP_SLICES = 30


def error_types(evaluation: COCOeval) -> dict[str, dict[str, float]]:
    """Per TIDE error type: how many, and by how much AP50 would rise if they were all put right."""
    found = evaluation.tide_errors()
    return {
        name: {"count": int(found["counts"][name]), "AP50_lost": float(found["delta_ap"][name])} for name in ERROR_TYPES
    }


def calibration(evaluation: COCOeval) -> dict[str, Any]:
    """Expected and largest calibration error at IoU 0.5, and the bins of the reliability diagram.

    Source: Guo et al., On Calibration of Modern Neural Networks, 2017.
    """
    found = evaluation.calibration(n_bins=10)
    return {"ece": found["ece"], "mce": found["mce"], "bins": found["bins"], "per_category": found["per_category"]}


def confusion(evaluation: COCOeval, *, min_confidence: float) -> dict[str, Any]:
    """Counts (truth, detected) at IoU 0.5; the last row and column are background."""
    found = evaluation.confusion_matrix(min_score=min_confidence)
    return {"names": [*found["cat_names"], "background"], "matrix": found["matrix"].astype(int).tolist()}


def precision_recall(evaluation: COCOeval, names: Mapping[int, str]) -> dict[str, Any]:
    """Precision at recall 0, 0.01 … 1 for IoU 0.5 and 0.75: mean over categories, and each category at 0.5."""
    precision = accumulated(evaluation, "precision")[..., AREA_ALL, MOST]
    known = np.asarray((precision > ABSENT).all(axis=(0, 1)))
    mean = {key: precision[t][:, known].mean(axis=1).tolist() for key, t in (("0.50", IOU_50), ("0.75", IOU_75))}
    each = {names[key]: precision[IOU_50, :, n].tolist() for n, key in enumerate(evaluation.params.cat_ids) if known[n]}
    return {"mean": mean if known.any() else {}, "per_category": each}


def best_confidence(matches: Sequence[DetectionMatches]) -> dict[str, float]:
    """The confidence from which detections should be believed so that F1 at IoU 0.5 is highest, and what it gives."""
    hit = np.concatenate([m.hit[IOU_50] for m in matches])
    miss = np.concatenate([m.miss[IOU_50] for m in matches])
    scores = np.concatenate([m.scores for m in matches])
    total = sum(float(m.truths.sum()) for m in matches)
    if not hit.any() or not total:
        return {"confidence": 0.5, "precision": 0.0, "recall": 0.0, "F1": 0.0}
    order = np.argsort(-scores, kind="stable")
    right, wrong = np.cumsum(hit[order]), np.cumsum(miss[order])
    f1 = 2 * right / (right + wrong + total)
    best = int(f1.argmax())
    return {
        "confidence": float(scores[order][best]),
        "precision": float(right[best] / (right[best] + wrong[best])),
        "recall": float(right[best] / total),
        "F1": float(f1[best]),
    }


def slices(
    evaluation: COCOeval, truth: Mapping[str, Any], groups: Groups, numbering: Numbering
) -> dict[str, dict[str, float]]:
    """AP and AP50 of the images with few and many objects, with and without overlap, and of each group."""
    named = {
        name: numbering.image_numbers(ids_of(ids, key="image_id")).tolist()
        for name, ids in _slices(truth, groups).items()
        if ids
    }
    found = evaluation.slice_by(named)
    return {
        name: {"images": row["num_images"], "AP": row["AP"], "AP50": row["AP50"]}
        for name, row in ((name, found[name]) for name in named if name in found)
    }


def _slices(truth: Mapping[str, Any], groups: Groups) -> dict[str, list[Id]]:
    boxes: dict[Id, list[list[float]]] = {image["id"]: [] for image in truth["images"]}
    for annotation in truth["annotations"]:
        if annotation["image_id"] in boxes and not annotation.get("iscrowd", 0):
            boxes[annotation["image_id"]].append(annotation["bbox"])
    result = {name: [i for i, b in boxes.items() if low <= len(b) <= high] for name, low, high in CROWDING}
    crowded = {image_id for image_id, b in boxes.items() if _overlap(np.array(b).reshape(-1, 4))}
    result["objects overlap"] = [i for i in boxes if i in crowded]
    result["no overlap"] = [i for i, b in boxes.items() if b and i not in crowded]
    if 1 < len(groups) <= min(MAX_GROUP_SLICES, len(boxes) - 1):
        ids = list(boxes)
        for n, name in enumerate(groups.names):
            result[f"group {name}"] = [ids[place] for place in np.flatnonzero(groups.of_image == n)]
    return result


def _overlap(boxes_xywh: NDArray[np.float64]) -> bool:
    boxes = xywh_to_xyxy(boxes_xywh)
    return bool((np.triu(box_iou(boxes[:, None], boxes[None]), k=1) > OVERLAPPING_IOU).any())


def worst_images(diagnostics: Mapping[str, Any], limit: int) -> list[dict[str, Any]]:
    """The images with the most errors, worst first: image_id, found, wrong, missed."""
    rows = [
        {"image_id": image_id, "found": row["tp"], "wrong": row["fp"], "missed": row["fn"]}
        for image_id, row in diagnostics["img_summary"].items()
        if row["fp"] + row["fn"]
    ]
    return sorted(rows, key=lambda row: (-row["wrong"] - row["missed"], row["image_id"]))[:limit]


def doubtful_annotations(diagnostics: Mapping[str, Any], limit: int) -> list[dict[str, Any]]:
    """Confident detections the annotations contradict: often it is the annotation that is wrong."""
    keys = ("image_id", "type", "dt_category", "dt_score", "gt_category", "iou")
    return [{key: row.get(key) for key in keys} for row in diagnostics["label_errors"][:limit]]
