"""Runs of equal values in arrays, and COCO's run lengths of masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """Runs of equal values, in order.

    Attributes:
        starts: (N,) index of the first value of each run.
        ends: (N,) index after its last value.
        values: (N,) the value of each run.
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    values: NDArray[Any]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of values in each run, (N,)."""
        return self.ends - self.starts


def find_runs(values: NDArray[Any]) -> Runs:
    """The runs of equal values. NaN equals nothing, so each NaN is a run of its own.

    Args:
        values: (n,), of any type.

    Returns:
        The runs in order; none for an empty array.

    Raises:
        ValueError: if ``values`` does not have exactly one dimension.
    """
    if values.ndim != 1:
        raise ValueError(f"values must have one dimension, not {values.ndim}")
    edges = np.flatnonzero(values[1:] != values[:-1]) + 1
    bounds = np.concatenate([[0], edges, [len(values)]]) if len(values) else np.zeros(1, dtype=np.int64)
    starts = bounds[:-1]
    return Runs(starts, bounds[1:], values[starts])


def true_runs(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The runs of True in ``mask`` (n,) as (N, 2): the index of the first value and the index after the last."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return edges.reshape(-1, 2)


def encode_mask(mask: NDArray[Any]) -> list[int]:
    """COCO's uncompressed run lengths of ``mask`` (height, width): down the columns, background first.

    The first number is 0 where the mask covers the first pixel. Source: ``pycocotools``, ``rleEncode``.
    """
    runs = find_runs(np.asarray(mask, dtype=np.bool_).ravel(order="F"))
    lengths: list[int] = runs.lengths.tolist()
    return [0, *lengths] if len(lengths) and runs.values[0] else lengths


def decode_mask(counts: Sequence[int], *, height: int, width: int) -> NDArray[np.bool_]:
    """The mask of COCO's uncompressed run lengths.

    Args:
        counts: run lengths in pixels, down the columns, background first.
        height: height of the mask in pixels.
        width: width of the mask in pixels.

    Returns:
        (height, width) bool.

    Raises:
        ValueError: if the run lengths do not add up to the size, or one is negative.
    """
    lengths = np.asarray(counts, dtype=np.int64)
    if (lengths.size and lengths.min() < 0) or int(lengths.sum()) != height * width:
        raise ValueError(f"run lengths of {int(lengths.sum())} pixels do not fit {height} × {width}")
    flat = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return flat.reshape((height, width), order="F")
