"""Intervals that somebody lists to be hidden: blacked out, or muted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from visionllm_interaction.errors import UsageError

Span = tuple[float, float]
"""Begin and end in seconds since the video's start; both moments belong to it."""
_ROUNDING_S = 0.001
"""Containers round time stamps to a millisecond; a frame that misses an interval by less may touch it."""


@dataclass(frozen=True)
class ListedIntervals:
    """What is hidden because it is listed.

    Attributes:
        blackout: intervals in which every image is black.
        mute: intervals without sound.
        sound_in_blackout: whether the sound is kept while the image is black.
    """

    blackout: tuple[Span, ...] = ()
    mute: tuple[Span, ...] = ()
    sound_in_blackout: bool = False

    def __post_init__(self) -> None:
        for begin_s, end_s in (*self.blackout, *self.mute):
            if not (math.isfinite(begin_s) and math.isfinite(end_s) and begin_s <= end_s):
                raise UsageError(
                    "An interval to hide is none.", expected="a begin before its end", found=f"{begin_s:g}-{end_s:g} s"
                )

    def __bool__(self) -> bool:
        return bool(self.blackout or self.mute)

    @property
    def silent(self) -> tuple[Span, ...]:
        """The intervals without sound: those listed, and those blacked out unless their sound is kept."""
        return self.mute if self.sound_in_blackout else tuple(sorted({*self.mute, *self.blackout}))

    @property
    def speaks_of_sound(self) -> bool:
        """Whether somebody who lists this expects sound in the copy."""
        return bool(self.mute or self.sound_in_blackout)

    def is_black(self, begin_s: float, end_s: float) -> bool:
        """Whether a frame shown from ``begin_s`` to ``end_s`` is shown, to the millisecond, in a blackout."""
        return any(touches((begin_s, end_s), span, tolerance_s=_ROUNDING_S) for span in self.blackout)

    def widened(self, by_s: float) -> ListedIntervals:
        """The same with every interval begun ``by_s`` earlier and ended so much later."""
        black, mute = (tuple((a - by_s, b + by_s) for a, b in spans) for spans in (self.blackout, self.mute))
        return replace(self, blackout=black, mute=mute)

    def check_inside(self, length_s: float) -> None:
        """Check that every interval reaches into the video.

        Args:
            length_s: length of the video in seconds.

        Raises:
            UsageError: if one begins after the video's end, or ends before its begin.
        """
        outside = [span for span in (*self.blackout, *self.mute) if span[0] >= length_s or span[1] < 0]
        if outside:
            raise UsageError(
                "An interval to hide lies outside the video; nothing was written.",
                expected=f"intervals in the video's {length_s:.3f} s",
                found=", ".join(f"{begin:.3f}-{end:.3f} s" for begin, end in outside[:5]),
                fix="times count from the video's start, in seconds or hh:mm:ss",
            )


def touches(shown: Span, span: Span, *, tolerance_s: float = 0.0) -> bool:
    """Whether a frame is shown at some moment of an interval.

    Args:
        shown: when the frame appears, and when the next one replaces it.
        span: the interval; both of its ends belong to it.
        tolerance_s: a frame that misses the interval by at most this touches it too.

    Returns:
        Whether it is.
    """
    return shown[0] <= span[1] + tolerance_s and shown[1] > span[0] - tolerance_s


def display_spans(times_s: Iterable[float]) -> Iterator[Span]:
    """When frames are shown: each until the next one; the first from the beginning on, the last without an end.

    Args:
        times_s: times of the frames, ascending.

    Yields:
        Begin and end of each in seconds. Players show the first frame at once, whatever its time.
    """
    shown_s = -math.inf
    waiting = False
    for time_s in times_s:
        if waiting:
            yield shown_s, time_s
            shown_s = time_s
        waiting = True
    if waiting:
        yield shown_s, math.inf
