"""The pages of the application, mounted under one path."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Request
from nicegui import ui

from visionllm_interaction.server.favicon import FAVICON_SVG
from visionllm_interaction.server.state import context_of
from visionllm_interaction.server.ui.home import build_home
from visionllm_interaction.server.ui.video_page import build_video

TITLE = "VisionLLM Interaction Analysis"
_LOG_OUT = '<form method="post" action="/logout"><button class="plain">Log out</button></form>'


def mount_pages(app: FastAPI, path: str) -> None:
    """Serve the pages below ``path``; the middleware of ``app`` controls access."""

    @ui.page("/", title=TITLE)
    def home(request: Request) -> None:
        _frame(insecure=context_of(request).service.config.insecure)
        build_home(context_of(request))

    @ui.page("/videos/{video_id}", title=TITLE)
    async def video(request: Request, video_id: str, t: float | None = None, end: float | None = None) -> None:
        _frame(insecure=context_of(request).service.config.insecure)
        await build_video(context_of(request), video_id, show=None if t is None else (t, end))

    ui.run_with(
        app,
        mount_path=path,
        title=TITLE,
        favicon=FAVICON_SVG,
        tailwind=False,
        show_welcome_message=False,
        reconnect_timeout=20.0,
    )


def _frame(*, insecure: bool) -> None:
    ui.colors(primary="#1f5f8b", secondary="#5b6b7b", accent="#e07a1f", positive="#2e7d4f", negative="#a4262c")
    ui.add_css((Path(__file__).parent / "style.css").read_text(encoding="utf-8"))
    with ui.element("header").classes("top"):
        ui.link("VisionLLM Interaction Analysis", "/").classes("brand")
        ui.element("span").classes("grow")
        if not insecure:
            ui.html(_LOG_OUT, sanitize=False)
