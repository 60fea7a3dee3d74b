"""Three rounds of 50 suggested images against 150 drawn at random, on ToyRoom and on the people of coco-mini.

    OMP_NUM_THREADS=2 python benchmarks/detection/label_rounds.py WORK_FOLDER --data toyroom
    OMP_NUM_THREADS=2 python benchmarks/detection/label_rounds.py WORK_FOLDER --data coco-mini \\
        --coco-mini FOLDER [--weights FILE]

A seed is an initial set of 30 images, a pool, a random choice, and the seed of every training. *Suggested*: a detector
trained on what is annotated so far chooses 50 images, three times, and goes on from its last checkpoint in between.
*Random*: 150 images of the same pool. At the end both are trained from the same weights, in the same way and as long,
on their 180 images, and evaluated on the same held-out images, with the settings of ``visionllm label suggest``.

*toyroom*: the rooms are sparse, and three of eight categories (RARE) are in 6 % of the pool's images, as rare toys are
in a lab's recordings; held-out images show all. Training starts from a detector of other rooms that has never seen the
three. *coco-mini*: only people. Training starts from ``--weights`` (of a ResNet-18), or from nothing: then expect an
AP near 0 on both sides.

Nothing that is done in WORK_FOLDER is done again, and a training that was stopped goes on: a time limit may cut the
work anywhere. ``--development`` draws from other rooms, for trying settings; it is not reported.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from visionllm_bench.toyroom import ToyRoomConfig, make_toyroom
from visionllm_interaction.config import load
from visionllm_interaction.core.image_decoding import read_rgb
from visionllm_interaction.detection.models.config import ModelConfig
from visionllm_interaction.detection.runtimes.factory import load_detector
from visionllm_interaction.detection.training.callbacks import LAST_NAME
from visionllm_interaction.detection.training.config import TrainConfig
from visionllm_interaction.detection.training.data.coco_annotations import categories_of, list_images, read_coco
from visionllm_interaction.detection.training.data.datamodule import TrainingData
from visionllm_interaction.detection.training.trainer import fit
from visionllm_interaction.labelling.config import LabelConfig
from visionllm_interaction.labelling.scoring import describe_images, label_weights, score_image
from visionllm_interaction.labelling.selection import choose, pool_scores

REPO = Path(__file__).parents[2]
OUT = REPO / "benchmarks" / "results" / "label_rounds.json"
RARE = ("car", "cup", "book")
FIRST, ROUND, ROUNDS = 30, 50, 3
POOL, RARE_SHARE, HELD_OUT = 400, 0.06, 150
MADE = {"base": (1000, 900001), "pool": (2600, 2027), "development": (1800, 11)}
"""Number of ToyRoom images and their seed."""
ROOM = ToyRoomConfig(image_width=240, image_height=180, min_objects=2, max_objects=3, val_share=0.1)
RESAMPLES = 10_000
Coco = dict[str, Any]

SMALL: dict[str, Any] = {
    "architecture": "fasterrcnn_resnet18_fpn",
    "min_size": 120,
    "max_size": 160,
    "fpn_channels": 64,
    "fpn_strides": (8, 16),
    "fpn_extra_level": False,
    "anchor_sizes": ((10, 15, 22), (32, 46, 66)),
    "anchor_ratios": (0.7, 1.2, 2.2),
    "proposals_train": (150, 80),
    "proposals_test": (100, 50),
    "rpn_samples": 64,
    "box_samples": 32,
    "box_positive_share": 0.5,
    "box_head_width": 256,
    "roi_canonical_size": 56,
    "box_voting": 0.7,
}
TRAIN: dict[str, Any] = {
    "epochs": 1000,
    "validate_every_epochs": 1000,
    "batch_size": 4,
    "weight_decay": 0.01,
    "warmup_share": 0.2,
    "zoom": (0.9, 1.1),
    "photometric": 0.1,
    "workers": 0,
    "cache_images": True,
    "resume_every_s": 3600.0,
}


@dataclass(frozen=True)
class Recipe:
    """How one kind of data is trained: settings of the model, and numbers of steps of four images."""

    model: dict[str, Any]
    round_steps: int
    final_steps: int
    lr: float


BASE_STEPS = 600
RECIPES = {
    "toyroom": Recipe({**SMALL, "trainable_layers": 2}, round_steps=60, final_steps=200, lr=1e-3),
    "coco-mini": Recipe(
        {**SMALL, "min_size": 160, "max_size": 208, "anchor_sizes": ((12, 24, 48), (72, 104, 152))},
        round_steps=60,
        final_steps=240,
        lr=1e-3,
    ),
}


@dataclass(frozen=True)
class Task:
    """Data of one seed: what may be chosen (``train``), and what is evaluated on (``val``)."""

    train: Coco
    val: Coco
    folders: tuple[Path, Path]


def without_rare(coco: Coco) -> list[Any]:
    """Ids of the images that show none of the rare categories."""
    rare = {c["id"] for c in coco["categories"] if c["name"] in RARE}
    showing = {a["image_id"] for a in coco["annotations"] if a["category_id"] in rare}
    return [image["id"] for image in coco["images"] if image["id"] not in showing]


def only(coco: Coco, ids: list[Any]) -> Coco:
    """These images, in this order, with their annotations."""
    images = {image["id"]: image for image in coco["images"]}
    kept = set(ids)
    return {
        **coco,
        "images": [images[n] for n in ids],
        "annotations": [a for a in coco["annotations"] if a["image_id"] in kept],
    }


def toyroom_folder(work: Path, name: str) -> Path:
    """ToyRoom images, made once."""
    folder = work / name
    if not folder.exists():
        count, seed = MADE[name]
        make_toyroom(folder, images=count, videos=0, seed=seed, config=ROOM)
    return folder


def coco_of(folder: Path, split: str) -> Coco:
    """The annotations of a split."""
    return read_coco(folder / "annotations" / f"instances_{split}2017.json")


def toyroom_task(work: Path, seed: int, *, development: bool) -> Task:
    """A pool with rare categories, and held-out images as they come."""
    folder = toyroom_folder(work, "development" if development else "pool")
    train, val = coco_of(folder, "train"), coco_of(folder, "val")
    common = without_rare(train)
    rare = sorted({image["id"] for image in train["images"]} - set(common))
    rng = np.random.default_rng([seed, 1])
    size = FIRST + POOL
    few = round(RARE_SHARE * size)
    ids = [*rng.choice(common, size - few, replace=False).tolist(), *rng.choice(rare, few, replace=False).tolist()]
    rng.shuffle(ids)
    shown = [image["id"] for image in val["images"]][:HELD_OUT]
    return Task(only(train, ids), only(val, shown), (folder / "train2017", folder / "val2017"))


def coco_mini_task(folder: Path, seed: int) -> Task:
    """The people of coco-mini; images without any stay in the pool."""
    train, val = (people_of(coco_of(folder, split)) for split in ("train", "val"))
    ids = [image["id"] for image in train["images"]]
    np.random.default_rng([seed, 1]).shuffle(ids)
    return Task(only(train, ids), val, (folder / "train2017", folder / "val2017"))


def people_of(coco: Coco) -> Coco:
    """The same images with people as the only category."""
    kept = [c for c in coco["categories"] if c["name"] == "person"]
    return {
        **coco,
        "categories": kept,
        "annotations": [a for a in coco["annotations"] if a["category_id"] == kept[0]["id"]],
    }


def train(
    recipe: Recipe, task: Task, ids: list[Any], folder: Path, *, weights: str, steps: int, seed: int
) -> dict[str, Any]:
    """Train on some images of a task, unless that is done; the metrics of the last epoch."""
    done = folder / "metrics.json"
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        chosen = only(task.train, ids)
        categories = categories_of(chosen)
        data = TrainingData(
            train=list_images(chosen, task.folders[0], categories=categories),
            val=list_images(task.val, task.folders[1], categories=categories),
            truth=task.val,
            categories=categories,
        )
        pretrained = weights != "none"
        start = {
            "weights": weights,
            "normalization": "auto" if pretrained else "batch",
            "trainable_layers": recipe.model.get("trainable_layers") if pretrained else None,
        }
        model = ModelConfig(**{**recipe.model, **start})
        config = TrainConfig(**{**TRAIN, "lr": recipe.lr if pretrained else 1e-3, "max_steps": steps, "seed": seed})
        result = fit(model=model, train=config, data=data, folder=folder, recipe=str((model, config, ids)))
        done.write_text(json.dumps(result.rows[-1] | {"metrics": result.best.metrics}, default=float))
    found: dict[str, Any] = json.loads(done.read_text())
    return found


def suggested(task: Task, annotated: list[Any], checkpoint: Path, config: LabelConfig) -> list[Any]:
    """What ``visionllm label suggest`` chooses of the task's images that are not annotated."""
    detector = load_detector(checkpoint, device="cpu")
    images = {image["id"]: task.folders[0] / image["file_name"] for image in task.train["images"]}
    pool = [n for n in images if n not in set(annotated)]
    names = {c["id"]: c["name"] for c in task.train["categories"]}
    counts = dict.fromkeys(names.values(), 0)
    for annotation in only(task.train, annotated)["annotations"]:
        counts[names[annotation["category_id"]]] += 1
    weights = label_weights(detector, counts, config)
    scored = [score_image(detector, read_rgb(images[n]), config, weights) for n in pool]
    signs = {name: np.array([getattr(one, name) for one in scored]) for name in ("uncertainty", "disagreement")}
    choices = choose(
        pool_scores(signs, config.weights.model_dump()),
        np.stack([one.features for one in scored]).astype(np.float64),
        [str(n) for n in pool],
        count=config.images,
        diversity=config.diversity,
        max_group_share=config.max_group_share,
        annotated=describe_images(detector, (read_rgb(images[n]) for n in annotated), config).astype(np.float64),
    )
    return [pool[one.index] for one in choices]


