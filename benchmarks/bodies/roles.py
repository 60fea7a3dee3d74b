"""How well children are told from adults on real images; and the fit of the parameters that ship.

    python benchmarks/bodies/roles.py --coco COCO --models MEDIAPIPE --age age-v1.onnx --out FILE
    python benchmarks/bodies/roles.py --coco COCO --models MEDIAPIPE --age age-v1.onnx --fit PARAMETERS

The first measures, the second also fits the parameters that ship.

COCO holds train2017/, val2017/ and annotations/ with captions (the images themselves are not part of the project);
MEDIAPIPE the tflite files. Two sets of labels: people whom the captions name (found by code, see ``caption_labels``),
and people marked by eye (role_marks.json). Boxes are COCO's own. Everything is fitted on train2017; val2017 is only
measured, once the fit is done. Both splits together are also cross-validated, by image.
"""

from __future__ import annotations

import argparse
import json
import math
import re
from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image
from quality import models_in
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from visionllm_interaction.video.bodies.config import BodiesConfig
from visionllm_interaction.video.bodies.estimator import BodyEstimator, BodyModels
from visionllm_interaction.video.bodies.poses import PoseEstimator
from visionllm_interaction.video.config import RolesConfig
from visionllm_interaction.video.roles.estimate import decide, probability, read_role_model
from visionllm_interaction.video.roles.proportions import FEATURES, PersonView, person_features

MARKS = Path(__file__).with_name("role_marks.json")
CHILD = re.compile(r"\b(child|kid|boy|girl|toddler|baby|infant)(?:'s)?\b", re.IGNORECASE)
ADULT = re.compile(r"\b(man|woman|lady|guy|gentleman|mother|father|mom|dad|bride|groom)(?:'s)?\b", re.IGNORECASE)
CHILDREN = re.compile(r"\b(children|kids|boys|girls|toddlers|babies)\b", re.IGNORECASE)
ADULTS = re.compile(r"\b(men|women|ladies|guys|couple)\b", re.IGNORECASE)
DOMINANT = 3.0
"""A person whose box has so many times the area of the next one's is the one that captions name."""
LEAST = 2
"""So many captions have to name the person."""
FOLDS, SEEDS = 5, 4
KEPT = ("image", "features", "channels", "varied")
LIMIT = 2.5
CHANNELS, VARIED = 528, 5
LOOK_C, STACK_C = 0.002, 0.3
"""Inverse strengths of the regularisation, by cross-validation on train2017."""


def main() -> None:
    """Extract, fit or measure, print and write."""
    options = _options()
    people = {split: extract(options, split) for split in ("train2017", "val2017")}
    if options.fit:
        fitted = fit(people["train2017"])
        options.fit.write_text(json.dumps(fitted, indent=1) + "\n")
    result = {
        split: {
            "captions": measure(people[split], caption_labels(options.coco, split)),
            "marked": measure(people[split], marked_labels(split)),
        }
        for split in people
    }
    result["both splits, cross-validated"] = cross_validated(options.coco, people)
    print(json.dumps(result, indent=1))
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")


def caption_labels(coco: Path, split: str) -> dict[int, bool]:
    """People whom the captions name without doubt: id of the annotation → whether they are a child.

    The image has one person, or one whose box is three times as large as the next; at least two captions name
    that person with a word for a child or an adult; twice as many with the one as with the other; none speaks of
    several.
    """
    captions = defaultdict(list)
    for row in _read(coco, f"captions_{split}.json")["annotations"]:
        captions[row["image_id"]].append(row["caption"])
    labels = {}
    for image, everybody in _people(coco, split).items():
        rows = sorted(everybody, key=lambda row: -row["area"])
        if len(rows) > 1 and rows[0]["area"] < DOMINANT * rows[1]["area"]:
            continue
        texts = captions[image]
        child, adult = (sum(bool(words.search(text)) for text in texts) for words in (CHILD, ADULT))
        several = any(words.search(text) for text in texts for words in (CHILDREN, ADULTS))
        if not several and max(child, adult) >= LEAST and max(child, adult) >= 2 * min(child, adult):
            labels[rows[0]["id"]] = child > adult
    return labels


def marked_labels(split: str) -> dict[int, bool]:
    """People marked by eye: id of the annotation → whether they are a child."""
    marks = json.loads(MARKS.read_text())[split]
    return dict.fromkeys(marks["adult"], False) | dict.fromkeys(marks["child"], True)


