"""Roles of people: what was estimated from images, and what somebody who looked says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Role = Literal["child", "caregiver", "other"]
ROLES: Final[tuple[Role, ...]] = ("child", "caregiver", "other")
"""Roles that somebody can give: ``other`` is neither the child nor a caregiver."""


@dataclass(frozen=True, slots=True)
class RoleEstimate:
    """What images say about the role of one track.

    Attributes:
        track_id: of the person.
        role: ``child``, ``caregiver``, or None where it is unknown.
        child_probability: that it is a child; None where nothing is seen that says so.
        frames: images with a pose or a face that say something.
        evidence: of ``face`` (apparent age), ``proportions``, ``look`` (of the whole person) and ``size`` (against
            others at the same place).
    """

    track_id: int
    role: str | None
    child_probability: float | None
    frames: int
    evidence: tuple[str, ...]
