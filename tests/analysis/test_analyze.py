"""Videos → store: results, skipping, failures, arguments."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from visionllm_interaction.analysis import AnalysisConfig, analyze
from visionllm_interaction.errors import InputDataError, StoreError, UsageError, VideoError
from visionllm_interaction.measures.api import Query, run_query
from visionllm_interaction.store.reader import erase_video, open_store
from visionllm_interaction.store.video_identity import resolve_video
from visionllm_interaction.store.video_record import read_record
from visionllm_interaction.store.video_status_ledger import read_ledger


def test_truth_becomes_a_store_that_answers(clip: Path, tmp_path: Path) -> None:
    result = analyze([clip], tmp_path / "store", detections="truth").to_dict()
    [video] = result["videos"]
    assert video["video_id"].startswith("clip-")
    assert {k: video[k] for k in ("status", "frames", "processed", "detections", "tracks")} == {
        "status": "done",
        "frames": 50,
        "processed": 50,
        "detections": 100,
        "tracks": 2,
    }
    json.dumps(result)
    with open_store(tmp_path / "store") as store:
        assert store.names() == ["ball", "child", "person"]
        record = store.video(video["video_id"])
        [near] = run_query(store, Query("near_duration", "child", "ball"))
        [seen] = run_query(store, Query("visible_duration", "child"))
    assert record["source"]["name"] == "clip.mp4" and record["duration_s"] == pytest.approx(2.0)
    assert record["config"] == AnalysisConfig().model_dump(mode="json")
    assert record["detector"]["kind"] == "truth" and record["detector"]["categories"] == ["ball", "child"]
    # near: gap 120 - (60 + n) ≤ 0.25 × 80, so from frame 40 on
    assert (near.value, near.begin_s, near.frames) == (pytest.approx(0.4), pytest.approx(1.6), (40, 49))
    assert near.track_ids == (3, 7) and seen.value == pytest.approx(2.0)


def test_heads_tell_who_faces_what(clip: Path, tmp_path: Path) -> None:
    heads = tmp_path / "clip.heads.csv"

    def facing(angle: float, given: Path) -> tuple[str, list[object], str | None]:
        rows = [f"{n},{50 + n},40,{angle}" for n in range(10, 50)]  # the child's, seen from 0.4 s on
        heads.write_text("\n".join(["frame_index,x,y,yaw_deg", *rows]))
        [video] = analyze([clip], tmp_path / "store", detections="truth", heads=given).to_dict()["videos"]
        with open_store(tmp_path / "store") as store:
            found = [r for r in store.relations(video["video_id"]) if r.predicate == "facing"]
            record = store.video(video["video_id"])
        about: list[object] = [(r.subject_track_id, r.object_track_id, r.begin_s, r.end_s) for r in found]
        return video["status"], about, (record["heads"] or {}).get("name")

    right = (3, 7, pytest.approx(0.4), pytest.approx(2.0))
    assert facing(35.0, heads) == ("done", [right], "clip.heads.csv")
    assert facing(35.0, tmp_path) == ("up_to_date", [right], "clip.heads.csv")
    assert facing(-35.0, tmp_path) == ("done", [], "clip.heads.csv")
    (tmp_path / "none").mkdir()
    assert facing(35.0, tmp_path / "none") == ("done", [], None)
    with pytest.raises(UsageError, match="several videos"):
        analyze([clip, clip], tmp_path / "store", detections="truth", heads=heads)
    heads.write_text("frame,yaw\n")
    with pytest.raises(InputDataError, match="heads"):
        analyze([clip], tmp_path / "store", detections="truth", heads=heads)


def test_the_same_again_is_up_to_date_and_a_change_is_not(clip: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"

    def statuses(**change: object) -> list[str]:
        result = analyze([clip], store, detections="truth", **change).to_dict()  # type: ignore[arg-type]
        return [v["status"] for v in result["videos"]]

    assert [statuses(), statuses()] == [["done"], ["up_to_date"]]
    slower = AnalysisConfig.model_validate({"video": {"decode": {"sample_fps": 5}}})
    assert statuses(config=slower) == ["done"]
    with open_store(store) as opened:
        [video_id] = opened.video_ids()
        assert opened.video(video_id)["n_processed"] == 10
        [seen] = run_query(opened, Query("visible_duration", "child"))
    assert seen.value == pytest.approx(2.0)
    truth = clip.parent / "truth.json"
    truth.write_text(truth.read_text().replace('"child"', '"caregiver"'))
    assert statuses(config=slower) == ["done"]


def test_one_bad_file_does_not_stop_the_others(clip: Path, tmp_path: Path) -> None:
    bad = clip.parent / "text.mp4"
    bad.write_text("not a video")
    result = analyze([bad, clip, tmp_path / "none.mp4"], tmp_path / "store", detections="truth").to_dict()
    assert [v["status"] for v in result["videos"]] == ["failed", "done", "failed"]
    assert "text.mp4" in result["videos"][0]["reason"]
    assert "none.mp4" in result["videos"][2]["reason"]
    assert sorted(p.name for p in (tmp_path / "store" / "videos").iterdir()) == [result["videos"][1]["video_id"]]


def test_when_all_fail_it_is_an_error(clip: Path, tmp_path: Path) -> None:
    bad = clip.parent / "text.mp4"
    bad.write_text("not a video")
    with pytest.raises(VideoError, match="cannot be read"):
        analyze([bad], tmp_path / "store", detections="truth")
    with pytest.raises(InputDataError, match="None of 2 videos"):
        analyze([bad, bad], tmp_path / "store", detections="truth")


def test_the_ledger_says_what_became_of_each_and_forgets_what_is_erased(clip: Path, tmp_path: Path) -> None:
    bad, store = clip.parent / "text.mp4", tmp_path / "store"
    bad.write_text("not a video")
    [_, done] = analyze([bad, clip], store, detections="truth").to_dict()["videos"]
    good, failed = read_ledger(store)
    assert (good.status, good.video_id, good.attempt) == ("done", done["video_id"], 1)
    assert failed.status == "failed" and failed.reason and "cannot be read" in failed.reason
    erase_video(store, done["video_id"])
    assert [entry.path for entry in read_ledger(store)] == [str(bad)]


def test_a_video_that_kills_its_process_is_given_up(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"
    monkeypatch.setattr("visionllm_interaction.store.video_status_ledger.Ledger.begin", lambda *_: 4)
    with pytest.raises(InputDataError, match="died"):
        analyze([clip], store, detections="truth")
    assert read_ledger(store)[0].status == "failed"


def test_ids_roles_and_progress(clip: Path, tmp_path: Path) -> None:
    roles = tmp_path / "roles.csv"
    roles.write_text("name,role\n3,caregiver\n")
    calls: list[tuple[str, int, int | None]] = []
    result = analyze(
        [clip],
        tmp_path / "store",
        detections="truth",
        roles=roles,
        video_ids=["mine"],
        progress=lambda name, done, total: calls.append((name, done, total)),
    ).to_dict()
    assert result["videos"][0]["video_id"] == "mine"
    assert calls[-1] == ("clip.mp4", 50, 50) and len(calls) >= 50
    with open_store(tmp_path / "store") as store:
        assert {t.track_id: t.role for t in store.tracks("mine")} == {3: "caregiver", 7: None}


@pytest.mark.parametrize(
    "arguments",
    [
        {"detections": "truth", "detector": Path("x.pt")},
        {"detections": "truth", "video_ids": []},
        {"detections": "truth", "video_ids": ["../x"]},
    ],
)
def test_arguments_that_do_not_fit_are_refused_before_anything_is_written(
    clip: Path, tmp_path: Path, arguments: dict[str, object]
) -> None:
    with pytest.raises(UsageError):
        analyze([clip], tmp_path / "store", **arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "store").exists()


def test_a_folder_with_other_things_is_not_taken_for_a_store(clip: Path) -> None:
    with pytest.raises(StoreError):
        analyze([clip], clip.parent, detections="truth")


def test_the_source_is_never_written_to(clip: Path, tmp_path: Path) -> None:
    before = {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in clip.parent.iterdir()}
    analyze([clip], tmp_path / "store", detections="truth")
    assert {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in clip.parent.iterdir()} == before


def test_a_copy_elsewhere_has_the_same_id(clip: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    shutil.copytree(clip.parent, other)
    result = analyze([clip, other / "clip.mp4"], tmp_path / "store", detections="truth").to_dict()
    assert [v["status"] for v in result["videos"]] == ["done", "up_to_date"]
    record = read_record(tmp_path / "store" / "videos" / result["videos"][0]["video_id"])
    assert record is not None and record.source.path == str(clip), "the first place, as long as it is there"


@pytest.mark.parametrize("name", ["clip.mp4", "renamed.mp4"])
def test_a_file_that_was_moved_keeps_its_results_and_its_new_place_is_noted(
    clip: Path, tmp_path: Path, name: str
) -> None:
    store = tmp_path / "store"
    [first] = analyze([clip], store, detections="truth").to_dict()["videos"]
    moved = clip.parent.rename(tmp_path / "other-disk") / "clip.mp4"
    moved = moved.rename(moved.with_name(name))
    [again] = analyze([moved], store, detections="truth").to_dict()["videos"]
    assert (again["status"], again["video_id"]) == ("up_to_date", first["video_id"])
    record = read_record(store / "videos" / first["video_id"])
    assert record is not None and record.source.path == str(moved)
    assert resolve_video(store, str(moved)) == resolve_video(store, first["video_id"]) == first["video_id"]
    assert resolve_video(store, str(moved.rename(tmp_path / "again.mp4"))) == first["video_id"], "by its contents"
    with pytest.raises(StoreError, match="not in the store"):
        resolve_video(store, str(tmp_path / "other.mp4"))


def test_true_tracks_need_neither_torch_nor_a_tracker(clip: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from visionllm_interaction.analysis import analyze;"
        f"analyze([Path({str(clip)!r})], Path({str(tmp_path / 'store')!r}), detections='truth');"
        "print({'torch', 'trackers', 'cv2', 'ray'} & set(sys.modules))"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split()[-1] == "set()"


def _detections(path: Path, *, score: float, every: int = 1) -> Path:
    rows = [{"frame_index": n, "category_id": 1, "bbox": [40, 30, 20, 80], "score": score} for n in range(0, 50, every)]
    names = [{"id": 1, "name": "child"}, {"id": 2, "name": "ball"}]
    path.write_text(json.dumps({"categories": names, "detections": rows}))
    return path


def test_who_was_seen_weakly_is_not_absent(clip: Path, tmp_path: Path) -> None:
    given = _detections(tmp_path / "d.json", score=0.4)
    [video] = analyze([clip], tmp_path / "store", detections=given).to_dict()["videos"]
    assert (video["tracks"], video["untracked"]) == (0, 50)
    with open_store(tmp_path / "store") as store:
        [weak] = run_query(store, Query("visible_duration", "child"))
        [absent] = run_query(store, Query("visible_duration", "ball"))
    assert weak.value is None and "2.0 s" in str(weak.missing) and "0.40" in str(weak.missing)
    assert absent.value == 0.0


def test_what_a_low_rate_does_not_show_is_null_with_the_reason(clip: Path, tmp_path: Path) -> None:
    given = _detections(tmp_path / "d.json", score=0.9, every=25)
    settings = AnalysisConfig.model_validate({"video": {"decode": {"sample_fps": 1}}})
    [video] = analyze([clip], tmp_path / "store", detections=given, config=settings).to_dict()["videos"]
    assert video["processed"] == 2 and any("holding" in note for note in video["notes"])
    with open_store(tmp_path / "store") as store:
        record = store.record(video["video_id"])
        [seen] = run_query(store, Query("visible_share", "child"))
        [held] = run_query(store, Query("holding_duration", "child", "ball"))
        [near] = run_query(store, Query("near_duration", "child", "ball"))
        [taken] = run_query(store, Query("event_count", "child", predicate="picks_up"))
    assert (seen.value, near.value) == (1.0, 0.0)
    assert held.value is None and "1 s apart" in str(held.missing) and taken.value is None
    assert record.sampling is not None and record.sampling.step_s == pytest.approx(1.0)
    assert record.sampling.expected_errors["near"] > 0


def test_a_worn_camera_is_noticed_and_the_option_said(panning_clip: Path, tmp_path: Path) -> None:
    given = _detections(tmp_path / "d.json", score=0.9)
    [room] = analyze([panning_clip], tmp_path / "room", detections=given).to_dict()["videos"]
    [ego] = analyze([panning_clip], tmp_path / "ego", detections=given, view="ego").to_dict()["videos"]
    assert [note for note in room["notes"] if "--view ego" in note]
    assert not [note for note in ego.get("notes", []) if "--view ego" in note]
