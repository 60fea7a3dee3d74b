"""Resumable uploads (tus 1.0): what is refused before a byte is written, what a cut connection costs, what expires."""

from __future__ import annotations

import asyncio
import base64
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from running_service import finished_job, wait_for
from starlette.testclient import TestClient

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.client import Client, ServiceProblem, resumable_upload
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server.app import create_app
from visionllm_interaction.server.config import ServeConfig, ServeLimits
from visionllm_interaction.server.intake.resumable_uploads import ResumableUpload, ResumableUploads
from visionllm_interaction.server.intake.uploads import JobOptions, ReceivedVideo
from visionllm_interaction.server.service import Service

pytestmark = pytest.mark.timeout(600)
TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {**TUS, "Content-Type": "application/offset+octet-stream"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> Iterator[tuple[TestClient, Service]]:
    config = ServeConfig(
        data_dir=tmp_path_factory.mktemp("service"),
        detector=tiny_checkpoint,
        device="cpu",
        page=False,
        insecure=True,
        limits=ServeLimits(max_video_mb=1.0),
    )
    app = create_app(config, analysis=AnalysisConfig(), reason=ReasonConfig())
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        yield client, app.state.service


@pytest.fixture
def client(service: tuple[TestClient, Service]) -> TestClient:
    return service[0]


def erase_all(client: TestClient) -> None:
    """The tests share a video: uploaded with other options it is refused."""
    for video in client.get("/v1/videos").json()["videos"]:
        assert client.delete(f"/v1/videos/{video['video_id']}").status_code == 204


def encoded(**metadata: str) -> str:
    return ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in metadata.items())


def begin(client: TestClient, length: int, **metadata: str) -> str:
    answer = client.post(
        "/v1/uploads", headers={**TUS, "Upload-Length": str(length), "Upload-Metadata": encoded(**metadata)}
    )
    assert answer.status_code == 201, answer.text
    assert answer.headers["tus-resumable"] == "1.0.0" and "upload-expires" in answer.headers
    return str(answer.headers["location"])


def data_of(behind: Service, upload: ResumableUpload) -> Path:
    return behind.config.resumable_dir / upload.upload_id / "data"


def send(client: TestClient, place: str, offset: int, content: bytes) -> httpx.Response:
    answer: Any = client.patch(place, headers={**BYTES, "Upload-Offset": str(offset)}, content=content)
    return answer  # type: ignore[no-any-return]


def test_a_video_that_comes_in_pieces_is_the_job_of_the_whole(client: TestClient, tiny_video: Path) -> None:
    content = tiny_video.read_bytes()
    place = begin(client, len(content), filename="play room.mp4", sample_fps="5")
    offset = 0
    while offset < len(content):
        assert client.head(place, headers=TUS).headers["upload-offset"] == str(offset)
        answer = send(client, place, offset, content[offset : offset + 1000])
        assert answer.status_code == 204, answer.text
        offset = int(answer.headers["upload-offset"])
    told = client.get(place).json()
    assert (told["offset"], told["length"], told["name"]) == (len(content), len(content), None)
    assert finished_job(client, told["job_id"])["status"] == "done"
    whole = client.post("/v1/videos", files={"file": ("x.mp4", content)}, data={"sample_fps": "5"}).json()
    assert whole["job_id"] == told["job_id"], "the same bytes"
    again = send(client, place, len(content), b"")
    assert again.status_code == 204, "the answer to the last piece was lost, and the client asks once more"


