"""YOLO labels as Ultralytics, Roboflow, darknet, CVAT and LabelImg lay them out: what each number means, and splits."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from exported_data import annotations, image, left_out, names, objects, splits, take_in, write
from PIL import Image

from visionllm_interaction.core.image_decoding import FORMAT_OF_ENDING
from visionllm_interaction.errors import AnnotationError, InputDataError

WIDTH, HEIGHT = 200, 100
BOX = (0.5, 0.5, 0.2, 0.4)
BOX_PX = ((BOX[0] - BOX[2] / 2) * WIDTH, (BOX[1] - BOX[3] / 2) * HEIGHT, BOX[2] * WIDTH, BOX[3] * HEIGHT)


def dataset(root: Path, rows: list[str], *, config: str = "names: [child, ball]\n", end: str = "\n") -> Path:
    """Two images for train and one for val, all with the same rows, in Ultralytics' layout."""
    for name in ("train/a", "train/b", "val/c"):
        image(root / f"images/{name}.jpg", WIDTH, HEIGHT)
        write(root / f"labels/{name}.txt", end.join(rows) + end)
    write(root / "data.yaml", f"path: .\ntrain: images/train\nval: images/val\n{config}")
    return root


def row(*values: float) -> str:
    return " ".join(f"{value:g}" for value in values)


def key_points(number: int, numbers: int) -> list[float]:
    """Points spread over the box, the last one not marked."""
    points: list[float] = []
    for k in range(number):
        x, y = (0.42 + 0.16 * k / number, 0.4 + 0.2 * (k % 2)) if k < number - 1 else (0.0, 0.0)
        points += [x, y, *([2.0 if k < number - 1 else 0.0] if numbers == 3 else [])]
    return points


@pytest.mark.parametrize("said", [True, False], ids=["kpt_shape", "found by the rows"])
@pytest.mark.parametrize(
    ("number", "numbers"), [(17, 3), (17, 2), (21, 3), (24, 3), (5, 2), (6, 3), (2, 2), (2, 3), (3, 2)]
)
def test_rows_of_key_points_are_no_outlines(tmp_path: Path, number: int, numbers: int, *, said: bool) -> None:
    config = "names: [child, ball]\n" + (f"kpt_shape: [{number}, {numbers}]\n" if said else "")
    values = key_points(number, numbers)
    manifest = take_in(dataset(tmp_path / "d", [row(0, *BOX, *values)], config=config))
    assert [box for _, _, box in objects(manifest)] == [pytest.approx(BOX_PX)] * 3
    for annotation in annotations(manifest):
        found = np.array(annotation["keypoints"]).reshape(number, 3)
        given = np.array(values).reshape(number, numbers)[:, :2] * (WIDTH, HEIGHT)
        assert np.allclose(found[:, :2], given, atol=1e-3)
        assert found[:, 2].tolist() == [2] * (number - 1) + [0] and annotation["num_keypoints"] == number - 1
        assert "segmentation" not in annotation
    assert manifest.source is not None and any("key points" in note for note in manifest.source.notes) != said


@pytest.mark.parametrize("numbers", [2, 3])
def test_one_key_point_is_no_corner_of_a_triangle(tmp_path: Path, numbers: int) -> None:
    points = ((0.45, 0.6), (0.5, 0.4), (0.55, 0.5))
    rows = [row(0, *BOX, x, y, *([2] if numbers == 3 else [])) for x, y in points]
    manifest = take_in(dataset(tmp_path / "d", rows))
    assert [box for _, _, box in objects(manifest)] == [pytest.approx(BOX_PX)] * 9
    found = [tuple(a["keypoints"]) for a in annotations(manifest)][:3]
    assert found == [pytest.approx((x * WIDTH, y * HEIGHT, 2)) for x, y in points]


def test_triangles_and_oriented_boxes_stay_what_they_are(tmp_path: Path) -> None:
    triangle, corners = (0.3, 0.3, 0.5, 0.3, 0.4, 0.6), (0.4, 0.3, 0.5, 0.5, 0.4, 0.7, 0.3, 0.5)
    for name, values, box in (("triangle", triangle, (60, 30, 40, 30)), ("corners", corners, (60, 30, 40, 40))):
        manifest = take_in(dataset(tmp_path / name, [row(0, *values)]))
        assert [found for _, _, found in objects(manifest)] == [pytest.approx(box)] * 3
        assert not any("keypoints" in a for a in annotations(manifest))


