"""Who may look, and for how long: ended sessions, revoked keys, closed folders, damaged files, full disks."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from fastapi import HTTPException
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server.app import create_app
from visionllm_interaction.server.auth.api_keys import KeyRing, create_key
from visionllm_interaction.server.auth.sessions import COOKIE, Sessions
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.intake.uploads import JobOptions, Upload, Uploads
from visionllm_interaction.server.intake.video_probe import VideoMetadata
from visionllm_interaction.server.jobs.data_folder import close_to_others
from visionllm_interaction.server.readiness import part_states
from visionllm_interaction.server.service import Service
from visionllm_interaction.store.video_status_ledger import Ledger, read_ledger

FACTS = VideoMetadata(container="mov", codec="h264", width=16, height=12, duration_s=1.0, frames_per_s=10.0)


@pytest.fixture
def config(tmp_path: Path) -> ServeConfig:
    return ServeConfig(data_dir=tmp_path / "service", page=False)


@pytest.fixture
def key(config: ServeConfig) -> str:
    return create_key(config.keys_path, name="test", role="admin")


@pytest.fixture
def client(config: ServeConfig, key: str) -> TestClient:
    app = create_app(config, analysis=AnalysisConfig(), reason=ReasonConfig())
    return TestClient(app, base_url="http://127.0.0.1:8000", follow_redirects=False, raise_server_exceptions=False)


def uploaded(uploads: Uploads, name: str = "Anna.mp4", content: bytes = b"video") -> Upload:
    uploads.prepare()
    with uploads.receiving() as incoming:
        incoming.write(content)
        incoming.close()
        return uploads.publish(incoming.received(), name=name, facts=FACTS, options=JobOptions())


def test_logging_out_ends_the_session_and_every_copy_of_its_cookie(
    client: TestClient, config: ServeConfig, key: str
) -> None:
    copies = []
    for _ in range(2):
        client.cookies.clear()
        assert client.post("/login", data={"key": key}).status_code == 303
        copies.append(client.cookies[COOKIE])
    client.cookies.clear()
    assert client.post("/logout", headers={"cookie": f"{COOKIE}={copies[0]}"}).status_code == 303
    seen = [client.get("/v1/openapi.json", headers={"cookie": f"{COOKIE}={copy}"}).status_code for copy in copies]
    assert seen == [401, 200], "the other login of the same key goes on"
    restarted = Sessions(config.data_dir / "session.secret", KeyRing(config.keys_path))
    assert [restarted.valid(copy) for copy in copies] == [False, True]


def test_a_session_that_ends_at_one_service_ends_at_all_services_on_the_folder(config: ServeConfig, key: str) -> None:
    ring = KeyRing(config.keys_path)
    here, there = (Sessions(config.data_dir / "session.secret", ring) for _ in range(2))
    first, second = (here.open(ring.entries[0].id) for _ in range(2))
    assert here.valid(first) and there.valid(first) and there.valid(second)
    here.end(first)
    assert not there.valid(first), "logged out at the other one"
    there.end(second)
    assert not here.valid(second)
    restarted = Sessions(config.data_dir / "session.secret", ring)
    assert not restarted.valid(first) and not restarted.valid(second), "neither has overwritten the other's"


def test_logging_out_on_a_full_disk_ends_the_session(
    client: TestClient, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.post("/login", data={"key": key}).status_code == 303
    cookie = client.cookies[COOKIE]

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("visionllm_interaction.server.auth.sessions.write_file", full)
    answer = client.post("/logout")
    assert (answer.status_code, client.cookies.get(COOKIE)) == (303, None)
    assert client.get("/v1/openapi.json", headers={"cookie": f"{COOKIE}={cookie}"}).status_code == 401


def test_logging_out_without_a_session_changes_nothing(client: TestClient, config: ServeConfig) -> None:
    assert client.post("/logout", headers={"cookie": f"{COOKIE}=forged"}).status_code in (303, 401)
    assert not (config.data_dir / "sessions.ended.json").exists()


def test_there_are_no_websockets(client: TestClient, key: str) -> None:
    with pytest.raises(WebSocketDisconnect) as closed, client.websocket_connect("/echo", headers={"X-API-Key": key}):
        pass
    assert closed.value.code == 1008


@pytest.mark.parametrize("path", ["/v1/openapi.json", "/v1/healthz", "/login", "/v1/nothing", "/metrics"])
def test_no_answer_is_kept_by_browsers_or_proxies(client: TestClient, key: str, path: str) -> None:
    assert "no-store" in client.get(path, headers={"X-API-Key": key}).headers["cache-control"]


def test_a_file_of_keys_that_is_damaged_lets_nobody_in(client: TestClient, config: ServeConfig, key: str) -> None:
    assert client.get("/v1/openapi.json", headers={"X-API-Key": key}).status_code == 200
    config.keys_path.write_text("keys: [what is this")
    assert client.get("/v1/openapi.json", headers={"X-API-Key": key}).status_code == 401
    assert client.get("/v1/healthz").status_code == 200


@pytest.mark.parametrize(("group", "expected"), [(False, 0o700), (True, 0o750)])
def test_the_folders_are_closed_to_other_accounts(config: ServeConfig, group: bool, expected: int) -> None:
    for folder in (config.data_dir, config.store_dir):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
    close_to_others(config.model_copy(update={"group_readable": group}))
    modes = [stat.S_IMODE(folder.stat().st_mode) for folder in (config.data_dir, config.store_dir)]
    assert modes == [expected, expected]


def test_a_damaged_record_costs_that_upload_only(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path / "uploads", tmp_path / "incoming")
    damaged, sound = uploaded(uploads), uploaded(uploads, "Bo.mp4", b"another")
    (uploads.folder(damaged) / "upload.json").write_text('{"video_id": ')
    assert [upload.video_id for upload in uploads.all()] == [sound.video_id]
    assert uploads.get(damaged.video_id) is None and uploads.has_folder(damaged.video_id)
    assert uploads.erase(damaged.video_id) and not uploads.has_folder(damaged.video_id)


class NoJobs:
    """The calls that erasing makes of the queue, in order, with what was still there at each."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.calls = folder, list[tuple[str, bool]]()

    def stop_worker(self, job_id: str) -> None:
        self.calls.append(("stop_worker", any(self.folder.glob("Anna-*"))))

    def delete(self, job_id: str) -> None:
        self.calls.append(("delete", any(self.folder.glob("Anna-*"))))


