"""COCO files with ids as texts or with a decimal point, numbers as texts, and outlines without their second bracket."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from exported_data import annotations, objects, splits, take_in, write
from small_coco import make_coco, read
from small_coco import write as write_coco

ID_KEYS = {"images": ("id",), "annotations": ("id", "image_id", "category_id"), "categories": ("id",)}


def with_ids(content: Any, new: Callable[[str, int], Any]) -> Any:
    """All ids written anew; ``new`` gets what they are of."""
    what = {"image_id": "images", "category_id": "categories"}
    for section, keys in ID_KEYS.items():
        for record in content[section]:
            record |= {key: new(what.get(key, section), record[key]) for key in keys}
    return content


WAYS: dict[str, Callable[[str, int], Any]] = {
    "texts": lambda _, number: str(number),
    "with a decimal point": lambda _, number: float(number),
    "texts with a decimal point": lambda _, number: f"{number}.0",
    "images as texts": lambda of, number: str(number) if of == "images" else number,
}


@pytest.mark.parametrize("way", WAYS)
def test_ids_that_are_numbers_become_these_numbers(tmp_path: Path, way: str) -> None:
    root = make_coco(tmp_path / "data")
    given = {split: read(root, split) for split in ("train", "val")}
    for split, content in given.items():
        write_coco(root, split, with_ids(json.loads(json.dumps(content)), WAYS[way]))
    manifest = take_in(root)
    assert splits(manifest) == given
    assert manifest.source is not None and "ids are written as texts" in manifest.source.notes[-1]


def test_ids_that_are_no_numbers_are_counted_and_kept_beside(tmp_path: Path) -> None:
    root = make_coco(tmp_path / "data")
    expected = objects(take_in(make_coco(tmp_path / "as it was")))
    for split in ("train", "val"):
        write_coco(root, split, with_ids(read(root, split), lambda of, number: f"{of}-{number:x}"))
    manifest = take_in(root)
    assert objects(manifest) == expected
    for content in splits(manifest).values():
        assert [image["id"] for image in content["images"]] == list(range(1, len(content["images"]) + 1))
        assert all(image["source_id"].startswith("images-") for image in content["images"])


def test_a_reference_to_nothing_stays_one(tmp_path: Path) -> None:
    root = make_coco(tmp_path / "data")
    content = with_ids(read(root, "train"), lambda _, number: str(number))
    content["annotations"][2]["image_id"] = "nobody"
    write_coco(root, "train", content)
    written = splits(take_in(root))["train"]
    assert written["annotations"][2]["image_id"] == "nobody", "for stage 2 to name"


def test_an_export_of_via_2_is_read(tmp_path: Path) -> None:
    root = tmp_path / "data"
    content = {
        "info": {"description": "VIA project exported to COCO format"},
        "images": [{"id": 0, "width": 200, "height": 100, "file_name": "a.jpg", "license": 1, "date_captured": ""}],
        "annotations": [
            {
                "id": 0,
                "image_id": "0",
                "category_id": 2,
                "segmentation": [1, 1, 21, 1, 21, 31, 1, 31],
                "area": 600,
                "bbox": [1, 1, 20, 30],
                "iscrowd": 0,
            }
        ],
        "categories": [{"id": 2, "name": "cup", "supercategory": "type"}],
    }
    write(root / "via_export_coco.json", json.dumps(content))
    manifest = take_in(root)
    assert objects(manifest) == [("a.jpg", "cup", (1.0, 1.0, 20.0, 30.0))]
    assert annotations(manifest)[0]["segmentation"] == [[1, 1, 21, 1, 21, 31, 1, 31]]


def test_numbers_as_texts_are_numbers(tmp_path: Path) -> None:
    root = make_coco(tmp_path / "data")
    given = read(root, "train")
    content = json.loads(json.dumps(given))
    for image in content["images"]:
        image |= {"width": str(image["width"]), "height": f"{image['height']}"}
    for annotation in content["annotations"]:
        annotation["bbox"] = [str(value) for value in annotation["bbox"]]
    write_coco(root, "train", content)
    found = splits(take_in(root))["train"]
    assert found["images"] == given["images"]
    assert [a["bbox"] for a in found["annotations"]] == [a["bbox"] for a in given["annotations"]]


def test_records_that_are_right_keep_their_ids_beside_texts(tmp_path: Path) -> None:
    root = make_coco(tmp_path / "data")
    content = read(root, "train")
    large = 2**62 + 1
    content["annotations"][0]["id"] = "first"
    content["annotations"][1]["id"] = large
    write_coco(root, "train", content)
    written = splits(take_in(root))["train"]["annotations"]
    assert (written[0]["id"], written[0]["source_id"], written[1]["id"]) == (1, "first", large)
    assert written[1:] == content["annotations"][1:]


def categories_of(manifest: Any) -> dict[str, dict[str, int]]:
    """Split → name of category → id."""
    return {split: {c["name"]: c["id"] for c in content["categories"]} for split, content in splits(manifest).items()}


def with_categories(content: Any, ids: dict[str, Any]) -> Any:
    """Categories with other ids, and only those that are named; annotations have them by turns."""
    content["categories"] = [{"id": value, "name": name} for name, value in ids.items()]
    for number, annotation in enumerate(content["annotations"]):
        annotation["category_id"] = list(ids.values())[number % len(ids)]
    return content


@pytest.mark.parametrize(
    ("train", "val", "expected"),
    [
        ({"ball": "c_ball", "book": "c_book", "cup": "c_cup"}, {"ball": "c_ball", "cup": "c_cup"}, {}),
        ({"ball": "c_ball", "book": "c_book", "cup": "c_cup"}, {"cup": "a", "ball": "b"}, {}),
        ({"ball": 4, "book": 2, "cup": 7}, {"cup": "c_cup", "ball": "c_ball"}, {"ball": 4, "book": 2, "cup": 7}),
        ({"ball": "c_ball", "book": "c_book", "cup": "c_cup"}, {"cup": 2, "ball": 5}, {"ball": 5, "book": 1, "cup": 2}),
        ({"ball": "1", "book": "01", "cup": "3"}, {"cup": "3", "ball": "1"}, {}),
    ],
)
def test_categories_of_one_name_have_one_number_in_all_splits(
    tmp_path: Path, train: dict[str, Any], val: dict[str, Any], expected: dict[str, int]
) -> None:
    root = make_coco(tmp_path / "data")
    names: dict[str, list[str]] = {}
    for split, ids in (("train", train), ("val", val)):
        content = with_categories(read(root, split), ids)
        names[split] = [list(ids)[number % len(ids)] for number in range(len(content["annotations"]))]
        write_coco(root, split, content)
    manifest = take_in(root)
    found = categories_of(manifest)
    assert set(found["val"].items()) <= set(found["train"].items())
    assert len(set(found["train"].values())) == len(train)
    assert not expected or found["train"] == expected
    for split, content in splits(manifest).items():
        name_of = {number: name for name, number in found[split].items()}
        assert [name_of[a["category_id"]] for a in content["annotations"]] == names[split]


def test_two_categories_of_one_name_stay_two(tmp_path: Path) -> None:
    root = make_coco(tmp_path / "data")
    for split in ("train", "val"):
        content = read(root, split)
        content["categories"] = [{"id": key, "name": "cup"} for key in ("c1", "c2")]
        for annotation in content["annotations"]:
            annotation["category_id"] = "c2"
        write_coco(root, split, content)
    for content in splits(take_in(root)).values():
        assert [c["id"] for c in content["categories"]] == [1, 2]
        assert {a["category_id"] for a in content["annotations"]} == {2}


def test_categories_without_names_are_not_taken_for_each_other(tmp_path: Path) -> None:
    root = make_coco(tmp_path / "data")
    for split, key in (("train", "a"), ("val", "b")):
        content = read(root, split)
        content["categories"] = [{"id": key, "name": None}]
        for annotation in content["annotations"]:
            annotation["category_id"] = key
        write_coco(root, split, content)
    assert {c["id"] for content in splits(take_in(root)).values() for c in content["categories"]} == {1, 2}


def test_texts_that_would_become_one_number_are_counted(tmp_path: Path) -> None:
    root = make_coco(tmp_path / "data")
    content = read(root, "train")
    ids = ["1", "01", " 1 ", "2.0", "x"][: len(content["images"])]
    of = {image["id"]: text for image, text in zip(content["images"], ids, strict=False)}
    content["images"] = content["images"][: len(ids)]
    content["annotations"] = [a for a in content["annotations"] if a["image_id"] in of]
    expected = [list(of).index(a["image_id"]) + 1 for a in content["annotations"]]
    for record, key in [*((i, "id") for i in content["images"]), *((a, "image_id") for a in content["annotations"])]:
        record[key] = of[record[key]]
    write_coco(root, "train", content)
    written = splits(take_in(root))["train"]
    assert [(i["id"], i.get("source_id", "1")) for i in written["images"]] == list(enumerate(ids, start=1))
    assert [a["image_id"] for a in written["annotations"]] == expected and len(set(expected)) > 1


@pytest.mark.parametrize(
    ("section", "change"),
    [
        ("images", {"id": "9001"}),
        ("images", {"width": "64"}),
        ("annotations", {"id": 9001.0}),
        ("annotations", {"bbox": ["1", 2, 3, 4]}),
        ("annotations", {"segmentation": [[1, 1, 9, 1, 9, 9], ["1", "1.0", "9", "1", "9", "9"]]}),
        ("annotations", {"segmentation": ["1", "1", "9", "1", "9", "9"]}),
        ("annotations", {"segmentation": [1, 1, 9, 1, 9, 9]}),
        ("annotations", {"iscrowd": "0"}),
        ("categories", {"id": "9001"}),
    ],
)
def test_one_odd_record_among_others_is_enough(tmp_path: Path, section: str, change: dict[str, Any]) -> None:
    root = make_coco(tmp_path / "data")
    content = read(root, "train")
    content[section][-1] |= change
    write_coco(root, "train", content)
    manifest = take_in(root)
    [key] = change
    written = splits(manifest)["train"][section][-1][key]
    outlines = written[-1] if key == "segmentation" else written
    numbers = outlines if isinstance(outlines, list) else [outlines]
    assert all(isinstance(number, int | float) for number in numbers), written
    assert not (key == "id" and isinstance(written, float))
    assert manifest.source is not None and "ids are written as texts" in manifest.source.notes[-1]


def test_texts_as_ids_of_something_else_leave_a_file_as_it_is(tmp_path: Path) -> None:
    root = make_coco(tmp_path / "data")
    content = read(root, "train")
    content["licenses"] = [{"id": "CC", "name": "x"}]
    content["annotations"][0]["attributes"] = {"id": "7", "width": "3"}
    content["annotations"][0]["segmentation"] = [[1, 1, 9, 1, 9, 9], [1, 1, 9, 1, 9, 9]]
    write_coco(root, "train", content)
    manifest = take_in(root)
    assert manifest.root == str(root)
