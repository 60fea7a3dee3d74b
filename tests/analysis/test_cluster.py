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

import av
import numpy as np
import psutil
import pytest
import structlog.testing

from visionllm_interaction.analysis import Pool, analyze, ray_backend
from visionllm_interaction.errors import ServiceError, UsageError
from visionllm_interaction.store.object_storage.copying import copy_folder
from visionllm_interaction.store.video_status_ledger import read_ledger

VIDEOS = 20
_DECODER = "visionllm_interaction.video.decoding.worker"


def test_without_ray_it_is_said_what_to_install(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match="needs Ray"):
        analyze([clip], tmp_path / "store", detections="truth", pool=Pool())


def test_a_cluster_that_does_not_start_is_said_in_our_words(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = pytest.importorskip("ray")

    def late(**_: object) -> None:
        raise Exception("The current node timed out during startup.")

    monkeypatch.setattr(ray, "init", late)
    with pytest.raises(ServiceError, match="cannot be reached") as caught:
        analyze([clip], tmp_path / "store", detections="truth", pool=Pool())
    assert caught.value.found == "The current node timed out during startup."
    assert "tried 3 times" in str(caught.value.fix) and "without --cluster ray" in str(caught.value.fix)


def test_a_node_that_is_late_the_first_time_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray's own waits cannot be set; the next start finds its files in memory. A cluster of others is asked once."""
    ray = pytest.importorskip("ray")
    asked: list[str] = []

    def late_once(**settings: Any) -> None:
        asked.append(settings["address"])
        if len(asked) == 1:
            raise Exception("The current node timed out during startup.")

    monkeypatch.setattr(ray, "init", late_once)
    monkeypatch.setattr(ray_backend, "_be_quiet", lambda _: None)
    with structlog.testing.capture_logs() as said, ray_backend._cluster(cpus=1, gpus=0):
        pass
    assert asked == ["local", "local"]
    assert [(line["event"], line["reason"]) for line in said] == [
        ("Ray did not start, trying again", "The current node timed out during startup.")
    ]
    asked.clear()
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(ServiceError, match="cannot be reached"), ray_backend._cluster(cpus=1, gpus=0):
        pass
    assert asked == ["127.0.0.1:1"]


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


def start(videos: list[Path], store: Path | str, *more: str) -> subprocess.Popen[str]:
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
def test_twenty_videos_into_an_object_store_while_workers_are_killed(
    clip: Path, tmp_path: Path, object_store: str
) -> None:
    pytest.importorskip("ray")
    videos = copies(clip, tmp_path / "videos")
    alone = finish(start(videos, tmp_path / "alone"))
    command = start(videos, object_store, "--cluster", "ray", "--workers", "2")
    assert kill_workers(command, times=2) == 2
    together = finish(command)
    assert together["store"] == object_store
    assert [v["status"] for v in together["videos"]] == ["done"] * VIDEOS
    assert [v["video_id"] for v in together["videos"]] == [v["video_id"] for v in alone["videos"]]
    copy_folder(object_store, tmp_path / "back")
    assert content(tmp_path / "back") == content(tmp_path / "alone")
    ledger = read_ledger(tmp_path / "back")
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


FAULTY = """
import os, signal, sys
sys.path.insert(0, {here!r})

def faulty(*_, **__):
    from faulty_detectors import BallDetector
    def before(images):
        level = images[0].mean()
        if 20 < level < 24:
            os.kill(os.getpid(), signal.SIGSEGV)
        if 30 < level < 34:
            sys.exit(3)
        if 40 < level < 44:
            raise RuntimeError("CUDA error: device-side assert triggered")
    return BallDetector(before)

import visionllm_interaction.detection.runtimes.factory as load
load.load_detector = faulty
"""
"""A module that Ray workers import at their start, so that each has the same detector with faults."""


def grey_clip(clip: Path, level: int) -> Path:
    """A video of ten frames of one grey level."""
    made = clip.with_name(f"grey{level}.mp4")
    with av.open(str(made), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for _ in range(10):
            picture = np.full((120, 160, 3), level, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return made


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_whatever_a_detector_does_on_a_worker_one_video_fails(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")
    (tmp_path / "modules").mkdir()
    faulty = FAULTY.format(here=str(Path(__file__).parent))
    (tmp_path / "modules/faulty_at_start.py").write_text(faulty)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "modules"))
    (tmp_path / "modules/sitecustomize.py").write_text(
        "import sys\nif any('default_worker' in part for part in sys.orig_argv):\n    import faulty_at_start\n"
    )
    videos = [grey_clip(clip, level) for level in (200, 22, 32, 42, 210)]
    store = tmp_path / "store"
    (tmp_path / "ball.pt").touch()
    script = (
        "import json, sys; from pathlib import Path; from visionllm_interaction.analysis import Pool, analyze;"
        f"made = analyze([Path(p) for p in {[str(v) for v in videos]!r}], Path({str(store)!r}), "
        f"detector=Path({str(tmp_path / 'ball.pt')!r}), pool=Pool(workers=2)); print(json.dumps(made.to_dict()))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])["videos"]
    assert [video["status"] for video in found] == ["done", "failed", "failed", "failed", "done"]
    assert "died" in found[1]["reason"] and "SystemExit" in found[2]["reason"] and "assert" in found[3]["reason"]
    assert sorted(entry.status for entry in read_ledger(store)) == ["done", "done", "failed", "failed", "failed"]
