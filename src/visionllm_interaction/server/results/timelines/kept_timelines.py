"""Timelines as they are sent, the last ones kept until their video changes."""

from __future__ import annotations

import threading

from visionllm_interaction.server.results.store_views import Written, files_written
from visionllm_interaction.server.results.timelines.code_lanes import session_of_video
from visionllm_interaction.server.results.video_results import timeline_json
from visionllm_interaction.store.reader import Store

MOST = 8
MOST_BYTES = 32_000_000


class KeptTimelines:
    """JSON documents of timelines by video: that of two hours and 200 tracks takes more than a second to make."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], tuple[Written, bytes]] = {}
        self._lock = threading.Lock()

    def get(self, store: Store, video_id: str) -> bytes:
        """The timeline of a video, made anew if a file of the video or of its session has changed.

        Args:
            store: the open store.
            video_id: a video in the store.

        Returns:
            The JSON of :class:`~visionllm_interaction.server.schemas.timelines.VideoTimeline`.
        """
        written = files_written(store.path / "videos" / video_id)
        with self._lock:
            known = self._kept.get((str(store.path), video_id))
        if known is not None and known[0] == written:
            return known[1]
        content = timeline_json(store, video_id)
        if session_of_video(store, video_id) is None:  # that of a session changes with the other videos of it
            self._keep((str(store.path), video_id), written, content)
        return content

    def _keep(self, key: tuple[str, str], written: Written, content: bytes) -> None:
        with self._lock:
            self._kept.pop(key, None)
            self._kept[key] = (written, content)
            while len(self._kept) > MOST or sum(len(one) for _, one in self._kept.values()) > MOST_BYTES:
                self._kept.pop(next(iter(self._kept)))

    def forget(self, video_id: str) -> None:
        """Forget an erased video."""
        with self._lock:
            self._kept = {key: kept for key, kept in self._kept.items() if key[1] != video_id}
