"""Is more wrong where a video is hard to see? Degraded copies of ToyRoom videos, with their truth.

    python benchmarks/video/poor_quality.py VIDEO... --detector fasterrcnn_best.pt --out FILE

Each VIDEO has its truth.json beside it. A copy is made in which stretches of ``BLOCK_S`` seconds are as they were,
darkened, as they were, blurred, and so on. Both the copy and the truth are analysed; in each second of the copy it is
noted what the analysis says of its quality, and how often it differs from the truth.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections import defaultdict
from pathlib import Path

import av
import cv2
import numpy as np

from visionllm_interaction.analysis.analyze_videos import analyze
from visionllm_interaction.analysis.config import AnalysisConfig
from visionllm_interaction.store.reader import Store, open_store

BLOCK_S = 3.0
DARK, BLUR_PX = 0.12, 5.0
SAMPLE_FPS, STEP_S = 5.0, 0.1
MIN_IOU = 0.5
PREDICATES = ("near", "in_contact", "holding")


def main() -> None:
    """Degrade, analyse, compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("videos", type=Path, nargs="+")
    parser.add_argument("--detector", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    tallies: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    with tempfile.TemporaryDirectory() as folder:
        for video in options.videos:
            copy = degrade(video, Path(folder) / video.stem)
            for name, source in (("found", {"detector": options.detector}), ("truth", {"detections": "truth"})):
                analyze(copy, Path(folder) / name, config=_settings(), **source)
        with open_store(Path(folder) / "found") as found, open_store(Path(folder) / "truth") as truth:
            for one, other in zip(found, truth, strict=True):
                count(found, one, truth, other, tallies)
    result = {quality: _shares(tally) for quality, tally in sorted(tallies.items())}
    print(json.dumps(result, indent=1))
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")


def _settings() -> AnalysisConfig:
    content = {"video": {"decode": {"sample_fps": SAMPLE_FPS}}}
    return AnalysisConfig.model_validate(content)


def degrade(video: Path, folder: Path) -> Path:
    """A copy of a video with dark and blurred stretches, and its truth beside it."""
    folder.mkdir(parents=True)
    shutil.copyfile(video.parent / "truth.json", folder / "truth.json")
    copy = folder / video.name
    with av.open(str(video)) as source, av.open(str(copy), "w") as target:
        stream = source.streams.video[0]
        out = target.add_stream("libx264", rate=stream.average_rate, options={"crf": "16"})
        out.width, out.height, out.pix_fmt, out.time_base = stream.width, stream.height, "yuv420p", stream.time_base
        for frame in source.decode(stream):
            image = frame.to_ndarray(format="rgb24")
            kind = int(float(frame.time) // BLOCK_S) % 4
            if kind == 1:
                image = np.clip(image * DARK, 0, 255).astype(np.uint8)
            elif kind == 3:
                image = cv2.GaussianBlur(image, (0, 0), BLUR_PX)
            changed = av.VideoFrame.from_ndarray(image, format="rgb24")
            changed.pts, changed.time_base = frame.pts, frame.time_base
            target.mux(out.encode(changed))
        target.mux(out.encode(None))
    return copy


def count(found: Store, one: str, truth: Store, other: str, tallies: dict[str, dict[str, float]]) -> None:
    """Add what is right and wrong in each second of a video to the tally of the second's quality."""
    boxes, true_boxes = _boxes(found, one), _boxes(truth, other)
    states, true_states = _states(found, one), _states(truth, other)
    for row in found[one].quality:
        names = [name for name in ("dark", "blurred") if getattr(row, name)]
        tally = tallies["+".join(names) or "good"]
        tally["seconds"] += row.end_s - row.begin_s
        for at, real in true_boxes.items():
            if row.begin_s <= at < row.end_s:
                nearest = min(boxes, key=lambda time: abs(time - at), default=at)
                seen = boxes.get(nearest, []) if abs(nearest - at) < STEP_S else []
                hits = _hits(seen, real)
                tally["objects"] += len(real)
                tally["missed"] += len(real) - hits
                tally["invented"] += len(seen) - hits
        for at in np.arange(row.begin_s, row.end_s, STEP_S):
            now, real = _holding_at(states, at), _holding_at(true_states, at)
            tally["states"] += len(real | now)
            tally["wrong_states"] += len(real ^ now)


def _shares(tally: dict[str, float]) -> dict[str, float]:
    return {
        "seconds": round(tally["seconds"], 1),
        "objects_missed": round(tally["missed"] / max(tally["objects"], 1), 3),
        "objects_invented": round(tally["invented"] / max(tally["objects"], 1), 3),
        "relations_wrong": round(tally["wrong_states"] / max(tally["states"], 1), 3),
    }


def _boxes(store: Store, video_id: str) -> dict[float, list[tuple[str, np.ndarray]]]:
    """Time → category and box of each tracked detection; every processed time is there."""
    frames = store.frames(video_id).to_pylist()
    rows: dict[float, list] = {row["timestamp_s"]: [] for row in frames if row["processed"]}
    for row in store.detections(video_id).to_pylist():
        if row["track_id"] >= 0 and row["timestamp_s"] in rows:
            box = np.array([row[side] for side in ("x1", "y1", "x2", "y2")])
            rows[row["timestamp_s"]].append((row["category"], box))
    return rows


def _hits(seen: list, real: list) -> int:
    """Objects that were found where they are, each box used once."""
    left, hits = list(seen), 0
    for name, box in real:
        best = max((one for one in left if one[0] == name), key=lambda one: _iou(one[1], box), default=None)
        if best is not None and _iou(best[1], box) >= MIN_IOU:
            left = [one for one in left if one is not best]
            hits += 1
    return hits


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    common = float(np.prod(np.clip(high - low, 0, None)))
    return common / (float(np.prod(a[2:] - a[:2])) + float(np.prod(b[2:] - b[:2])) - common)


def _states(store: Store, video_id: str) -> list[tuple[tuple[str, ...], float, float]]:
    """Who is near, touches or holds what, by category, from when to when."""
    names = {track.track_id: track.category for track in store.tracks(video_id)}
    return [
        ((row.predicate, *sorted((names[row.subject_track_id], names[row.object_track_id]))), row.begin_s, row.end_s)
        for row in store.relations(video_id)
        if row.predicate in PREDICATES
    ]


def _holding_at(states: list[tuple[tuple[str, ...], float, float]], at: float) -> set[tuple[str, ...]]:
    return {about for about, begin_s, end_s in states if begin_s <= at < end_s}


if __name__ == "__main__":
    main()
