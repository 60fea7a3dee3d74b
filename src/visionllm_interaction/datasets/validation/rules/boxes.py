"""The rules about boxes, within one split."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from visionllm_interaction.datasets.validation.box_format import check_kind
from visionllm_interaction.datasets.validation.issues import Issue
from visionllm_interaction.datasets.validation.reading.columns import Bools, Floats, SplitTable, every, some
from visionllm_interaction.datasets.validation.rules._issue_builders import Words, annotation_issues

TINY_PX = 1.0
"""A box narrower than this has no pixel of its own."""


def check_boxes(table: SplitTable, sizes_px: Floats, *, tolerance_px: float, max_aspect: float) -> list[Issue]:
    """The invalid boxes (BOX-MALFORMED … BOX-OUT-OF-BOUNDS), the odd ones, and boxes that are all of another kind.

    ``sizes_px`` (m, 2): size of each annotation's image, NaN where unknown; bounds are not checked there.
    """
    boxes = table.annotations.boxes_xywh
    masks = box_issues(boxes, sizes_px, tolerance_px=tolerance_px)
    whole = check_kind(table, sizes_px)
    odd = {} if whole and whole[0].code == "BOX-LOOKS-NORMALISED" else odd_boxes(boxes, max_aspect=max_aspect)
    issues = [issue for code, bad in (masks | odd).items() for issue in _issues(table, code, bad, sizes_px, max_aspect)]
    return issues + whole


def check_outside(table: SplitTable) -> list[Issue]:
    """ANN-MARKED-OUTSIDE."""
    outside = np.zeros(len(table.annotations.ids), np.bool_)
    outside[list(table.annotations.outside)] = True
    found, expected = "outside: true", "boxes of what is in the image"
    return list(
        annotation_issues(table, outside, "ANN-MARKED-OUTSIDE", field="attributes", found=found, expected=expected)
    )


def box_issues(boxes_xywh: Floats, sizes_px: Floats, *, tolerance_px: float) -> dict[str, Bools]:
    """Issue code → (m,) mask, for boxes (m, 4) in images of ``sizes_px`` (m, 2), NaN where unknown."""
    formed = every(np.isfinite(boxes_xywh))
    origin, extent = boxes_xywh[:, :2], boxes_xywh[:, 2:]
    with np.errstate(invalid="ignore"):  # NaN compares as False, which is what is meant
        masks = {
            "BOX-MALFORMED": ~formed,
            "BOX-NON-POSITIVE": formed & some(extent <= 0),
            "BOX-NEGATIVE-ORIGIN": formed & some(origin < -tolerance_px),
            "BOX-OUT-OF-BOUNDS": formed & some(origin + extent > sizes_px + tolerance_px),
        }
    return {code: np.asarray(mask, np.bool_) for code, mask in masks.items()}


def odd_boxes(boxes_xywh: Floats, *, max_aspect: float) -> dict[str, Bools]:
    """BOX-TINY and BOX-ABSURD-ASPECT as (m,) masks; boxes without extent are neither."""
    width, height = boxes_xywh[:, 2], boxes_xywh[:, 3]
    with np.errstate(invalid="ignore", over="ignore"):
        shorter, longer = np.minimum(width, height), np.maximum(width, height)
        tiny = (shorter > 0) & (shorter < TINY_PX)
        absurd = (shorter >= TINY_PX) & (longer > max_aspect * shorter)
    return {"BOX-TINY": tiny, "BOX-ABSURD-ASPECT": absurd}


def _issues(table: SplitTable, code: str, bad: Bools, sizes_px: Floats, max_aspect: float) -> Iterator[Issue]:
    columns = table.annotations

    def found(row: int) -> str:
        return f"bbox {columns.malformed.get(row) or columns.boxes_xywh[row].tolist()}"

    def within(row: int) -> str:
        return f"x + width ≤ {sizes_px[row, 0]:g} and y + height ≤ {sizes_px[row, 1]:g}"

    expected: dict[str, Words] = {
        "BOX-MALFORMED": "four finite numbers",
        "BOX-NON-POSITIVE": "width > 0 and height > 0",
        "BOX-NEGATIVE-ORIGIN": "x ≥ 0 and y ≥ 0",
        "BOX-OUT-OF-BOUNDS": within,
        "BOX-TINY": f"at least {TINY_PX:g} pixel each way",
        "BOX-ABSURD-ASPECT": f"at most {max_aspect:g} times longer than wide",
    }
    return annotation_issues(table, bad, code, field="bbox", found=found, expected=expected[code])
