"""`visionllm analyze --cluster ray` with two workers against one: twenty short videos, one core for each worker.

    python benchmarks/service/cluster.py --detector yolox_nano.onnx

The whole command is timed, with Ray's start and stop and the loading of libraries. All its processes are kept on as
many cores as there are workers, so that one worker cannot borrow the other's. Figures go to
``benchmarks/results/cluster.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from visionllm_bench.toyroom import ToyRoomConfig, make_toyroom
from visionllm_interaction.store.video_status_ledger import read_ledger

RESULTS = Path(__file__).parents[1] / "results" / "cluster.json"
VIDEOS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detector", type=Path, required=True)
    parser.add_argument("--videos", type=int, default=VIDEOS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        videos = _videos(folder, arguments.videos)
        found = {workers: _analyze(videos, folder / str(workers), arguments.detector, workers) for workers in (1, 2)}
    figures = {
        "videos": len(videos),
        "frames_each": found[1]["frames"],
        "detector": arguments.detector.name,
        "seconds": {str(workers): run["seconds"] for workers, run in found.items()},
        "seconds_from_first_begin_to_last_end": {str(workers): run["working"] for workers, run in found.items()},
        "speed_up": found[1]["seconds"] / found[2]["seconds"],
        "speed_up_from_first_begin_to_last_end": found[1]["working"] / found[2]["working"],
    }
    RESULTS.write_text(json.dumps(figures, indent=1) + "\n")
    print(json.dumps(figures, indent=1))


def _videos(folder: Path, count: int) -> list[Path]:
    """One ToyRoom video under ``count`` names, each with other bytes at its end (which a reader of MP4 skips)."""
    config = ToyRoomConfig(video_width=320, video_height=240, video_seconds=8)
    [made] = make_toyroom(folder / "room", images=0, videos=1, seed=1, config=config).videos
    videos = [folder / "videos" / f"v{n:02d}.mp4" for n in range(count)]
    videos[0].parent.mkdir()
    for n, video in enumerate(videos):
        shutil.copyfile(made.path, video)
        with video.open("ab") as stream:
            stream.write(b"\0\0\0\x0cfree" + n.to_bytes(4, "big"))
    return videos


def _analyze(videos: list[Path], store: Path, detector: Path, workers: int) -> dict[str, Any]:
    visionllm = str(Path(sys.executable).with_name("visionllm"))
    command = [visionllm, "analyze", *map(str, videos), "--store", str(store), "--detector", str(detector), "--json"]
    command += ["--cluster", "ray", "--workers", str(workers)]
    cores = sorted(os.sched_getaffinity(0))[:workers]
    begin = time.perf_counter()
    done = subprocess.run(
        ["taskset", "-c", ",".join(map(str, cores)), *command], capture_output=True, text=True, check=True
    )
    seconds = time.perf_counter() - begin
    results = json.loads(done.stdout)["videos"]
    assert [video["status"] for video in results] == ["done"] * len(videos), results
    entries = read_ledger(store)
    ends = [datetime.fromisoformat(entry.updated_at) for entry in entries]
    begins = [end - timedelta(seconds=entry.seconds or 0) for entry, end in zip(entries, ends, strict=True)]
    working = (max(ends) - min(begins)).total_seconds()
    return {"seconds": seconds, "working": working, "frames": results[0]["processed"]}


if __name__ == "__main__":
    main()
