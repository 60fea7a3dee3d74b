"""COCO's JSON in the layouts that tools write: every image is found, and not a byte of an annotation changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from small_coco import make_coco, read

from visionllm_interaction.datasets.ingestion.config import IngestConfig
from visionllm_interaction.datasets.ingestion.stage import run
from visionllm_interaction.errors import InputDataError

Layout = dict[str, tuple[str, str]]
"""Split → annotation file, folder of the images."""

LAYOUTS: dict[str, Layout] = {
    "FiftyOne, a folder for each split": {
        "train": ("train/labels.json", "train/data"),
        "val": ("validation/labels.json", "validation/data"),
    },
    "train and val side by side": {
        "train": ("train/annotations.json", "train/images"),
        "val": ("val/annotations.json", "val/images"),
    },
    "side by side, images beside the file": {"train": ("train/coco.json", "train"), "val": ("val/coco.json", "val")},
    "Ultralytics": {
        "train": ("annotations/instances_train2017.json", "images/train2017"),
        "val": ("annotations/instances_val2017.json", "images/val2017"),
    },
    "all images in one folder": {
        "train": ("annotations/instances_train2017.json", "images"),
        "val": ("annotations/instances_val2017.json", "images"),
    },
    "MMDetection": {"train": ("annotations/train.json", "train"), "val": ("annotations/val.json", "val")},
    "COCO 2014": {
        "train": ("annotations/instances_train2014.json", "train2014"),
        "val": ("annotations/instances_val2014.json", "val2014"),
    },
    "key points only": {
        "train": ("annotations/person_keypoints_train2017.json", "train2017"),
        "val": ("annotations/person_keypoints_val2017.json", "val2017"),
    },
    "cocosplit": {"train": ("train.json", "images"), "val": ("val.json", "images")},
    "Roboflow": {"train": ("train/_annotations.coco.json", "train"), "val": ("valid/_annotations.coco.json", "valid")},
    "a prefix": {"train": ("annotations/lab_train.json", "train"), "val": ("annotations/lab_val.json", "val")},
}


def arranged(tmp_path: Path, layout: Layout) -> Path:
    """A small data set in another layout, with COCO's captions beside its boxes."""
    source, root = make_coco(tmp_path / "source"), tmp_path / "data"
    for split, (file, folder) in layout.items():
        for path in (source / f"{split}2017").iterdir():
            (root / folder).mkdir(parents=True, exist_ok=True)
            path.rename(root / folder / path.name)
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (source / f"annotations/instances_{split}2017.json").rename(root / file)
    (root / "annotations").mkdir(exist_ok=True)
    (root / "annotations/captions_train2017.json").write_text('{"images": [], "annotations": []}')
    return root


def ingested(root: Path, tmp_path: Path, **options: Any) -> Path:
    """The folder the data is used from."""
    config = IngestConfig(root=root, work_dir=tmp_path / "work", **options)
    return Path(run(config, out=tmp_path / "run/data_ingestion").root)


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_is_found_with_all_its_images(tmp_path: Path, name: str) -> None:
    root = arranged(tmp_path, LAYOUTS[name])
    expected = {split: (root / file).read_bytes() for split, (file, _) in LAYOUTS[name].items()}
    used = ingested(root, tmp_path)
    for split, content in expected.items():
        assert (used / f"annotations/instances_{split}2017.json").read_bytes() == content
        names = {image["file_name"] for image in read(used, split)["images"]}
        assert {path.name for path in (used / f"{split}2017").iterdir()} == names


def test_one_file_beside_its_data_is_divided_if_asked(tmp_path: Path) -> None:
    root = arranged(tmp_path, {"train": ("labels.json", "data")})
    used = ingested(root, tmp_path, val_share=0.34)
    assert [len(read(used, split)["images"]) for split in ("train", "val")] == [4, 2]
    assert len(list((used / "val2017").iterdir())) == 2


def as_lvis(path: Path, *, folder: str, name: Any = "ABSENT") -> None:
    """Addresses instead of names, as LVIS has them."""
    content = json.loads(path.read_text())
    for image in content["images"]:
        image["coco_url"] = f"http://images.example.org/{folder}/{image.pop('file_name')}"
        image["neg_category_ids"] = [7]
        if name != "ABSENT":
            image["file_name"] = name
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("name", ["ABSENT", None, ""])
@pytest.mark.parametrize("family", ["lvis_v1_{}.json", "instances_{}2017.json"])
def test_lvis_has_addresses_and_validation_images_among_cocos_training_images(
    tmp_path: Path, family: str, name: Any
) -> None:
    files = {split: (f"annotations/{family.format(split)}", "train2017") for split in ("train", "val")}
    root = arranged(tmp_path, files)
    for file, _ in files.values():
        as_lvis(root / file, folder="train2017", name=name)
    given = {split: json.loads((root / file).read_text()) for split, (file, _) in files.items()}
    used = ingested(root, tmp_path)
    for split, content in given.items():
        written = read(used, split)
        for image in written["images"]:
            assert (used / f"{split}2017" / image["file_name"]).is_file()
            assert image["file_name"] == image["coco_url"].removeprefix("http://images.example.org/")
        unnamed = [{k: v for k, v in image.items() if k != "file_name"} for image in written["images"]]
        assert unnamed == [{k: v for k, v in image.items() if k != "file_name"} for image in content["images"]]
        assert {**written, "images": []} == {**content, "images": []}


