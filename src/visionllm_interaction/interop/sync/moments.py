"""The clock of a recording from moments that both recorded, such as flashes of light or claps.

Which moment of one is which of the other is told by the time between them. A single moment in each is taken for the
same one; where several could be paired in more than one way there is no answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visionllm_interaction.interop.sync.sound_alignment import PRIOR_DRIFT_PPM, NoAlignmentError
from visionllm_interaction.store.recordings.clocks import Clock

_MAX_DRIFT = 300e-6


@dataclass(frozen=True, slots=True)
class SyncMoment:
    """Something sudden in a recording.

    Attributes:
        time_s: on the recording's own clock.
        within_s: the true moment lies within this of ``time_s``.
        sign: 1 or -1 for what can go both ways, such as light that becomes brighter or darker.
    """

    time_s: float
    within_s: float
    sign: int = 1


@dataclass(frozen=True, slots=True)
class MomentAlignment:
    """How a recording lies on the clock of a reference, from moments that both recorded.

    Attributes:
        clock: from the recording's own times to the reference's.
        residual_s: the true clock is within this of ``clock`` in the time that both recorded, with a probability of
            about 0.95.
        pairs: (own time, time of the reference) of each moment, in seconds.
    """

    clock: Clock
    residual_s: float
    pairs: tuple[tuple[float, float], ...]


def align_moments(
    reference: Sequence[SyncMoment],
    other: Sequence[SyncMoment],
    *,
    reference_s: float,
    other_s: float,
    noun: str,
    floor_s: float = 0.0,
) -> MomentAlignment:
    """Find how one recording lies on the clock of another.

    Args:
        reference: moments of the reference, by time.
        other: moments of the recording, by time.
        reference_s: length of the reference in seconds.
        other_s: length of the recording in seconds.
        noun: what the moments are, for messages.
        floor_s: how far recordings of one moment may lie apart anyway, in seconds.

    Returns:
        Its clock; with moments far enough apart, its drift too.

    Raises:
        NoAlignmentError: if one has no moment, or the moments can be paired in several ways or in none.
    """
    for moments, which in ((reference, "the video"), (other, "the recording")):
        if not moments:
            raise NoAlignmentError(f"there is no {noun} in {which}")
    pairs = _pairing(reference, other, noun=noun, floor_s=floor_s)
    own = np.array([other[b].time_s for _, b in pairs])
    theirs = np.array([reference[a].time_s for a, _ in pairs])
    within = np.array([reference[a].within_s + other[b].within_s for a, b in pairs])
    fitted = _fit(own, theirs, within)
    ends = _common_ends(fitted.clock, reference_s, other_s, own)
    residual_s = floor_s + max(float(within.max()), *(fitted.half_width(time) for time in ends))
    return MomentAlignment(fitted.clock, residual_s, tuple(zip(own.tolist(), theirs.tolist(), strict=True)))


def _pairing(
    reference: Sequence[SyncMoment], other: Sequence[SyncMoment], *, noun: str, floor_s: float
) -> list[tuple[int, int]]:
    """Indices of the moments that are the same."""
    found: dict[frozenset[tuple[int, int]], int] = {}
    for a, one in enumerate(reference):
        for b, two in enumerate(other):
            if one.sign == two.sign:
                pairs = _pairs_near(reference, other, anchor=(a, b), floor_s=floor_s)
                found[frozenset(pairs)] = len(pairs)
    if not found:
        raise NoAlignmentError(f"no {noun} goes the same way in both")
    ranked = sorted(found.items(), key=lambda item: -item[1])
    best, count = ranked[0]
    every = len(reference) == len(other) == count
    second = max((size for pairs, size in ranked[1:] if not pairs < best), default=0)
    if (count < 2 and not every) or second == count or (not every and second * 2 > count):
        counts = f"{len(reference)} and {len(other)}"
        raise NoAlignmentError(f"the recordings hold {counts} of a {noun}, and they can be paired in several ways")
    return sorted(best)


def _pairs_near(
    reference: Sequence[SyncMoment], other: Sequence[SyncMoment], *, anchor: tuple[int, int], floor_s: float
) -> list[tuple[int, int]]:
    """Pairs of moments at about the offset of one of them, each moment once."""
    first, second = reference[anchor[0]], other[anchor[1]]
    pairs: list[tuple[int, int]] = []
    for b, two in enumerate(other):
        apart_s = two.time_s - second.time_s
        reach_s = floor_s + first.within_s + second.within_s + two.within_s + _MAX_DRIFT * abs(apart_s)
        near = [
            (abs(one.time_s - first.time_s - apart_s), a)
            for a, one in enumerate(reference)
            if one.sign == two.sign
            and abs(one.time_s - first.time_s - apart_s) <= reach_s + one.within_s
            and a not in {used for used, _ in pairs}
        ]
        if near:
            pairs.append((min(near)[1], b))
    return pairs


@dataclass(frozen=True, eq=False, slots=True)
class _Fit:
    clock: Clock
    middle_s: float
    covariance: npt.NDArray[np.float64]

    def half_width(self, time_s: float) -> float:
        """Half width of the 95 % interval of the clock at an own time."""
        at = np.array([1.0, time_s - self.middle_s])
        return float(2.0 * np.sqrt(at @ self.covariance @ at))


def _fit(own: npt.NDArray[np.float64], theirs: npt.NDArray[np.float64], within: npt.NDArray[np.float64]) -> _Fit:
    """Offset and drift by least squares; a moment is anywhere in its interval, and clocks drift by tens of ppm."""
    middle_s = float(own.mean())
    x = own - middle_s
    spread = np.maximum(within, 1e-4) / np.sqrt(3.0)
    design = np.stack([np.ones_like(x), x], axis=1)
    precision = (design / spread[:, None] ** 2).T @ design
    precision[1, 1] += 1.0 / (PRIOR_DRIFT_PPM * 1e-6) ** 2
    covariance = np.asarray(np.linalg.inv(precision), np.float64)
    offset_s, drift = (covariance @ ((design / spread[:, None] ** 2).T @ (theirs - own))).tolist()
    drift = min(max(drift, -_MAX_DRIFT), _MAX_DRIFT)
    return _Fit(Clock(offset_s - drift * middle_s, drift * 1e6), middle_s, covariance)


def _common_ends(clock: Clock, reference_s: float, other_s: float, own: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Own times at which the common time begins and ends; the moments are in it."""
    begin_s = max(0.0, clock.inverse(0.0))
    end_s = min(other_s, clock.inverse(reference_s))
    return min(begin_s, float(own.min())), max(end_s, float(own.max()))
