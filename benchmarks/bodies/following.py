"""How well hands are followed through frames that are not searched: on real clips, and on marked images that move.

    python benchmarks/bodies/following.py --coco COCO --models MEDIAPIPE --detector FILE [--video CLIP …] [--out FILE]

Clips at five frames a second, by both ways: every frame searched, and searched every so many seconds (``--every-s``)
and followed between. Neither is the truth; counted is how many hands of the one the other has as well, at an overlap of
half, in frames that were followed. Hands that one way alone has can be looked at with ``--sheet FOLDER``.

The marked images (marks.json) become films of nine frames: from frame to frame the image is shifted by up to a share of
the size of its hands, and turned by up to 4 degrees. Where the hands are in each frame is known, so AP50 and recall of
both ways can be compared. People's boxes are COCO's own, moved along.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from quality import HAND, MARKS, average_precision, marked_people, models_in
from speed import PER_S, batches_of, film_of

from visionllm_interaction.core.boxes import box_iou
from visionllm_interaction.detection.models import load_detector
from visionllm_interaction.video.bodies.config import BodiesConfig
from visionllm_interaction.video.bodies.estimator import BodyEstimator
from visionllm_interaction.video.bodies.hand_finder import FrameSequence

N_FRAMES = 9
SAME = 0.5


def main() -> None:
    """Measure, print and write."""
    options = _options()
    result: dict[str, object] = {"every_s": options.every_s}
    estimator = BodyEstimator(models_in(options.models))
    if options.video:
        detector = load_detector(options.detector)
        result["clips"] = {path.name: clip_result(path, estimator, detector, options) for path in options.video}
    if options.coco:
        low = BodyEstimator(models_in(options.models), config=BodiesConfig(min_hand=0.05, min_pose=0.0))
        result["moved images"] = {
            str(share): moved_result(low, options.coco, share, options.every_s, options.images)
            for share in options.motion
        }
    print(json.dumps(result, indent=1))
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")


def clip_result(path: Path, estimator: BodyEstimator, detector, options: argparse.Namespace) -> dict:
    """Hands of one clip by both ways, in the frames that were followed."""
    film = film_of(path, detector, most=options.frames, start_s=0.0)
    runs = {}
    for name, every_s in (("searched", 0.0), ("followed", options.every_s)):
        count = _Counting(estimator)
        found, searched = [], []
        for sequence, images, boxes in batches_of(film, every_s):
            before = None if not found else found[-1].known(film.ids[len(found) - 1])
            found += estimator.estimate(images, boxes, sequence(before))
            searched += sequence(before).searched
        runs[name] = found, searched, count.done()
    plain, quick = runs["searched"][0], runs["followed"][0]
    followed = [n for n, yes in enumerate(runs["followed"][1]) if not yes]
    both = Counter()
    for n in followed:
        a, b = ([one.hand.box_xyxy for one in bodies.hands] for bodies in (plain[n], quick[n]))
        met_a, met_b = _matched(a, b)
        both.update({"searched": len(a), "followed": len(b), "both": int(met_a.sum())})
        if options.sheet and not (met_a.all() and met_b.all()):
            _draw(options.sheet / f"{path.stem}-{n:03d}.jpg", film.images[n], a, b)
    return {
        "frames": len(film.images),
        "followed frames": len(followed),
        "hands in them": dict(both),
        "searched ones also followed": round(both["both"] / max(both["searched"], 1), 3),
        "followed ones also searched": round(both["both"] / max(both["followed"], 1), 3),
        "runs": {name: run[2] for name, run in runs.items()},
    }


class _Counting:
    """Counts the crops that the networks of hands are asked about."""

    def __init__(self, estimator: BodyEstimator) -> None:
        hands = estimator._hands._hands
        self._networks = {"palms": hands._palms, "key points": hands._landmarks}
        self._counts: Counter[str] = Counter()
        for name, network in self._networks.items():
            network.run = self._counted(name, network.run)

    def _counted(self, name: str, run):
        def counted(crops):
            crops = list(crops)
            self._counts[name] += len(crops)
            return run(crops)

        return counted

    def done(self) -> dict[str, int]:
        for network in self._networks.values():
            del network.run
        return dict(self._counts)


def _matched(a: list, b: list) -> tuple[np.ndarray, np.ndarray]:
    """Which of two sets of boxes have a partner in the other one, each partner once, best first."""
    met = np.zeros(len(a), bool), np.zeros(len(b), bool)
    if a and b:
        overlap = np.array([box_iou(box, np.array(b)) for box in a])
        while overlap.max() >= SAME:
            i, j = np.unravel_index(overlap.argmax(), overlap.shape)
            met[0][i] = met[1][j] = True
            overlap[i], overlap[:, j] = 0, 0
    return met


def moved_result(estimator: BodyEstimator, coco: Path, share: float, every_s: float, most: int | None) -> dict:
    """AP50 and recall of hands in the frames of films made of the marked images that are not searched."""
    marks = json.loads(MARKS.read_text())
    people = marked_people(coco, marks)
    truth, rows = [], {"searched": [], "followed": []}
    for number, (image, boxes) in enumerate(zip(marks["images"][:most], people, strict=False)):
        pixels = np.asarray(Image.open(coco / image["split"] / image["file_name"]).convert("RGB"))
        own = [one for one in marks["annotations"] if one["image_id"] == image["id"] and one["category_id"] == HAND]
        sizes = [max(one["bbox"][2:]) for one in own] or [40.0]
        moves = _moves(pixels.shape, share * float(np.median(sizes)), np.random.default_rng(number))
        images = [cv2.warpAffine(pixels, move, pixels.shape[1::-1]) for move in moves]
        moved = [np.array([_moved(box, move) for box in boxes], np.float32).reshape(-1, 4) for move in moves]
        ids = [np.arange(len(boxes))] * N_FRAMES
        keys = [n % round(every_s * PER_S) == 0 for n in range(N_FRAMES)]
        for name, searched in (("searched", [True] * N_FRAMES), ("followed", keys)):
            found = estimator.estimate(images, moved, FrameSequence(searched, ids))
            for n in (n for n in range(N_FRAMES) if not keys[n]):
                rows[name] += [(100 * number + n, one.hand.box_xyxy, one.hand.score) for one in found[n].hands]
        for n in (n for n in range(N_FRAMES) if not keys[n]):
            for one in own:
                x, y, w, h = one["bbox"]
                box = _moved(np.array([x, y, x + w, y + h]), moves[n])
                middle = (box[:2] + box[2:]) / 2
                outside = bool((middle < 0).any() or (middle >= pixels.shape[1::-1]).any())
                truth.append((100 * number + n, box, int(one["iscrowd"] or outside)))
    return {name: average_precision(truth, found) for name, found in rows.items()}


def _moves(shape: tuple[int, ...], most_px: float, rng: np.random.Generator) -> list[np.ndarray]:
    """For each frame the (2, 3) matrix from the image to it: a walk with steps of up to ``most_px``."""
    middle = shape[1] / 2, shape[0] / 2
    at, turn, moves = np.zeros(2), 0.0, []
    direction = rng.uniform(0, 2 * np.pi)
    for _ in range(N_FRAMES):
        matrix = cv2.getRotationMatrix2D(middle, turn, 1.0)
        matrix[:, 2] += at
        moves.append(matrix)
        direction += rng.normal(0, 1.0)
        at = at + rng.uniform(0.5, 1.0) * most_px * np.array([np.cos(direction), np.sin(direction)])
        turn += rng.uniform(-4, 4)
    return moves


def _moved(box: np.ndarray, move: np.ndarray) -> np.ndarray:
    """The box of the same size around the moved middle: it is turned by little."""
    middle = move @ (*(box[:2] + box[2:]) / 2, 1.0)
    half = (box[2:] - box[:2]) / 2
    return np.concatenate([middle - half, middle + half])


def _draw(path: Path, image: np.ndarray, searched: list, followed: list) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = np.ascontiguousarray(image[:, :, ::-1])
    for boxes, colour, more in ((searched, (0, 200, 0), 0), (followed, (0, 0, 255), 2)):
        for x1, y1, x2, y2 in np.round(boxes).astype(int).reshape(-1, 4):
            cv2.rectangle(drawn, (int(x1) - more, int(y1) - more), (int(x2) + more, int(y2) + more), colour, 1)
    cv2.imwrite(str(path), drawn)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--coco", type=Path)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--detector", type=Path)
    parser.add_argument("--video", type=Path, nargs="*", default=[])
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--images", type=int, help="only so many of the marked images")
    parser.add_argument("--every-s", type=float, default=BodiesConfig().palms_every_s)
    parser.add_argument("--motion", type=float, nargs="*", default=[0.25, 0.75], help="shares of a hand's size a frame")
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
