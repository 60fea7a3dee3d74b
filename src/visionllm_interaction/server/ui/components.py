"""Our own page elements: each is a Vue component in the file of its name, talking to ``/v1`` by itself."""

from __future__ import annotations

from nicegui.element import Element


class Player(Element, component="player.js"):
    """A video with boxes drawn over it and, below, a timeline of its tracks, relations and events."""

    def __init__(self, video_id: str, *, playable: bool, show: tuple[float, float | None] | None = None) -> None:
        super().__init__()
        self._props["video_id"] = video_id
        self._props["playable"] = playable
        self._props["show"] = list(show) if show else []

    def show_stretch(self, begin_s: float, end_s: float | None, track_ids: list[int]) -> None:
        """Go to ``begin_s`` and mark the interval and the tracks."""
        self.run_method("showStretch", begin_s, end_s, track_ids)


class Uploader(Element, component="uploader.js"):
    """A place to drop videos on; emits ``uploaded`` for each one accepted."""
