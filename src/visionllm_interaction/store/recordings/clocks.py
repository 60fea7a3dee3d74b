"""The clock of a recording beside a video, and codes on the video's clock."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from visionllm_interaction.core.interactions import Code
from visionllm_interaction.errors import UsageError

RecordingKind = Literal["video", "audio", "tracker", "codes"]
KnownBy = Literal["own", "file", "container", "utc", "sound", "flash", "clap", "hand"]
"""How a clock is known: taken as the video's own, the file's own origin or offset, the container's times, dates in
UTC, the sound, a flash of light, a clap, or said by hand."""
EDGE_S = 0.5
"""A code may reach this far over the ends of the video, for sound that is longer than its images; it is cut there."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Where a recording's own times lie on another clock, mostly the video's.

    Attributes:
        offset_s: time on the other clock, in seconds, at which the recording's own clock shows 0.
        drift_ppm: by how many millionths the recording's own seconds are too long.
    """

    offset_s: float = 0.0
    drift_ppm: float = 0.0

    def map(self, own_s: float) -> float:
        """The time on the other clock at the own time ``own_s``, both in seconds."""
        return self.offset_s + own_s * (1.0 + self.drift_ppm * 1e-6) if self.drift_ppm else self.offset_s + own_s

    def inverse(self, other_s: float) -> float:
        """The own time at ``other_s`` of the other clock, both in seconds."""
        return (other_s - self.offset_s) / (1.0 + self.drift_ppm * 1e-6)

    def then(self, outer: Clock) -> Clock:
        """One clock for two steps: first this one, then ``outer``."""
        rate = (1.0 + self.drift_ppm * 1e-6) * (1.0 + outer.drift_ppm * 1e-6)
        drift_ppm = (rate - 1.0) * 1e6 if self.drift_ppm or outer.drift_ppm else 0.0
        return Clock(outer.map(self.offset_s), drift_ppm)


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording or coded file beside a video.

    Attributes:
        recording: its name.
        kind: what it is.
        offset_s: time of the video (or of ``follows``) at which its own clock shows 0.
        drift_ppm: by how many millionths its own seconds are too long.
        known_by: how its clock is known.
        residual_s: how far a time may be off; None: not known.
        follows: the recording whose clock it counts on, which has a clock of its own; None: the video's.
    """

    recording: str
    kind: RecordingKind
    offset_s: float = 0.0
    drift_ppm: float = 0.0
    known_by: KnownBy = "own"
    residual_s: float | None = None
    follows: str | None = None

    @property
    def clock(self) -> Clock:
        """Its clock, on that of ``follows`` if there is one."""
        return Clock(self.offset_s, self.drift_ppm)

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Misplaced:
    """A code that cannot be placed on the video, and the reason."""

    code: Code
    reason: str


def clock_of(name: str, recordings: Mapping[str, Recording]) -> Clock:
    """The whole clock of a recording, from its own times to the video's.

    Args:
        name: the recording.
        recordings: all of the video's.

    Returns:
        The clock; of an unknown recording the video's own.

    Raises:
        UsageError: if recordings follow each other in a ring.
    """
    clock, seen = Clock(), set[str]()
    following: str | None = name
    while following is not None and following in recordings:
        if following in seen:
            raise UsageError("Recordings follow each other's clocks in a ring.", found=" → ".join([*seen, following]))
        seen.add(following)
        clock = clock.then(recordings[following].clock)
        following = recordings[following].follows
    return clock


def place_codes(codes: Sequence[Code], clock: Clock, *, duration_s: float) -> tuple[list[Code], list[Misplaced]]:
    """Put codes on the video's clock.

    Args:
        codes: the codes, on their own clock.
        clock: the clock.
        duration_s: length of the video in seconds; 0: not known.

    Returns:
        The codes that lie in the video, cut at its ends, and those that do not.
    """
    placed: list[Code] = []
    misplaced: list[Misplaced] = []
    for code in codes:
        begin_s, end_s = clock.map(code.begin_s), clock.map(code.end_s)
        reason = _problem(code, begin_s, end_s, duration_s)
        if reason is None:
            last_s = duration_s or math.inf
            cut = (min(max(begin_s, 0.0), last_s), min(max(end_s, 0.0), last_s))
            placed.append(replace(code, begin_s=cut[0], end_s=cut[1]))
        elif reason:
            misplaced.append(Misplaced(code, reason))
    return placed, misplaced


def _problem(code: Code, begin_s: float, end_s: float, duration_s: float) -> str | None:
    """Why a code cannot be placed; None if it can, empty if there is just nothing of it in the video."""
    last_s = duration_s or math.inf
    if not (math.isfinite(begin_s) and math.isfinite(end_s)):
        return "its times are no numbers"
    if end_s < begin_s:
        return f"it ends at {end_s:.3f} s, before it begins at {begin_s:.3f} s"
    if code.kind == "coded":
        return None if begin_s < last_s and end_s > 0 else ""
    if begin_s < -EDGE_S:
        return f"it begins at {begin_s:.3f} s, before the video"
    if end_s > last_s + EDGE_S:
        return f"it ends at {end_s:.3f} s, the video at {duration_s:.3f} s"
    if code.end_s > code.begin_s and (end_s <= 0 or begin_s >= last_s):
        return f"it lies at {begin_s:.3f} s, outside the video"
    return None
