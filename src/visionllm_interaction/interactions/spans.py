"""Intervals of time: from a value per frame to half-open intervals ``[begin_s, end_s)``, merged into bouts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.intervals import TOLERANCE_S, as_intervals, union
from visionllm_interaction.core.run_lengths import true_runs

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open interval of time in seconds."""

    begin_s: float
    end_s: float

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.begin_s


def hysteresis(values: NDArray[np.float64], *, enter: float, leave: float) -> Mask:
    """(n,) True from where ``values`` ≤ ``enter`` until they exceed ``leave`` or are unknown (NaN)."""
    with np.errstate(invalid="ignore"):
        signal = np.where(values <= enter, 1, np.where(values <= leave, 0, -1))
    known = np.where(signal != 0, np.arange(len(signal)), -1)
    last = np.maximum.accumulate(known) if len(known) else known
    return np.asarray((last >= 0) & (signal[last] == 1))


def bridge(
    values: NDArray[np.float64],
    begins_s: NDArray[np.float64],
    ends_s: NDArray[np.float64],
    *,
    longest_s: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Replace short intervals of NaN by the larger one of both neighbours.

    Args:
        values: (n,) values per frame.
        begins_s: (n,) begins of the frames.
        ends_s: (n,) ends of the frames.
        longest_s: (n,) longest interval to replace, taken at the frame before it.

    Returns:
        (n,) values; longer intervals, and those at the begin or end, stay NaN.
    """
    bridged = values.copy()
    for first, after in runs(np.isnan(values)):
        if first > 0 and after < len(values) and begins_s[after] - ends_s[first - 1] <= longest_s[first - 1] + 1e-6:
            bridged[first:after] = max(values[first - 1], values[after])
    return bridged


def runs(mask: Mask) -> list[tuple[int, int]]:
    """``[first, after)`` of each run of True."""
    return [(first, after) for first, after in true_runs(mask).tolist()]


def mask_to_spans(mask: Mask, begins_s: NDArray[np.float64], ends_s: NDArray[np.float64]) -> list[Span]:
    """Intervals in which ``mask`` is true; ``begins_s`` and ``ends_s`` are the times of each frame."""
    return [Span(float(begins_s[first]), float(ends_s[after - 1])) for first, after in runs(mask)]


def clean_spans(spans: list[Span], *, merge_gap_s: float, min_duration_s: float) -> list[Span]:
    """Join neighbours that touch or are at most ``merge_gap_s`` apart, then drop those under ``min_duration_s``."""
    joined = union(as_intervals((s.begin_s, s.end_s) for s in spans), max_gap_s=merge_gap_s)
    kept = joined[joined[:, 1] - joined[:, 0] >= min_duration_s - TOLERANCE_S]
    return [Span(begin_s, end_s) for begin_s, end_s in kept.tolist()]