def run_seed(
    recipe: Recipe, task: Task, seed: int, folder: Path, *, weights: str, config: LabelConfig
) -> dict[str, Any]:
    """Both sides of one seed."""
    rng = np.random.default_rng([seed, 2])
    every = [image["id"] for image in task.train["images"]]
    first, rest = every[:FIRST], every[FIRST:]
    drawn = rng.choice(rest, ROUND * ROUNDS, replace=False).tolist()
    chosen: list[Any] = []
    rounds = []
    start = weights
    for number in range(ROUNDS):
        listed = folder / f"round{number + 1}.json"
        if not listed.exists():
            place = folder / f"after{number}"
            train(recipe, task, [*first, *chosen], place, weights=start, steps=recipe.round_steps, seed=seed)
            picked = suggested(task, [*first, *chosen], place / LAST_NAME, config)
            listed.write_text(json.dumps(picked))
        start = str(folder / f"after{number}" / LAST_NAME)
        chosen += json.loads(listed.read_text())
        rounds.append(json.loads((folder / f"after{number}" / "metrics.json").read_text())["metrics"]["AP"])
    figures = {}
    for name, ids in (("suggested", chosen), ("random", drawn)):
        place = folder / name
        found = train(recipe, task, [*first, *ids], place, weights=weights, steps=recipe.final_steps, seed=seed)
        metrics = found["metrics"]
        shown = only(task.train, ids)["annotations"]
        names = {c["id"]: c["name"] for c in task.train["categories"]}
        boxes = {n: sum(names[a["category_id"]] == n for a in shown) for n in names.values()}
        each = {n: row["AP"] for n, row in metrics["per_category"].items()}
        figures[name] = {"AP": metrics["AP"], "AP50": metrics["AP50"], "per_category": each, "boxes": boxes}
    figures["rounds"] = rounds
    return figures


