"""EXIF orientation: pixels, boxes, polygons, run lengths and key points end where the image shows them."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps
from small_coco import change, make_coco
from transform_chain import SPLITS, changes, cleaned, first_two, third

from visionllm_interaction.datasets.transformation.coco_geometry import run_lengths
from visionllm_interaction.datasets.transformation.config import TransformConfig
from visionllm_interaction.datasets.transformation.exif_orientation import (
    ORIENTATION,
    orientation_and_size,
    turn_box,
    turn_keypoints,
    turn_segmentation,
    write_upright,
)
from visionllm_interaction.datasets.validation.config import ValidateConfig
from visionllm_interaction.errors import InputDataError

WIDTH, HEIGHT = 40, 24
BOX = (5, 3, 20, 8)


TURN = {"IMG-EXIF-FRAME": "repair", "IMG-EXIF-ROTATED": "repair", "IMG-SIZE": "warn"}


def stored(orientation: int, *, quality: int | None = None) -> bytes:
    """An image with a white rectangle at BOX of its stored frame, and an EXIF orientation."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    x, y, w, h = BOX
    pixels[y : y + h, x : x + w] = 255
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    exif[0x010F] = "a camera"
    stream = io.BytesIO()
    if quality:
        Image.fromarray(pixels).save(stream, "JPEG", exif=exif, quality=quality)
    else:
        Image.fromarray(pixels).save(stream, "PNG", exif=exif)
    return stream.getvalue()


def white_box(image: Image.Image) -> list[int]:
    rows, columns = np.nonzero(np.array(image.convert("L")) > 127)
    left, top = int(columns.min()), int(rows.min())
    return [left, top, int(columns.max()) + 1 - left, int(rows.max()) + 1 - top]


@pytest.mark.parametrize("orientation", range(2, 9))
def test_shapes_turn_as_the_pixels_do(orientation: int) -> None:
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(stored(orientation))))
    box = white_box(upright)
    x, y, w, h = BOX
    size = {"orientation": orientation, "stored": (WIDTH, HEIGHT)}
    assert turn_box(list(BOX), **size) == box
    ((*polygon,),) = turn_segmentation([[x, y, x + w, y, x + w, y + h]], **size)
    assert [min(polygon[::2]), min(polygon[1::2])] == box[:2]
    assert [max(polygon[::2]), max(polygon[1::2])] == [box[0] + box[2], box[1] + box[3]]
    assert turn_keypoints([x, y, 2, 0, 0, 0], **size)[2:] == [2, 0, 0, 0]


@pytest.mark.parametrize("orientation", range(2, 9))
def test_run_lengths_turn_as_the_pixels_do(orientation: int) -> None:
    from pycocotools import mask

    original = np.random.default_rng(orientation).integers(0, 2, (HEIGHT, WIDTH), np.uint8)
    value = {"size": [HEIGHT, WIDTH], "counts": mask.encode(np.asfortranarray(original))["counts"].decode()}
    turned = turn_segmentation(value, orientation=orientation, stored=(WIDTH, HEIGHT))
    with Image.fromarray(original) as image:
        image.getexif()[ORIENTATION] = orientation
        expected = np.asarray(ImageOps.exif_transpose(image))
    packed = mask.encode(np.asfortranarray(expected))
    assert turned == {"size": list(packed["size"]), "counts": run_lengths(packed["counts"].decode())}


@pytest.mark.parametrize("quality", [None, 30, 90])
def test_the_picture_is_written_upright_and_the_rest_of_its_exif_stays(quality: int | None, tmp_path: Path) -> None:
    source, target = tmp_path / "a.img", tmp_path / "sub/b.img"
    source.write_bytes(stored(6, quality=quality))
    write_upright(source, target)
    assert orientation_and_size(source) == (6, (WIDTH, HEIGHT))
    assert orientation_and_size(target) == (1, (HEIGHT, WIDTH))
    with Image.open(target) as after, Image.open(source) as before:
        assert after.getexif()[0x010F] == "a camera" and after.format == before.format
        shown = np.asarray(ImageOps.exif_transpose(before).convert("L"), np.int16)
        difference = np.abs(np.asarray(after.convert("L"), np.int16) - shown)
        assert difference.max() <= (0 if quality is None else 20) and difference.mean() <= 2
    first = target.read_bytes()
    write_upright(source, target)
    assert target.read_bytes() == first


