"""Images of the play room in COCO's layout."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from visionllm_bench.toyroom.categories import CATEGORY_IDS, category_records
from visionllm_bench.toyroom.config import ToyRoomConfig
from visionllm_bench.toyroom.drawing.mask_to_polygons import mask_to_polygons
from visionllm_bench.toyroom.render.random_scene import Annotated, Still, make_still

SPLITS = ("train", "val")
_IMAGES, _VIDEOS = 1, 2


def generator(seed: int, kind: int, index: int) -> np.random.Generator:
    """The random numbers of image or video ``index``: the same however many others are made."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(kind, index)))


@dataclass(frozen=True, slots=True)
class PlannedImage:
    """One image to make: its number from 0, its split, and the categories that must be in it."""

    index: int
    split: str
    wanted: tuple[str, ...]

    @property
    def file_name(self) -> str:
        """COCO's way to name files."""
        return f"{self.index + 1:012d}.jpg"


def plan_images(count: int, *, val_share: float) -> list[PlannedImage]:
    """Split and wanted categories of every image, so that each category occurs in both splits."""
    splits = ["val" if math.floor((n + 1) * val_share) > math.floor(n * val_share) else "train" for n in range(count)]
    if count > 1 and "val" not in splits:
        splits[-1] = "val"
    fewest = min(splits.count("train") or 1, splits.count("val") or 1)
    names = list(CATEGORY_IDS)
    quota = max(2, math.ceil(len(names) / fewest))
    turn = dict.fromkeys(SPLITS, 0)
    planned = []
    for index, split in enumerate(splits):
        first = turn[split] * quota
        turn[split] += 1
        planned.append(PlannedImage(index, split, tuple(names[(first + k) % len(names)] for k in range(quota))))
    return planned


def write_images(out: Path, *, count: int, seed: int, config: ToyRoomConfig) -> dict[str, int]:
    """Write ``train2017/``, ``val2017/`` and ``annotations/`` below ``out``; returns images per split."""
    for folder in ("train2017", "val2017", "annotations"):
        (out / folder).mkdir(parents=True)
    files = {split: _empty_file(config, seed=seed) for split in SPLITS}
    for planned, still, quality in _make(count, seed=seed, config=config):
        still.image.save(out / f"{planned.split}2017" / planned.file_name, quality=quality)
        _record(files[planned.split], planned, still)
    for split, content in files.items():
        text = json.dumps(content, separators=(",", ":"))
        (out / "annotations" / f"instances_{split}2017.json").write_text(text, encoding="utf-8")
    return {split: len(content["images"]) for split, content in files.items()}


def _make(count: int, *, seed: int, config: ToyRoomConfig) -> Iterator[tuple[PlannedImage, Still, int]]:
    size = (config.image_width, config.image_height)
    low, high = config.min_objects, max(config.min_objects, config.max_objects)
    for planned in plan_images(count, val_share=config.val_share):
        rng = generator(seed, _IMAGES, planned.index)
        still = make_still(rng, size, count=int(rng.integers(low, high + 1)), wanted=planned.wanted)
        yield planned, still, int(rng.integers(70, 96))


def _empty_file(config: ToyRoomConfig, *, seed: int) -> dict[str, Any]:
    about = f"ToyRoom, seed {seed}, {config.image_width}x{config.image_height}: a simulated play room with exact truth"
    licence = {"id": 1, "name": "Apache License 2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"}
    return {
        "info": {"description": about, "version": "1.0", "year": 2026, "contributor": "visionllm toyroom"},
        "licenses": [licence],
        "images": [],
        "annotations": [],
        "categories": category_records(),
    }


def _record(content: dict[str, Any], planned: PlannedImage, still: Still) -> None:
    width, height = still.image.size
    image = {"id": planned.index + 1, "file_name": planned.file_name, "width": width, "height": height, "license": 1}
    content["images"].append(image)
    for number, item in enumerate(still.objects, start=1):
        content["annotations"].append(
            _annotation(item, annotation_id=(planned.index + 1) * 100 + number, image_id=planned.index + 1)
        )


def _annotation(item: Annotated, *, annotation_id: int, image_id: int) -> dict[str, Any]:
    x1, y1, x2, y2 = item.seen.box_xyxy
    return {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": CATEGORY_IDS[item.category],
        "bbox": [float(x1), float(y1), float(x2 - x1), float(y2 - y1)],
        "area": float(item.seen.area_px),
        "iscrowd": 0,
        "segmentation": mask_to_polygons(item.seen.mask, left=x1, top=y1),
        "visible": round(item.visible, 4),
    }
