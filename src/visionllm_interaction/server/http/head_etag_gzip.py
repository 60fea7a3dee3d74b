"""Answers as HTTP asks for them: HEAD, ETag and 304, gzip, and errors as problem details.

Answers of text (JSON, scripts, styles, CSV) are small and in memory already; they are collected, get an ETag, and are
compressed. Files of video pass through chunk by chunk with the ETag of their file.
"""

from __future__ import annotations

import gzip
import hashlib
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from visionllm_interaction.server.problem_details import MEDIA_TYPE, build_problem, problem_bytes

MIN_COMPRESSED_BYTES = 1000
"""Shorter answers become no smaller."""
IN_THREAD_BYTES = 100_000
"""Longer answers are compressed beside the event loop, which answers others meanwhile."""
_GZIP_LEVEL = 5
_TEXT = ("application/json", MEDIA_TYPE, "application/javascript", "image/svg+xml", "text/")
_STREAM = "text/event-stream"
_KEPT_IN_304 = ("cache-control", "content-location", "etag", "expires", "last-modified", "vary", "x-request-id")


class _Sent(Exception):
    """The answer is complete, whatever its route would still send."""


class ContentMiddleware:
    """The ASGI layer that gives every answer of ``app`` its ETag, its compression and the form of its errors."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and finish its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(scope, send)
        asked = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        try:
            await self._app(asked, receive, answer.send)
        except _Sent:
            pass
        finally:
            if "route" in asked:
                scope["route"] = asked["route"]  # for the metrics, which are counted by route


class _Answer:
    """One answer on its way out."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._asked = Headers(scope=scope)
        self._is_head = scope["method"] == "HEAD"
        self._start: Message = {}
        self._collected: bytearray | None = None

    async def send(self, message: Message) -> None:
        """Send the next message of the route, or keep it until the answer is whole."""
        if message["type"] == "http.response.start":
            await self._begin(message)
        elif self._collected is not None:
            self._collected += message.get("body", b"")
            if not message.get("more_body", False):
                await self._finish(bytes(self._collected))
        else:
            await self._send(message)

    async def _begin(self, message: Message) -> None:
        self._start = message
        headers = MutableHeaders(raw=message.setdefault("headers", []))
        kind = headers.get("content-type", "")
        if kind.startswith(_TEXT) and not kind.startswith(_STREAM) and message["status"] not in (204, 206, 304):
            self._collected = bytearray()
        elif message["status"] == 200 and self._is_known(headers.get("etag")):
            await self._not_modified(headers)
        else:
            await self._send(message)
            if self._is_head:
                await self._end(b"")

    async def _finish(self, body: bytes) -> None:
        status = self._start["status"]
        headers = MutableHeaders(raw=self._start["headers"])
        if status >= 400 and headers.get("content-type", "").startswith("text/plain"):
            body = self._as_problem(status, body, headers)
        if status == 200 and self._scope["method"] in ("GET", "HEAD"):
            headers.setdefault("etag", f'W/"{hashlib.blake2b(body, digest_size=16).hexdigest()}"')
            if self._is_known(headers["etag"]):
                await self._not_modified(headers)
        if len(body) >= MIN_COMPRESSED_BYTES:
            body = await self._compressed(body, headers)
        headers["content-length"] = str(len(body))
        await self._send(self._start)
        await self._end(body)

    async def _compressed(self, body: bytes, headers: MutableHeaders) -> bytes:
        headers.add_vary_header("Accept-Encoding")
        if not _accepts_gzip(self._asked.get("accept-encoding", "")):
            return body
        headers["content-encoding"] = "gzip"
        if len(body) < IN_THREAD_BYTES:
            return gzip.compress(body, _GZIP_LEVEL)
        return await run_in_threadpool(gzip.compress, body, _GZIP_LEVEL)

    def _as_problem(self, status: int, body: bytes, headers: MutableHeaders) -> bytes:
        """Errors that a library answered in plain words, such as those of ranges of a file."""
        detail = body.decode("utf-8", "replace") or "The request cannot be answered."
        members = {"code": "RANGE" if "range" in self._asked else "HTTP", "detail": detail}
        request_id = self._scope.get("state", {}).get("request_id")
        headers["content-type"] = MEDIA_TYPE
        return problem_bytes(build_problem(status, path=self._scope["path"], request_id=request_id, members=members))

    def _is_known(self, etag: str | None) -> bool:
        """Whether the client has the answer with this ETag already; compared weakly, as RFC 9110 asks."""
        known = self._asked.get("if-none-match")
        if known is None or etag is None or self._scope["method"] not in ("GET", "HEAD"):
            return False
        tags = [tag.strip().removeprefix("W/") for tag in known.split(",")]
        return "*" in tags or etag.removeprefix("W/") in tags

    async def _not_modified(self, headers: Headers) -> None:
        kept = [(name.encode(), value.encode("latin-1")) for name, value in headers.items() if name in _KEPT_IN_304]
        await self._send({"type": "http.response.start", "status": 304, "headers": kept})
        await self._end(b"")

    async def _end(self, body: bytes) -> Any:
        await self._send({"type": "http.response.body", "body": b"" if self._is_head else body})
        raise _Sent


def _accepts_gzip(accepted: str) -> bool:
    """Whether ``Accept-Encoding`` names gzip with a weight above 0."""
    for part in accepted.lower().split(","):
        name, _, weight = part.partition(";")
        if name.strip() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
