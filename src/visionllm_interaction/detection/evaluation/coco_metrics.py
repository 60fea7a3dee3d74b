"""The twelve COCO metrics, as pycocotools computes them, by hotcoco.

Source: Lin et al., Microsoft COCO, 2014; https://cocodataset.org/#detection-eval
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
from hotcoco import COCO, COCOeval
from numpy.typing import NDArray

from visionllm_interaction.core.boxes import xyxy_to_xywh
from visionllm_interaction.core.detections import Detections
from visionllm_interaction.detection.evaluation.id_numbering import Id, Ids, Numbering, category_names, ids_of
from visionllm_interaction.errors import AnnotationError

METRICS: tuple[str, ...] = (
    "AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl",
)  # fmt: skip
ABSENT = -1.0
"""What COCO writes for a metric that has no ground truth to be computed from."""
IOU_50, IOU_75 = 0, 5
AREA_ALL = 0
MOST = 2
"""Index of 100 detections per image among 1, 10, 100."""


@dataclass(frozen=True, eq=False)
class Results:
    """Detections in images, one row each, with the ids of the annotation file they belong to.

    Attributes:
        image_ids, category_ids: (n,) see :mod:`ids`.
        boxes_xywh: (n, 4) pixels; ``scores``: (n,).
    """

    image_ids: Ids
    boxes_xywh: NDArray[np.float64]
    scores: NDArray[np.float64]
    category_ids: Ids

    @classmethod
    def of(
        cls,
        image_ids: Sequence[object],
        boxes_xywh: Any,
        scores: Any,
        category_ids: Sequence[object],
        *,
        where: str = "",
    ) -> Results:
        """Build the columns from lists of length N.

        Args:
            image_ids: image id of each detection.
            boxes_xywh: (N, 4), xywh in pixels.
            scores: (N,), confidence in [0, 1].
            category_ids: COCO ``category_id`` of each detection.
            where: path of the file, for messages.

        Returns:
            The detections as columns.

        Raises:
            AnnotationError: if an id cannot be used.
        """
        return cls(
            ids_of(image_ids, key="image_id", where=where or None),
            np.array(boxes_xywh, np.float64).reshape(-1, 4),
            np.array(scores, np.float64),
            ids_of(category_ids, key="category_id", where=where or None),
        )

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, chosen: slice | NDArray[Any]) -> Results:
        return Results(self.image_ids[chosen], self.boxes_xywh[chosen], self.scores[chosen], self.category_ids[chosen])

    def renamed(self, category_ids: Mapping[Any, Id]) -> Results:
        """The rows whose category is in ``category_ids`` (old → new id), with the new one."""
        own = self.category_ids.tolist()
        kept = self[np.array([key in category_ids for key in own], np.bool_)]
        return replace(
            kept, category_ids=ids_of([category_ids[k] for k in own if k in category_ids], key="category_id")
        )


class _ResultRow(msgspec.Struct):
    image_id: int | float | str
    category_id: int | float | str
    bbox: tuple[float, float, float, float]
    score: float


def parse_results(content: bytes, *, where: str) -> Results:
    """Parse a COCO results file.

    Args:
        content: a JSON list of ``image_id, category_id, bbox, score``; ``bbox`` is xywh in pixels.
        where: path of the file, for messages.

    Returns:
        The detections as columns.

    Raises:
        AnnotationError: if it is not such a list.
    """
    try:
        rows = msgspec.json.decode(content, type=list[_ResultRow])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise AnnotationError(
            "A results file cannot be used.",
            expected="a JSON list of {image_id, category_id, bbox, score}",
            found=str(error),
            where=where,
        ) from error
    return Results.of(
        [r.image_id for r in rows],
        [r.bbox for r in rows],
        [r.score for r in rows],
        [r.category_id for r in rows],
        where=where,
    )


def to_results(image_id: Id, detections: Detections, *, category_ids: Mapping[int, Id]) -> Results:
    """Detections in one image as :class:`Results`; ``category_ids``: label → id, other labels are left out."""
    kept = np.isin(detections.labels, list(category_ids))
    labels = detections.labels[kept].tolist()
    boxes = xyxy_to_xywh(detections.boxes_xyxy[kept])
    ids = [category_ids[label] for label in labels]
    return Results.of([image_id] * len(ids), boxes, detections.confidences[kept], ids)


def join_results(parts: Sequence[Results]) -> Results:
    """Results of several images in one table."""
    filled = [part for part in parts if len(part)]
    if not filled:
        return Results.of([], [], [], [])
    columns = ("image_ids", "boxes_xywh", "scores", "category_ids")
    return Results(*(np.concatenate([getattr(part, name) for part in filled]) for name in columns))


def coco_metrics(truth: Mapping[str, Any], results: Results) -> dict[str, Any]:
    """Evaluate detections against COCO annotations; crowd regions are ignored as COCO does.

    Annotations of unlisted images or categories do not count, as in pycocotools.

    Args:
        truth: COCO annotations; boxes are xywh pixels.
        results: detections; boxes are xywh pixels.

    Returns:
        The twelve metrics by name, in [0, 1] or −1 without ground truth; and ``per_category``: name → AP, AP50.

    Raises:
        AnnotationError: if results name images or categories that the annotations do not have, or an id is unusable.
    """
    return metrics_of(match(truth, results), truth)


def match(truth: Mapping[str, Any], results: Results, *, areas: bool = True) -> COCOeval:
    """Match detections with ground truth.

    In the result, images and categories have the numbers of :class:`Numbering`. Annotations are numbered from 1 in file
    order.

    Args:
        truth: COCO annotations; boxes are xywh pixels.
        results: detections; boxes are xywh pixels.
        areas: whether to evaluate by object size as well.

    Returns:
        The evaluation, with detections matched and precision accumulated.

    Raises:
        AnnotationError: if results name images or categories that the annotations do not have, or an id is unusable.
    """
    numbering = Numbering.of(truth)
    images = [{"id": n, "file_name": "", "width": 0, "height": 0} for n in range(1, len(numbering.images) + 1)]
    categories = [{"id": n, "name": name} for n, name in enumerate(category_names(truth).values(), start=1)]
    boxes = COCO.from_arrays(images, categories, **_columns(truth["annotations"], numbering))
    evaluation = COCOeval(boxes, boxes.load_res(_numbered(results, numbering)), "bbox")
    if not areas:
        evaluation.params.area_rng = evaluation.params.area_rng[:1]
        evaluation.params.area_rng_lbl = evaluation.params.area_rng_lbl[:1]
    evaluation.evaluate()
    evaluation.accumulate()
    return evaluation


def _columns(annotations: Sequence[Mapping[str, Any]], numbering: Numbering) -> dict[str, Any]:
    images = numbering.image_numbers(ids_of([a["image_id"] for a in annotations], key="image_id"))
    categories = numbering.category_numbers(ids_of([a["category_id"] for a in annotations], key="category_id"))
    listed = np.flatnonzero((images > 0) & (categories > 0))
    known = [annotations[row] for row in listed.tolist()]
    boxes = np.array([a["bbox"] for a in known], np.float64).reshape(-1, 4)
    areas = [a.get("area") for a in known]
    return {
        "ids": listed + 1,
        "image_ids": images[listed],
        "category_ids": categories[listed],
        "boxes": boxes,
        "area": np.where([area is None for area in areas], boxes[:, 2] * boxes[:, 3], np.array(areas, np.float64)),
        "iscrowd": np.array([a.get("iscrowd", 0) for a in known], np.int64),
    }


def _numbered(results: Results, numbering: Numbering) -> NDArray[np.float64]:
    """(n, 7) image number, x, y, width, height, score, category number."""
    images, categories = (
        numbering.image_numbers(results.image_ids),
        numbering.category_numbers(results.category_ids),
    )
    _require_known(results.image_ids[images == 0], "images", len(numbering.images))
    _require_known(results.category_ids[categories == 0], "categories", len(numbering.categories))
    return np.column_stack([images, results.boxes_xywh, results.scores, categories]).astype(np.float64).reshape(-1, 7)


def _require_known(strange: Ids, what: str, known: int) -> None:
    if len(strange):
        examples = list(dict.fromkeys(strange.tolist()))
        raise AnnotationError(
            f"Detections name {what} the annotations do not have.",
            expected=f"ids among the {known} {what} annotated",
            found=f"{len(examples)} unknown, for example {examples[:3]}",
            fix="say which category is which with --map ID=NAME; others are left out"
            if what == "categories"
            else "use the detections of these images, and their ids as the annotation file writes them",
        )


def metrics_of(evaluation: COCOeval, truth: Mapping[str, Any]) -> dict[str, Any]:
    """The twelve metrics and ``per_category`` of an evaluation over all areas."""
    precision = accumulated(evaluation, "precision")  # (IoU, recall, category, area, detections)
    recall = accumulated(evaluation, "recall")  # (IoU, category, area, detections)
    everything = precision[..., AREA_ALL, MOST]
    values = [mean_valid(everything), mean_valid(everything[IOU_50]), mean_valid(everything[IOU_75])]
    values += [mean_valid(precision[..., area, MOST]) for area in (1, 2, 3)]
    values += [mean_valid(recall[..., AREA_ALL, most]) for most in (0, 1, 2)]
    values += [mean_valid(recall[..., area, MOST]) for area in (1, 2, 3)]
    return {**dict(zip(METRICS, values, strict=True)), "per_category": _per_category(evaluation, truth)}


def accumulated(evaluation: COCOeval, key: str) -> NDArray[np.float64]:
    """The table ``precision`` or ``recall`` of an accumulated evaluation."""
    tables: dict[str, NDArray[np.float64]] = evaluation.eval or {}
    return tables[key]


def _per_category(evaluation: COCOeval, truth: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    precision = accumulated(evaluation, "precision")[..., AREA_ALL, MOST]
    columns = {name: precision[:, :, n] for n, name in enumerate(category_names(truth).values())}
    return {name: {"AP": mean_valid(mine), "AP50": mean_valid(mine[IOU_50])} for name, mine in columns.items()}


def mean_valid(values: NDArray[np.float64]) -> float:
    """Mean of what is not −1; −1 if nothing is left."""
    valid = values[values > ABSENT]
    return float(valid.mean()) if valid.size else ABSENT
