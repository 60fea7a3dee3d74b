"""Middleware in front of every request: request ids, access control, security headers and request metrics.

* A key (``Authorization: Bearer`` or ``X-API-Key``) or the signed cookie of the page says who asks; the route says
  which role that needs (:mod:`~visionllm_interaction.server.auth.route_roles`).
* What the audit log keeps is written before the answer begins.
* Without keys (``--insecure``) only requests to the loopback address are answered. A web page whose host name points to
  127.0.0.1 (DNS rebinding) therefore reads nothing.
* Requests from other sites that could change data are refused, with or without a cookie. There are no websockets.
* Answers are not kept by browsers or proxies (``no-store``), except scripts and styles of the page.
"""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from fastapi import HTTPException
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from visionllm_interaction.server.auth.api_keys import KeyRing
from visionllm_interaction.server.auth.login import OIDC_PATHS
from visionllm_interaction.server.auth.roles import LOCAL, Principal
from visionllm_interaction.server.auth.sessions import COOKIE, Sessions
from visionllm_interaction.server.http.client_timeouts import being_stopped
from visionllm_interaction.server.http.known_methods import method_label
from visionllm_interaction.server.problem_details import build_problem, problem_response
from visionllm_interaction.server.state import ServiceContext
from visionllm_interaction.utils.logs import REQUEST_ID

