"""Login of the web page with an API key, which sets a session cookie. It works without scripts."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from visionllm_interaction.server.auth.api_keys import KeyRing
from visionllm_interaction.server.auth.route_roles import requires
from visionllm_interaction.server.auth.sessions import COOKIE, LIFETIME_S, Sessions
from visionllm_interaction.server.multipart import receive_fields
from visionllm_interaction.server.ui.pages import login_page

HOME = "/ui/"


def login_router(*, keys: KeyRing, sessions: Sessions, secure: bool) -> APIRouter:
    """The routes ``/login`` and ``/logout``; ``secure`` restricts the cookie to HTTPS."""
    router = APIRouter(include_in_schema=False, dependencies=[requires("anyone")])

    @router.get("/login")
    async def form() -> HTMLResponse:
        return _page("")

    @router.post("/login")
    async def log_in(request: Request) -> Response:
        entry = keys.find((await receive_fields(request)).get("key", "").strip())
        if entry is not None:
            request.state.principal = entry.principal()
            request.state.audit_action = "log in"
        if entry is None:
            return _page("This key is not valid.", status=401)
        response = RedirectResponse(HOME, status_code=303)
        response.set_cookie(
            COOKIE, sessions.open(entry.id), max_age=LIFETIME_S, httponly=True, samesite="strict", secure=secure
        )
        return response

    @router.post("/logout")
    def log_out(request: Request) -> Response:
        sessions.end(request.cookies.get(COOKIE, ""))
        response = RedirectResponse("/login", status_code=303)
        response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=secure)
        return response

    return router


def _page(message: str, *, status: int = 200) -> HTMLResponse:
    return HTMLResponse(login_page(message), status_code=status)
