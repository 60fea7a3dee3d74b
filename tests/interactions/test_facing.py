"""Who faces what, on scenes whose answers can be read off the numbers."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from visionllm_interaction.core.detection_table import DetectionTable, HeadTable
from visionllm_interaction.core.frame_table import OK, UNCHANGED, FrameTable
from visionllm_interaction.core.tracks_relations_events import Relation
from visionllm_interaction.interactions.head_direction import find_facing
from visionllm_interaction.video.tracking.postprocess import summarise_tracks

WIDTH = 640
N = 100  # frames at 25 a second
THINGS = (
    (1, "child", (100, 200, 160, 340)),
    (2, "caregiver", (300, 100, 380, 380)),
    (3, "ball", (500, 350, 530, 380)),
)


def frames_of(notes: tuple[str, ...] = (OK,) * N) -> FrameTable:
    looked = np.array([note == OK for note in notes])
    return FrameTable.from_times(np.arange(len(notes)), np.arange(len(notes)) / 25, processed=looked, quality=notes)


def scene(frames: FrameTable, heads: HeadTable, *, mirrored: bool = False) -> list[Relation]:
    index = np.repeat(frames.frame_index[frames.processed], len(THINGS))
    boxes = np.tile(np.array([box for _, _, box in THINGS], np.float32), (len(index) // len(THINGS), 1))
    if mirrored:
        boxes[:, [0, 2]] = WIDTH - boxes[:, [2, 0]]
    table = DetectionTable(
        index,
        frames.timestamp_s[index],
        np.array([name for _, name, _ in THINGS] * (len(index) // len(THINGS)), dtype=object),
        np.full(len(index), 0.9, np.float32),
        boxes,
        np.array([number for number, _, _ in THINGS] * (len(index) // len(THINGS))),
    )
    return find_facing(heads, table, frames, summarise_tracks(table, frames, roles={}))


def heads_at(where: dict[tuple[float, float], NDArray[np.float64]], *, mirrored: bool = False) -> HeadTable:
    """Heads at x, y with a yaw per frame; NaN where none is seen."""
    rows = sorted(
        (n, x, y, angle) for (x, y), angles in where.items() for n, angle in enumerate(angles) if np.isfinite(angle)
    )
    values = np.array([row[1:] for row in rows]).reshape(-1, 3)
    if mirrored:
        values[:, 0], values[:, 2] = WIDTH - values[:, 0], -values[:, 2]
    return HeadTable(np.array([row[0] for row in rows], dtype=np.int64), values[:, :2], values[:, 2])


def faced(relations: list[Relation]) -> dict[tuple[int, int], list[tuple[float, float]]]:
    found: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for r in relations:
        assert r.predicate == "facing"
        found.setdefault((r.subject_track_id, r.object_track_id), []).append((round(r.begin_s, 6), round(r.end_s, 6)))
    return found


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_head_faces_what_lies_on_the_side_it_is_turned_to(mirrored: bool) -> None:
    turned = np.where(np.arange(N) < 50, 40.0, -40.0)  # the caregiver: to the ball, then to the child
    still = np.full(N, 12.0)  # the child looks nearly into the camera
    heads = heads_at({(340.0, 130.0): turned, (130.0, 220.0): still}, mirrored=mirrored)
    assert faced(scene(frames_of(), heads, mirrored=mirrored)) == {(2, 3): [(0.0, 2.0)], (2, 1): [(2.0, 4.0)]}


def test_two_people_face_each_other_and_what_lies_behind() -> None:
    heads = heads_at({(340.0, 130.0): np.full(N, -30.0), (130.0, 220.0): np.full(N, 30.0)})
    whole = [(0.0, 4.0)]
    assert faced(scene(frames_of(), heads)) == {(1, 2): whole, (1, 3): whole, (2, 1): whole}


def test_without_a_head_nothing_is_known_but_for_a_moment() -> None:
    angles = np.full(N, 30.0)
    angles[40:50] = np.nan  # 0.4 s
    heads = heads_at({(340.0, 130.0): angles})
    assert faced(scene(frames_of(), heads)) == {(2, 3): [(0.0, 4.0)]}
    angles[30:60] = np.nan  # 1.2 s
    heads = heads_at({(340.0, 130.0): angles})
    assert faced(scene(frames_of(), heads)) == {(2, 3): [(0.0, 1.2), (2.4, 4.0)]}
    assert scene(frames_of(), heads_at({})) == []


def test_a_head_belongs_to_the_one_in_whose_box_it_is_highest_up() -> None:
    # in front of the caregiver's knees, beside everybody, and below the child's chest
    elsewhere = ((340.0, 330.0), (600.0, 130.0), (130.0, 320.0))
    heads = heads_at({point: np.full(N, 40.0) for point in elsewhere})
    assert scene(frames_of(), heads) == []
    # two heads within one box: the one in its place is the person's
    heads = heads_at({(340.0, 140.0): np.full(N, 40.0), (310.0, 240.0): np.full(N, -40.0)})
    assert faced(scene(frames_of(), heads)) == {(2, 3): [(0.0, 4.0)]}


def test_what_is_passed_over_because_nothing_changed_is_as_it_was() -> None:
    angles = np.where(np.arange(N) < 50, 40.0, -40.0)
    heads = heads_at({(340.0, 130.0): angles})
    notes = tuple(OK if n % 25 in (0, 12) else UNCHANGED for n in range(N))
    assert faced(scene(frames_of(notes), heads)) == faced(scene(frames_of(), heads))
