"""Putting the pages under one path of the application."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Request
from nicegui import ui

from visionllm_interaction.serve.context import current
from visionllm_interaction.serve.pages.home import build_home
from visionllm_interaction.serve.pages.video import build_video

TITLE = "VisionLLM Interaction Analysis"
_LOG_OUT = '<form method="post" action="/logout"><button class="plain">Log out</button></form>'
_FAVICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#1f5f8b"/>'
    '<path d="M7 11V7h4M21 7h4v4M25 21v4h-4M11 25H7v-4" fill="none" stroke="#fff" stroke-width="2.4"/>'
    '<circle cx="16" cy="16" r="4" fill="#ffd166"/></svg>'
)


def mount_pages(app: FastAPI, path: str) -> None:
    """Serve the pages below ``path``; the guard in front of ``app`` decides who sees them."""

    @ui.page("/", title=TITLE)
    def home(request: Request) -> None:
        _frame(insecure=current(request).service.config.insecure)
        build_home(current(request))

    @ui.page("/videos/{video_id}", title=TITLE)
    async def video(request: Request, video_id: str, t: float | None = None, end: float | None = None) -> None:
        _frame(insecure=current(request).service.config.insecure)
        await build_video(current(request), video_id, show=None if t is None else (t, end))

    ui.run_with(
        app,
        mount_path=path,
        title=TITLE,
        favicon=_FAVICON,
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
            ui.html(
                '<form method="post" action="/logout"><button class="plain">Log out</button></form>', sanitize=False
            )
