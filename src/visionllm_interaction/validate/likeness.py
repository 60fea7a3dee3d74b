"""Which pictures are the same up to encoding, size, a small crop and brightness.

Two steps. A short descriptor finds candidates among all pairs with one matrix product: the lowest frequencies of the
thumbnail's cosine transform, each weighted by its frequency (the spectrum of natural pictures falls as 1/f, so
this makes descriptors of unrelated pictures nearly orthogonal). Each candidate pair is then aligned: one thumbnail
is cropped by up to a tenth at each side until it correlates best with the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

_FREQUENCIES = 9
_CANDIDATE = 0.5
_BLOCK = 2048
_PAIRS_AT_ONCE = 64
_MARGINS = ((0.0, 0.0), (0.025, 0.025), (0.05, 0.0), (0.0, 0.05), (0.05, 0.05), (0.1, 0.0), (0.0, 0.1))
_COARSE_SLACK = 0.08


@dataclass(frozen=True, slots=True)
class Match:
    """Picture ``a`` of the first set and ``b`` of the second are alike; ``correlation`` after alignment."""

    a: int
    b: int
    correlation: float


def descriptors(thumbs: NDArray[np.uint8]) -> Array:
    """(k, 32, 32) thumbnails → (k, 80) unit vectors."""
    if not len(thumbs):
        return np.zeros((0, _FREQUENCIES**2 - 1), np.float32)
    side = thumbs.shape[1]
    place = np.arange(side)
    basis = np.cos(np.pi * (2 * place[None] + 1) * place[:_FREQUENCIES, None] / (2 * side)).astype(np.float32)
    weight = np.hypot(*np.mgrid[:_FREQUENCIES, :_FREQUENCIES]).astype(np.float32)
    parts = [
        _unit((basis @ thumbs[n : n + _BLOCK].astype(np.float32) @ basis.T * weight).reshape(-1, weight.size)[:, 1:])
        for n in range(0, len(thumbs), _BLOCK)
    ]
    return np.concatenate(parts)


def _unit(rows: Array) -> Array:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(length, 1e-6), np.float32)


def matches(first: NDArray[np.uint8], second: NDArray[np.uint8] | None, *, min_correlation: float) -> Iterator[Match]:
    """All pairs of ``first`` (k, 32, 32) with ``second``, or within ``first`` (a < b) if that is ``None``."""
    a = descriptors(first)
    b = a if second is None else descriptors(second)
    others = first if second is None else second
    for low in range(0, len(a), _BLOCK):
        for start in range(low if second is None else 0, len(b), _BLOCK):
            likeness = a[low : low + _BLOCK] @ b[start : start + _BLOCK].T
            rows, columns = np.nonzero(likeness >= _CANDIDATE)
            rows, columns = rows + low, columns + start
            if second is None:
                rows, columns = rows[rows < columns], columns[rows < columns]
            yield from _verified(first, others, rows, columns, min_correlation)


def _verified(
    first: NDArray[np.uint8],
    second: NDArray[np.uint8],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    min_correlation: float,
) -> Iterator[Match]:
    for start in range(0, len(rows), _PAIRS_AT_ONCE):
        i, j = rows[start : start + _PAIRS_AT_ONCE], columns[start : start + _PAIRS_AT_ONCE]
        left, right = first[i].astype(np.float32), second[j].astype(np.float32)
        rough = aligned_correlation(_halve(left), _halve(right))
        good = np.flatnonzero(rough >= min_correlation - _COARSE_SLACK)
        if len(good):
            fine = aligned_correlation(left[good], right[good])
            for place, value in zip(good[fine >= min_correlation], fine[fine >= min_correlation], strict=True):
                yield Match(int(i[place]), int(j[place]), float(value))


def _halve(thumbs: Array) -> Array:
    count, side, _ = thumbs.shape
    return np.asarray(thumbs.reshape(count, side // 2, 2, side // 2, 2).mean(axis=(2, 4)), np.float32)


def aligned_correlation(a: Array, b: Array) -> Array:
    """Best correlation of each pair (k, s, s), (k, s, s) over crops of either; output (k,)."""
    return np.maximum(_best_crop(a, b), _best_crop(b, a))


def _best_crop(a: Array, b: Array) -> Array:
    """Crop ``a`` in all ways of ``_MARGINS`` in x and in y, stretch it to the full side, correlate with ``b``."""
    side = a.shape[1]
    cuts = np.stack([_stretch(side, *margin) for margin in _MARGINS])
    rows = np.einsum("mst,ktu->kmsu", cuts, a, optimize=True)
    crops = np.einsum("kmsu,nvu->kmnsv", rows, cuts, optimize=True).reshape(len(a), -1, side * side)
    target = b.reshape(len(b), side * side)
    crops = crops - crops.mean(axis=2, keepdims=True)
    target = target - target.mean(axis=1, keepdims=True)
    dots = np.einsum("kcp,kp->kc", crops, target, optimize=True)
    lengths = np.linalg.norm(crops, axis=2) * np.linalg.norm(target, axis=1)[:, None]
    return np.asarray((dots / np.maximum(lengths, 1e-6)).max(axis=1), np.float32)


def _stretch(side: int, before: float, after: float) -> Array:
    """(side, side) matrix that takes the part between the margins of a line of pixels, by linear interpolation."""
    centres = (np.arange(side) + 0.5) / side * (1 - before - after) + before
    place = np.clip(centres * side - 0.5, 0, side - 1)
    low = np.minimum(place.astype(np.int64), side - 2)
    matrix = np.zeros((side, side), np.float32)
    matrix[np.arange(side), low] = 1 - (place - low)
    matrix[np.arange(side), low + 1] = place - low
    return matrix
