"""A real HTTP server on 127.0.0.1 that misbehaves as told."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Faults:
    """What goes wrong with one file; each entry is used up by one request.

    ``drops``: offsets in the file at which the connection is cut; ``lies``: bytes added to the lengths told;
    ``statuses``: answers instead of the file; ``no_ranges``: Range is ignored; ``tags``: entity tags by request, the
    last one stays; ``wrong_bytes``: how many requests get other content.
    """

    drops: list[int] = field(default_factory=list)
    lies: list[int] = field(default_factory=list)
    statuses: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    no_ranges: bool = False
    no_length: bool = False
    tags: list[str | None] = field(default_factory=lambda: ['"v1"'])
    wrong_bytes: int = 0


@dataclass
class Server:
    """Files by name with their faults; ``requests`` lists (name, Range, If-Range) of every request."""

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, Faults] = field(default_factory=dict)
    requests: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, name: str, content: bytes, **faults: object) -> str:
        self.files[name], self.faults[name] = content, Faults(**faults)  # type: ignore[arg-type]
        return f"{self.url}/{name}"

    def sha256(self, name: str) -> str:
        return hashlib.sha256(self.files[name]).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: Server

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        name = self.path.lstrip("/").split("?")[0]
        with self.state.lock:
            asked, condition = self.headers.get("Range"), self.headers.get("If-Range")
            self.state.requests.append((name, asked, condition))
            if name not in self.state.files:
                self._answer(404, {})
                return
            content, faults = self.state.files[name], self.state.faults[name]
            if faults.statuses:
                self._answer(*faults.statuses.pop(0))
                return
            tag = faults.tags.pop(0) if len(faults.tags) > 1 else faults.tags[0]
            lie = faults.lies.pop(0) if faults.lies else 0
            if faults.wrong_bytes:
                faults.wrong_bytes -= 1
                content = bytes(len(content))
            begin = self._begin(asked, condition, tag, faults)
            drop = next((offset for offset in faults.drops if offset >= begin), None)
            if drop is not None:
                faults.drops.remove(drop)
        self._send(content, begin, asked is not None and not faults.no_ranges, tag, lie, drop, faults.no_length)

    def _begin(self, asked: str | None, condition: str | None, tag: str | None, faults: Faults) -> int:
        if not asked or faults.no_ranges or (condition and condition != tag):
            return 0
        return int(asked.removeprefix("bytes=").split("-")[0])

    def _send(
        self, content: bytes, begin: int, partial: bool, tag: str | None, lie: int, drop: int | None, no_length: bool
    ) -> None:
        total = len(content) + lie
        if partial and begin >= len(content):
            self._answer(416, {"Content-Range": f"bytes */{len(content)}"})
            return
        self.send_response(206 if partial else 200)
        if partial:
            self.send_header("Content-Range", f"bytes {begin}-{total - 1}/{'*' if no_length else total}")
        if tag:
            self.send_header("ETag", tag)
        if no_length:
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(max(total - begin, 0)))
        self.end_headers()
        self.wfile.write(content[begin : drop if drop is not None else min(total, len(content))])
        if drop is not None or lie > 0 or no_length:
            self.wfile.flush()
            self.close_connection = True

    def _answer(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": "0", **headers}.items():
            self.send_header(name, value)
        self.end_headers()


@contextmanager
def faulty_server() -> Iterator[Server]:
    handler = type("Handler", (_Handler,), {})
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    httpd.daemon_threads = True
    state = Server(f"http://127.0.0.1:{httpd.server_address[1]}")
    handler.state = state
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()
