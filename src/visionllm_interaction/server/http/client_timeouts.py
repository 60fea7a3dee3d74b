"""Patience with clients: a body that stops coming, a head that never ends, a service that has to stop.

uvicorn waits for both for ever. A connection costs memory and, on a service without a proxy in front, a file
descriptor, so that a few thousand stalled ones would keep everybody out.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol

import uvicorn
from fastapi import HTTPException
from starlette.types import Message, Receive
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from visionllm_interaction.server.problem_details import http_problem

LAST_REQUEST_S = 0.5
"""How long a connection without a request is kept when the service stops: one may be on its way."""
LAST_CONNECTIONS_S = 2.0
"""How long a service that stops takes in connections that the system has accepted for it, at most."""


class _WithFileNumber(Protocol):
    def fileno(self) -> int: ...


class Stopping:
    """Tells requests in progress that the service is being stopped."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def begin(self) -> None:
        """End the wait of all requests whose bodies are still coming."""
        self._event.set()

    @property
    def has_begun(self) -> bool:
        """Whether the service is being stopped."""
        return self._event.is_set()

    async def wait(self, seconds: float) -> bool:
        """Wait, but not longer than the service runs.

        Args:
            seconds: longest time to wait.

        Returns:
            Whether the service is being stopped.
        """
        with suppress(TimeoutError):
            await asyncio.wait_for(self._event.wait(), seconds)
        return self._event.is_set()

    async def receive(self, receive: Receive, *, stall_s: float) -> Message:
        """The next message of a request whose body is not complete.

        Args:
            receive: gives the next message.
            stall_s: longest time between two messages in seconds.

        Returns:
            The message.

        Raises:
            HTTPException: 408 if nothing came, 503 if the service is being stopped.
        """
        message = asyncio.ensure_future(receive())
        stopped = asyncio.ensure_future(self._event.wait())
        try:
            done, _ = await asyncio.wait({message, stopped}, timeout=stall_s, return_when=asyncio.FIRST_COMPLETED)
            if message in done:
                return message.result()
            raise being_stopped() if stopped in done else _stalled(stall_s)
        finally:
            for task in (message, stopped):
                task.cancel()


def _stalled(stall_s: float) -> HTTPException:
    return http_problem(
        408,
        "The rest of the request did not come.",
        code="STALLED",
        expected=f"the next bytes within {stall_s:g} s",
        fix="send the request again",
    )


def being_stopped() -> HTTPException:
    """The answer to a request that the service cannot answer any more, as it is being stopped."""
    return http_problem(
        503,
        "The service is being stopped.",
        code="STOPPING",
        fix="send the request again once the service runs",
        headers={"Retry-After": "10"},
    )


def patient_protocol(head_s: float) -> type[asyncio.Protocol]:
    """The protocol of HTTP connections that closes one whose request line and headers do not come.

    Args:
        head_s: longest time in seconds from the first byte of a connection or request to the end of its headers.

    Returns:
        The class, for ``uvicorn.Config(http=…)``.
    """
    base: Any = AutoHTTPProtocol

    class PatientProtocol(base):  # type: ignore[misc]
        _waits_for_head: asyncio.TimerHandle | None = None
        _stops = False

        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            self._expect_head()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._answers():
                self._head_came()
                if self._stops:
                    super().shutdown()  # this answer is the connection's last
            elif self._waits_for_head is None:
                self._expect_head()

        def on_response_complete(self) -> None:
            self._head_came()
            super().on_response_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            self._head_came()
            super().connection_lost(exc)

        def shutdown(self) -> None:
            self._stops = True
            if self._answers():
                super().shutdown()
            else:
                asyncio.get_running_loop().call_later(LAST_REQUEST_S, self._give_up)

        def _answers(self) -> bool:
            return self.cycle is not None and not self.cycle.response_complete

        def _expect_head(self) -> None:
            self._waits_for_head = asyncio.get_running_loop().call_later(head_s, self._give_up)

        def _head_came(self) -> None:
            if self._waits_for_head is not None:
                self._waits_for_head.cancel()
                self._waits_for_head = None

        def _give_up(self) -> None:
            self._waits_for_head = None
            if not self._answers() and not self.transport.is_closing():
                self.transport.close()

    return PatientProtocol


class DrainingServer(uvicorn.Server):
    """A server that, once told to stop, refuses the rest of uploads in progress and answers all other requests.

    uvicorn closes at once what it listens on and every connection without a request. A request that a client has sent
    by then, and that was not yet read, would get no answer.

    Args:
        config: settings of the server.
        stopping: told first.
    """

    def __init__(self, config: uvicorn.Config, stopping: Stopping) -> None:
        super().__init__(config)
        self._stopping = stopping

    async def shutdown(self, sockets: list[Any] | None = None) -> None:
        """Stop: refuse what is still being sent, take in what was sent before, wait for what is being answered."""
        self._stopping.begin()
        await self._take_in_connections(sockets or [sock for server in self.servers for sock in server.sockets])
        await super().shutdown(sockets)

    async def _take_in_connections(self, listeners: Sequence[_WithFileNumber]) -> None:
        waiting = select.poll()
        for listener in listeners:
            waiting.register(listener.fileno(), select.POLLIN)
        loop = asyncio.get_running_loop()
        end = loop.time() + LAST_CONNECTIONS_S
        calm = False
        while not calm and loop.time() < end:
            calm = not waiting.poll(0)
            await asyncio.sleep(0.005)  # what was taken in needs some turns of the loop to become a connection
            calm = calm and not waiting.poll(0)
