"""Hands, faces, poses and postures in a store, and in expressions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scenes_builders import RELATIONS, SPANS, detection_table, frame_table, record

from visionllm_interaction.core.bodies import BodyTables, FaceRow, HandRow, HoldingEvidence, PoseRow, PostureBout
from visionllm_interaction.core.tracks_relations_events import Relation, Track
from visionllm_interaction.errors import ExpressionError
from visionllm_interaction.measures.language.run import query
from visionllm_interaction.store.layout import read_version
from visionllm_interaction.store.reader import open_store, publish_video
from visionllm_interaction.store.video_record import BodiesRecord

BOX = np.array([1, 2, 30, 40], np.float32)
BODIES = BodyTables(
    hands=(HandRow(10, 1.0, 1, "left", 0.75, BOX, np.arange(42, dtype=np.float32).reshape(21, 2)),),
    faces=(FaceRow(10, 1.0, 1, 0.5, BOX, -35.0, float("nan")), FaceRow(11, 1.1, -1, 0.5, BOX, 10.0, 5.0)),
    poses=(PoseRow(10, 1.0, 1, 0.75, None, np.ones((33, 2), np.float32), np.full(33, 0.5, np.float32)),),
    postures=(PostureBout(1, "sitting", 1.0, 3.0, 0.9), PostureBout(1, "standing", 3.0, 5.0, 1.0)),
    holdings=(HoldingEvidence(1, 3, 2.5, 2.8, 4, 3, "hands"),),
)
TRACKS = [Track(1, "child", "child", 1.0, 8.0, 57, 0.9), Track(3, "cup", None, 2.0, 5.0, 30, 0.9)]


def _publish(store: Path, name: str, *, bodies: BodyTables | None, finds: tuple[str, ...] | None) -> None:
    about = None if finds is None else BodiesRecord(finds=finds, models={"pose.tflite": "0" * 64}, per_s=5.0)
    publish_video(
        store,
        record(name).model_copy(update={"bodies": about}),
        frames=frame_table(),
        detections=detection_table([span for span in SPANS if span[0] in (1, 3)]),
        tracks=TRACKS,
        relations=[
            *(r for r in RELATIONS if r.object_track_id == 3),
            *([Relation(1, "hand_on", 3, 2.0, 2.5, 0.9)] if bodies else []),
        ],
        events=[],
        bodies=bodies,
    )


@pytest.fixture
def store_path(tmp_path: Path) -> Path:
    _publish(tmp_path / "s", "with", bodies=BODIES, finds=("hands", "faces", "pose"))
    _publish(tmp_path / "s", "without", bodies=None, finds=None)
    return tmp_path / "s"


def test_what_is_written_is_read(store_path: Path) -> None:
    video = open_store(store_path)["with"]
    [hand], [pose], faces = video.hands, video.poses, list(video.faces)
    assert (hand.frame_index, hand.track_id, hand.side, hand.confidence) == (10, 1, "left", 0.75)
    np.testing.assert_array_equal(hand.points_xy, BODIES.hands[0].points_xy)
    np.testing.assert_array_equal(hand.box_xyxy, BOX)
    np.testing.assert_array_equal(pose.points_xy, BODIES.poses[0].points_xy)
    assert pose.posture is None and pose.visibility.shape == (33,)
    assert np.isnan(faces[0].pitch_deg) and faces[1].pitch_deg == 5.0
    assert tuple(video.postures) == BODIES.postures and tuple(video.holdings) == BODIES.holdings
    assert video.record.bodies is not None and video.record.bodies.finds == ("hands", "faces", "pose")


def test_a_video_without_bodies_has_empty_tables_and_no_files(store_path: Path) -> None:
    video = open_store(store_path)["without"]
    tables = (video.hands, video.faces, video.poses, video.postures, video.holdings)
    assert [len(table) for table in tables] == [0] * 5
    assert not list((store_path / "videos" / "without").glob("hands*"))
    assert read_version(store_path) == 2, "older programs and stores get along"


def test_bodies_go_when_a_video_is_analysed_again_without_them(store_path: Path) -> None:
    _publish(store_path, "with", bodies=None, finds=None)
    assert len(open_store(store_path)["with"].hands) == 0


def _values(expression: str, store: Path) -> dict[str, tuple[float | None, str | None]]:
    return {row.video_id: (row.value, row.missing) for row in query(f"{expression} by video", open_store(store))}


@pytest.mark.parametrize(
    ("expression", "seconds", "missing"),
    [
        ('total(posture(child, "sitting"))', 2.0, "no poses were looked for"),
        ('total(posture(person, "standing"))', 2.0, "no poses were looked for"),
        ('total(posture(child, "lying"))', 0.0, "no poses were looked for"),
        ('total(posture(child, "sitting") and holding(child, cup))', 0.3, "no poses were looked for"),
        ("total(hand_on(child, cup))", 0.5, "no hands were looked for"),
        ("total(facing(child, cup))", 0.0, "no head directions were imported"),
    ],
)
def test_expressions_read_them_and_say_where_they_were_not_looked_for(
    store_path: Path, expression: str, seconds: float, missing: str
) -> None:
    values = _values(expression, store_path)
    assert values["with"][0] == pytest.approx(seconds)
    assert values["without"][0] is None and missing in str(values["without"][1])


def test_an_unknown_posture_is_refused(store_path: Path) -> None:
    with pytest.raises(ExpressionError, match="no posture 'siting'") as caught:
        query('total(posture(child, "siting"))', open_store(store_path))
    assert "sitting" in str(caught.value.fix)