OPEN_PATHS = frozenset({"/v1/healthz", "/v1/readyz", "/login"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
_REQUEST_ID = re.compile(r"^[A-Za-z0-9._-]{1,64}$")

# Only files of this service run or load, and nothing inline: markup in a name or an answer is text, and stays it.
SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; "
        "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
}


CLIENT_GONE = 499
"""Status in the metrics of a request whose client hung up before it was answered."""
_CLOSE: Message = {"type": "websocket.close", "code": 1008}
MONITORING = Principal(key_id="-", name="monitoring", role="viewer", projects=frozenset())
"""Whoever reads the metrics of a service that shows them without a key."""
_ASSETS = "/ui/static/"
"""Scripts and styles of the page, which hold no data: the only answers that a browser may keep, once it has asked
whether they have changed. They need no key: the page on which a key is entered uses them."""


def is_loopback(host: str) -> bool:
    """Whether a host name or address is a loopback address of this machine."""
    return host in OWN_NAMES or host.startswith("127.")


class AccessMiddleware:
    """The outermost ASGI layer: it passes requests on, refuses them, and counts them."""

    def __init__(self, app: ASGIApp, *, context: ServiceContext, keys: KeyRing, sessions: Sessions) -> None:
        self._app = app
        self._context = context
        self._config = context.service.config
        self._metrics = context.metrics
        self._open_paths = OPEN_PATHS.union(OIDC_PATHS if self._config.oidc.issuer else ())
        self._keys = keys
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one request, pass it on or refuse it, and count it."""
        if scope["type"] == "websocket":  # there are none
            await receive()
            await send(_CLOSE)
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        state: dict[str, Any] = scope.setdefault("state", {})
        state["request_id"] = _request_id(headers)
        REQUEST_ID.set(state["request_id"])  # not reset: the server logs what it catches in the same task
        state["context"] = self._context
        state["principal"] = self._principal(scope["path"], headers)
        state["principal_now"] = partial(self._principal, scope["path"], headers)
        await self._http(scope, receive, send, self._refusal(scope, headers))

    async def _http(self, scope: Scope, receive: Receive, send: Send, refused: Response | None) -> None:
        begin, begin_ns = time.perf_counter(), time.time_ns()
        patient = partial(self._context.stopping.receive, receive, stall_s=self._config.limits.stall_s)
        relay = _MessageRelay(scope, receive, patient, send, audit=partial(self._audit, scope))
        try:
            await (refused or self._app)(scope, relay.receive, relay.send)
        except ClientDisconnect:
            relay.status = CLIENT_GONE  # nobody is left to answer, and nothing is wrong here
        except asyncio.CancelledError:
            if not self._context.stopping.has_begun or relay.has_begun:
                raise
            # serve.limits.drain_s is over: without this the server would answer 500, as if something were wrong
            await _from_exception(scope, being_stopped())(scope, receive, relay.send)
        finally:
            route = _route_label(scope)
            method = method_label(scope["method"])
            self._metrics.requests.labels(method, route, relay.status).inc()
            self._metrics.latency.labels(method, route).observe(time.perf_counter() - begin)
            self._trace(scope, route, relay.status, begin_ns=begin_ns)

    def _trace(self, scope: Scope, route: str, status: int, *, begin_ns: int) -> None:
        traces = self._context.service.traces
        if traces is not None:
            traces.request(
                Headers(scope=scope),
                method=scope["method"],
                route=route,
                status=status,
                request_id=scope["state"]["request_id"],
                begin_ns=begin_ns,
            )

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        if self._config.insecure and not is_loopback(_host_name(headers.get("host", ""))):
            return _problem(scope, 421, "HOST", "Without keys the service answers only to this machine's own names.")
        if _may_change(scope) and _is_foreign(headers):
            return _problem(scope, 403, "CROSS-SITE", "The request comes from a page of another site.")
        if self._is_open(scope["path"]) or scope["state"]["principal"] is not None:
            return None
        if scope["method"] in ("GET", "HEAD") and "text/html" in headers.get("accept", ""):
            return RedirectResponse("/login", status_code=303)
        return _problem(
            scope,
            401,
            "UNAUTHORIZED",
            "A valid API key is needed.",
            fix="send the header Authorization: Bearer KEY; make a key with `visionllm keys create NAME --role ROLE`",
        )

    def _is_open(self, path: str) -> bool:
        return (
            path in self._open_paths or path.startswith(_ASSETS) or (self._config.public_metrics and path == "/metrics")
        )

    def _principal(self, path: str, headers: Headers) -> Principal | None:
        """Who asks; None for nobody who is known."""
        if self._config.insecure:
            return LOCAL
        scheme, _, token = headers.get("authorization", "").partition(" ")
        presented = token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        if presented:
            entry = self._keys.find(presented)
            principal = entry.principal() if entry else None
        else:
            cookie = cookie_parser(headers.get("cookie", "")).get(COOKIE)
            principal = self._sessions.principal_of(cookie) if cookie is not None else None
        if principal is not None:
            return principal
        return MONITORING if self._config.public_metrics and path == "/metrics" else None

    async def _audit(self, scope: Scope, status: int) -> None:
        """Write down what a request did, if it succeeded and its route says that it is to be kept."""
        state = scope["state"]
        if status < 400 and state.get("audit_action") and state.get("principal"):
            await run_in_threadpool(self._write_down, scope)

    def _write_down(self, scope: Scope) -> None:
        state, service = scope["state"], self._context.service
        subject, project = state.get("audited", (None, None))
        if state.get("audit_video"):
            subject, project = service.audited(state["audit_video"])
        route = f"{scope['method']} {_route_label(scope)}"
        service.audit.record(
            state["audit_action"], who=state["principal"], route=route, subject=subject, project=project
        )


class _MessageRelay:
    """The messages of one request and its response, with security headers and the status."""

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        patient: Receive,
        send: Send,
        *,
        audit: Callable[[int], Awaitable[None]],
    ) -> None:
        headers = Headers(scope=scope)
        self._patient = patient
        self._audit = audit
        self.status = 500
        self.has_begun = False
        self._request_id: str = scope["state"]["request_id"]
        self._is_asset = scope["path"].startswith(_ASSETS)
        self._receive, self._send = receive, send
        self._unread = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"

    async def receive(self) -> Message:
        """Receive the next message of the request."""
        message = await (self._patient if self._unread else self._receive)()
        self._unread = self._unread and bool(message.get("more_body", False))
        return message

    async def send(self, message: Message) -> None:
        """Send the next message of the response."""
        if message["type"] == "http.response.start":
            self.status, self.has_begun = message["status"], True
            await self._audit(self.status)
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            headers["x-request-id"] = self._request_id
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
            headers["cache-control"] = "no-cache" if self._is_asset else "private, no-store"
            if self._unread:
                # Otherwise the server would read the body of a refused request until the client stops sending.
                headers["connection"] = "close"
        await self._send(message)


def _request_id(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.match(given) else uuid.uuid4().hex


def _may_change(scope: Scope) -> bool:
    return scope["method"] not in SAFE_METHODS


def _is_foreign(headers: Headers) -> bool:
    site = headers.get("sec-fetch-site")
    if site is not None:  # set by the browser; Origin may be "null", for example for a form without referrer
        return site not in ("none", "same-origin")
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host", "")


def _host_name(host: str) -> str:
    return urlsplit(f"//{host}").hostname or ""


def _route_label(scope: Scope) -> str:
    """The template of the route, not its path: ids must not become labels of metrics."""
    if scope["path"].startswith("/ui"):
        return "/ui"
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else "other"


def _from_exception(scope: Scope, error: HTTPException) -> Response:
    """The answer to an exception of :func:`.problem_details.http_problem`."""
    members: dict[str, Any] = dict(error.detail)  # type: ignore[arg-type]
    problem = build_problem(
        error.status_code, path=scope["path"], request_id=scope["state"]["request_id"], members=members
    )
    return problem_response(problem, error.headers)


def _problem(scope: Scope, status: int, code: str, detail: str, **more: str) -> Response:
    request_id = scope["state"]["request_id"]
    members = {"code": code, "detail": detail, **more}
    problem = build_problem(status, path=scope["path"], request_id=request_id, members=members)
    return problem_response(problem, {"WWW-Authenticate": "Bearer"} if status == 401 else None)
