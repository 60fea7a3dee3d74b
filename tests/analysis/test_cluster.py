"""`--cluster ray`: twenty videos, workers killed; without Ray."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from visionllm_interaction.analysis import Pool, analyze_videos
from visionllm_interaction.errors import UsageError
from visionllm_interaction.store.job_log import read_ledger

VIDEOS = 20
_DECODER = "visionllm_interaction.video.decoding.worker"


def test_without_ray_it_is_said_what_to_install(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match="needs Ray"):
        analyze_videos([clip], tmp_path / "store", detections="truth", pool=Pool())


def copies(clip: Path, folder: Path) -> list[Path]:
    """The same clip under other names, with other bytes at the end (which a reader of MP4 skips)."""
    made = []
    for n in range(VIDEOS):
        home = folder / f"home{n:02d}"
        shutil.copytree(clip.parent, home)
        with (home / "clip.mp4").open("ab") as stream:
            stream.write(b"\0\0\0\x0cfree" + n.to_bytes(4, "big"))
        made.append(home / "clip.mp4")
    return made


def start(videos: list[Path], store: Path, *more: str) -> subprocess.Popen[str]:
    visionllm = str(Path(sys.executable).with_name("visionllm"))
    command = [visionllm, "analyze", *map(str, videos), "--store", str(store)]
    command += ["--detections", "truth", "--json", *more]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def finish(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate(timeout=500)
    assert process.returncode == 0, err
    return dict(json.loads(out))


def kill_workers(command: subprocess.Popen[str], *, times: int) -> int:
    """Kill that many workers, each while it decodes a video."""
    killed = 0
    while killed < times and command.poll() is None:
        for process in psutil.Process(command.pid).children(recursive=True):
            try:
                if _DECODER not in process.cmdline():
                    continue
                process.parent().kill()  # type: ignore[union-attr]
                killed += 1
                break
            except (psutil.NoSuchProcess, AttributeError):
                continue
        time.sleep(1.0 if killed else 0.005)
    return killed


def content(store: Path) -> dict[str, Any]:
    """Everything of every video but when it was analysed."""
    found: dict[str, Any] = {}
    for file in sorted((store / "videos").rglob("*")):
        if file.suffix == ".parquet":
            found[str(file.relative_to(store))] = file.read_bytes()
        elif file.suffix == ".json":
            found[str(file.relative_to(store))] = {**json.loads(file.read_bytes()), "created_at": None}
    return found


@pytest.mark.crash
@pytest.mark.timeout(1200)
def test_twenty_videos_while_workers_are_killed(clip: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    videos = copies(clip, tmp_path / "videos")
    alone = finish(start(videos, tmp_path / "alone"))
    command = start(videos, tmp_path / "cluster", "--cluster", "ray", "--workers", "2")
    assert kill_workers(command, times=2) == 2
    together = finish(command)
    assert [v["status"] for v in together["videos"]] == ["done"] * VIDEOS
    assert [v["path"] for v in together["videos"]] == [str(path) for path in videos]
    assert [v["video_id"] for v in together["videos"]] == [v["video_id"] for v in alone["videos"]]
    assert content(tmp_path / "cluster") == content(tmp_path / "alone")
    ledger = read_ledger(tmp_path / "cluster")
    assert [entry.status for entry in ledger] == ["done"] * VIDEOS
    assert sum(entry.attempt - 1 for entry in ledger) == 2


@pytest.mark.crash
@pytest.mark.timeout(1200)
def test_a_bad_file_is_told_and_what_is_done_is_not_done_again(clip: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    bad = clip.parent / "text.mp4"
    bad.write_text("not a video")
    store = tmp_path / "store"
    first = finish(start([bad, clip], store, "--cluster", "ray"))
    again = finish(start([bad, clip], store, "--cluster", "ray"))
    assert [v["status"] for v in first["videos"]] == ["failed", "done"]
    assert [v["status"] for v in again["videos"]] == ["failed", "up_to_date"]
    assert "text.mp4" in first["videos"][0]["reason"]
    assert {(Path(e.path).name, e.status) for e in read_ledger(store)} == {("text.mp4", "failed"), ("clip.mp4", "done")}
