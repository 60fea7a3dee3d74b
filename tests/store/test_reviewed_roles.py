"""Roles that somebody gave: kept beside the results, and given again after each analysis."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scenes_builders import FPS, frame_table, record

from visionllm_interaction.core.bodies import BodyTables, RoleEstimate
from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.tracks_relations_events import Track
from visionllm_interaction.errors import StoreError, UsageError
from visionllm_interaction.measures.catalogue_query import Query, run_query
from visionllm_interaction.measures.language.run import query
from visionllm_interaction.store.audit_corrections import video_state
from visionllm_interaction.store.corrections.recording import add_correction, undo_correction
from visionllm_interaction.store.reader import open_store, publish_video
from visionllm_interaction.store.roles.reviewed import ROLES_FILE, read_reviewed_roles, set_roles
from visionllm_interaction.store.video_record import DetectorRecord

LEFT, RIGHT = (10.0, 10.0, 60.0, 200.0), (300.0, 20.0, 360.0, 220.0)


def publish(store: Path, spans: dict[int, tuple[int, int, tuple[float, ...]]], *, estimated: bool = True) -> None:
    """A video with people at places: track id → first frame, last frame + 1, box."""
    rows = sorted((f, t, box) for t, (begin, end, box) in spans.items() for f in range(begin, end))
    frames = np.array([row[0] for row in rows])
    detections = DetectionTable(
        frames,
        frames / FPS,
        np.full(len(rows), "person", dtype=object),
        np.full(len(rows), 0.9, np.float32),
        np.array([row[2] for row in rows], np.float32),
        np.array([row[1] for row in rows]),
    )
    detector = DetectorRecord(kind="checkpoint", name="d", digest="0", categories=("person", "cup"))
    tracks = [Track(t, "person", None, b / FPS, e / FPS, e - b, 0.9) for t, (b, e, _) in spans.items()]
    publish_video(
        store,
        record("a").model_copy(update={"detector": detector, "roles_estimated": estimated}),
        frames=frame_table(),
        detections=detections,
        tracks=tracks,
        relations=[],
        events=[],
        bodies=BodyTables(roles=tuple(RoleEstimate(t.track_id, None, 0.4, 3, ("face",)) for t in tracks)),
    )


@pytest.fixture
def store(tmp_path: Path) -> Path:
    publish(tmp_path / "s", {1: (0, 60, LEFT), 2: (0, 100, RIGHT)})
    return tmp_path / "s"


def roles(store: Path) -> dict[int, str | None]:
    return {track.track_id: track.role for track in open_store(store).tracks("a")}


def test_a_role_that_was_given_counts_at_once(store: Path) -> None:
    set_roles(store, "a", {1: "child", "rest": "caregiver"})
    assert roles(store) == {1: "child", 2: "caregiver"}
    [row] = query("total(visible(child))", store).rows
    assert row.value == pytest.approx(6.0)


def test_roles_find_their_people_again_after_another_analysis(store: Path) -> None:
    set_roles(store, "a", {1: "child", 2: "caregiver"})
    # Other ids; the child's track is in two parts now, and somebody new stands elsewhere.
    publish(store, {7: (0, 30, LEFT), 8: (32, 60, LEFT), 1: (0, 100, RIGHT), 9: (0, 50, (500.0, 20.0, 560.0, 220.0))})
    assert roles(store) == {7: "child", 8: "child", 1: "caregiver", 9: None}


def test_a_reviewed_role_can_be_taken_away(store: Path) -> None:
    set_roles(store, "a", {1: "child", 2: "unknown"})
    assert roles(store) == {1: "child", 2: None}
    set_roles(store, "a", {1: "estimated"})
    assert roles(store) == {1: None, 2: None}
    assert [one.track_id for one in read_reviewed_roles(store, "a").reviewed] == [2]


def test_the_rest_is_whoever_was_not_reviewed(store: Path) -> None:
    set_roles(store, "a", {2: "caregiver"})
    set_roles(store, "a", {"rest": "other"})
    assert roles(store) == {1: "other", 2: "caregiver"}


@pytest.mark.parametrize("wrong", [{5: "child"}, {1: "granny"}])
def test_nothing_is_set_where_something_is_wrong(store: Path, wrong: dict[int | str, str]) -> None:
    with pytest.raises(UsageError):
        set_roles(store, "a", {2: "child", **wrong})
    assert roles(store) == {1: None, 2: None}
    assert not (store / "videos/a" / ROLES_FILE).exists()


def test_a_damaged_file_of_roles_is_named(store: Path) -> None:
    (store / "videos/a" / ROLES_FILE).write_text("{")
    with pytest.raises(StoreError, match="reviewed roles"):
        set_roles(store, "a", {1: "child"})


def test_corrected_values_do_not_outlive_a_review(store: Path) -> None:
    before = video_state(open_store(store), "a")
    set_roles(store, "a", {1: "child"})
    assert video_state(open_store(store), "a") != before


def test_unknown_is_not_no(store: Path) -> None:
    [row] = query("total(visible(child))", store).rows
    assert row.value is None
    assert "2 people" in str(row) or "2 people" in str(query("total(visible(child))", store).missing)


def test_where_everybody_is_known_no_child_is_no_child(store: Path) -> None:
    set_roles(store, "a", {1: "caregiver", 2: "other"})
    [row] = query("total(visible(child))", store).rows
    assert row.value == 0


def test_a_short_unknown_track_leaves_a_long_known_one_alone(tmp_path: Path) -> None:
    publish(tmp_path / "s", {1: (0, 100, LEFT), 2: (0, 6, RIGHT)})
    set_roles(tmp_path / "s", "a", {1: "child"})
    [row] = query("total(visible(child))", tmp_path / "s").rows
    assert row.value == pytest.approx(10.0)


def test_a_child_who_was_away_was_not_there_meanwhile(tmp_path: Path) -> None:
    """In view for 2 of the 10 s of the joined track: somebody unknown of 0.6 s is no small matter."""
    publish(tmp_path / "s", {1: (0, 10, LEFT), 2: (0, 6, RIGHT), 3: (90, 100, LEFT)})
    set_roles(tmp_path / "s", "a", {1: "child", 3: "child"})
    merge = {"kind": "identity", "action": "merge", "track_id": 1, "other_track_id": 3}
    add_correction(tmp_path / "s", "a", merge, who="Kari")
    [row] = query("total(visible(child))", tmp_path / "s").rows
    assert row.value is None and "0.6 s" in (row.missing or "")
    # Of the measure as well; but that the child was there at all is known.
    [row] = run_query(open_store(tmp_path / "s"), Query("visible_duration", "child"))
    assert row.value is None and "0.6 s" in (row.missing or "")
    [row] = query("exists(visible(child))", tmp_path / "s").rows
    assert row.value is True
    set_roles(tmp_path / "s", "a", {2: "other"})
    [row] = run_query(open_store(tmp_path / "s"), Query("visible_duration", "child"))
    assert row.value == pytest.approx(2.0)


def test_roles_of_categories_that_nobody_looks_for_are_nobodys(tmp_path: Path) -> None:
    """A detector that knows *person* only, without roles: it is not known, not 0 s, how long a child was there."""
    publish(tmp_path / "s", {1: (0, 100, LEFT)}, estimated=False)
    [row] = query("total(visible(child))", tmp_path / "s").rows
    assert row.value is None


def test_estimates_are_kept(store: Path) -> None:
    assert next(iter(open_store(store)["a"].roles)) == RoleEstimate(1, None, 0.4, 3, ("face",))


def test_a_review_counts_where_people_have_corrected_the_video(store: Path) -> None:
    role = {"kind": "role", "action": "set", "track_id": 1, "role": "child"}
    add_correction(store, "a", role, who="Kari")
    set_roles(store, "a", {"rest": "caregiver"})
    assert roles(store) == {1: "child", 2: "caregiver"}, "the corrected tracks, made anew of the reviewed ones"
    with pytest.raises(UsageError, match="corrected by hand") as refused:
        set_roles(store, "a", {1: "other"})
    assert "visionllm corrections" in (refused.value.fix or "")
    assert roles(store) == {1: "child", 2: "caregiver"}
    undo_correction(store, "a", 1, who="Kari")
    set_roles(store, "a", {1: "other"})
    assert roles(store) == {1: "other", 2: "caregiver"}
