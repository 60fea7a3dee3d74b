"""The package's logger. structlog is imported and configured when the first message is logged.

Importing it takes longer than answering a question from a small store.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class LazyLogger:
    """A stand-in for ``structlog.get_logger()`` with the same methods."""

    def __init__(self) -> None:
        self._set_up: Callable[[], None] | None = None

    def set_up_with(self, set_up: Callable[[], None]) -> None:
        """Call ``set_up``, which configures structlog, before the next message."""
        self._set_up = set_up

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        import structlog

        set_up, self._set_up = self._set_up, None
        if set_up is not None:
            set_up()
        return getattr(structlog.get_logger(), name)


log = LazyLogger()
