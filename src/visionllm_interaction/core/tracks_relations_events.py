"""What is derived from boxes: tracks, relations, events, codes. Times are seconds, intervals half-open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

HEAD_MOTION: Final = "head_motion"
"""The kind of codes, derived from motion sensors, that say whether a head is moving or still (their label)."""


@dataclass(frozen=True, slots=True)
class Track:
    """One object followed through a video.

    ``role`` is ``"child"``, ``"caregiver"`` or ``None``; ``begin_s``/``end_s`` span the first to the last detection.
    """

    track_id: int
    category: str
    role: str | None
    begin_s: float
    end_s: float
    n_detections: int
    mean_confidence: float


@dataclass(frozen=True, slots=True)
class Relation:
    """One bout of a predicate between two tracks, ``[begin_s, end_s)``."""

    subject_track_id: int
    predicate: str
    object_track_id: int
    begin_s: float
    end_s: float
    confidence: float

    @property
    def duration_s(self) -> float:
        """Length of the bout in seconds."""
        return self.end_s - self.begin_s


@dataclass(frozen=True, slots=True)
class Event:
    """An event at a time: ``kind`` is one of ``core.predicates.EVENT_KINDS``."""

    event_id: str
    kind: str
    track_ids: tuple[int, ...]
    begin_s: float
    end_s: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Code:
    """One interval that a person coded in another program (ELAN, BORIS, Datavyu …), ``[begin_s, end_s)``.

    Attributes:
        code_id: id within the video.
        tier: the tier or column of the other program.
        kind: how measures read it: ``"speech"``, ``"gaze"``, ``"naming"``, :data:`HEAD_MOTION`, or ``"code"`` for
            anything else.
        participant: who did it, as a role or category; ``""`` if unknown.
        label: the coded value; for gaze and naming the object that was looked at or named.
        begin_s: first moment in seconds.
        end_s: first moment after it in seconds.
        source: name of the imported file.
    """

    code_id: str
    tier: str
    kind: str
    participant: str
    label: str
    begin_s: float
    end_s: float
    source: str
