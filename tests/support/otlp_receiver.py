"""A collector of OpenTelemetry traces: OTLP over HTTP, as protobuf."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Collector:
    """What has arrived.

    Attributes:
        address: of the collector, without a path.
        paths: of the requests.
        raw: their bodies.
        spans: all spans in them.
        resource: attributes of the process that sent the last ones.
    """

    def __init__(self) -> None:
        self.address = ""
        self.paths: list[str] = []
        self.raw: list[bytes] = []
        self.spans: list[Any] = []
        self.resource: dict[str, Any] = {}

    def take(self, path: str, body: bytes) -> None:
        self.paths.append(path)
        self.raw.append(body)
        for part in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resource = attributes_of(part.resource)
            self.spans += [span for scope in part.scope_spans for span in scope.spans]

    def named(self, name: str) -> list[Any]:
        return [span for span in self.spans if span.name == name]


def attributes_of(record: Any) -> dict[str, Any]:
    """Attributes of a span or a resource."""
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in record.attributes}


@contextmanager
def collector() -> Iterator[Collector]:
    """A collector that runs."""
    received = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.take(self.path, self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    received.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
