"""Several services on one data folder: what one of them starts, ends or erases does the others no harm."""

from __future__ import annotations

import shutil
import signal
import time
from pathlib import Path

import pytest
from canary_scan import find_bytes
from coded_videos import make_video
from running_service import RunningService, finished_job, wait_for

from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.jobs.data_folder import lock_data_dir
from visionllm_interaction.server.jobs.uploads import JobOptions, Uploads
from visionllm_interaction.server.jobs.video_probe import VideoMetadata
from visionllm_interaction.server.results.store_views import StoreViews
from visionllm_interaction.store.layout import list_videos

FACTS = VideoMetadata(container="mov", codec="h264", width=16, height=12, duration_s=1.0, frames_per_s=10.0)


def config_of(folder: Path, name: str) -> ServeConfig:
    return ServeConfig(data_dir=folder, executor_id=name, page=False)


def started(config: ServeConfig) -> Uploads:
    uploads = Uploads(config.uploads_dir, config.incoming_dir)
    uploads.prepare()
    return uploads


def test_an_upload_goes_on_while_another_service_starts(tmp_path: Path) -> None:
    one, two = config_of(tmp_path, "one"), config_of(tmp_path, "two")
    with lock_data_dir(one):
        uploads = started(one)
        with uploads.receiving() as incoming:
            incoming.write(b"the first half, ")
            with lock_data_dir(two):
                started(two)
            incoming.write(b"the second half")
            upload = uploads.publish(incoming.received(), name="visit.mp4", facts=FACTS, options=JobOptions())
        assert uploads.path(upload).read_bytes() == b"the first half, the second half"


@pytest.mark.parametrize("layout", ["of a name that never returns", "of an earlier version"])
def test_what_a_dead_service_had_received_goes_when_another_one_starts(tmp_path: Path, layout: str) -> None:
    one, two = config_of(tmp_path, "one"), config_of(tmp_path, "two")
    started(one)
    half = (one.incoming_dir if "name" in layout else one.incoming_dir.parent) / "0f"
    half.write_bytes(b"the first half, ")
    with lock_data_dir(two):
        started(two)
        assert [path for path in (tmp_path / "incoming").rglob("*") if path.is_file()] == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_video_that_another_host_analyses_is_erased_for_good(
    service: RunningService, tmp_path: Path, toy_video: Path
) -> None:
    common = [*service.options, "serve.page=false"]
    service.options = [*common, "serve.executor_id=one"]
    other = RunningService(tmp_path, [*common, "serve.executor_id=two", "serve.job_workers=0"], key=service.key)
    service.start()
    other.key = service.key
    other.start()
    try:
        with service.client() as one, other.client() as two:
            sent = {"file": ("Zanzibarina.mp4", toy_video.read_bytes())}
            accepted = two.post("/v1/videos", files=sent).raise_for_status().json()
            address = f"/v1/jobs/{accepted['job_id']}"
            wait_for(lambda: one.get(address).json().get("progress"), every=0.05)
            begin = time.monotonic()
            assert two.delete(f"/v1/videos/{accepted['video_id']}").status_code == 204
            assert time.monotonic() - begin < 5
            assert find_bytes(tmp_path / "service", [b"Zanzibarina"]) == []
            sent = {"file": ("next.mp4", toy_video.read_bytes())}
            after = two.post("/v1/videos", files=sent).raise_for_status().json()
            assert finished_job(two, after["job_id"])["status"] == "done", "the host goes on"
            assert [video["name"] for video in one.get("/v1/videos").json()["videos"]] == ["next.mp4"]
            assert find_bytes(tmp_path / "service", [b"Zanzibarina"]) == []
    finally:
        other.stop(signal.SIGKILL)


def test_parts_of_the_store_stay_while_another_service_starts_and_go_with_their_videos(tmp_path: Path) -> None:
    store, views = tmp_path / "store", tmp_path / "views"
    for name in ("anna", "bo", "cy"):
        make_video(store, {"child": [(0, 5)]}, name)
    here, there = StoreViews(store, views, owner="one"), StoreViews(store, views, owner="two")
    part = here.part(["anna", "bo"])
    other = there.part(["bo", "cy"])
    there.prepare()
    assert list_videos(part) == ["anna", "bo"] and not other.exists()
    shutil.rmtree(store / "videos" / "anna")  # erased on the command line
    there.erase("anna")
    assert not part.exists(), "its links name the video"


def test_parts_that_an_earlier_version_left_go(tmp_path: Path) -> None:
    store, views = tmp_path / "store", tmp_path / "views"
    make_video(store, {"child": [(0, 5)]}, "anna")
    (views / "0f3a" / "videos").mkdir(parents=True)
    (views / "0f3a" / "store.yaml").symlink_to(store / "store.yaml")
    (views / "0f3a" / "videos" / "bo").symlink_to(store / "videos" / "bo")
    StoreViews(store, views, owner="one").prepare()
    assert not (views / "0f3a").exists()
