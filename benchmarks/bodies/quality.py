"""How well bodies are read on real images: AP of hands, the sign of yaw on turned faces, and postures.

    python benchmarks/bodies/quality.py --coco COCO --models MEDIAPIPE --detector yolox_nano.onnx --out FILE

COCO holds train2017/, val2017/ and annotations/ (the images themselves are not part of the project); MEDIAPIPE the
tflite files. The marks are in marks.json, in COCO's format. People are found by the detector, as in a video,
and, with ``--people marked``, taken from COCO's own boxes.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from visionllm_interaction.core.boxes import box_iou
from visionllm_interaction.detection.models import load_detector
from visionllm_interaction.interactions.postures import posture_of
from visionllm_interaction.video.bodies.config import BodiesConfig
from visionllm_interaction.video.bodies.estimator import BodyEstimator, BodyModels

MARKS = Path(__file__).with_name("marks.json")
HAND, FACE, PERSON = 1, 2, 3
CHUNK = 8


def main() -> None:
    """Measure, print and write."""
    options = _options()
    marks = json.loads(MARKS.read_text())
    images = [_image(options.coco, one) for one in marks["images"]]
    people = marked_people(options.coco, marks) if options.people == "marked" else _found_people(options, images)
    config = BodiesConfig(min_hand=0.05, min_pose=0.0)
    estimator = BodyEstimator(models_in(options.models), config=config)
    found = []
    for begin in range(0, len(images), CHUNK):
        found += estimator.estimate(images[begin : begin + CHUNK], people[begin : begin + CHUNK])
    result = {"people": options.people, "hands": hands_result(marks, found), "faces": faces_result(marks, found)}
    result["postures"] = postures_result(options.coco, marks, estimator)
    print(json.dumps(result, indent=1))
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")


def models_in(folder: Path) -> BodyModels:
    """The models in a folder of MediaPipe's files."""
    return BodyModels(
        pose=folder / "pose_landmark_full.tflite",
        palms=folder / "palm_detection_full.tflite",
        hands=folder / "hand_landmark_full.tflite",
        face_detector=folder / "face_detection_short_range.tflite",
        face_landmarks=folder / "face_landmark.tflite",
    )


