"""The pages: static files that call ``/v1`` themselves. Nothing is rendered here, and nothing loads from elsewhere."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.staticfiles import StaticFiles

from visionllm_interaction.server.auth.route_roles import add_routes, requires
from visionllm_interaction.server.state import context_of

ROOT = "/ui/"
STATIC = "/ui/static/"
SCRIPTS = {
    "/ui/": "home/home.js",
    "/ui/measures": "measures/measures.js",
    "/ui/review": "review/review.js",
    "/ui/training": "training/run_list.js",
    "/ui/training/{run}": "training/run_report.js",
    "/ui/videos/{video_id}": "video/video.js",
}
"""Address → the script of the page."""
_FOLDER = (Path(__file__).parent / "static").resolve()
_IMPORT = re.compile(r'^import .* from "(\./[^"]+|\.\./[^"]+)";', re.MULTILINE)


def add_pages(app: FastAPI) -> None:
    """Serve the pages below ``/ui/``; the middleware of ``app`` controls access."""
    router = APIRouter(include_in_schema=False, dependencies=[requires("viewer")])
    modules = {page: _preload_links(page) for page in SCRIPTS}

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
        links = modules[request.scope["route"].path]
        return HTMLResponse(_read("index.html").replace("KEYS", keys).replace("MODULES", links))

    add_routes(app, router)


def add_static_files(app: FastAPI) -> None:
    """Serve scripts and styles, which hold no data and which the login page needs."""
    app.mount(STATIC.rstrip("/"), StaticFiles(directory=_FOLDER), name="static")


def login_page(message: str, *, provider: bool = False) -> str:
    """The HTML of the login page.

    Args:
        message: what went wrong; empty: nothing.
        provider: whether one can also log in at the identity provider.

    Returns:
        The page.
    """
    link = _read("login_provider.html") if provider else ""
    form = _read("login.html").replace("MESSAGE", escape(message)).replace("PROVIDER", link)
    return _around("log in", form)


def logged_in_page() -> str:
    """The HTML that is shown for a moment after a login elsewhere: it goes on to the first page by itself."""
    return _around("logged in", _read("logged_in.html"), head='<meta http-equiv="refresh" content="0; url=/ui/">\n')


def logged_out_page() -> str:
    """The HTML that tells whoever logged out here that the identity provider still knows them."""
    return _around("logged out", _read("logged_out.html"))


def _around(title: str, content: str, *, head: str = "") -> str:
    """The page around the content of whoever is not logged in."""
    page = _read("around_login.html").replace("TITLE", title).replace("HEAD", head)
    return page.replace("CONTENT", content)


def _preload_links(page: str) -> str:
    """A link for each script of a page, so that the browser fetches all at once, and not one import after the other."""
    found: list[Path] = []
    waiting = [_FOLDER / "app.js", _FOLDER / SCRIPTS[page]]
    while waiting:
        script = waiting.pop(0)
        if script not in found:
            found.append(script)
            names = _IMPORT.findall(script.read_text(encoding="utf-8"))
            waiting += [(script.parent / name).resolve() for name in names]
    names = [path.relative_to(_FOLDER).as_posix() for path in found]
    return "\n".join(f'<link rel="modulepreload" href="{STATIC}{name}">' for name in names)


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
