"""Fixtures of the room."""

from label_pool import written

__all__ = ["written"]
