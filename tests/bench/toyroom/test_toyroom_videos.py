"""Videos: time stamps, truth against the drawing, relations and events against the script."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import jsonschema
import numpy as np
import pytest

from visionllm_bench.toyroom import ToyRoomConfig, make_toyroom
from visionllm_bench.toyroom.coco_images import generator
from visionllm_bench.toyroom.drawing.keyframes import Curve
from visionllm_bench.toyroom.ground_truth import bouts
from visionllm_bench.toyroom.render.compositor import own, paint
from visionllm_bench.toyroom.render.frames import Film, sightings
from visionllm_bench.toyroom.render.sprites import furniture_layer, in_order, main_sprite, member_layers, shadow_layers
from visionllm_bench.toyroom.story.random_script import random_script
from visionllm_bench.toyroom.videos import frame_ticks, make_film
from visionllm_interaction.core.predicates import NEAR_GAP, relative_gap

SCHEMA = Path(str(make_toyroom.__globals__["__file__"])).with_name("truth.schema.json")


def decoded_times(path: str) -> list[float]:
    with av.open(path) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        return [float(frame.pts * frame.time_base) for frame in container.decode(video=0)]


def all_videos(room_videos: list[dict[str, Any]], ego_video: dict[str, Any]) -> list[dict[str, Any]]:
    return [*room_videos, ego_video]


def test_truth_obeys_its_schema(room_videos: list[dict[str, Any]], ego_video: dict[str, Any]) -> None:
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    for video in all_videos(room_videos, ego_video):
        jsonschema.validate(video["content"], schema)


def test_time_stamps_of_the_file_are_those_of_the_truth(
    room_videos: list[dict[str, Any]], ego_video: dict[str, Any]
) -> None:
    for video in all_videos(room_videos, ego_video):
        truth = [frame["timestamp_s"] for frame in video["content"]["frames"]]
        assert decoded_times(video["path"]) == truth
        assert [frame["index"] for frame in video["content"]["frames"]] == list(range(len(truth)))


def test_frame_rates() -> None:
    rng = np.random.default_rng(0)
    constant = frame_ticks(rng, ToyRoomConfig(video_seconds=10, fps=25))
    assert set(np.diff(constant).tolist()) == {3600}
    variable = frame_ticks(rng, ToyRoomConfig(video_seconds=10, fps=25, frame_rate="variable"))
    assert len(variable) == 251
    assert variable[-1] == 900_000
    assert np.diff(variable).min() > 1500
    assert np.diff(variable).max() > 5000


def test_same_seed_same_truth(tmp_path: Path) -> None:
    config = ToyRoomConfig(video_width=160, video_height=120, video_seconds=8, fps=5)
    for name in ("a", "b"):
        make_toyroom(tmp_path / name, images=0, videos=1, seed=9, view="ego", config=config)
    make_toyroom(tmp_path / "two", images=0, videos=2, seed=9, view="ego", config=config)
    path = "videos/ego_s9_000/truth.json"
    assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes()
    assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "two" / path).read_bytes()


@pytest.mark.parametrize("view", ["room", "ego"])
def test_boxes_are_where_the_picture_changes_when_an_object_is_taken_away(view: Any) -> None:
    """Independent of owners and masks: draw the frame with and without each object's sprites and compare colours."""
    film = make_film(generator(4, 2, 0), view=view, config=ToyRoomConfig(video_width=320, video_height=240))
    checked = 0
    for time in (3.0, 6.0, 9.0, 12.0):
        checked += _check_frame(film, time)
    assert checked >= 8


def _check_frame(film: Film, time: float) -> int:
    script, view = film.script, replace(film.camera.at(time), smear=(0.0, 0.0))
    room = script.room
    standings = script.at(time)
    fixed = [(p.y, furniture_layer(p.appearance, room, x=p.x, y=p.y)) for p in script.furniture]
    layers = in_order([*fixed, *member_layers(standings)])
    shadows = shadow_layers(standings)
    found = {s.track_id: s for s in sightings(standings, view.sample(own((room.width, room.height), layers)), view)}
    whole = np.asarray(view.photograph(paint(film.backdrop, shadows, layers))).astype(int)
    for number, sighting in found.items():
        rest = [layer for layer in layers if layer.owner != number]
        without = np.asarray(view.photograph(paint(film.backdrop, shadows, rest))).astype(int)
        rows, columns = np.nonzero(np.abs(whole - without).max(axis=2) > 24)
        seen_box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        # Half-covered rim pixels change the image but are not part of the silhouette: up to two pixels more.
        assert np.abs(np.array(seen_box) - sighting.box_xyxy).max() <= 3, (time, sighting)
    return len(found)


def test_visible_share_falls_behind_the_screen() -> None:
    """The same person counts fewer pixels behind furniture; alone, all of them."""
    film = make_film(generator(4, 2, 0), view="room", config=ToyRoomConfig())
    view, room = film.camera.at(0.0), film.script.room
    standing = next(s for s in film.script.at(6.0) if s.member.category == "child")
    screen = next(p for p in film.script.furniture if p.appearance.kind == "screen")
    at = replace(standing, x=screen.x, y=screen.y - 6, depth=screen.y - 6)
    alone = list(sightings([at], own((room.width, room.height), in_order(member_layers([at]))), view))
    assert alone[0].visible == 1.0
    layer = furniture_layer(screen.appearance, room, x=screen.x, y=screen.y)
    both = in_order([*member_layers([at]), (screen.y, layer)])
    hidden = list(sightings([at], own((room.width, room.height), both), view))
    assert not hidden or hidden[0].visible < 0.8
    assert main_sprite(at).area_px > 1000


