"""JSON checks and picture checks against the tools people use, in turn, each in a fresh process; figures are medians.

    python benchmarks/annotations.py [--rounds 3] [--pictures FOLDER] [--files 20000]

Sides for the annotation file (COCO train2017's size, made by coco_size.py): all our checks, polygons included;
``pycocotools.COCO(file)`` alone; hotcoco's load and healthcheck. Peak memory is that of the whole process.

Sides for the pictures (a folder of JPEGs, linked as often as needed): our checks; decoding each picture to RGB with as
many processes and doing nothing else. Results go to benchmarks/results/annotations.json.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import psutil

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "annotations.json"
CORES = len(os.sched_getaffinity(0))


def ours(path: Path) -> None:
    from visionllm_interaction.validate.config import ValidateConfig
    from visionllm_interaction.validate.source import SplitSource
    from visionllm_interaction.validate.stage import examine

    result = examine(ValidateConfig(), {"train": SplitSource(None, path)}, [])
    print(json.dumps({"faults": result.policy.found}, default=dict), file=sys.stderr)


def pycocotools(path: Path) -> None:
    from pycocotools.coco import COCO

    COCO(str(path))


def hotcoco(path: Path) -> None:
    import hotcoco as library

    library.COCO(str(path)).healthcheck()


SIDES = {"ours": ours, "hotcoco": hotcoco, "pycocotools": pycocotools}


def run_side(name: str, path: Path) -> tuple[float, float]:
    """Seconds from after start-up of Python to the end, and peak RSS in GB, of one side in a fresh process."""
    command = [sys.executable, __file__, "--side", name, "--file", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    output = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{name} ended with status {status}")
    return float(output.strip().splitlines()[-1]), usage.ru_maxrss / 1e6


def annotations(path: Path, rounds: int) -> dict[str, Any]:
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in SIDES}
    for _ in range(rounds):
        for name in SIDES:
            seen[name].append(run_side(name, path))
    sides = {
        name: {
            "seconds": round(statistics.median(s for s, _ in runs), 3),
            "peak_rss_gb": round(max(m for _, m in runs), 3),
            "all_seconds": [round(s, 3) for s, _ in runs],
        }
        for name, runs in seen.items()
    }
    ratio = {name: round(sides["ours"]["seconds"] / sides[name]["seconds"], 3) for name in ("pycocotools", "hotcoco")}
    return {"file_mb": round(path.stat().st_size / 1e6), "rounds": rounds, "sides": sides, "ratio": ratio}


def decode(paths: list[str]) -> int:
    from PIL import Image

    for path in paths:
        with Image.open(path) as image:
            image.convert("RGB")
    return len(paths)


def _decode_rate(paths: list[str]) -> float:
    batches = [paths[n : n + 16] for n in range(0, len(paths), 16)]
    with ProcessPoolExecutor(CORES, mp_context=multiprocessing.get_context("forkserver")) as pool:
        pool.submit(decode, paths[:1]).result()
        started = time.perf_counter()
        sum(pool.map(decode, batches))
        return len(paths) / (time.perf_counter() - started)


def _check_rate(paths: list[str]) -> float:
    from visionllm_interaction.validate.gallery import look_through
    from visionllm_interaction.validate.look import Limits

    limits = Limits(100_000_000, 30, 4096)
    list(look_through(paths[:1], limits, workers=1))
    started = time.perf_counter()
    for _ in look_through(paths, limits, workers=CORES):
        pass
    return len(paths) / (time.perf_counter() - started)


def pictures(folder: Path, count: int, rounds: int) -> dict[str, Any]:
    originals = sorted(map(str, folder.rglob("*.jpg")))
    part = (originals * (count // rounds // len(originals) + 1))[: count // rounds]
    rates: dict[str, list[float]] = {"ours": [], "decode_only": []}
    memory = []
    for _ in range(rounds):
        rates["decode_only"].append(_decode_rate(part))
        rates["ours"].append(_check_rate(part))
        memory.append(round(psutil.Process().memory_info().rss / 1e6))
    medians = {name: round(statistics.median(values), 1) for name, values in rates.items()}
    return {
        "pictures_per_second": medians,
        "ratio": round(medians["ours"] / medians["decode_only"], 3),
        "files": count,
        "rss_mb_after_each_round": memory,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side")
    parser.add_argument("--file", type=Path, default=Path(tempfile.gettempdir()) / "coco_size.json")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--files", type=int, default=3000)
    options = parser.parse_args()
    if options.side:
        started = time.perf_counter()
        SIDES[options.side](options.file)
        print(f"\n{time.perf_counter() - started}")
        return
    from coco_size import write_coco_size

    result: dict[str, Any] = {"cores": CORES, "annotations": annotations(write_coco_size(options.file), options.rounds)}
    if options.pictures:
        result["pictures"] = pictures(options.pictures, options.files, options.rounds)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
