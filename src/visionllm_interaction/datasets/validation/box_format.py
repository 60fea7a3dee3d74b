"""Are the boxes of a split x, y, width, height at all? A whole export of another kind, recognised by what it fits.

A box of another kind often lies within its image by accident, so single boxes tell nothing. Over a split three things
do, in this order: the masks (their bounding box is known), the areas (of the box, where there is no mask), and the
limits of the images (boxes that reach out as x, y, width, height and do not as something else).

Where none of them tells, two more make a split doubtful, which is a warning: all boxes are possible as corners (of
COCO's boxes 12 % are, so that three in a row are rare), or they end at the edges of the images as something else only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from visionllm_interaction.datasets.validation.issues import Issue
from visionllm_interaction.datasets.validation.reading.columns import Bools, Floats, SplitTable, every, some

RIGHT = "x, y, width, height"
_XYXY = "x1, y1, x2, y2"
_FEWEST = 10
_FEWEST_KNOWN = 3
"""Of boxes whose mask or area is known, if they all agree; and of boxes that make a split doubtful."""
_ENOUGH = 20_000
_FEWEST_NORMALISED = 3
_MOST = 0.9
"""Share of the boxes that must fit another kind for it to be believed."""
_HALF = 0.5
_REACH_OUT = 0.05
_FAR_SHARE = 0.15
_FIT = 0.02
_SLACK_PX = 2.5
_SLACK_SHARE = 0.05
_AREA_SHARE = 0.01
_EDGE_PX = 0.01
_EDGE_SHARE = 0.1
_APART_IOU = 0.3

Corners = Callable[[Floats, Floats], Floats]
"""Four numbers (m, 4) and image sizes (m, 2) → x1, y1, x2, y2 (m, 4)."""

KINDS: dict[str, Corners] = {
    RIGHT: lambda b, _: np.c_[b[:, :2], b[:, :2] + b[:, 2:]],
    _XYXY: lambda b, _: b,
    "y1, x1, y2, x2": lambda b, _: b[:, [1, 0, 3, 2]],
    "x1, x2, y1, y2": lambda b, _: b[:, [0, 2, 1, 3]],
    "y1, y2, x1, x2": lambda b, _: b[:, [2, 0, 3, 1]],
    "centre x, centre y, width, height": lambda b, _: np.c_[b[:, :2] - b[:, 2:] / 2, b[:, :2] + b[:, 2:] / 2],
    "centre y, centre x, height, width": lambda b, _: np.c_[
        b[:, [1, 0]] - b[:, [3, 2]] / 2, b[:, [1, 0]] + b[:, [3, 2]] / 2
    ],
    "y, x, height, width": lambda b, _: np.c_[b[:, [1, 0]], b[:, [1, 0]] + b[:, [3, 2]]],
    "x, y, height, width": lambda b, _: np.c_[b[:, :2], b[:, :2] + b[:, [3, 2]]],
    "x, y from the bottom, width, height": lambda b, s: np.c_[
        b[:, 0], s[:, 1] - b[:, 1] - b[:, 3], b[:, 0] + b[:, 2], s[:, 1] - b[:, 1]
    ],
    "x, y of the lower edge, width, height": lambda b, _: np.c_[b[:, 0], b[:, 1] - b[:, 3], b[:, 0] + b[:, 2], b[:, 1]],
}
"""Kinds of boxes that exporters write, the right one first."""


@dataclass(frozen=True, eq=False)
class _Sample:
    """The boxes of a split that can be judged, all arrays of m rows.

    Attributes:
        boxes: (m, 4) the four numbers; ``sizes_px``: (m, 2) of the images.
        bounds_xyxy: (m, 4) of the masks, NaN without one; ``areas_px``: (m,) as the records say.
    """

    boxes: Floats
    sizes_px: Floats
    bounds_xyxy: Floats
    areas_px: Floats


def check_kind(table: SplitTable, sizes_px: Floats) -> list[Issue]:
    """BOX-LOOKS-NORMALISED, -XYXY, -OTHER or BOX-KIND-UNCLEAR: issues of an export as a whole, at most one.

    ``sizes_px`` (m, 2): size of each annotation's image, NaN where unknown; boxes of such images are not judged.
    """
    sample = _sample(table, sizes_px)
    count = len(sample.boxes)
    if count >= _FEWEST_NORMALISED and float(every(np.abs(sample.boxes) <= 1).mean()) >= _MOST:
        found = f"{int(every(np.abs(sample.boxes) <= 1).sum())} of {count} boxes lie between 0 and 1"
        return [_whole(table, "BOX-LOOKS-NORMALISED", found, "pixels")]
    if count < _FEWEST_KNOWN:
        return []
    kind, evidence = _by_masks(sample) or _by_areas(sample) or _by_limits(sample) or ("", "")
    if not kind and (doubt := _doubt(sample)):
        return [_whole(table, "BOX-KIND-UNCLEAR", doubt, RIGHT)]
    if kind in ("", RIGHT):
        return []
    code = "BOX-LOOKS-XYXY" if kind == _XYXY else "BOX-LOOKS-OTHER"
    return [_whole(table, code, f"{kind}: {evidence}", RIGHT)]


def _sample(table: SplitTable, sizes_px: Floats) -> _Sample:
    """Up to about :data:`_ENOUGH` boxes from all over the split: shares of so many are known to a percent."""
    columns = table.annotations
    usable = np.flatnonzero(every(np.isfinite(columns.boxes_xywh)) & every(np.isfinite(sizes_px)))
    rows = usable[:: max(len(usable) // _ENOUGH, 1)]
    masks = columns.masks
    clear = ~masks.odd[rows] & ~masks.rle_broken[rows] & (masks.areas_px[rows] > 0)
    bounds = np.where(clear[:, None], masks.bounds_xyxy[rows], np.nan)
    return _Sample(columns.boxes_xywh[rows], sizes_px[rows], bounds, columns.areas_px[rows])


def _corners(kind: str, sample: _Sample) -> Floats:
    with np.errstate(over="ignore", invalid="ignore"):
        return KINDS[kind](sample.boxes, sample.sizes_px)


def _by_masks(sample: _Sample) -> tuple[str, str] | None:
    """The kind that agrees with the masks; :data:`RIGHT` if most boxes do; ``None`` if there are few masks."""
    masked = every(np.isfinite(sample.bounds_xyxy))
    count = int(masked.sum())
    if count < _FEWEST_KNOWN:
        return None
    bounds = sample.bounds_xyxy[masked]
    share = {kind: float(_agree(_corners(kind, sample)[masked], bounds).mean()) for kind in KINDS}
    if share[RIGHT] > _HALF:
        return RIGHT, ""
    best = max(share, key=lambda kind: share[kind])
    if share[best] >= _share_needed(count):
        return best, f"so {share[best]:.0%} of {count} boxes are those of their masks, {share[RIGHT]:.0%} as {RIGHT}"
    apart = _iou(_corners(RIGHT, sample)[masked], bounds) < _APART_IOU
    if count >= _FEWEST and share[RIGHT] <= 1 - _MOST and float(apart.mean()) >= _HALF:
        return "something else", f"{int(apart.sum())} of {count} boxes are far from their masks"
    return None


def _share_needed(count: int) -> float:
    """Share of the boxes that must fit another kind: of a few, all."""
    return _MOST if count >= _FEWEST else 1.0


def _agree(corners: Floats, bounds: Floats) -> Bools:
    with np.errstate(over="ignore", invalid="ignore"):
        extent = np.maximum(bounds[:, 2:] - bounds[:, :2], 0)
        slack = np.maximum(_SLACK_PX, _SLACK_SHARE * extent)
        return every(np.abs(corners - bounds) <= np.c_[slack, slack])


def _iou(a: Floats, b: Floats) -> Floats:
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        low, high = np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, 2:], b[:, 2:])
        shared = _box_areas(np.c_[low, high])
        union = _box_areas(a) + _box_areas(b) - shared
        return np.nan_to_num(shared / union)


def _box_areas(corners: Floats) -> Floats:
    with np.errstate(over="ignore", invalid="ignore"):
        width, height = np.maximum(corners[:, 2:] - corners[:, :2], 0).T
        return np.asarray(width * height)


def _by_areas(sample: _Sample) -> tuple[str, str] | None:
    """A kind whose width × height is the area that the records have, where that of x, y, width, height is not."""
    known = (sample.areas_px > 0) & ~every(np.isfinite(sample.bounds_xyxy))
    count = int(known.sum())
    if count < _FEWEST_KNOWN:
        return None
    share: dict[str, float] = {}
    for kind in KINDS:
        with np.errstate(over="ignore", invalid="ignore"):
            corners = _corners(kind, sample)[known]
            near = np.abs(_box_areas(corners) - sample.areas_px[known]) <= 1 + _AREA_SHARE * sample.areas_px[known]
        # Kinds that differ in the order of the sides only have one area: those that reach out are no candidates.
        share[kind] = float(near.mean()) if _misfit(kind, sample) <= 1 - _MOST or kind == RIGHT else 0.0
    best = max(share, key=lambda kind: share[kind])
    if share[RIGHT] > _HALF or share[best] < _share_needed(count):
        return None
    return best, f"so {share[best]:.0%} of {count} areas are width × height, {share[RIGHT]:.0%} as {RIGHT}"


def _by_limits(sample: _Sample) -> tuple[str, str] | None:
    """A kind that fits the images where x, y, width, height does not."""
    count = len(sample.boxes)
    if count < _FEWEST:
        return None
    far = _reach_far_out(sample)
    misfit = {kind: _misfit(kind, sample) for kind in KINDS if kind != RIGHT}
    best = min(misfit, key=lambda kind: misfit[kind])
    if far < _REACH_OUT * count or misfit[best] > min(_FIT, far / count / 5):
        return None
    return best, f"{far} of {count} boxes reach far out of their image as {RIGHT}, {round(misfit[best] * count)} so"


def _doubt(sample: _Sample) -> str:
    """Why the boxes may as well be of another kind, of splits in which neither masks nor areas tell; "" if nothing."""
    count = len(sample.boxes)
    if _are_areas_right(sample):
        return ""
    if _misfit(_XYXY, sample) == 0:
        return f"each of the {count} boxes is as possible as {_XYXY}, and no mask or area tells"
    fitting = [kind for kind in KINDS if kind != RIGHT and _misfit(kind, sample) == 0]
    if count < _FEWEST and fitting and (far := _reach_far_out(sample)):
        # Of more boxes the limits of the images tell.
        return f"{far} of {count} boxes reach far out of their image as {RIGHT}, none as {' or as '.join(fitting)}"
    on_edge = {kind: _on_edge(kind, sample) for kind in (RIGHT, *fitting)}
    best = max(on_edge, key=lambda kind: on_edge[kind])
    if on_edge[RIGHT] or on_edge[best] < max(_FEWEST_KNOWN, _EDGE_SHARE * count):
        return ""
    return f"{on_edge[best]} of {count} boxes end at an edge of their image as {best}, none as {RIGHT}"


def _are_areas_right(sample: _Sample) -> bool:
    known = sample.areas_px > 0
    areas = _box_areas(_corners(RIGHT, sample))[known]
    near = np.abs(areas - sample.areas_px[known]) <= 1 + _AREA_SHARE * sample.areas_px[known]
    return int(known.sum()) >= _FEWEST_KNOWN and float(near.mean()) > _HALF


def _on_edge(kind: str, sample: _Sample) -> int:
    """How many boxes have a side on an edge of their image."""
    corners = _corners(kind, sample)
    with np.errstate(over="ignore", invalid="ignore"):
        near = np.abs(np.c_[corners[:, :2], corners[:, 2:] - sample.sizes_px]) <= _EDGE_PX
    return int(some(near).sum())


def _reach_far_out(sample: _Sample) -> int:
    """How many boxes are empty or reach out of their image by more than slips and boxes drawn over its edge do."""
    corners, extent = _corners(RIGHT, sample), sample.boxes[:, 2:]
    with np.errstate(over="ignore", invalid="ignore"):
        slack = np.maximum(1, _FAR_SHARE * extent)
        out = some(corners[:, :2] < -slack) | some(corners[:, 2:] > sample.sizes_px + slack) | some(extent <= 0)
    return int(out.sum())


def _misfit(kind: str, sample: _Sample) -> float:
    """Share of the boxes that are empty or reach out of their image."""
    corners = _corners(kind, sample)
    with np.errstate(over="ignore", invalid="ignore"):
        inside = every(corners[:, :2] >= -1) & every(corners[:, 2:] <= sample.sizes_px + 1)
        return 1 - float((inside & every(corners[:, 2:] > corners[:, :2])).mean())


def _whole(table: SplitTable, code: str, found: str, expected: str) -> Issue:
    return Issue(code, table.split, "dataset", found, expected, field="bbox")
