"""Every address for every role and project: nobody does what their key may not, or learns of another project."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from coded_videos import make_video
from fastapi import FastAPI
from starlette.testclient import TestClient

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server.app import create_app
from visionllm_interaction.server.auth.api_keys import create_key
from visionllm_interaction.server.auth.roles import ROLES, Role
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.intake.resumable_uploads import ResumableUploads
from visionllm_interaction.server.intake.uploads import JobOptions, Uploads
from visionllm_interaction.server.intake.video_probe import VideoMetadata
from visionllm_interaction.server.projects import video_projects
from visionllm_interaction.store.layout import list_videos

pytestmark = pytest.mark.timeout(300)
FACTS = VideoMetadata(container="mov", codec="h264", width=16, height=12, duration_s=1.0, frames_per_s=10.0)
NEEDED: dict[tuple[str, str], Role] = {
    ("POST", "/v1/detect"): "analyst",
    ("POST", "/v1/videos"): "analyst",
    ("DELETE", "/v1/videos/{video_id}"): "analyst",
    ("POST", "/v1/jobs/{job_id}/retry"): "analyst",
    ("POST", "/v1/jobs/{job_id}/cancel"): "analyst",
    **{(method, "/v1/uploads"): "analyst" for method in ("GET", "POST", "OPTIONS")},
    **{(method, "/v1/uploads/{upload_id}"): "analyst" for method in ("GET", "PATCH", "DELETE")},
    ("POST", "/v1/videos/{video_id}/corrections"): "analyst",
    ("PUT", "/v1/videos/{video_id}/roles"): "analyst",
    ("DELETE", "/v1/videos/{video_id}/corrections/{correction_id}"): "analyst",
    ("POST", "/v1/videos/register"): "analyst",
    ("PATCH", "/v1/videos/{video_id}"): "analyst",
    ("POST", "/v1/videos/{video_id}/analysis"): "analyst",
    ("DELETE", "/v1/videos/{video_id}/exports/{job_id}"): "analyst",
    ("GET", "/v1/audit"): "admin",
    ("POST", "/v1/detectors/{model}/activation"): "admin",
    ("PUT", "/v1/projects/{project_id}"): "admin",
    ("PUT", "/v1/projects/{project_id}/consents"): "analyst",
    ("POST", "/v1/projects/{project_id}/erase-due"): "admin",
}
"""What needs more than a viewer, written down once more: a route that is opened by mistake shows here."""
OF_ALL_PROJECTS = {("POST", "/v1/detectors/{model}/activation")}
"""What a key of some projects may not do in any of them."""
OPEN = {"/v1/healthz", "/v1/readyz"}
OWN, OTHER = "dyads", "clinic"


@dataclass(frozen=True)
class Things:
    """The ids in one project."""

    video_id: str
    job_id: str
    upload_id: str
    project_id: str


@dataclass
class Room:
    """A running service with two projects."""

    app: FastAPI
    client: TestClient
    config: ServeConfig
    things: dict[str, Things]

    def key(self, role: Role, *projects: str) -> dict[str, str]:
        """The headers of a new key."""
        name = "-".join([role, *(projects or ["all"])])
        return {"X-API-Key": create_key(self.config.keys_path, name=name, role=role, projects=projects or None)}


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    config = ServeConfig(data_dir=tmp_path / "service", page=False)
    create_key(config.keys_path, name="first", role="admin")
    uploads = Uploads(config.uploads_dir, config.incoming_dir)
    uploads.prepare()
    config.resumable_dir.mkdir()
    resumable = ResumableUploads(config.resumable_dir, expiry_s=3600)
    things = {}
    for project, category in ((OWN, "child"), (OTHER, "book")):
        with uploads.receiving() as incoming:
            incoming.write(b"the same bytes in both")
            received = incoming.received()
            upload = uploads.publish(received, name="visit.mp4", facts=FACTS, options=JobOptions(), project=project)
        make_video(config.store_dir, {category: [(0, 5)]}, upload.video_id)
        unfinished = resumable.create(name="more.mp4", length=10, options=JobOptions(), project=project)
        things[project] = Things(upload.video_id, upload.job_id, unfinished.upload_id, project)
    make_video(config.store_dir, {"dog": [(0, 5)]}, "by-hand")
    app = create_app(config, analysis=AnalysisConfig(), reason=ReasonConfig(planner="rules"))
    with TestClient(app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False) as client:
        yield Room(app, client, config, things)


def operations(app: FastAPI) -> list[tuple[str, str]]:
    return [(method.upper(), path) for path, found in app.openapi()["paths"].items() for method in found]


def ask(room: Room, method: str, path: str, things: Things, headers: dict[str, str]) -> int:
    filled = path.format(
        **vars(things), measure="visible_duration", correction_id=1, name="visit.eaf", run="x", row=0, model="x"
    )
    filled += "?seconds=0" if method == "GET" and path.endswith("/events") else ""
    sent = {**headers, "Tus-Resumable": "1.0.0", "Upload-Length": "5", "Upload-Offset": "0"}
    if method == "PATCH" and "upload_id" in path:
        sent["Content-Type"] = "application/offset+octet-stream"
    documents: dict[str, dict[str, object]] = {
        "/v1/ask": {"question": "How long is the child visible?"},
        "/v1/ask/events": {"question": "How long is the child visible?"},
        "/v1/videos/register": {"path": "/nowhere"},
        "/v1/videos/{video_id}": {"child": "C1"},
        "/v1/videos/{video_id}/analysis": {},
        "/v1/videos/{video_id}/corrections": {},
        "/v1/videos/{video_id}/exports": {"format": "blurred"},
        "/v1/detectors/{model}/activation": {},
        "/v1/projects/{project_id}": {"erase_when_due": False},
        "/v1/projects/{project_id}/consents": {"about": "child", "name": "C1", "state": "given"},
        "/v1/projects/{project_id}/erase-due": {"video_ids": ["not-due"]},
    }
    body = json.dumps(documents[path]) if path in documents else "x"
    kind = {"Content-Type": "application/json"} if path in documents else {}
    content = None if method in ("GET", "DELETE", "OPTIONS") else body
    return room.client.request(method, filled, headers={**sent, **kind}, content=content).status_code


def test_no_key_does_more_than_its_role_and_its_projects(room: Room) -> None:
    unexpected, refused, answered = [], 0, 0
    for role in ROLES:
        for projects in ((), (OWN,)):
            headers = room.key(role, *projects)
            for method, path in operations(room.app):
                for owner, things in room.things.items():
                    needed = NEEDED.get((method, path), "viewer")
                    may = path in OPEN or ROLES.index(role) >= ROLES.index(needed)
                    may = may and not (projects and (method, path) in OF_ALL_PROJECTS)
                    sees = not projects or owner in projects or "_id}" not in path
                    if may and sees and (method == "DELETE" or path.endswith("/cancel")):
                        continue  # it would be done
                    status = ask(room, method, path, things, headers)
                    expected_refusal = None if may and sees else 404 if may else 403
                    if expected_refusal is None:
                        answered += status < 300
                        if status in (401, 403) or (status >= 500 and status != 503):
                            unexpected.append((role, projects, method, path, owner, status))
                    else:
                        refused += 1
                        if status != expected_refusal:
                            unexpected.append((role, projects, method, path, owner, status))
    assert unexpected == []
    assert refused > 60 and answered > 90, (refused, answered)


def test_nothing_that_is_listed_or_answered_tells_of_another_project(room: Room) -> None:
    headers = room.key("viewer", OWN)
    own, other = room.things[OWN], room.things[OTHER]
    assert own.video_id != other.video_id, "the same bytes: one id would tell that another project has them"
    asked = [
        room.client.get(path, headers=headers)
        for path in (
            "/v1/videos",
            "/v1/me",
            "/v1/questions",
            "/v1/measures/visible_duration",
            "/v1/bouts?expression=visible(thing)",
            "/v1/bouts/csv?expression=visible(thing)",
            "/v1/look-transitions",
            "/v1/runs",
            "/v1/detectors",
        )
    ]
    asked.append(room.client.get("/v1/projects", headers=headers))
    asked.append(room.client.get("/v1/measures/visible_duration/csv", headers=headers))
    for question in (
        "How long is the book visible?",
        "How many videos are there?",
        f"What happens in {other.video_id}?",
    ):
        asked.append(room.client.post("/v1/ask", json={"question": question}, headers=headers))
        body = {"question": question, "video_id": other.video_id}
        asked.append(room.client.post("/v1/ask", json=body, headers=headers))
        asked.append(room.client.post("/v1/ask/events", json=body, headers=headers))
    asked.append(room.client.get("/v1/roles", headers=headers))
    assert [answer.status_code for answer in asked] == [200] * len(asked)
    for answer in asked:
        said = answer.text.replace(f"What happens in {other.video_id}", "").replace(f" in {other.video_id}", "")
        for word in (OTHER, "by-hand", "dog"):
            assert word not in said, (answer.request.url, said)
    assert [video["video_id"] for video in asked[0].json()["videos"]] == [own.video_id]
    assert [one["video_id"] for one in asked[4].json()["videos"]] == [own.video_id]
    assert {row["video_id"] for row in asked[3].json()["rows"]} == {own.video_id}
    everything = room.client.get("/v1/videos", headers=room.key("viewer")).json()["videos"]
    assert {video["project"] for video in everything} == {OWN, OTHER, "default"}


def test_a_part_of_the_store_gives_the_answers_of_a_store_of_its_own(room: Room, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    make_video(alone, {"child": [(0, 5)]}, room.things[OWN].video_id)
    from visionllm_interaction.reasoning import ask as ask_store

    headers = room.key("viewer", OWN)
    for question in ("How long is the child visible?", "How many people are there?", "How long is the book visible?"):
        answer = room.client.post("/v1/ask", json={"question": question}, headers=headers)
        expected = ask_store(question, alone, config=ReasonConfig(planner="rules"))
        assert answer.json()["answer"] == expected.answer


def test_the_videos_of_all_projects_are_read_once(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counted(folder: Path) -> list[str]:
        calls.append(folder)
        return list_videos(folder)

    damaged = room.config.uploads_dir / room.things[OTHER].video_id / "upload.json"
    damaged.write_text("{")
    monkeypatch.setattr(video_projects, "list_videos", counted)
    found = room.app.state.service.projects.videos_by_project()
    assert found == {OWN: {room.things[OWN].video_id}, "default": {"by-hand"}}
    assert len(calls) == 1


def test_the_videos_a_key_sees_are_found_with_one_look_at_the_store(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight thousand videos that nobody uploaded are a matter of milliseconds, not of reading the folder for each."""
    from visionllm_interaction.server.auth.roles import Principal
    from visionllm_interaction.store import layout

    for n in range(20):
        (room.config.store_dir / "videos" / f"analysed-{n}").mkdir()
    calls = []

    def counted(folder: Path) -> list[str]:
        calls.append(folder)
        return list_videos(folder)

    for module in (video_projects, layout):
        monkeypatch.setattr(module, "list_videos", counted)
    seen = room.app.state.service.projects.seen_ids(Principal("k", "k", "viewer", frozenset({"default"})))
    assert seen == {"by-hand", *(f"analysed-{n}" for n in range(20))}
    assert len(calls) == 1


