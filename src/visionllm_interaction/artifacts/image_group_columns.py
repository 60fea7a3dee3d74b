"""Columns of a table of groups that images can belong to."""

from __future__ import annotations

GROUP_COLUMNS: tuple[str, ...] = ("child", "household", "session", "camera", "time")
"""Groups that no two splits may share (child, household, session), and positions in a recording (camera, time)."""
