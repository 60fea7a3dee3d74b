"""People who come back are joined with their earlier track; people who come by are not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from visionllm_interaction.core.detection_table import UNTRACKED, DetectionTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.video.config import TrackConfig
from visionllm_interaction.video.tracking.continued_or_newcomer import fit_of_one
from visionllm_interaction.video.tracking.postprocess import track

FPS, SIZE = 25, (640, 480)
Place = Callable[[float], tuple[float, float] | None]
"""Time in seconds → middle and height of a person; ``None``: not seen."""


def walk(begin_s: float, end_s: float, from_px: float, to_px: float, height: float = 160.0) -> Place:
    def place(t: float) -> tuple[float, float] | None:
        if not begin_s <= t < end_s:
            return None
        return from_px + (to_px - from_px) * (t - begin_s) / (end_s - begin_s), height

    return place


def people(places: list[Place], *, seconds: float, category: str = "person") -> tuple[DetectionTable, FrameTable]:
    """Detections of people who stand on one floor; what is beyond the image is cut off."""
    n = round(seconds * FPS)
    times = np.arange(n) / FPS
    rows = []
    for index, t in enumerate(times.tolist()):
        for place in places:
            seen = place(t)
            if seen is not None:
                middle, height = seen
                x1, x2 = max(middle - height / 5, 0.0), min(middle + height / 5, float(SIZE[0]))
                if x2 - x1 > 8:
                    rows.append((index, t, (x1, 400 - height, x2, 400.0)))
    table = DetectionTable(
        np.array([row[0] for row in rows]),
        np.array([row[1] for row in rows]),
        np.array([category] * len(rows), dtype=object),
        np.full(len(rows), 0.9, np.float32),
        np.array([row[2] for row in rows], np.float32),
        np.full(len(rows), UNTRACKED),
    )
    return table, FrameTable.from_times(np.arange(n), times, processed=np.ones(n, np.bool_))


def tracks(places: list[Place], *, seconds: float) -> list[tuple[float, float]]:
    """Begin and end of each track."""
    found = track(*people(places, seconds=seconds), size_px=SIZE)
    ids = np.unique(found.track_id[found.track_id != UNTRACKED])
    own = [found.timestamp_s[found.track_id == i] for i in ids]
    return sorted((round(float(t[0]), 1), round(float(t[-1]), 1)) for t in own)


def test_who_leaves_a_room_and_comes_back_at_the_same_side_is_one_person() -> None:
    places = [walk(0, 5, 300, 660), walk(8, 12, 660, 300), walk(0, 12, 120, 130)]
    found = tracks(places, seconds=12)
    assert len(found) == 2 and all(end_s - begin_s > 11.5 for begin_s, end_s in found), found


def test_in_a_street_whoever_comes_next_is_somebody_else() -> None:
    """Somebody leaves at the right every two seconds, and somebody enters there 1.4 s later."""
    out = [walk(2 * n, 2 * n + 2, 380, 660) for n in range(6)]
    into = [walk(2 * n + 3.4, 2 * n + 6.4, 660, 240) for n in range(6)]
    found = tracks([*out, *into], seconds=20)
    assert len(found) == 12, found
    assert max(end_s - begin_s for begin_s, end_s in found) < 3.5, found


def test_nobody_who_walks_out_turns_back_in_no_time() -> None:
    found = tracks([walk(0, 4, 300, 650), walk(4.8, 8, 650, 300), walk(0, 8, 120, 130)], seconds=8)
    assert len(found) == 3, found


def test_in_a_street_somebody_lost_behind_a_pillar_is_found_again() -> None:
    """For 1.5 s; elsewhere somebody appears every three seconds."""
    others = [walk(3 * k + 1, 3 * k + 3.5, 660, 380, 150) for k in range(4)]
    found = tracks([walk(0, 4, 150, 160), walk(5.5, 12, 160, 165), *others], seconds=13)
    assert len(found) == 5, found


@pytest.mark.parametrize(("to_px", "height", "fits"), [(320, 160, True), (320, 110, False), (500, 160, False)])
def test_one_person_has_the_same_size_and_place_before_and_after(to_px: float, height: float, fits: bool) -> None:
    table, _ = people([walk(0, 4, 320, 320), walk(4.8, 8, to_px, to_px, height)], seconds=8)
    before = table.timestamp_s < 4.4
    fit = fit_of_one(table, np.flatnonzero(before), np.flatnonzero(~before))
    assert fit > 0.9 if fits else fit < 0.2


def test_a_jerk_of_the_camera_is_no_crowd() -> None:
    """Three people are lost for a second again and again, all at once."""

    def seen(t: float) -> bool:
        return t % 3 < 1.8

    def place(x: float) -> Place:
        return lambda t: (x, 160.0) if seen(t) else None

    assert len(tracks([place(100), place(300), place(500)], seconds=15)) == 3


@pytest.mark.parametrize(("to_px", "filled"), [(320.0, True), (210.0, False)])
def test_a_person_is_filled_in_behind_another_only_where_they_fit(to_px: float, filled: bool) -> None:
    """Someone is lost behind a taller person for 0.8 s; who appears there then is or is not in the same place."""
    hidden = [walk(0, 4, 320, 320), walk(4.8, 8, to_px, to_px)]
    found = track(*people([*hidden, walk(0, 8, 270, 272, 330)], seconds=8), size_px=SIZE)
    behind = found.interpolated & (found.boxes_xyxy[:, 1] > 200)
    assert bool(behind.sum() >= 15) == filled, behind.sum()


def test_a_toy_that_is_carried_by_most_of_its_size_in_each_frame_is_one_track() -> None:
    n = 40
    times = np.arange(n) / FPS
    x = 50 + 12.0 * np.arange(n)
    boxes = np.stack([x, np.full(n, 200), x + 16, np.full(n, 216)], axis=1).astype(np.float32)
    table = DetectionTable(
        np.arange(n), times, np.array(["ball"] * n, dtype=object), np.full(n, 0.9, np.float32), boxes, np.full(n, -1)
    )
    frames = FrameTable.from_times(np.arange(n), times, processed=np.ones(n, np.bool_))
    found = track(table, frames, config=TrackConfig(rejoin_s=0.0), size_px=SIZE)
    assert len(np.unique(found.track_id[found.track_id != UNTRACKED])) == 1
    assert (found.track_id != UNTRACKED).mean() > 0.9


def test_weak_detections_keep_a_person_who_was_found_surely() -> None:
    table, frames = people([walk(0, 6, 200, 400)], seconds=6)
    weak = np.where((table.timestamp_s > 1) & (table.frame_index % 5 > 0), 0.35, 0.9).astype(np.float32)
    found = track(table.replace(confidence=weak), frames, size_px=SIZE)
    assert len(np.unique(found.track_id)) == 1 and not found.interpolated.any()
