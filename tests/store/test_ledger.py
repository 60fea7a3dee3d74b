"""The ledger: the last word on every video, deaths counted, nothing left of an erased one."""

from __future__ import annotations

from pathlib import Path

from visionllm_interaction.store.video_status_ledger import Ledger, forget_video, read_ledger


def test_the_last_word_counts(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, run="r")
    one, two = tmp_path / "1.mp4", tmp_path / "2.mp4"
    assert ledger.begin(one, None) == 1 and ledger.begin(two, "mine") == 1
    assert [entry.status for entry in read_ledger(tmp_path)] == ["running", "running"]
    ledger.done(one, "1-abc", asked_id=None, attempt=1, seconds=2.5)
    ledger.failed(two, "mine", attempt=1, seconds=0.1, reason="no video")
    first, second = read_ledger(tmp_path)
    assert (first.video_id, first.status, first.seconds, first.reason) == ("1-abc", "done", 2.5, None)
    assert (second.video_id, second.status, second.reason) == ("mine", "failed", "no video")


def test_deaths_are_counted_within_a_run(tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    assert [Ledger(tmp_path, run="r").begin(path, None) for _ in range(3)] == [1, 2, 3]
    assert Ledger(tmp_path, run="another").begin(path, None) == 1
    Ledger(tmp_path, run="another").failed(path, None, attempt=1, seconds=0, reason="bad")
    assert Ledger(tmp_path, run="another").begin(path, None) == 1


def test_erased_videos_are_forgotten_by_id_and_by_path(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, run="r")
    for name in ("a", "b", "c"):
        ledger.begin(tmp_path / name, None)
    ledger.done(tmp_path / "a", "id-a", asked_id=None, attempt=1, seconds=1)
    forget_video(tmp_path, "id-a", path=str(tmp_path / "b"))
    assert [Path(entry.path).name for entry in read_ledger(tmp_path)] == ["c"]


def test_damaged_entries_are_passed_over(tmp_path: Path) -> None:
    Ledger(tmp_path, run="r").begin(tmp_path / "v", None)
    (tmp_path / "ledger" / "x.json").write_text("{")
    assert len(read_ledger(tmp_path)) == 1