def extract(options: argparse.Namespace, split: str) -> dict[int, dict]:
    """Features of every labelled person, and the channels of the look; by id of the annotation."""
    cache = options.cache and options.cache / f"{split}.npz"
    if cache and cache.is_file():
        kept = np.load(cache)
        return {int(row): {name: kept[name][n] for name in KEPT} for n, row in enumerate(kept["ids"])}
    labelled = caption_labels(options.coco, split).keys() | marked_labels(split).keys()
    files = {row["id"]: row["file_name"] for row in _read(options.coco, f"instances_{split}.json")["images"]}
    files_of_models = {**vars(models_in(options.models)), "palms": None, "hands": None, "face_age": options.age}
    estimator = BodyEstimator(BodyModels(**files_of_models), config=BodiesConfig())
    poses = PoseEstimator(files_of_models["pose"])
    found = {}
    for image, rows in sorted(_people(options.coco, split).items()):
        if not labelled & {row["id"] for row in rows}:
            continue
        pixels = np.asarray(Image.open(options.coco / split / files[image]).convert("RGB"))
        boxes = np.array([_xyxy(row["bbox"]) for row in rows], np.float32)
        [bodies] = estimator.estimate([pixels], [boxes])
        faces = {one.person: one.face for one in bodies.faces}
        for n, row in enumerate(rows):
            pose, face = bodies.poses[n], faces.get(n)
            view = PersonView(
                boxes[n],
                (pixels.shape[1], pixels.shape[0]),
                points_xy=None if pose is None else pose.points_xy,
                visibility=None if pose is None else pose.visibility,
                pose_score=0.0 if pose is None else pose.score,
                face_xyxy=None if face is None else face.box_xyxy,
                age_years=math.nan if face is None else face.age_years,
            )
            channels = np.full(CHANNELS, np.nan, np.float32) if pose is None or pose.look is None else pose.look
            if row["id"] not in labelled:
                continue
            found[row["id"]] = {"image": image, "features": person_features(view), "channels": channels}
            found[row["id"]]["varied"] = varied_looks(poses, pixels, boxes[n], seed=row["id"])
    if cache:
        cache.parent.mkdir(parents=True, exist_ok=True)
        np.savez(cache, ids=list(found), **{name: [one[name] for one in found.values()] for name in KEPT})
    return found


def varied_looks(poses: PoseEstimator, pixels: np.ndarray, box: np.ndarray, *, seed: int) -> np.ndarray:
    """(VARIED, 528) looks of a person mirrored, shifted and scaled a little: the probe must not depend on these."""
    random = np.random.default_rng(seed)
    side = float((box[2:] - box[:2]).max())
    mirrored = np.ascontiguousarray(pixels[:, ::-1])
    images, boxes = [], []
    for n in range(VARIED):
        centre = (box[:2] + box[2:]) / 2 + (random.uniform(-0.08, 0.08, 2) * side if n else 0)
        half = (box[2:] - box[:2]) / 2 * (math.exp(random.uniform(-0.2, 0.2)) if n else 1)
        if n % 2 == 0:
            centre[0] = pixels.shape[1] - centre[0]
        images.append(pixels if n % 2 else mirrored)
        boxes.append(np.concatenate([centre - half, centre + half]).astype(np.float32))
    return np.stack([pose.look for pose in poses.estimate(images, boxes)])


def fit(people: dict[int, dict]) -> dict:
    """The parameters, from the marked people of train2017; the look is stacked by its values out of fold."""
    labels = marked_labels("train2017")
    rows = [row for row in labels if row in people]
    y = np.array([labels[row] for row in rows])
    groups = np.array([people[row]["image"] for row in rows])
    channels = np.stack([np.concatenate([people[n]["channels"][None], people[n]["varied"]]) for n in rows])
    features = np.stack([people[row]["features"] for row in rows])
    look, held_out = fit_look(channels, y, groups)
    features[:, -1] = held_out
    stack = fit_stack(features, y)
    result = {"features": list(FEATURES), **stack, "look": look}
    result["provenance"] = {
        "fitted_by": "benchmarks/bodies/roles.py --fit",
        "on": "COCO train2017 (337 images of it), people marked by eye in benchmarks/bodies/role_marks.json",
        "children": int(y.sum()),
        "adults": int((~y).sum()),
        "networks": "MediaPipe pose_landmark_full and face_landmark, age-v1 of dlib-models (Cydral Technology)",
        "licence": "CC BY 4.0",
    }
    nested = nested_logits(channels, features, y, groups)
    print("cross-validated on train2017:")
    for limit in (0.75, 0.8, 0.85, 0.9):
        config = RolesConfig(min_probability=limit)
        print(limit, json.dumps(_figures(nested, y, child_share=float(y.mean()), config=config)))
    return result