def test_a_stream_of_a_job_ends_when_its_video_goes_to_another_project(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    from visionllm_interaction.server.http import event_streams

    service, own = room.app.state.service, room.things[OWN]
    job = service.jobs.get([own.job_id])[own.job_id]
    running = dataclasses.replace(job, state="running", error=None, result=None)
    upload, asked = service.uploads.get(own.video_id), list[int]()

    def get(_: object) -> dict[str, object]:
        asked.append(1)
        if len(asked) == 3:  # the stream has begun
            service.uploads.replace(upload.model_copy(update={"project": "elsewhere"}))
        return {own.job_id: running}

    monkeypatch.setattr(service.jobs, "get", get)
    monkeypatch.setattr(event_streams, "EVERY_S", 0.05)
    others = {one: room.key("viewer", *([one] if one != "all" else [])) for one in (OWN, "all")}
    told = room.client.get(f"/v1/jobs/{own.job_id}/events?seconds=2", headers=others[OWN]).text
    assert told.startswith("event: job") and told.rstrip().endswith(f'event: gone\ndata: "{own.job_id}"')
    told = room.client.get(f"/v1/jobs/{own.job_id}/events?seconds=0.2", headers=others["all"]).text
    assert "event: gone" not in told


def test_where_an_upload_goes(room: Room) -> None:
    service = room.app.state.service
    from visionllm_interaction.server.auth.roles import Principal

    def project(asked: str | None, *projects: str) -> str:
        who = Principal("k", "k", "analyst", frozenset(projects) if projects else None)
        return str(service.projects.project_for(asked, who))

    assert [project(None), project("new"), project(None, OWN), project(OWN, OWN, OTHER)] == ["default", "new", OWN, OWN]
    for asked, projects, status in ((OTHER, (OWN,), 403), (None, (OWN, OTHER), 422)):
        with pytest.raises(Exception, match=str(status)):
            project(asked, *projects)


def test_a_route_without_a_role_fails_the_start_and_answers_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fastapi import APIRouter

    from visionllm_interaction.server.routes import detect

    config = ServeConfig(data_dir=tmp_path, insecure=True)
    app = create_app(config, analysis=AnalysisConfig(), reason=ReasonConfig())

    @app.get("/v1/late")
    def late() -> str:
        return "hello"

    client = TestClient(app, base_url="http://127.0.0.1:8000")
    assert client.get("/v1/late").status_code == 403
    router = APIRouter()
    router.add_api_route("/v1/forgotten", late)
    monkeypatch.setattr(detect, "router", router)
    with pytest.raises(RuntimeError, match="/v1/forgotten"):
        create_app(config, analysis=AnalysisConfig(), reason=ReasonConfig())
