"""The first page: upload, the list of videos, the ask box."""

from __future__ import annotations

import asyncio

from nicegui import ui

from visionllm_interaction.reasoning.models import EvidenceItem
from visionllm_interaction.server.schemas import Video
from visionllm_interaction.server.service import Service
from visionllm_interaction.server.state import Context
from visionllm_interaction.server.ui.ask_box import AskBox
from visionllm_interaction.server.ui.components import Uploader

REFRESH_S = 2.0


def build_home(context: Context) -> None:
    """Fill the first page."""
    service = context.service
    with ui.element("main").classes("page"):
        with ui.element("section").classes("panel"):
            ui.html("<h2>Videos</h2>", sanitize=False)
            notice = ui.label().classes("notice").props('role="alert"')
            uploader = Uploader()
            table = ui.element("div").classes("videos")
        AskBox(context, open_evidence).build()
    shown: list[list[Video]] = []

    async def refresh() -> None:
        notice.set_text(detector_notice(service))
        notice.set_visibility(bool(notice.text))
        found = await asyncio.to_thread(_videos, service)
        if shown != [found]:
            shown[:] = [found]
            table.clear()
            with table:
                _rows(found)

    uploader.on("uploaded", refresh)
    ui.timer(REFRESH_S, refresh, immediate=True)


def detector_notice(service: Service) -> str:
    """What a visitor should know of the detector before uploading; empty if all is well."""
    if service.detector.state == "loading":
        return "The detector is still loading."
    if service.detector.state == "failed":
        return f"Videos cannot be analysed: {service.detector.reason}"
    return ""


def open_evidence(item: EvidenceItem) -> None:
    """Go to the page of the evidence's video, at its time. (Addresses of pages are relative to their mount.)"""
    times = f"?t={item.begin_s}&end={item.end_s}" if item.begin_s is not None and item.end_s is not None else ""
    ui.navigate.to(f"/videos/{item.video_id}{times}")


def _videos(service: Service) -> list[Video]:
    return [Video.of(state) for state in service.videos()]


def _rows(videos: list[Video]) -> None:
    if not videos:
        ui.label("No videos yet. Drop one above.").classes("note")
    for video in videos:
        with ui.link(target=f"/videos/{video.video_id}").classes("video-row"):
            ui.label(video.name or video.video_id).classes("video-name")
            ui.label(_facts(video)).classes("note grow")
            state, kind = state_of(video)
            ui.label(state).classes(f"state {kind}")


def _facts(video: Video) -> str:
    size = f"{video.width} × {video.height}" if video.width else ""
    length = f"{video.duration_s:.1f} s" if video.duration_s else ""
    view = {"room": "room camera", "ego": "head camera"}.get(video.view or "", "")
    return " · ".join(part for part in (length, size, view) if part)


def state_of(video: Video) -> tuple[str, str]:
    """A video's state in words, and its kind: good, bad or busy."""
    if video.job is not None and video.job.status == "failed":
        return "failed", "bad"
    if video.analysed:
        return "analysed", "good"
    return (video.job.status if video.job else "not analysed"), "busy"
