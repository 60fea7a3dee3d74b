"""Who asks: the roles of keys, and the projects whose videos a key sees."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

Role = Literal["viewer", "analyst", "admin"]
"""``viewer``: look, ask, export. ``analyst``: also upload, try again, cancel, correct, erase. ``admin``: also the audit
log."""
ROLES: tuple[Role, ...] = get_args(Role)
DEFAULT_PROJECT = "default"
"""The project of a video that names none."""
PROJECT_PATTERN = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
PROJECT_NAME = re.compile(PROJECT_PATTERN.replace("$", r"\Z"))  # in Python, $ matches before a last line break, too


@dataclass(frozen=True)
class Principal:
    """Who sent a request.

    Attributes:
        key_id: id of the key; ``-`` where the service runs without keys.
        name: name of the key.
        role: what the key may do.
        projects: the only projects whose videos it sees; None: all.
    """

    key_id: str
    name: str
    role: Role
    projects: frozenset[str] | None = None

    def has_role(self, needed: Role) -> bool:
        """Whether the key may do what ``needed`` may."""
        return ROLES.index(self.role) >= ROLES.index(needed)

    def sees(self, project: str | None) -> bool:
        """Whether the key sees the videos of a project; None: one that is not known."""
        return self.projects is None or project in self.projects


LOCAL = Principal(key_id="-", name="this machine", role="admin")
"""Whoever uses a service that was started without keys, which only its own machine can reach."""
