"""Corrections of a video: what they change, that undoing them gives the machine's values, and that none is lost."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moving_scene import (
    BALL,
    BEGINS_S,
    CAREGIVER,
    CHILD,
    CUP,
    ENDS_S,
    FPS,
    N,
    publish_scene,
    scene_bodies,
    scene_boxes,
    scene_table,
    table_of,
)

from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.errors import StoreError, UsageError
from visionllm_interaction.measures.language.run import query
from visionllm_interaction.store.corrections import recording
from visionllm_interaction.store.corrections.recording import (
    CorrectionConflict,
    add_correction,
    list_corrections,
    undo_correction,
)
from visionllm_interaction.store.reader import erase_video, open_store

TABLES = (
    "frames",
    "detections",
    "tracks",
    "relations",
    "events",
    "sightings",
    "hands",
    "poses",
    "postures",
    "holdings",
)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The scene twice: video ``a`` with hands and poses, video ``b`` without."""
    publish_scene(tmp_path / "store", bodies=scene_bodies())
    publish_scene(tmp_path / "store", "b")
    return tmp_path / "store"


def tables(store: Path, video_id: str = "a", *, values: Any = "corrected") -> dict[str, list[dict[str, Any]]]:
    with open_store(store, values=values) as opened:
        rows = {name: opened.read_table(video_id, name).to_pylist() for name in TABLES}
    # One not-a-number (a look that was not computed) is like another.
    return {
        name: [{key: None if value != value else value for key, value in row.items()} for row in found]
        for name, found in rows.items()
    }


def value(store: Path, expression: str, *, values: Any = "corrected") -> Any:
    with open_store(store, values=values) as opened:
        return query(expression, opened).value


def correct(store: Path, video_id: str = "a", who: str = "Kari", **change: Any) -> Any:
    return add_correction(store, video_id, change, who=who)


def gap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    apart = [max(a[k] - b[k + 2], b[k] - a[k + 2], 0.0) for k in (0, 1)]
    return float(np.hypot(*apart))


def near_s(person: Any, thing: Any) -> float:
    """Seconds in which a box is within a quarter of a person's height: counted frame by frame, by hand."""
    frames = [f for f in person if f in thing and gap(person[f], thing[f]) <= 0.25 * (person[f][3] - person[f][1])]
    return len(frames) / FPS


def test_identity_switch_is_exchanged(store: Path) -> None:
    boxes = scene_boxes()
    assert value(store, "total(near(child, ball)) in video a") == pytest.approx(near_s(boxes[CHILD], boxes[BALL]))
    correct(store, kind="identity", action="exchange", track_id=BALL, other_track_id=CUP, at_s=8.0)
    at = 80
    ball = {f: b for f, b in boxes[BALL].items() if f < at} | {f: b for f, b in boxes[CUP].items() if f >= at}
    cup = {f: b for f, b in boxes[CUP].items() if f < at} | {f: b for f, b in boxes[BALL].items() if f >= at}
    for name, thing in (("ball", ball), ("cup", cup)):
        for who, person in (("child", boxes[CHILD]), ("caregiver", boxes[CAREGIVER])):
            found = value(store, f"total(near({who}, {name})) in video a")
            assert found == pytest.approx(near_s(person, thing), abs=0.11), (who, name)
        assert value(store, f"total(visible({name})) in video a") == pytest.approx(len(thing) / FPS)
    assert value(store, "total(near(child, ball)) in video a", values="detected") == pytest.approx(ENDS_S - BEGINS_S)
    rows = tables(store)["detections"]
    assert {row["category"] for row in rows if row["track_id"] == BALL} == {"ball"}, "one category for one track"


def test_boxes_are_moved_added_and_deleted(store: Path) -> None:
    correct(store, kind="box", action="delete", track_id=BALL, begin_s=6.0, end_s=9.0)
    assert value(store, "total(visible(ball)) in video a") == pytest.approx(N / FPS - 3.0)
    # The ball stays with the child for three seconds more, as a straight line between two key boxes says.
    keys = [{"time_s": t, "box_xyxy": [150, 360, 180, 390]} for t in (12.0, 14.9)]
    correct(store, kind="box", action="set", track_id=BALL, boxes=keys)
    rows = [r for r in tables(store)["detections"] if r["track_id"] == BALL and 12.0 <= r["timestamp_s"] < 15.0]
    assert len(rows) == 30
    assert {(r["x1"], r["y2"], r["confidence"]) for r in rows} == {(150.0, 390.0, 1.0)}
    assert [r["interpolated"] for r in rows] == [False, *[True] * 28, False], "only what a person drew was seen"
    near = value(store, "total(near(child, ball)) in video a")
    assert near == pytest.approx((6.0 - 5.0) + (15.0 - 9.0), abs=0.11)
    assert value(store, "total(near(child, ball)) in video b") == pytest.approx(7.0)