def rotate(root: Path, name: str, orientation: int) -> bytes:
    path = root / "train2017" / name
    path.write_bytes(stored(orientation, quality=90))
    return path.read_bytes()


def order_repair(folder: Path, image_ids: dict[int, int]) -> None:
    """Let the report ask for these images (id → position) to be turned, as stage 2 does when the policy says repair."""
    import pyarrow.parquet as pq

    path = folder / "data_validation/faults.parquet"
    table = pq.read_table(path)
    rows = [
        {
            "code": "IMG-EXIF-ROTATED",
            "action": "repair",
            "split": "train",
            "entity": "image",
            "image_id": i,
            "position": p,
        }
        for i, p in image_ids.items()
    ]
    empty = dict.fromkeys(table.schema.names)
    pq.write_table(type(table).from_pylist([{**empty, **row} for row in rows], schema=table.schema), path)


def test_the_stage_writes_the_picture_and_links_the_others(tmp_path: Path) -> None:
    root, folder = make_coco(tmp_path / "data"), tmp_path / "run"
    raw = rotate(root, "train_0001.jpg", 6), rotate(root, "train_0002.jpg", 8)

    def describe(content: dict[str, Any]) -> None:
        content["images"][1].update(width=HEIGHT, height=WIDTH)  # the upright size: boxes are right already
        content["images"][2].update(width=WIDTH, height=HEIGHT)  # the stored size: boxes turn with the image
        for annotation in content["annotations"][3:6]:
            annotation.update(bbox=[1, 2, 10, 5], segmentation=[[1, 2, 11, 2, 11, 7]])
        for annotation in content["annotations"][6:9]:  # too wide for the upright image
            annotation.update(bbox=[1, 2, 30, 5], segmentation=[[1, 2, 31, 2, 31, 7]])

    change(root, "train", describe)
    first_two(root, folder, policy=ValidateConfig(actions=TURN))
    order_repair(folder, {101: 1, 102: 2})
    manifest = third(folder)
    assert manifest.images["train"] == "data_transformation/images/train"
    assert manifest.images["val"] == str(root / "val2017")
    place = folder / manifest.images["train"]
    assert orientation_and_size(place / "train_0001.jpg") == (1, (HEIGHT, WIDTH))
    assert orientation_and_size(place / "train_0002.jpg") == (1, (HEIGHT, WIDTH))
    assert (place / "train_0000.jpg").resolve() == (root / "train2017/train_0000.jpg").resolve()
    content = cleaned(folder, "train")
    assert [(i["width"], i["height"]) for i in content["images"][1:3]] == [(HEIGHT, WIDTH)] * 2
    assert content["annotations"][3]["bbox"] == [1, 2, 10, 5]
    assert content["annotations"][6]["bbox"] == [2, WIDTH - 31, 5, 30]
    assert content["annotations"][6]["segmentation"] == [[2, WIDTH - 1, 2, WIDTH - 31, 7, WIDTH - 31]]
    assert {c["image_id"] for c in changes(folder)} == {102}
    assert raw == tuple((root / "train2017" / f"train_000{n}.jpg").read_bytes() for n in (1, 2))
    listed = [ref.path for ref in manifest.outputs]
    assert [p for p in listed if "/images/" in p] == [
        f"data_transformation/images/train/train_000{n}.jpg" for n in (1, 2)
    ]
    assert all(split in manifest.counts for split in SPLITS)


def test_a_record_of_neither_size_is_left_and_named(tmp_path: Path) -> None:
    root, folder = make_coco(tmp_path / "data"), tmp_path / "run"
    rotate(root, "train_0001.jpg", 6)
    first_two(root, folder, policy=ValidateConfig(actions=TURN))
    order_repair(folder, {101: 1})
    manifest = third(folder)
    assert manifest.unrepaired == {"train": {"IMG-EXIF-ROTATED": (101,)}}
    assert manifest.images["train"] == str(root / "train2017") and changes(folder) == []


BOTH, ONLY_UPRIGHT, ONLY_STORED = [2, 3, 10, 12], [2, 3, 10, 30], [2, 3, 30, 12]
"""Boxes that fit the stored image (40 × 24), the upright one (24 × 40), or both."""


