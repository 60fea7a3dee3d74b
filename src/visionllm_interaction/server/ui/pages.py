"""The pages: static files that call ``/v1`` themselves. Nothing is rendered here, and nothing loads from elsewhere."""

from __future__ import annotations

from html import escape
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.staticfiles import StaticFiles

from visionllm_interaction.server.auth.route_roles import requires
from visionllm_interaction.server.state import context_of

ROOT = "/ui/"
STATIC = "/ui/static/"
_FOLDER = Path(__file__).parent / "static"


def add_pages(app: FastAPI) -> None:
    """Serve the pages below ``/ui/``; the middleware of ``app`` controls access."""
    router = APIRouter(include_in_schema=False, dependencies=[requires("viewer")])
    modules = _preloaded_modules()

    @router.get("/")
    async def home() -> RedirectResponse:
        return RedirectResponse(ROOT)

    @router.get("/ui/")
    @router.get("/ui/measures")
    @router.get("/ui/review")
    @router.get("/ui/training")
    @router.get("/ui/training/{run}")
    @router.get("/ui/videos/{video_id}")
    async def page(request: Request) -> HTMLResponse:
        keys = "false" if context_of(request).service.config.insecure else "true"
        return HTMLResponse(_read("index.html").replace("KEYS", keys).replace("MODULES", modules))

    app.include_router(router)


def add_static_files(app: FastAPI) -> None:
    """Serve scripts and styles, which hold no data and which the login page needs."""
    app.mount(STATIC.rstrip("/"), StaticFiles(directory=_FOLDER), name="static")


def login_page(message: str) -> str:
    """The HTML of the login page with a message; empty: none."""
    return _read("login.html").replace("MESSAGE", escape(message))


def _preloaded_modules() -> str:
    """A link for each script, so that the browser fetches all at once, and not one import after the other."""
    scripts = sorted(path.relative_to(_FOLDER).as_posix() for path in _FOLDER.rglob("*.js") if path.name != "theme.js")
    return "\n".join(f'<link rel="modulepreload" href="{STATIC}{name}">' for name in scripts)


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
