"""What a key may do, who did what, and whether the service is ready."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from visionllm_interaction.server.schemas.frozen_model import FrozenModel


class Readiness(FrozenModel):
    """Whether the service is ready, and the state of each part."""

    status: Literal["ready", "not ready"]
    parts: dict[str, str]
    reasons: dict[str, str] = Field(default={}, description="why a part failed")


class KeyRights(FrozenModel):
    """What the key of the request may do."""

    name: str
    """Name of the key."""
    role: Literal["viewer", "analyst", "admin"]
    projects: list[str] | None
    """The only projects whose videos it sees; null: all."""
    known_projects: list[str]
    """The projects that it sees and that have a video."""


class AuditEntry(FrozenModel):
    """One row of the audit log."""

    at: str
    """When, ISO 8601, UTC."""
    who: str
    """Name of the key."""
    action: str
    route: str
    """The address, as a template."""
    subject: str | None = None
    """A random token that stands for the video."""
    video_id: str | None = None
    """The video; null once it is erased, and where a row is about none."""
    project: str | None = None
    missed: int = 0
    """Number of rows before this one that could not be written (a full disk)."""


class AuditPage(FrozenModel):
    """Rows of the audit log, newest first."""

    rows: list[AuditEntry]
    next: str | None = None
    """`cursor` of the next page; null: this is the last."""
    faults: list[str]
    """Rows that were changed or removed."""
