"""Symbols above boxes: tracks, relations, events, evidence. Times are seconds, intervals half-open."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Track:
    """One object followed through a video.

    ``role`` is ``"child"``, ``"caregiver"`` or ``None``; ``begin_s``/``end_s`` span first to last sighting.
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
    """Something that happened: ``kind`` is one of ``core.predicates.EVENT_KINDS``."""

    event_id: str
    kind: str
    track_ids: tuple[int, ...]
    begin_s: float
    end_s: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Code:
    """One interval that a person coded in another program (ELAN, BORIS, Datavyu …), ``[begin_s, end_s)``.

    ``tier`` is where it stood there; ``kind`` is what measures read it as (``"speech"``, ``"gaze"``, ``"naming"``, or
    ``"code"`` for anything else); ``participant`` is who did it (a role or category, ``""`` if not said); ``label`` is
    what was written (for gaze and naming: the thing looked at or named); ``source`` is the name of the file.
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
    """One computed (or seen) value and where in which video it can be checked.

    ``frames`` are the first and last frame index covered; ``kind`` is ``"computed"`` for results of code and
    ``"visual"`` for the weaker answers of a vision model. ``missing`` says why there can be no value, where an input of
    the measure is not there; without it a value of ``None`` or 0 means that nothing was found. ``definition_version``
    is the version of the measure's definition, ``settings`` what it was computed with, where a measure has settings.
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
