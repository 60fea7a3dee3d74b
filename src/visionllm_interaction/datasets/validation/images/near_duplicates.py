"""Which images are the same up to encoding, size, a small crop and brightness.

Three steps, so that a hundred thousand images can be compared with each other. A short descriptor finds the most
likely partners of each image among all others with matrix products: the lowest frequencies of the thumbnail's cosine
transform, each weighted by its frequency (the spectrum of natural images falls as 1/f, so this makes descriptors of
unrelated images nearly orthogonal). Each such pair is aligned roughly, on halved thumbnails: one is cropped by up to
a tenth at each side until it correlates best with the other. The best of these are aligned again on whole thumbnails.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.run_lengths import find_runs

Array = NDArray[np.float32]
Thumbs = NDArray[np.uint8]
Ints = NDArray[np.int64]

_FREQUENCIES = 9
_CANDIDATE = 0.5
_BLOCK = 2048
_AT_ONCE = 64
_MOST_PARTNERS = 32
"""Rough alignments per image. Among 500 of COCO, 8 in 10,000 unrelated pairs are as alike as the worst true ones."""
_TRIES = 3
"""Fine alignments per image: frames of one room are all alike, and the first that holds is enough."""
_MARGINS = ((0.0, 0.0), (0.025, 0.025), (0.05, 0.0), (0.0, 0.05), (0.05, 0.05), (0.1, 0.0), (0.0, 0.1))
_COARSE_SLACK = 0.08


@dataclass(frozen=True, slots=True)
class Match:
    """Image ``a`` of the first set and ``b`` of the second are alike; ``correlation`` after alignment."""

    a: int
    b: int
    correlation: float


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Images ``a`` (k,) of the first set with images ``b`` (k,) of the second, and how alike they are (k,)."""

    a: Ints
    b: Ints
    value: Array

    @classmethod
    def join(cls, parts: Sequence[_Pairs]) -> _Pairs:
        if not parts:
            return cls(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("a", "b", "value")))

    def __getitem__(self, chosen: NDArray[Any]) -> _Pairs:
        return _Pairs(self.a[chosen], self.b[chosen], self.value[chosen])

    def ranked(self) -> tuple[_Pairs, Ints]:
        """Sorted by ``b``, the best first; and the rank (k,) of each pair among those of its ``b``, from 0."""
        pairs = self[np.lexsort((-self.value, self.b))]
        runs = find_runs(pairs.b)
        return pairs, np.arange(len(pairs.b)) - np.repeat(runs.starts, runs.lengths)


def descriptors(thumbs: Thumbs) -> Array:
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
    length = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.maximum(length, 1e-6), np.float32)


def matches(
    first: Thumbs,
    second: Thumbs | None,
    *,
    min_correlation: float,
    videos: tuple[Ints, Ints] | None = None,
) -> Iterator[Match]:
    """For each image of ``second`` (n, 32, 32) one of ``first`` (k, 32, 32) that is the same, if there is any.

    If ``second`` is ``None``, partners are looked for within ``first``, before each image. ``videos``: a number for
    each image of either set; images of one video, which look alike by nature, are not compared. Negative: none.
    """
    others = first if second is None else second
    if not len(first) or not len(others):
        return
    candidates = _candidates(first, second, videos)
    halves, other_halves = _halve(first), _halve(others)
    rough = np.maximum(
        _best_crops(halves, other_halves, candidates.a, candidates.b),
        _best_crops(other_halves, halves, candidates.b, candidates.a),
    )
    good = rough >= min_correlation - _COARSE_SLACK
    pairs, rank = _Pairs(candidates.a[good], candidates.b[good], rough[good]).ranked()
    matched = np.zeros(len(others), np.bool_)
    for attempt in range(_TRIES):
        for match in _verified(first, others, pairs[(rank == attempt) & ~matched[pairs.b]], min_correlation):
            matched[match.b] = True
            yield match


