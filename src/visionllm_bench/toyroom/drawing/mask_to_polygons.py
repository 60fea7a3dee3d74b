"""Masks → COCO polygons, exactly: the polygons follow the pixel edges and together cover the mask's pixels only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
_Vertex = tuple[int, int]
_Edges = dict[tuple[int, int, int], _Vertex]

_RIGHT_TURN = {(1, 0): (0, 1), (0, 1): (-1, 0), (-1, 0): (0, -1), (0, -1): (1, 0)}


def mask_to_polygons(mask: Mask, *, left: int = 0, top: int = 0) -> list[list[float]]:
    """Polygons ``[x1, y1, x2, y2, …]`` of a (h, w) mask whose first pixel is at (``left``, ``top``).

    COCO polygons cannot have holes, so a mask with holes is cut through its first hole until no part has any.
    """
    rings = _rings(mask)
    hole = next((ring for ring in rings if _signed_area(ring) < 0), None)
    if hole is None:
        return [[float(v) for x, y in ring for v in (x + left, y + top)] for ring in rings]
    cut = min(x for x, _ in hole) + 1
    first = mask_to_polygons(mask[:, :cut], left=left, top=top)
    return first + mask_to_polygons(mask[:, cut:], left=left + cut, top=top)


def _rings(mask: Mask) -> list[list[_Vertex]]:
    """Closed outlines with the inside on the right hand; outer ones have positive area, holes negative."""
    padded = np.pad(mask, 1).astype(np.int8)
    flat = _runs(np.diff(padded, axis=0)[:, 1:-1])
    upright = _runs(-np.diff(padded, axis=1)[1:-1].T)
    across: _Edges = {}
    along: _Edges = {}
    for y, x1, x2, sign in flat:
        begin, end = (x1, x2) if sign > 0 else (x2, x1)
        across[(begin, y, sign)] = (end, y)
    for x, y1, y2, sign in upright:
        begin, end = (y1, y2) if sign > 0 else (y2, y1)
        along[(x, begin, sign)] = (x, end)
    rings = []
    while across:
        rings.append(_follow(across, along))
    return rings


def _runs(signs: NDArray[np.int8]) -> list[tuple[int, int, int, int]]:
    """Runs of equal non-zero values along each row: (row, first column, column after the last, value)."""
    rows, columns = signs.shape
    framed = np.zeros((rows, columns + 2), dtype=np.int8)
    framed[:, 1:-1] = signs
    change = framed[:, 1:] != framed[:, :-1]
    out: list[tuple[int, int, int, int]] = []
    at_row, at_column = np.nonzero(change)
    value = framed[at_row, at_column + 1]
    starts = np.flatnonzero(value)
    for n in starts.tolist():
        out.append((int(at_row[n]), int(at_column[n]), int(at_column[n + 1]), int(value[n])))
    return out


def _follow(across: _Edges, along: _Edges) -> list[_Vertex]:
    (x, y, sign), end = next(iter(across.items()))
    ring: list[_Vertex] = []
    horizontal = True
    while True:
        edges = across if horizontal else along
        end_or_none = edges.pop((x, y, sign), None)
        if end_or_none is None:
            return ring
        end = end_or_none
        ring.append((x, y))
        turn = _RIGHT_TURN[(sign, 0) if horizontal else (0, sign)]
        after = turn[1] if horizontal else turn[0]
        (x, y), horizontal = end, not horizontal
        # Where pixels touch only by a corner two edges start here: the right turn keeps the pixels apart.
        follow = across if horizontal else along
        sign = after if (x, y, after) in follow else -after


def _signed_area(ring: list[_Vertex]) -> float:
    points = np.array(ring, dtype=np.float64)
    after = np.roll(points, -1, axis=0)
    return float((points[:, 0] * after[:, 1] - after[:, 0] * points[:, 1]).sum() / 2)
