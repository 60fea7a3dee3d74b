"""Event streams (server-sent events): what changes, or what some work tells, is sent as it comes.

A stream ends when the service stops, and when the key of whoever listens is revoked or expires or its rights change. It
is no answer that a proxy may collect. Browsers connect again by themselves; what a stream begins with is the present
state, so that nothing is lost between two.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from visionllm_interaction.server.problem_details import http_problem, problem_of

MEDIA_TYPE = "text/event-stream"
EVERY_S = 0.5
"""How often it is looked for changes."""
SIGN_OF_LIFE_S = 15.0
"""A proxy that hears nothing for longer may hang up."""
_STILL_HERE = b": still here\n\n"
Snapshot = Mapping[str, str]
"""What is told of each thing: id → JSON in one line."""
SendEvent = Callable[[str, str], None]
"""Sends an event: its name, and JSON in one line. It may be called from any thread."""
_BREAKS = str.maketrans({mark: f"\\u{ord(mark):04x}" for mark in "\x85\u2028\u2029"})
"""Marks that JSON leaves as they are and that many readers take for the end of a line, as Python's do."""


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
                        yield _event(event, now[name])
                for name in set(known) - set(now):
                    yield _event("gone", f'"{name}"')
                known, first = now, False
                if is_over(now) or time.monotonic() - begin >= seconds or _has_changed(request.scope["state"]):
                    return
                if time.monotonic() - heard > SIGN_OF_LIFE_S:
                    heard = time.monotonic()
                    yield _STILL_HERE
                if await context.stopping.wait(EVERY_S):
                    return

    return _response(changes())


async def stream_work(request: Request, work: Callable[[SendEvent], None]) -> StreamingResponse:
    """Do some work in a thread, and stream what it tells meanwhile.

    What is wrong before the first event is answered with its status, as anywhere. What goes wrong later is the last
    event, ``problem``, with problem details. If the client hangs up, the work goes on to its end, and nobody hears it.

    Args:
        request: the request.
        work: it blocks; its events are sent by what it is given.

    Returns:
        The response.

    Raises:
        HTTPException: 503 if too many streams are open; and whatever ``work`` raises before its first event.
    """
    streams: EventStreams = request.scope["state"]["context"].service.event_streams
    streams.check()
    loop = asyncio.get_running_loop()
    told: asyncio.Queue[bytes | None] = asyncio.Queue()

    def send(name: str, data: str) -> None:
        with suppress(RuntimeError):  # the service has stopped, and nobody listens
            loop.call_soon_threadsafe(told.put_nowait, _event(name, data))

    async def run() -> BaseException | None:
        try:
            with streams.counted():
                await run_in_threadpool(work, send)
        except Exception as error:  # noqa: BLE001 (it is answered below)
            return error
        finally:
            told.put_nowait(None)
        return None

    working = asyncio.create_task(run())
    first = await told.get()
    if first is None and (refused := await working) is not None:
        raise refused
    return _response(_told_by(request, first, told, working))


async def _told_by(
    request: Request,
    first: bytes | None,
    told: asyncio.Queue[bytes | None],
    working: asyncio.Task[BaseException | None],
) -> AsyncIterator[bytes]:
    event = first
    while event is not None:
        if _has_changed(request.scope["state"]):
            return
        yield event
        event = _STILL_HERE
        with suppress(TimeoutError):
            async with asyncio.timeout(SIGN_OF_LIFE_S):
                event = await told.get()
    error = await working
    if error is not None:
        yield _event("problem", problem_of(request, error).model_dump_json(exclude_none=True))


def _event(name: str, data: str) -> bytes:
    return f"event: {name}\ndata: {data.translate(_BREAKS)}\n\n".encode()


def _response(events: AsyncIterator[bytes]) -> StreamingResponse:
    return StreamingResponse(events, media_type=MEDIA_TYPE, headers={"X-Accel-Buffering": "no"})


def described_events(*names: str) -> dict[int | str, dict[str, Any]]:
    """How the interface's document describes a stream of events with these names."""
    event = {
        "type": "object",
        "properties": {"event": {"type": "string", "enum": list(names)}, "data": {"type": "string"}},
        "required": ["event", "data"],
    }
    description = "Server-sent events; the schema is of one of them."
    return {200: {"content": {MEDIA_TYPE: {"schema": event}}, "description": description}}


def _has_changed(state: dict[str, Any]) -> bool:
    """Whether whoever listens may no longer do what they might when the stream began."""
    return bool(state["principal_now"]() != state["principal"])