def test_something_new_becomes_a_track(store: Path) -> None:
    keys = [{"time_s": 1.0, "box_xyxy": [10, 10, 40, 40]}, {"time_s": 3.0, "box_xyxy": [30, 10, 60, 40]}]
    made = correct(store, kind="box", action="set", category="doll", boxes=keys).to_dict()["corrections"][-1]
    assert made["target"]["track_id"] == 900_001
    assert value(store, "total(visible(doll)) in video a") == pytest.approx(2.1)
    middle = next(r for r in tables(store)["detections"] if r["category"] == "doll" and r["timestamp_s"] == 2.0)
    assert (middle["x1"], middle["x2"]) == (20.0, 50.0)
    correct(store, kind="category", action="set", track_id=900_001, category="book")
    assert value(store, "total(visible(book)) in video a") == pytest.approx(2.1)
    undo_correction(store, "a", 1, who="Ola")
    listed = list_corrections(store, "a")
    assert [one.correction.correction_id for one in listed.orphaned] == [2], "its track is not made any more"
    again = correct(store, kind="box", action="set", category="doll", boxes=keys).to_dict()["corrections"][-1]
    assert again["target"]["track_id"] == 900_002, "an id is never given twice"


def test_split_and_merge(store: Path) -> None:
    correct(store, kind="identity", action="split", track_id=CHILD, at_s=10.0)
    found = {t["track_id"]: t for t in tables(store)["tracks"]}
    assert (found[CHILD]["end_s"], found[900_001]["begin_s"]) == (10.0, 10.0)
    assert found[900_001]["role"] == "child"
    hands = tables(store)["hands"]
    assert {h["track_id"] for h in hands if h["timestamp_s"] >= 10.0} == {900_001}, "hands go with their person"
    assert {p["track_id"] for p in tables(store)["postures"]} == {CHILD, CAREGIVER, 900_001}
    correct(store, kind="category", action="set", track_id=900_001, category="caregiver")
    assert value(store, "total(near(child, ball)) in video a") == pytest.approx(5.0)
    correct(store, kind="identity", action="merge", track_id=CHILD, other_track_id=900_001)
    assert len(tables(store)["tracks"]) == 4
    assert value(store, "total(near(child, ball)) in video a") == pytest.approx(7.0)


def test_merging_keeps_one_box_a_frame(store: Path) -> None:
    correct(store, kind="identity", action="merge", track_id=BALL, other_track_id=CUP)
    rows = [row["frame_index"] for row in tables(store)["detections"] if row["track_id"] == BALL]
    assert len(rows) == len(set(rows)) == N


def test_category_and_role(store: Path) -> None:
    correct(store, kind="category", action="set", track_id=CUP, category="ball")
    assert value(store, "total(near(caregiver, ball)) in video a") == pytest.approx(16.0)
    assert value(store, "total(near(caregiver, cup)) in video a") == 0.0
    correct(store, kind="category", action="set", track_id=CAREGIVER, category="infant")
    assert {t["track_id"]: t["role"] for t in tables(store)["tracks"]}[CAREGIVER] == "child", "by its category"
    correct(store, kind="role", action="set", track_id=CAREGIVER, role="caregiver")
    assert {t["track_id"]: t["role"] for t in tables(store)["tracks"]}[CAREGIVER] == "caregiver"
    last = list_corrections(store, "a").to_dict()["corrections"][-1]
    assert (last["old"], last["new"], last["who"], last["state"]) == (
        {"role": "child"},
        {"role": "caregiver"},
        "Kari",
        "applied",
    )