def test_holding_begins_and_ends_with_its_events(room_videos: list[dict[str, Any]], ego_video: dict[str, Any]) -> None:
    kinds = set()
    for video in all_videos(room_videos, ego_video):
        truth = video["content"]
        begins, ends = set(), set()
        for event in truth["events"]:
            kind, ids, at = event["kind"], event["track_ids"], event["begin_s"]
            kinds.add(kind)
            assert at == event["end_s"]
            if kind == "picks_up":
                begins.add((*ids, at))
            elif kind == "puts_down":
                ends.add((*ids, at))
            elif kind == "hands_over":
                begins.add((ids[1], ids[2], at))
                ends.add((ids[0], ids[2], at))
        holding = [r for r in truth["relations"] if r["predicate"] == "holding"]
        assert {(r["subject_track_id"], r["object_track_id"], r["begin_s"]) for r in holding} == begins
        open_end = truth["duration_s"]
        closed = {(r["subject_track_id"], r["object_track_id"], r["end_s"]) for r in holding if r["end_s"] != open_end}
        assert closed == ends
    assert {"picks_up", "hands_over"} <= kinds


def test_near_is_what_the_published_definition_says(room_videos: list[dict[str, Any]]) -> None:
    """Frame by frame, away from the ends of bouts and from gaps that are merged."""
    truth = room_videos[0]["content"]
    people = {t["track_id"] for t in truth["tracks"] if t["category"] in ("child", "caregiver")}
    near = [r for r in truth["relations"] if r["predicate"] == "near"]
    agree = total = 0
    for frame in truth["frames"]:
        boxes = {o["track_id"]: o["box_xyxy"] for o in frame["objects"]}
        for a in people & boxes.keys():
            for b in boxes.keys() - {a}:
                if b in people and b < a:
                    continue
                gap = relative_gap(np.array(boxes[a]), np.array(boxes[b]), object_is_person=b in people)
                stated = any(
                    r["subject_track_id"] == a
                    and r["object_track_id"] == b
                    and r["begin_s"] <= frame["timestamp_s"] < r["end_s"]
                    for r in near
                )
                agree += stated == bool(gap <= NEAR_GAP)
                total += 1
    assert total > 500
    assert agree / total > 0.98


def test_bouts_merge_short_gaps_and_drop_short_bouts() -> None:
    edges = np.arange(21) * 0.1
    on = np.array([c == "1" for c in "01110111000100001111"])
    assert [(round(s.begin_s, 1), round(s.end_s, 1)) for s in bouts(on, edges)] == [(0.1, 0.8), (1.6, 2.0)]


def test_a_thing_is_in_one_place_at_a_time() -> None:
    """Stories for many seeds: stays follow each other, pick-ups find the thing lying, hand-overs find it held."""
    for seed in range(25):
        film_rng = generator(seed, 2, 0)
        film_room = make_film(generator(0, 2, 0), view="room", config=ToyRoomConfig(video_seconds=8)).script.room
        script = random_script(film_rng, film_room, duration_s=20.0, children=2, caregivers=1)
        for thing in script.toys.values():
            begins = [stay.begin_s for stay in thing.stays]
            assert begins == sorted(begins)
            holders: list[int | None] = [stay.held_by for stay in thing.stays]
            assert all(a is not None or b is not None for a, b in itertools.pairwise(holders))
            deeds = sorted((d for d in script.actions if d.numbers[-1] == thing.member.number), key=lambda d: d.time_s)
            assert [d.time_s for d in deeds] == begins[1:]
            for deed, before in zip(deeds, holders[:-1], strict=True):
                assert before == (None if deed.kind == "picks_up" else deed.numbers[0])


def test_people_come_and_go(room_videos: list[dict[str, Any]]) -> None:
    found = 0
    for video in room_videos:
        truth = video["content"]
        for event in truth["events"]:
            if event["kind"] != "enters":
                continue
            found += 1
            number = event["track_ids"][0]
            shown = [f["timestamp_s"] for f in truth["frames"] if any(o["track_id"] == number for o in f["objects"])]
            assert shown[0] == event["begin_s"] > 0
    assert found >= 1


def test_jerks_of_the_head_camera(ego_video: dict[str, Any]) -> None:
    truth = ego_video["content"]
    assert truth["jerks"]
    sizes = [
        max(abs(j["shift_px"][0]) / truth["width"], abs(j["shift_px"][1]) / truth["height"]) for j in truth["jerks"]
    ]
    assert max(sizes) <= 0.3 + 1e-6
    assert max(sizes) > 0.1
    path = np.array(truth["camera"])
    assert len(path) == len(truth["frames"])
    steps = np.abs(np.diff(path[:, 0])) * path[1:, 2] / truth["width"]
    assert steps.max() > 0.08
    assert np.median(steps) < 0.03


def test_curves_ease_between_moves() -> None:
    curve = Curve(1.0)
    curve.move(2.0, 4.0, to=5.0)
    curve.move(6.0, 7.0, to=0.0)
    assert [curve.at(t) for t in (0, 2, 3, 4, 5, 6.5, 9)] == [1.0, 1.0, 3.0, 5.0, 5.0, 2.5, 0.0]


def test_the_published_schema_is_the_shipped_one() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "toyroom.md").read_text(encoding="utf-8")
    block = page.split("```json\n", 1)[1].split("```", 1)[0]
    assert json.loads(block) == json.loads(SCHEMA.read_text())