def fit_look(channels: np.ndarray, y: np.ndarray, groups: np.ndarray) -> tuple[dict, np.ndarray]:
    """The linear probe on looks (n, 1 + VARIED, 528), and its values out of fold (mean over several splits)."""
    index = np.flatnonzero(~np.isnan(channels[:, 0]).any(axis=1))
    flat = channels[index].reshape(-1, CHANNELS)
    mean, scale = flat.mean(axis=0), flat.std(axis=0) + 1e-6
    z = (channels - mean) / scale
    held_out = np.full((SEEDS, len(y)), np.nan)
    for seed in range(SEEDS):
        folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed).split(index, y[index], groups[index])
        for train, test in folds:
            held_out[seed, index[test]] = _probe(z[index[train]], y[index[train]]).decision_function(z[index[test], 0])
    whole = _probe(z[index], y[index])
    weights = whole.coef_[0] / scale
    intercept = float(whole.intercept_[0] - weights @ mean)
    return {"weights": [round(float(w), 5) for w in weights], "intercept": round(intercept, 5)}, held_out.mean(axis=0)


def _probe(z: np.ndarray, y: np.ndarray) -> LogisticRegression:
    model = LogisticRegression(C=LOOK_C, class_weight="balanced", max_iter=3000)
    return model.fit(z.reshape(-1, CHANNELS), np.repeat(y, 1 + VARIED))


def fit_stack(features: np.ndarray, y: np.ndarray) -> dict:
    """The regression on all features, where half of the people are children."""
    mean, scale = np.nanmean(features, axis=0), np.nanstd(features, axis=0)
    z = np.nan_to_num(np.clip((features - mean) / scale, -LIMIT, LIMIT))
    model = LogisticRegression(C=STACK_C, max_iter=3000).fit(z, y)
    share = float(y.mean())
    numbers = {"mean": mean, "scale": scale, "weights": model.coef_[0]}
    rounded = {name: [round(float(value), 4) for value in values] for name, values in numbers.items()}
    neutral = float(model.intercept_[0]) - math.log(share / (1 - share))
    return {**rounded, "intercept": round(neutral, 4), "limit": LIMIT, "child_share": round(share, 4)}