def test_bouts_and_events_are_laid_over(store: Path) -> None:
    bout = {"subject_track_id": CHILD, "predicate": "near", "object_track_id": BALL}
    correct(store, kind="bout", action="move", **bout, begin_s=5.0, end_s=12.0, new_begin_s=4.0, new_end_s=12.5)
    assert value(store, "total(near(child, ball)) in video a") == pytest.approx(8.5)
    correct(store, kind="bout", action="add", **bout, begin_s=15.0, end_s=16.0)
    assert value(store, "count(near(child, ball)) in video a") == 2
    correct(store, kind="bout", action="remove", **bout, begin_s=15.2, end_s=15.4)
    correct(store, kind="bout", action="add", **{**bout, "predicate": "holding"}, begin_s=5.0, end_s=7.0)
    assert value(store, "total(holding(child, ball)) in video a") == pytest.approx(2.0)
    evidence = tables(store)["holdings"]
    assert [(e["begin_s"], e["evidence"]) for e in evidence] == [(5.0, "hands")], "hands speak for a bout people add"
    correct(store, kind="event", action="add", event="picks_up", track_ids=[CHILD, BALL], begin_s=5.0)
    correct(store, kind="event", action="move", event="picks_up", track_ids=[CHILD, BALL], begin_s=5.1, new_begin_s=6)
    assert [(e["kind"], e["begin_s"]) for e in tables(store)["events"] if e["kind"] == "picks_up"] == [
        ("picks_up", 6.0)
    ]
    correct(store, kind="event", action="remove", event="picks_up", track_ids=[CHILD, BALL], begin_s=6.0)
    assert not [e for e in tables(store)["events"] if e["kind"] == "picks_up"]


def test_a_bout_goes_with_its_track(store: Path) -> None:
    """A bout that was corrected first, and a track that was exchanged later: the bout is of the individual."""
    bout = {"subject_track_id": CHILD, "predicate": "holding", "object_track_id": BALL}
    correct(store, kind="bout", action="add", **bout, begin_s=10.0, end_s=11.0)
    correct(store, kind="identity", action="exchange", track_id=BALL, other_track_id=CUP, at_s=8.0)
    assert value(store, "total(holding(child, cup)) in video a") == pytest.approx(1.0)
    assert value(store, "total(holding(child, ball)) in video a") == 0.0


