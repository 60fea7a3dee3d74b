"""Films of 14 ToyRoom children at two ages, and what a trained detector finds in every frame of them.

    visionllm demo --out DEMO -o demo.images=300     # trains the detector: AP 0.57
    python benchmarks/validity/validity_films.py DEMO/artifacts/*/model_trainer/fasterrcnn_best.pt FOLDER

renders 28 videos of 40 seconds, 25 frames in 4 s, analyses each as ``visionllm analyze`` does, and writes
``validity_films.json``: for each video the lengths of runs of frames in which a state holds by ``truth.json`` and as
detected, and in which somebody is seen at all. No image is kept. A second call goes on where the first one stopped.

Three quarters of the films at 10 months are 240 × 180 pixels, a quarter of those at 16 months; the others are
480 × 360: errors change with age, as they do where a laboratory buys a better camera.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from validity_toyroom import FPS, Columns, runs_of, write_films

from visionllm_bench.demo.expected_answers import VISIBLE_SHARE
from visionllm_bench.toyroom.categories import TOYS
from visionllm_bench.toyroom.config import ToyRoomConfig
from visionllm_bench.toyroom.videos import write_video
from visionllm_interaction.analysis import analyze
from visionllm_interaction.core.intervals import as_intervals, contains, union
from visionllm_interaction.store.reader import Store, open_store
from visionllm_interaction.validity.audit.states import StateOfPair, intervals_of

CHILDREN, AGES, SECONDS, SEED = 14, (10, 16), 40.0, 900
SMALL, LARGE = (240, 180), (480, 360)
OTHERS = tuple(name for name in TOYS if name != "ball")


def make_films(detector: Path, folder: Path) -> None:
    """Render, analyse and measure every film that is not there yet; then write the table."""
    cameras = np.random.default_rng(SEED).random((CHILDREN, len(AGES))) < np.array([0.75, 0.25])
    rows = []
    for child in range(CHILDREN):
        for visit, age in enumerate(AGES):
            name = f"c{child + 1:02d}_{age}m"
            done = folder / f"{name}.json"
            if not done.exists():
                size = SMALL if cameras[child, visit] else LARGE
                row = _measure(folder / name, name, len(AGES) * child + visit, size, detector)
                row |= {"child": f"C{child + 1:02d}", "age_months": age, "camera": f"{size[0]} × {size[1]}"}
                done.write_text(json.dumps(row))
            rows.append(json.loads(done.read_text()))
    write_films(rows, f"whole videos, rendered and analysed (visible: {VISIBLE_SHARE:.0%} of an object)")


def _measure(folder: Path, name: str, index: int, size: tuple[int, int], detector: Path) -> dict[str, object]:
    config = ToyRoomConfig(video_seconds=SECONDS, fps=FPS, video_width=size[0], video_height=size[1])
    made = sorted(folder.glob("*/truth.json"))
    if not made:
        made = [write_video(folder, index=index, seed=SEED, view="room", config=config).truth]
    video = next(made[0].parent.glob("*.mp4"))
    analyze(video, folder / "store", detector=detector, video_ids=[name])
    truth = json.loads(made[0].read_text())
    times = np.array([frame["timestamp_s"] for frame in truth["frames"]]) + 1e-6
    with open_store(folder / "store") as store:
        detected = detected_columns(store, name, times)
    columns = {"truth": true_columns(truth, times), "detected": detected}
    return {"video_id": name, **{kind: {key: runs_of(c) for key, c in of.items()} for kind, of in columns.items()}}


def true_columns(truth: Mapping[str, object], times: NDArray[np.float64]) -> Columns:
    """What somebody who looks at each frame would say."""
    frames: list[dict[str, list[dict[str, object]]]] = truth["frames"]  # type: ignore[assignment]
    relations: list[dict[str, object]] = truth["relations"]  # type: ignore[assignment]
    of = {track["track_id"]: track["category"] for track in truth["tracks"]}  # type: ignore[attr-defined]

    def during(predicate: str, pair: set[str] | None) -> NDArray[np.bool_]:
        spans = [
            (r["begin_s"], r["end_s"])
            for r in relations
            if r["predicate"] == predicate
            and (
                {of[r["subject_track_id"]], of[r["object_track_id"]]} == pair
                if pair
                else of[r["subject_track_id"]] == "child"
            )
        ]
        return contains(union(as_intervals(spans)), times)  # type: ignore[arg-type]

    balls = [
        any(o["category"] == "ball" and o["visible"] >= VISIBLE_SHARE for o in frame["objects"])  # type: ignore[operator]
        for frame in frames
    ]
    return {
        "near": during("near", {"child", "caregiver"}),
        "holding": during("holding", None),
        "ball": np.array(balls, np.bool_),
    }


def detected_columns(store: Store, video_id: str, times: NDArray[np.float64]) -> Columns:
    """What the store says of each frame."""

    def during(states: Iterable[StateOfPair]) -> NDArray[np.bool_]:
        found = [intervals_of(store, video_id, state) for state in states]
        return contains(union(np.concatenate([*found, np.zeros((0, 2))])), times)

    return {
        "child": during([StateOfPair("visible", "child")]),
        "caregiver": during([StateOfPair("visible", "caregiver")]),
        "ball": during([StateOfPair("visible", "ball")]),
        "other": during([StateOfPair("visible", name) for name in OTHERS]),
        "near": during([StateOfPair("near", "child", "caregiver")]),
        "holding_ball": during([StateOfPair("holding", "child", "ball")]),
        "holding_other": during([StateOfPair("holding", "child", name) for name in OTHERS]),
    }


if __name__ == "__main__":
    make_films(Path(sys.argv[1]), Path(sys.argv[2]))
