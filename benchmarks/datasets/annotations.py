"""All checks of an annotation file against the tools people use, in turn, each in a fresh process; medians.

    python benchmarks/datasets/annotations.py [--rounds 3] [--file FILE]

The file is of COCO train2017's size (made by coco_size.py). Sides: all our checks, polygons included, from the path to
the judgement; ``pycocotools.COCO(file)`` alone; hotcoco's load and healthcheck. No side's imports are counted. Peak
memory is that of the whole process. Prints ratios; the figures go to benchmarks/results/annotations.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Side = Callable[[Path], object]
HERE = Path(__file__).parent
RESULTS = HERE.parent / "results" / "annotations.json"
CORES = len(os.sched_getaffinity(0))
GOALS = {"pycocotools": 0.09, "hotcoco": 0.8, "lvis_seconds_per_mb": 1.3, "lvis_peak_per_mb": 1.2}


def ours() -> Side:
    from visionllm_interaction.datasets.validation.config import ValidateConfig
    from visionllm_interaction.datasets.validation.manifest_input import SplitSource
    from visionllm_interaction.datasets.validation.stage import examine

    return lambda path: examine(ValidateConfig(), {"train": SplitSource(None, path)}, [])


def pycocotools() -> Side:
    from pycocotools.coco import COCO

    return lambda path: COCO(str(path))


def hotcoco() -> Side:
    import hotcoco as library

    return lambda path: library.COCO(str(path)).healthcheck()


SIDES: dict[str, Callable[[], Side]] = {"ours": ours, "hotcoco": hotcoco, "pycocotools": pycocotools}
LVIS = "ours on LVIS"
"""Our checks on a file of LVIS's form, beside the same on COCO's."""


def run_side(name: str, path: Path) -> tuple[float, float]:
    """Seconds without imports, and peak RSS in GB, of one side in a fresh process."""
    command = [sys.executable, __file__, "--side", name, "--file", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    output = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{name} ended with status {status}")
    return float(output.strip().splitlines()[-1]), usage.ru_maxrss / 1e6


def annotations(path: Path, lvis: Path, rounds: int) -> dict[str, Any]:
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in (*SIDES, LVIS)}
    for _ in range(rounds):
        for name in SIDES:
            seen[name].append(run_side(name, path))
        seen[LVIS].append(run_side("ours", lvis))
    sides = {
        name: {
            "seconds": round(statistics.median(s for s, _ in runs), 3),
            "peak_rss_gb": round(max(m for _, m in runs), 3),
            "all_seconds": [round(s, 3) for s, _ in runs],
        }
        for name, runs in seen.items()
    }
    ratio = {name: round(sides["ours"]["seconds"] / sides[name]["seconds"], 3) for name in ("pycocotools", "hotcoco")}
    sizes = {"ours": path.stat().st_size, LVIS: lvis.stat().st_size}
    for key, what in (("lvis_seconds_per_mb", "seconds"), ("lvis_peak_per_mb", "peak_rss_gb")):
        per_mb = {name: sides[name][what] / size for name, size in sizes.items()}
        ratio[key] = round(per_mb[LVIS] / per_mb["ours"], 3)
    megabytes = {name: round(size / 1e6) for name, size in sizes.items()}
    return {"file_mb": megabytes, "rounds": rounds, "sides": sides, "ratio": ratio}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side")
    parser.add_argument("--file", type=Path, default=Path(tempfile.gettempdir()) / "coco_size.json")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if options.side:
        side = SIDES[options.side]()
        started = time.perf_counter()
        side(options.file)
        print(f"\n{time.perf_counter() - started}")
        return
    from coco_size import write_coco_size, write_lvis_size

    lvis = write_lvis_size(options.file.with_name("lvis_size.json"))
    result = {"cores": CORES, "goal": GOALS, **annotations(write_coco_size(options.file), lvis, options.rounds)}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    for name, side in result["sides"].items():
        print(f"{name:12}{side['seconds']:8.2f} s{side['peak_rss_gb']:8.2f} GB")
    for name, ratio in result["ratio"].items():
        print(f"{name}: {ratio:.3f} (goal {GOALS[name]})")


if __name__ == "__main__":
    main()
