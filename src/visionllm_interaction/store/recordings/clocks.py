"""The clock of a recording beside a video, and codes on the video's clock."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from visionllm_interaction.core.intervals import TOLERANCE_S
from visionllm_interaction.core.tracks_relations_events import HEAD_MOTION, Code
from visionllm_interaction.errors import UsageError

RecordingKind = Literal["video", "audio", "tracker", "codes", "session"]
KnownBy = Literal["own", "file", "container", "utc", "sound", "flash", "clap", "hand"]
"""How a clock is known: taken as the video's own, the file's own origin or offset, the container's times, dates in
UTC, the sound, a flash of light, a clap, or said by hand."""
_CONTINUOUS = frozenset({"coded", HEAD_MOTION})
"""Kinds of codes that go on before and after the video; what of them lies in it counts."""
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
        kind: what it is; of a ``session`` the clock of all recordings of a visit, of which the video is one.
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


def chain_of(name: str, recordings: Mapping[str, Recording]) -> list[str]:
    """A recording and those that it follows, one after the other.

    Args:
        name: the recording.
        recordings: all of the video's.

    Returns:
        Their names; in a ring each once, and none for an unknown recording.
    """
    names: list[str] = []
    following: str | None = name
    while following is not None and following in recordings and following not in names:
        names.append(following)
        following = recordings[following].follows
    return names


def is_of_session(name: str, recordings: Mapping[str, Recording]) -> bool:
    """Whether a recording counts on the clock of the video's session, and so may go on in other videos of it.

    Args:
        name: the recording.
        recordings: all of the video's.

    Returns:
        Whether it follows one of kind ``session``.
    """
    return any(recordings[one].kind == "session" for one in chain_of(name, recordings)[1:])


def place_codes(
    codes: Sequence[Code], clock: Clock, *, span_s: tuple[float, float], is_part: bool = False
) -> tuple[list[Code], list[Misplaced]]:
    """Put codes on the video's clock.

    Where the codes say which time was coded and none of it lies in the video, an interval without length says that
    nothing of the video was coded: without it, all of the video would count as coded.

    Args:
        codes: the codes of one recording, on their own clock.
        clock: the clock.
        span_s: begin and end of the video on its own clock; an end of 0: not known.
        is_part: whether the recording goes on in other videos of a session. Intervals are cut at the video's ends then,
            and what lies outside it is not misplaced; a moment at the very end belongs to the next video.

    Returns:
        The codes that lie in the video, cut at its ends, and those that do not.
    """
    first_s, last_s = span_s[0], span_s[1] or math.inf
    placed: list[Code] = []
    misplaced: list[Misplaced] = []
    for code in codes:
        begin_s, end_s = clock.map(code.begin_s), clock.map(code.end_s)
        reason = _problem(code, begin_s, end_s, first_s, last_s, is_part=is_part)
        if reason is None:
            cut = (min(max(begin_s, first_s), last_s), min(max(end_s, first_s), last_s))
            placed.append(replace(code, begin_s=cut[0], end_s=cut[1]))
        elif reason:
            misplaced.append(Misplaced(code, reason))
    said = next((code for code in codes if code.kind == "coded"), None)
    if said is not None and not any(code.kind == "coded" for code in placed):
        placed.append(replace(said, begin_s=first_s, end_s=first_s))
    return placed, misplaced


def _problem(code: Code, begin_s: float, end_s: float, first_s: float, last_s: float, *, is_part: bool) -> str | None:
    """Why a code cannot be placed; None if it can, empty if there is just nothing of it in the video."""
    if not (math.isfinite(begin_s) and math.isfinite(end_s)):
        return "its times are no numbers"
    if end_s < begin_s:
        return f"it ends at {end_s:.3f} s, before it begins at {begin_s:.3f} s"
    if code.kind in _CONTINUOUS:
        return None if begin_s < last_s and end_s > first_s else ""
    if is_part and code.end_s <= code.begin_s:
        return None if first_s - TOLERANCE_S <= begin_s < last_s - TOLERANCE_S else ""
    if is_part:
        return None if begin_s < last_s - TOLERANCE_S and end_s > first_s + TOLERANCE_S else ""
    if begin_s < min(first_s, 0.0) - EDGE_S:
        return f"it begins at {begin_s:.3f} s, before the video"
    if end_s > last_s + EDGE_S:
        return f"it ends at {end_s:.3f} s, the video at {last_s:.3f} s"
    if code.end_s > code.begin_s and (end_s <= first_s or begin_s >= last_s):
        return f"it lies at {begin_s:.3f} s, outside the video"
    return None
