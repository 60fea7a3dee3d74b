"""Event streams (server-sent events): what changes is sent as it changes, until the client has seen enough.

A stream ends when the service stops, and when the key of whoever listens is revoked or expires or its rights change. It
is no answer that a proxy may collect. Browsers connect again by themselves; what a stream begins with is the present
state, so that nothing is lost between two.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from visionllm_interaction.server.problem_details import http_problem

MEDIA_TYPE = "text/event-stream"
EVERY_S = 0.5
"""How often it is looked for changes."""
SIGN_OF_LIFE_S = 15.0
"""A proxy that hears nothing for longer may hang up."""
Snapshot = Mapping[str, str]
"""What is told of each thing: id → JSON in one line."""


class EventStreams:
    """Counts the streams that are open.

    Args:
        limit: most at a time: each asks the database twice a second.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open = 0

    def check(self) -> None:
        """Refuse one more stream than the limit.

        Raises:
            HTTPException: 503.
        """
        if self._open >= self._limit:
            raise http_problem(
                503,
                "Too many event streams are open.",
                code="STREAMS",
                expected=f"at most {self._limit} (serve.limits.max_event_streams)",
                headers={"Retry-After": "5"},
            )

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count a stream while it is open."""
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1


def stream_changes(
    request: Request,
    look: Callable[[], Snapshot],
    *,
    event: str,
    is_over: Callable[[Snapshot], bool],
    is_told_first: Callable[[str], bool] = lambda _: True,
    seconds: float,
) -> StreamingResponse:
    """Stream what changes.

    Args:
        request: the request.
        look: gives the present state; it may block.
        event: name of the events.
        is_over: whether nothing more can come after a state.
        is_told_first: whether something (its JSON) is part of what the stream begins with.
        seconds: longest time to stream.

    Returns:
        The response.

    Raises:
        HTTPException: 503 if too many streams are open.
    """
    context = request.scope["state"]["context"]
    streams: EventStreams = context.service.event_streams
    streams.check()

    async def changes() -> AsyncIterator[bytes]:
        with streams.counted():
            known: dict[str, str] = {}
            begin = heard = time.monotonic()
            first = True
            while True:
                now = dict(await run_in_threadpool(look))
                for name in [one for one in now if now[one] != known.get(one)]:
                    if not first or is_told_first(now[name]):
                        heard = time.monotonic()
                        yield f"event: {event}\ndata: {now[name]}\n\n".encode()
                for name in set(known) - set(now):
                    yield f'event: gone\ndata: "{name}"\n\n'.encode()
                known, first = now, False
                if is_over(now) or time.monotonic() - begin >= seconds or _has_changed(request.scope["state"]):
                    return
                if time.monotonic() - heard > SIGN_OF_LIFE_S:
                    heard = time.monotonic()
                    yield b": still here\n\n"
                if await context.stopping.wait(EVERY_S):
                    return

    return StreamingResponse(changes(), media_type=MEDIA_TYPE, headers={"X-Accel-Buffering": "no"})


def _has_changed(state: dict[str, Any]) -> bool:
    """Whether whoever listens may no longer do what they might when the stream began."""
    return bool(state["principal_now"]() != state["principal"])
