"""How fast the measures of a large store are: 100 hours at 5 frames a second with 10 objects a frame (18 M detections).

    python benchmarks/measures/store.py [--hours 100] [--keep FOLDER]

The store is generated: one child per video of one hour; twelve tracks that come and go (a minute in view on average),
bouts of near, in_contact and holding, events, and coded speech, gaze and naming. Every measure of the catalogue is then
computed twice for one child and for all, the second time counts (warm). Growth is measured on a quarter, a half and the
whole of the store. Figures go to ``benchmarks/results/store.json``.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from visionllm_bench.made_videos import made_record
from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.core.tracks_relations_events import Code, Event, Relation, Track
from visionllm_interaction.measures.api import MEASURES, Query, run_query
from visionllm_interaction.store.reader import Store, open_store, write_codes
from visionllm_interaction.store.video_record import VideoRecord
from visionllm_interaction.store.writer import publish_video

FPS = 5.0
HOUR_S = 3600.0
CAST = ("child", "caregiver", "ball", "cup", "cup", "car", "book", "doll", "block", "block", "block", "hand")
IN_VIEW = 10 / len(CAST)
RESULTS = Path(__file__).parents[1] / "results" / "store.json"


def generate(store: Path, hours: int) -> int:
    """Publish ``hours`` videos of one hour; returns the number of detections."""
    total = 0
    for number in range(hours):
        rng = np.random.default_rng(number)
        frames = FrameTable.from_times(
            np.arange(round(HOUR_S * FPS)), np.arange(round(HOUR_S * FPS)) / FPS, processed=np.ones(18000, bool)
        )
        detections = _detections(frames, rng)
        total += len(detections)
        tracks = [Track(n, name, None, 0.0, HOUR_S, 15000, 0.9) for n, name in enumerate(CAST, start=1)]
        publish_video(
            store,
            _record(f"child-{number:04d}", len(detections)),
            frames=frames,
            detections=detections,
            tracks=tracks,
            relations=list(_relations(rng)),
            events=list(_events(rng)),
        )
        write_codes(store, f"child-{number:04d}", list(_codes(rng)))
    return total


def _detections(frames: FrameTable, rng: np.random.Generator) -> DetectionTable:
    seen = np.stack([_coming_and_going(len(frames), rng) for _ in CAST], axis=1)
    rows, tracks = np.nonzero(seen)
    corner = rng.uniform((0, 0), (500, 380), (len(rows), 2))
    size = rng.uniform(20, 140, (len(rows), 2))
    return DetectionTable(
        rows,
        frames.timestamp_s[rows],
        np.array(CAST, dtype=object)[tracks],
        rng.uniform(0.5, 1.0, len(rows)).astype(np.float32),
        np.concatenate([corner, corner + size], axis=1).astype(np.float32),
        tracks + 1,
    )


def _coming_and_going(n: int, rng: np.random.Generator) -> np.ndarray:
    changes = rng.geometric(1 / 300, n)
    lengths = np.where(np.arange(n) % 2 == 0, changes, np.ceil(changes * (1 - IN_VIEW) / IN_VIEW)).astype(int)
    edges = np.cumsum(lengths)
    return np.searchsorted(edges, np.arange(n), side="right") % 2 == 0


def _relations(rng: np.random.Generator) -> Iterator[Relation]:
    for person in (1, 2):
        for other in range(person + 1, len(CAST)):
            for predicate, count in (("near", 120), ("in_contact", 60), ("holding", 30)):
                begins = np.sort(rng.uniform(0, HOUR_S - 10, count))
                for begin in begins.tolist():
                    yield Relation(person, predicate, other, begin, begin + float(rng.exponential(3)) + 0.2, 0.9)


def _events(rng: np.random.Generator) -> Iterator[Event]:
    for number, begin in enumerate(np.sort(rng.uniform(0, HOUR_S, 400)).tolist()):
        person = int(rng.integers(1, 3))
        kind = ("picks_up", "puts_down", "joint_handling")[number % 3]
        length = 2.0 if kind == "joint_handling" else 0.0
        ids = (person, 3 - person, 3) if kind == "joint_handling" else (person, 3)
        yield Event(f"e{number}", kind, ids, begin, begin + length, 0.9)


def _codes(rng: np.random.Generator) -> Iterator[Code]:
    for number, begin in enumerate(np.sort(rng.uniform(0, HOUR_S, 1200)).tolist()):
        kind = ("speech", "speech", "gaze", "naming")[number % 4]
        who = ("child", "caregiver")[int(rng.integers(2))]
        label = "ball" if kind in ("gaze", "naming") else "words"
        yield Code(f"c{number}", kind, kind, who, label, begin, begin + 1.0, "made.eaf")


def _record(video_id: str, n_detections: int) -> VideoRecord:
    return made_record(
        video_id,
        duration_s=HOUR_S,
        fps=FPS,
        categories=tuple(sorted(set(CAST))),
        time_base="1/5",
        n_detections=n_detections,
        n_tracks=len(CAST),
        view="ego",
    )


def queries(video_id: str | None) -> Iterator[Query]:
    """Each measure of the catalogue about one child, bouts of both ways of finding them."""
    for measure in MEASURES.values():
        if measure.inputs == "one":
            yield Query(measure.name, "ball" if measure.name == "size_at_naming" else "child", video_id=video_id)
        elif measure.inputs == "pair":
            other = "caregiver" if measure.name.startswith("turn") else "ball"
            yield Query(measure.name, "child", other, video_id=video_id)
        elif measure.inputs == "event":
            yield Query(measure.name, "child", predicate="picks_up", video_id=video_id)
        else:
            yield Query(measure.name, "child", predicate="visible", video_id=video_id)
            yield Query(measure.name, "child", "ball", predicate="holding", video_id=video_id)
            yield Query(measure.name, "child", predicate="looks_at", video_id=video_id)


def timed(store: Store, query: Query, *, repeats: int) -> float:
    """Median seconds of ``repeats`` runs after one that warms up."""
    run_query(store, query)
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        run_query(store, query)
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)


def measure(path: Path, *, repeats: int = 3) -> dict[str, dict[str, float]]:
    """Seconds per measure for one child and for all."""
    with open_store(path) as store:
        one = store.video_ids()[len(store.video_ids()) // 2]
        return {
            scope: {_name(query): timed(store, query, repeats=repeats) for query in queries(video_id)}
            for scope, video_id in (("one", one), ("all", None))
        }


def _name(query: Query) -> str:
    return query.measure + (f":{query.predicate}" if query.predicate else "")


def part_of(path: Path, share: float, folder: Path) -> Path:
    """A store of links to the first ``share`` of the videos at ``path``."""
    part = folder / f"part-{share}"
    (part / "videos").mkdir(parents=True)
    (part / "store.yaml").write_bytes((path / "store.yaml").read_bytes())
    videos = sorted((path / "videos").iterdir())
    for video in videos[: max(1, round(share * len(videos)))]:
        target = part / "videos" / video.name
        target.mkdir()
        for file in video.iterdir():
            (target / file.name).hardlink_to(file)
    return part


def main() -> None:
    """Generate, measure, print, write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--hours", type=int, default=100)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        path = options.keep or Path(scratch) / "store"
        if not path.exists():
            begin = time.perf_counter()
            total = generate(path, options.hours)
            print(f"generated {total} detections in {time.perf_counter() - begin:.0f} s")
        base_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        with tempfile.TemporaryDirectory(dir=path.parent) as parts:
            growth = {}
            for share in (0.25, 0.5):
                found = measure(part_of(path, share, Path(parts)), repeats=1)["all"]
                growth[str(share)] = {"total_s": sum(found.values()), "slowest_s": max(found.values())}
        whole = measure(path)
    growth["1.0"] = {"total_s": sum(whole["all"].values()), "slowest_s": max(whole["all"].values())}
    rss_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for name in whole["all"]:
        print(f"{name:32s} one child {1000 * whole['one'][name]:7.1f} ms   all {whole['all'][name]:6.2f} s")
    print(
        "growth (share of the store: seconds for all measures):", {k: round(v["total_s"], 2) for k, v in growth.items()}
    )
    print(f"slowest: one child {1000 * max(whole['one'].values()):.0f} ms, all {max(whole['all'].values()):.2f} s")
    print(f"peak RSS {rss_mib:.0f} MiB (before the queries {base_mib:.0f})")
    figures = {
        "hours": options.hours,
        "seconds": whole,
        "growth": growth,
        "peak_rss_mib": rss_mib,
        "rss_before_queries_mib": base_mib,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
