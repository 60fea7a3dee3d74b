"""A small store with values that can be worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from scenes_builders import RELATIONS, SPANS, detection_table, frame_table, record

from visionllm_interaction.core.interactions import Event, Track
from visionllm_interaction.store.reader import publish_video


@pytest.fixture
def store_path(tmp_path: Path) -> Path:
    """Video ``a`` as above (frames 30 and 31 not looked at); video ``b`` with one car track."""
    store = tmp_path / "store"
    tracks = [
        Track(1, "child", "child", 1.0, 8.0, 57, 0.9),
        Track(2, "caregiver", "caregiver", 0.0, 10.0, 100, 0.9),
        Track(3, "cup", None, 2.0, 5.0, 30, 0.9),
        Track(4, "cup", None, 4.0, 6.0, 20, 0.9),
        Track(5, "cup", None, 4.8, 5.0, 2, 0.9),
    ]
    events = [Event("e1", "picks_up", (1, 3), 2.5, 2.6, 0.9)]
    publish_video(
        store,
        record("a"),
        frames=frame_table(unprocessed=(30, 31)),
        detections=detection_table(SPANS),
        tracks=tracks,
        relations=RELATIONS,
        events=events,
    )
    publish_video(
        store,
        record("b"),
        frames=frame_table(n=50),
        detections=detection_table([(1, "car", 5, 10)]),
        tracks=[Track(1, "car", None, 0.5, 1.0, 5, 0.9)],
        relations=[],
        events=[],
    )
    return store
