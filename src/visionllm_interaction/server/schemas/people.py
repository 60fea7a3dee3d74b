"""People of a video, and their roles."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from visionllm_interaction.server.schemas.frozen_model import FrozenModel


class PersonCrop(FrozenModel):
    """Where somebody can be seen well."""

    time_s: float
    box_xyxy: tuple[float, float, float, float]
    """x1, y1, x2, y2 in pixels of the upright image."""


class TrackedPerson(FrozenModel):
    """Somebody who was tracked, and what is known of the role."""

    video_id: str
    track_id: int
    role: str | None
    """What counts now; null: unknown."""
    reviewed: bool
    """Whether somebody gave it."""
    child_probability: float | None
    """As estimated from images; null: nothing was seen, or looked for."""
    evidence: list[str]
    """What the estimate rests on."""
    begin_s: float
    end_s: float
    may_be_track_id: int | None = None
    """An earlier track that looks alike, of perhaps the same person: a correction `identity`, `merge` joins them."""
    away_s: float | None = None
    """Seconds between the end of that one and the begin of this one."""
    crops: list[PersonCrop] = Field(default=[])
    """Up to five places, spread over the time in which the person is there; only in the answer for one video."""


class VideoPeople(FrozenModel):
    """Everybody who was tracked in a video, by track id."""

    video_id: str
    people: list[TrackedPerson]


class RolesToConfirm(FrozenModel):
    """People whose role nobody has confirmed: unknown roles first, then the least certain."""

    total: int
    people: list[TrackedPerson]
    """The first of them, as many as were asked for."""
    names: dict[str, str]
    """Video id → name of its file."""


class RoleChoices(FrozenModel):
    """Roles that somebody gives to people."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"example": {"roles": {"2": "child", "3": "caregiver"}}},
    )

    roles: dict[
        Annotated[str, Field(pattern=r"^[0-9]{1,6}$")],
        Literal["child", "caregiver", "other", "unknown", "estimated"],
    ] = Field(min_length=1, max_length=1000, json_schema_extra={"additionalProperties": False})
    """Track id → role; `estimated` takes a reviewed role away."""
