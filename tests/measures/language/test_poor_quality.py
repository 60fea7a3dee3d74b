"""``poor_quality`` in expressions."""

from __future__ import annotations

from pathlib import Path

import pytest
from scenes_builders import RELATIONS, SPANS, detection_table, frame_table, record

from visionllm_interaction.core.frame_table import QualityRow
from visionllm_interaction.core.tracks_relations_events import Track
from visionllm_interaction.errors import ExpressionError
from visionllm_interaction.measures.language.run import query
from visionllm_interaction.store.reader import open_store, publish_video

NAN = float("nan")


def row(begin_s: float, *, light: float = 100.0, **flags: bool) -> QualityRow:
    every = {"dark": False, "blurred": False, "moving_camera": False, "small": False, "edge": False, **flags}
    return QualityRow(begin_s, begin_s + 1, light, 0.25, 0.0, 100.0, 0.0, **every)


def publish(store: Path, quality: list[QualityRow] | None) -> Path:
    publish_video(
        store,
        record("a"),
        frames=frame_table(),
        detections=detection_table([span for span in SPANS if span[0] in (1, 2)]),
        tracks=[
            Track(1, "child", "child", 1.0, 8.0, 57, 0.9),
            Track(2, "caregiver", "caregiver", 0.0, 10.0, 100, 0.9),
        ],
        relations=[relation for relation in RELATIONS if relation.object_track_id == 2],
        events=[],
        quality=quality,
    )
    return store


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Dark from 2 to 4 s, blurred from 3 to 5 s; the child is near from 1.5 to 3.0 s."""
    flags = {2: {"dark": True}, 3: {"dark": True, "blurred": True}, 4: {"blurred": True}}
    return publish(tmp_path / "s", [row(float(n), **flags.get(n, {})) for n in range(10)])


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ('total(poor_quality("dark"))', 2.0),
        ('total(poor_quality("blurred"))', 2.0),
        ("total(poor_quality())", 3.0),
        ('total(!poor_quality("dark"))', 8.0),
        ('total(near(child, caregiver) & poor_quality("dark"))', 1.0),
        ("total(near(child, caregiver) & !poor_quality())", 0.5),
        ('share(near(child, caregiver), of=!poor_quality("dark"))', 0.5 / 8),
        ('total(poor_quality("small"))', 0.0),
    ],
)
def test_it_is_a_condition(store: Path, expression: str, value: float) -> None:
    [found] = query(expression, store).rows
    assert found.value == pytest.approx(value)


def test_another_word_is_refused_with_the_nearest_one(store: Path) -> None:
    with pytest.raises(ExpressionError, match="blured"):
        query('total(poor_quality("blured"))', store)


def test_what_was_not_measured_is_not_known(tmp_path: Path) -> None:
    without = publish(tmp_path / "old", None)
    [found] = query('total(poor_quality("dark"))', without).rows
    assert found.value is None
    unlit = publish(tmp_path / "unlit", [row(float(n), light=NAN, small=n == 3) for n in range(10)])
    assert query('total(poor_quality("dark"))', unlit).rows[0].value is None
    assert query('total(poor_quality("small"))', unlit).rows[0].value == pytest.approx(1.0)


def test_rows_are_read_as_they_were_written(store: Path) -> None:
    rows = list(open_store(store)["a"].quality)
    assert rows[3] == row(3.0, dark=True, blurred=True)
