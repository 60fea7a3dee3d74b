"""Real clips with YOLOX-nano, against a count by eye.

How it was counted: frames of one-by-one-person-detection.mp4, 0.2 s apart around each coming and going and 1.4 s apart
in between, were put on sheets with their times written on them. Six people come in one after another at the lower edge,
stand at the table with their backs to the camera and go out at the right. Begin is the first frame in which any part of
a person is seen (the top of the head), end the last one (a foot).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from visionllm_interaction.detection.models import load_detector
from visionllm_interaction.video.tracking.pipeline import TrackedVideo, track_with_detector
from visionllm_interaction.video.tracking.postprocess import summarise_tracks

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

BY_EYE_S = ((6.0, 19.7), (22.8, 45.1), (50.2, 70.2), (74.5, 87.0), (92.2, 120.1), (123.4, 135.9))
TOLERANCE_S = 0.8
"""A detector does not take the top of a head, or a last foot, for a person."""


def follow(shared_data: Path, name: str) -> TrackedVideo:
    detector = load_detector(shared_data.parent / "models" / "yolox_nano.onnx")
    return track_with_detector(shared_data / "videos" / name, detector)


def test_six_people_one_by_one(shared_data: Path) -> None:
    followed = follow(shared_data, "one-by-one-person-detection.mp4")
    tracks = summarise_tracks(followed.detections, followed.frames, roles={})
    people = sorted((t.begin_s, t.end_s) for t in tracks if t.category == "person")
    assert len(people) == len(BY_EYE_S) == 6
    for found, true in zip(people, BY_EYE_S, strict=True):
        assert found == pytest.approx(true, abs=TOLERANCE_S)
    assert {t.category for t in tracks} == {"person"}  # the table, the screen and shadows are no things


@pytest.mark.parametrize(
    ("name", "frames", "seen"),
    [
        ("bottle-detection.mp4", 1189, {"bottle"}),
        ("face-demographics-walking-and-pause.gif", 41, {"person"}),
        ("head-pose-face-detection-female-and-male.gif", 56, {"person"}),
    ],
)
def test_the_other_clips(shared_data: Path, name: str, frames: int, seen: set[str]) -> None:
    followed = follow(shared_data, name)
    tracks = summarise_tracks(followed.detections, followed.frames, roles={})
    assert len(followed.frames) == frames == followed.frames.processed.sum()
    assert seen <= {t.category for t in tracks}
