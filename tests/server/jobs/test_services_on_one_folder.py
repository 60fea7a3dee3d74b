"""Several services on one data folder: what one of them starts, ends or erases does the others no harm."""

from __future__ import annotations

import shutil
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from canary_scan import find_bytes
from coded_videos import make_video
from pydantic import ValidationError
from running_service import RunningService, finished_job, wait_for
from starlette.responses import Response
from starlette.testclient import TestClient

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server.app import create_app
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.intake.uploads import JobOptions, Uploads
from visionllm_interaction.server.intake.video_probe import VideoMetadata
from visionllm_interaction.server.jobs.data_folder import lock_data_dir
from visionllm_interaction.server.jobs.exports import Export, ExportOptions, Exports
from visionllm_interaction.server.jobs.worker import JobOutcome
from visionllm_interaction.server.results.store_views import StoreViews
from visionllm_interaction.store.layout import list_videos
from visionllm_interaction.utils.file_locks import try_lock_file

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


def test_a_video_that_two_erase_at_once_is_erased_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = config_of(tmp_path, "one").model_copy(update={"insecure": True})
    make_video(config.store_dir, {"child": [(0, 5)]}, "anna")
    app = create_app(config, analysis=AnalysisConfig(), reason=ReasonConfig(planner="rules"))
    with TestClient(app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False) as client:
        service = app.state.service
        both, stored_ids = threading.Barrier(2), service.lists.stored_ids
        service.uploads.lock = lambda lock=service.uploads.lock: (both.wait(10), lock())[1]
        with ThreadPoolExecutor(2) as threads:
            answers = list(threads.map(lambda _: client.delete("/v1/videos/anna"), range(2)))
        assert sorted(answer.status_code for answer in answers) == [204, 404]
        assert stored_ids() == set()


def test_an_export_that_begins_while_its_video_is_erased_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(tmp_path, "one").model_copy(update={"insecure": True})
    make_video(config.store_dir, {"child": [(0, 5)]}, "anna")
    app = create_app(config, analysis=AnalysisConfig(), reason=ReasonConfig(planner="rules"))
    with TestClient(app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False) as client:
        create, erased = Exports.create, list[int]()
        eraser = threading.Thread(target=lambda: erased.append(client.delete("/v1/videos/anna").status_code))

        def erased_meanwhile(exports: Exports, video_id: str, options: ExportOptions) -> Export:
            eraser.start()
            eraser.join(1.5)  # it waits until the export is begun
            return create(exports, video_id, options)

        monkeypatch.setattr(Exports, "create", erased_meanwhile)
        client.post("/v1/videos/anna/exports", json={"format": "csv"})
        eraser.join()
        assert erased == [204]
        assert find_bytes(config.exports_dir, [b"anna"]) == []


def test_what_others_ask_of_a_video_while_it_is_erased_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(tmp_path, "one").model_copy(update={"insecure": True})
    make_video(config.store_dir, {"child": [(0, 5)]}, "anna")
    app = create_app(config, analysis=AnalysisConfig(), reason=ReasonConfig(planner="rules"))
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        service = app.state.service
        views = StoreViews(config.store_dir, config.views_dir, owner="one")

        def asked_meanwhile(video_id: str) -> bool:
            views.part([video_id])
            config.previews_dir.mkdir(exist_ok=True)
            (config.previews_dir / f"{video_id}.jpg").touch()
            answer = config.kept_answers_dir / "0f.json"
            answer.parent.mkdir(exist_ok=True)
            service.kept_answers.keep(answer, "0f", Response(b"there is anna"), about=video_id)
            return False

        monkeypatch.setattr(service.uploads, "erase", asked_meanwhile)
        assert client.delete("/v1/videos/anna").status_code == 204
    assert find_bytes(tmp_path, [b"anna"]) == []


def test_videos_can_be_uploaded_while_the_workers_of_erased_exports_are_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(tmp_path, "one").model_copy(update={"insecure": True})
    make_video(config.store_dir, {"child": [(0, 5)]}, "anna")
    app = create_app(config, analysis=AnalysisConfig(), reason=ReasonConfig(planner="rules"))
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        app.state.service.exports.create("anna", ExportOptions(format="csv"))
        free = list[bool]()

        def look(_: Path) -> None:
            lock = try_lock_file(config.uploads_dir / ".lock")
            free.append(lock is not None)
            if lock is not None:
                lock.release()

        monkeypatch.setattr("visionllm_interaction.server.jobs.exports.wait_for_worker", look)
        assert client.delete("/v1/videos/anna").status_code == 204
        assert free == [True]
    assert find_bytes(config.exports_dir, [b"anna"]) == []


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


