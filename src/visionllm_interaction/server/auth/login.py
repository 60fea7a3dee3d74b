"""Login of the page, which sets a session cookie: with an API key, or at an identity provider. No script is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from visionllm_interaction.errors import ServiceError
from visionllm_interaction.server.auth.api_keys import KeyRing
from visionllm_interaction.server.auth.oidc_config import OidcConfig
from visionllm_interaction.server.auth.route_roles import requires
from visionllm_interaction.server.auth.sessions import ATTEMPT_S, COOKIE, LIFETIME_S, Sessions
from visionllm_interaction.server.multipart import receive_fields
from visionllm_interaction.server.ui.pages import logged_in_page, logged_out_page, login_page
from visionllm_interaction.utils.extras import require_modules

if TYPE_CHECKING:
    from visionllm_interaction.server.auth.oidc import OidcClient

HOME = "/ui/"
BEGIN, CALLBACK, END = OIDC_PATHS = ("/login/oidc", "/login/oidc/callback", "/login/oidc/end")
"""Where a log-in at the identity provider begins, where the provider sends the browser back to, where it ends."""
RETRY_S = "5"
"""When to ask again once the provider has not answered."""
_ATTEMPT_COOKIE = "visionllm_login"


def login_router(*, keys: KeyRing, sessions: Sessions, secure: bool, oidc: OidcConfig = OidcConfig()) -> APIRouter:
    """The routes of logging in and out.

    Args:
        keys: the keys of the service.
        sessions: opens and ends sessions.
        secure: whether cookies are restricted to HTTPS.
        oidc: the identity provider; without an issuer its routes are not there.

    Returns:
        The routes.

    Raises:
        UsageError: if a provider is set and its packages are not installed.
    """
    router = APIRouter(include_in_schema=False, dependencies=[requires("anyone")])
    has_provider = oidc.issuer is not None

    @router.get("/login")
    async def form() -> HTMLResponse:
        return HTMLResponse(login_page("", provider=has_provider))

    @router.post("/login")
    async def log_in(request: Request) -> Response:
        entry = keys.find((await receive_fields(request)).get("key", "").strip())
        if entry is None:
            return HTMLResponse(login_page("This key is not valid.", provider=has_provider), status_code=401)
        request.state.principal = entry.principal()
        request.state.audit_action = "log in"
        response = RedirectResponse(HOME, status_code=303)
        _open_session(response, sessions.open(entry.id), secure=secure)
        return response

    @router.post("/logout")
    def log_out(request: Request) -> Response:
        cookie = request.cookies.get(COOKIE, "")
        sessions.end(cookie)
        page = logged_out_page() if has_provider and sessions.is_of_person(cookie) else None
        response = HTMLResponse(page) if page else RedirectResponse("/login", status_code=303)
        response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=secure)
        return response

    if has_provider:
        _add_provider(router, _client_of(oidc), sessions, secure=secure)
    return router


def _client_of(oidc: OidcConfig) -> OidcClient:
    require_modules(["joserfc", "httpx"], extra="oidc", command="serve")
    # Imported here: the packages are needed only where a provider is set.
    from visionllm_interaction.server.auth.oidc import OidcClient

    return OidcClient(oidc)


def _add_provider(router: APIRouter, client: OidcClient, sessions: Sessions, *, secure: bool) -> None:
    from visionllm_interaction.server.auth.oidc import Attempt, OidcRefusal

    def refused(message: str, status: int) -> HTMLResponse:
        headers = {"Retry-After": RETRY_S} if status == 503 else None
        response = HTMLResponse(login_page(message, provider=True), status_code=status, headers=headers)
        response.delete_cookie(_ATTEMPT_COOKIE, path=BEGIN, httponly=True, samesite="lax", secure=secure)
        return response

    @router.get(BEGIN)
    def begin() -> Response:
        attempt = Attempt.begin()
        try:
            response = RedirectResponse(client.authorization_url(attempt), status_code=303)
        except ServiceError as error:
            return refused(error.message, 503)
        response.set_cookie(
            _ATTEMPT_COOKIE,
            sessions.keep_attempt(attempt),
            max_age=ATTEMPT_S,
            path=BEGIN,
            httponly=True,
            samesite="lax",  # the provider's redirect comes from another site
            secure=secure,
        )
        return response

    @router.get(CALLBACK)
    def callback(request: Request) -> Response:
        attempt = sessions.attempt(request.cookies.get(_ATTEMPT_COOKIE, ""), Attempt)
        if attempt is None:
            return refused("This log-in was begun elsewhere, or too long ago.", 403)
        try:
            person = client.person(attempt, dict(request.query_params))
        except OidcRefusal as error:
            return refused(str(error), 403)
        except ServiceError as error:
            return refused(error.message, 503)
        cookie = sessions.open_for(person)
        request.state.principal, request.state.audit_action = sessions.principal_of(cookie), "log in"
        # Not a redirect: a strict cookie goes with no request of a chain that another site began.
        response = HTMLResponse(logged_in_page())
        response.delete_cookie(_ATTEMPT_COOKIE, path=BEGIN, httponly=True, samesite="lax", secure=secure)
        _open_session(response, cookie, secure=secure)
        return response

    @router.get(END)
    def end() -> Response:
        try:
            place = client.end_session_url()
        except ServiceError as error:
            return refused(error.message, 503)
        return RedirectResponse(place or "/login", status_code=303)


def _open_session(response: Response, cookie: str, *, secure: bool) -> None:
    response.set_cookie(COOKIE, cookie, max_age=LIFETIME_S, httponly=True, samesite="strict", secure=secure)
