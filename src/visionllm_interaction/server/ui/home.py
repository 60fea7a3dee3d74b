"""The home page: upload, the list of videos, the ask box."""

from __future__ import annotations

import asyncio

from nicegui import ui

from visionllm_interaction.reasoning.answers import EvidenceItem
from visionllm_interaction.server.schemas import Video
from visionllm_interaction.server.service import Service
from visionllm_interaction.server.state import ServiceContext
from visionllm_interaction.server.ui.ask_box import AskBox
from visionllm_interaction.server.ui.components import Uploader

REFRESH_S = 2.0


def build_home(context: ServiceContext) -> None:
    """Build the home page."""
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
    """A notice about the detector above the upload; empty if it is ready."""
    if service.detector.state == "loading":
        return "The detector is still loading."
    if service.detector.state == "failed":
        return f"Videos cannot be analysed: {service.detector.reason}"
    return ""


def open_evidence(item: EvidenceItem) -> None:
    """Open the page of the video of some evidence, at its time. Page addresses are relative to the mount path."""
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
    """The state of a video in words, and its CSS class: good, bad or busy."""
    if video.job is not None and video.job.status == "failed":
        return "failed", "bad"
    if video.analysed:
        return "analysed", "good"
    return (video.job.status if video.job else "not analysed"), "busy"