def hands_result(marks: dict, found: list) -> dict:
    """AP50 and recall of hands by COCO's own evaluation, for all images and by split; recall at the default."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(MARKS))
    rows = [
        {"image_id": image["id"], "category_id": HAND, "bbox": _xywh(one.hand.box_xyxy), "score": one.hand.score}
        for image, bodies in zip(marks["images"], found, strict=True)
        for one in bodies.hands
    ]
    default = BodiesConfig().min_hand
    result = {}
    for split in ("all", "val2017", "train2017"):
        ids = [image["id"] for image in marks["images"] if split in ("all", image["split"])]
        n = sum(a["category_id"] == HAND and not a["iscrowd"] and a["image_id"] in ids for a in marks["annotations"])
        ap, recall, _ = _evaluate(truth, rows, ids)
        sure = [row for row in rows if row["score"] >= default]
        _, kept, precision = _evaluate(truth, sure, ids)
        result[split] = {
            "images": len(ids),
            "hands": n,
            "AP50": round(ap, 3),
            "recall": round(recall, 3),
            f"recall at {default}": round(kept, 3),
            f"precision at {default}": round(precision, 3),
        }
    return result


def _evaluate(truth: COCO, rows: list, ids: list) -> tuple[float, float, float]:
    chosen = [row for row in rows if row["image_id"] in ids]
    if not chosen:
        return 0.0, 0.0, 0.0
    with contextlib.redirect_stdout(io.StringIO()):
        run = COCOeval(truth, truth.loadRes(chosen), "bbox")
        run.params.catIds, run.params.imgIds, run.params.iouThrs = [HAND], ids, np.array([0.5])
        run.evaluate()
        run.accumulate()
    hits = misses = 0
    for one in run.evalImgs:
        if one is None or one["aRng"] != run.params.areaRng[0]:
            continue
        counted = ~one["dtIgnore"][0].astype(bool)
        hits += int((one["dtMatches"][0][counted] > 0).sum())
        misses += int((one["dtMatches"][0][counted] == 0).sum())
    precision = run.eval["precision"][0, :, 0, 0, 2]
    return float(precision[precision > -1].mean()), float(run.eval["recall"][0, 0, 0, 2]), hits / max(hits + misses, 1)


def average_precision(truth: list[tuple], found: list[tuple]) -> dict[str, float]:
    """AP50, recall from any confidence on, and recall and precision at the default one, by COCO's own evaluation.

    Args:
        truth: (image, (4,) xyxy, whether it counts neither way) of each hand.
        found: (image, (4,) xyxy, score).
    """
    images = sorted({one[0] for one in truth} | {one[0] for one in found})
    coco = COCO()
    coco.dataset = {
        "images": [{"id": one} for one in images],
        "categories": [{"id": HAND, "name": "hand"}],
        "annotations": [
            {"id": n, "image_id": i, "category_id": HAND, "bbox": (b := _xywh(box)), "area": b[2] * b[3], "iscrowd": c}
            for n, (i, box, c) in enumerate(truth, 1)
        ],
    }
    rows = [{"image_id": i, "category_id": HAND, "bbox": _xywh(box), "score": float(s)} for i, box, s in found]
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
    default = BodiesConfig().min_hand
    ap, recall, _ = _evaluate(coco, rows, images)
    _, sure, precision = _evaluate(coco, [row for row in rows if row["score"] >= default], images)
    names = "AP50", "recall", f"recall at {default}", f"precision at {default}"
    return {name: round(value, 3) for name, value in zip(names, (ap, recall, sure, precision), strict=True)}


def faces_result(marks: dict, found: list) -> dict:
    """On marked faces: how many are found, and how often the sign of yaw is right."""
    by_image = defaultdict(list)
    for one in marks["annotations"]:
        if one["category_id"] == FACE:
            by_image[one["image_id"]].append(one)
    total = seen = right = 0
    wrong = []
    for image, bodies in zip(marks["images"], found, strict=True):
        taken: set[int] = set()
        for one in by_image[image["id"]]:
            total += 1
            x, y, w, h = one["bbox"]
            box = np.array([x, y, x + w, y + h], np.float32)
            overlaps = [
                0.0 if n in taken else float(box_iou(box, f.face.box_xyxy[None])[0]) for n, f in enumerate(bodies.faces)
            ]
            best = max(range(len(overlaps)), key=overlaps.__getitem__, default=-1)
            if best < 0 or overlaps[best] < 0.2:
                continue
            taken.add(best)
            seen += 1
            yaw = bodies.faces[best].face.yaw_deg
            right += (yaw > 0) == (one["turned"] == "right")
            if (yaw > 0) != (one["turned"] == "right"):
                wrong.append({"image_id": image["id"], "turned": one["turned"], "yaw_deg": round(yaw, 1)})
    return {
        "marked": total,
        "found": seen,
        "sign_right": right,
        "share": round(right / max(seen, 1), 3),
        "wrong": wrong,
    }


def postures_result(coco: Path, marks: dict, estimator: BodyEstimator) -> dict:
    """Of people whose posture was marked: how many postures are right, wrong and not known, by posture."""
    table: dict[str, dict[str, int]] = {}
    by_image = defaultdict(list)
    for one in marks["annotations"]:
        if one["category_id"] == PERSON:
            by_image[one["image_id"]].append(one)
    images = [image for image in marks["images"] if image["id"] in by_image]
    for image in images:
        own = by_image[image["id"]]
        boxes = [np.array([x, y, x + w, y + h], np.float32) for x, y, w, h in (one["bbox"] for one in own)]
        [bodies] = estimator.estimate([_image(coco, image)], [np.array(boxes)])
        for one, pose in zip(own, bodies.poses, strict=True):
            said = None
            if pose is not None and pose.score >= BodiesConfig().min_pose:
                said = posture_of(np.concatenate([pose.points_xy, pose.depth[:, None]], axis=1), pose.visibility)
            row = table.setdefault(one["posture"], {"right": 0, "wrong": 0, "not known": 0})
            row["not known" if said is None else "right" if said == one["posture"] else "wrong"] += 1
    return table


def _image(coco: Path, one: dict) -> np.ndarray:
    return np.asarray(Image.open(coco / one["split"] / one["file_name"]).convert("RGB"))


def _xywh(box: np.ndarray) -> list[float]:
    x1, y1, x2, y2 = map(float, box)
    return [x1, y1, x2 - x1, y2 - y1]


def marked_people(coco: Path, marks: dict) -> list[np.ndarray]:
    boxes = defaultdict(list)
    for split in ("train2017", "val2017"):
        for one in json.loads((coco / "annotations" / f"instances_{split}.json").read_text())["annotations"]:
            if one["category_id"] == 1 and not one["iscrowd"]:
                x, y, w, h = one["bbox"]
                boxes[split, one["image_id"]].append([x, y, x + w, y + h])
    return [np.array(boxes[i["split"], i["id"]], np.float32).reshape(-1, 4) for i in marks["images"]]


def _found_people(options: argparse.Namespace, images: list) -> list[np.ndarray]:
    detector = load_detector(options.detector)
    person = detector.categories.by_name["person"].label
    found = []
    for image in images:
        one = detector.detect([image], min_confidence=options.min_confidence)[0]
        found.append(one.boxes_xyxy[one.labels == person])
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--coco", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--detector", type=Path)
    parser.add_argument("--people", choices=("found", "marked"), default="found")
    parser.add_argument("--min-confidence", type=float, default=0.35)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
