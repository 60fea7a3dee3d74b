"""The package's logger. structlog is imported and configured when the first message is logged.

Importing it takes longer than answering a question from a small store.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, MutableMapping
from contextvars import ContextVar
from typing import Any

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The request that the service is answering, for what is logged meanwhile; None outside of one."""


class RequestIdFilter(logging.Filter):
    """Gives each record of :mod:`logging` the attribute ``request``: the id of the request, or nothing."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the attribute; every record passes."""
        request_id = REQUEST_ID.get()
        record.request = f" [request {request_id}]" if request_id else ""
        return True


def add_request_id(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor of structlog that adds the id of the request."""
    request_id = REQUEST_ID.get()
    return {**event, "request_id": request_id} if request_id else event


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
