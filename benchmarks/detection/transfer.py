"""A detector that learns two more classes from 50 images, against training on everything from scratch.

    python benchmarks/detection/transfer.py WORK_FOLDER [--steps 800]

ToyRoom images, the demo's model. *base*: trained on the images without the annotations of two classes. *new*:
started from it, on every eighth image (50) with all annotations, a fifth of the steps. *full*: from scratch on all
images with all annotations. All are evaluated on the same 100 images, *new* and *full* on all classes. What is done
already in WORK_FOLDER is not done again, what was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from visionllm_bench.demo.config import DemoSettings
from visionllm_bench.toyroom import make_toyroom
from visionllm_interaction.artifacts.stage_manifests import BEST_NAME
from visionllm_interaction.config_loading import load_settings
from visionllm_interaction.core.categories import Categories
from visionllm_interaction.detection.models.config import ModelConfig
from visionllm_interaction.detection.training.config import TrainConfig
from visionllm_interaction.detection.training.data.coco_annotations import categories_of, list_images, read_coco
from visionllm_interaction.detection.training.data.datamodule import TrainingData
from visionllm_interaction.detection.training.trainer import fit

REPO = Path(__file__).parents[2]
OUT = REPO / "benchmarks" / "results" / "transfer.json"
LACKING = ("book", "cup")
PICTURES, EACH, SEED = 500, 8, 7
"""Four fifths of the images are for training."""


def main() -> None:
    """Three trainings and their figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--only", choices=("full", "base", "new"), nargs="*", default=["full", "base", "new"])
    options = parser.parse_args()
    work = options.folder
    if not (work / "toyroom").exists():
        make_toyroom(work / "toyroom", images=PICTURES, videos=0, seed=SEED)
    steps = {"full": options.steps, "base": options.steps, "new": options.steps // 5}
    figures = {name: trained(name, work, steps[name]) for name in options.only}
    if len(figures) == len(steps):
        report(figures, steps)


def trained(name: str, work: Path, steps: int) -> dict[str, Any]:
    """The figures of one training, which goes on where it was stopped."""
    done = work / f"{name}.json"
    if not done.exists():
        folder = work / name
        folder.mkdir(parents=True, exist_ok=True)
        model, train = settings(name, work, steps)
        data = data_of(name, work / "toyroom")
        result = fit(
            model=model, train=train, data=data, folder=folder,
            recipe=f"{model.model_dump_json()} {train.model_dump_json()}",
        )  # fmt: skip
        about = {"pictures": len(data.train), "steps": result.rows[-1]["step"], "figures": result.best.metrics}
        done.write_text(json.dumps(about))
    found: dict[str, Any] = json.loads(done.read_text())
    return found


def settings(name: str, work: Path, steps: int) -> tuple[ModelConfig, TrainConfig]:
    """The demo's, with what the documentation advises for few images where the training starts from another."""
    base = load_settings(DemoSettings, [REPO / "config" / "demo.yaml"])
    changes: dict[str, Any] = {"max_steps": steps, "epochs": 1000, "validate_every_epochs": 1000}
    if name != "new":
        return base.model, base.train.model_copy(update=changes)
    model = base.model.model_copy(update={"weights": str(work / "base" / BEST_NAME), "normalization": "auto"})
    return model, base.train.model_copy(update={**changes, "lr": 3e-4})


def data_of(name: str, toyroom: Path) -> TrainingData:
    """What ``name`` sees; all are evaluated on the same images, *base* without the classes it lacks."""
    train, val = (read_coco(toyroom / "annotations" / f"instances_{split}2017.json") for split in ("train", "val"))
    if name == "base":
        train, val = without(train, LACKING), without(val, LACKING)
    elif name == "new":
        train = only(train, train["images"][::EACH])
    categories: Categories = categories_of(train)
    return TrainingData(
        train=list_images(train, toyroom / "train2017", categories=categories),
        val=list_images(val, toyroom / "val2017", categories=categories),
        truth=val,
        categories=categories,
    )


def without(coco: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """The same images, as if nobody had annotated these classes."""
    kept = [c for c in coco["categories"] if c["name"] not in names]
    ids = {c["id"] for c in kept}
    return {**coco, "categories": kept, "annotations": [a for a in coco["annotations"] if a["category_id"] in ids]}


def only(coco: dict[str, Any], images: list[dict[str, Any]]) -> dict[str, Any]:
    """These images with their annotations."""
    ids = {image["id"] for image in images}
    return {**coco, "images": images, "annotations": [a for a in coco["annotations"] if a["image_id"] in ids]}


def report(figures: dict[str, Any], steps: dict[str, int]) -> None:
    """Write and print the comparison."""
    full, new = figures["full"]["figures"], figures["new"]["figures"]
    result = {
        "pictures": {name: figures[name]["pictures"] for name in steps},
        "steps": {name: figures[name]["steps"] for name in steps},
        "AP": {name: round(figures[name]["figures"]["AP"], 4) for name in steps},
        "AP_of_the_new_classes": {
            name: {key: round(side["per_category"][key]["AP"], 4) for key in LACKING}
            for name, side in (("full", full), ("new", new))
        },
        "share_of_full_AP": round(new["AP"] / full["AP"], 3),
        "share_of_full_steps": round(figures["new"]["steps"] / figures["full"]["steps"], 3),
    }
    OUT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