@pytest.fixture
def stopped(config: ServeConfig) -> Service:
    return Service(config, analysis=AnalysisConfig(), reason=ReasonConfig())


def test_erasing_a_video_whose_job_failed_leaves_no_entry_in_the_ledger(
    stopped: Service, config: ServeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = uploaded(stopped.uploads)
    jobs: Any = NoJobs(config.uploads_dir)
    monkeypatch.setattr(stopped, "jobs", jobs)
    ledger = Ledger(config.store_dir, run="r")
    path = stopped.uploads.path(upload)
    ledger.failed(path, upload.video_id, attempt=1, seconds=1.0, reason="out of memory")
    ledger.failed(Path("/elsewhere/other.mp4"), "other", attempt=1, seconds=1.0, reason="out of memory")
    stopped.erase(upload.video_id)
    assert [entry.video_id for entry in read_ledger(config.store_dir)] == ["other"]
    assert jobs.calls == [("stop_worker", True), ("delete", False)], "the files make room before anything is written"


def test_an_upload_with_a_damaged_record_can_be_erased(stopped: Service) -> None:
    upload = uploaded(stopped.uploads)
    (stopped.uploads.folder(upload) / "upload.json").write_text("")
    stopped.erase(upload.video_id)
    assert not stopped.uploads.has_folder(upload.video_id)
    with pytest.raises(HTTPException, match="404"):
        stopped.erase(upload.video_id)


def test_an_upload_that_would_fill_the_disk_is_refused_before_it_is_sent(
    stopped: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopped.detector, "check_usable", lambda: None)
    monkeypatch.setattr(stopped.room, "free_bytes", lambda: 1_000_000_000)
    stopped.check_capacity(400_000_000)
    with pytest.raises(HTTPException) as refused:
        stopped.check_capacity(600_000_000)
    assert refused.value.status_code == 507
    assert "1000 MB free, 600 MB to write" in str(refused.value.detail)


def test_a_service_whose_disk_is_full_is_not_ready(stopped: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopped.room, "free_bytes", lambda: 0)
    assert part_states(stopped)["disk"] == "nearly full"
