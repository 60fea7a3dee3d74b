"""Analysis into a store in an object store: what is published, what the ledger says, what is done again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from visionllm_interaction.analysis import analyze
from visionllm_interaction.analysis.analysis_task import AnalysisTask
from visionllm_interaction.analysis.attempts import fail_one
from visionllm_interaction.analysis.object_storage import ledger_at
from visionllm_interaction.artifacts.object_storage.bucket import Bucket
from visionllm_interaction.cli.application import app
from visionllm_interaction.cli.output import run_app
from visionllm_interaction.errors import InputDataError, UsageError
from visionllm_interaction.store.layout import list_videos
from visionllm_interaction.store.object_storage.working_copy import working_copy
from visionllm_interaction.store.video_status_ledger import read_ledger


def test_what_is_written_is_what_a_folder_would_hold(clip: Path, tmp_path: Path, object_store: str) -> None:
    here = analyze([clip], tmp_path / "store", detections="truth")
    there = analyze([clip], object_store, detections="truth")
    assert there.store == object_store and there.videos[0].video_id == here.videos[0].video_id
    with working_copy(object_store) as copy:
        [video_id] = list_videos(copy.folder)
        files = sorted(path.name for path in (copy.folder / "videos" / video_id).iterdir())
        assert files == sorted(path.name for path in (tmp_path / "store/videos" / video_id).iterdir())
        for name in files:
            one, other = (folder / "videos" / video_id / name for folder in (copy.folder, tmp_path / "store"))
            if name.endswith(".parquet"):
                assert one.read_bytes() == other.read_bytes()
        [entry] = read_ledger(copy.folder)
        assert (entry.status, entry.video_id, entry.attempt) == ("done", video_id, 1)


def test_what_is_there_is_not_done_again_even_under_another_name(clip: Path, object_store: str) -> None:
    analyze([clip], object_store, detections="truth")
    keys = {entry.key for entry in Bucket(object_store).objects_below("videos")}
    assert analyze([clip], object_store, detections="truth").videos[0].status == "up_to_date"
    assert {entry.key for entry in Bucket(object_store).objects_below("videos")} == keys
    moved = clip.rename(clip.with_name("visit.mp4"))
    again = analyze([moved], object_store, detections="truth").videos[0]
    assert again.status == "up_to_date" and again.video_id is not None and again.video_id.startswith("clip-")
    with working_copy(object_store) as copy:
        content = json.loads((copy.folder / "videos" / again.video_id / "video.json").read_text())
    assert content["source"]["name"] == "visit.mp4"


def test_a_bad_file_is_told_and_stops_no_other(
    clip: Path, object_store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = clip.with_name("text.mp4")
    bad.write_text("not a video")
    command = ["analyze", str(bad), str(clip), "--detections", "truth", "--store", object_store, "--json"]
    assert run_app(app, command) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["store"] == object_store and [v["status"] for v in found["videos"]] == ["failed", "done"]
    assert run_app(app, ["ledger", "--store", object_store, "--json"]) == 0
    ledger = json.loads(capsys.readouterr().out)
    assert (ledger["done"], ledger["failed"], ledger["store"]) == (1, 1, object_store)


def test_a_worker_that_died_counts_as_an_attempt_and_a_run_that_ended_leaves_none_running(
    clip: Path, object_store: str
) -> None:
    analyze([clip], object_store, detections="truth")
    with ledger_at(object_store, run="other") as ledger:
        assert ledger.begin(clip, None) == 1
    with ledger_at(object_store, run="other") as ledger:
        assert ledger.begin(clip, None) == 2
    with ledger_at(object_store, run="other") as ledger:
        ledger.close(reason="The run was ended.")
    with working_copy(object_store) as copy:
        assert [entry.status for entry in read_ledger(copy.folder)] == ["interrupted"]
        task = AnalysisTask("other", Path(), "truth", "room", {}, _config(), url=object_store)
    assert fail_one(SystemExit(3), clip, None, task).result.status == "failed"
    with working_copy(object_store) as copy:
        assert [entry.status for entry in read_ledger(copy.folder)] == ["failed"]


def _config() -> object:
    from visionllm_interaction.analysis import AnalysisConfig

    return AnalysisConfig()


def test_an_object_store_that_cannot_be_written_is_told_before_any_work(
    clip: Path, object_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputDataError, match="no such bucket"):
        analyze([clip], "s3://nobody-made-this/x", detections="truth")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(UsageError, match="refuses"):
        analyze([clip], object_store, detections="truth")


def test_a_video_that_cannot_be_published_has_failed(
    clip: Path, object_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Bucket.create

    def late(self: Bucket, key: str, data: bytes) -> str | None:
        return None if key.endswith("published.json") else original(self, key, data)

    monkeypatch.setattr(Bucket, "create", late)
    with pytest.raises(InputDataError, match="faster"):
        analyze([clip], object_store, detections="truth")
    with working_copy(object_store) as copy:
        assert list_videos(copy.folder) == []
        [entry] = read_ledger(copy.folder)
        assert entry.status == "failed" and entry.reason is not None