def test_a_part_of_a_list_that_was_read_before_an_erasure_does_not_name_the_video(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, views = tmp_path / "store", StoreViews(tmp_path / "store", tmp_path / "views", owner="one")
    for name in ("anna", "bo", "cy"):
        make_video(store, {"child": [(0, 5)]}, name)
    listed = ["anna", "bo", "cy"]
    shutil.rmtree(store / "videos" / "anna")
    views.erase("anna")
    assert list_videos(views.part(listed)) == ["bo", "cy"]

    link = Path.symlink_to

    def erased_just_before(self: Path, target: Path) -> None:
        if self.name == "bo" and target.exists():
            shutil.rmtree(target)
            views_of_another.erase("bo")
        link(self, target)

    views.prepare()
    views_of_another = StoreViews(store, tmp_path / "views", owner="two")
    monkeypatch.setattr(Path, "symlink_to", erased_just_before)
    assert list_videos(views.part(["bo", "cy"])) == ["cy"]
    assert [path for path in (tmp_path / "views").rglob("*") if path.name in ("anna", "bo")] == []
    monkeypatch.undo()
    make_video(store, {"child": [(0, 5)]}, "bo")
    assert list_videos(views.part(["bo", "cy"])) == ["bo", "cy"], "a video that comes back is seen"


@pytest.mark.parametrize("name", ["one", "0f3a"])
def test_parts_of_services_that_do_not_run_go(tmp_path: Path, name: str) -> None:
    with lock_data_dir(config_of(tmp_path, "one")):
        pass  # it has run; 0f3a is a part of a version in which all shared theirs
    left = tmp_path / "views" / name / "videos"
    left.mkdir(parents=True)
    (left / "anna").symlink_to(tmp_path / "store" / "videos" / "anna")
    with lock_data_dir(config_of(tmp_path, "two")):
        assert list((tmp_path / "views").iterdir()) == []
    assert sorted(path.name for path in tmp_path.glob(".*.lock")) == [".service-one.lock", ".service-two.lock"]


@pytest.mark.parametrize("name", [".", "..", ".retention", "-x", "a/b", ""])
def test_a_name_that_is_that_of_a_folder_or_hidden_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValidationError, match="executor_id"):
        config_of(tmp_path, name)


@pytest.mark.parametrize("name", ["retention", "jobs.starting"])
def test_no_service_takes_a_lock_of_another_purpose(tmp_path: Path, name: str) -> None:
    with lock_data_dir(config_of(tmp_path, name)):
        other = try_lock_file(tmp_path / f".{name}.lock")
        assert other is not None
        other.release()


def test_an_outcome_that_comes_after_its_video_was_erased_brings_no_name_back(tmp_path: Path) -> None:
    config = config_of(tmp_path, "one")
    uploads, exports = started(config), Exports(config.exports_dir, expiry_s=3600)
    with uploads.receiving() as incoming:
        incoming.write(b"video")
        upload = uploads.publish(incoming.received(), name="Zanzibarina.mp4", facts=FACTS, options=JobOptions())
    export = exports.create(upload.video_id, ExportOptions(format="csv"))
    uploads.erase(upload.video_id)
    exports.erase(upload.video_id)
    outcome: JobOutcome = {"status": "done", "result": None, "error": None}
    uploads.keep_outcome(upload, outcome)
    exports.keep_outcome(export, outcome)
    exports.keep_outcome(export, outcome, replace=False)
    assert list(tmp_path.rglob("Zanzibarina*")) == []


def test_a_part_that_another_service_removes_is_seen_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, views = tmp_path / "store", tmp_path / "views"
    for name in ("anna", "bo"):
        make_video(store, {"child": [(0, 5)]}, name)
    here, there = StoreViews(store, views, owner="one"), StoreViews(store, views, owner="two")
    part = here.part(["anna", "bo"])
    rmtree, seen = shutil.rmtree, list[bool]()

    def watched(path: Path, **options: Any) -> None:
        seen.append(part.exists())
        there.erase("anna")  # what is being removed is removed once
        rmtree(path, **options)

    monkeypatch.setattr(shutil, "rmtree", watched)
    StoreViews(store, views, owner="three").erase("anna")
    assert seen == [False]
    assert list((views / "one").iterdir()) == []


def test_a_part_is_made_although_another_service_erases_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, views = tmp_path / "store", tmp_path / "views"
    for name in ("anna", "bo"):
        make_video(store, {"child": [(0, 5)]}, name)
    here, there = StoreViews(store, views, owner="one"), StoreViews(store, views, owner="two")
    rename, times = Path.rename, list[str]()

    def erased_meanwhile(path: Path, target: Path) -> Path:
        if path.name.startswith(".") and not times:
            times.append(path.name)
            there.erase("anna")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", erased_meanwhile)
    assert list_videos(here.part(["anna", "bo"])) == ["anna", "bo"] and times


def test_a_service_starts_while_another_one_deletes_what_it_had_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = config_of(tmp_path, "one"), config_of(tmp_path, "two")
    with lock_data_dir(one):
        started(one)
    (one.incoming_dir / "0f").write_bytes(b"the first half, ")
    rmtree, begun = shutil.rmtree, list[Path]()

    def slow(path: Path, **options: Any) -> None:
        monkeypatch.undo()
        with lock_data_dir(one):
            begun.append(path)
            started(one)
            rmtree(path, **options)
            assert one.incoming_dir.is_dir()

    monkeypatch.setattr(shutil, "rmtree", slow)
    with lock_data_dir(two):
        assert begun
        assert [path.name for path in (tmp_path / "incoming").iterdir()] == ["one"]
