"""Looks and joint attention from the eye trackers of two people in ToyRoom videos: 1° of noise, a fifth of it lost.

    python benchmarks/interop/gaze.py [VIDEOS] [SECONDS]

The true boxes are a store, the trackers' recordings are imported by the product, and its looks and its
``joint_attention(child, caregiver)`` are held against the truth. Prints, and writes to results/gaze.json, F1 of the
looks (same target, begins within 0.1 s) and the largest difference of a begin or an end of joint attention. Exits with
1 if F1 is under 0.95, or joint attention differs by more than 0.1 s.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "support"))

from scenes_gaze import (
    FilmTruth,
    found_bouts,
    found_joint,
    hits,
    largest_difference_s,
    publish_film,
    record_gaze,
    true_bouts,
    true_joint,
)

from visionllm_bench.toyroom import ToyRoomConfig
from visionllm_bench.toyroom.coco_images import generator
from visionllm_bench.toyroom.render.frames import observe
from visionllm_bench.toyroom.videos import TICKS_PER_S, frame_ticks, make_film

NOISE_DEG, LOSS = 1.0, 0.2


def main(videos: int, seconds: float) -> int:
    """Run all videos; 0 if both targets are met."""
    totals = {"matched": 0, "found": 0, "true": 0, "joint": 0}
    worst = 0.0
    for number in range(videos):
        film = _film(number, seconds)
        with tempfile.TemporaryDirectory() as folder:
            store = Path(folder) / "store"
            publish_film(store, film)
            truth = {}
            for gaze in record_gaze(store, film, seed=number, noise_deg=NOISE_DEG, loss=LOSS):
                truth[gaze.who] = true_bouts(gaze, film)
                found = found_bouts(store, gaze.who)
                totals["matched"] += hits(found, truth[gaze.who])
                totals["found"] += len(found)
                totals["true"] += len(truth[gaze.who])
            joint = true_joint(truth["child"], truth["caregiver"])
            difference = largest_difference_s(found_joint(store), joint)
        totals["joint"] += len(joint)
        worst = max(worst, difference)
        print(f"video {number}: {len(joint)} bouts of joint attention, within {difference:.3f} s", flush=True)
    f1 = 2 * totals["matched"] / (totals["found"] + totals["true"])
    print(f"looks: {totals['found']} found, {totals['true']} true, F1 {f1:.3f} (target 0.95)")
    print(f"joint attention: {totals['joint']} bouts, within {worst:.3f} s (target 0.1)")
    result = {"videos": videos, "seconds": seconds, "noise_deg": NOISE_DEG, "loss": LOSS, **totals}
    result |= {"f1": f1, "joint_within_s": worst}
    (Path(__file__).parents[1] / "results" / "gaze.json").write_text(json.dumps(result, indent=1) + "\n")
    return 0 if f1 >= 0.95 and worst <= 0.1 else 1


def _film(number: int, seconds: float) -> FilmTruth:
    config = ToyRoomConfig(video_width=320, video_height=240, video_seconds=seconds, fps=10)
    rng = generator(77, 2, number)
    ticks = frame_ticks(rng, config)
    film = make_film(rng, view="room", config=config)
    edges_s = ticks / TICKS_PER_S
    return FilmTruth((config.video_width, config.video_height), edges_s, list(observe(film, edges_s[:-1])))


if __name__ == "__main__":
    arguments = [float(text) for text in sys.argv[1:]]
    count, length_s = arguments + [6.0, 60.0][len(arguments) :]
    sys.exit(main(int(count), length_s))