def _candidates(first: Thumbs, second: Thumbs | None, videos: tuple[Ints, Ints] | None) -> _Pairs:
    """The most likely partners of each image of ``second``, or of ``first`` in what stands before it."""
    a = descriptors(first)
    b = a if second is None else descriptors(second)
    found = []
    for start in range(0, len(b), _BLOCK):
        least = np.full((len(b[start : start + _BLOCK]), 1), _CANDIDATE, np.float32)
        best = _Pairs.join([])
        for low in range(0, len(a) if second is not None else start + 1, _BLOCK):
            likeness = b[start : start + _BLOCK] @ a[low : low + _BLOCK].T
            if second is None and low == start:
                likeness = np.tril(likeness, -1)
            if videos is not None:
                of_a, of_b = videos[0][low : low + _BLOCK], videos[1][start : start + _BLOCK]
                likeness[(of_b[:, None] == of_a[None]) & (of_b[:, None] >= 0)] = 0
            rows, columns = np.nonzero(likeness >= least)
            if len(rows):
                more = _Pairs(columns + low, rows, likeness[rows, columns])
                pairs, rank = _Pairs.join([best, more]).ranked()
                best = pairs[rank < _MOST_PARTNERS]
                full = rank == _MOST_PARTNERS - 1
                least[pairs.b[full], 0] = pairs.value[full]
        found.append(_Pairs(best.a, best.b + start, best.value))
    return _Pairs.join(found)


def _best_crops(cropped: Array, others: Array, p: Ints, q: Ints) -> Array:
    """Best correlation of crops of ``cropped[p]`` (k, s, s) with the whole of ``others[q]`` (k, s, s); output (k,).

    All crops of an image are made once, however many partners it has.
    """
    order = np.argsort(p, kind="stable")
    images, starts = np.unique(p[order], return_index=True)
    ends = np.r_[starts[1:], len(p)]
    whole = _centred(others.reshape(len(others), -1))
    best = np.zeros(len(p), np.float32)
    for low in range(0, len(images), _AT_ONCE):
        crops = _crops(cropped[images[low : low + _AT_ONCE]])
        for place, made in enumerate(crops, start=low):
            pairs = order[starts[place] : ends[place]]
            best[pairs] = (whole[q[pairs]] @ made.T).max(axis=1)
    return best


def _verified(first: Thumbs, second: Thumbs, pairs: _Pairs, min_correlation: float) -> Iterator[Match]:
    for start in range(0, len(pairs.a), _AT_ONCE):
        i, j = pairs.a[start : start + _AT_ONCE], pairs.b[start : start + _AT_ONCE]
        fine = aligned_correlation(first[i].astype(np.float32), second[j].astype(np.float32))
        for place in np.flatnonzero(fine >= min_correlation).tolist():
            yield Match(int(i[place]), int(j[place]), float(fine[place]))


def _halve(thumbs: Thumbs) -> Array:
    """(k, s, s) → (k, s/2, s/2), some at a time: a hundred thousand take 100 MB, not 500."""
    count, side, _ = thumbs.shape
    halved = np.empty((count, side // 2, side // 2), np.float32)
    for low in range(0, count, _BLOCK):
        part = thumbs[low : low + _BLOCK]
        part.reshape(len(part), side // 2, 2, side // 2, 2).mean(
            axis=(2, 4), dtype=np.float32, out=halved[low : low + _BLOCK]
        )
    return halved


def aligned_correlation(a: Array, b: Array) -> Array:
    """Best correlation of each pair (k, s, s), (k, s, s) over crops of either; output (k,)."""
    return np.maximum(_best_crop(a, b), _best_crop(b, a))


def _best_crop(a: Array, b: Array) -> Array:
    target = _centred(b.reshape(len(b), -1))
    return np.asarray(np.einsum("kcp,kp->kc", _crops(a), target, optimize=True).max(axis=1), np.float32)


def _crops(a: Array) -> Array:
    """(k, s, s) cut in all ways of ``_MARGINS`` in x and y, stretched to the full side, as (k, 49, s²) vectors."""
    side = a.shape[1]
    cuts = np.stack([_stretch(side, *margin) for margin in _MARGINS])
    rows = np.einsum("mst,ktu->kmsu", cuts, a, optimize=True)
    crops = np.einsum("kmsu,nvu->kmnsv", rows, cuts, optimize=True)
    return _centred(crops.reshape(len(a), len(cuts) ** 2, side * side))


def _centred(vectors: Array) -> Array:
    """Without their mean and of length 1: the product of two such vectors is their correlation."""
    return _unit(vectors - vectors.mean(axis=-1, keepdims=True))


def _stretch(side: int, before: float, after: float) -> Array:
    """(side, side) matrix that takes the part between the margins of a line of pixels, by linear interpolation."""
    centres = (np.arange(side) + 0.5) / side * (1 - before - after) + before
    place = np.clip(centres * side - 0.5, 0, side - 1)
    low = np.minimum(place.astype(np.int64), side - 2)
    matrix = np.zeros((side, side), np.float32)
    matrix[np.arange(side), low] = 1 - (place - low)
    matrix[np.arange(side), low + 1] = place - low
    return matrix
