"""Paraphrases that were written after planners and prompt were done, and never used to change either."""

from __future__ import annotations

from collections.abc import Mapping

HELD_OUT: Mapping[str, tuple[str, ...]] = {}
"""Form → texts."""
