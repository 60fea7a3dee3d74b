"""The kinds of corrections: boxes, categories, roles, identities, bouts and events."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator, model_validator

from visionllm_interaction.core.predicates import DIRECTED_PREDICATES, EVENT_KINDS, PREDICATES

FIRST_ADDED_TRACK = 900_001
"""Tracks that people make (by a split, or by a box of something new) count from here; those of analyses never do."""

Seconds = Annotated[float, Field(ge=0.0, le=1e7, allow_inf_nan=False)]
TrackId = Annotated[int, Field(ge=0, le=999_999)]
Name = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^\S(.*\S)?$")]
Box = tuple[float, float, float, float]


class KeyBox(BaseModel):
    """Where something is at a time; ``box_xyxy`` in pixels of the upright image."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    time_s: Seconds
    box_xyxy: Box

    @field_validator("box_xyxy")
    @classmethod
    def _is_a_box(cls, box: Box) -> Box:
        x1, y1, x2, y2 = box
        if not all(math.isfinite(side) and abs(side) < 1e6 for side in box) or x2 <= x1 or y2 <= y1:
            raise ValueError("expected x1 < x2 and y1 < y2, in pixels")
        return box


class _Change(BaseModel):
    """A correction, as people state it.

    ``value_fields`` are what is new; the other fields say what is corrected.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    value_fields: ClassVar[frozenset[str]] = frozenset()

    def target(self) -> dict[str, Any]:
        """The fields that say what is corrected, as plain JSON."""
        return self.model_dump(mode="json", exclude={"kind", "action", *self.value_fields})

    def new(self) -> dict[str, Any]:
        """The fields that hold the new value, as plain JSON."""
        return self.model_dump(mode="json", include=set(self.value_fields))


class SetBox(_Change):
    """Boxes of a track, moved or added: at one time, or at several with straight lines between them.

    Attributes:
        track_id: the track; None: something that was not tracked, which becomes a track of its own.
        category: of the new track; None for a track that is there.
        boxes: by time; at the processed frames from the first to the last one the track is where they say.
    """

    kind: Literal["box"] = "box"
    action: Literal["set"] = "set"
    track_id: TrackId | None = None
    category: Name | None = None
    boxes: tuple[KeyBox, ...] = Field(min_length=1, max_length=10_000)

    value_fields: ClassVar[frozenset[str]] = frozenset({"boxes", "category"})

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        # A new track has a category; once it is recorded it has an id as well.
        if self.track_id is None and self.category is None:
            raise ValueError("something new needs a category")
        if any(b.time_s <= a.time_s for a, b in zip(self.boxes, self.boxes[1:], strict=False)):
            raise ValueError("the times of boxes must rise")
        return self


class DeleteBox(_Change):
    """Boxes that are of nothing: of a whole track, of a span ``[begin_s, end_s)``, or of the frame at ``begin_s``."""

    kind: Literal["box"] = "box"
    action: Literal["delete"] = "delete"
    track_id: TrackId
    begin_s: Seconds | None = None
    end_s: Seconds | None = None

    @model_validator(mode="after")
    def _is_a_span(self) -> Self:
        if self.end_s is not None and (self.begin_s is None or self.end_s <= self.begin_s):
            raise ValueError("end_s needs an earlier begin_s")
        return self


class SetCategory(_Change):
    """What a track is."""

    kind: Literal["category"] = "category"
    action: Literal["set"] = "set"
    track_id: TrackId
    category: Name

    value_fields: ClassVar[frozenset[str]] = frozenset({"category"})


class SetRole(_Change):
    """Who a track is: a role, or none."""

    kind: Literal["role"] = "role"
    action: Literal["set"] = "set"
    track_id: TrackId
    role: Name | None

    value_fields: ClassVar[frozenset[str]] = frozenset({"role"})


class SplitTrack(_Change):
    """One track is two individuals: from ``at_s`` on it is another one, ``new_track_id``."""

    kind: Literal["identity"] = "identity"
    action: Literal["split"] = "split"
    track_id: TrackId
    at_s: Seconds
    new_track_id: TrackId | None = None

    value_fields: ClassVar[frozenset[str]] = frozenset({"new_track_id"})


class MergeTracks(_Change):
    """Two tracks are one individual: ``other_track_id`` becomes ``track_id``."""

    kind: Literal["identity"] = "identity"
    action: Literal["merge"] = "merge"
    track_id: TrackId
    other_track_id: TrackId

    @model_validator(mode="after")
    def _are_two(self) -> Self:
        if self.track_id == self.other_track_id:
            raise ValueError("expected two different tracks")
        return self


class ExchangeTracks(_Change):
    """Two tracks changed places: from ``at_s`` on each is the other one."""

    kind: Literal["identity"] = "identity"
    action: Literal["exchange"] = "exchange"
    track_id: TrackId
    other_track_id: TrackId
    at_s: Seconds

    @model_validator(mode="after")
    def _are_two(self) -> Self:
        if self.track_id == self.other_track_id:
            raise ValueError("expected two different tracks")
        return self


class _Bout(_Change):
    kind: Literal["bout"] = "bout"
    subject_track_id: TrackId
    predicate: str
    object_track_id: TrackId
    begin_s: Seconds
    end_s: Seconds

    @field_validator("predicate")
    @classmethod
    def _is_known(cls, predicate: str) -> str:
        known = (*PREDICATES, *DIRECTED_PREDICATES)
        if predicate not in known:
            raise ValueError(f"expected one of {', '.join(known)}")
        return predicate

    @model_validator(mode="after")
    def _is_a_bout(self) -> Self:
        if self.end_s <= self.begin_s:
            raise ValueError("end_s must be later than begin_s")
        if self.subject_track_id == self.object_track_id:
            raise ValueError("expected two different tracks")
        return self


class AddBout(_Bout):
    """A bout that was not found; it becomes one with bouts of the same pair that it touches."""

    action: Literal["add"] = "add"


class RemoveBout(_Bout):
    """A bout that is none: the one that shares the most time with ``[begin_s, end_s)``."""

    action: Literal["remove"] = "remove"


class MoveBout(_Bout):
    """A bout that begins or ends at another time."""

    action: Literal["move"] = "move"
    new_begin_s: Seconds
    new_end_s: Seconds

    value_fields: ClassVar[frozenset[str]] = frozenset({"new_begin_s", "new_end_s"})

    @model_validator(mode="after")
    def _ends_later(self) -> Self:
        if self.new_end_s <= self.new_begin_s:
            raise ValueError("new_end_s must be later than new_begin_s")
        return self


class _Event(_Change):
    kind: Literal["event"] = "event"
    event: str
    track_ids: tuple[TrackId, ...] = Field(min_length=1, max_length=3)
    begin_s: Seconds

    @field_validator("event")
    @classmethod
    def _is_known(cls, event: str) -> str:
        if event not in EVENT_KINDS:
            raise ValueError(f"expected one of {', '.join(EVENT_KINDS)}")
        return event


class AddEvent(_Event):
    """An event that was not found; ``end_s`` is its moment too, but for *joint_handling*."""

    action: Literal["add"] = "add"
    end_s: Seconds | None = None

    @model_validator(mode="after")
    def _ends_later(self) -> Self:
        if self.end_s is not None and self.end_s < self.begin_s:
            raise ValueError("end_s must not be earlier than begin_s")
        return self


class RemoveEvent(_Event):
    """An event that did not happen: the nearest one of this kind and these tracks."""

    action: Literal["remove"] = "remove"


class MoveEvent(_Event):
    """An event that happened at another time; one that lasts keeps its length."""

    action: Literal["move"] = "move"
    new_begin_s: Seconds

    value_fields: ClassVar[frozenset[str]] = frozenset({"new_begin_s"})


Geometry = SetBox | DeleteBox | SetCategory | SetRole | SplitTrack | MergeTracks | ExchangeTracks
"""Corrections of boxes and of whom they are; relations and events are computed again from them."""
Layered = AddBout | RemoveBout | MoveBout | AddEvent | RemoveEvent | MoveEvent
"""Corrections that are laid over what was computed."""
Change = Geometry | Layered

_BoxChange = Annotated[SetBox | DeleteBox, Field(discriminator="action")]
_Identity = Annotated[SplitTrack | MergeTracks | ExchangeTracks, Field(discriminator="action")]
_BoutChange = Annotated[AddBout | RemoveBout | MoveBout, Field(discriminator="action")]
_EventChange = Annotated[AddEvent | RemoveEvent | MoveEvent, Field(discriminator="action")]
AnyChange = Annotated[
    _BoxChange | SetCategory | SetRole | _Identity | _BoutChange | _EventChange, Field(discriminator="kind")
]
"""A correction told apart by ``kind`` and ``action``, for readers of JSON."""
CHANGES: TypeAdapter[Change] = TypeAdapter(AnyChange)


def times_of(change: Change) -> tuple[float | None, float | None]:
    """The first and last time that a correction is about; None, None: the whole video."""
    if isinstance(change, SetBox):
        return change.boxes[0].time_s, change.boxes[-1].time_s
    if isinstance(change, SplitTrack | ExchangeTracks):
        return change.at_s, change.at_s
    begin_s = getattr(change, "begin_s", None)
    return begin_s, getattr(change, "end_s", None) or begin_s


def tracks_of(change: Change) -> tuple[int, ...]:
    """The tracks that a correction names; a new one that it makes is none of them."""
    if isinstance(change, AddEvent | RemoveEvent | MoveEvent):
        return change.track_ids
    if isinstance(change, AddBout | RemoveBout | MoveBout):
        return change.subject_track_id, change.object_track_id
    if isinstance(change, MergeTracks | ExchangeTracks):
        return change.track_id, change.other_track_id
    if isinstance(change, SetBox) and change.category is not None:
        return ()
    assert change.track_id is not None
    return (change.track_id,)


def made_track(change: Change) -> int | None:
    """The track that a correction makes, if it makes one."""
    if isinstance(change, SplitTrack):
        return change.new_track_id
    return change.track_id if isinstance(change, SetBox) and change.category is not None else None
