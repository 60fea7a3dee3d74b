"""Guessed roles: by size, not by distance, only where nothing is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.tracks_relations_events import Track
from visionllm_interaction.video.config import RolesConfig
from visionllm_interaction.video.tracking.role_inference import RoleProxy, guess_roles, with_proxies

SIZE = (640, 480)


def seen(boxes: dict[int, list[float]], *, frames: int = 50) -> DetectionTable:
    n = frames * len(boxes)
    index = np.repeat(np.arange(frames), len(boxes))
    return DetectionTable(
        index,
        index / 25,
        np.full(n, "person", dtype=object),
        np.full(n, 0.9, np.float32),
        np.tile(np.array(list(boxes.values()), np.float32), (frames, 1)),
        np.tile(np.array(list(boxes)), frames),
    )


def people(*ids: int, role: str | None = None) -> list[Track]:
    return [Track(n, "person", role, 0.0, 2.0, 50, 0.9) for n in ids]


CHILD, ADULT = [100.0, 300, 150, 420], [300.0, 150, 400, 420]


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ({1: CHILD, 2: ADULT}, {1: "child-proxy", 2: "caregiver-proxy"}),
        ({1: [100, 160, 150, 280], 2: ADULT}, {}),  # small, but its feet are far up: somebody at the back
        ({1: [100, 200, 150, 420], 2: ADULT}, {}),  # hardly smaller
        ({1: [100, 300, 150, 479], 2: ADULT}, {}),  # cut by the lower edge
        ({1: CHILD}, {}),  # nobody to compare with
        ({1: CHILD, 2: ADULT, 3: [500, 140, 600, 425]}, {1: "child-proxy"}),  # the adults are alike half of the time
    ],
)
def test_who_is_smaller_and_no_farther_away(boxes: dict[int, list[float]], expected: dict[int, str]) -> None:
    found = guess_roles(seen(boxes), people(*boxes), size_px=SIZE, config=RolesConfig())
    assert {track_id: proxy.role for track_id, proxy in found.items()} == expected


def test_confidence_is_the_share_of_time() -> None:
    some, more = seen({1: CHILD, 2: ADULT}, frames=40), seen({1: ADULT, 2: CHILD}, frames=10)
    both = DetectionTable(
        np.concatenate([some.frame_index, more.frame_index + 40]),
        np.concatenate([some.timestamp_s, more.timestamp_s + 1.6]),
        np.concatenate([some.category, more.category]),
        np.concatenate([some.confidence, more.confidence]),
        np.concatenate([some.boxes_xyxy, more.boxes_xyxy]),
        np.concatenate([some.track_id, more.track_id]),
    )
    assert guess_roles(both, people(1, 2), size_px=SIZE, config=RolesConfig())[1] == RoleProxy("child-proxy", 0.8)


def test_what_is_known_is_not_guessed() -> None:
    rows = seen({1: CHILD, 2: ADULT})
    assert guess_roles(rows, people(1, 2, role="caregiver"), size_px=SIZE, config=RolesConfig()) == {}
    others = [replace(track, category="child") for track in people(1, 2)]
    assert guess_roles(rows, others, size_px=SIZE, config=RolesConfig()) == {}
    assert guess_roles(rows, people(1, 2), size_px=SIZE, config=RolesConfig(proxy=False)) == {}
    [one, two] = with_proxies(people(1, 2), {1: RoleProxy("child-proxy", 1.0)})
    assert (one.role, two.role) == ("child-proxy", None)
