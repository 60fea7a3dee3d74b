"""Durations from frames processed at low rates, against the true ones: the table in docs/video.md.

    python benchmarks/video/sampling_rates.py [FOLDER]

FOLDER holds ToyRoom videos (``visionllm toyroom``); without it twelve small ones are made. The true boxes of the frames
at each rate are given to tracking as detections.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from visionllm_interaction.core.detection_table import UNTRACKED
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.core.intervals import as_intervals, union
from visionllm_interaction.interactions.relations import find_relations
from visionllm_interaction.store.sightings import find_sightings
from visionllm_interaction.video.detection_files.processed_frames import with_processed
from visionllm_interaction.video.tracking.detections_file import load_truth
from visionllm_interaction.video.tracking.postprocess import summarise_tracks, track

RATES = (None, 10.0, 5.0, 2.0, 1.0)
WHAT = ("visible", "near", "in_contact", "holding")
Key = tuple[str, str, str]
Found = Iterator[tuple[Key, float, float]]


def durations(found: Found) -> dict[Key, float]:
    """Seconds of each pair of names, overlaps counted once."""
    spans: dict[Key, list[tuple[float, float]]] = defaultdict(list)
    for key, begin_s, end_s in found:
        spans[key].append((begin_s, end_s))
    return {key: float(np.diff(union(as_intervals(own))).sum()) for key, own in spans.items()}


def pair_of(subject: str, predicate: str, object_: str) -> Key:
    """The pair by name: of two people the subject is the one with the lower track id, which tells nothing."""
    return (min(subject, object_), predicate, max(subject, object_))


def all_frames(path: Path) -> FrameTable:
    times = np.array([frame["timestamp_s"] for frame in json.loads(path.read_text())["frames"]])
    return FrameTable.from_times(np.arange(len(times)), times, processed=np.ones(len(times), np.bool_))


def true_durations(path: Path) -> dict[Key, float]:
    truth, frames = json.loads(path.read_text()), all_frames(path)
    names = {item["track_id"]: item["category"] for item in truth["tracks"]}
    table = load_truth(path, frames, min_visible=0.0)
    names_seen = dict(zip(table.track_id.tolist(), table.category.tolist(), strict=True))
    seen = (
        ((names_seen[run["track_id"]], "visible", ""), run["begin_s"], run["end_s"])
        for run in find_sightings(table, frames).to_pylist()
    )
    related = (
        (pair_of(names[r["subject_track_id"]], r["predicate"], names[r["object_track_id"]]), r["begin_s"], r["end_s"])
        for r in truth["relations"]
    )
    return durations(iter([*seen, *related]))


def found_durations(path: Path, fps: float | None) -> dict[Key, float]:
    truth, frames = json.loads(path.read_text()), with_processed(all_frames(path), None, sample_fps=fps)
    table = load_truth(path, frames, min_visible=0.0)
    table = table.replace(track_id=np.full(len(table), UNTRACKED), confidence=np.full(len(table), 0.95, np.float32))
    table = track(table, frames, size_px=(truth["width"], truth["height"]))
    tracks = summarise_tracks(table, frames, roles={})
    names = {item.track_id: item.category for item in tracks}
    seen = (
        ((names[run["track_id"]], "visible", ""), run["begin_s"], run["end_s"])
        for run in find_sightings(table, frames).to_pylist()
    )
    related = (
        (pair_of(names[r.subject_track_id], r.predicate, names[r.object_track_id]), r.begin_s, r.end_s)
        for r in find_relations(table, frames, tracks)
        if r.predicate in WHAT
    )
    return durations(iter([*seen, *related]))


def errors(paths: list[Path], fps: float | None) -> dict[str, float]:
    """What → sum of absolute errors over the sum of true durations."""
    off, true = dict.fromkeys(WHAT, 0.0), dict.fromkeys(WHAT, 0.0)
    for path in paths:
        want, got = true_durations(path), found_durations(path, fps)
        for key in want.keys() | got.keys():
            off[key[1]] += abs(want.get(key, 0.0) - got.get(key, 0.0))
            true[key[1]] += want.get(key, 0.0)
    return {name: off[name] / max(true[name], 1e-9) for name in WHAT}


def make_videos(folder: Path) -> None:
    from visionllm_bench.toyroom import ToyRoomConfig, make_toyroom

    config = ToyRoomConfig(video_width=480, video_height=360)
    make_toyroom(folder / "room", images=0, videos=12, seed=701, config=config)


def main() -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(made)
        if len(sys.argv) < 2:
            make_videos(folder)
        paths = sorted(folder.rglob("truth.json"))
        result = {"videos": len(paths), "rates": {str(fps or "all"): errors(paths, fps) for fps in RATES}}
    out = Path(__file__).parents[1] / "results" / "sampling_rates.json"
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
