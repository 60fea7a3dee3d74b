"""What is derived from boxes: tracks, relations, events, evidence. Times are seconds, intervals half-open."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal


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
        kind: how measures read it: ``"speech"``, ``"gaze"``, ``"naming"``, or ``"code"`` for anything else.
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


@dataclass(frozen=True, slots=True)
class Evidence:
    """One value, and the video, tracks, times and frames where it can be checked.

    Attributes:
        id: id within an answer, for example ``e1``.
        measure: name of the measure.
        value: the value, in ``unit``.
        unit: the unit, for example ``s``.
        video_id: the video.
        track_ids: the tracks it was computed from.
        begin_s: first moment in seconds.
        end_s: first moment after it in seconds.
        frames: first and last frame index.
        kind: ``"computed"`` for results of code, ``"visual"`` for the weaker answers of a vision model.
        missing: why there is no value, if an input of the measure is missing. Without it a value of ``None`` or 0
            means that nothing was found.
        definition_version: version of the measure's definition.
        settings: the settings it was computed with, for measures that have any.
    """

    id: str
    measure: str
    value: float | int | str | None
    unit: str
    video_id: str
    track_ids: tuple[int, ...]
    begin_s: float | None
    end_s: float | None
    frames: tuple[int, int] | None
    kind: Literal["computed", "visual"] = "computed"
    missing: str | None = None
    definition_version: int = 1
    settings: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON form."""
        out = asdict(self)
        out["track_ids"] = list(self.track_ids)
        out["frames"] = list(self.frames) if self.frames else None
        return out
