"""A small COCO data set, written by plain json, for the tests of stages 1-3 and the pipeline."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 64, 48
CATEGORIES = [
    {"id": 3, "name": "ball", "supercategory": "toy"},
    {"id": 7, "name": "cup", "supercategory": "kitchen"},
    {"id": 90, "name": "child", "supercategory": "person"},
]
Change = Callable[[dict[str, Any]], None]


def make_coco(root: Path, *, train: int = 6, val: int = 4) -> Path:
    """Write ``root``/{train2017,val2017,annotations}; each image has one box of each category."""
    for split, count, first in (("train", train, 100), ("val", val, 500)):
        folder = root / f"{split}2017"
        folder.mkdir(parents=True)
        content = _content(split, count, first)
        for image in content["images"]:
            _picture(image["id"]).save(folder / image["file_name"], quality=80)
        write(root, split, content)
    return root


def _picture(seed: int) -> Image.Image:
    """Coloured squares, other ones for each seed: an image of one colour would be a fault."""
    squares = np.random.default_rng(seed).integers(0, 256, (HEIGHT // 4, WIDTH // 4, 3), np.uint8)
    return Image.fromarray(squares).resize((WIDTH, HEIGHT), Image.Resampling.NEAREST)


def annotation_file(root: Path, split: str) -> Path:
    return root / "annotations" / f"instances_{split}2017.json"


def read(root: Path, split: str) -> dict[str, Any]:
    return json.loads(annotation_file(root, split).read_text(encoding="utf-8"))


def write(root: Path, split: str, content: dict[str, Any]) -> None:
    path = annotation_file(root, split)
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def change(root: Path, split: str, edit: Change) -> None:
    content = read(root, split)
    edit(content)
    write(root, split, content)


def annotation_ids(root: Path, split: str) -> list[int]:
    return [annotation["id"] for annotation in read(root, split)["annotations"]]


def _content(split: str, count: int, first: int) -> dict[str, Any]:
    images = [
        {"id": first + n, "file_name": f"{split}_{n:04d}.jpg", "width": WIDTH, "height": HEIGHT, "camera": "näh"}
        for n in range(count)
    ]
    annotations = [
        {
            "id": image["id"] * 10 + k,
            "image_id": image["id"],
            "category_id": category["id"],
            "bbox": [4.5 + 8 * k, 6.25, 20.0, 1.5e1],
            "area": 300.0,
            "iscrowd": 0,
            "segmentation": [[4.5 + 8 * k, 6.25, 24.5 + 8 * k, 6.25, 24.5 + 8 * k, 21.25, 4.5 + 8 * k, 21.25]],
            "attributes": {"occluded": k == 1, "note": "“quoted”"},
        }
        for image in images
        for k, category in enumerate(CATEGORIES)
    ]
    return {
        "info": {"made_by": "the tests"},
        "licenses": [],
        "images": images,
        "annotations": annotations,
        "categories": CATEGORIES,
        "unknown_key": {"kept": [1, 2.50, None]},
    }
