"""A real HTTP server on 127.0.0.1 that keeps every request it passes on to another one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """All of it, for a search."""
        return f"{self.method} {self.target} {self.headers} {self.body.decode('utf-8', 'replace')}"


@dataclass
class RecordingProxy:
    """Passes requests on to ``upstream``; ``url`` is its own address."""

    url: str
    upstream: str
    requests: list[Request] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: RecordingProxy
    client: httpx.Client

    def log_message(self, *_: object) -> None:
        pass

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = dict(self.headers.items())
        self.proxy.requests.append(Request(self.command, self.path, headers, body))
        sent = {key: value for key, value in headers.items() if key.lower() not in ("host", "connection")}
        reply = self.client.request(self.command, self.proxy.upstream + self.path, headers=sent, content=body)
        self.send_response(reply.status_code)
        self.send_header("Content-Type", reply.headers.get("Content-Type", "application/json"))
        self.send_header("Content-Length", str(len(reply.content)))
        self.end_headers()
        self.wfile.write(reply.content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on


@contextmanager
def recording_proxy(upstream: str) -> Iterator[RecordingProxy]:
    """Start a proxy before ``upstream``; it is stopped after the block."""
    with httpx.Client(timeout=60) as client:
        handler = type("Handler", (_Handler,), {"client": client})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        proxy = RecordingProxy(f"http://127.0.0.1:{server.server_port}", upstream)
        handler.proxy = proxy  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
