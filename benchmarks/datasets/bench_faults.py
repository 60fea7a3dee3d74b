"""How many injected faults are reported, with the right code and id: each alone, 200 random pairs, 50 clean data sets.

    python benchmarks/datasets/bench_faults.py [--coco FOLDER]

On images of the play room, and on real COCO images if FOLDER has them (train2017/, val2017/, annotations/). Prints
the table of what was missed and writes benchmarks/results/faults.json.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests/datasets/validation"))

import test_injected_faults as injected  # noqa: E402
from injectors import World  # noqa: E402

from visionllm_bench.toyroom import make_toyroom  # noqa: E402

CLEAN_SETS = 50
RESULTS = HERE.parent / "results" / "faults.json"


def recall(base: Path, folder: Path) -> dict[str, Any]:
    alone = {name: _alone(base, folder, name, inject) for name, inject in injected.ALL.items()}
    pairs = list(injected.pairs(base, folder))
    structural = [found for _, kind, found in pairs if kind]
    return {
        "fault types alone": len(alone),
        "missed alone": [name for name, (_, found) in alone.items() if not found],
        "faults in pairs": len(pairs),
        "recall in pairs": round(sum(found for *_, found in pairs) / len(pairs), 4),
        "structural faults in pairs": len(structural),
        "structural recall in pairs": round(sum(structural) / len(structural), 4),
        "missed in pairs": dict(Counter(name for name, _, found in pairs if not found)),
        "by fault type": _rows(alone, pairs),
    }


def _rows(alone: dict[str, tuple[str, bool]], pairs: list[tuple[str, bool, bool]]) -> list[dict[str, Any]]:
    injections, found = Counter(name for name, *_ in pairs), Counter(name for name, _, hit in pairs if hit)
    return [
        {"fault": name, "code": code, "alone": hit, "in pairs": injections[name], "found in pairs": found[name]}
        for name, (code, hit) in alone.items()
    ]


def _alone(base: Path, folder: Path, name: str, inject: injected.Injector) -> tuple[str, bool]:
    world = World.copy(base, folder / "world", seed=len(name))
    expected = inject(world)
    found = injected.reported(injected.faults_of(world), expected)
    shutil.rmtree(folder / "world")
    return expected[0], found


def show(data: str, result: dict[str, Any]) -> None:
    print(f"\n{data}\n{'code':26}{'injected as':26}{'alone':>7}{'in pairs':>10}")
    for row in result["by fault type"]:
        pairs = f"{row['found in pairs']} of {row['in pairs']}" if row["in pairs"] else "-"
        print(f"{row['code']:26}{row['fault']:26}{'found' if row['alone'] else 'MISSED':>7}{pairs:>10}")
    alone = result["fault types alone"]
    print(
        f"alone {alone - len(result['missed alone'])} of {alone}; recall in pairs {result['recall in pairs']:.2%}, ",
        end="",
    )
    print(f"of structural faults {result['structural recall in pairs']:.2%}")


def false_alarms(folder: Path) -> dict[str, int]:
    alarms: Counter[str] = Counter()
    for seed in range(CLEAN_SETS):
        make_toyroom(folder / "clean", images=20, videos=0, seed=1000 + seed)
        world = World.copy(folder / "clean", folder / "world", seed=0)
        alarms.update(fault.code for fault in injected.faults_of(world))
        shutil.rmtree(folder / "world")
        shutil.rmtree(folder / "clean")
    return dict(alarms)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--coco", type=Path, default=Path(os.environ.get("VISIONLLM_TEST_DATA", ".")) / "coco-mini")
    options = parser.parse_args()
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_toyroom(folder / "toyroom", images=24, videos=0, seed=5)
        result["play room"] = recall(folder / "toyroom", folder)
        if options.coco.is_dir():
            for split in ("train", "val"):
                injected.part_of_coco(options.coco, folder / "coco", split)
            result["COCO"] = recall(folder / "coco", folder)
        result["false alarms in 50 clean play rooms"] = false_alarms(folder)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    for data in ("play room", "COCO"):
        if data in result:
            show(data, result[data])
    print(f"\nfalse alarms in {CLEAN_SETS} clean play rooms: {result['false alarms in 50 clean play rooms'] or 'none'}")


if __name__ == "__main__":
    main()
