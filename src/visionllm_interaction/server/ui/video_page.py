"""The page of one video: player with boxes, timeline, ask box."""

from __future__ import annotations

import asyncio

from fastapi import HTTPException
from nicegui import ui

from visionllm_interaction.reasoning.answers import EvidenceItem
from visionllm_interaction.server.schemas import Video
from visionllm_interaction.server.state import ServiceContext
from visionllm_interaction.server.ui.ask_box import AskBox
from visionllm_interaction.server.ui.components import Player
from visionllm_interaction.server.ui.home import open_evidence, state_of

POLL_S = 1.0


async def build_video(
    context: ServiceContext, video_id: str, *, show: tuple[float, float | None] | None = None
) -> None:
    """Build the page of one video.

    Args:
        context: the service and its metrics.
        video_id: id of the video.
        show: the interval to seek to, in seconds; the end may be missing.
    """
    try:
        video = Video.of(await asyncio.to_thread(context.service.video, video_id))
    except HTTPException:
        ui.label("There is no video with this id.").classes("page refused")
        return
    with ui.element("main").classes("page wide"):
        with ui.row().classes("title-row"):
            ui.label(video.name or video_id).classes("title")
            ui.label(_facts(video)).classes("note grow")
            _erase_button(context, video)
        if video.analysed:
            with ui.element("div").classes("columns"):
                player = Player(video_id, playable=video.playable, show=show)
                AskBox(context, lambda item: _open(item, player, video_id)).build()
        else:
            _wait(context, video)


def _open(item: EvidenceItem, player: Player, video_id: str) -> None:
    if item.video_id == video_id and item.begin_s is not None:
        player.show_interval(item.begin_s, item.end_s, list(item.track_ids))
    else:
        open_evidence(item)


def _wait(context: ServiceContext, video: Video) -> None:
    with ui.element("section").classes("panel"), ui.row().classes("wait"):
        spinner = ui.spinner(size="md")
        text = ui.label("")

    async def poll() -> None:
        try:
            now = Video.of(await asyncio.to_thread(context.service.video, video.video_id))
        except HTTPException:  # it was erased while the page was open
            timer.deactivate()
            spinner.visible = False
            text.text = "This video has been erased."
            return
        if now.analysed:
            ui.navigate.reload()
            return
        error = now.job.error if now.job else None
        spinner.visible = error is None
        text.text = f"{error.message} {error.found or ''}" if error else f"The analysis is {state_of(now)[0]} …"

    timer = ui.timer(POLL_S, poll, immediate=True)


def _erase_button(context: ServiceContext, video: Video) -> None:
    async def erase() -> None:
        await asyncio.to_thread(context.service.erase, video.video_id)
        ui.navigate.to("/")

    with ui.dialog() as dialog, ui.card():
        ui.label("Erase this video and everything computed from it? This cannot be undone.")
        with ui.row():
            ui.button("Erase", on_click=erase, color="negative").props("unelevated no-caps")
            ui.button("Keep", on_click=dialog.close).props("flat no-caps")
    ui.button("Erase", on_click=dialog.open).props("flat no-caps dense color=negative")


def _facts(video: Video) -> str:
    parts = [f"{video.duration_s:.1f} s" if video.duration_s else "", video.video_id]
    return " · ".join(part for part in parts if part)