def toyroom_base(work: Path) -> str:
    """The checkpoint both sides start from: it has never seen a rare category."""
    folder = toyroom_folder(work, "base")
    every, val = coco_of(folder, "train"), coco_of(folder, "val")
    task = Task(every, val, (folder / "train2017", folder / "val2017"))
    place = work / "base-training"
    train(RECIPES["toyroom"], task, without_rare(every), place, weights="none", steps=BASE_STEPS, seed=0)
    return str(place / LAST_NAME)


def summary(seeds: dict[str, Any]) -> dict[str, Any]:
    """Mean AP of both sides, and the difference with its interval over seeds."""
    sides = {name: np.array([one[name]["AP"] for one in seeds.values()]) for name in ("suggested", "random")}
    difference = sides["suggested"] - sides["random"]
    found: dict[str, Any] = {f"AP_{name}": float(values.mean()) for name, values in sides.items()}
    found |= {"difference": float(difference.mean()), "seeds": len(difference)}
    if len(difference) > 1:
        half = float(stats.t.ppf(0.975, len(difference) - 1) * difference.std(ddof=1) / math.sqrt(len(difference)))
        found["interval"] = [found["difference"] - half, found["difference"] + half]
    names = next(iter(seeds.values()))["random"]["per_category"]
    for side in sides:
        found[f"per_category_{side}"] = {
            n: float(np.mean([one[side]["per_category"][n] for one in seeds.values()])) for n in names
        }
        found[f"boxes_{side}"] = {n: float(np.mean([one[side]["boxes"][n] for one in seeds.values()])) for n in names}
    return found


