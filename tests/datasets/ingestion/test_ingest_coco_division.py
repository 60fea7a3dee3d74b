"""COCO's JSON where other tools put it, and LVIS's, whose images have an address in place of a name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from exported_data import image, linked, names, objects, splits, take_in, write

TRAIN, VAL = ("t0.jpg", "t1.jpg"), ("v0.jpg",)


def coco(files: tuple[str, ...], *, first: int = 0, addresses: bool = False) -> dict[str, Any]:
    """One object in each image, at x = its id."""
    images = [
        {"id": first + n, "width": 200, "height": 100}
        | ({"coco_url": f"http://x.org/train2017/{name}"} if addresses else {"file_name": name})
        for n, name in enumerate(files)
    ]
    annotations = [
        {"id": i["id"], "image_id": i["id"], "category_id": 7, "bbox": [i["id"], 1, 5, 5], "area": 25, "iscrowd": 0}
        for i in images
    ]
    return {
        "info": {"note": "kept"},
        "annotations": annotations,
        "images": images,
        "categories": [{"id": 7, "name": "cup", "synonyms": ["mug"]}],
    }


LAYOUTS = {
    "detectron": ("annotations/train.json", "annotations/val.json", "train/", "val/"),
    "key points": (
        "annotations/person_keypoints_train2017.json",
        "annotations/person_keypoints_val2017.json",
        "train2017/",
        "val2017/",
    ),
    "2014": ("annotations/instances_train2014.json", "annotations/instances_val2014.json", "train2014/", "val2014/"),
    "Ultralytics": (
        "annotations/instances_train2017.json",
        "annotations/instances_val2017.json",
        "images/train2017/",
        "images/val2017/",
    ),
    "files beside": ("train.json", "val.json", "images/", "images/"),
    "FiftyOne": ("train/labels.json", "validation/labels.json", "train/data/", "validation/data/"),
}


@pytest.mark.parametrize(("train", "val", "train_images", "val_images"), LAYOUTS.values(), ids=LAYOUTS)
def test_layouts(tmp_path: Path, train: str, val: str, train_images: str, val_images: str) -> None:
    for folder, files, path, first in ((train_images, TRAIN, train, 0), (val_images, VAL, val, 10)):
        for name in files:
            image(tmp_path / f"d/{folder}{name}")
        write(tmp_path / "d" / path, json.dumps(coco(files, first=first)))
    manifest = take_in(tmp_path / "d")
    assert names(manifest) == {"train": list(TRAIN), "val": list(VAL)}
    assert manifest.files == 5, "two annotation files and three images"
    assert len(objects(manifest)) == 3


@pytest.mark.parametrize("name", ["lvis_v1_{}.json", "instances_{}2017.json"])
def test_lvis_images_are_found_by_their_address(tmp_path: Path, name: str) -> None:
    for split, files, first in (("train", TRAIN, 0), ("val", VAL, 10)):
        for file in files:
            image(tmp_path / f"d/train2017/{file}")
        content = coco(files, first=first, addresses=True)
        write(tmp_path / "d/annotations" / name.format(split), json.dumps(content))
    manifest = take_in(tmp_path / "d")
    # LVIS's val has images of COCO's train2017: the folder belongs to the name.
    assert names(manifest) == {
        "train": [f"train2017/{file}" for file in TRAIN],
        "val": [f"train2017/{file}" for file in VAL],
    }
    assert set(linked(manifest)) == {"train/train2017/t0.jpg", "train/train2017/t1.jpg", "val/train2017/v0.jpg"}
    found = splits(manifest)["val"]
    assert found["info"] == {"note": "kept"} and found["categories"][0]["synonyms"] == ["mug"]
    assert list(found) == ["info", "annotations", "images", "categories"], "nothing moves"


def test_ids_that_cannot_be_keys_do_not_stop_the_division(tmp_path: Path) -> None:
    content = coco(TRAIN)
    content["annotations"] += [{"id": 99, "image_id": [1], "category_id": 7, "bbox": [1, 1, 2, 2]}, "no record"]
    for name in TRAIN:
        image(tmp_path / f"d/images/{name}")
    write(tmp_path / "d/result.json", json.dumps(content))
    found = splits(take_in(tmp_path / "d", val_share=0.5))
    assert len(found["train"]["annotations"]) == 3 and len(found["val"]["annotations"]) == 1
