"""LabelMe and Open Images are read; formats that are not are named, with what to do."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exported_data import annotations, image, left_out, names, objects, splits, take_in, write
from PIL import Image

from visionllm_interaction.datasets.ingestion.formats.format_detection import detect_folder
from visionllm_interaction.datasets.ingestion.formats.labelme import is_labelme
from visionllm_interaction.errors import AnnotationError, InputDataError


def labelme(path: Path, *shapes: dict[str, Any], stated: str | None = None, size: bool = True) -> None:
    content = {"version": "5.4", "flags": {}, "shapes": list(shapes), "imagePath": stated or f"{path.stem}.jpg"}
    sizes = {"imageHeight": 100, "imageWidth": 200} if size else {"imageHeight": None, "imageWidth": None}
    write(path, json.dumps({**content, "imageData": None, **sizes}))


def shape(kind: str, points: list[list[float]], label: str = "cup", **more: Any) -> dict[str, Any]:
    return {"label": label, "points": points, "group_id": None, "shape_type": kind, "flags": {}, **more}


def test_labelme_s_shapes(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.array([[0, 255], [255, 255]], np.uint8)).save(buffer, "PNG")
    mask = base64.b64encode(buffer.getvalue()).decode()
    image(tmp_path / "d/a.jpg")
    labelme(
        tmp_path / "d/a.json",
        shape("rectangle", [[50, 60], [10, 20]]),
        shape("polygon", [[10, 10], [30, 10], [10, 30]], flags={"occluded": True}),
        shape("circle", [[100, 50], [103, 54]]),
        shape("mask", [[20, 30], [21, 31]], mask=mask),
        shape("linestrip", [[1, 1], [2, 2]]),
    )
    manifest = take_in(tmp_path / "d")
    rectangle, polygon, circle, pixels = annotations(manifest)
    assert rectangle["bbox"] == [10, 20, 40, 40]
    assert polygon["area"] == 20 * 20 / 2 and polygon["attributes"] == {"occluded": True}
    assert circle["bbox"] == [95, 45, 10, 10], "the radius is 5: 3, 4, 5"
    assert pixels["bbox"] == [20, 30, 2, 2] and pixels["area"] == 3
    assert left_out(manifest) == {"linestrip: COCO has no open lines": 1}


def test_labelme_s_groups_are_one_object(tmp_path: Path) -> None:
    left, right = [[0, 0], [10, 0], [0, 10]], [[50, 50], [60, 50], [50, 60]]
    image(tmp_path / "d/a.jpg")
    parts = [shape("polygon", left, group_id=0), shape("polygon", right, group_id=0), shape("polygon", left)]
    labelme(tmp_path / "d/a.json", *parts)
    joined, alone = annotations(take_in(tmp_path / "d"))
    assert joined["bbox"] == [0, 0, 60, 60] and joined["area"] == 100 and len(joined["segmentation"]) == 2
    assert alone["bbox"] == [0, 0, 10, 10]


def test_labelme_in_folders_of_splits_with_stale_names_and_no_size(tmp_path: Path) -> None:
    for name in ("train/a", "train/b", "val/a"):
        image(tmp_path / f"d/{name}.png", 200, 100, orientation=6)
        labelme(tmp_path / f"d/{name}.json", shape("rectangle", [[1, 2], [3, 5]]), stated="..\\old\\x.jpg", size=False)
    manifest = take_in(tmp_path / "d")
    assert names(manifest) == {"train": ["a.png", "b.png"], "val": ["a.png"]}
    assert {(i["width"], i["height"]) for c in splits(manifest).values() for i in c["images"]} == {(100, 200)}
    assert {box for _, _, box in objects(manifest)} == {(1, 2, 2, 3)}


HEADER = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside"


def open_images(root: Path, *, named: bool = True) -> Path:
    for split, prefix in (("train", "oidv6-train"), ("validation", "validation")):
        image(root / f"{split}/{split}1.jpg")
        rows = [
            f"{split}1,xclick,/m/02p5f1q,1,0.1,0.4,0.2,0.7,1,0,0,0,0",
            f"{split}1,xclick,/m/01g317,1,0,1,0,1,0,0,1,0,0",
            "elsewhere,xclick,/m/01g317,1,0,1,0,1,0,0,0,0,0",
        ]
        write(root / f"{prefix}-annotations-bbox.csv", "\n".join([HEADER, *rows]) + "\n")
    image(root / "train/nobody_looked.jpg")
    if named:
        write(root / "class-descriptions-boxable.csv", "/m/02p5f1q,Coffee cup\n/m/01g317,Person\n")
    return root


def test_open_images(tmp_path: Path) -> None:
    manifest = take_in(open_images(tmp_path / "d"))
    cup = (0.1 * 200, 0.2 * 100, 0.3 * 200, 0.5 * 100)
    assert objects(manifest) == [
        (f"{split}1.jpg", label, pytest.approx(box))
        for split in ("train", "validation")
        for label, box in (("Coffee cup", cup), ("Person", (0, 0, 200, 100)))
    ]
    assert names(manifest) == {"train": ["train1.jpg"], "val": ["validation1.jpg"]}
    assert [a["iscrowd"] for a in annotations(manifest)] == [0, 1, 0, 1], "a group is COCO's crowd"
    assert left_out(manifest) == {"image: no row names it": 1, "rows of images that are not there: no image file": 2}


def test_open_images_without_names_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="no names") as caught:
        take_in(open_images(tmp_path / "d", named=False))
    assert caught.value.fix and "class-descriptions-boxable.csv" in caught.value.fix


UNREAD = {
    "TFRecord": ("train.tfrecord-00000-of-00010", "x"),
    "Datumaro": ("annotations/default.json", '{"dm_format_version": "1.0", "items": []}'),
    "VGG Image Annotator": ("via.json", '{"_via_settings": {}, "_via_img_metadata": {}}'),
    "JSON-MIN": ("min.json", '[{"image": "a.jpg", "annotator": 1, "annotation_id": 2, "label": []}]'),
    "MOT": ("gt/gt.txt", "1,1,10,10,5,5,1,1,1\n"),
    "KITTI": ("label_2/000001.txt", "Car 0.00 0 -1.5 1 2 3 4 1 1 1 1 1 1 0.1\n"),
    "DOTA": ("labelTxt/p1.txt", "imagesource:x\ngsd:1\n1 2 3 4 5 6 7 8 plane 0\n"),
    "names of the classes": ("labels/a.txt", "0 0.5 0.5 0.1 0.1\n"),
}


@pytest.mark.parametrize(("file", "content"), UNREAD.values(), ids=UNREAD)
def test_formats_that_are_not_read_are_named(
    tmp_path: Path, request: pytest.FixtureRequest, file: str, content: str
) -> None:
    image(tmp_path / "d/images/a.jpg")
    write(tmp_path / "d" / file, content)
    with pytest.raises(InputDataError) as caught:
        take_in(tmp_path / "d")
    assert request.node.callspec.id in caught.value.message
    assert caught.value.found == file and caught.value.fix


def test_json_nested_beyond_any_stack_is_no_labelme_file(tmp_path: Path) -> None:
    path = tmp_path / "deep.json"
    path.write_text('{"shapes": [], "deep": ' + "[" * 3000 + "]" * 3000 + "}")
    assert not is_labelme(path)
    path.write_text('[{"id": 1, "data": ' + "[" * 3000 + "]" * 3000 + "}]")
    assert detect_folder(tmp_path) is None
