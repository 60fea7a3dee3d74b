"""Login of the web page with an API key, which sets a session cookie. Plain HTML, since no script loads before it."""

from __future__ import annotations

from html import escape

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from visionllm_interaction.server.auth.api_keys import KeyRing
from visionllm_interaction.server.auth.sessions import COOKIE, LIFETIME_S, Sessions
from visionllm_interaction.server.favicon import FAVICON_URL
from visionllm_interaction.server.multipart import receive_fields

HOME = "/ui/"
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>VisionLLM: log in</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="{icon}"><style>
body{{font:16px/1.5 system-ui,sans-serif;background:#f4f6f8;color:#1c2733;display:grid;place-items:center;
min-height:100vh;margin:0}}
form{{background:#fff;padding:2rem 2.25rem;border-radius:14px;box-shadow:0 8px 30px #1c273318;width:20rem}}
h1{{font-size:1.15rem;margin:0 0 .25rem}} p{{margin:.25rem 0 1rem;color:#5b6b7b;font-size:.9rem}}
input{{width:100%;box-sizing:border-box;padding:.6rem .7rem;border:1px solid #c6d0da;border-radius:8px;font:inherit}}
button{{margin-top:1rem;width:100%;padding:.6rem;border:0;border-radius:8px;background:#1f5f8b;color:#fff;font:inherit;
cursor:pointer}} .wrong{{color:#a4262c}}</style></head><body><form method="post" action="/login">
<h1>VisionLLM Interaction Analysis</h1><p>Enter an API key of this service.</p>
<input type="password" name="key" aria-label="API key" autocomplete="current-password" autofocus required>
<p class="wrong" role="alert">{message}</p><button>Log in</button></form></body></html>"""


def login_router(*, keys: KeyRing, sessions: Sessions, secure: bool) -> APIRouter:
    """The routes ``/login`` and ``/logout``; ``secure`` restricts the cookie to HTTPS."""
    router = APIRouter(include_in_schema=False)

    @router.get("/login")
    async def form() -> HTMLResponse:
        return _page("")

    @router.post("/login")
    async def log_in(request: Request) -> Response:
        entry = keys.find((await receive_fields(request)).get("key", "").strip())
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
    return HTMLResponse(_PAGE.format(icon=FAVICON_URL, message=escape(message)), status_code=status)
