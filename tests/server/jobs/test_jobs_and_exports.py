"""Jobs and exports with everything real behind them: lists, events, files by Range, another analysis, registration."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from running_service import finished_job, wait_for
from starlette.testclient import TestClient

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.client import Client, ServiceProblem
from visionllm_interaction.interop.registry import ENDINGS
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server.app import create_app
from visionllm_interaction.server.auth.api_keys import create_key, revoke_key
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.jobs.exports import FROM_IMAGES, ExportFormat

pytestmark = pytest.mark.timeout(600)
TIMELINES = [one for one in ENDINGS if one not in FROM_IMAGES | {"rrd"}]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> ServeConfig:
    folder = tmp_path_factory.mktemp("service")
    (folder / "visits").mkdir()
    return ServeConfig(
        data_dir=folder / "data", detector=tiny_checkpoint, device="cpu", page=False, media_dirs=(folder / "visits",)
    )


@pytest.fixture(scope="module")
def client(config: ServeConfig) -> Iterator[TestClient]:
    key = create_key(config.keys_path, name="test", role="admin")
    app = create_app(config, analysis=AnalysisConfig(), reason=ReasonConfig(planner="rules"))
    with TestClient(app, headers={"X-API-Key": key}) as running:
        yield running


@pytest.fixture(scope="module")
def video_id(client: TestClient, tiny_video: Path) -> str:
    """The tiny video, uploaded and analysed."""
    sent = {"file": ("play room.mp4", tiny_video.read_bytes())}
    job = client.post("/v1/videos", files=sent, data={"sample_fps": "5"}).raise_for_status().json()
    assert finished_job(client, job["job_id"])["status"] == "done"
    return str(job["video_id"])


def export(client: TestClient, video_id: str, **options: Any) -> dict[str, Any]:
    answer = client.post(f"/v1/videos/{video_id}/exports", json=options)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/v1/jobs/{answer.json()['job_id']}"
    return finished_job(client, answer.json()["job_id"])


def test_the_formats_are_those_of_the_command_line() -> None:
    from typing import get_args

    assert set(get_args(ExportFormat)) == {*ENDINGS, "blurred"}


def test_an_export_that_was_cancelled_is_deleted_when_its_time_is_over(client: TestClient, video_id: str) -> None:
    service = client.app.state.service  # type: ignore[attr-defined]
    job_id = client.post(f"/v1/videos/{video_id}/exports", json={"format": "csv"}).raise_for_status().json()["job_id"]
    assert client.post(f"/v1/jobs/{job_id}/cancel").raise_for_status().json()["status"] == "cancelled"
    told = client.get(f"/v1/jobs/{job_id}").json()
    assert (told["status"], told["error"]) == ("cancelled", None)
    service.exports.clean()
    folder = service.exports.folder(service.exports.get(job_id))
    long_ago = time.time() - service.config.limits.export_expiry_h * 3600 - 60
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (long_ago, long_ago))
    service.exports.clean()
    assert not folder.exists(), "with what of its files was made"


def test_a_job_that_ends_while_it_is_cancelled_keeps_its_result(client: TestClient, video_id: str) -> None:
    service = client.app.state.service  # type: ignore[attr-defined]
    done = export(client, video_id, format="csv")
    analysis = service.uploads.get(video_id).job_id
    for job_id in (done["job_id"], analysis):
        before = client.get(f"/v1/jobs/{job_id}").json()
        service.jobs.cancel(job_id)
        assert client.get(f"/v1/jobs/{job_id}").json() == before and before["result"], "as it ended"
    files = f"/v1/videos/{video_id}/exports/{done['job_id']}/files"
    assert [client.get(f"{files}/{one['name']}").status_code for one in done["result"]["files"]] == [200]


def test_every_format_gives_files_that_can_be_downloaded_and_name_no_folder(
    client: TestClient, config: ServeConfig, video_id: str
) -> None:
    for format_ in TIMELINES:
        job = export(client, video_id, format=format_)
        assert (job["status"], job["kind"], job["options"]["format"]) == ("done", "export", format_), job
        names = [one["name"] for one in job["result"]["files"]]
        assert f"{video_id}{ENDINGS[format_]}" in names
        for one in job["result"]["files"]:
            address = f"/v1/videos/{video_id}/exports/{job['job_id']}/files/{one['name']}"
            whole = client.get(address)
            assert (len(whole.content), hashlib.sha256(whole.content).hexdigest()) == (one["bytes"], one["sha256"])
            assert one["name"] in whole.headers["content-disposition"]
            rest = client.get(address, headers={"range": "bytes=3-"})
            assert (rest.status_code, rest.content) == (206, whole.content[3:])
            assert str(config.data_dir).encode() not in whole.content, "a folder of the server"
    assert client.get(f"/v1/videos/{video_id}/exports/{job['job_id']}/files/outcome.json").status_code == 404
    assert client.get(f"/v1/videos/other/exports/{job['job_id']}/files/{names[0]}").status_code == 404


def test_films_are_made_with_progress_and_a_blurred_copy_is_proven(client: TestClient, video_id: str) -> None:
    film = export(client, video_id, format="mp4")
    assert [one["name"] for one in film["result"]["files"]] == [f"{video_id}.mp4"]
    copy = export(client, video_id, format="blurred", blackout=[[0.5, 1.0]])
    names = [one["name"] for one in copy["result"]["files"]]
    assert names == [f"{video_id}.blurred.mp4", f"{video_id}.blurred.mp4.proof.json"]
    proof = client.get(f"/v1/videos/{video_id}/exports/{copy['job_id']}/files/{names[1]}").json()
    assert proof["status"] == "PASS"
    outside = export(client, video_id, format="blurred", mute=[[70, 80]])
    assert outside["status"] == "failed"
    assert "outside the video" in outside["error"]["message"]
    again = client.post(f"/v1/jobs/{outside['job_id']}/retry")
    assert (again.status_code, again.json()["options"]) == (202, outside["options"])
    assert client.get(f"/v1/jobs/{outside['job_id']}").status_code == 404
    assert finished_job(client, again.json()["job_id"])["status"] == "failed"


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"format": "docx"}, 422),
        ({"format": "eaf", "colour": "red"}, 422),
        ({"format": "eaf", "blur": "faces"}, 422),
        ({"format": "blurred", "mute": [[3, 1]]}, 422),
        ({}, 422),
    ],
)
def test_exports_that_mean_nothing_are_refused(
    client: TestClient, video_id: str, options: dict[str, Any], status: int
) -> None:
    answer = client.post(f"/v1/videos/{video_id}/exports", json=options)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert client.post("/v1/videos/nothing/exports", json={"format": "eaf"}).status_code == 404


def test_jobs_are_listed_in_pages_and_filtered(client: TestClient, video_id: str) -> None:
    made = [export(client, video_id, format="csv")["job_id"] for _ in range(3)]
    everything = client.get("/v1/jobs").json()
    assert everything["next"] is None
    ids = [one["job_id"] for one in everything["jobs"]]
    assert set(made) < set(ids)
    assert [one["created_at"] for one in everything["jobs"]] == sorted(
        (one["created_at"] for one in everything["jobs"]), reverse=True
    )
    paged, cursor = [], None
    while True:
        page = client.get("/v1/jobs", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        paged += [one["job_id"] for one in page["jobs"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert paged == ids
    exports = client.get("/v1/jobs", params={"kind": "export", "status": "done", "video_id": video_id}).json()["jobs"]
    assert set(made) <= {one["job_id"] for one in exports} < set(ids)
    assert client.get("/v1/jobs", params={"video_id": "other"}).json()["jobs"] == []
    for wrong in ({"status": "finished"}, {"cursor": "nonsense"}, {"limit": 0}, {"state": "done"}):
        assert client.get("/v1/jobs", params=wrong).status_code == 422, wrong


def told(text: str) -> list[tuple[str, Any]]:
    """The events of a stream: name and content."""
    blocks = [block.split("\n") for block in text.strip().split("\n\n") if block.startswith("event:")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in blocks]


def test_events_of_a_job_go_from_its_begin_to_its_end(client: TestClient, video_id: str) -> None:
    job_id = client.post(f"/v1/videos/{video_id}/exports", json={"format": "eaf"}).json()["job_id"]
    stream = client.get(f"/v1/jobs/{job_id}/events", params={"seconds": 120})
    assert stream.headers["content-type"].startswith("text/event-stream")
    states = [content["status"] for name, content in told(stream.text) if name == "job"]
    assert states[0] in ("queued", "running") and states[-1] == "done"
    ended = client.get(f"/v1/jobs/{job_id}/events")
    assert [content["status"] for _, content in told(ended.text)] == ["done"]
    assert client.get("/v1/jobs/job-none/events").status_code == 404
    head = client.head(f"/v1/jobs/{job_id}/events")
    assert (head.status_code, head.content) == (200, b"")


def test_events_of_all_jobs_tell_of_new_ones_and_of_erased_ones(
    client: TestClient, config: ServeConfig, video_id: str
) -> None:
    streams = client.app.state.service.event_streams  # type: ignore[attr-defined]
    key = create_key(config.keys_path, name="listening", role="viewer")
    found: list[str] = []

    def listen() -> None:
        asked: dict[str, str | int] = {"seconds": 600, "kind": "export"}
        found.append(client.get("/v1/jobs/events", params=asked, headers={"X-API-Key": key}).text)

    listener = threading.Thread(target=listen)
    listener.start()
    wait_for(lambda: streams.number == 1)
    time.sleep(2.0)  # so that it has looked once
    job = export(client, video_id, format="csv")
    time.sleep(2.0)
    assert client.delete(f"/v1/videos/{video_id}/exports/{job['job_id']}").status_code == 204
    time.sleep(2.0)
    revoke_key(config.keys_path, name="listening")  # which ends the stream
    listener.join()
    events = told(found[0])
    assert events[-1] == ("gone", job["job_id"])
    assert events[-2][1]["status"] == "done"
    assert {content["job_id"] for name, content in events if name == "job"} == {job["job_id"]}, (
        "those ended are not told"
    )


def test_a_stream_ends_with_the_rights_of_its_key(client: TestClient, config: ServeConfig, video_id: str) -> None:
    key = create_key(config.keys_path, name="leaving", role="viewer")
    took: list[float] = []

    def listen() -> None:
        begin = time.monotonic()
        client.get("/v1/jobs/events", params={"seconds": 60}, headers={"X-API-Key": key})
        took.append(time.monotonic() - begin)

    listener = threading.Thread(target=listen)
    listener.start()
    wait_for(lambda: client.app.state.service.event_streams.number == 1)  # type: ignore[attr-defined]
    revoke_key(config.keys_path, name="leaving")
    listener.join()
    assert took[0] < 30


def test_too_many_streams_are_refused(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client.app.state.service.event_streams, "_limit", 0)  # type: ignore[attr-defined]
    answer = client.get("/v1/jobs/events")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


def test_a_video_is_analysed_again_with_other_options(client: TestClient, video_id: str) -> None:
    before = client.get(f"/v1/videos/{video_id}").json()
    answer = client.post(f"/v1/videos/{video_id}/analysis", json={"view": "ego", "sample_fps": 5})
    assert answer.status_code == 202, answer.text
    job = finished_job(client, answer.json()["job_id"])
    assert (job["status"], job["kind"]) == ("done", "analysis"), job
    after = client.get(f"/v1/videos/{video_id}").json()
    assert (before["view"], after["view"]) == ("room", "ego")
    assert client.get(f"/v1/jobs/{before['job']['job_id']}").status_code == 404
    assert client.post("/v1/videos/nothing/analysis", json={}).status_code == 404


def test_what_is_known_of_a_video_can_be_changed(client: TestClient, video_id: str) -> None:
    address = f"/v1/videos/{video_id}"
    changed = client.patch(address, json={"child": "C07", "age_months": 18.5, "recorded_on": "2026-01-12"})
    assert changed.status_code == 200, changed.text
    assert changed.json()["covariates"] == {"child": "C07", "age_months": 18.5, "recorded_on": "2026-01-12"}
    assert client.patch(address, json={"age_months": None}).json()["covariates"] == {
        "child": "C07",
        "recorded_on": "2026-01-12",
    }
    moved = client.patch(address, json={"project": "dyads"}).json()
    assert (moved["project"], moved["video_id"]) == ("dyads", video_id)
    assert client.get("/v1/videos", params={"project": "dyads"}).json()["videos"][0]["video_id"] == video_id
    assert client.patch(address, json={"project": "default"}).json()["project"] == "default"
    for wrong in ({"age_months": -1}, {"child": " "}, {"name": "x"}, {"recorded_on": "yesterday"}, {"project": "a b"}):
        assert client.patch(address, json=wrong).status_code == 422, wrong
    assert client.patch("/v1/videos/nothing", json={"child": "C1"}).status_code == 404


def test_a_video_that_moved_keeps_its_id_and_its_former_project_can_have_the_file_again(
    client: TestClient, video_id: str, tiny_video: Path
) -> None:
    client.patch(f"/v1/videos/{video_id}", json={"project": "dyads"}).raise_for_status()
    sent = {"file": ("play room.mp4", tiny_video.read_bytes())}
    again = client.post("/v1/videos", files=sent, data={"sample_fps": "5"}).json()
    assert again["video_id"] != video_id
    back = client.patch(f"/v1/videos/{video_id}", json={"project": "default"})
    assert (back.status_code, back.json()["code"]) == (409, "IN-PROJECT")
    finished_job(client, again["job_id"])
    assert client.delete(f"/v1/videos/{again['video_id']}").status_code == 204
    client.patch(f"/v1/videos/{video_id}", json={"project": "default"}).raise_for_status()


def test_a_folder_of_the_server_is_registered_and_its_files_stay(
    client: TestClient, config: ServeConfig, tiny_video: Path, tmp_path: Path
) -> None:
    folder = config.media_dirs[0]
    visit = Path(shutil.copy(tiny_video, folder / "visit 1.mp4"))
    with visit.open("ab") as stream:
        stream.write((8 + 3).to_bytes(4, "big") + b"free" + b"own")
    (folder / "visit 2.mp4").write_text("Dear diary,\n")
    (folder / "notes.txt").write_text("x")
    secret = tmp_path / "secret.mp4"
    shutil.copy(tiny_video, secret)
    (folder / "link.mp4").symlink_to(secret)
    content = visit.read_bytes()
    answer = client.post("/v1/videos/register", json={"path": str(folder), "project": "visits", "sample_fps": 5})
    assert answer.status_code == 202, answer.text
    found = answer.json()
    assert [one["name"] for one in found["refused"]] == ["visit 2.mp4"]
    assert (len(found["jobs"]), found["left"]) == (1, 0)
    job = finished_job(client, found["jobs"][0]["job_id"])
    assert job["status"] == "done", job
    video = client.get(f"/v1/videos/{job['video_id']}").json()
    assert (video["registered"], video["project"], video["playable"], video["name"]) == (
        True,
        "visits",
        True,
        "visit 1.mp4",
    )
    assert client.get(f"/v1/videos/{job['video_id']}/file").content == content
    assert sorted(path.name for path in folder.iterdir()) == ["link.mp4", "notes.txt", "visit 1.mp4", "visit 2.mp4"]
    again = client.post("/v1/videos/register", json={"path": "visit 1.mp4", "project": "visits", "sample_fps": 5})
    assert again.json()["jobs"][0]["job_id"] == job["job_id"]
    for outside in (str(secret), "link.mp4", "../data", "/etc", "nothing.mp4", "\0"):
        refused = client.post("/v1/videos/register", json={"path": outside})
        assert (refused.status_code, refused.json()["code"]) == (400, "USAGE"), outside
    assert client.delete(f"/v1/videos/{job['video_id']}").status_code == 204
    assert visit.read_bytes() == content


def test_erasing_a_video_erases_its_exports(client: TestClient, config: ServeConfig, tiny_video: Path) -> None:
    content = tiny_video.read_bytes() + (8 + 5).to_bytes(4, "big") + b"free" + b"erase"
    job = client.post("/v1/videos", files={"file": ("gone.mp4", content)}, headers={"Idempotency-Key": "e1"}).json()
    finished_job(client, job["job_id"])
    made = export(client, job["video_id"], format="eaf")
    address = f"/v1/videos/{job['video_id']}"
    assert client.delete(address).status_code == 204
    assert client.get(f"/v1/jobs/{made['job_id']}").status_code == 404
    assert list(config.exports_dir.glob(f"*{job['video_id']}*")) == []
    left = [path for path in config.kept_answers_dir.glob("*.json") if job["job_id"] in path.read_text()]
    assert left == []


def test_the_client_exports_follows_and_downloads(client: TestClient, video_id: str, tmp_path: Path) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        url = str(request.url).removeprefix("http://127.0.0.1:8000")
        found = client.request(request.method, url, content=request.content, headers=dict(request.headers))
        return httpx.Response(found.status_code, content=found.content)

    with Client("http://127.0.0.1:8000", transport=httpx.MockTransport(answer)) as remote:
        begun = remote.export(video_id, "eaf", idempotency_key="visit-elan")
        states = list(remote.follow(begun))
        assert (states[-1].status, begun.kind) == ("done", "export")
        [path] = remote.download(states[-1], tmp_path / "coding")
        assert path.name == f"{video_id}.eaf" and path.read_bytes().startswith(b"<?xml")
        assert [one.name for one in path.parent.iterdir()] == [path.name]
        assert remote.export(video_id, "eaf", idempotency_key="visit-elan").job_id == begun.job_id
        assert begun.job_id in {one.job_id for one in remote.jobs(kind="export", status="done")}
        assert remote.change_video(video_id, {"child": "C09"}).covariates["child"] == "C09"
        assert [one.video_id for one in remote.videos(name="PLAY")] == [video_id]
        remote.delete_export(begun)
        with pytest.raises(ServiceProblem, match="no job"):
            remote.job(begun.job_id)
