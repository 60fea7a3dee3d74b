"""How fast all measures of all names are, beside a commit before, and whether the values are the same.

    python benchmarks/measures/measures_table.py [--before SRC] [--stores demo wide hours] [--hours 100] [--keep FOLDER]

``visionllm measures`` is run as a process of its own, so that starting it counts; figures are CPU seconds and the
largest memory of the process. ``--before`` is the folder ``src`` of an older checkout (``git worktree add``). It is run
in turn with this one, and its table has to be equal to 1e-9. The stores:

* ``demo``: two ToyRoom videos of 20 s with eight categories, relations of all predicates and events, from truth;
* ``wide``: 50 categories × 20 videos of a minute. The older commit runs on one of the 20 videos only, which bounds its
  time from below;
* ``hours``: as in ``benchmarks/measures/store.py``; the older commit is not run. Growth is measured on a quarter and a
  half.

Figures go to ``benchmarks/results/measures_table.json``.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from store import _record as hour_record
from store import generate, part_of
from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.core.predicates import DIRECTED_PREDICATES, PREDICATES
from visionllm_interaction.core.tracks_relations_events import Event, Relation, Track
from visionllm_interaction.store.writer import publish_video

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parent / "results" / "measures_table.json"
WIDE_CATEGORIES, WIDE_VIDEOS, WIDE_S, WIDE_FPS = 50, 20, 60.0, 5.0
KEYS = ("video_id", "subject", "object", "measure", "predicate", "begin_s", "end_s")
RUN = "import sys; from visionllm_interaction.cli import main; sys.exit(main())"


@dataclass(frozen=True)
class Run:
    """One run of ``visionllm measures``: CPU and wall seconds, MiB, rows."""

    cpu_s: float
    wall_s: float
    peak_mib: float
    rows: int


def measure(store: Path, out: Path, source: Path | None) -> Run:
    """Run the command in a process of its own, of this commit or of the one in ``source``."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    if source is not None:
        environment["PYTHONPATH"] = str(source)
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-c", RUN, "measures", "--store", str(store), "--out", str(out), "--json"]
    # In an empty folder: settings of the folder that this is called from do not count.
    with tempfile.TemporaryDirectory() as empty:
        done = subprocess.run(command, env=environment, cwd=empty, check=True, capture_output=True, text=True)
    wall_s = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(cpu_s, wall_s, after.ru_maxrss / 1024, json.loads(done.stdout)["rows"])


def differences(one: Path, other: Path) -> int:
    """Rows of the table ``other`` that ``one`` lacks or has with another text or number (1e-9); it may have more."""
    with one.open() as a, other.open() as b:
        rows = {tuple(row[key] for key in KEYS): row for row in csv.DictReader(a)}
        return sum(
            any(
                not _same(rows.get(tuple(before[key] for key in KEYS), {}).get(key, ""), value)
                for key, value in before.items()
            )
            for before in csv.DictReader(b)
        )


def _same(one: str, other: str) -> bool:
    if one == other:
        return True
    try:
        return abs(float(one) - float(other)) <= 1e-9 * max(1.0, abs(float(other)))
    except ValueError:
        return False


def compare(store: Path, before: Path | None, *, repeats: int, old_store: Path | None = None) -> dict[str, object]:
    """Medians of interleaved runs of both sides."""
    new: list[Run] = []
    old: list[Run] = []
    with tempfile.TemporaryDirectory() as folder:
        tables = Path(folder) / "new.csv", Path(folder) / "old.csv"
        for _ in range(repeats):
            new.append(measure(store, tables[0], None))
            if before is not None:
                old.append(measure(old_store or store, tables[1], before))
        figures: dict[str, object] = {"new": _medians(new)}
        if old:
            if old_store is not None:
                measure(old_store, tables[0], None)
            figures |= {"before": _medians(old), "rows_that_differ": differences(*tables)}
            figures["cpu_ratio"] = _median(new) / _median(old)
    return figures


def _median(runs: list[Run]) -> float:
    return statistics.median(run.cpu_s for run in runs)


def _medians(runs: list[Run]) -> dict[str, float]:
    return {
        "cpu_s": round(_median(runs), 3),
        "wall_s": round(statistics.median(run.wall_s for run in runs), 3),
        "peak_mib": round(max(run.peak_mib for run in runs), 1),
        "rows": runs[0].rows,
    }


