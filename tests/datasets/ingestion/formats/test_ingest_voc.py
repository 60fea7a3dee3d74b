"""Pascal VOC as tools lay it out, files that were renamed, lists of splits, and records that are wrong."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from exported_data import annotations, image, left_out, linked, names, objects, take_in, write

from visionllm_interaction.errors import AnnotationError, InputDataError

CORNERS = (10.5, 20.25, 60.75, 90.0)
BOX = (CORNERS[0], CORNERS[1], CORNERS[2] - CORNERS[0], CORNERS[3] - CORNERS[1])


def bndbox(*corners: float | str) -> str:
    sides = zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=False)
    return "<bndbox>" + "".join(f"<{side}>{value}</{side}>" for side, value in sides) + "</bndbox>"


def xml(filename: str, *objects: str) -> str:
    inside = "".join(objects) or f"<object><name>cup</name>{bndbox(*CORNERS)}</object>"
    size = "<size><width>200</width><height>100</height><depth>3</depth></size>"
    return f"<annotation><filename>{filename}</filename>{size}{inside}</annotation>"


LAYOUTS = {
    "VOC's own": ("Annotations/{}.xml", "JPEGImages/{}.jpg"),
    "LabelImg, one folder": ("{}.xml", "{}.jpg"),
    "Kaggle": ("annotations/{}.xml", "images/{}.png"),
    "pets": ("annotations/xmls/{}.xml", "images/{}.jpg"),
    "folders of recordings": ("home{0[0]}/{0}.xml", "home{0[0]}/{0}.jpg"),
}


@pytest.mark.parametrize(("label", "file"), LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("filename", ["{}.jpg", "{}", "stale.jpg"])
def test_layouts(tmp_path: Path, label: str, file: str, filename: str) -> None:
    for name in ("1 a", "2.b"):
        image(tmp_path / "d" / file.format(name))
        write(tmp_path / "d" / label.format(name), xml(filename.format(name)))
    manifest = take_in(tmp_path / "d")
    ending = Path(file).suffix
    assert objects(manifest) == [("1 a" + ending, "cup", BOX), ("2.b" + ending, "cup", BOX)]
    assert len(linked(manifest)) == 2


def test_roboflow_s_folders_are_splits(tmp_path: Path) -> None:
    for name in ("train/a_jpg.rf.01", "train/b_jpg.rf.02", "valid/c_jpg.rf.03", "test/d_jpg.rf.04"):
        image(tmp_path / f"d/{name}.jpg")
        write(tmp_path / f"d/{name}.xml", xml(f"{Path(name).name}.jpg"))
    assert {split: len(found) for split, found in names(take_in(tmp_path / "d")).items()} == {
        "test": 1,
        "train": 2,
        "val": 1,
    }


def listed(root: Path, lists: dict[str, str]) -> Path:
    for name in "abcd":
        image(root / f"JPEGImages/{name}.jpg")
        write(root / f"Annotations/{name}.xml", xml(f"{name}.jpg"))
    for name, text in lists.items():
        write(root / f"ImageSets/Main/{name}.txt", text)
    return root


def test_an_image_in_no_list_is_in_no_split(tmp_path: Path) -> None:
    lists = {"train": "a\n", "val": "b\n", "trainval": "a\nb\n", "test": "c\n", "cup_train": "a 1\n"}
    manifest = take_in(listed(tmp_path / "d", lists))
    assert names(manifest) == {"test": ["c.jpg"], "train": ["a.jpg"], "val": ["b.jpg"]}
    assert left_out(manifest) == {"image: no list of a split names it": 1}


def test_the_list_of_train_and_val_together_keeps_test_apart(tmp_path: Path) -> None:
    lists = {"trainval": "a.jpg\nJPEGImages/b.jpg\nc\n", "test": "d\n"}
    manifest = take_in(listed(tmp_path / "d", lists), val_share=0.34)
    assert names(manifest) == {"test": ["d.jpg"], "train": ["a.jpg", "b.jpg"], "val": ["c.jpg"]}


def test_an_image_in_two_lists_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputDataError, match="two splits") as caught:
        take_in(listed(tmp_path / "d", {"train": "a\nb\n", "val": "b\n"}))
    assert caught.value.fix


def test_lists_tell_images_of_one_name_in_several_folders_apart(tmp_path: Path) -> None:
    """Datumaro writes folders into lists, and names with spaces in quotation marks."""
    root = tmp_path / "d"
    for name in ("rec1/0001", "rec2/0001", "rec3/my image"):
        image(root / f"JPEGImages/{name}.jpg")
        write(root / f"Annotations/{name}.xml", xml(f"{name}.jpg"))
    write(root / "ImageSets/Main/train.txt", 'rec1/0001\n"rec3/my image"\n')
    write(root / "ImageSets/Main/val.txt", "rec2/0001\n")
    manifest = take_in(root)
    assert names(manifest) == {"train": ["0001.jpg", "my image.jpg"], "val": ["0001.jpg"]}
    at = {name: file.parent.name for name, file in linked(manifest).items()}
    assert at == {"train/0001.jpg": "rec1", "train/my image.jpg": "rec3", "val/0001.jpg": "rec2"}
    assert left_out(manifest) == {}


def test_a_path_tells_images_of_one_name_apart(tmp_path: Path) -> None:
    root = tmp_path / "d"
    for folder in ("rec1", "rec2"):
        image(root / f"images/{folder}/0001.jpg")
    path = r"<path>C:\lab\images\rec2\0001.jpg</path>"
    write(root / "labels/0001.xml", xml("0001.jpg").replace("<size>", f"{path}<size>"))
    assert [file.parent.name for file in linked(take_in(root)).values()] == ["rec2"]


WRONG = {
    "no box": "<object><name>cup</name></object>",
    "no name": f"<object>{bndbox(*CORNERS)}</object>",
    "a side is missing": f"<object><name>cup</name>{bndbox(1, 2, 3)}</object>",
    "no number": f"<object><name>cup</name>{bndbox(1, 2, 3, 'x')}</object>",
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_wrong_object_costs_that_object(tmp_path: Path, wrong: str) -> None:
    right = f"<object><name>cup</name>{bndbox(*CORNERS)}</object>"
    image(tmp_path / "d/a.jpg")
    write(tmp_path / "d/a.xml", xml("a.jpg", wrong, right))
    manifest = take_in(tmp_path / "d")
    assert objects(manifest) == [("a.jpg", "cup", BOX)] and sum(left_out(manifest).values()) == 1
    write(tmp_path / "d/a.xml", xml("a.jpg", wrong))
    with pytest.raises(AnnotationError, match="Nothing of the annotations"):
        take_in(tmp_path / "d")


def test_a_file_that_is_no_xml_costs_that_file(tmp_path: Path) -> None:
    root = listed(tmp_path / "d", {})
    write(root / "Annotations/d.xml", xml("d.jpg")[:-20])
    manifest = take_in(root)
    assert names(manifest) == {"train": ["a.jpg", "b.jpg", "c.jpg"]}, "d is not taken for an image without objects"
    assert sum(left_out(manifest).values()) == 1


def test_an_image_without_a_file_is_not_taken(tmp_path: Path) -> None:
    image(listed(tmp_path / "d", {}) / "JPEGImages/e.jpg")
    assert left_out(take_in(tmp_path / "d")) == {"image: it has no annotation file": 1}


def test_tilted_boxes_and_outlines(tmp_path: Path) -> None:
    sides = {"cx": 100, "cy": 50, "w": 40, "h": 20, "angle": math.pi / 2}
    tilted = "".join(f"<{key}>{value}</{key}>" for key, value in sides.items())
    triangle = "<x1>10</x1><y1>10</y1><x2>30</x2><y2>10</y2><x3>10</x3><y3>30</y3>"
    image(tmp_path / "d/a.jpg")
    content = xml(
        "a.jpg",
        f"<object><name>cup</name><robndbox>{tilted}</robndbox></object>",
        f"<object><name>toy</name>{bndbox(10, 10, 30, 30)}<polygon>{triangle}</polygon></object>",
    )
    write(tmp_path / "d/a.xml", content)
    cup, toy = annotations(take_in(tmp_path / "d"))
    assert cup["bbox"] == pytest.approx([90, 30, 20, 40]), "a quarter turn exchanges width and height"
    assert toy["segmentation"] == [[10, 10, 30, 10, 10, 30]] and toy["area"] == 200


def test_corners_in_another_order_are_the_same_box(tmp_path: Path) -> None:
    image(tmp_path / "d/a.jpg")
    turned = f"<object><name>cup</name>{bndbox(CORNERS[2], CORNERS[3], CORNERS[0], CORNERS[1])}</object>"
    write(tmp_path / "d/a.xml", xml("a.jpg", turned))
    assert objects(take_in(tmp_path / "d")) == [("a.jpg", "cup", BOX)]


@pytest.mark.parametrize("recordings", [["rec1"], ["rec1", "rec2"]])
def test_images_in_folders_beside_those_of_the_files(tmp_path: Path, recordings: list[str]) -> None:
    for recording in recordings:
        image(tmp_path / f"d/images/{recording}/a.jpg")
        write(tmp_path / f"d/labels/{recording}/a.xml", xml("a.jpg"))
    assert len(linked(take_in(tmp_path / "d"))) == len(recordings)
