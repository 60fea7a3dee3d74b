"""Appearance features distinguish similar objects: histograms alone, and two children in a huddle in images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner, Result
from video_files import write_images

from visionllm_interaction.analysis.analyze_videos import analyze
from visionllm_interaction.analysis.config import AnalysisConfig
from visionllm_interaction.analysis.role_review import people_of, plan_joins, write_review_sheet
from visionllm_interaction.cli.roles import roles
from visionllm_interaction.core.categories import Categories
from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.detections import Detections
from visionllm_interaction.errors import UsageError
from visionllm_interaction.store.corrections.recording import undo_correction
from visionllm_interaction.video.config import DecodeConfig, TrackConfig, VideoConfig
from visionllm_interaction.video.tracking.appearance import (
    FEATURE_SIZE,
    FeatureBuffer,
    appearance_distance,
    extract_features,
)
from visionllm_interaction.video.tracking.detections_file import read_detections
from visionllm_interaction.video.tracking.pipeline import track_from_file, track_with_detector

FPS = 25
SIZE = WIDTH, HEIGHT = 320, 160
LEFT_CHILD = ((60, 40, 30), (200, 40, 40), (40, 60, 160))  # hair, shirt, trousers
RIGHT_CHILD = ((220, 190, 90), (40, 150, 60), (120, 120, 120))
CHILD = (40, 96)

Box = tuple[float, float, float, float]


def box_at(middle: float) -> Box:
    return (middle - CHILD[0] / 2, 40.0, middle + CHILD[0] / 2, 40.0 + CHILD[1])


def draw(image: NDArray[np.uint8], middle: float, colours: tuple[tuple[int, int, int], ...]) -> None:
    x1, y1, x2, y2 = (round(edge) for edge in box_at(middle))
    for part, colour in zip(np.array_split(np.arange(y1, y2), 3), colours, strict=True):
        image[part[0] : part[-1] + 1, max(x1, 0) : x2] = colour


def look(colours: tuple[tuple[int, int, int], ...], *, middle: float = 100, light: float = 1.0) -> NDArray[np.float64]:
    image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    draw(image, middle, colours)
    [found] = extract_features((image * light).astype(np.uint8), np.array([box_at(middle)], np.float32))
    log = FeatureBuffer()
    log.add(0, found[None])
    return log.features(1).each(np.array([0]))[0]


def test_who_wears_the_same_looks_alike_in_other_light_and_in_another_place() -> None:
    own = look(LEFT_CHILD)
    assert appearance_distance(own, own) == pytest.approx(0.0, abs=1e-9)
    again = float(appearance_distance(own, look(LEFT_CHILD, middle=200, light=0.95)))
    other = float(appearance_distance(own, look(RIGHT_CHILD)))
    assert again < 0.15 and other > 0.4 and other > 3 * again, (again, other)


def test_boxes_at_the_edge_and_tiny_ones_have_looks() -> None:
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    boxes = np.array(
        [[-50, -50, 10, 10], [WIDTH + 5, 3, WIDTH + 9, 9], [5, 5, 5, 5], [0, 0, WIDTH, HEIGHT]], np.float32
    )
    features = extract_features(image, boxes)
    assert features.shape == (4, FEATURE_SIZE) and (features == features[0]).all()
    assert features[0].reshape(12, -1).sum(axis=1).tolist() == [255] * 12
    assert extract_features(image, boxes[:0]).shape == (0, FEATURE_SIZE)


def huddle(folder: Path, *, handed_on: bool) -> tuple[Path, Path]:
    """Two children meet in the middle and turn back; for 2.1 s a detector sees one only: the right one all the
    time, or, ``handed_on``, less and less the right one and more and more the left one."""
    images, detections = [], []
    nearest = 166 if handed_on else 178
    for n in range(8 * FPS):
        t = n / FPS
        left = float(np.interp(t, [0, 2.5, 4.4, 7.5], [40, 150, 150, 40]))
        right = float(np.interp(t, [0, 2.5, 4.4, 7.5], [280, nearest, nearest, 280]))
        image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
        draw(image, left, LEFT_CHILD)
        draw(image, right, RIGHT_CHILD)
        images.append(image)
        only = float(np.interp(t, [2.5, 4.4], [166, 150])) if handed_on else right
        middles = [only] if 2.5 <= t < 4.6 else [left, right]
        for middle in middles:
            bbox = [box_at(middle)[0], 40.0, *CHILD]
            detections.append({"frame_index": n, "category_id": 1, "bbox": bbox, "score": 0.9})
    video = write_images(folder / "v.mp4", np.stack(images), times_ms=[40 * n for n in range(len(images))])
    given = folder / "d.json"
    given.write_text(json.dumps({"categories": [{"id": 1, "name": "child"}], "detections": detections}))
    return video, given


def first_and_last(found: DetectionTable) -> dict[int, tuple[float, float]]:
    """Where each track is at its begin and at its end."""
    middles = found.boxes_xyxy[:, [0, 2]].mean(axis=1)
    own = {int(i): middles[found.track_id == i] for i in np.unique(found.track_id)}
    return {track_id: (round(float(x[0])), round(float(x[-1]))) for track_id, x in own.items()}


class Replay:
    """Finds what a file says, frame by frame."""

    categories = Categories.from_pairs([(1, "child")])
    digest = name = "replay"

    def __init__(self, given: Path) -> None:
        self._given, self._next = read_detections(given), 0

    def detect(self, images_rgb: Sequence[NDArray[np.uint8]], *, min_confidence: float = 0.05) -> list[Detections]:
        assert min_confidence < 0.9
        found = []
        for _ in images_rgb:
            boxes = self._given.boxes(self._next)
            found.append(Detections(boxes, np.full(len(boxes), 0.9, np.float32), np.ones(len(boxes), np.int64)))
            self._next += 1
        return found


BLIND = VideoConfig(track=TrackConfig(appearance=False))


def test_two_children_who_swapped_tracks_in_a_huddle_get_them_back(tmp_path: Path) -> None:
    video, given = huddle(tmp_path, handed_on=True)
    assert sorted(first_and_last(track_from_file(video, given).detections).values()) == [(40, 40), (280, 280)]
    unmended = first_and_last(track_from_file(video, given, config=BLIND).detections)
    assert sorted(unmended.values()) == [(40, 280), (280, 40)]


def test_a_detector_and_its_file_of_detections_give_the_same_tracks(tmp_path: Path) -> None:
    video, given = huddle(tmp_path, handed_on=True)
    live = track_with_detector(video, Replay(given)).detections
    filed = track_from_file(video, given).detections
    assert sorted(first_and_last(live).values()) == [(40, 40), (280, 280)]
    assert live.track_id.tolist() == filed.track_id.tolist()
    assert live.boxes_xyxy.tolist() == filed.boxes_xyxy.tolist()


def test_two_children_who_keep_their_tracks_in_a_huddle_are_left_alone(tmp_path: Path) -> None:
    video, given = huddle(tmp_path, handed_on=False)
    found = track_from_file(video, given).detections
    assert sorted(first_and_last(found).values()) == [(40, 40), (280, 280)]
    assert found.track_id.tolist() == track_from_file(video, given, config=BLIND).detections.track_id.tolist()


def taking_turns(folder: Path, second: tuple[tuple[int, int, int], ...], *, away_s: float = 2.0) -> tuple[Path, Path]:
    """A child goes out of sight, and after ``away_s`` there is one in the same place that looks like ``second``."""
    images, detections = [], []
    for n in range(8 * FPS):
        image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
        if n / FPS < 3 or n / FPS >= 3 + away_s:
            draw(image, 150, LEFT_CHILD if n / FPS < 3 else second)
            bbox = [box_at(150)[0], 40.0, *CHILD]
            detections.append({"frame_index": n, "category_id": 1, "bbox": bbox, "score": 0.9})
        images.append(image)
    video = write_images(folder / "v.mp4", np.stack(images), times_ms=[40 * n for n in range(len(images))])
    given = folder / "d.json"
    given.write_text(json.dumps({"categories": [{"id": 1, "name": "child"}], "detections": detections}))
    return video, given


def test_who_looks_different_does_not_continue_a_track(tmp_path: Path) -> None:
    same = track_from_file(*taking_turns(tmp_path, LEFT_CHILD)).detections
    assert set(same.track_id.tolist()) == {1}
    other = track_from_file(*taking_turns(tmp_path, RIGHT_CHILD)).detections
    assert set(other.track_id.tolist()) == {1, 2}


NEARLY_LEFT = (LEFT_CHILD[0], LEFT_CHILD[1], RIGHT_CHILD[2])
"""Differs from the left child by the trousers only."""


@pytest.mark.parametrize("away_s", [0.8, 2.0])  # within and beyond the time that the tracker itself waits
def test_who_stands_where_another_one_stood_is_somebody_else(tmp_path: Path, away_s: float) -> None:
    other = track_from_file(*taking_turns(tmp_path, NEARLY_LEFT, away_s=away_s)).detections
    assert set(other.track_id.tolist()) == {1, 2}
    lax = VideoConfig(track=TrackConfig(appearance_nearest=1.0, appearance_limit=1.0))
    assert set(
        track_from_file(*taking_turns(tmp_path, NEARLY_LEFT, away_s=away_s), config=lax).detections.track_id
    ) == {1}
    same = track_from_file(*taking_turns(tmp_path, LEFT_CHILD, away_s=away_s)).detections
    assert set(same.track_id.tolist()) == {1}


def test_who_may_have_come_back_is_told_and_not_joined(tmp_path: Path) -> None:
    apart = VideoConfig(track=TrackConfig(rejoin_s=0.0))
    back = track_from_file(*taking_turns(tmp_path, LEFT_CHILD), config=apart)
    assert set(back.detections.track_id.tolist()) == {1, 2}
    note = next(note for note in back.notes() if "may be the same person" in note)
    assert "track 2 (from 5.0 s) of track 1 (until 3.0 s)" in note
    other = track_from_file(*taking_turns(tmp_path, RIGHT_CHILD), config=apart)
    assert not any("may be the same person" in note for note in other.notes())


@pytest.mark.parametrize("fps", [1, 2])
def test_who_turns_round_between_two_frames_was_not_lost(tmp_path: Path, fps: int) -> None:
    images, detections = [], []
    for n in range(20):
        image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
        draw(image, 150, LEFT_CHILD if n < 10 else NEARLY_LEFT)
        detections.append({"frame_index": n, "category_id": 1, "bbox": [box_at(150)[0], 40.0, *CHILD], "score": 0.9})
        images.append(image)
    video = write_images(tmp_path / "v.mp4", np.stack(images), times_ms=[1000 * n // fps for n in range(20)])
    given = tmp_path / "d.json"
    content = {"categories": [{"id": 1, "name": "child"}], "processed_frames": list(range(20))}
    given.write_text(json.dumps({**content, "detections": detections}))
    assert track_from_file(video, given).detections.track_id.tolist() == [1] * 20
    # Lost for four frames and found with another look, it is somebody else at any rate.
    apart = [found for found in detections if not 10 <= found["frame_index"] < 14]
    given.write_text(json.dumps({**content, "detections": apart}))
    assert set(track_from_file(video, given).detections.track_id.tolist()) == {1, 2}


def test_who_came_back_is_shown_in_the_review_and_joined_by_one_option(tmp_path: Path) -> None:
    video, given = taking_turns(tmp_path, LEFT_CHILD)
    store = tmp_path / "store"
    config = AnalysisConfig(video=VideoConfig(track=TrackConfig(rejoin_s=0.0)))
    [result] = analyze(video, store, detections=given, config=config).videos
    video_id = result.video_id or ""
    [first, second] = people_of(store, video_id)
    assert (first.may_be_track_id, second.may_be_track_id, second.away_s) == (None, 1, pytest.approx(2.0, abs=0.1))
    page, _ = write_review_sheet(store, video_id, tmp_path / "out")
    assert "--same 2=1" in page.read_text()

    def review(*arguments: str) -> Result:
        return CliRunner().invoke(roles, [video_id, "--store", str(store), *arguments])

    for wrong in ("2", "2=2", "2=7"):
        assert isinstance(review("--same", wrong).exception, UsageError), wrong
    assert review("--same", "2=1").exit_code == 0
    [one] = people_of(store, video_id)
    assert (one.track_id, one.may_be_track_id, one.begin_s) == (1, None, 0.0) and one.end_s > 7.9
    # It is a correction: analysed again, in other frames, it still holds, and it can be undone.
    decode = DecodeConfig(sample_fps=12.5)
    other = config.model_copy(update={"video": config.video.model_copy(update={"decode": decode})})
    [again] = analyze(video, store, detections=given, config=other).videos
    assert again.status == "done" and len(people_of(store, video_id)) == 1
    undo_correction(store, video_id, who="Kari")
    assert len(people_of(store, video_id)) == 2


def test_pairs_of_one_person_may_come_in_any_order_and_twice(tmp_path: Path) -> None:
    video, given = taking_turns(tmp_path, LEFT_CHILD)
    store = tmp_path / "store"
    config = AnalysisConfig(video=VideoConfig(track=TrackConfig(rejoin_s=0.0)))
    [result] = analyze(video, store, detections=given, config=config).videos
    video_id = result.video_id or ""
    assert [one.track_id for one in people_of(store, video_id)] == [1, 2]
    for pairs in ([(2, 1)], [(1, 2)], [(2, 1), (1, 2)], [(2, 1), (2, 1)]):
        kept = 2 if pairs == [(1, 2)] else 1
        [join] = plan_joins(store, video_id, pairs)
        assert (join.track_id, join.other_track_id) == (kept, 3 - kept), pairs


def test_two_who_are_there_at_the_same_time_are_never_joined_and_nothing_else_is_done_then(tmp_path: Path) -> None:
    video, given = taking_turns(tmp_path, LEFT_CHILD)
    content = json.loads(given.read_text())
    beside = [{**one, "category_id": 2, "bbox": [1.0, 40.0, *CHILD]} for one in content["detections"]]
    categories = [*content["categories"], {"id": 2, "name": "caregiver"}]
    given.write_text(json.dumps({**content, "categories": categories, "detections": content["detections"] + beside}))
    store = tmp_path / "store"
    [result] = analyze(video, store, detections=given).videos
    video_id = result.video_id or ""
    people = people_of(store, video_id)
    assert len(people) == 2
    arguments = [video_id, "--store", str(store), "--set", f"{people[0].track_id}=other", "--same", "2=1"]
    refused = CliRunner().invoke(roles, arguments).exception
    assert isinstance(refused, UsageError) and "both in view" in (refused.found or "")
    assert people_of(store, video_id) == people
