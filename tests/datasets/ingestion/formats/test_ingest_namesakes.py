"""Images of one name in several folders, or with several endings: none is taken for another, in any format."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from exported_data import image, linked, objects, splits, take_in, write

from visionllm_interaction.artifacts.stage_manifests import DataManifest
from visionllm_interaction.errors import InputDataError

KINDS = (".xml", ".json")


def label(path: Path, said: str, *, x: int, size: tuple[int, int] = (200, 100)) -> None:
    """A file of VOC or of LabelMe, by its ending, with one box that begins at ``x``."""
    width, height = size
    if path.suffix == ".json":
        shape = {"label": "cup", "points": [[x, 2], [x + 30, 42]], "shape_type": "rectangle"}
        content = {"shapes": [shape], "imagePath": said, "imageWidth": width, "imageHeight": height}
        write(path, json.dumps(content))
        return
    box = f"<bndbox><xmin>{x}</xmin><ymin>2</ymin><xmax>{x + 30}</xmax><ymax>42</ymax></bndbox>"
    write(
        path,
        f"<annotation><filename>{said}</filename><size><width>{width}</width><height>{height}</height></size>"
        f"<object><name>cup</name>{box}</object></annotation>",
    )


def found(manifest: DataManifest, root: Path) -> dict[str, float]:
    """Image file below ``root`` → where its box begins; images that are missing by the name they have."""
    files = {name: path.relative_to(root).as_posix() for name, path in linked(manifest).items()}
    split_of = {i["file_name"]: split for split, content in splits(manifest).items() for i in content["images"]}
    return {files.get(f"{split_of[name]}/{name}", name): box[0] for name, _, box in objects(manifest)}


@pytest.mark.parametrize("ending", KINDS)
def test_a_file_says_which_ending_its_image_has(tmp_path: Path, ending: str) -> None:
    root = tmp_path / "d"
    for name in ("a.jpg", "a.png", "b.jpg"):
        image(root / name)
    label(root / f"a{ending}", "a.png", x=1)
    label(root / f"b{ending}", "b.jpg", x=2)
    assert found(take_in(root), root) == {"a.png": 1, "b.jpg": 2}


@pytest.mark.parametrize("ending", KINDS)
def test_the_size_tells_where_the_name_is_of_another_time(tmp_path: Path, ending: str) -> None:
    root = tmp_path / "d"
    image(root / "a.jpg", 320, 240)
    image(root / "a.png")
    label(root / f"a{ending}", "old.bmp", x=1)
    assert found(take_in(root), root) == {"a.png": 1}
    image(root / "a.jpg")
    with pytest.raises(InputDataError, match="Several images fit one name"):
        take_in(root, mode="copy")


@pytest.mark.parametrize("ending", KINDS)
@pytest.mark.parametrize("folders", [("rec1", "rec2"), ("anna", "bert")])
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("labelled", [False, True])
def test_an_image_that_is_missing_is_not_that_of_another_recording(
    tmp_path: Path, ending: str, folders: tuple[str, str], apart: bool, labelled: bool
) -> None:
    """``anna/x.jpg`` is missing; ``bert/x.jpg`` is here, with a file of its own or without."""
    root = tmp_path / "d"
    truth = {}
    for n, folder in enumerate(folders):
        for m, name in enumerate("xyz"):
            missing = n == m == 0
            place = f"images/{folder}" if apart else folder
            if not missing:
                image(root / f"{place}/{name}.jpg")
            if labelled or (n, m) != (1, 0):
                place_of_label = root / (f"annotations/{folder}" if apart else folder)
                label(place_of_label / f"{name}{ending}", f"{name}.jpg", x=3 * n + m)
                truth["x.jpg" if missing else f"{place}/{name}.jpg"] = 3 * n + m
    manifest = take_in(root)
    assert found(manifest, root) == truth
    assert manifest.source is not None
    [note] = manifest.source.notes
    assert f"{folders[1]}/x.jpg for " in note


@pytest.mark.parametrize("ending", KINDS)
@pytest.mark.parametrize("copies", [1, 2])
def test_a_stray_copy_beside_its_file_costs_no_other_image(tmp_path: Path, ending: str, copies: int) -> None:
    root = tmp_path / "d"
    for n in range(5):
        image(root / f"JPEGImages/i{n}.png")
        label(root / f"Annotations/i{n}{ending}", f"i{n}.png", x=n)
    for n in range(copies):
        image(root / f"Annotations/i{n}.png")
    places = ["Annotations" if n < copies else "JPEGImages" for n in range(5)]
    assert found(take_in(root), root) == {f"{place}/i{n}.png": n for n, place in enumerate(places)}


@pytest.mark.parametrize("ending", KINDS)
def test_where_some_are_nearer_an_image_has_the_size_that_its_file_states(tmp_path: Path, ending: str) -> None:
    root = tmp_path / "d"
    for n in range(5):
        image(root / f"JPEGImages/i{n}.png", 200 + (n == 4))
        label(root / f"Annotations/i{n}{ending}", f"i{n}.png", x=n)
    image(root / "Annotations/i0.png")
    manifest = take_in(root)
    assert found(manifest, root) == {
        "Annotations/i0.png": 0, "JPEGImages/i1.png": 1, "JPEGImages/i2.png": 2, "JPEGImages/i3.png": 3, "i4.png": 4
    }  # fmt: skip


def test_a_tilted_rectangle_of_labelme(tmp_path: Path) -> None:
    image(tmp_path / "d/a.jpg")
    shape = {"label": "cup", "points": [[11, 1], [21, 16], [11, 31], [1, 16]], "shape_type": "oriented_rectangle"}
    content = {"shapes": [shape], "imagePath": "a.jpg", "imageWidth": 200, "imageHeight": 100}
    write(tmp_path / "d/a.json", json.dumps(content))
    assert objects(take_in(tmp_path / "d")) == [("a.jpg", "cup", (1, 1, 20, 30))]


def test_images_of_another_recording_are_not_taken(tmp_path: Path) -> None:
    root = tmp_path / "d"
    for name in "xy":
        image(root / f"images/rec2/{name}.jpg")
        label(root / f"annotations/rec1/{name}.xml", f"{name}.jpg", x=1)
    assert linked(take_in(root)) == {}


@pytest.mark.parametrize("ending", KINDS)
def test_two_sets_of_annotations_of_the_same_images_are_refused(tmp_path: Path, ending: str) -> None:
    root = tmp_path / "d"
    image(root / "images/x.jpg")
    for folder in ("annotations", "ann"):
        label(root / f"{folder}/x{ending}", "x.jpg", x=1)
    with pytest.raises(InputDataError, match="Several annotation files fit one image") as caught:
        take_in(root)
    assert "a second set of annotations" in str(caught.value.fix)


def coco(root: Path, named: list[str]) -> None:
    entries = [{"id": n, "file_name": name, "width": 200, "height": 100} for n, name in enumerate(named)]
    boxes = [{"id": n, "image_id": n, "category_id": 1, "bbox": [n, 2, 30, 40]} for n in range(len(named))]
    content = {"images": entries, "annotations": boxes, "categories": [{"id": 1, "name": "cup"}]}
    write(root / "annotations/instances_train2017.json", json.dumps(content))


@pytest.mark.parametrize("folders", [("rec1", "rec2"), ("anna", "bert")])
def test_a_namesake_in_another_folder_is_not_the_image_of_a_path(tmp_path: Path, folders: tuple[str, str]) -> None:
    root = tmp_path / "d"
    one, two = folders
    for name in (f"{one}/y", f"{one}/z", f"{two}/x", f"{two}/y", f"{two}/z"):
        image(root / f"images/{name}.jpg")
    coco(root, [f"/home/ann/{name}.jpg" for name in (f"{one}/x", f"{one}/y", f"{one}/z", f"{two}/y", f"{two}/z")])
    manifest = take_in(root)
    assert found(manifest, root) == {
        f"/home/ann/{one}/x.jpg": 0,
        f"images/{one}/y.jpg": 1,
        f"images/{one}/z.jpg": 2,
        f"images/{two}/y.jpg": 3,
        f"images/{two}/z.jpg": 4,
    }
    assert manifest.source is not None
    assert f"images/{two}/x.jpg was not taken for /home/ann/{one}/x.jpg" in manifest.source.notes[-1]


@pytest.mark.parametrize(
    ("written", "here", "taken"),
    [
        ("/home/ann/rec1", "images/rec2", False),
        ("/home/ann/rec1", "images/rec01", True),
        ("/home/ann/rec1/frames", "rec2/frames", False),
        ("/home/ann/frames", "images/train", True),
        ("/home/ann/REC1", "images/rec1", True),
    ],
)
def test_folders_that_differ_in_their_numbers_are_other_recordings(
    tmp_path: Path, written: str, here: str, taken: bool
) -> None:
    root = tmp_path / "d"
    image(root / f"{here}/x.jpg")
    coco(root, [f"{written}/x.jpg"])
    assert (len(linked(take_in(root))) == 1) is taken


def test_of_two_namesakes_the_size_tells_which_is_the_image(tmp_path: Path) -> None:
    root = tmp_path / "d"
    image(root / "images/p/x.jpg", 320, 240)
    image(root / "images/q/x.jpg")
    coco(root, ["/home/ann/k/x.jpg"])
    assert found(take_in(root), root) == {"images/q/x.jpg": 0}


def test_label_files_of_another_recording_are_not_taken(tmp_path: Path) -> None:
    root = tmp_path / "d"
    for name in ("rec1/y", "rec2/x"):
        image(root / f"pictures/{name}.jpg")
    for name in ("rec1/x", "rec1/y"):
        write(root / f"labelled/{name}.txt", "0 0.5 0.5 0.2 0.2\n")
    write(root / "classes.txt", "cup\n")
    assert [name for name, _, _ in objects(take_in(root))] == ["pictures/rec1/y.jpg"]


@pytest.mark.parametrize("kind", ["VOC", "COCO"])
def test_images_that_no_decoder_is_here_for_are_named(tmp_path: Path, kind: str) -> None:
    root = tmp_path / "d"
    image(root / "b.jpg")
    write(root / "a.HEIC", "not looked at")
    if kind == "VOC":
        for n, name in enumerate(("a.HEIC", "b.jpg")):
            label(root / f"{Path(name).stem}.xml", name, x=n)
    else:
        coco(root, ["/home/ann/q/a.heic", "/home/ann/q/b.jpg"])
    manifest = take_in(root)
    assert list(linked(manifest)) == ["train/b.jpg"]
    assert manifest.source is not None
    assert "1 files are images in formats that are not read (.heic), such as a.HEIC" in manifest.source.notes[-1]
