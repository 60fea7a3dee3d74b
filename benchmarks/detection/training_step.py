"""A training step on a CPU: this project's loop against a plain torchvision loop, on real images.

    python benchmarks/detection/training_step.py COCO_MINI [--size 800 --batch 2 --steps 5]

The same ResNet-50 FPN (frozen batch statistics, three trainable stages), batch and threads; the sides take turns.
Theirs is torchvision's reference recipe: PIL images flipped at random, float32, SGD with momentum. Ours is what
``visionllm train`` runs: augmentation of scale and light, layers in bfloat16 where the processor has it, channels-last,
fused AdamW, clipped gradients. Both read in the training process, so that nothing of ``data`` is hidden.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms.v2 import functional as F

from visionllm_interaction.detection.models.config import ModelConfig
from visionllm_interaction.detection.models.faster_rcnn import build_model
from visionllm_interaction.detection.models.precision import choose_precision
from visionllm_interaction.detection.runtimes.torch_detector import prepare_for_detection
from visionllm_interaction.detection.training.config import TrainConfig
from visionllm_interaction.detection.training.data.coco_annotations import (
    TrainingImage,
    categories_of,
    list_images,
    read_coco,
)
from visionllm_interaction.detection.training.data.datamodule import DetectionDataModule, TrainingData
from visionllm_interaction.detection.training.optimizers import build_optimizer

OUT = Path(__file__).parents[1] / "results" / "training_step.json"
CPU = torch.device("cpu")
CLASSES = 81
Step = Callable[[Any], None]


class PlainPictures(Dataset[Any]):
    """As torchvision's reference scripts read: decoded, perhaps mirrored, scaled to 0…1."""

    def __init__(self, pictures: list[TrainingImage]) -> None:
        self._pictures = pictures

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, number: int) -> Any:
        picture = self._pictures[number]
        with Image.open(picture.path) as file:
            image = F.to_dtype(F.pil_to_tensor(file.convert("RGB")), torch.float32, scale=True)
        boxes = torch.from_numpy(picture.boxes_xyxy).clone()
        if torch.rand(()) < 0.5:
            image = image.flip(2)
            boxes[:, [0, 2]] = picture.width - boxes[:, [2, 0]]
        return image, {"boxes": boxes, "labels": torch.from_numpy(picture.labels)}


def model_of(size: int) -> Any:
    torch.manual_seed(0)
    config = ModelConfig(
        weights="none", normalization="frozen_batch", trainable_layers=3, min_size=size, max_size=size * 5 // 3
    )
    return build_model(config, num_classes=CLASSES).train()


def plain(pictures: list[TrainingImage], options: argparse.Namespace) -> tuple[Iterator[Any], Step]:
    """Loader and step of torchvision's recipe."""
    model = model_of(options.size)
    learn = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(learn, lr=1e-4, momentum=0.9, weight_decay=1e-4)
    loader = DataLoader(
        PlainPictures(pictures), batch_size=options.batch, shuffle=True, drop_last=True,
        collate_fn=lambda batch: tuple(zip(*batch, strict=True)),
    )  # fmt: skip

    def step(batch: Any) -> None:
        images, targets = batch
        loss = sum(model(list(images), list(targets)).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return iter(loader), step


def ours(data: TrainingData, options: argparse.Namespace) -> tuple[Iterator[Any], Step]:
    """Loader and step of this project."""
    config = TrainConfig(batch_size=options.batch, workers=0, lr=1e-4)
    model = model_of(options.size)
    prepare_for_detection(model, CPU, train=choose_precision("auto", CPU))
    optimizer = build_optimizer(model, config)

    def step(batch: Any) -> None:
        images, targets = batch
        loss = torch.stack(list(model([image.float().div_(255) for image in images], targets).values())).sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
        optimizer.step()

    return iter(DetectionDataModule(data, config).train_dataloader()), step


def read(folder: Path) -> TrainingData:
    coco = read_coco(folder / "annotations" / "instances_train2017.json")
    categories = categories_of(coco)
    pictures = list_images(coco, folder / "train2017", categories=categories)
    return TrainingData([p for p in pictures if len(p.labels)], pictures[:1], coco, categories)


def main() -> None:
    """Both sides in turn, one step each; medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    for name, value in (("size", 800), ("batch", 2), ("steps", 5)):
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    data = read(options.folder)
    sides = {"torchvision": plain(data.train, options), "ours": ours(data, options)}
    seconds: dict[str, dict[str, list[float]]] = {name: {"data": [], "step": []} for name in sides}
    for number in range(options.steps + 1):
        for name, (batches, step) in sides.items():
            times = [time.perf_counter()]
            batch = next(batches)
            times.append(time.perf_counter())
            step(batch)
            times.append(time.perf_counter())
            if number:  # the first step warms up
                seconds[name]["data"].append(times[1] - times[0])
                seconds[name]["step"].append(times[2] - times[1])
    report(seconds, options)


def report(seconds: dict[str, dict[str, list[float]]], options: argparse.Namespace) -> None:
    median = {n: {k: round(statistics.median(v), 4) for k, v in parts.items()} for n, parts in seconds.items()}
    total = {
        n: statistics.median([a + b for a, b in zip(*parts.values(), strict=True)]) for n, parts in seconds.items()
    }
    result = {
        "size": options.size, "batch": options.batch, "steps": options.steps, "threads": torch.get_num_threads(),
        "precision": choose_precision("auto", CPU),
        "median_s": median,
        "images_per_s": {name: round(options.batch / value, 3) for name, value in total.items()},
        "ratio": round(total["torchvision"] / total["ours"], 2),
        "share_of_data_loading": round(sum(seconds["ours"]["data"]) / sum(map(sum, seconds["ours"].values())), 4),
    }  # fmt: skip
    OUT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
