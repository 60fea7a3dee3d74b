"""Traces: a span of each request and of each job, sent to an OpenTelemetry collector if one is set.

A span says what kind of work was done, how long it took and how it ended: the template of the route, never a path with
ids, a query, a name, a question or a key. Spans wait in memory and are sent in batches by a thread of their own; where
the collector is away, or too slow, they are dropped.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from visionllm_interaction import __version__
from visionllm_interaction.errors import UsageError
from visionllm_interaction.server.http.known_methods import method_label
from visionllm_interaction.utils.extras import explain_missing

EXPORT_TIMEOUT_S = 3.0
"""Longest time that a batch may take, tries included."""
STOP_S = 2.0
"""Longest time that the end of the service waits for the last batch."""
COMPLAIN_EVERY_S = 600.0
"""A collector that is away is complained of this often."""
_PATH = "/v1/traces"
_LOGGERS = (
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.sdk._shared_internal",
)


class Traces:
    """Makes spans and sends them.

    Not made global: libraries that make spans of their own, with questions in them, find no collector here.

    Args:
        address: of the collector, OTLP over HTTP; without a path, ``/v1/traces`` is added.
        instance: name of this process among several.

    Raises:
        UsageError: if the extra ``otel`` is not installed.
    """

    def __init__(self, address: str, *, instance: str) -> None:
        # Imported here: only a service with a collector needs the packages.
        try:
            import opentelemetry.exporter.otlp.proto.http.trace_exporter  # noqa: F401
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.trace import NoOpTracer, Tracer
        except ImportError as error:
            raise _missing(error) from error
        self._endpoint = address if urlsplit(address).path not in ("", "/") else address.rstrip("/") + _PATH
        names = {"service.name": "visionllm", "service.version": __version__, "service.instance.id": instance}
        self._resource = Resource.create(names)
        self._tracer: Tracer = NoOpTracer()
        self._provider: Any = None
        self._exporter: Any = None
        self._seldom = _Seldom()

    def start(self) -> None:
        """Begin to send spans."""
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        for name in _LOGGERS:
            logging.getLogger(name).addFilter(self._seldom)
        self._exporter = OTLPSpanExporter(self._endpoint, timeout=EXPORT_TIMEOUT_S)
        self._provider = TracerProvider(resource=self._resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("visionllm_interaction", __version__)

    def stop(self) -> None:
        """Send what is left, for :data:`STOP_S` at most."""
        from opentelemetry.trace import NoOpTracer

        self._tracer = NoOpTracer()
        sending = threading.Thread(target=self._provider.shutdown, name="last-spans", daemon=True)
        sending.start()
        sending.join(STOP_S)
        if sending.is_alive():
            self._exporter.shutdown()  # gives up what it is at, and says so: the filter stays

    def request(
        self, headers: Mapping[str, str], *, method: str, route: str, status: int, request_id: str, begin_ns: int
    ) -> None:
        """Make the span of a request that was answered.

        Args:
            headers: of the request; ``traceparent`` names the span of the client.
            method: of the request.
            route: template of the route.
            status: HTTP status of the answer.
            request_id: id of the request, which the log has as well.
            begin_ns: when it came, in nanoseconds since 1970.
        """
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        known = method_label(method, other="_OTHER")
        client = {name: headers[name] for name in ("traceparent", "tracestate") if name in headers}
        attributes = {
            "http.request.method": known,
            "http.route": route,
            "http.response.status_code": status,
            "visionllm.request_id": request_id,
        }
        self._span(
            f"{known} {route}",
            attributes,
            kind=SpanKind.SERVER,
            context=TraceContextTextMapPropagator().extract(client),
            begin_ns=begin_ns,
            failed=status >= 500,
        )

    def job(self, kind: str, ended: str, *, begin_ns: int) -> None:
        """Make the span of a job that has ended now.

        Args:
            kind: of the job.
            ended: how.
            begin_ns: when its work began, in nanoseconds since 1970.
        """
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind

        attributes = {"visionllm.job.kind": kind, "visionllm.job.ended": ended}
        self._span(
            f"job {kind}",
            attributes,
            kind=SpanKind.INTERNAL,
            context=Context(),
            begin_ns=begin_ns,
            failed=ended == "failed",
        )

    def _span(
        self, name: str, attributes: Mapping[str, Any], *, kind: Any, context: Any, begin_ns: int, failed: bool
    ) -> None:
        from opentelemetry.trace import StatusCode

        span = self._tracer.start_span(name, context, kind=kind, attributes=attributes, start_time=begin_ns)
        if failed:
            span.set_status(StatusCode.ERROR)
        span.end()


class _Seldom(logging.Filter):
    """Lets one message through in :data:`COMPLAIN_EVERY_S`."""

    def __init__(self) -> None:
        super().__init__()
        self._next_s = 0.0

    def filter(self, _record: logging.LogRecord) -> bool:
        """Whether it is time for a message."""
        now = time.monotonic()
        if now < self._next_s:
            return False
        self._next_s = now + COMPLAIN_EVERY_S
        return True


def _missing(error: ImportError) -> UsageError:
    known = explain_missing("opentelemetry", command="serve", extra="otel")
    return known or UsageError(
        "A package that serve.traces needs is not installed.",
        expected="the extra otel",
        found=f"no module {error.name}",
        where="visionllm serve",
        fix="pip install 'visionllm-interaction[otel]', or leave serve.traces out",
    )