def nested_logits(channels: np.ndarray, features: np.ndarray, y: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Log-odds of people by models that were fitted without their images, look and all."""
    logits = np.full(len(y), np.nan)
    for train, test in StratifiedGroupKFold(FOLDS, shuffle=True, random_state=11).split(features, y, groups):
        look, held_out = fit_look(channels[train], y[train], groups[train])
        inner = features[train].copy()
        inner[:, -1] = held_out
        stack = fit_stack(inner, y[train])
        outer = features[test].copy()
        outer[:, -1] = channels[test, 0] @ np.array(look["weights"]) + look["intercept"]
        logits[test] = _stacked(stack, outer)
    return logits


def cross_validated(coco: Path, people: dict[str, dict[int, dict]]) -> dict:
    """Figures of both splits together, each person by models that were fitted without the images that show them."""
    known = {row: one for split in people.values() for row, one in split.items()}
    captions = {row: child for split in people for row, child in caption_labels(coco, split).items()}
    marked = {row: child for split in people for row, child in marked_labels(split).items()}
    labels = {row: child for row, child in (captions | marked).items() if row in known}
    rows = list(labels)
    y = np.array([labels[row] for row in rows])
    channels = np.stack([np.concatenate([known[row]["channels"][None], known[row]["varied"]]) for row in rows])
    features = np.stack([known[row]["features"] for row in rows])
    logits = nested_logits(channels, features, y, np.array([known[row]["image"] for row in rows]))
    result = {}
    for name, named in (("captions", captions), ("marked", marked)):
        own = [n for n, row in enumerate(rows) if row in named]
        truth = np.array([named[rows[n]] for n in own])
        result[name] = _figures(logits[own], truth, child_share=float(y.mean()))
    return result


def _stacked(stack: dict, features: np.ndarray) -> np.ndarray:
    z = np.clip((features - stack["mean"]) / np.array(stack["scale"]), -stack["limit"], stack["limit"])
    logits = stack["intercept"] + np.nan_to_num(z) @ np.array(stack["weights"])
    return np.where(np.isnan(z).all(axis=1), np.nan, logits)


def measure(people: dict[int, dict], labels: dict[int, bool]) -> dict:
    """The figures of the model that ships."""
    model = read_role_model()
    rows = [row for row in labels if row in people]
    features = np.stack([people[row]["features"] for row in rows])
    features[:, -1] = [model.look(people[row]["channels"]) for row in rows]
    return _figures(model.logits(features), np.array([labels[row] for row in rows]), child_share=model.child_share)


def _figures(logits: np.ndarray, y: np.ndarray, *, child_share: float, config: RolesConfig = RolesConfig()) -> dict:
    """AUC with its interval, calibration at the base rate of the fit, and what *unknown* catches."""
    known = np.nan_to_num(logits)  # of whom nothing is seen: the base rate
    chance = np.array([probability(value, child_share=child_share) for value in known])
    roles = np.array([decide(value, config) or "unknown" for value in logits])
    wrong_if_forced = (known > 0) != y
    unknown = roles == "unknown"
    wrong = ~unknown & ((roles == "child") != y)
    auc, half = _auc(known, y)
    return {
        "children": int(y.sum()),
        "adults": int((~y).sum()),
        "auc": round(auc, 3),
        "auc_95": [round(max(auc - half, 0.0), 3), round(min(auc + half, 1.0), 3)],
        "ece": round(_ece(chance, y), 3),
        "ece_if_calibrated": round(_ece_if_calibrated(chance), 3),
        "unknown_share": round(float(unknown.mean()), 3),
        "errors_if_forced": int(wrong_if_forced.sum()),
        "of_them_unknown": round(float(unknown[wrong_if_forced].mean()), 3) if wrong_if_forced.any() else None,
        "errors_left": int(wrong.sum()),
        "children_found": int((~unknown & y & (roles == "child")).sum()),
        "adults_found": int((~unknown & ~y & (roles == "caregiver")).sum()),
    }


def _auc(scores: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Area under the ROC curve and half of its 95 % interval (Hanley and McNeil, 1982)."""
    positive, negative = scores[y], scores[~y]
    difference = positive[:, None] - negative[None]
    auc = float((difference > 0).mean() + 0.5 * (difference == 0).mean())
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    n, m = len(positive), len(negative)
    variance = (auc * (1 - auc) + (n - 1) * (q1 - auc**2) + (m - 1) * (q2 - auc**2)) / (n * m)
    return auc, float(norm.ppf(0.975)) * math.sqrt(max(variance, 0.0))


def _ece(chance: np.ndarray, y: np.ndarray, *, bins: int = 10) -> float:
    """Expected calibration error in bins of equal width."""
    place = np.minimum((chance * bins).astype(int), bins - 1)
    return float(
        sum(abs(chance[place == n].mean() - y[place == n].mean()) * (place == n).mean() for n in set(place.tolist()))
    )


def _ece_if_calibrated(chance: np.ndarray, *, draws: int = 1000) -> float:
    """The calibration error to expect of so few people where the probabilities are right: it is not 0."""
    random = np.random.default_rng(0)
    return float(np.mean([_ece(chance, random.random(len(chance)) < chance) for _ in range(draws)]))


def _people(coco: Path, split: str) -> dict[int, list[dict]]:
    people = defaultdict(list)
    for row in _read(coco, f"instances_{split}.json")["annotations"]:
        if row["category_id"] == 1 and not row["iscrowd"] and min(row["bbox"][2:]) > 1:
            people[row["image_id"]].append(row)
    return people


def _xyxy(bbox: list[float]) -> list[float]:
    x, y, width, height = bbox
    return [x, y, x + width, y + height]


def _read(coco: Path, name: str) -> dict:
    return json.loads((coco / "annotations" / name).read_text())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--coco", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--age", type=Path, help="the age predictor; without it, roles without ages")
    parser.add_argument("--fit", type=Path, help="write the parameters to this file")
    parser.add_argument("--cache", type=Path, help="keep the features in this folder")
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
