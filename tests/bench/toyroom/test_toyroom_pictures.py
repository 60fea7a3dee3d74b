"""Images: layout, exactness of the truth, determinism."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from visionllm_bench.toyroom import ToyRoomConfig, make_toyroom
from visionllm_bench.toyroom.categories import CATEGORY_IDS
from visionllm_bench.toyroom.coco_images import generator, plan_images
from visionllm_bench.toyroom.drawing.mask_to_polygons import mask_to_polygons
from visionllm_bench.toyroom.render.random_scene import MIN_SHARE, MIN_SIDE_PX, make_still
from visionllm_interaction.errors import UsageError

SPLITS = ("train", "val")

# pycocotools 2.0.11 converts arrays in a way NumPy 2 announces to be going away.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


def read(root: Path, split: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((root / "annotations" / f"instances_{split}2017.json").read_text())
    return content


def test_layout_and_sizes(pictures: Path) -> None:
    contents = {split: read(pictures, split) for split in SPLITS}
    assert [len(contents[s]["images"]) for s in SPLITS] == [16, 4]
    for split, content in contents.items():
        for image in content["images"]:
            with Image.open(pictures / f"{split}2017" / image["file_name"]) as picture:
                assert picture.size == (image["width"], image["height"]) == (480, 360)
                assert picture.format == "JPEG"
    ids = [a["id"] for c in contents.values() for a in c["annotations"]]
    assert len(set(ids)) == len(ids)
    assert contents["train"]["categories"] == contents["val"]["categories"]


@pytest.mark.parametrize("count", [2, 7, 20, 33])
def test_every_category_is_wanted_in_both_splits(count: int) -> None:
    jobs = plan_images(count, val_share=0.2)
    for split in SPLITS:
        wanted = {name for job in jobs if job.split == split for name in job.wanted}
        assert wanted == set(CATEGORY_IDS)


def test_every_category_occurs_in_both_splits(pictures: Path) -> None:
    for split in SPLITS:
        assert {a["category_id"] for a in read(pictures, split)["annotations"]} == set(CATEGORY_IDS.values())


def test_polygons_give_the_area_and_the_box_exactly(pictures: Path) -> None:
    """An independent rasteriser (pycocotools) finds the very pixels that ``area`` and ``bbox`` speak of."""
    for split in SPLITS:
        for a in read(pictures, split)["annotations"]:
            rle = coco_mask.merge(coco_mask.frPyObjects(a["segmentation"], 360, 480))
            assert coco_mask.area(rle) == a["area"]
            assert coco_mask.toBbox(rle).tolist() == a["bbox"]
            assert min(a["bbox"][2:]) >= MIN_SIDE_PX
            assert a["visible"] >= MIN_SHARE


@pytest.mark.parametrize(
    "rows",
    [
        ["1"],
        ["10", "01"],  # touching by a corner
        ["01", "10"],
        ["111", "101", "111"],  # a hole
        ["11111", "10101", "11111", "10001", "11111"],  # several holes
        ["110", "101", "011"],  # a hole closed by corners only
        ["101", "000", "101"],  # separate parts
    ],
)
def test_contours_of_small_masks(rows: list[str]) -> None:
    mask = np.array([[c == "1" for c in row] for row in rows])
    rle = coco_mask.merge(coco_mask.frPyObjects(mask_to_polygons(mask, left=3, top=2), 12, 12))
    back = coco_mask.decode(rle).astype(bool)
    assert (back[2 : 2 + mask.shape[0], 3 : 3 + mask.shape[1]] == mask).all()
    assert back.sum() == mask.sum()


def test_contours_of_random_masks() -> None:
    rng = np.random.default_rng(0)
    for _ in range(40):
        mask = rng.random((9, 11)) < rng.uniform(0.2, 0.9)
        mask[4, 4] = True
        rle = coco_mask.merge(coco_mask.frPyObjects(mask_to_polygons(mask), 9, 11))
        assert (coco_mask.decode(rle).astype(bool) == mask).all()


def test_same_seed_same_bytes_and_other_seed_other_bytes(tmp_path: Path, pictures: Path) -> None:
    make_toyroom(tmp_path / "again", images=20, videos=0, seed=3)
    make_toyroom(tmp_path / "other", images=20, videos=0, seed=4)
    names = sorted(str(p.relative_to(pictures)) for p in pictures.rglob("*") if p.is_file())
    assert len(names) == 22
    for name in names:
        first = (pictures / name).read_bytes()
        assert first == (tmp_path / "again" / name).read_bytes()
        assert first != (tmp_path / "other" / name).read_bytes()


def test_a_picture_does_not_depend_on_how_many_are_made(tmp_path: Path, pictures: Path) -> None:
    make_toyroom(tmp_path / "more", images=21, videos=0, seed=3)
    for path in pictures.rglob("*.jpg"):
        assert path.read_bytes() == (tmp_path / "more" / path.relative_to(pictures)).read_bytes()


def test_no_pixel_belongs_to_two_objects() -> None:
    still = make_still(generator(1, 1, 5), (480, 360), count=5, wanted=("ball", "cup"))
    assert {"ball", "cup"} <= {item.category for item in still.objects}
    covered = np.zeros((360, 480), dtype=int)
    for item in still.objects:
        x1, y1, x2, y2 = item.seen.box_xyxy
        covered[y1:y2, x1:x2] += item.seen.mask
    assert covered.max() == 1


def test_a_folder_with_content_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("keep")
    with pytest.raises(UsageError, match="not empty"):
        make_toyroom(tmp_path / "out", images=2, videos=0, seed=1)
    assert [p.name for p in tmp_path.rglob("*")] == ["out", "mine.txt"]


def test_nothing_is_left_when_making_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        make_toyroom(tmp_path / "out", images=2, videos=0, seed=1)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    result = make_toyroom(tmp_path / "out", images=2, videos=0, seed=1, config=ToyRoomConfig(max_objects=4))
    assert result.to_dict() == {"images": {"train": 1, "val": 1}, "videos": [], "root": str(tmp_path / "out")}


def test_negative_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--videos"):
        make_toyroom(tmp_path / "out", images=2, videos=-1, seed=1)
