"""A local OpenAI-compatible endpoint whose replies a test writes."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Script = Callable[[dict[str, Any]], str]


@dataclass
class Scripted:
    """A running endpoint; ``requests`` are the bodies it was sent, ``first`` are status codes sent before replies."""

    script: Script
    url: str = ""
    first: list[int] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)

    def reply(self, body: dict[str, Any]) -> tuple[int, bytes]:
        self.requests.append(body)
        if self.first:
            return self.first.pop(0), b'{"error": {"message": "not now"}}'
        completion = {
            "id": "c",
            "object": "chat.completion",
            "created": 0,
            "model": "scripted",
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": self.script(body)},
                }
            ],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
        }
        return 200, json.dumps(completion).encode()


@contextmanager
def scripted(script: Script, *, first: tuple[int, ...] = ()) -> Iterator[Scripted]:
    """Serve ``script`` on a free local port."""
    endpoint = Scripted(script, first=list(first))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            status, body = endpoint.reply(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()


def last_text(body: dict[str, Any]) -> str:
    """The text of the last message of a request."""
    content = body["messages"][-1]["content"]
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


@contextmanager
def only_connections_to(allowed_port: int, seen: list[tuple[Any, ...]]) -> Iterator[None]:
    """Record every connection this process opens, and refuse those to anywhere else."""
    connect = socket.socket.connect

    def watched(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple):
            seen.append(address)
            if address[1] != allowed_port:
                raise OSError(f"a connection to {address} was tried")
        connect(self, address)

    socket.socket.connect = watched  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        socket.socket.connect = connect  # type: ignore[method-assign]
