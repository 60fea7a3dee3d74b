"""How close a whole analysis comes to the detector alone, what adaptive sampling saves, and memory over two hours.

    python benchmarks/video/video.py overlap [--keep FOLDER]
    python benchmarks/video/video.py adaptive --detector WORK/int8       (made by benchmarks/detection/detector.py)
    python benchmarks/video/video.py memory

``overlap``: ResNet-50-FPN in int8 at 800 pixels. Its weights are random, so the boxes handed on are the true ones; what
it costs is the same. Both sides take the same frames, in turn; the whole analysis decodes, detects, tracks, relates and
publishes. ``adaptive``: a room in which little happens for a minute, with sensor noise, analysed in every
frame and adaptively; every measure of both stores is compared. ``memory``: two hours of video, five frames a second
looked at, resident memory of this process and the decoder's. Figures go to ``benchmarks/results/video.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil

from visionllm_bench.toyroom import ToyRoomConfig, make_toyroom
from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.analysis.analysis_task import AnalysisTask
from visionllm_interaction.analysis.analyze_videos import analyze
from visionllm_interaction.analysis.attempts import try_one
from visionllm_interaction.core.categories import Categories
from visionllm_interaction.core.detections import Detections
from visionllm_interaction.detection.export.exporter import export_checkpoint
from visionllm_interaction.detection.models.checkpoints import CheckpointInfo, save_checkpoint
from visionllm_interaction.detection.models.config import ModelConfig
from visionllm_interaction.detection.models.faster_rcnn import build_model
from visionllm_interaction.detection.runtimes.detector_interface import Detector
from visionllm_interaction.detection.runtimes.factory import load_detector
from visionllm_interaction.measures.table import measures_table
from visionllm_interaction.store.reader import open_store
from visionllm_interaction.store.writer import prepare_store
from visionllm_interaction.video.decoding.reader import VideoReader
from visionllm_interaction.video.tracking.pipeline import track_with_detector

RESULTS = Path(__file__).parents[1] / "results" / "video.json"
NAMES = ("child", "caregiver", "ball", "block", "book", "car", "cup", "teddy bear")
FRAMES, ROUNDS = 24, 2
STATIC_S, NOISE = 60, 1.5
HOURS = 2


@dataclass
class TrueBoxes:
    """Runs a detector and hands on the true boxes of a video, frame by frame."""

    detector: Detector
    truth: list[dict[str, Any]]
    categories: Categories = field(default_factory=lambda: Categories.from_pairs(list(enumerate(NAMES, start=1))))
    digest: str = "true boxes"
    name: str = "true boxes"
    _next: int = 0

    def detect(self, images_rgb: Sequence[np.ndarray], *, min_confidence: float = 0.05) -> list[Detections]:
        self.detector.detect(images_rgb, min_confidence=min_confidence)
        frames = self.truth[self._next : self._next + len(images_rgb)]
        self._next += len(images_rgb)
        return [self._of(frame["objects"]) for frame in frames]

    def _of(self, objects: list[dict[str, Any]]) -> Detections:
        known = [thing for thing in objects if thing["category"] in NAMES]
        boxes = np.array([thing["box_xyxy"] for thing in known], dtype=np.float32).reshape(-1, 4)
        labels = np.array([NAMES.index(thing["category"]) + 1 for thing in known], dtype=np.int64)
        return Detections(boxes, np.full(len(known), 0.9, np.float32), labels)


def overlap(folder: Path) -> dict[str, Any]:
    detector = load_detector(_int8(folder))
    video = _toyroom(folder / "room", ToyRoomConfig())
    truth = json.loads((video.parent / "truth.json").read_text())
    clip = _first_frames(video, folder / "clip" / "clip.mp4", FRAMES)
    short = _first_frames(video, folder / "clip" / "short.mp4", batch := AnalysisConfig().video.detect.batch_size)
    images = [frame.image_rgb for frame in VideoReader(clip)]

    def alone() -> None:
        for n in range(0, len(images), batch):
            detector.detect(images[n : n + batch], min_confidence=0.2)

    def whole(clip: Path) -> None:
        with tempfile.TemporaryDirectory(dir=folder) as store:
            prepare_store(Path(store) / "s")
            job = AnalysisTask("run", Path(store) / "s", None, "room", {}, AnalysisConfig())
            outcome = try_one(clip, None, job, load=lambda: TrueBoxes(detector, truth["frames"]))
            assert outcome.error is None, outcome.error

    whole(short)  # the first one loads libraries
    times: dict[str, list[float]] = {"detector": [], "whole": []}
    for _ in range(ROUNDS):
        times["detector"].append(_seconds(alone))
        times["whole"].append(_seconds(lambda: whole(clip)))
    seconds = {name: statistics.median(values) for name, values in times.items()}
    return {
        "detector": detector.name,
        "input_px": 800,
        "frames": FRAMES,
        "frames_per_s_detector_only": FRAMES / seconds["detector"],
        "frames_per_s_end_to_end": FRAMES / seconds["whole"],
        "ratio": seconds["detector"] / seconds["whole"],
        "rounds": times,
    }


def _seconds(action: Callable[[], None]) -> float:
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def _int8(folder: Path) -> Path:
    """An int8 export of a ResNet-50-FPN with random weights that takes nearly everything for background."""
    out = folder / "r50-int8"
    if not out.exists():
        categories = Categories.from_pairs(list(enumerate(NAMES, start=1)))
        config = ModelConfig(architecture="fasterrcnn_resnet50_fpn", weights="none")
        model: Any = build_model(config, num_classes=len(NAMES) + 1).eval()
        model.roi_heads.box_predictor.cls_score.bias.data[0] = 6.0
        info = CheckpointInfo(config, categories, "none", 0, {})
        save_checkpoint(folder / "r50.pt", model.state_dict(), info=info)
        rng = np.random.default_rng(0)
        pictures = [rng.integers(0, 255, (480, 640, 3), dtype=np.uint8) for _ in range(10)]
        export_checkpoint(folder / "r50.pt", "openvino-int8", out, images=pictures[:1], calibration=pictures)
    return out


def _toyroom(folder: Path, config: ToyRoomConfig) -> Path:
    """A video of twenty seconds, with its truth.json beside it; one that is there is used again."""
    made = sorted(folder.rglob("*.mp4")) if folder.exists() else []
    if not made:
        made = [make_toyroom(folder, images=0, videos=1, seed=3, config=config).videos[0].path]
    return made[0]


def _first_frames(source: Path, out: Path, count: int) -> Path:
    return _encode(out, (frame.image_rgb for frame in _head(VideoReader(source), count)), fps=25)


def _head(frames: Any, count: int) -> Any:
    for frame, _ in zip(frames, range(count), strict=False):
        yield frame


def _encode(out: Path, images: Any, *, fps: int) -> Path:
    out.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(out), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"preset": "ultrafast", "crf": "16"})
        stream.pix_fmt = "yuv420p"
        for number, image in enumerate(images):
            if not number:
                stream.height, stream.width = image.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return out


def adaptive(folder: Path, detector: Path) -> dict[str, Any]:
    clip = folder / "static" / "static.mp4"
    if not clip.exists():
        _encode(clip, _mostly_static(folder), fps=25)
    found: dict[str, Any] = {}
    for name, changes in (("full", {}), ("adaptive", {"adaptive": True})):
        config = AnalysisConfig.model_validate({"video": {"decode": changes}})
        store = Path(tempfile.mkdtemp(dir=folder)) / name
        begin = time.perf_counter()
        [video] = analyze([clip], store, detector=detector, config=config).to_dict()["videos"]
        found[name] = {
            "seconds": time.perf_counter() - begin,
            "processed": video["processed"],
            "values": _values(store),
        }
    full, other = (found[name]["values"] for name in ("full", "adaptive"))
    differing = {
        key: (full.get(key), other.get(key))
        for key in sorted({*full, *other})
        if not _same(full.get(key), other.get(key))
    }
    return {
        "video_s": STATIC_S,
        "frames": STATIC_S * 25,
        "processed": found["adaptive"]["processed"],
        "seconds": {name: found[name]["seconds"] for name in found},
        "speed_up": found["full"]["seconds"] / found["adaptive"]["seconds"],
        "measures": len({*full, *other}),
        "measures_within_2_percent": len({*full, *other}) - len(differing),
        "others": {" ".join(map(str, key)): values for key, values in differing.items()},
    }


def _same(one: float | None, two: float | None) -> bool:
    if one is None or two is None:
        return one == two
    return abs(one - two) <= 0.02 * max(abs(one), abs(two)) + 1e-9


def _values(store: Path) -> dict[tuple[str, ...], float]:
    with open_store(store) as opened:
        rows = measures_table(opened).to_pylist()
    return {
        tuple(str(row[name]) for name in ("measure", "subject", "object", "predicate")): row["value"] for row in rows
    }


def _mostly_static(folder: Path) -> Any:
    """A ToyRoom video that stands still most of the time, with the noise of a sensor on every frame."""
    images = [frame.image_rgb for frame in VideoReader(_toyroom(folder / "room", ToyRoomConfig()))]
    rng = np.random.default_rng(1)
    noises = [rng.normal(0, NOISE, images[0].shape) for _ in range(16)]
    moving = [50, 60, 60, 40]  # frames of movement; between them nothing moves
    still = (STATIC_S * 25 - sum(moving)) // len(moving)
    order: list[int] = []
    for part in moving:
        begin = order[-1] if order else 0
        order += [*range(begin, begin + part), *[begin + part] * still]
    for n, number in enumerate(order):
        yield np.clip(images[min(number, len(images) - 1)] + noises[n % 16 - n // 16 % 16], 0, 255).astype(np.uint8)


@dataclass
class FiveThings:
    """Five boxes that wander; costs nothing, so that everything else is busy."""

    categories: Categories = field(default_factory=lambda: Categories.from_pairs(list(enumerate(NAMES, start=1))))
    digest: str = "five"
    name: str = "five"
    _n: int = 0

    def detect(self, images_rgb: Sequence[np.ndarray], *, min_confidence: float = 0.05) -> list[Detections]:
        found = [self._one() for _ in images_rgb]
        return [one.select(one.confidences >= min_confidence) for one in found]

    def _one(self) -> Detections:
        self._n += 1
        x = 60 + 40 * np.sin(self._n / 40 + np.arange(5))
        y = 20 * np.arange(5) + 5
        boxes = np.stack([x, y, x + 14, y + 14], axis=1).astype(np.float32)
        keep = (np.arange(5) + self._n // 300) % 6 > 0  # they also come and go
        return Detections(boxes[keep], np.full(keep.sum(), 0.9, np.float32), np.arange(1, 6)[keep])


def memory(folder: Path) -> dict[str, Any]:
    video = _hours(folder / "long.mp4", HOURS)
    config = AnalysisConfig.model_validate({"video": {"decode": {"sample_fps": 5}}}).video
    samples: list[tuple[float, int]] = []
    done = threading.Event()

    def watch() -> None:
        own, begin = psutil.Process(os.getpid()), time.perf_counter()
        while not done.wait(0.5):
            parts = [own, *own.children(recursive=True)]
            samples.append((time.perf_counter() - begin, sum(_rss(part) for part in parts)))

    thread = threading.Thread(target=watch)
    thread.start()
    begin = time.perf_counter()
    followed = track_with_detector(video, FiveThings(), config=config)
    seconds = time.perf_counter() - begin
    done.set()
    thread.join()
    inside = [(t, rss / 2**20) for t, rss in samples if 0.1 * seconds <= t <= 0.95 * seconds]
    times, sizes = np.array([t for t, _ in inside]), np.array([rss for _, rss in inside])
    halves = [float(np.median(sizes[(times >= a) & (times < b)])) for a, b in _quarters(times)]
    return {
        "video_s": HOURS * 3600,
        "frames": len(followed.frames),
        "processed": int(followed.frames.processed.sum()),
        "seconds": seconds,
        "rss_mb_by_quarter": halves,
        "growth_mb_per_hour_of_video": (halves[-1] - halves[0]) / (0.75 * 0.85 * HOURS),
        "rss_mb_peak": max(rss for _, rss in samples) / 2**20,
    }


def _quarters(times: np.ndarray) -> list[tuple[float, float]]:
    edges = np.linspace(times[0], times[-1] + 1e-6, 5).tolist()
    return list(pairwise(edges))


def _rss(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def _hours(out: Path, hours: int) -> Path:
    """One minute of 25 frames a second, encoded once and repeated."""
    rng = np.random.default_rng(0)
    ground = np.kron(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8), np.ones((20, 20, 1), np.uint8))
    minute = _encode(out.with_name("minute.mp4"), (np.roll(ground, n // 5, axis=1) for n in range(1500)), fps=25)
    with av.open(str(out), "w") as target, av.open(str(minute)) as source:
        stream = target.add_stream_from_template(source.streams.video[0])
        packets = [(p.pts, p.dts, p.is_keyframe, bytes(p)) for p in source.demux(video=0) if p.dts is not None]
        step = round(60 / source.streams.video[0].time_base)
        time_base = Fraction(source.streams.video[0].time_base)
        for n in range(60 * hours):
            for pts, dts, key, data in packets:
                packet = av.Packet(data)
                packet.pts, packet.dts, packet.time_base = pts + n * step, dts + n * step, time_base
                packet.is_keyframe, packet.stream = key, stream
                target.mux(packet)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["overlap", "adaptive", "memory"])
    parser.add_argument("--keep", type=Path, help="a folder for what is made, to be used again")
    parser.add_argument("--detector", type=Path, help="adaptive: a detector of ToyRoom's things")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        actions = {"overlap": overlap, "memory": memory, "adaptive": lambda f: adaptive(f, arguments.detector)}
        figures = actions[arguments.what](folder)
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    RESULTS.write_text(json.dumps({**results, arguments.what: figures}, indent=1) + "\n")
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
