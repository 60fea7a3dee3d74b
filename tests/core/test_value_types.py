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


def test_unchanged_frames_belong_to_the_next_one_looked_at() -> None:
    notes = ("ok", "unchanged", "not sampled", "unchanged", "ok", "ok", "unchanged")
    looked = np.array([note == "ok" for note in notes])
    frames = FrameTable.from_times(np.arange(7), np.arange(7) / 10, processed=looked, quality=notes)
    assert frames.unchanged_before() == [(), (0.1, pytest.approx(0.3)), ()]
