"""Event streams (server-sent events): what changes, or what some work tells, is sent as it comes.

A stream ends when the service stops, and when the key of whoever listens is revoked or expires or its rights change. It
is no answer that a proxy may collect. Browsers connect again by themselves; what a stream begins with is the present
state, so that nothing is lost between two.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import Any

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from visionllm_interaction.server.auth.route_roles import known_principal
from visionllm_interaction.server.problem_details import Problem, http_problem, problem_of

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
    """Counts the streams that are open, from the moment in which they are asked for.

    Args:
        limit: most at a time: each asks the database twice a second.
        limit_each: most at a time of one key or person, so that nobody takes those of the others.
    """

    def __init__(self, limit: int, limit_each: int) -> None:
        self._limit = limit
        self._limit_each = limit_each
        self._lock = threading.Lock()
        self._open: Counter[str] = Counter()

    @property
    def number(self) -> int:
        """How many are open."""
        with self._lock:
            return self._open.total()

    def take(self, who: str) -> Callable[[], None]:
        """Count one more stream.

        Args:
            who: id of the key or person that asks.

        Returns:
            What has to be called when the stream has ended; more than once does no harm.

        Raises:
            HTTPException: 503 if there are too many.
        """
        with self._lock:
            if self._open.total() >= self._limit:
                raise _too_many("Too many event streams are open.", self._limit, "max_event_streams")
            if self._open[who] >= self._limit_each:
                problem = "Too many event streams of this key are open, or answers to it are still being made."
                raise _too_many(problem, self._limit_each, "max_event_streams_per_key")
            self._open[who] += 1
        is_over = False

        def give_back() -> None:
            nonlocal is_over
            with self._lock:
                if not is_over:
                    self._open[who] -= 1
                    self._open += Counter()  # forgets those who have none
                is_over = True

        return give_back


def _too_many(message: str, limit: int, setting: str) -> Exception:
    return http_problem(
        503,
        message,
        code="STREAMS",
        expected=f"at most {limit} (serve.limits.{setting})",
        headers={"Retry-After": "5"},
    )


def _take_stream(request: Request) -> Callable[[], None]:
    streams: EventStreams = request.scope["state"]["context"].service.event_streams
    return streams.take(known_principal(request).key_id)


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
    give_back = _take_stream(request)

    async def changes() -> AsyncIterator[bytes]:
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

    return _EventResponse(changes(), give_back)


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
    give_back = _take_stream(request)
    loop = asyncio.get_running_loop()
    told: asyncio.Queue[bytes | None] = asyncio.Queue()
    has_begun = False

    def send(name: str, data: str) -> None:
        nonlocal has_begun
        has_begun = True
        with suppress(RuntimeError):  # the service has stopped, and nobody listens
            loop.call_soon_threadsafe(told.put_nowait, _event(name, data))

    async def run() -> Exception | Problem | None:
        try:
            await run_in_threadpool(work, send)
        except Exception as error:  # noqa: BLE001 (it is answered below)
            # Here, not where it is told: the client may have hung up, and what nobody expects has to be in the log.
            return problem_of(request, error) if has_begun else error
        finally:
            give_back()
            told.put_nowait(None)
        return None

    working = asyncio.create_task(run())
    first = await told.get()
    if first is None and isinstance(refused := await working, Exception):
        raise refused
    return _EventResponse(_told_by(request, first, told, working))


async def _told_by(
    request: Request,
    first: bytes | None,
    told: asyncio.Queue[bytes | None],
    working: asyncio.Task[Exception | Problem | None],
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
    problem = await working
    if isinstance(problem, Problem):
        yield _event("problem", problem.model_dump_json(exclude_none=True))


def _event(name: str, data: str) -> bytes:
    return f"event: {name}\ndata: {data.translate(_BREAKS)}\n\n".encode()


class _EventResponse(StreamingResponse):
    """The response with events.

    Args:
        events: its body.
        at_end: called when it has ended, in whatever way, also if no event was asked for.
    """

    def __init__(self, events: AsyncIterator[bytes], at_end: Callable[[], None] = lambda: None) -> None:
        super().__init__(events, media_type=MEDIA_TYPE, headers={"X-Accel-Buffering": "no"})
        self._at_end = at_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._at_end()


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
