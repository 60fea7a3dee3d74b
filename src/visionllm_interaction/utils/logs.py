"""The package's logger: structlog's, imported and set up when something is first logged, not before.

Importing structlog takes longer than answering a question from a small store.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class LazyLogger:
    """Stands in for ``structlog.get_logger()``; takes the same calls."""

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
