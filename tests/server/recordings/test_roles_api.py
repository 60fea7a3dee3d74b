"""Roles over HTTP: who waits to be confirmed, where somebody can be seen, and what a confirmed role changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from moving_scene import BALL, CAREGIVER, CHILD, LATER, publish_return, publish_scene, scene_boxes, table_of
from starlette.testclient import TestClient

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server.app import create_app
from visionllm_interaction.server.auth.api_keys import create_key
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.intake.uploads import Uploads
from visionllm_interaction.server.results.people_to_review import roles_to_confirm
from visionllm_interaction.store.reader import open_store


@pytest.fixture
def http(tmp_path: Path) -> Iterator[TestClient]:
    config = ServeConfig(data_dir=tmp_path, page=False, insecure=True)
    Uploads(config.uploads_dir, config.incoming_dir).prepare()
    for video_id in ("a", "b"):
        publish_scene(config.store_dir, video_id)
    app = create_app(config, analysis=AnalysisConfig(), reason=ReasonConfig())
    yield TestClient(app, base_url="http://127.0.0.1:8000")


def waiting(http: TestClient) -> list[tuple[str, int]]:
    found = http.get("/v1/roles").json()
    assert found["total"] == len(found["people"])
    return [(one["video_id"], one["track_id"]) for one in found["people"]]


def test_people_have_places_where_they_are_seen(http: TestClient) -> None:
    people = http.get("/v1/videos/a/roles").json()["people"]
    assert [(one["track_id"], one["role"], one["reviewed"]) for one in people] == [
        (CHILD, "child", False),
        (CAREGIVER, "caregiver", False),
    ]
    crops = people[0]["crops"]
    assert len(crops) == 5
    assert [crop["time_s"] for crop in crops] == sorted(crop["time_s"] for crop in crops)
    assert {tuple(crop["box_xyxy"]) for crop in crops} == {scene_boxes()[CHILD][0]}


def test_a_confirmed_role_counts_at_once_and_leaves_the_queue(http: TestClient) -> None:
    assert waiting(http) == [("a", CHILD), ("a", CAREGIVER), ("b", CHILD), ("b", CAREGIVER)]
    given = http.put("/v1/videos/a/roles", json={"roles": {str(CAREGIVER): "child"}})
    assert given.status_code == 200, given.text
    assert [(one["role"], one["reviewed"]) for one in given.json()["people"]] == [("child", False), ("child", True)]
    assert ("a", CAREGIVER) not in waiting(http)
    tracks = {one["track_id"]: one["role"] for one in http.get("/v1/videos/a/timeline").json()["tracks"]}
    assert tracks[CAREGIVER] == "child"
    http.put("/v1/videos/a/roles", json={"roles": {str(CAREGIVER): "estimated"}})
    assert ("a", CAREGIVER) in waiting(http)


def publish_people(store: Path, video_id: str) -> None:
    """The scene's two people as a detector of people finds them: nobody's role is known."""
    boxes = {track: scene_boxes()[track] for track in (CHILD, CAREGIVER)}
    rows = [(frame, track, "person", box) for track, own in boxes.items() for frame, box in own.items()]
    publish_scene(store, video_id, table=table_of(rows))


def test_who_may_have_come_back_is_said_until_the_tracks_are_one(http: TestClient, tmp_path: Path) -> None:
    publish_return(tmp_path / "store", "d")

    def returns() -> list[tuple[int, int | None, float | None]]:
        people = http.get("/v1/videos/d/roles").json()["people"]
        return [(one["track_id"], one["may_be_track_id"], one["away_s"]) for one in people]

    assert returns() == [(CHILD, None, None), (CAREGIVER, None, None), (LATER, CHILD, 3.0)]
    merge = {"kind": "identity", "action": "merge", "track_id": CHILD, "other_track_id": LATER}
    http.post("/v1/videos/d/corrections", json=merge).raise_for_status()
    assert returns() == [(CHILD, None, None), (CAREGIVER, None, None)]


def test_measures_know_a_confirmed_role_at_once(http: TestClient, tmp_path: Path) -> None:
    publish_people(tmp_path / "store", "c")
    wanted = {"subject": "child", "video_id": "c"}
    assert [r for r in http.get("/v1/measures/visible_duration", params=wanted).json()["rows"] if r["value"]] == []
    http.put("/v1/videos/c/roles", json={"roles": {str(CHILD): "child"}}).raise_for_status()
    [row] = http.get("/v1/measures/visible_duration", params=wanted).json()["rows"]
    assert row["value"] == 20.0


def test_unknown_roles_come_first(tmp_path: Path) -> None:
    publish_scene(tmp_path, "a")
    publish_people(tmp_path, "b")
    with open_store(tmp_path) as opened:
        found = roles_to_confirm(opened, limit=3)
    people = [(one.video_id, one.role) for one in found.people]
    assert (found.total, people) == (4, [("b", None), ("b", None), ("a", "child")])
    assert found.names == {"a": "a.mp4", "b": "b.mp4"}


@pytest.mark.parametrize(
    "roles", [{}, {"1": "dog"}, {"x": "child"}, {"-1": "child"}, {str(BALL): "child"}, {"99": "child"}]
)
def test_other_roles_are_refused(http: TestClient, roles: dict[str, str]) -> None:
    answer = http.put("/v1/videos/a/roles", json={"roles": roles})
    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["detail"]
    assert len(waiting(http)) == 4


def test_a_viewer_looks_and_does_not_confirm_and_sees_own_projects_only(tmp_path: Path) -> None:
    config = ServeConfig(data_dir=tmp_path, page=False, store_project="theirs")
    Uploads(config.uploads_dir, config.incoming_dir).prepare()
    publish_scene(config.store_dir)
    keys = {
        project: {"X-API-Key": create_key(config.keys_path, name=project, role="viewer", projects=[project])}
        for project in ("theirs", "ours")
    }
    app = create_app(config, analysis=AnalysisConfig(), reason=ReasonConfig())
    http = TestClient(app, base_url="http://127.0.0.1:8000")
    assert http.get("/v1/roles", headers=keys["theirs"]).json()["total"] == 2
    assert http.get("/v1/roles", headers=keys["ours"]).json() == {"total": 0, "people": [], "names": {}}
    assert http.get("/v1/videos/a/roles", headers=keys["ours"]).status_code == 404
    body = {"roles": {str(CHILD): "other"}}
    assert http.put("/v1/videos/a/roles", json=body, headers=keys["theirs"]).status_code == 403