def report(data: str, seeds: dict[str, Any]) -> None:
    """Write what is done so far, and print it."""
    results = json.loads(OUT.read_text()) if OUT.exists() else {}
    results[data] = {**summary(seeds), "by_seed": seeds}
    OUT.write_text(json.dumps(results, indent=1) + "\n")
    found = results[data]
    print(f"{data}: AP suggested − random, by seed")
    for seed, one in seeds.items():
        suggested, drawn = one["suggested"]["AP"], one["random"]["AP"]
        print(f"  {seed}: {suggested:.4f} − {drawn:.4f} = {suggested - drawn:+.4f}   after each round {one['rounds']}")
    between = "  95 % interval {:+.4f} to {:+.4f} (t, seeds)".format(*found["interval"]) if "interval" in found else ""
    print(f"  mean {found['AP_suggested']:.4f} − {found['AP_random']:.4f} = {found['difference']:+.4f}{between}")
    for name, value in found["per_category_suggested"].items():
        boxes = f"{found['boxes_suggested'][name]:.0f} boxes against {found['boxes_random'][name]:.0f}"
        print(f"    {name:12} {value:.3f} against {found['per_category_random'][name]:.3f}, {boxes}")


def main() -> None:
    """One seed after another; the results so far after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", choices=tuple(RECIPES), default="toyroom")
    parser.add_argument("--coco-mini", type=Path, help="with train2017/, val2017/ and annotations/")
    parser.add_argument("--weights", default="none", help="to start from on coco-mini")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2, 3, 4])
    parser.add_argument("--development", action="store_true")
    parser.add_argument("-o", "--set", action="append", default=[], help="KEY=VALUE of section label, for development")
    options = parser.parse_args()
    if options.set and not options.development:
        parser.error("other settings than the default ones are for --development")
    work, data = options.folder, options.data
    work.mkdir(parents=True, exist_ok=True)
    config = load([], [f"label.{one}" for one in options.set]).label.model_copy(update={"images": ROUND})
    weights = toyroom_base(work) if data == "toyroom" else options.weights
    seeds: dict[str, Any] = {}
    for seed in options.seeds:
        folder = work / "-".join([*(["development"] * options.development), data, str(seed), *options.set])
        done = folder / "figures.json"
        if not done.exists():
            if data == "toyroom":
                task = toyroom_task(work, seed, development=options.development)
            else:
                task = coco_mini_task(options.coco_mini, seed)
            figures = run_seed(RECIPES[data], task, seed, folder, weights=weights, config=config)
            done.write_text(json.dumps(figures))
        seeds[str(seed)] = json.loads(done.read_text())
        if options.development:
            print(seed, json.dumps(summary({str(seed): seeds[str(seed)]})))
        else:
            report(data, seeds)


if __name__ == "__main__":
    main()
