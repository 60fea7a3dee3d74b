"""The rules about areas, masks and the crowd flag, within one split."""

from __future__ import annotations

import numpy as np

from visionllm_interaction.datasets.validation.issues import Issue
from visionllm_interaction.datasets.validation.reading.columns import (
    POLYGONS,
    RUNS,
    Bools,
    Floats,
    SplitTable,
    every,
    some,
)
from visionllm_interaction.datasets.validation.rules._issue_builders import annotation_issues

POINTS_PER_POLYGON = 3
_OUTSIDE_PX = 2.0
"""Editors let points lie on the far edge of the last pixel, and exporters round; farther out is an issue."""
_AREA_SHARE = 0.1
_BOX_SHARE = 0.05
_BOX_PX = 2.5


def check_areas(table: SplitTable) -> list[Issue]:
    """AREA-NON-POSITIVE, AREA-MISMATCH and AREA-EXCEEDS-BOX.

    A mask has one area as a polygon and another as pixels; the two differ by about half its outline. Polygons of
    one object may overlap, so their sum may be larger than the area; only a smaller sum is then a mismatch.
    """
    columns, masks = table.annotations, table.annotations.masks
    area, mask = columns.areas_px, masks.areas_px
    width, height = columns.boxes_xywh[:, 2], columns.boxes_xywh[:, 3]
    x1, y1, x2, y2 = masks.bounds_xyxy.T
    with np.errstate(invalid="ignore", over="ignore"):
        slack = _AREA_SHARE * mask + np.abs(x2 - x1) + np.abs(y2 - y1)
        readable = (mask > 0) & ~masks.odd & (masks.kinds != 0)
        wrong = readable & (area > 0) & (np.abs(area - mask) > slack)
        over = ~wrong & (width > 0) & (height > 0) & (area > 1.01 * (width * height) + (width + height))
    return [
        *_issues(table, area <= 0, "AREA-NON-POSITIVE", "a positive number", mask),
        *_issues(table, wrong, "AREA-MISMATCH", "the mask's area", mask),
        *_issues(table, over, "AREA-EXCEEDS-BOX", "at most width × height", mask),
    ]


def _issues(table: SplitTable, bad: Bools, code: str, expected: str, mask: Floats) -> list[Issue]:
    columns = table.annotations

    def found(row: int) -> str:
        covered = f", the mask covers {mask[row]:g}" if np.isfinite(mask[row]) else ""
        width, height = columns.boxes_xywh[row, 2:]
        return f"area {columns.areas_px[row]:g}{covered}, the box is {width:g} × {height:g}"

    return list(annotation_issues(table, bad, code, field="area", found=found, expected=expected))


def check_masks(table: SplitTable, sizes_px: Floats) -> list[Issue]:
    """POLY-…, RLE-…, CROWD-FLAG and BOX-MASK-MISMATCH; ``sizes_px`` (m, 2) of each annotation's image."""
    columns, masks = table.annotations, table.annotations.masks
    polygons, runs = masks.kinds == POLYGONS, masks.kinds == RUNS
    few = polygons & (masks.fewest < 2 * POINTS_PER_POLYGON)
    issues = [
        *_mask_issues(table, few & ~masks.odd, "POLY-FEW-POINTS", "a polygon with fewer points", "3 points or more"),
        *_mask_issues(table, masks.odd, "POLY-ODD-LENGTH", "an odd number of coordinates", "pairs of x and y"),
    ]
    sound = ~few & ~masks.odd
    empty = sound & (polygons | runs) & ~masks.rle_broken & (masks.areas_px <= 0)
    issues += _mask_issues(table, empty, "POLY-NO-AREA", "a mask of 0 px²", "a mask that covers something")
    issues += _outside(table, sizes_px, polygons & ~masks.odd)
    issues += _runs(table, sizes_px, runs)
    crowd = (columns.crowd & polygons) | (~columns.crowd & runs)
    words = {True: "iscrowd 1 with polygons", False: "iscrowd 0 with run lengths"}
    issues += annotation_issues(
        table,
        crowd,
        "CROWD-FLAG",
        field="iscrowd",
        found=lambda row: words[bool(columns.crowd[row])],
        expected="polygons for single objects, run lengths for crowds",
    )
    usable = sound & (polygons | runs) & ~masks.rle_broken & ~empty
    return issues + _mask_boxes(table, usable)


def _mask_issues(table: SplitTable, bad: Bools, code: str, found: str, expected: str) -> list[Issue]:
    return list(annotation_issues(table, bad, code, field="segmentation", found=found, expected=expected))


def _outside(table: SplitTable, sizes_px: Floats, polygons: Bools) -> list[Issue]:
    bounds = table.annotations.masks.bounds_xyxy
    with np.errstate(invalid="ignore"):
        bad = some(bounds[:, :2] < -_OUTSIDE_PX) | some(bounds[:, 2:] > sizes_px + _OUTSIDE_PX)
    return list(
        annotation_issues(
            table,
            polygons & bad,
            "POLY-OUTSIDE",
            field="segmentation",
            found=lambda row: "x {0:g} to {2:g}, y {1:g} to {3:g}".format(*bounds[row]),
            expected=lambda row: f"within {sizes_px[row, 0]:g} × {sizes_px[row, 1]:g}",
        )
    )


def _runs(table: SplitTable, sizes_px: Floats, runs: Bools) -> list[Issue]:
    masks = table.annotations.masks
    known = every(np.isfinite(sizes_px))
    other = runs & known & some(masks.rle_sizes != sizes_px[:, ::-1])
    return [
        *annotation_issues(
            table,
            other,
            "RLE-SIZE",
            field="segmentation",
            found=lambda row: f"size {masks.rle_sizes[row].tolist()} (height, width)",
            expected=lambda row: f"[{sizes_px[row, 1]:g}, {sizes_px[row, 0]:g}], the image's",
        ),
        *_mask_issues(
            table, masks.rle_broken, "RLE-COUNTS", "runs that do not add up to the size", "height × width pixels"
        ),
    ]


def _mask_boxes(table: SplitTable, usable: Bools) -> list[Issue]:
    """BOX-MASK-MISMATCH: an edge of the box is farther from the mask's than rounding and drawing explain."""
    boxes, bounds = table.annotations.boxes_xywh, table.annotations.masks.bounds_xyxy
    with np.errstate(invalid="ignore", over="ignore"):
        origin, extent = boxes[:, :2], boxes[:, 2:]
        slack = np.maximum(_BOX_PX, _BOX_SHARE * extent)
        off = some(np.abs(origin - bounds[:, :2]) > slack) | some(np.abs(origin + extent - bounds[:, 2:]) > slack)
        bad = usable & every(extent > 0) & off
    return list(
        annotation_issues(
            table,
            bad,
            "BOX-MASK-MISMATCH",
            field="bbox",
            found=lambda row: f"bbox {boxes[row].tolist()}",
            expected=lambda row: f"x1, y1, x2, y2 near {[round(v, 2) for v in bounds[row].tolist()]}",
        )
    )
