"""How long `visionllm --version`, `--help` and `ask` take, beside another installation, run by turns.

    python benchmarks/startup.py --before PATH/TO/visionllm

The store is one of two ToyRoom videos from their truth. Both sides must answer the same. Times are of whole processes:
processor time (user and system), which other work on the machine disturbs least, and wall-clock time.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RESULT = Path(__file__).parent / "results" / "startup.json"
QUESTION = "How long were the child and the caregiver near each other?"


def main() -> None:
    """Measure, print a table and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, help="the command `visionllm` of another installation")
    parser.add_argument("--after", type=Path, default=Path(sys.executable).with_name("visionllm"))
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument("--store", type=Path, help="default: one is made")
    parser.add_argument("--out", type=Path, default=RESULT)
    given = parser.parse_args()
    sides = {"before": given.before, "after": given.after}
    commands = {name: str(path.resolve()) for name, path in sides.items() if path}
    with tempfile.TemporaryDirectory() as folder:  # a folder without config/
        store = given.store.resolve() if given.store else make_store(Path(folder), commands["after"])
        cases = {
            "--version": ["--version"],
            "--help": ["--help"],
            "ask": ["ask", QUESTION, "--store", str(store), "--json"],
        }
        rows = {name: measure(commands, arguments, given.repeats, folder) for name, arguments in cases.items()}
    result = {
        "machine": {"python": platform.python_version(), "cores": os.cpu_count(), "load": os.getloadavg()[0]},
        "repeats": given.repeats,
        "question": QUESTION,
        "commands": rows,
    }
    given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for name, row in rows.items():
        print(f"{name:<10} " + "  ".join(f"{key} {value:.3f}" for key, value in row.items()))


def make_store(folder: Path, visionllm: str) -> Path:
    """A store of two short ToyRoom videos."""
    room, store = folder / "room", folder / "store"
    run = [visionllm, "toyroom", str(room), "--images", "0", "--videos", "2", "--seed", "7", "--duration-s", "8"]
    subprocess.run(run, check=True, capture_output=True)
    videos = sorted(map(str, room.glob("videos/*/*.mp4")))
    analyse = [visionllm, "analyze", *videos, "--store", str(store), "--detections", "truth"]
    subprocess.run(analyse, check=True, capture_output=True)
    return store


def _holds(before: object, after: object) -> bool:
    """Whether all that ``before`` says stands in ``after``; keys may have been added."""
    if isinstance(before, dict) and isinstance(after, dict):
        return all(key in after and _holds(value, after[key]) for key, value in before.items())
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(_holds, before, after))
    return before == after


def measure(commands: dict[str, str], arguments: list[str], repeats: int, cwd: str) -> dict[str, float]:
    """Medians per side, and the ratio after / before."""
    times: dict[str, list[tuple[float, float]]] = {side: [] for side in commands}
    outputs: dict[str, str] = {}
    for _ in range(repeats + 1):  # the first round fills caches and is not counted
        for side, command in commands.items():
            cpu_s, wall_s, outputs[side] = once([command, *arguments], cwd)
            times[side].append((cpu_s, wall_s))
    if arguments[0] == "ask" and not _holds(*(json.loads(outputs[side]) for side in ("before", "after"))):
        raise SystemExit(f"the two sides answer differently to {arguments[0]}: {outputs}")
    row: dict[str, float] = {}
    for column, unit in ((0, "cpu_s"), (1, "wall_s")):
        for side, found in times.items():
            row[f"{side}_{unit}"] = statistics.median(pair[column] for pair in found[1:])
        if "before" in times:
            row[f"ratio_{unit}"] = row[f"after_{unit}"] / row[f"before_{unit}"]
    return row


def once(command: list[str], cwd: str) -> tuple[float, float, str]:
    """Processor seconds, wall-clock seconds and what was printed."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True)
    wall_s, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent, wall_s, done.stdout


if __name__ == "__main__":
    main()