CHANGES = st.one_of(
    st.builds(
        lambda track, begin, length: {
            "kind": "box",
            "action": "delete",
            "track_id": track,
            "begin_s": begin,
            "end_s": begin + length,
        },
        st.sampled_from([CHILD, CAREGIVER, BALL, CUP]),
        st.integers(0, 15),
        st.integers(1, 8),
    ),
    st.builds(
        lambda track, at, x: {
            "kind": "box",
            "action": "set",
            "track_id": track,
            "boxes": [
                {"time_s": at, "box_xyxy": [x, 200, x + 50, 260]},
                {"time_s": at + 2, "box_xyxy": [x + 30, 200, x + 90, 270]},
            ],
        },
        st.sampled_from([CHILD, CAREGIVER, BALL, CUP]),
        st.integers(0, 17),
        st.integers(0, 500),
    ),
    st.builds(
        lambda track, category: {"kind": "category", "action": "set", "track_id": track, "category": category},
        st.sampled_from([CHILD, CAREGIVER, BALL, CUP]),
        st.sampled_from(["ball", "cup", "child", "person"]),
    ),
    st.builds(
        lambda track, role: {"kind": "role", "action": "set", "track_id": track, "role": role},
        st.sampled_from([CHILD, CAREGIVER]),
        st.sampled_from(["child", "caregiver", None]),
    ),
    st.builds(
        lambda pair, at: {
            "kind": "identity",
            "action": "exchange",
            "track_id": pair[0],
            "other_track_id": pair[1],
            "at_s": at,
        },
        st.permutations([CHILD, CAREGIVER, BALL, CUP]),
        st.integers(1, 17),
    ),
    st.builds(
        lambda track, at: {"kind": "identity", "action": "split", "track_id": track, "at_s": at},
        st.sampled_from([CHILD, CAREGIVER, BALL, CUP, 900_001]),
        st.integers(1, 17),
    ),
    st.builds(
        lambda pair: {"kind": "identity", "action": "merge", "track_id": pair[0], "other_track_id": pair[1]},
        st.permutations([CHILD, CAREGIVER, BALL, CUP, 900_001]),
    ),
    st.builds(
        lambda pair, begin, length: {
            "kind": "bout",
            "action": "add",
            "subject_track_id": pair[0],
            "predicate": "near",
            "object_track_id": pair[1],
            "begin_s": begin,
            "end_s": begin + length,
        },
        st.permutations([CHILD, CAREGIVER, BALL, CUP]),
        st.integers(0, 15),
        st.integers(1, 5),
    ),
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(CHANGES, min_size=1, max_size=6), order=st.randoms(use_true_random=False))
def test_undoing_all_gives_the_machine_values_exactly(
    changes: list[dict[str, Any]], order: random.Random, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = tmp_path_factory.mktemp("undo") / "store"
    publish_scene(store, bodies=scene_bodies())
    machine = tables(store)
    made = []
    for change in changes:
        try:
            made.append(add_correction(store, "a", change, who="Kari").corrections[-1].correction.correction_id)
        except UsageError:
            continue  # about a track that an earlier one has taken away
        found = tables(store)
        for name in ("detections", "relations", "events"):
            assert len(found[name]) == len({json.dumps(row, sort_keys=True) for row in found[name]})
        present = {track["track_id"] for track in found["tracks"]}
        tracked = [row["track_id"] for row in found["detections"] if row["track_id"] != -1]
        assert set(tracked) == present
        pairs = {(row["track_id"], row["frame_index"]) for row in found["detections"] if row["track_id"] != -1}
        assert len(pairs) == len(tracked), "a track is at one place at a time"
        named = {bout[side] for bout in found["relations"] for side in ("subject_track_id", "object_track_id")}
        assert named <= present
    assert tables(store, values="detected") == machine, "the machine's values stand beside the corrected ones"
    order.shuffle(made)
    for one in made:
        undo_correction(store, "a", one, who="Ola")
    assert tables(store) == machine
    with open_store(store) as opened:
        assert opened.values_of() == "detected"


def test_undo_of_an_undo_restores(store: Path) -> None:
    correct(store, kind="category", action="set", track_id=CUP, category="ball")
    corrected = tables(store)
    undo_correction(store, "a", who="Ola")
    undo_correction(store, "a", 2, who="Kari")
    assert tables(store) == corrected
    assert [one["state"] for one in list_corrections(store, "a").to_dict()["corrections"]] == [
        "applied",
        "undone",
        "applied",
    ]
    with pytest.raises(UsageError, match="cannot be undone"):
        undo_correction(store, "a", 2, who="Kari")
    with pytest.raises(UsageError, match="cannot be undone"):
        undo_correction(store, "a", 99, who="Kari")


def _one_of_each(store: Path) -> None:
    correct(store, kind="identity", action="exchange", track_id=BALL, other_track_id=CUP, at_s=8.0)
    correct(store, kind="category", action="set", track_id=CAREGIVER, category="adult")
    correct(store, kind="role", action="set", track_id=CAREGIVER, role="child")
    correct(store, kind="box", action="delete", track_id=CHILD, begin_s=1.0, end_s=3.0)
    bout = {"subject_track_id": CHILD, "predicate": "holding", "object_track_id": CUP}
    correct(store, kind="bout", action="add", **bout, begin_s=10.0, end_s=11.0)
    correct(store, kind="identity", action="split", track_id=CHILD, at_s=15.0)
    correct(store, kind="role", action="set", track_id=900_001, role="caregiver")


ASKED = (
    "total(near(child, ball)) in video a",
    "total(near(child, cup)) in video a",
    "total(holding(child, cup)) in video a",
    "total(near(caregiver, ball)) in video a",
    "total(visible(child)) in video a",
    "total(visible(adult)) in video a",
    "total(visible(caregiver)) in video a",
)


def test_corrections_survive_another_analysis(store: Path) -> None:
    _one_of_each(store)
    before = {expression: value(store, expression) for expression in ASKED}
    ids = {CHILD: 7, CAREGIVER: 1, BALL: 2, CUP: 12}
    table = scene_table(ids)
    nudged = table.replace(boxes_xyxy=table.boxes_xyxy + np.float32(1.5))
    publish_scene(store, table=nudged, analysis="second", bodies=None)
    listed = list_corrections(store, "a")
    assert not listed.orphaned
    assert len(listed.corrections) == 7
    assert {expression: value(store, expression) for expression in ASKED} == pytest.approx(before)
    detected = value(store, "total(holding(child, cup)) in video a", values="detected")
    assert detected == 0.0
    for _ in range(7):
        undo_correction(store, "a", who="Ola")
    assert tables(store) == tables(store, values="detected")


def test_what_the_new_analysis_shows_itself_is_not_done_twice(store: Path) -> None:
    correct(store, kind="identity", action="exchange", track_id=BALL, other_track_id=CUP, at_s=8.0)
    corrected = {e: value(store, e) for e in ASKED[:2]}
    boxes, at = scene_boxes(), 80
    rows = [(f, t, "child" if t == CHILD else "caregiver", b) for t in (CHILD, CAREGIVER) for f, b in boxes[t].items()]
    rows += [(f, 5 if (t == BALL) == (f < at) else 6, "x", b) for t in (BALL, CUP) for f, b in boxes[t].items()]
    rows = [(f, t, {5: "ball", 6: "cup"}.get(t, c), b) for f, t, c, b in rows]
    publish_scene(store, table=table_of(rows), analysis="better tracker")
    (listed,) = list_corrections(store, "a").corrections
    assert listed.state.state == "not needed"
    assert {e: value(store, e) for e in ASKED[:2]} == pytest.approx(corrected)


def test_what_is_not_found_again_is_told(store: Path) -> None:
    correct(store, kind="category", action="set", track_id=CUP, category="beaker")
    correct(store, kind="role", action="set", track_id=CAREGIVER, role="child")
    publish_scene(store, table=scene_table(leave_out=frozenset({CUP})), analysis="without the cup")
    listed = list_corrections(store, "a")
    assert [one.state.state for one in listed.corrections] == ["orphaned", "applied"]
    assert "track 4" in str(listed.corrections[0].state.reason)
    publish_scene(store, analysis="with the cup again")
    assert [one.state.state for one in list_corrections(store, "a").corrections] == ["applied", "applied"]


def test_a_track_in_pieces_is_corrected_whole(store: Path) -> None:
    correct(store, kind="category", action="set", track_id=BALL, category="globe")
    pieces = scene_table()
    later = (pieces.track_id == BALL) & (pieces.frame_index >= 110)
    publish_scene(store, table=pieces.replace(track_id=np.where(later, 9, pieces.track_id)), analysis="in pieces")
    assert value(store, "total(visible(globe)) in video a") == pytest.approx(N / FPS)


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_other_videos_and_machine_values_are_not_touched(store: Path) -> None:
    other, machine = _digests(store / "videos" / "b"), _digests(store / "videos" / "a")
    _one_of_each(store)
    assert _digests(store / "videos" / "b") == other
    now = _digests(store / "videos" / "a")
    assert {name: now[name] for name in machine} == machine
    assert all(name.startswith("corrected/") for name in now.keys() - machine.keys())
    assert len(list((store / "videos" / "a" / "corrected").iterdir())) == recording.KEPT_REVISIONS


def test_two_coders_do_not_overwrite_each_other(store: Path) -> None:
    seen = list_corrections(store, "a").revision
    change = {"kind": "category", "action": "set", "track_id": CUP, "category": "ball"}
    add_correction(store, "a", change, who="Kari", if_revision=seen)
    with pytest.raises(CorrectionConflict):
        add_correction(store, "a", {**change, "category": "bowl"}, who="Ola", if_revision=seen)
    with pytest.raises(CorrectionConflict):
        undo_correction(store, "a", who="Ola", if_revision=seen)
    assert len(list_corrections(store, "a").corrections) == 1


def test_a_reader_goes_on_in_the_revision_it_has_begun(store: Path) -> None:
    correct(store, kind="category", action="set", track_id=CUP, category="ball")
    with open_store(store) as early:
        assert [t.category for t in early.tracks("a")][-1] == "ball"
        correct(store, kind="category", action="set", track_id=CUP, category="bowl")
        assert early.words("a", "tracks", ("category",)) == {"child", "caregiver", "ball"}
        assert early.rows("SELECT category FROM tracks WHERE video_id = 'a' AND track_id = 4") == [{"category": "ball"}]
    with open_store(store) as late:
        assert late.rows("SELECT category FROM tracks WHERE video_id = 'a' AND track_id = 4") == [{"category": "bowl"}]
        parameters = {"video_id": "b"}
        asked = "SELECT DISTINCT video_id FROM tracks WHERE video_id = $video_id"
        assert late.rows(asked, parameters) == [{"video_id": "b"}]


def test_a_killed_writer_leaves_the_former_revision(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    correct(store, kind="category", action="set", track_id=CUP, category="ball")
    before = tables(store)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(recording, "replace_folder", killed)
    with pytest.raises(KeyboardInterrupt):
        correct(store, kind="category", action="set", track_id=CUP, category="bowl")
    monkeypatch.undo()
    assert tables(store) == before
    assert len(list_corrections(store, "a").corrections) == 1
    correct(store, kind="category", action="set", track_id=CUP, category="bowl")
    assert len(list_corrections(store, "a").corrections) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "category", "action": "set", "track_id": 77, "category": "ball"},
        {"kind": "category", "action": "set", "track_id": CUP, "category": " "},
        {"kind": "role", "action": "set", "track_id": CHILD, "role": "chidl"},
        {"kind": "identity", "action": "merge", "track_id": CHILD, "other_track_id": CHILD},
        {"kind": "identity", "action": "split", "track_id": CUP, "at_s": 1.0},
        {"kind": "box", "action": "delete", "track_id": CUP, "begin_s": 0.0, "end_s": 1.0},
        {"kind": "box", "action": "set", "track_id": CUP, "boxes": [{"time_s": 3, "box_xyxy": [9, 9, 3, 20]}]},
        {"kind": "box", "action": "set", "track_id": CUP, "boxes": [{"time_s": 99, "box_xyxy": [3, 9, 9, 20]}]},
        {"kind": "box", "action": "set", "track_id": CUP, "boxes": [{"time_s": 3, "box_xyxy": [700, 9, 800, 20]}]},
        {"kind": "box", "action": "set", "boxes": [{"time_s": 3, "box_xyxy": [7, 9, 8, 20]}]},
        {"kind": "event", "action": "add", "event": "flies", "track_ids": [CHILD], "begin_s": 3},
        {"kind": "paint", "action": "set"},
        {
            "kind": "bout",
            "action": "move",
            "subject_track_id": CHILD,
            "predicate": "near",
            "object_track_id": CUP,
            "begin_s": 1,
            "end_s": 2,
            "new_begin_s": 1,
            "new_end_s": 3,
        },
    ],
)
def test_impossible_corrections_are_refused(store: Path, change: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        add_correction(store, "a", change, who="Kari")
    assert not list_corrections(store, "a").corrections
    assert not (store / "videos" / "a" / "corrected").exists()


def test_unknown_video_person_and_damage(store: Path) -> None:
    change = {"kind": "category", "action": "set", "track_id": CUP, "category": "ball"}
    with pytest.raises(StoreError, match="not in the store"):
        add_correction(store, "c", change, who="Kari")
    with pytest.raises(UsageError, match="Who corrects"):
        add_correction(store, "a", change, who="  ")
    add_correction(store, "a", change, who="Kari")
    (store / "videos" / "a" / "corrected" / "1" / "corrections.parquet").write_bytes(b"no")
    with pytest.raises(StoreError, match="cannot be read"):
        list_corrections(store, "a")


def test_erased_with_the_video(store: Path) -> None:
    correct(store, kind="category", action="set", track_id=CUP, category="ball")
    erase_video(store, "a")
    assert not any(b"Kari" in path.read_bytes() for path in store.rglob("*") if path.is_file())


def test_the_record_counts_what_is_corrected(store: Path) -> None:
    correct(store, kind="box", action="delete", track_id=CUP)
    with open_store(store) as opened:
        assert opened.record("a").n_tracks == len(opened.tracks("a")) == 3
        assert opened.record("a").n_detections == len(opened.detections("a"))
        assert (opened.values_of(["a"]), opened.values_of(["b"]), opened.values_of()) == (
            "corrected",
            "detected",
            "corrected",
        )
    with open_store(store, values="detected") as opened:
        assert opened.record("a").n_tracks == 4


def test_a_correction_elsewhere_leaves_relations_as_they_are(store: Path) -> None:
    """What is computed again from the stored boxes is what the analysis computed."""
    machine = tables(store)
    correct(store, kind="box", action="set", category="doll", boxes=[{"time_s": 1.0, "box_xyxy": [600, 5, 620, 20]}])
    found = tables(store)
    own = {900_001}
    kept = [b for b in found["relations"] if not {b["subject_track_id"], b["object_track_id"]} & own]
    assert kept == machine["relations"]
    assert [t for t in found["tracks"] if t["track_id"] not in own] == machine["tracks"]
    assert found["postures"] == machine["postures"]


def test_empty_video_can_be_corrected(tmp_path: Path) -> None:
    publish_scene(tmp_path / "store", table=DetectionTable.empty())
    keys = [{"time_s": 1.0, "box_xyxy": [10, 10, 40, 40]}, {"time_s": 3.0, "box_xyxy": [30, 10, 60, 40]}]
    add_correction(tmp_path / "store", "a", {"kind": "box", "action": "set", "category": "cup", "boxes": keys}, who="K")
    assert value(tmp_path / "store", "total(visible(cup))") == pytest.approx(2.1)
