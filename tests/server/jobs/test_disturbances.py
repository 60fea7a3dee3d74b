"""A damaged video, a store that cannot be written, a full disk, a clock set back: each is a state that is told."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from coded_videos import make_video
from running_service import RunningService, finished_job, wait_for
from starlette.testclient import TestClient

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server.app import create_app
from visionllm_interaction.server.auth import audit_log
from visionllm_interaction.server.auth.roles import LOCAL
from visionllm_interaction.server.config import ServeConfig

pytestmark = pytest.mark.timeout(600)
QUESTION = "How long is the child visible?"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    config = ServeConfig(data_dir=tmp_path, page=False, insecure=True)
    for name in ("anna", "bo"):
        make_video(config.store_dir, {"child": [(0, 5)]}, name)
    app = create_app(config, analysis=AnalysisConfig(), reason=ReasonConfig(planner="rules"))
    with TestClient(app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False) as running:
        yield running


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


DAMAGES: dict[str, Callable[[Path], object]] = {
    "the record is empty": lambda folder: (folder / "video.json").write_text(""),
    "the record is gone": lambda folder: (folder / "video.json").unlink(),
    "a table is cut off": lambda folder: cut(folder / "tracks.parquet"),
    "a table is gone": lambda folder: (folder / "frames.parquet").unlink(),
    "a table is a text": lambda folder: (folder / "relations.parquet").write_text("Dear diary"),
    "everything is gone": lambda folder: [path.unlink() for path in folder.iterdir()],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_video_is_told_and_stops_no_other(client: TestClient, tmp_path: Path, damage: str) -> None:
    whole = client.get("/v1/videos/anna/timeline").json()
    answer = client.post("/v1/ask", json={"question": QUESTION, "video_id": "anna"}).json()
    DAMAGES[damage](tmp_path / "store" / "videos" / "bo")

    videos = {video["video_id"]: video for video in wait_for(lambda: damaged_list(client), seconds=10)}
    assert (videos["anna"]["damaged"], videos["anna"]["analysed"]) == (None, True)
    assert not videos["bo"]["analysed"]
    assert client.get("/v1/videos/anna/timeline").json() == whole
    assert client.post("/v1/ask", json={"question": QUESTION, "video_id": "anna"}).json() == answer
    assert client.get("/v1/questions").status_code == 200
    measured = client.get("/v1/measures/visible_duration").json()
    assert {row["video_id"] for row in measured["rows"]} == {"anna"} and set(measured["left_out"]) == {"bo"}
    ready = client.get("/v1/readyz").json()
    assert (ready["status"], ready["parts"]["videos"]) == ("ready", "some damaged")

    for path in ("timeline", "detections"):
        refused = client.get(f"/v1/videos/bo/{path}")
        assert (refused.status_code, refused.json()["code"]) == (409, "DAMAGED-VIDEO")
    for body in ({"question": QUESTION}, {"question": "How long is the child visible in all videos?"}):
        refused = client.post("/v1/ask", json=body)
        assert (refused.status_code, refused.json()["code"]) == (409, "DAMAGED-VIDEO"), "a number without it is wrong"
        assert refused.json()["found"].startswith("bo: ")

    assert client.delete("/v1/videos/bo").status_code == 204
    assert [video["video_id"] for video in client.get("/v1/videos").json()["videos"]] == ["anna"]
    assert client.post("/v1/ask", json={"question": QUESTION}).status_code == 200


def damaged_list(client: TestClient) -> object:
    videos = client.get("/v1/videos").json()["videos"]
    return videos if any(video["damaged"] for video in videos) else None


def test_a_clock_that_was_set_back_is_told_and_stops_nothing(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = client.app.state.service  # type: ignore[attr-defined]
    assert client.get("/v1/readyz").json()["parts"]["clock"] == "going forward"

    class Tomorrow(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return datetime.now(UTC) + timedelta(days=1)

    with monkeypatch.context() as patch:
        patch.setattr(audit_log, "datetime", Tomorrow)
        service.audit.record("erase", who=LOCAL, route="DELETE /v1/videos/{video_id}")
    told = client.get("/v1/readyz").json()
    assert (told["status"], told["parts"]["clock"]) == ("ready", "set back")
    assert "audit log" in told["reasons"]["clock"]
    assert client.get("/v1/videos/anna/timeline").status_code == 200
    service.audit.record("erase", who=LOCAL, route="DELETE /v1/videos/{video_id}")
    assert service.audit.verify() == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 48 MB in memory; the test is skipped where none can be mounted."""
    folder = tmp_path / "service"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(folder: Path, *, leave: int = 0) -> Path:
    """Fill a disk to the last byte but ``leave``."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as stream:
        try:
            while True:
                stream.write(bytes(65536))
        except OSError:
            pass
        stream.truncate(max(0, stream.tell() - leave))
    return path


@pytest.mark.slow
def test_a_full_disk_ends_jobs_refuses_uploads_and_lets_erase(
    small_disk: Path, service: RunningService, tiny_video: Path, toy_video: Path
) -> None:
    service.options += ["serve.limits.min_free_disk_mb=4", "serve.page=false"]
    service.start()
    with service.client() as client:
        first = client.post("/v1/videos", files={"file": ("a.mp4", tiny_video.read_bytes())}).raise_for_status().json()
        assert finished_job(client, first["job_id"])["status"] == "done"
        job = client.post("/v1/videos", files={"file": ("b.mp4", toy_video.read_bytes())}).raise_for_status().json()
        wait_for(lambda: client.get(f"/v1/jobs/{job['job_id']}").json()["progress"], every=0.05)
        filler = fill(small_disk)
        ready = wait_for(lambda: (one := client.get("/v1/readyz")).status_code == 503 and one.json())
        assert ready["parts"]["disk"] == "nearly full"
        refused = client.post("/v1/videos", files={"file": ("c.mp4", b"x" * 1000)})
        assert (refused.status_code, refused.json()["code"]) == (507, "DISK-FULL")
        assert client.get(f"/v1/videos/{first['video_id']}/timeline").status_code == 200
        assert client.delete(f"/v1/videos/{first['video_id']}").status_code == 204, "erasing makes room"
        fill(small_disk) if not filler.exists() else None
        filler.unlink()
        ended = finished_job(client, job["job_id"])
        if ended["status"] == "failed":  # else it was faster, or waited until there was room
            assert ended["error"]["message"]
            again = client.post(f"/v1/jobs/{job['job_id']}/retry").raise_for_status().json()
            assert finished_job(client, again["job_id"])["status"] == "done"
        assert [video["video_id"] for video in client.get("/v1/videos").json()["videos"]] == [job["video_id"]]
        assert client.get("/v1/readyz").status_code == 200
        assert client.get("/v1/audit").json()["faults"] == []


@pytest.mark.slow
def test_a_store_that_cannot_be_written_is_read_and_said(
    service: RunningService, small_disk: Path, tmp_path: Path, tiny_video: Path
) -> None:
    store = tmp_path / "shared-store"
    store.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", store], check=True)
    try:
        service.options += [f"serve.store={store}", "serve.limits.min_free_disk_mb=1", "serve.page=false"]
        service.start()
        with service.client() as client:
            job = (
                client.post("/v1/videos", files={"file": ("a.mp4", tiny_video.read_bytes())}).raise_for_status().json()
            )
            assert finished_job(client, job["job_id"])["status"] == "done"
            subprocess.run(["mount", "-o", "remount,ro", store], check=True)
            ready = client.get("/v1/readyz")
            assert (ready.status_code, ready.json()["parts"]["store"]) == (503, "not writable")
            assert client.get(f"/v1/videos/{job['video_id']}/timeline").status_code == 200
            assert client.post("/v1/ask", json={"question": "How many people are there?"}).status_code == 200
            refused = client.post("/v1/videos", files={"file": ("b.mp4", tiny_video.read_bytes())})
            assert (refused.status_code, refused.json()["code"]) == (503, "STORE-READ-ONLY")
            refused = client.delete(f"/v1/videos/{job['video_id']}")
            assert (refused.status_code, refused.json()["code"]) == (503, "STORE-READ-ONLY")
            assert client.get(f"/v1/videos/{job['video_id']}/file").status_code == 200, "nothing is half erased"
            subprocess.run(["mount", "-o", "remount,rw", store], check=True)
            assert client.get("/v1/readyz").status_code == 200
            assert client.delete(f"/v1/videos/{job['video_id']}").status_code == 204
        assert list((store / "videos").iterdir()) == []
    finally:
        subprocess.run(["umount", "-l", store], check=True)