def test_outlines_of_one_length_stay_outlines(tmp_path: Path) -> None:
    circle = [(0.6 + 0.1 * math.cos(t), 0.5 + 0.2 * math.sin(t)) for t in np.linspace(0, 2 * math.pi, 19)[:-1]]
    manifest = take_in(dataset(tmp_path / "d", [row(1, *(v for point in circle for v in point))]))
    xs, ys = [x * WIDTH for x, _ in circle], [y * HEIGHT for _, y in circle]
    box = (min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))
    assert [found for _, _, found in objects(manifest)] == [pytest.approx(box, abs=1e-3)] * 3
    assert all(len(a["segmentation"][0]) == 36 for a in annotations(manifest))


def test_outlines_may_end_in_a_confidence(tmp_path: Path) -> None:
    triangle, square = (0.1, 0.1, 0.5, 0.1, 0.5, 0.5), (0.2, 0.2, 0.4, 0.2, 0.5, 0.3, 0.4, 0.4, 0.2, 0.4)
    manifest = take_in(dataset(tmp_path / "d", [row(0, *triangle, 0.75), row(1, *square, 0.5)]))
    assert {tuple(a["bbox"]) for a in annotations(manifest)} == {(20, 10, 80, 40), (40, 20, 60, 20)}
    assert {a["yolo"]["fifth_value"] for a in annotations(manifest)} == {0.75, 0.5}


def test_oriented_boxes_are_clipped_to_the_image(tmp_path: Path) -> None:
    corners = (0.9, 0.5, 1.1, 0.7, 0.9, 0.9, 0.7, 0.7)
    manifest = take_in(dataset(tmp_path / "d", [row(0, *corners)]))
    assert objects(manifest)[0][2] == (140, 50, 60, 40), "from 0.7 to the edge, not to 1.1"
    assert annotations(manifest)[0]["segmentation"][0][2] == pytest.approx(220), "the corners stay"


