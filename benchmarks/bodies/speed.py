"""Speed and memory of people, hands, faces and poses at 5 frames a second: the product's path against a plain loop.

    python benchmarks/bodies/speed.py --video VIDEO --models MEDIAPIPE --detector FILE [--rounds N] [--out FILE]

Both run the same model files on the same frames, scaled to 640 × 480, with the same people. The plain loop is what one
writes first: each network with all its outputs, one image at a time, one step after the other, for each person in turn,
hands looked for around every wrist, in each frame. The product follows hands through frames that it does not search.
Rounds are interleaved. Printed are seconds of the processor and of the clock, their ratios (the median over rounds),
and the memory before and after a long run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import psutil
from quality import models_in

from visionllm_interaction.core.boxes import box_iou
from visionllm_interaction.core.frame_table import Frame
from visionllm_interaction.detection.models import load_detector
from visionllm_interaction.detection.runtimes._openvino_import import compile_graph, read_graph
from visionllm_interaction.detection.runtimes.detector_interface import Detector
from visionllm_interaction.video.bodies.anchors import decode, suppress
from visionllm_interaction.video.bodies.config import BodiesConfig
from visionllm_interaction.video.bodies.crop_regions import Region, around_box
from visionllm_interaction.video.bodies.estimator import Bodies, BodyEstimator
from visionllm_interaction.video.bodies.faces import ANCHORS as FACES
from visionllm_interaction.video.bodies.faces import face_region
from visionllm_interaction.video.bodies.find_bodies import batches, plan_searches
from visionllm_interaction.video.bodies.hand_finder import FrameSequence
from visionllm_interaction.video.bodies.hands import ANCHORS as PALMS
from visionllm_interaction.video.bodies.hands import hand_region, region_of_points
from visionllm_interaction.video.bodies.poses import is_far_off, pose_of, wanted_region
from visionllm_interaction.video.bodies.search_regions import ARMS, face_guess, face_searches, hand_guess, hand_searches
from visionllm_interaction.video.decoding.reader import VideoReader

SIZE = (640, 480)
PER_S = 5.0
CHUNK = 8


class PlainLoop:
    """One image, one person, one network after the other."""

    def __init__(self, folder: Path) -> None:
        files = models_in(folder)
        self.graphs = {
            name: compile_graph(read_graph(getattr(files, name)))
            for name in ("pose", "palms", "hands", "face_detector", "face_landmarks")
        }

    def run(self, name: str, image: np.ndarray, region: Region, side: int, low: float = 0.0) -> list[np.ndarray]:
        """All outputs of one network for one crop."""
        crop = region.crop(image, side).astype(np.float32) / 255.0 * (1.0 - low) + low
        return [np.array(value[0]) for value in self.graphs[name](crop[None]).values()]

    def image(self, image: np.ndarray, boxes: np.ndarray) -> int:
        """Everything for one image; returns how much was found."""
        found = 0
        poses = []
        for box in boxes:
            region = around_box(box, scale=1.25)
            rows, score = self._pose(image, region)
            wanted = wanted_region(region.to_image(rows[33:35, :2]))
            if is_far_off(region, wanted):
                again = self._pose(image, wanted)
                if again[1] > score:
                    region, (rows, score) = wanted, again
            poses.append(pose_of(rows, score, region))
        whole = Region(SIZE[0] / 2, SIZE[1] / 2, float(max(SIZE)))
        searches = [whole] + [r for box, pose in zip(boxes, poses, strict=True) for r in face_searches(box, pose)]
        centres = []
        for region in searches:
            raw, logits = self.run("face_detector", image, region, 128, low=-1.0)
            seen = suppress(decode(raw, logits, FACES, min_score=0.4), max_iou=0.3)
            for row in range(len(seen)):
                place = face_region(seen, row, region)
                self.run("face_landmarks", image, place, 192)
                centres.append((place.x, place.y, place.side))
                found += 1
        for pose in poses:
            place = face_guess(pose)
            if place and not _met(place, centres):
                self.run("face_landmarks", image, place, 192)
        # Every wrist in the image, occluded or not, as the key points alone say.
        searches = [whole] + [
            region
            for box, pose in zip(boxes, poses, strict=True)
            for region in hand_searches(box, pose, min_visibility=0.0) or [around_box(box, scale=1.1)]
        ]
        centres = []
        for region in searches:
            raw, logits = self.run("palms", image, region, 192)
            seen = suppress(decode(raw, logits, PALMS, min_score=0.15), max_iou=0.3)
            for row in range(len(seen)):
                place = hand_region(seen, row, region)
                score = self.run("hands", image, place, 224)[1]
                if float(score[0]) >= 0.5:
                    centres.append((place.x, place.y, place.side))
                    found += 1
        for pose in poses:
            for side in ARMS:
                place = hand_guess(pose, side, min_visibility=0.0)
                if place and not _met(place, centres):
                    values, score = self.run("hands", image, place, 224)[:2]
                    if float(score[0]) >= 0.5:
                        points = place.to_image(values.reshape(-1, 3)[:, :2] / 224)
                        self.run("hands", image, region_of_points(points), 224)
        return found

    def _pose(self, image: np.ndarray, region: Region) -> tuple[np.ndarray, float]:
        values, score = self.run("pose", image, region, 256)[:2]
        rows = values.reshape(-1, 5).copy()
        rows[:, :3] /= 256
        return rows, float(score[0])


def _met(place: Region, centres: list) -> bool:
    return any(abs(place.x - x) < side / 4 and abs(place.y - y) < side / 4 for x, y, side in centres)


def main() -> None:
    """Run all rounds, then the long run."""
    options = _options()
    detector = load_detector(options.detector)
    film = film_of(options.video, detector, most=options.frames, start_s=options.start_s)
    images = film.images
    plain, ours = PlainLoop(options.models), BodyEstimator(models_in(options.models))

    def run_people() -> None:
        for image in images:
            people_in(detector, [image])

    def run_plain() -> None:
        for image in images:
            plain.image(image, people_in(detector, [image])[0])

    def run_ours() -> None:
        found: list[Bodies] = []
        for sequence, batch, _ in batches_of(film, options.every_s):
            before = None if not found else found[-1].known(film.ids[len(found) - 1])
            found += ours.estimate(batch, people_in(detector, batch), sequence(before))

    for run in (run_plain, run_ours):  # compiled and warm
        run()
    rounds = []
    for _ in range(options.rounds):
        rounds.append({"plain": _timed(run_plain), "ours": _timed(run_ours), "people alone": _timed(run_people)})
        print(json.dumps(rounds[-1]), flush=True)
    memory = [psutil.Process().memory_info().rss]
    for _ in range(options.long):
        run_ours()
        memory.append(psutil.Process().memory_info().rss)
    result = {
        "frames": len(images),
        "video_s": len(images) / PER_S,
        "cpu_ratio": round(statistics.median(r["plain"]["cpu_s"] / r["ours"]["cpu_s"] for r in rounds), 2),
        "cpu_ratio_without_people": round(
            statistics.median(
                (r["plain"]["cpu_s"] - r["people alone"]["cpu_s"]) / (r["ours"]["cpu_s"] - r["people alone"]["cpu_s"])
                for r in rounds
            ),
            2,
        ),
        "clock_ratio": round(statistics.median(r["plain"]["clock_s"] / r["ours"]["clock_s"] for r in rounds), 2),
        "cpu_s_per_video_s": round(statistics.median(r["ours"]["cpu_s"] for r in rounds) / (len(images) / PER_S), 3),
        "memory_mib": [round(value / 2**20, 1) for value in memory],
        "rounds": rounds,
    }
    print(json.dumps({name: value for name, value in result.items() if name != "rounds"}, indent=1))
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")


def _timed(run) -> dict[str, float]:
    cpu, clock = time.process_time(), time.perf_counter()
    run()
    return {"cpu_s": round(time.process_time() - cpu, 2), "clock_s": round(time.perf_counter() - clock, 2)}


@dataclass(frozen=True, eq=False)
class Film:
    """Frames of a clip, and who is in them.

    Attributes:
        images: (480, 640, 3) uint8 each.
        boxes: for each frame those of its people.
        ids: for each frame the tracks of its people.
    """

    images: list[np.ndarray]
    boxes: list[np.ndarray]
    ids: list[np.ndarray]


def film_of(video: Path, detector: Detector, *, most: int, start_s: float) -> Film:
    """A clip at five frames a second, with people linked by overlap."""
    images = []
    for frame in VideoReader(video).frames("rgb", per_s=PER_S):
        if frame.timestamp_s >= start_s:
            images.append(cv2.resize(frame.image_rgb, SIZE))
        if len(images) == most:
            break
    boxes = people_in(detector, images)
    return Film(images, boxes, linked(boxes))


def linked(boxes: Sequence[np.ndarray]) -> list[np.ndarray]:
    """For each frame the tracks of its people: a person is the one of the last frame whose box overlaps most."""
    last, ids, new = np.zeros((0, 4)), np.zeros(0, int), 0
    found = []
    for own in boxes:
        now = np.full(len(own), -1)
        overlap = np.array([box_iou(box, last) for box in own]).reshape(len(own), len(last))
        while overlap.size and overlap.max() > 0:
            i, j = np.unravel_index(overlap.argmax(), overlap.shape)
            now[i] = ids[j]
            overlap[i], overlap[:, j] = 0, 0
        fresh = now < 0
        now[fresh] = np.arange(new, new + fresh.sum())
        new += int(fresh.sum())
        last, ids = own, now
        found.append(now)
    return found


def people_in(detector: Detector, images: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Boxes of people in images."""
    person = detector.categories.by_name["person"].label
    return [one.boxes_xyxy[one.labels == person] for one in detector.detect(images, min_confidence=0.35)]


def batches_of(film: Film, every_s: float) -> Iterator[tuple[Callable[..., FrameSequence], list, list]]:
    """Frames that are looked at together, as the product does it: how they follow each other, images, and boxes."""
    frames = [Frame(n, n / PER_S, image) for n, image in enumerate(film.images)]
    for batch, searched in batches(plan_searches(frames, every_s), CHUNK):
        numbers = [frame.frame_index for frame in batch]
        ids = [film.ids[n] for n in numbers]
        yield (
            partial(FrameSequence, searched, ids),
            [frame.image_rgb for frame in batch],
            [film.boxes[n] for n in numbers],
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--detector", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--start-s", type=float, default=25.0, help="from here on somebody is there")
    parser.add_argument(
        "--every-s", type=float, default=BodiesConfig().palms_every_s, help="palms are searched so often"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--long", type=int, default=3, help="more rounds of the product's path, for the memory")
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