def test_cocos_own_layout_is_used_where_it_is(tmp_path: Path) -> None:
    root = make_coco(tmp_path / "data")
    assert ingested(root, tmp_path) == root


def test_two_files_of_one_split_are_not_guessed_between(tmp_path: Path) -> None:
    layout = {"train": ("annotations/instances_train.json", "train"), "val": ("annotations/instances_val.json", "val")}
    root = arranged(tmp_path, layout)
    (root / "annotations/instances_training.json").write_bytes((root / "annotations/instances_train.json").read_bytes())
    with pytest.raises(InputDataError, match="both train") as caught:
        ingested(root, tmp_path)
    assert "data.root" in (caught.value.fix or "")


@pytest.mark.parametrize("value", ["NaN", "-Infinity"])
@pytest.mark.parametrize("name", ["Roboflow", "a prefix"])
@pytest.mark.parametrize("moved", [False, True])
def test_what_pandas_writes_for_nothing_costs_its_record_and_not_the_file(
    tmp_path: Path, name: str, value: str, moved: bool
) -> None:
    root = arranged(tmp_path, LAYOUTS[name])
    path = root / LAYOUTS[name]["train"][0]
    content = json.loads(path.read_text())
    if moved:
        for image in content["images"]:
            image["file_name"] = f"/home/ann/{image['file_name']}"
    content["annotations"][0]["area"] = float(value)
    path.write_text(json.dumps(content))
    assert value in path.read_text()
    used = ingested(root, tmp_path)
    assert len(read(used, "train")["images"]) == len(list((used / "train2017").iterdir())) == 6
    assert [a["bbox"] for a in read(used, "train")["annotations"]] == [a["bbox"] for a in content["annotations"]]


@pytest.mark.parametrize("file", ["via_project_coco.json", "coco.json", "annotations/export of tuesday.json"])
def test_a_coco_file_may_have_any_name(tmp_path: Path, file: str) -> None:
    root = arranged(tmp_path, {"train": (file, "images")})
    assert len(list((ingested(root, tmp_path) / "train2017").iterdir())) == 6


def test_two_coco_files_of_any_name_are_named_in_the_refusal(tmp_path: Path) -> None:
    root = arranged(tmp_path, {"train": ("monday.json", "images"), "val": ("tuesday.json", "images")})
    with pytest.raises(InputDataError, match="which split") as caught:
        ingested(root, tmp_path)
    assert "monday.json" in caught.value.found
    assert "tuesday.json" in caught.value.found


def test_a_file_of_train_and_val_together_is_passed_over_where_each_has_its_own(tmp_path: Path) -> None:
    root = arranged(tmp_path, LAYOUTS["MMDetection"])
    train, val = (json.loads((root / f"annotations/{split}.json").read_text()) for split in ("train", "val"))
    both = {
        **train,
        "images": train["images"] + val["images"],
        "annotations": train["annotations"] + val["annotations"],
    }
    (root / "annotations/trainval.json").write_text(json.dumps(both))
    used = ingested(root, tmp_path)
    assert [len(read(used, split)["images"]) for split in ("train", "val")] == [6, 4]
    for split in ("train", "val"):
        (root / f"annotations/{split}.json").unlink()
    alone = ingested(root, tmp_path / "alone", val_share=0.2)
    assert [len(read(alone, split)["images"]) for split in ("train", "val")] == [8, 2]


@pytest.mark.parametrize("name", ["1" * 300 + ".jpg", "a/" * 3000 + "b.jpg", "\0.jpg"])
def test_a_name_that_no_file_can_have_is_a_missing_image(tmp_path: Path, name: str) -> None:
    root = make_coco(tmp_path / "data")
    path = root / "annotations/instances_train2017.json"
    content = json.loads(path.read_text())
    content["images"][0]["file_name"] = name
    path.write_text(json.dumps(content))
    kept = read(ingested(root, tmp_path), "train")["images"]
    assert [image["file_name"] for image in kept] == [image["file_name"] for image in content["images"]]
