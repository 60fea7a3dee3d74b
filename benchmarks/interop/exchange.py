"""Random timelines through every format and back: labels lost, worst time error, speed; and real files, counted.

    python benchmarks/interop/exchange.py [--count 1000] [--data FOLDER]

FOLDER holds real files of the tools (elan/*.eaf, boris/*.boris, datavyu/*.opf, childproject/*.TextGrid): what is read
is held against a count made from the raw text, and what is written for ELAN against FOLDER/elan/EAFv2.7.xsd. Figures go
to benchmarks/results/exchange.json.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests/interop"))

from exchange_random import random_timeline, rows  # noqa: E402
from lxml import etree  # noqa: E402
from test_exchange_round_trips import FORMATS  # noqa: E402

from visionllm_interaction.interop.formats.elan import eaf_bytes  # noqa: E402
from visionllm_interaction.interop.registry import read_timelines  # noqa: E402
from visionllm_interaction.interop.tiers import Timeline  # noqa: E402

RESULTS = HERE.parent / "results" / "exchange.json"


def expected(timeline: Timeline, name: str) -> Timeline:
    """What should come back; Praat has no participants, they are part of the name."""
    if name != "TextGrid":
        return timeline
    named = (replace(t, name=f"{t.participant}: {t.name}" if t.participant else t.name) for t in timeline.tiers)
    return Timeline(tuple(replace(tier, participant="") for tier in named))


def round_trips(name: str, count: int, folder: Path) -> dict[str, Any]:
    """``count`` timelines through one format; of every tenth a second cycle, which has to change nothing."""
    write, read = FORMATS[name]
    path = folder / f"timeline.{name}"
    worst_s, stretches, wrong, unstable = 0.0, 0, 0, 0
    begin = time.perf_counter()
    for seed in range(count):
        timeline = random_timeline(seed)
        path.write_bytes(write(timeline))
        once = read(path)
        there, back = rows(expected(timeline, name)), rows(once)
        wrong += [row[:3] for row in back] != [row[:3] for row in there]
        stretches += len(there)
        for a, b in zip(there, back, strict=False):
            worst_s = max(worst_s, abs(a[3] - b[3]), abs(a[4] - b[4]))
        if seed % 10 == 0:
            path.write_bytes(write(once))
            unstable += read(path).tiers != once.tiers
    return {
        "timelines": count,
        "stretches": stretches,
        "timelines with a label lost or changed": wrong,
        "worst time error ms": 1000 * worst_s,
        "changed by a second cycle": unstable,
        "seconds": time.perf_counter() - begin,
    }


def elan_errors(count: int, schema_path: Path) -> int:
    """How many of ``count`` written ELAN documents the schema refuses."""
    schema = etree.XMLSchema(etree.parse(str(schema_path)))
    return sum(not schema.validate(etree.fromstring(eaf_bytes(random_timeline(seed)))) for seed in range(count))


def real_files(data: Path) -> dict[str, dict[str, int]]:
    """File → intervals read, and intervals counted in the raw text."""
    found = {}
    for path in sorted(p for p in data.rglob("*") if p.suffix in _COUNTS):
        read = sum(timeline.count() for timeline in read_timelines(path).values())
        found[str(path.relative_to(data))] = {"read": read, "counted": _COUNTS[path.suffix](path)}
    return found


def _count_boris(path: Path) -> int:
    project = json.loads(path.read_text())
    states = {b["code"] for b in project["behaviors_conf"].values() if b["type"].startswith("State")}
    total = 0
    for observation in project["observations"].values():
        keys = [tuple(map(str, event[1:4])) for event in observation["events"] if event[2] in states]
        total += len(observation["events"]) - len(keys) + sum((keys.count(key) + 1) // 2 for key in set(keys))
    return total


def _count_opf(path: Path) -> int:
    with zipfile.ZipFile(path) as archive:
        return len(re.findall(r"(?m)^\d+:\d+:\d+:\d+,", archive.read("db").decode()))


_COUNTS = {
    ".eaf": lambda path: path.read_text().count("<ANNOTATION>"),
    ".boris": _count_boris,
    ".opf": _count_opf,
    ".TextGrid": lambda path: len(re.findall(r'(?m)^\s+text = "[^"]', path.read_text())),
}


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--data", type=Path)
    options = parser.parse_args()
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in FORMATS:
            figures[name] = round_trips(name, options.count, Path(folder))
            print(name, figures[name], flush=True)
    content: dict[str, Any] = {"round trips": figures}
    if options.data:
        content["ELAN documents that the schema refuses"] = elan_errors(
            options.count, options.data / "elan" / "EAFv2.7.xsd"
        )
        content["real files"] = real_files(options.data)
        print(content["ELAN documents that the schema refuses"], content["real files"])
    RESULTS.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
