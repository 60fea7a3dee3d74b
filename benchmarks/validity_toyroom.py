"""Studies of simulated children with the errors of a real trained detector, measured in ToyRoom videos.

    python benchmarks/validity_toyroom.py measure TRUTH_STORE DETECTOR_STORE

writes ``validity_toyroom_errors.json``: for each video and state, in which processed frames the state holds by the
truth, holds as detected, and has a label at all, as lengths of runs. Both stores are of the same ToyRoom videos,
analysed with ``--detections truth`` and with a trained checkpoint.

A study resamples pieces of 6 to 12 s of these videos, truth and detections together, so that errors keep their
duration and their relation to what happens. Each child has its own mixture of videos: shares and errors differ
between children.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from visionllm_interaction.core.run_lengths import find_runs, true_runs
from visionllm_interaction.validity.audit.population import clip_values
from visionllm_interaction.validity.audit.sampling import detector_classes, draw, expected_spread, strata_of
from visionllm_interaction.validity.estimation.side_by_side import compare
from visionllm_interaction.validity.estimation.units import Units, simple_units

ERRORS = Path(__file__).parent / "validity_toyroom_errors.json"
FPS = 12.5
SECONDS = 600
CLIP_S = 30
Sequence = tuple[np.ndarray, np.ndarray, np.ndarray]


def measure(truth_store: str, detector_store: str) -> None:
    """Write the runs of truth and detections of both stores."""
    from visionllm_interaction.core.intervals import contains
    from visionllm_interaction.store.reader import open_store
    from visionllm_interaction.validity.audit.states import StateOfPair, intervals_of, known_of

    states = (
        StateOfPair("near", "child", "caregiver"),
        StateOfPair("holding", "child", "thing"),
        StateOfPair("visible", "ball"),
    )
    found: dict[str, list[dict[str, list[int]]]] = {str(state): [] for state in states}
    with open_store(truth_store) as truth, open_store(detector_store) as seen:
        for video_id in sorted(set(truth.video_ids()) & set(seen.video_ids())):
            frames = seen.frames(video_id)
            used = frames["processed"].to_numpy(zero_copy_only=False) & (frames["duration_s"].to_numpy() > 0)
            times = frames["timestamp_s"].to_numpy()[used] + 1e-6
            for state in states:
                known = known_of(seen, video_id, state)
                columns = {
                    "truth": contains(intervals_of(truth, video_id, state), times),
                    "detected": contains(intervals_of(seen, video_id, state), times),
                    "known": np.ones(len(times), np.bool_) if known is None else contains(known, times),
                }
                found[str(state)].append({name: _runs(column) for name, column in columns.items()})
    ERRORS.write_text(json.dumps({"fps": FPS, "states": found}, separators=(",", ":")) + "\n")


def _runs(series: np.ndarray) -> list[int]:
    """Lengths of runs; the first is of False, and may be 0."""
    runs = find_runs(series)
    return ([0] if series[0] else []) + runs.lengths.tolist()


def _series(runs: list[int]) -> np.ndarray:
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs)


def load() -> dict[str, list[Sequence]]:
    states = json.loads(ERRORS.read_text())["states"]
    return {
        name: [(_series(v["truth"]), _series(v["detected"]), _series(v["known"])) for v in videos]
        for name, videos in states.items()
    }


def child_recording(videos: list[Sequence], rng: np.random.Generator) -> Sequence:
    """One child's recording from pieces of the videos, in the child's own mixture."""
    mixture = rng.dirichlet(np.full(len(videos), 0.6))
    parts: list[Sequence] = []
    length = 0
    while length < SECONDS * FPS:
        truth, detected, known = videos[rng.choice(len(videos), p=mixture)]
        size = int(rng.uniform(6, 12) * FPS)
        begin = int(rng.integers(0, max(len(truth) - size, 1)))
        parts.append((truth[begin : begin + size], detected[begin : begin + size], known[begin : begin + size]))
        length += len(parts[-1][0])
    columns = [np.concatenate([part[k] for part in parts])[: int(SECONDS * FPS)] for k in range(3)]
    return columns[0], columns[1], columns[2]


def frames_audit(children: list[Sequence], rng: np.random.Generator) -> Units:
    """Audit of 480 frames, one second apart or more, stratified as `visionllm audit plan` does."""
    step = int(FPS)
    truth = np.concatenate([c[0][::step] for c in children]).astype(float)
    seen = np.concatenate([np.where(c[2] | c[1], c[1].astype(float), np.nan)[::step] for c in children])
    near_change = np.concatenate([_near_change(c[1])[::step] for c in children])
    child = np.repeat([f"c{n:02d}" for n in range(len(children))], len(children[0][0][::step]))
    classes = detector_classes(seen, near_change)
    stratum = strata_of(child, classes)
    spread = expected_spread(stratum, classes, np.full(len(truth), np.nan))
    sample = draw(stratum, classes, random=rng.random(len(truth)), labels=480, spread=spread)
    return simple_units(
        child,
        seen,
        np.where(sample.drawn, truth, np.nan),
        inclusion_probability=sample.inclusion_probability,
        stratum=stratum,
        pool=classes,
    )


def _near_change(series: np.ndarray) -> np.ndarray:
    edges = np.flatnonzero(np.diff(series.astype(np.int8)))
    near = np.zeros(len(series), np.bool_)
    for edge in edges.tolist():
        near[max(edge - int(FPS), 0) : edge + int(FPS)] = True
    return near


def clips_audit(children: list[Sequence], rng: np.random.Generator) -> tuple[Units, float]:
    """Audit of 8 clips of each child; bouts that begin in a clip, per second."""
    rows: list[tuple[str, float, float]] = []
    for n, (truth, detected, _) in enumerate(children):
        spans = [true_runs(series) / FPS for series in (truth, detected)]
        for begin in range(0, SECONDS, CLIP_S):
            counts = [clip_values(span, begin_s=begin, end_s=begin + CLIP_S)[1] for span in spans]
            rows.append((f"c{n:02d}", counts[0] / CLIP_S, counts[1] / CLIP_S))
    child = np.array([row[0] for row in rows])
    true, seen = np.array([row[1] for row in rows]), np.array([row[2] for row in rows])
    human, per_child = np.full(len(rows), np.nan), SECONDS // CLIP_S
    for n in range(len(children)):
        chosen = n * per_child + rng.choice(per_child, 8, replace=False)
        human[chosen] = true[chosen]
    return simple_units(child, seen, human, amount=float(CLIP_S), kind="clip"), float(true.mean())


def toyroom_studies(seed: int, studies: int) -> list[dict[str, Any]]:
    """Coverage of corrected durations and bout counts over studies of 12 children."""
    lines = []
    for name, videos in load().items():
        rng, hits, naive = np.random.default_rng(seed), np.zeros(2), np.zeros(2)
        for _ in range(studies):
            children = [child_recording(videos, rng) for _ in range(12)]
            duration = float(np.mean([c[0].mean() for c in children]))
            by_frames = compare(frames_audit(children, rng))[0]
            clips, rate = clips_audit(children, rng)
            by_clips = compare(clips, scale="log")[0]
            for k, (found, truth) in enumerate(((by_frames, duration), (by_clips, rate))):
                hits[k] += _covers(found.corrected.interval, truth)
                naive[k] += _covers(found.naive.interval, truth)
        share, of_naive = hits / studies, naive / studies
        lines.append(
            {
                "line": f"4 {studies} ToyRoom studies of 12 children, {name}: coverage",
                "found": f"duration {share[0]:.3f} (as detected {of_naive[0]:.3f}), bout count {share[1]:.3f} "
                f"(as detected {of_naive[1]:.3f})",
                "ok": bool((share >= 0.93).all()),
            }
        )
    return lines


def _covers(interval: Any, truth: float) -> bool:
    return interval.low is not None and interval.low <= truth <= interval.high


if __name__ == "__main__":
    measure(sys.argv[2], sys.argv[3])
