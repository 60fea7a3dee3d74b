"""A question about a store in an object store against the same store on this disk, in processes of their own.

    python benchmarks/service/object_storage.py

One video of the ToyRoom under twenty ids, a real server (SeaweedFS) on loopback. *First*: nothing was read before;
*again*: nothing has changed since. Medians of both are printed as ratios to the local time, of wall clock and of CPU.
Figures go to ``benchmarks/results/object_storage.json``.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests" / "support"))
from object_store_server import BUCKET, running_server

from visionllm_bench.toyroom import ToyRoomConfig, make_toyroom
from visionllm_interaction.analysis import analyze
from visionllm_interaction.store.object_storage.copying import copy_folder

RESULTS = Path(__file__).parents[1] / "results" / "object_storage.json"
VIDEOS, ROUNDS = 20, 5
QUESTION = "How long was the child visible?"


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        _make_store(folder)
        with running_server(folder / "server") as server:
            os.environ |= server.environment() | {"VISIONLLM_STORE_CACHE": str(folder / "cache")}
            url = f"s3://{BUCKET}/store"
            copy_folder(folder / "store", url)
            rounds = [_round(folder, url) for _ in range(ROUNDS)]
    figures: dict[str, Any] = {"videos": VIDEOS, "rounds": ROUNDS}
    for clock in (0, 1):
        local, first, again = (statistics.median(one[kind][clock] for one in rounds) for kind in range(3))
        name = ("wall", "cpu")[clock]
        figures[name] = {"local_s": round(local, 3), "first": round(first / local, 2), "again": round(again / local, 2)}
    RESULTS.write_text(json.dumps(figures, indent=1) + "\n")
    print(json.dumps(figures, indent=1))


def _make_store(folder: Path) -> None:
    """One video of eight seconds, under twenty ids."""
    config = ToyRoomConfig(video_width=320, video_height=240, video_seconds=8)
    [made] = make_toyroom(folder / "room", images=0, videos=1, seed=1, config=config).videos
    analyze(made.path, folder / "store", detections="truth", video_ids=["v00"])
    videos = folder / "store" / "videos"
    for n in range(1, VIDEOS):
        copy = shutil.copytree(videos / "v00", videos / f"v{n:02d}")
        record = json.loads((copy / "video.json").read_text())
        (copy / "video.json").write_text(json.dumps({**record, "video_id": copy.name}))


def _round(folder: Path, url: str) -> list[tuple[float, float]]:
    """Wall clock and CPU seconds of the question: locally, the first time from the object store, and again."""
    shutil.rmtree(folder / "cache", ignore_errors=True)
    answers = [_ask(store) for store in (str(folder / "store"), url, url)]
    assert len({answer for answer, _, _ in answers}) == 1, answers
    return [(wall, cpu) for _, wall, cpu in answers]


def _ask(store: str) -> tuple[str, float, float]:
    visionllm = str(Path(sys.executable).with_name("visionllm"))
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [visionllm, "ask", QUESTION, "--store", store, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    answer = json.loads(done.stdout)
    assert answer["status"] == "answered", answer
    return answer["answer"], seconds, cpu


if __name__ == "__main__":
    main()
