"""What images can be grouped by."""

from __future__ import annotations

GROUP_COLUMNS: tuple[str, ...] = ("child", "household", "session", "camera", "time")
"""What must not be shared between splits (child, household, session), and places in a recording (camera, time)."""