def test_what_the_service_can_do(client: TestClient) -> None:
    post = client.get("/v1/openapi.json").json()["paths"]["/v1/uploads"]["post"]
    assert {one["name"]: one["schema"].get("maximum") for one in post["parameters"]}["Upload-Length"] == 1_000_000
    headers = client.options("/v1/uploads").headers
    assert headers["tus-version"] == "1.0.0" and headers["tus-max-size"] == "1000000"
    assert set(headers["tus-extension"].split(",")) == {"creation", "expiration", "termination"}


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Upload-Length": "5"}, 412, "TUS-VERSION"),
        ({"Upload-Length": "5", "Tus-Resumable": "0.2.0"}, 412, "TUS-VERSION"),
        (TUS, 422, "VALIDATION"),
        ({**TUS, "Upload-Length": "0"}, 422, "VALIDATION"),
        ({**TUS, "Upload-Length": "-1"}, 422, "VALIDATION"),
        ({**TUS, "Upload-Length": "1000001"}, 413, "TOO-LARGE"),
        ({**TUS, "Upload-Length": "9" * 40}, 422, "VALIDATION"),
        ({**TUS, "Upload-Length": "5", "Upload-Metadata": "filename ###"}, 422, "VALIDATION"),
        ({**TUS, "Upload-Length": "5", "Upload-Metadata": encoded(colour="red")}, 422, "VALIDATION"),
        ({**TUS, "Upload-Length": "5", "Upload-Metadata": encoded(view="sideways")}, 422, "VALIDATION"),
        ({**TUS, "Upload-Length": "5", "Upload-Metadata": encoded(project="../x")}, 422, "VALIDATION"),
    ],
)
def test_what_is_refused_before_anything_is_written(
    service: tuple[TestClient, Service], headers: dict[str, str], status: int, code: str
) -> None:
    client, behind = service
    before = sorted(behind.config.resumable_dir.iterdir())
    answer = client.post("/v1/uploads", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert sorted(behind.config.resumable_dir.iterdir()) == before


def test_a_disk_without_room_for_all_that_is_announced_is_said_before(
    service: tuple[TestClient, Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, behind = service
    needed = int(behind.config.limits.min_free_disk_mb * 1e6)
    taken = behind.resumable.bytes_to_come()
    monkeypatch.setattr(behind.room, "free_bytes", lambda: needed + taken + 1500)
    place = begin(client, 1000, filename="a.mp4")
    answer = client.post("/v1/uploads", headers={**TUS, "Upload-Length": "1000"})
    assert (answer.status_code, answer.json()["code"]) == (507, "DISK-FULL")
    assert client.delete(place, headers=TUS).status_code == 204
    begin(client, 1000, filename="b.mp4")


def test_bytes_at_the_wrong_place_are_refused_and_nothing_is_written(client: TestClient) -> None:
    place = begin(client, 100, filename="a.mp4")
    assert send(client, place, 0, b"x" * 40).status_code == 204
    for offset in (0, 39, 41, 100):
        answer = send(client, place, offset, b"y" * 10)
        assert (answer.status_code, answer.json()["expected"]) == (409, "Upload-Offset: 40")
    assert send(client, place, 40, b"z" * 61).status_code == 413
    wrong = client.patch(place, headers={**TUS, "Upload-Offset": "40", "Content-Type": "video/mp4"}, content=b"z")
    assert wrong.status_code == 415
    assert client.head(place, headers=TUS).headers["upload-offset"] == "40"
    assert client.head(place, headers=TUS).headers["cache-control"] == "private, no-store"
    assert place.rsplit("/", 1)[-1] in {one["upload_id"] for one in client.get("/v1/uploads").json()["uploads"]}
    assert client.delete(place, headers=TUS).status_code == 204
    assert client.head(place, headers=TUS).status_code == 404


@pytest.mark.parametrize("ends", ["with the last byte", "too early"])
def test_writing_to_the_disk_stops_no_other_request(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    synced: list[bool] = []
    sync = os.fsync

    def noting(descriptor: int) -> None:
        synced.append(asyncio._get_running_loop() is not None)
        sync(descriptor)

    place = begin(client, 100, filename="a.mp4")
    monkeypatch.setattr(os, "fsync", noting)
    send(client, place, 0, b"x" * 40 if ends == "with the last byte" else b"x" * 200)
    assert synced and not any(synced), "not in the thread that answers everybody"


def test_what_is_no_video_is_refused_with_the_last_byte_and_leaves_nothing(client: TestClient) -> None:
    place = begin(client, 12, filename="notes.mp4")
    assert send(client, place, 0, b"Dear ").status_code == 204
    answer = send(client, place, 5, b"diary,\n")
    assert (answer.status_code, answer.json()["code"]) == (422, "VIDEO")
    assert client.head(place, headers=TUS).status_code == 404


def test_an_upload_without_new_bytes_expires(tmp_path: Path) -> None:
    uploads = ResumableUploads(tmp_path, expiry_s=3600)
    made = [
        uploads.create(name=f"{n}.mp4", length=10, options=JobOptions(), project="default", fingerprint="f")
        for n in range(2)
    ]
    old = time.time() - 3700
    os.utime(tmp_path / made[0].upload_id / "data", (old, old))
    (tmp_path / ".partial-left").mkdir()
    os.utime(tmp_path / ".partial-left", (old, old))
    uploads.clean()
    assert [one.upload_id for one in uploads.all()] == [made[1].upload_id]
    assert [path.name for path in tmp_path.iterdir()] == [made[1].upload_id]


class CutsOff(httpx.BaseTransport):
    """A network that loses some requests, and some answers to requests that arrived."""

    def __init__(self, inner: Any, losses: list[str]) -> None:
        self.inner, self.losses, self.sent = inner, losses, 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        loss = self.losses.pop(0) if request.method == "PATCH" and self.losses else "none"
        if loss == "request":
            raise httpx.ConnectError("lost", request=request)
        self.sent += len(request.content) if request.method == "PATCH" else 0
        answer: httpx.Response = self.inner.request(
            request.method, request.url.raw_path.decode(), headers=dict(request.headers), content=request.content
        )
        if loss == "answer":
            raise httpx.ReadError("lost", request=request)
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


def test_the_client_goes_on_where_it_was(client: TestClient, tiny_video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resumable_upload, "PIECE_BYTES", 900)
    monkeypatch.setattr(resumable_upload, "_pause_s", lambda _: 0.0)
    erase_all(client)
    length = tiny_video.stat().st_size
    network = CutsOff(client, ["none", "request", "answer", "none", "request", "request", "answer"])
    with Client("http://127.0.0.1:8000", transport=network) as remote:
        job = remote.upload(tiny_video, sample_fps=4)
        assert job.video_id and network.losses == []
        assert network.sent == length, "no byte was sent twice"
        assert remote.wait(job).status == "done"
        remote.erase(job.video_id)


def test_a_client_that_is_started_anew_goes_on_with_its_file(
    client: TestClient, tiny_video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resumable_upload, "PIECE_BYTES", 900)
    monkeypatch.setattr(resumable_upload, "_pause_s", lambda _: 0.0)
    erase_all(client)
    length = tiny_video.stat().st_size
    first = CutsOff(client, ["none", "none", *["request"] * 20])
    with Client("http://127.0.0.1:8000", transport=first) as remote, pytest.raises(ServiceProblem, match="not answer"):
        remote.upload(tiny_video, sample_fps=3)
    second = CutsOff(client, [])
    with Client("http://127.0.0.1:8000", transport=second) as remote:
        job = remote.upload(tiny_video, sample_fps=3)
        assert (first.sent, second.sent) == (1800, length - 1800)
        assert remote.wait(job).status == "done"


def test_a_video_whose_last_byte_came_just_before_the_end_is_accepted_at_the_start(
    service: tuple[TestClient, Service], tiny_video: Path
) -> None:
    client, behind = service
    erase_all(client)
    content = tiny_video.read_bytes()
    upload = behind.resumable.create(name="a.mp4", length=len(content), options=JobOptions(), project="default")
    (behind.config.resumable_dir / upload.upload_id / "data").write_bytes(content)
    behind.intake.complete_what_has_arrived()
    told = client.get(f"/v1/uploads/{upload.upload_id}").json()
    assert client.get(f"/v1/jobs/{told['job_id']}").status_code == 200
    erase_all(client)
    assert client.get(f"/v1/uploads/{upload.upload_id}").status_code == 404


class KilledError(BaseException):
    """Stands for ``kill -9``: nothing that follows is done."""


def killed(*_: Any, **__: Any) -> None:
    raise KilledError


@pytest.mark.parametrize("moment", ["before the job is queued", "after it"])
def test_an_upload_whose_service_was_killed_once_its_video_was_kept_is_over_after_the_start(
    service: tuple[TestClient, Service], tiny_video: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    client, behind = service
    erase_all(client)
    content = tiny_video.read_bytes()
    upload = behind.resumable.create(name="a.mp4", length=len(content), options=JobOptions(), project="default")
    data_of(behind, upload).write_bytes(content)
    with monkeypatch.context() as patch, pytest.raises(KilledError):
        patch.setattr(*(behind.jobs, "submit") if "before" in moment else (behind.resumable, "finish"), killed)
        behind.intake.complete(upload.upload_id)
    told = client.get(f"/v1/uploads/{upload.upload_id}").json()
    assert (told["offset"], told["job_id"]) == (len(content), None), "no byte has to be sent again"
    behind.intake.complete_what_has_arrived()
    told = client.get(f"/v1/uploads/{upload.upload_id}").json()
    assert finished_job(client, told["job_id"])["status"] == "done"
    [video] = client.get("/v1/videos").json()["videos"]
    assert [path.name for path in data_of(behind, upload).parent.iterdir() if path.name[0] != "."] == ["upload.json"]
    assert client.delete(f"/v1/videos/{video['video_id']}").status_code == 204
    assert client.get(f"/v1/uploads/{upload.upload_id}").status_code == 404


def test_a_video_that_is_kept_is_finished_without_reading_it_again(
    service: tuple[TestClient, Service], tiny_video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, behind = service
    erase_all(client)
    content = tiny_video.read_bytes()
    upload = behind.resumable.create(name="a.mp4", length=len(content), options=JobOptions(), project="default")
    data_of(behind, upload).write_bytes(content)
    with monkeypatch.context() as patch:
        patch.setattr(behind.resumable, "finish", killed)
        with pytest.raises(KilledError):
            behind.intake.complete(upload.upload_id)
    monkeypatch.setattr(behind.resumable, "received", killed)
    behind.intake.complete_what_has_arrived()
    assert client.get(f"/v1/uploads/{upload.upload_id}").json()["job_id"]


def test_a_file_system_without_hard_links_costs_the_bytes_that_are_sent_again(
    service: tuple[TestClient, Service], tiny_video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, behind = service
    erase_all(client)
    content = tiny_video.read_bytes()
    place = begin(client, len(content), filename="a.mp4")
    upload_id = place.rsplit("/", 1)[-1]
    upload = behind.resumable.get(upload_id)
    assert upload is not None
    data_of(behind, upload).write_bytes(content)

    def no_links(*_: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", no_links)
        patch.setattr(behind.resumable, "finish", killed)
        with pytest.raises(KilledError):
            behind.intake.complete(upload_id)
    assert client.head(place, headers=TUS).headers["upload-offset"] == "0"
    assert send(client, place, 0, content).status_code == 204
    assert client.get(place).json()["job_id"] and len(client.get("/v1/videos").json()["videos"]) == 1


def test_bytes_for_an_upload_that_is_given_up_meanwhile_are_told_so(
    service: tuple[TestClient, Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, behind = service
    place = begin(client, 100, filename="a.mp4")
    offset_of = behind.resumable.offset

    def given_up_after_it_was_found(upload: Any) -> int:
        offset = offset_of(upload)
        behind.resumable.delete(upload.upload_id)
        return offset

    monkeypatch.setattr(behind.resumable, "offset", given_up_after_it_was_found)
    answer = send(client, place, 0, b"x" * 10)
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT-FOUND")


def test_an_upload_that_is_given_up_before_its_bytes_are_read_is_told_so(
    service: tuple[TestClient, Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, behind = service
    place = begin(client, 10, filename="a.mp4")
    received = behind.resumable.received

    def given_up_before(upload: ResumableUpload) -> ReceivedVideo:
        behind.resumable.delete(upload.upload_id)
        return received(upload)

    monkeypatch.setattr(behind.resumable, "received", given_up_before)
    answer = send(client, place, 0, b"x" * 10)
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT-FOUND")


def test_bytes_that_come_once_the_video_was_accepted_are_not_kept(tmp_path: Path) -> None:
    uploads = ResumableUploads(tmp_path, expiry_s=3600)
    upload = uploads.create(name="a.mp4", length=10, options=JobOptions(), project="default")
    uploads.finish(upload, "job-0")  # by another request
    slow = uploads.open(upload, 0)
    slow.write(b"x" * 10)
    uploads.close(upload, slow)
    assert not uploads.file(upload).exists()


def test_an_upload_that_is_given_up_before_it_is_finished_stays_gone(tmp_path: Path) -> None:
    uploads = ResumableUploads(tmp_path, expiry_s=3600)
    upload = uploads.create(name="a.mp4", length=10, options=JobOptions(), project="default")
    uploads.delete(upload.upload_id)
    uploads.finish(upload, "job-0")
    assert list(tmp_path.iterdir()) == []


def test_cancelling_reaches_a_job_that_runs_within_two_seconds(client: TestClient, toy_video: Path) -> None:
    erase_all(client)
    job = client.post("/v1/videos", files={"file": ("toy.mp4", toy_video.read_bytes())}).raise_for_status().json()
    wait_for(lambda: client.get(f"/v1/jobs/{job['job_id']}").json()["progress"], every=0.05)
    begin_s = time.monotonic()
    assert client.post(f"/v1/jobs/{job['job_id']}/cancel").json()["status"] == "cancelled"
    assert time.monotonic() - begin_s < 2
    assert client.post(f"/v1/jobs/{job['job_id']}/cancel").json()["code"] == "ENDED"
    again = client.post(f"/v1/jobs/{job['job_id']}/retry").raise_for_status().json()
    assert finished_job(client, again["job_id"])["status"] == "done"
