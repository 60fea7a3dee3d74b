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
from visionllm_interaction.reasoning.pipeline import ask
from visionllm_interaction.reasoning.recheck_answer import replay
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


MIDDLE = (150.0, 20.0, 210.0, 220.0)


@pytest.fixture
def in_part(tmp_path: Path) -> Path:
    """A child from 0 to 2 s, a caregiver all the time, and somebody of unknown role from 2 s on."""
    publish(tmp_path / "s", {1: (0, 20, LEFT), 2: (0, 100, RIGHT), 3: (20, 100, MIDDLE)})
    set_roles(tmp_path / "s", "a", {1: "child", 2: "caregiver"})
    return tmp_path / "s"


@pytest.mark.parametrize(
    "expression",
    [
        "holds(visible(child), at=5s)",
        "exists(longer_than(visible(child), 5s))",
        "exists(at_least(2, visible(child)))",
        "exists(visible(child) & visible(caregiver) & between(5s, 10s))",
        "holds(!visible(child), at=5s)",
        "exists(!visible(child))",
        "exists(visible(caregiver) & !visible(child))",
        "exists(shorter_than(visible(child), 5s))",
        "exists(alone(child))",
        "!exists(visible(child))",
        "size(child)",
        "mean(size(child))",
        "centredness(child)",
        "first_seen(child)",
        "total(visible(child))",
        # Who is left out may be the one of whom nobody knows it.
        "total(visible(person except child))",
        "total(visible(anything except child))",
        "exists(visible(person except child except caregiver))",
        "holds(visible(person except caregiver), at=5s)",
        "exists(!visible(person except child))",
        "mean(size(person except child))",
        "total(visible(caregiver) & !visible(person except caregiver))",
    ],
)
def test_what_more_of_somebody_might_change_is_not_known(in_part: Path, expression: str) -> None:
    [row] = query(expression, in_part).rows
    assert row.value is None and "8.0 s" in (row.missing or "")


@pytest.mark.parametrize(
    "expression",
    [
        "exists(visible(child))",
        "holds(visible(child), at=1s)",
        "exists(longer_than(visible(child), 1s))",
        "exists(visible(child) & visible(caregiver))",
        "exists(visible(child)) & exists(visible(caregiver))",
        # The caregiver alone proves it, whoever the other one is; so does the child.
        "exists(visible(person except child))",
        "exists(visible(person except caregiver))",
        "exists(visible(anything except child))",
        "holds(visible(person except child), at=5s)",
        "exists(visible(child) & visible(person except child))",
    ],
)
def test_a_yes_that_nobody_can_undo_is_known(in_part: Path, expression: str) -> None:
    [row] = query(expression, in_part).rows
    assert row.value is True and row.missing is None


def test_who_is_left_out_by_a_role_is_known_or_not_told(tmp_path: Path, in_part: Path) -> None:
    """A set difference is as known as what it leaves out, and things and unnamed people do not depend on roles."""
    early, late = query("total(visible(person except child)) by bin(5s)", in_part).rows
    assert early.value is None and late.value is None
    for plain in ("total(visible(person))", "total(visible(thing except cup))", "total(visible(person except cup))"):
        [row] = query(plain, in_part).rows
        assert row.value is not None, plain
    publish(tmp_path / "short", {1: (0, 100, LEFT), 2: (0, 100, RIGHT), 3: (20, 25, MIDDLE)})
    set_roles(tmp_path / "short", "a", {1: "child", 2: "caregiver"})
    [row] = query("total(visible(person except child))", tmp_path / "short").rows
    assert row.value == pytest.approx(10.0)
    publish(tmp_path / "nobody", {1: (0, 40, LEFT), 2: (0, 100, RIGHT)}, estimated=False)
    [row] = query("total(visible(person except child))", tmp_path / "nobody").rows
    assert row.value is None and "nobody who was detected is marked as 'child'" in (row.missing or "")
    for nobody_knows in ("total(visible(person except child)) by video", "exists(visible(person except child))"):
        [row] = query(nobody_knows, tmp_path / "nobody").rows
        assert row.value is None, nobody_knows
    set_roles(tmp_path / "nobody", "a", {1: "child", 2: "caregiver"})
    [row] = query("total(visible(person except child))", tmp_path / "nobody").rows
    assert row.value == pytest.approx(10.0)


@pytest.mark.parametrize("variable", ["$p in person", "$p"])
def test_a_variable_takes_nobody_twice(in_part: Path, variable: str) -> None:
    """Each stands for its own name; a word for all people that is written stands for all of them."""
    rows = query(f"total(visible($p)) by {variable}", in_part).rows
    found = {row.names["$p"]: row.value for row in rows}
    assert found == {"caregiver": None, "child": None, "person": pytest.approx(8.0)}
    [child, everybody] = query("total(visible($p)) by $p in (child, person)", in_part).rows
    assert (child.value, everybody.value) == (None, pytest.approx(10.0))


def test_a_list_of_times_says_that_there_may_be_more(in_part: Path) -> None:
    found, more = query("visible(child)", in_part).rows
    assert found.value == pytest.approx(2.0)
    assert more.value is None and "8.0 s" in (more.missing or "")
    [alone] = query("!visible(child)", in_part).rows
    assert alone.value is None


def test_who_is_unknown_elsewhere_changes_nothing_in_a_window(tmp_path: Path) -> None:
    publish(tmp_path / "s", {1: (0, 40, LEFT), 2: (90, 100, RIGHT)})
    set_roles(tmp_path / "s", "a", {1: "child"})
    store = open_store(tmp_path / "s")
    [row] = run_query(store, Query("visible_duration", "child", end_s=5.0))
    assert row.value == pytest.approx(4.0)
    [row] = run_query(store, Query("first_seen", "child", end_s=5.0))
    assert row.value == pytest.approx(0.0)
    [row] = run_query(store, Query("visible_duration", "child", begin_s=5.0))
    assert row.value is None and "somebody (1.0 s)" in (row.missing or "")
    early, late = query("total(visible(child)) by bin(5s)", tmp_path / "s").rows
    assert early.value == pytest.approx(4.0)
    assert late.value is None and "somebody (1.0 s)" in (late.missing or "")


@pytest.mark.parametrize("question", ["Was the child visible?", "Was there a child?", "Did the child appear?"])
def test_a_question_whether_somebody_was_there_needs_no_seconds(in_part: Path, question: str) -> None:
    answer = ask(question, in_part)
    assert answer.status == "answered" and "yes: the child was in view" in (answer.answer or "").lower()
    assert " s." not in (answer.answer or "") and [claim.value for claim in answer.claims] == ["yes"]
    assert replay(answer, in_part).status == "holds"


def test_a_question_within_a_window_is_answered_in_words(in_part: Path) -> None:
    answer = ask("Was the child visible between 1 and 4 s?", in_part)
    assert answer.answer == "Yes: the child was in view between 1 s and 4 s."
    assert ask("Was the child visible between 5 and 8 s?", in_part).status == "abstained"


def test_who_was_there_is_said_although_not_for_how_long(in_part: Path) -> None:
    answer = ask("Who is in the video?", in_part)
    assert answer.answer == "Who was in view: the caregiver and the child."
    assert [claim.value for claim in answer.claims] == ["caregiver, child"]


def test_how_long_somebody_was_there_is_refused_with_the_reason(in_part: Path) -> None:
    """The video is called "a", as a word of the reason is."""
    answer = ask("How long was the child visible?", in_part)
    assert answer.status == "abstained"
    assert "somebody (8.0 s)" in (answer.reason or "") and "visionllm roles review" in (answer.reason or "")