def make_demo(folder: Path) -> Path:
    """Two ToyRoom videos with tracks, relations and events from truth."""
    sys.path[:0] = [str(HERE.parents[1] / "tests/support")]
    from scenes_toyroom import load_room, symbols_of  # tests' helper, found through the path above

    from visionllm_bench.toyroom import ToyRoomConfig, make_toyroom
    from visionllm_interaction.video.tracking.postprocess import summarise_tracks
    from visionllm_interaction.video.tracking.roles import resolve_roles

    config = ToyRoomConfig(video_width=160, video_height=120, video_seconds=20.0, fps=10.0)
    made = make_toyroom(folder / "toyroom", images=0, videos=2, seed=4, config=config)
    for video in made.videos:
        truth, frames, boxes = load_room(video.path)
        relations, events = symbols_of(boxes, frames, (truth["width"], truth["height"]))
        tracks = summarise_tracks(boxes, frames, roles=resolve_roles({}))
        names = tuple(sorted({track.category for track in tracks}))
        record = _record(video.path.parent.name, len(boxes), names, 20.0)
        publish_video(
            folder / "store", record, frames=frames, detections=boxes, tracks=tracks, relations=relations, events=events
        )
    return folder / "store"


def make_wide(store: Path) -> Path:
    """20 videos with a child, a caregiver and 48 objects, relations of all predicates, and events."""
    names = ("child", "caregiver", *(f"thing {n:02d}" for n in range(WIDE_CATEGORIES - 2)))
    for number in range(WIDE_VIDEOS):
        rng = np.random.default_rng(number)
        n = round(WIDE_S * WIDE_FPS)
        frames = FrameTable.from_times(np.arange(n), np.arange(n) / WIDE_FPS, processed=np.ones(n, bool))
        seen = np.repeat(rng.random((n // 20, len(names))) < 0.6, 20, axis=0)
        rows, tracks = np.nonzero(seen)
        corner, size = rng.uniform((0, 0), (500, 380), (len(rows), 2)), rng.uniform(20, 140, (len(rows), 2))
        boxes = np.concatenate([corner, corner + size], axis=1).astype(np.float32)
        categories = np.array(names, dtype=object)[tracks]
        confidence = np.full(len(rows), 0.9, np.float32)
        found = DetectionTable(rows, frames.timestamp_s[rows], categories, confidence, boxes, tracks + 1)
        publish_video(
            store,
            _record(f"wide-{number:02d}", len(rows), names, WIDE_S),
            frames=frames,
            detections=found,
            tracks=[Track(k, name, None, 0.0, WIDE_S, 100, 0.9) for k, name in enumerate(names, start=1)],
            relations=sorted(_relations(len(names), rng), key=lambda r: r.begin_s),
            events=[
                Event(f"e{k}", kind, (1 + k % 2, 3 + k), float(k), float(k), 0.9)
                for k, kind in enumerate(("picks_up", "puts_down") * 20)
            ],
        )
    return store


def _relations(n: int, rng: np.random.Generator) -> list[Relation]:
    found = []
    for predicate in (*PREDICATES, *DIRECTED_PREDICATES):
        for person in (1, 2):
            for other in range(person + 1, n + 1):
                if predicate == "holding" and other == 2:
                    continue
                for begin in np.sort(rng.uniform(0, WIDE_S - 5, 3)).tolist():
                    found.append(Relation(person, predicate, other, begin, begin + float(rng.uniform(0.2, 4)), 0.9))
    return found


def _record(video_id: str, n_detections: int, names: tuple[str, ...], duration_s: float):  # type: ignore[no-untyped-def]
    record = hour_record(video_id, n_detections)
    detector = record.detector.model_copy(update={"categories": names})
    return record.model_copy(update={"detector": detector, "duration_s": duration_s})


def main() -> None:
    """Make the stores, run both sides, print, write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--before", type=Path)
    parser.add_argument("--stores", nargs="+", default=["demo", "wide", "hours"])
    parser.add_argument("--hours", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="make the stores here, or use those that are here")
    options = parser.parse_args()
    figures: dict[str, object] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        for name in options.stores:
            figures[name] = _of(name, folder, options)
            print(name, json.dumps(figures[name]))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(figures, indent=1) + "\n")


def _of(name: str, folder: Path, options: argparse.Namespace) -> dict[str, object]:
    store = folder / name / "store"
    if name == "demo":
        if not store.exists():
            make_demo(folder / name)
        return compare(store, options.before, repeats=options.repeats)
    if name == "wide":
        if not store.exists():
            make_wide(store)
        one = part_of(store, 1 / WIDE_VIDEOS, folder / name) if not (folder / name / "part-0.05").exists() else None
        return compare(store, options.before, repeats=1, old_store=one or folder / name / "part-0.05")
    if not store.exists():
        generate(store, options.hours)
    with tempfile.TemporaryDirectory(dir=folder / name) as parts:
        growth = {str(s): compare(part_of(store, s, Path(parts)), None, repeats=1)["new"] for s in (0.25, 0.5)}
    return {"hours": options.hours, **compare(store, None, repeats=1), "growth": growth}


if __name__ == "__main__":
    main()
