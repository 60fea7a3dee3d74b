"""Hands, faces and poses in the analysis of a video: what is stored, what follows, and when it is done again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from visionllm_interaction.analysis import bodies as analysis_bodies
from visionllm_interaction.analysis.analyze_videos import analyze
from visionllm_interaction.analysis.bodies import BodyTask, find_models, parse_kinds
from visionllm_interaction.errors import ModelMissing, UsageError
from visionllm_interaction.measures.language.run import query
from visionllm_interaction.store.reader import open_store
from visionllm_interaction.video.bodies.estimator import Bodies, BodyModels, OwnedFace, OwnedHand
from visionllm_interaction.video.bodies.faces import Face
from visionllm_interaction.video.bodies.hands import Hand
from visionllm_interaction.video.bodies.poses import Point, Pose


class _Sees:
    """Of each person: a hand at the ball's place, a head turned to the image's right, and a standing body."""

    def estimate(
        self, images_rgb: Sequence[np.ndarray], boxes_xyxy: Sequence[np.ndarray], sequence: object = None
    ) -> list[Bodies]:
        return [self._one(np.asarray(boxes).reshape(-1, 4)) for boxes in boxes_xyxy]

    def _one(self, boxes: np.ndarray) -> Bodies:
        faces, hands, poses = [], [], []
        for row, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
            middle, height = (x1 + x2) / 2, y2 - y1
            face = np.array([middle - 5, y1, middle + 5, y1 + 12], np.float32)
            faces.append(OwnedFace(row, Face(face, 0.9, 0.9, 40.0, 0.0)))
            hand = np.array([122, 92, 132, 102], np.float32)
            hands.append(OwnedHand(row, "right", Hand(hand, 0.9, 0.9, np.zeros((21, 2), np.float32))))
            points = np.zeros((33, 2), np.float32)
            for down, names in ((0.2, "SHOULDER"), (0.5, "HIP"), (0.75, "KNEE")):
                points[[Point[f"LEFT_{names}"], Point[f"RIGHT_{names}"]]] = (middle, y1 + down * height)
            ones = np.ones(33, np.float32)
            poses.append(Pose(points, np.zeros(33, np.float32), ones, ones, 0.9))
        return Bodies(tuple(poses), tuple(faces), tuple(hands))


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BodyTask:
    """Models that are found on the machine, and what they see."""
    files = {}
    for name in ("pose", "palms", "hands", "face_detector", "face_landmarks"):
        files[name] = tmp_path / f"{name}.tflite"
        files[name].write_text(name)
    found = BodyTask(BodyModels(**files))
    monkeypatch.setattr(BodyTask, "estimator", lambda self, config: _Sees())
    monkeypatch.setattr("visionllm_interaction.analysis.analyze_videos.find_models", lambda kinds: found)
    return found


KINDS = ("people", "hands", "faces", "pose")


def test_tables_relations_and_expressions_follow_from_what_is_seen(clip: Path, tmp_path: Path, task: BodyTask) -> None:
    store = tmp_path / "store"
    analyze(clip, store, detections="truth", models=KINDS)
    opened = open_store(store)
    [video_id] = opened
    video = opened[video_id]
    assert len(video.hands) == len(video.faces) == len(video.poses) == 10, "2 s at five frames a second"
    assert {row.track_id for row in video.hands} == {3}
    assert [bout.posture for bout in video.postures] == ["standing"]
    found = {(r.subject_track_id, r.predicate, r.object_track_id) for r in video.relations}
    assert {(3, "hand_on", 7), (3, "facing", 7)} <= found
    assert video.record.bodies is not None and video.record.bodies.finds == ("hands", "faces", "pose")
    for expression in (
        'total(posture(child, "standing"))',
        "total(hand_on(child, ball))",
        "total(facing(child, ball))",
    ):
        [row] = query(expression, opened).rows
        assert row.value == pytest.approx(2.0, abs=0.25), expression


def test_it_is_done_again_with_other_models_and_not_with_the_same(clip: Path, tmp_path: Path, task: BodyTask) -> None:
    def run(models: Sequence[str] | None) -> tuple[str, str | None]:
        [video] = analyze(clip, tmp_path / "store", detections="truth", models=models).videos
        return video.status, video.changed

    assert run(KINDS) == ("done", None)
    assert run(KINDS) == ("up_to_date", None)
    assert task.models.pose is not None
    task.models.pose.write_text("another network")
    task.__dict__.pop("digests")
    status, changed = run(KINDS)
    assert status == "done" and "models of faces, hands and poses" in str(changed)


def test_a_given_file_of_heads_is_preferred(clip: Path, tmp_path: Path, task: BodyTask) -> None:
    heads = tmp_path / "heads.csv"
    rows = [f"{n},{50 + n},40,-40" for n in range(0, 50, 2)]
    heads.write_text("\n".join(["frame_index,x,y,yaw_deg", *rows]))
    analyze(clip, tmp_path / "store", detections="truth", models=KINDS, heads=heads)
    opened = open_store(tmp_path / "store")
    assert not [r for r in opened.relations(next(iter(opened))) if r.predicate == "facing"], (
        "they look away from the ball"
    )


def test_kinds_are_named_with_commas() -> None:
    assert parse_kinds("pose, people") == ("people", "pose")
    with pytest.raises(UsageError) as caught:
        parse_kinds("people,feet")
    assert caught.value.found == "feet" and "hands" in str(caught.value.expected)


def test_models_that_are_not_there_are_named_if_asked_for_and_passed_over_if_not() -> None:
    assert find_models(None) is None
    assert find_models(("people",)) is None
    with pytest.raises(ModelMissing) as caught:
        find_models(("people", "hands"))
    assert "visionllm models get hands" in str(caught.value.fix)


def test_the_task_travels_to_other_machines_without_its_networks(task: BodyTask) -> None:
    import pickle

    copy = pickle.loads(pickle.dumps(task))
    assert copy.models == task.models and copy.digests == task.digests
    assert analysis_bodies.KINDS[0] == "people"
