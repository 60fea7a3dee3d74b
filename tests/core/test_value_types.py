"""Value types are checked when made and cannot be changed afterwards."""

from __future__ import annotations

import numpy as np
import pytest

from visionllm_interaction.core import Categories, Detections, DetectionTable, FrameTable
from visionllm_interaction.core.categories import nearest_names
from visionllm_interaction.core.predicates import relative_gap


def test_detections_are_read_only() -> None:
    found = Detections(np.array([[0, 0, 1, 1]]), np.array([0.5]), np.array([1]))
    with pytest.raises(ValueError, match="read-only"):
        found.boxes_xyxy[0, 0] = 9
    with pytest.raises(AttributeError):
        found.labels = np.array([2])  # type: ignore[misc]


@pytest.mark.parametrize(
    ("boxes", "confidences", "labels", "message"),
    [
        ([[0, 0, 1]], [0.5], [1], "shape"),  # three numbers are no box
        ([[2, 0, 1, 1]], [0.5], [1], "x2 < x1"),  # inverted
        ([[0, 0, 1, 1]], [1.5], [1], "outside"),  # confidence over one
        ([[0, 0, 1, 1]], [0.5], [0], "background"),  # label 0
        ([[0, 0, float("nan"), 1]], [0.5], [1], "finite"),  # not a number
        ([[0, 0, 1, 1]], [0.5, 0.5], [1], "shape"),  # lengths differ
    ],
)
def test_bad_detections_are_refused(boxes: list, confidences: list, labels: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Detections(np.array(boxes), np.array(confidences), np.array(labels))


def test_selecting_detections_keeps_rows_together() -> None:
    found = Detections(np.array([[0, 0, 1, 1], [2, 2, 4, 4]]), np.array([0.2, 0.9]), np.array([1, 2]))
    kept = found.select(found.confidences > 0.5)
    assert kept.labels.tolist() == [2]
    assert kept.boxes_xyxy.tolist() == [[2, 2, 4, 4]]
    assert len(Detections.empty()) == 0


def test_labels_are_contiguous_and_follow_the_sparse_ids() -> None:
    categories = Categories.from_pairs([(90, "toothbrush"), (1, "person"), (18, "dog")])
    assert [(c.label, c.category_id, c.name) for c in categories] == [
        (1, 1, "person"),
        (2, 18, "dog"),
        (3, 90, "toothbrush"),
    ]
    assert categories.by_id[18].label == 2
    assert categories.by_name["person"].is_person
    assert not categories.by_name["dog"].is_person


@pytest.mark.parametrize("pairs", [[(1, "a"), (1, "b")], [(1, "a"), (2, "a")]])
def test_repeated_categories_are_refused(pairs: list[tuple[int, str]]) -> None:
    with pytest.raises(ValueError, match="repeat"):
        Categories.from_pairs(pairs)


def test_frame_durations_come_from_the_time_stamps() -> None:
    table = FrameTable.from_times(np.array([0, 1, 2]), np.array([0.0, 0.04, 0.14]), processed=np.array([True] * 3))
    np.testing.assert_allclose(table.duration_s, [0.04, 0.10, 0.07])


def test_frames_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="rise"):
        FrameTable.from_times(np.array([0, 1]), np.array([0.1, 0.1]), processed=np.array([True, True]))


def test_detection_rows_must_follow_the_frames() -> None:
    with pytest.raises(ValueError, match="ordered"):
        DetectionTable(
            np.array([1, 0]),
            np.array([0.1, 0.0]),
            np.array(["cup", "cup"], dtype=object),
            np.array([0.5, 0.5]),
            np.zeros((2, 4)),
            np.array([-1, -1]),
        )


def detections_of(frame_index: list[int], category: str) -> DetectionTable:
    n = len(frame_index)
    return DetectionTable(
        np.array(frame_index),
        np.array(frame_index) / 10,
        np.array([category] * n, dtype=object),
        np.full(n, 0.5),
        np.zeros((n, 4)),
        np.full(n, -1),
        np.ones(n, dtype=np.bool_),
    )


def test_replacing_columns_keeps_the_others() -> None:
    table = detections_of([0, 1], "cup")
    followed = table.replace(track_id=np.array([7, 8]))
    assert followed.track_id.tolist() == [7, 8]
    assert followed.interpolated.all() and followed.category.tolist() == ["cup", "cup"]
    assert table.track_id.tolist() == [-1, -1]
    with pytest.raises(ValueError, match="track_id"):
        table.replace(track_id=np.array([7]))


def test_joined_tables_are_ordered_by_frame_and_keep_the_order_within_a_frame() -> None:
    joined = DetectionTable.concat([detections_of([0, 2, 2], "cup"), detections_of([1, 2], "ball")])
    assert joined.frame_index.tolist() == [0, 1, 2, 2, 2]
    assert joined.category.tolist() == ["cup", "ball", "cup", "cup", "ball"]
    assert joined.timestamp_s.tolist() == [0.0, 0.1, 0.2, 0.2, 0.2]
    assert joined.interpolated.all()


def test_joining_no_tables_gives_an_empty_one() -> None:
    assert len(DetectionTable.concat([])) == 0
    assert DetectionTable.concat([DetectionTable.empty()]).boxes_xyxy.shape == (0, 4)


@pytest.mark.parametrize(
    ("name", "nearest"), [("chid", "child"), ("bal", "ball"), ("caregivr", "caregiver"), ("zzz", None)]
)
def test_nearest_names(name: str, nearest: str | None) -> None:
    found = nearest_names(name, ["child", "ball", "caregiver", "teddy bear"])
    assert (found[0] if found else None) == nearest


def test_relative_gap_does_not_change_with_scale() -> None:
    person, cup = np.array([0.0, 0.0, 40.0, 100.0]), np.array([65.0, 40.0, 75.0, 50.0])
    gap = relative_gap(person, cup, object_is_person=False)
    assert gap == pytest.approx(0.25)  # 25 px of a person 100 px tall
    assert relative_gap(person * 3, cup * 3, object_is_person=False) == pytest.approx(gap)
    other = np.array([65.0, 0.0, 90.0, 50.0])  # two people: their mean height, 75 px
    assert relative_gap(person, other, object_is_person=True) == pytest.approx(25 / 75)


def test_unchanged_frames_belong_to_the_next_processed_one() -> None:
    notes = ("ok", "unchanged", "not sampled", "unchanged", "ok", "ok", "unchanged")
    processed = np.array([note == "ok" for note in notes])
    frames = FrameTable.from_times(np.arange(7), np.arange(7) / 10, processed=processed, quality=notes)
    assert frames.unchanged_before() == [(), (0.1, pytest.approx(0.3)), ()]
