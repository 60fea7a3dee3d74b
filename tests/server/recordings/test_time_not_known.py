"""What the timeline says is not known of a video: not processed, dark, blurred, shaken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from moving_scene import FPS, N, publish_scene

from visionllm_interaction.core.frame_table import FrameTable, QualityRow
from visionllm_interaction.server.results.timelines.time_not_known import time_not_known
from visionllm_interaction.server.results.video_results import timeline_json
from visionllm_interaction.server.schemas.timelines import VideoTimeline
from visionllm_interaction.store.reader import open_store


def second(begin: float, **flags: bool) -> QualityRow:
    none = dict.fromkeys(("dark", "blurred", "moving_camera", "small", "edge"), False)
    return QualityRow(begin, begin + 1.0, 90.0, 0.2, 0.0, 200.0, 0.0, **{**none, **flags})


def frames_without(*left_out: int) -> FrameTable:
    """All frames of the scene, some of them not processed."""
    index = np.arange(N)
    return FrameTable.from_times(index, index / FPS, processed=~np.isin(index, left_out))


def test_time_is_listed_by_reason_and_neighbours_are_one(tmp_path: Path) -> None:
    quality = [second(0, dark=True), second(1, dark=True, blurred=True), second(2), second(5, dark=True)]
    publish_scene(tmp_path, frames=frames_without(*range(100, 120)), quality=quality)
    with open_store(tmp_path) as store:
        found = time_not_known(store, "a", duration_s=N / FPS)
    assert found.quality_measured
    assert {one.reason: one.intervals for one in found.poor} == {
        "not_processed": [(10.0, 12.0)],
        "dark": [(0.0, 2.0), (5.0, 6.0)],
        "blurred": [(1.0, 2.0)],
    }
    assert {one.reason: one.seconds for one in found.poor} == {"not_processed": 2.0, "dark": 3.0, "blurred": 1.0}


def test_what_was_not_measured_is_not_called_good(tmp_path: Path) -> None:
    publish_scene(tmp_path)
    with open_store(tmp_path) as store:
        found = time_not_known(store, "a", duration_s=N / FPS)
    assert (found.quality_measured, found.poor) == (False, [])


def test_the_timeline_has_it_and_nobody_is_visible_in_it(tmp_path: Path) -> None:
    """A bar over time that was not processed would say that somebody was seen then."""
    publish_scene(tmp_path, frames=frames_without(*range(100, 120)))
    with open_store(tmp_path) as store:
        timeline = VideoTimeline.model_validate_json(timeline_json(store, "a"), strict=True)
    assert [one.reason for one in timeline.unknown.poor] == ["not_processed"]
    assert timeline.tracks[0].visible == [(0.0, 10.0), (12.0, 20.0)]
