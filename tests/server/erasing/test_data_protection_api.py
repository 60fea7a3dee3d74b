"""Consent and retention over HTTP: rules, records, refused exports, what is due, and erasing it; by the client too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from coded_videos import code, make_video
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.client import Client, ServiceProblem
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server.app import create_app
from visionllm_interaction.server.auth.api_keys import create_key
from visionllm_interaction.server.auth.route_roles import RoleCheck, all_routes
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.jobs.exports import ExportOptions
from visionllm_interaction.store.covariates import write_covariates
from visionllm_interaction.store.data_protection.register import (
    FILE,
    WHOLE_STORE,
    ProjectRules,
    record_consent,
    set_rules,
)
from visionllm_interaction.store.layout import list_videos
from visionllm_interaction.store.reader import write_codes
from visionllm_interaction.utils.file_locks import wait_for_lock_file

pytestmark = pytest.mark.timeout(300)
PROJECT = "default"
"""The project of videos that the command line put into the store."""
LONG_AGO = "2020-06-30"


@dataclass
class Lab:
    """A running service with three videos, two of one child."""

    app: FastAPI
    http: TestClient
    config: ServeConfig
    client: Client

    def export(self, video_id: str) -> Any:
        return self.http.post(f"/v1/videos/{video_id}/exports", json={"format": "csv"})

    def audited(self) -> list[tuple[str, str]]:
        return [(row["action"], row["who"]) for row in self.http.get("/v1/audit").json()["rows"]]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    config = ServeConfig(data_dir=tmp_path / "service", page=False)
    key = create_key(config.keys_path, name="kari", role="admin")
    for video_id in ("a", "b", "c"):
        make_video(config.store_dir, {"child": [(0, 5)]}, video_id)
    for video_id in ("a", "b"):
        write_covariates(config.store_dir, video_id, {"child": "C01"})
    app = create_app(config, analysis=AnalysisConfig(), reason=ReasonConfig(planner="rules"))
    with TestClient(app, base_url="http://127.0.0.1:8000", headers={"X-API-Key": key}) as http:

        def answer(request: httpx.Request) -> httpx.Response:
            url = request.url.raw_path.decode()
            found = http.request(request.method, url, content=request.content, headers=dict(request.headers))
            return httpx.Response(found.status_code, content=found.content)

        with Client("http://127.0.0.1:8000", key=key, transport=httpx.MockTransport(answer)) as client:
            yield Lab(app, http, config, client)


def test_withdrawn_consent_stops_every_way_out_and_says_what_to_do(lab: Lab) -> None:
    done = lab.app.state.service.exports.create("a", ExportOptions(format="csv"))
    lab.app.state.service.exports.keep_outcome(
        done, {"status": "done", "result": {"files": [{"name": "a.csv"}]}, "error": None}
    )
    files = lab.app.state.service.exports.folder(done) / "files"
    files.mkdir(exist_ok=True)
    (files / "a.csv").write_text("begin_s\n")
    looks = [code("gaze", "child", what, begin, begin + 1) for begin, what in enumerate(("ball", "cup"))]
    write_codes(lab.config.store_dir, "a", looks)
    tables = {
        "/v1/measures/{measure}/csv": ["/v1/measures/visible_duration/csv?video_id=a"],
        "/v1/measures/{measure}/parquet": ["/v1/measures/visible_duration/parquet"],
        "/v1/look-transitions/csv": ["/v1/look-transitions/csv", "/v1/look-transitions/csv?video_id=a"],
        "/v1/bouts/csv": [
            "/v1/bouts/csv?expression=visible(child)",
            "/v1/bouts/csv?expression=visible(child)%20in%20video%20a",
        ],
    }
    exports = {
        (method, route.path)
        for route in all_routes(lab.app.routes)
        if isinstance(route, APIRoute)
        for method in route.methods
        for one in route.dependencies
        if isinstance(one.dependency, RoleCheck) and one.dependency.audit == "export"
    }
    assert {("GET", path) for path in tables} == exports - {("POST", "/v1/videos/{video_id}/exports")}, "try it here"
    ways_out = [f"/v1/videos/a/exports/{done.job_id}/files/a.csv", *(way for ways in tables.values() for way in ways)]
    assert {way: lab.http.get(way).status_code for way in ways_out} == dict.fromkeys(ways_out, 200)
    lab.client.record_consent(PROJECT, "child", "C01", "withdrawn", note="letter of 3 May")
    assert {way: lab.http.get(way).status_code for way in ways_out} == dict.fromkeys(ways_out, 403)
    for way in ("/v1/bouts/csv?expression=visible(child)%20in%20video%20c", "/v1/look-transitions/csv?video_id=c"):
        assert lab.http.get(way).status_code == 200, "nothing of the withdrawn videos is in it"
    for way in ("/v1/bouts?expression=visible(child)", "/v1/look-transitions"):
        assert lab.http.get(way).status_code == 200, "looking is no export"
    refused = lab.export("b")
    assert (refused.status_code, refused.headers["content-type"]) == (403, "application/problem+json")
    problem = refused.json()
    assert (problem["code"], problem["found"]) == ("CONSENT", "b: withdrawn (child C01)")
    assert "erase these videos" in problem["fix"]
    assert lab.http.get("/v1/measures/visible_duration/csv?video_id=c").status_code == 200
    assert lab.http.get("/v1/measures/visible_duration").status_code == 200, "looking is no export"
    assert lab.export("c").status_code == 202
    assert ("consent", "kari") in lab.audited()
    found = lab.client.consents(PROJECT)
    assert [(one.video_id, one.state, one.may_be_exported) for one in found.videos] == [
        ("a", "withdrawn", False),
        ("b", "withdrawn", False),
        ("c", "not recorded", True),
    ]
    assert [(one["who"], one["note"], one["project"]) for one in found.records] == [
        ("kari", "letter of 3 May", PROJECT)
    ]


def test_a_job_that_waited_does_not_export_what_was_withdrawn_meanwhile(lab: Lab) -> None:
    from visionllm_interaction.errors import ConsentMissing

    service = lab.app.state.service
    export = service.exports.create("a", ExportOptions(format="csv"))
    assert service.job_files.request_for(export.job_id).project == PROJECT
    lab.client.record_consent(PROJECT, "video", "a", "withdrawn")
    with pytest.raises(ConsentMissing):
        service.job_files.request_for(export.job_id)


def test_a_project_that_requires_consent_exports_nothing_without_it(lab: Lab) -> None:
    lab.client.set_project(PROJECT, {"consent_required": True})
    refused = lab.export("a")
    assert (refused.status_code, refused.json()["code"]) == (403, "CONSENT")
    assert "record it" in refused.json()["fix"]
    lab.client.record_consent(PROJECT, "child", "C01", "given")
    assert (lab.export("a").status_code, lab.export("c").status_code) == (202, 403)
    [project] = lab.client.projects()
    assert (project.project, project.videos, project.consents) == (PROJECT, 3, {"given": 2, "not recorded": 1})
    lab.client.set_project(PROJECT, {"retain_until": "2999-01-01"})
    assert lab.client.projects()[0].consent_required, "what is left out stays"


def test_what_is_due_is_listed_and_erased_only_as_named(lab: Lab) -> None:
    assert lab.client.due(PROJECT) == []
    lab.client.set_project(PROJECT, {"retain_until": LONG_AGO})
    assert lab.client.due(PROJECT) == ["a", "b", "c"]
    assert lab.client.projects()[0].due == 3
    assert lab.app.state.service.data_protection.erase_what_is_due() == 0, "not without being switched on"
    assert list_videos(lab.config.store_dir) == ["a", "b", "c"]
    with pytest.raises(ServiceProblem) as refused:
        lab.client.erase_due(PROJECT, ["a", "another"])
    assert (refused.value.status, list_videos(lab.config.store_dir)) == (409, ["a", "b", "c"])
    assert lab.client.erase_due(PROJECT, ["a", "b", "a"]) == ["a", "b"]
    assert list_videos(lab.config.store_dir) == ["c"]
    assert lab.audited().count(("erase", "kari")) == 2
    assert lab.http.get("/v1/videos/a").status_code == 404


def test_what_is_due_goes_by_itself_once_that_is_switched_on(lab: Lab) -> None:
    lab.client.set_project(PROJECT, {"retain_until": "2999-01-01", "erase_when_due": True})
    assert lab.app.state.service.data_protection.erase_what_is_due() == 0
    lab.client.set_project(PROJECT, {"retain_until": LONG_AGO})
    assert lab.app.state.service.data_protection.erase_what_is_due() == 3
    assert list_videos(lab.config.store_dir) == []
    assert lab.audited().count(("erase", "retention")) == 3


def test_a_record_about_an_erased_video_is_erased_with_it(lab: Lab) -> None:
    lab.client.record_consent(PROJECT, "video", "c", "given", note="form 7")
    assert b"form 7" in (lab.config.store_dir / FILE).read_bytes()
    lab.client.erase("c")
    assert b"form 7" not in (lab.config.store_dir / FILE).read_bytes()


def test_a_project_is_not_told_of_the_children_of_another(lab: Lab) -> None:
    store = lab.config.store_dir
    for about, name in (("child", "c01"), ("child", "C77"), ("video", "another"), ("video", "c"), ("session", "x")):
        record_consent(store, about, name, "given", who="Kari", note=f"of {name}")  # type: ignore[arg-type]
    found = lab.client.consents(PROJECT)
    assert [(one["about"], one["name"]) for one in found.records] == [("child", "c01"), ("video", "c")]
    assert lab.client.consents("other").records == []


def test_a_record_says_how_many_videos_it_is_about(lab: Lab) -> None:
    assert lab.client.record_consent(PROJECT, "child", "c01", "withdrawn").concerned == 2
    assert lab.client.record_consent(PROJECT, "child", "C1", "withdrawn").concerned == 0
    assert lab.client.consents(PROJECT).concerned is None
    assert lab.export("a").status_code == 403


def test_another_child_that_ends_a_withdrawal_is_audited_as_consent(lab: Lab) -> None:
    assert lab.http.patch("/v1/videos/b", json={"child": "C03"}).status_code == 200
    assert ("consent", "kari") not in lab.audited()
    lab.client.record_consent(PROJECT, "child", "C03", "withdrawn")
    before = lab.audited().count(("consent", "kari"))
    assert lab.http.patch("/v1/videos/b", json={"group": "g"}).status_code == 200
    assert lab.audited().count(("consent", "kari")) == before
    assert lab.http.patch("/v1/videos/b", json={"child": "C04"}).status_code == 200
    assert lab.audited().count(("consent", "kari")) == before + 1


def test_changed_rules_and_records_are_audited_with_their_project(lab: Lab) -> None:
    lab.client.set_project("dyads", {"consent_required": True})
    lab.client.record_consent("dyads", "child", "C01", "given")
    rows = lab.http.get("/v1/audit").json()["rows"]
    assert {row["action"]: row["project"] for row in rows} == {"change project": "dyads", "consent": "dyads"}


def test_a_rule_of_the_store_reaches_projects_with_others_of_their_own(lab: Lab) -> None:
    lab.client.set_project(PROJECT, {"erase_when_due": False})
    set_rules(lab.config.store_dir, WHOLE_STORE, ProjectRules(consent_required=True))
    assert lab.export("c").status_code == 403
    lab.client.set_project(PROJECT, {"consent_required": False, "retain_until": "never"})
    assert lab.export("c").status_code == 202
    assert lab.client.set_project(PROJECT, {"consent_required": None}).consent_required


def test_one_video_that_cannot_be_erased_keeps_no_other(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    protection = lab.app.state.service.data_protection
    lab.client.set_project(PROJECT, {"retain_until": LONG_AGO, "erase_when_due": True})
    erase = protection._erase

    def stuck(video_id: str) -> None:
        if video_id == "a":
            raise ValueError("anything")
        erase(video_id)

    monkeypatch.setattr(protection, "_erase", stuck)
    assert protection.erase_what_is_due() == 2
    assert list_videos(lab.config.store_dir) == ["a"]
    with wait_for_lock_file(lab.config.data_dir / ".retention.lock"):
        monkeypatch.undo()
        assert protection.erase_what_is_due() == 0, "another process is at it"
    assert protection.erase_what_is_due() == 1
    assert lab.audited().count(("erase", "retention")) == 3


def test_videos_whose_project_nobody_knows_are_counted(lab: Lab) -> None:
    assert lab.http.get("/v1/projects").json()["videos_without_project"] == 0
    broken = lab.config.uploads_dir / "broken-0123456789ab"
    broken.mkdir()
    (broken / "upload.json").write_text("{")
    assert lab.http.get("/v1/projects").json()["videos_without_project"] == 1
    guest = create_key(lab.config.keys_path, name="guest", role="viewer", projects=[PROJECT])
    found = lab.http.get("/v1/projects", headers={"X-API-Key": guest}).json()
    assert found["videos_without_project"] == 0


def test_no_answer_that_names_erased_videos_is_kept(lab: Lab) -> None:
    lab.client.set_project(PROJECT, {"retain_until": LONG_AGO})
    named = {"Idempotency-Key": "once"}
    erased = lab.http.post(f"/v1/projects/{PROJECT}/erase-due", json={"video_ids": ["a"]}, headers=named)
    assert erased.json() == {"erased": ["a"]}
    assert list(lab.config.kept_answers_dir.glob("*.json")) == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"about": "video", "name": "nothing", "state": "given"}, 404),
        ({"about": "child", "name": " ", "state": "given"}, 422),
        ({"about": "child", "name": "C01", "state": "perhaps"}, 422),
        ({"about": "family", "name": "C01", "state": "given"}, 422),
    ],
)
def test_records_that_mean_nothing_are_refused(lab: Lab, body: dict[str, str], status: int) -> None:
    assert lab.http.put(f"/v1/projects/{PROJECT}/consents", json=body).status_code == status
    assert lab.client.consents(PROJECT).records == []


def test_a_damaged_register_stops_exports(lab: Lab) -> None:
    (lab.config.store_dir / FILE).write_text("{")
    assert lab.export("a").status_code == 422
    assert lab.http.get("/v1/measures/visible_duration/csv").status_code == 422
    assert lab.http.delete("/v1/videos/a").status_code == 204


@pytest.mark.parametrize(
    "rules",
    [{"consent_required": "true"}, {"erase_when_due": 1}, {"retain_until": 0}, {"retain_until": "2027-06-30T00:00:00"}],
)
def test_rules_of_another_type_are_refused(lab: Lab, rules: dict[str, object]) -> None:
    """A number as a day would be 1970, and everything due."""
    assert lab.http.put(f"/v1/projects/{PROJECT}", json=rules).status_code == 422