def phone_pictures(tmp_path: Path, boxes: dict[int, list[int]], *, orientation: int = 6, mask: Any = None) -> Path:
    """Images of train with an orientation, their records with the stored size, and a box each."""
    root = make_coco(tmp_path / "data")

    def describe(content: dict[str, Any]) -> None:
        for place, box in boxes.items():
            rotate(root, f"train_000{place}.jpg", orientation)
            content["images"][place].update(width=WIDTH, height=HEIGHT)
            for annotation in content["annotations"][3 * place : 3 * place + 3]:
                annotation.update(bbox=box, area=box[2] * box[3], segmentation=mask or [])

    change(root, "train", describe)
    first_two(root, tmp_path / "run", policy=ValidateConfig(actions=TURN | {"RLE-SIZE": "warn"}))
    order_repair(tmp_path / "run", {100 + place: place for place in boxes})
    return tmp_path / "run"


def sizes_and_boxes(folder: Path, places: list[int]) -> list[tuple[int, int, list[float]]]:
    content = cleaned(folder, "train")
    images = [content["images"][place] for place in places]
    boxes = {a["image_id"]: a["bbox"] for a in content["annotations"]}
    return [(image["width"], image["height"], boxes[image["id"]]) for image in images]


def test_boxes_drawn_on_the_upright_picture_stay_and_the_size_is_put_right(tmp_path: Path) -> None:
    folder = phone_pictures(tmp_path, {1: ONLY_UPRIGHT, 2: BOTH})  # the second was written by the same tool
    third(folder)
    assert sizes_and_boxes(folder, [1, 2]) == [(HEIGHT, WIDTH, ONLY_UPRIGHT), (HEIGHT, WIDTH, BOTH)]


def test_boxes_drawn_on_the_stored_picture_are_turned(tmp_path: Path) -> None:
    folder = phone_pictures(tmp_path, {1: ONLY_STORED, 2: BOTH})
    third(folder)
    turned = [turn_box(box, orientation=6, stored=(WIDTH, HEIGHT)) for box in (ONLY_STORED, BOTH)]
    assert sizes_and_boxes(folder, [1, 2]) == [(HEIGHT, WIDTH, box) for box in turned]


@pytest.mark.parametrize(("size", "frame"), [([WIDTH, HEIGHT], "upright"), ([HEIGHT, WIDTH], "stored")])
def test_the_size_of_a_mask_tells_on_which_picture_it_was_drawn(tmp_path: Path, size: list[int], frame: str) -> None:
    mask = {"size": size, "counts": [0, 10, WIDTH * HEIGHT - 10]}
    folder = phone_pictures(tmp_path, {1: BOTH}, mask=mask)
    third(folder)
    box = BOTH if frame == "upright" else turn_box(BOTH, orientation=6, stored=(WIDTH, HEIGHT))
    assert sizes_and_boxes(folder, [1]) == [(HEIGHT, WIDTH, box)]


@pytest.mark.parametrize("orientation", [3, 6])
def test_where_nothing_tells_stage_3_asks_and_does_as_it_is_told(tmp_path: Path, orientation: int) -> None:
    folder = phone_pictures(tmp_path, {1: BOTH}, orientation=orientation)
    with pytest.raises(InputDataError, match="exif_boxes"):
        third(folder)
    size = (WIDTH, HEIGHT) if orientation == 3 else (HEIGHT, WIDTH)
    third(folder, TransformConfig(exif_boxes="upright"))
    assert sizes_and_boxes(folder, [1]) == [(*size, BOTH)]
    shutil.rmtree(folder / "data_transformation")
    third(folder, TransformConfig(exif_boxes="stored"))
    turned = turn_box(BOTH, orientation=orientation, stored=(WIDTH, HEIGHT))
    assert sizes_and_boxes(folder, [1]) == [(*size, turned)]


def test_annotations_that_contradict_each_other_stay_and_are_named(tmp_path: Path) -> None:
    folder = phone_pictures(tmp_path, {1: ONLY_STORED, 2: ONLY_UPRIGHT})
    third(folder)  # each is told by its own boxes
    assert [row[:2] for row in sizes_and_boxes(folder, [1, 2])] == [(HEIGHT, WIDTH)] * 2
    other = phone_pictures(tmp_path / "other", {1: BOTH}, mask=[[0, 0, 30, 0, 30, 5], [0, 0, 5, 0, 5, 35]])
    assert third(other).unrepaired == {"train": {"IMG-EXIF-ROTATED": (101,)}}
