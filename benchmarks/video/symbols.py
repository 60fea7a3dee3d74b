"""Relations and events of ToyRoom videos against the script: from true boxes, noisy ones, and a trained detector's.

    python benchmarks/video/symbols.py [--seeds 101 102 …] [--rooms FOLDER]
        [--detector WORK/int8]         the one that benchmarks/detection/detector.py makes in WORK
        [--results FILE]

Each seed is one room video of 20 s (every fourth with a variable frame rate). A bout is found if predicate and pair are
right, it overlaps by half and begins within 0.2 s; an event if kind and who are right and it lies within 0.5 s. Noisy
boxes are the true ones with 15 % dropped, 5 % false and edges shaken by 2 %, then tracked. Figures go to
``benchmarks/results/symbols.json``; those of sixteen videos no rule was made with in ``symbols_held_out.json``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests/support"))

from scenes_noise import spoil, true_ids  # noqa: E402
from scenes_toyroom import load_room, new_scores, score_room  # noqa: E402

from visionllm_bench.toyroom import ToyRoomConfig, make_toyroom  # noqa: E402
from visionllm_interaction.config import load  # noqa: E402
from visionllm_interaction.core.detection_table import DetectionTable  # noqa: E402
from visionllm_interaction.core.frame_table import FrameTable  # noqa: E402
from visionllm_interaction.video.config import VideoConfig  # noqa: E402
from visionllm_interaction.video.tracking.pipeline import track_with_detector  # noqa: E402
from visionllm_interaction.video.tracking.postprocess import track  # noqa: E402

RESULTS = HERE.parent / "results" / "symbols.json"
Boxes = tuple[FrameTable, DetectionTable]


def room_video(folder: Path, seed: int) -> Path:
    """The video of ``seed``, made unless it is there."""
    if not (folder / str(seed)).exists():
        config = ToyRoomConfig(frame_rate="variable" if seed % 4 == 0 else "constant")
        make_toyroom(folder / str(seed), images=0, videos=1, seed=seed, config=config)
    return next((folder / str(seed)).rglob("*.mp4"))


def noisy(path: Path) -> Boxes:
    """True boxes spoilt and tracked."""
    _, frames, boxes = load_room(path)
    return frames, track(spoil(boxes, frames, rng=np.random.default_rng(len(frames))), frames)


def detected(checkpoint: Path, config: VideoConfig) -> Callable[[Path], Boxes]:
    """A trained detector's boxes, tracked."""
    from visionllm_interaction.detection.models import load_detector

    detector = load_detector(checkpoint)

    def find(path: Path) -> Boxes:
        followed = track_with_detector(path, detector, config=config)
        return followed.frames, followed.detections

    return find


def compare(paths: list[Path], find: Callable[[Path], Boxes] | None) -> dict[str, Any]:
    """F1 by predicate and of events over all videos, and how far onsets are off; ``None`` takes the true boxes."""
    scores, onsets = new_scores(), []
    for path in paths:
        truth, frames, boxes = load_room(path)
        if find is None:
            ids = {int(i): int(i) for i in np.unique(boxes.track_id)}
            pairs = score_room(truth, frames, boxes, scores, ids=ids)
        else:
            frames, found = find(path)
            pairs = score_room(truth, frames, found, scores, ids=true_ids(found, boxes))
        onsets += [abs(found_bout[3] - true_bout[3]) for found_bout, true_bout in pairs]
        print(f"  {path.name}: { ({name: round(score.f1, 3) for name, score in scores.items()}) }", flush=True)
    figures = {
        name: {"f1": score.f1, "matched": score.hits, "found": score.found, "true": score.true}
        for name, score in scores.items()
    }
    return {**figures, "onset_error_s": {"median": float(np.median(onsets)), "largest": float(max(onsets))}}


def main() -> None:
    """Make the videos, compare, print, write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(101, 109)))
    parser.add_argument("--rooms", type=Path)
    parser.add_argument("--detector", type=Path)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("-c", "--config", type=Path, action="append", default=[])
    parser.add_argument("-o", "--set", action="append", default=[])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        paths = [room_video(options.rooms or Path(scratch), seed) for seed in options.seeds]
        sides: dict[str, Callable[[Path], Boxes] | None] = {"true boxes": None, "noisy boxes": noisy}
        if options.detector:
            video = load(options.config, options.set).analysis.video
            sides["trained detector"] = detected(options.detector, video)
        figures = {}
        for name, find in sides.items():
            print(name)
            figures[name] = compare(paths, find)
    content = {"seeds": options.seeds, "settings": options.set, "figures": figures}
    options.results.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