@pytest.mark.parametrize("number", ["1", "1.0", "1.000000e+00"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["unix", "windows"])
def test_class_numbers_may_be_decimals(tmp_path: Path, number: str, end: str) -> None:
    manifest = take_in(dataset(tmp_path / "d", [f"{number} {row(*BOX)}"], end=end))
    assert {(label, box) for _, label, box in objects(manifest)} == {("ball", BOX_PX)}


@pytest.mark.parametrize(
    "config",
    [
        "names: [child, ball]",
        "names:\n  1: ball\n  0: child",
        "names:\n  '0': child\n  '1': ball",
        "nc: 2\nnames: {0: child, 1: ball}",
        "names: data/obj.names",
    ],
)
def test_names_in_every_form(tmp_path: Path, config: str) -> None:
    root = dataset(tmp_path / "d", [row(1, *BOX)], config=config + "\n")
    write(root / "obj.names", "child\r\nball\r\n", encoding="utf-8-sig")
    assert {label for _, label, _ in objects(take_in(root))} == {"ball"}


def test_names_that_yaml_would_take_for_values_stay_text(tmp_path: Path) -> None:
    manifest = take_in(dataset(tmp_path / "d", [row(1, *BOX)], config="names: [no, 007]\n"))
    assert [c["name"] for c in splits(manifest)["train"]["categories"]] == ["no", "007"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_byte_order_marks_are_no_part_of_names_and_numbers(tmp_path: Path, encoding: str) -> None:
    image(tmp_path / "d/images/a.jpg")
    write(tmp_path / "d/labels/a.txt", row(0, *BOX), encoding=encoding)
    write(tmp_path / "d/labels/classes.txt", "child\nball\n", encoding=encoding)
    assert objects(take_in(tmp_path / "d")) == [("a.jpg", "child", BOX_PX)]


REFUSED = {
    "class is no whole number": ([f"1.5 {row(*BOX)}"], "names: [child, ball]", "not a whole number"),
    "commas": (["1, 0.5, 0.5, 0.2, 0.4"], "names: [child, ball]", "spaces between"),
    "class without a name": ([row(2, *BOX)], "names: [child, ball]", "class 2"),
    "negative class": ([row(-1, *BOX)], "names: [child, ball]", "class -1"),
    "pixels": (["1 100 50 40 40"], "names: [child, ball]", "3 of 3 rows"),
    "nc is not the number of names": ([row(0, *BOX)], "nc: 3\nnames: [child, ball]", "nc says 3"),
    "two classes of one name": ([row(0, *BOX)], "names: [child, child]", "child"),
    "not a number": (["0 0.5 nan 0.2 0.4"], "names: [child, ball]", "not finite"),
}


@pytest.mark.parametrize(("rows", "config", "found"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_rightly_is_refused(tmp_path: Path, rows: list[str], config: str, found: str) -> None:
    with pytest.raises(AnnotationError) as caught:
        take_in(dataset(tmp_path / "d", rows, config=f"{config}\n"))
    assert caught.value.found is not None and found in caught.value.found and caught.value.fix


def test_a_bad_row_costs_that_row(tmp_path: Path) -> None:
    manifest = take_in(dataset(tmp_path / "d", [row(0, *BOX), row(1, *BOX), "0 0.5 0.5"]))
    assert len(objects(manifest)) == 6
    assert left_out(manifest) == {"row: it has fewer than five numbers": 3}


def listed_as(form: str, root: Path) -> None:
    """Four images in ``images/``, two of them for val, as ``form`` says it."""
    places = {"folders": ("home1/a", "home1/b", "home2/c", "home2/d")}.get(form, ("a", "b", "c", "d"))
    for name in places:
        image(root / f"images/{name}.jpg")
        write(root / f"labels/{name}.txt", row(0, *BOX))
    if form == "folders":
        write(root / "data.yaml", "train: images/home1\nval: images/home2\nnames: [child]\n")
        return
    prefix = {"lists": "./images/", "another machine": "/content/set/images/", "windows": "C:\\set\\images\\"}[form]
    write(root / "train.txt", "".join(f"{prefix}{name}.jpg\n" for name in "ab"))
    write(root / "val.txt", "".join(f"{prefix}{name}.jpg\n" for name in "cd"))
    write(root / "data.yaml", "path: ../elsewhere\ntrain: train.txt\nval: [val.txt]\ntest:\nnames: [child]\n")


@pytest.mark.parametrize("form", ["folders", "lists", "another machine", "windows"])
def test_data_yaml_says_the_splits(tmp_path: Path, form: str) -> None:
    listed_as(form, tmp_path / "d")
    found = names(take_in(tmp_path / "d"))
    assert {split: [Path(name).stem for name in images] for split, images in found.items()} == {
        "train": ["a", "b"],
        "val": ["c", "d"],
    }


def test_an_image_that_no_split_names_is_never_train(tmp_path: Path) -> None:
    listed_as("lists", tmp_path / "d")
    write(tmp_path / "d/val.txt", "./images/d.jpg\n")
    manifest = take_in(tmp_path / "d")
    assert names(manifest) == {"train": ["a.jpg", "b.jpg"], "val": ["d.jpg"]}
    assert left_out(manifest) == {"image: no split of the data set names it": 1}


def test_an_image_in_two_splits_is_refused(tmp_path: Path) -> None:
    listed_as("lists", tmp_path / "d")
    write(tmp_path / "d/val.txt", "./images/b.jpg\n./images/c.jpg\n")
    with pytest.raises(InputDataError, match=r"two splits") as caught:
        take_in(tmp_path / "d")
    assert "images/b.jpg" in str(caught.value)


def test_val_that_only_repeats_train_is_no_val(tmp_path: Path) -> None:
    listed_as("lists", tmp_path / "d")
    write(tmp_path / "d/data.yaml", "train: images\nval: images\nnames: [child]\n")
    manifest = take_in(tmp_path / "d", val_share=0.25)
    assert names(manifest) == {"train": ["a.jpg", "b.jpg", "c.jpg"], "val": ["d.jpg"]}


def test_splits_that_are_not_there_are_not_guessed(tmp_path: Path) -> None:
    listed_as("lists", tmp_path / "d")
    for name in ("train.txt", "val.txt"):
        (tmp_path / "d" / name).unlink()
    with pytest.raises(InputDataError, match=r"None of the folders") as caught:
        take_in(tmp_path / "d")
    assert caught.value.fix and "data.val_share" in caught.value.fix


def test_darknet_labels_beside_a_folder_of_images(tmp_path: Path) -> None:
    for name in "ab":
        image(tmp_path / f"d/images/{name}.jpg")
        write(tmp_path / f"d/obj_train_data/{name}.txt", row(0, *BOX))
    write(tmp_path / "d/obj.names", "cup\n")
    write(tmp_path / "d/obj.data", "classes = 1\ntrain = data/train.txt\nnames = data/obj.names\n")
    write(tmp_path / "d/train.txt", "data/obj_train_data/a.jpg\ndata/obj_train_data/b.jpg\n")
    assert objects(take_in(tmp_path / "d")) == [("a.jpg", "cup", BOX_PX), ("b.jpg", "cup", BOX_PX)]


def test_labels_beside_their_images(tmp_path: Path) -> None:
    for name in ("train/a", "valid/b"):
        image(tmp_path / f"d/{name}.png")
        write(tmp_path / f"d/{name}.txt", row(0, *BOX))
    write(tmp_path / "d/classes.txt", "cup\n")
    assert names(take_in(tmp_path / "d")) == {"train": ["a.png"], "val": ["b.png"]}


def test_images_without_a_label_file_are_without_objects_and_said(tmp_path: Path) -> None:
    root = dataset(tmp_path / "d", [row(0, *BOX)])
    image(root / "images/train/nothing.jpg")
    image(root / "images/train/empty.jpg")
    write(root / "labels/train/empty.txt", "")
    manifest = take_in(root)
    assert names(manifest)["train"] == ["a.jpg", "b.jpg", "empty.jpg", "nothing.jpg"] and len(objects(manifest)) == 3
    assert manifest.source is not None and len(manifest.source.notes) == 1
    assert manifest.source.notes[0].startswith("1 of 5 images have no label file")


def test_labels_of_no_image_are_refused_where_there_are_no_others(tmp_path: Path) -> None:
    image(tmp_path / "d/images/a.jpg")
    write(tmp_path / "d/labels/b.txt", row(0, *BOX))
    write(tmp_path / "d/classes.txt", "cup\n")
    with pytest.raises(AnnotationError, match="Nothing of the annotations") as caught:
        take_in(tmp_path / "d")
    assert "labels/b.txt" in str(caught.value)


@pytest.mark.parametrize("orientation", [6, 8])
def test_shares_are_of_the_upright_image(tmp_path: Path, orientation: int) -> None:
    image(tmp_path / "d/images/a.jpg", WIDTH, HEIGHT, orientation=orientation)
    write(tmp_path / "d/labels/a.txt", row(0, 0.5, 0.25, 0.4, 0.1))
    write(tmp_path / "d/classes.txt", "cup\n")
    manifest = take_in(tmp_path / "d")
    (entry,) = splits(manifest)["train"]["images"]
    assert (entry["width"], entry["height"]) == (HEIGHT, WIDTH)
    assert objects(manifest)[0][2] == (0.3 * HEIGHT, 0.2 * WIDTH, 0.4 * HEIGHT, 0.1 * WIDTH)


def test_lists_of_names_that_differ(tmp_path: Path) -> None:
    root = dataset(tmp_path / "d", [row(1, *BOX)])
    write(root / "labels/classes.txt", "ball\nchild\n")
    manifest = take_in(root)
    assert {label for _, label, _ in objects(manifest)} == {"ball"}
    assert left_out(manifest) == {"list of names: the names in data.yaml count": 1}
    write(root / "classes.txt", "child\nball\n")
    (root / "data.yaml").unlink()
    with pytest.raises(AnnotationError, match="different names"):
        take_in(root)


@pytest.mark.parametrize("ending", [*sorted(FORMAT_OF_ENDING.keys() - {".pfm"}), ".JPEG"])
def test_every_format_that_is_decoded_is_found_by_its_ending(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"d/images/a{ending}"
    path.parent.mkdir(parents=True)
    Image.new("RGB", (200, 100)).save(path, format=FORMAT_OF_ENDING[ending.lower()])
    write(tmp_path / "d/labels/a.txt", "0 0.5 0.5 0.25 0.5\n")
    write(tmp_path / "d/classes.txt", "ball\n")
    assert objects(take_in(tmp_path / "d")) == [(path.name, "ball", (75.0, 25.0, 50.0, 50.0))]


def test_rows_of_tracking_are_boxes_and_tracks(tmp_path: Path) -> None:
    """Ultralytics writes class, box, confidence and track: six numbers, as an outline of three points has them."""
    image(tmp_path / "d/images/a.jpg")
    write(tmp_path / "d/labels/a.txt", "0 0.5 0.5 0.25 0.5 0.93 1\n0 0.25 0.5 0.25 0.5 0.71 2\n")
    write(tmp_path / "d/classes.txt", "ball\n")
    manifest = take_in(tmp_path / "d")
    boxes = [("a.jpg", "ball", (25.0, 25.0, 50.0, 50.0)), ("a.jpg", "ball", (75.0, 25.0, 50.0, 50.0))]
    assert objects(manifest) == boxes
    assert [a["track_id"] for a in annotations(manifest)] == [1, 2]
    assert manifest.source is not None and "they are detections" in manifest.source.notes[-1]


def test_an_outline_of_three_points_stays_one(tmp_path: Path) -> None:
    image(tmp_path / "d/images/a.jpg")
    write(tmp_path / "d/labels/a.txt", "0 0.1 0.1 0.5 0.1 0.5 1\n0 0.2 0.2 0.4 0.2 0.4 0.9\n")
    write(tmp_path / "d/classes.txt", "ball\n")
    assert len(annotations(take_in(tmp_path / "d"))[0]["segmentation"][0]) == 6
