"""Custom page elements: Vue components, each in the file of its name, which call ``/v1`` themselves."""

from __future__ import annotations

from nicegui.element import Element


class Player(Element, component="player.js"):
    """A video with its boxes, and a timeline of its tracks, relations and events below."""

    def __init__(self, video_id: str, *, playable: bool, show: tuple[float, float | None] | None = None) -> None:
        super().__init__()
        self._props["video_id"] = video_id
        self._props["playable"] = playable
        self._props["show"] = list(show) if show else []

    def show_interval(self, begin_s: float, end_s: float | None, track_ids: list[int]) -> None:
        """Seek to ``begin_s`` and mark the interval and the tracks."""
        self.run_method("showInterval", begin_s, end_s, track_ids)


class Uploader(Element, component="uploader.js"):
    """A drop zone for videos; emits ``uploaded`` for each accepted video."""
