"""VGG Image Annotator: projects, JSON and CSV of versions 1 and 2, every shape, and which attribute is the category."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import pytest
from exported_data import annotations, image, left_out, linked, names, objects, take_in, write

from visionllm_interaction.errors import AnnotationError, InputDataError

RECT = {"name": "rect", "x": 10, "y": 20, "width": 30, "height": 40}
BOX = (10.0, 20.0, 30.0, 40.0)
SHAPES: dict[str, tuple[dict[str, Any], tuple[float, ...]]] = {
    "rect": (RECT, BOX),
    "circle": ({"name": "circle", "cx": 50, "cy": 40, "r": 10.5}, (39.5, 29.5, 21.0, 21.0)),
    "ellipse": ({"name": "ellipse", "cx": 50, "cy": 40, "rx": 20, "ry": 10}, (30.0, 30.0, 40.0, 20.0)),
    "ellipse on its end": (
        {"name": "ellipse", "cx": 50, "cy": 40, "rx": 20, "ry": 10, "theta": math.pi / 2},
        (40.0, 20.0, 20.0, 40.0),
    ),
    "polygon": (
        {"name": "polygon", "all_points_x": [10, 40, 40, 10], "all_points_y": [20, 20, 60, 60]},
        BOX,
    ),
    "circle over the edge": ({"name": "circle", "cx": 5, "cy": 5, "r": 10}, (0.0, 0.0, 15.0, 15.0)),
}


def region(shape: dict[str, Any] = RECT, **attributes: Any) -> dict[str, Any]:
    return {"shape_attributes": shape, "region_attributes": attributes}


def entry(root: Path, name: str, *regions: dict[str, Any], size: int | None = None, first: bool = False) -> Any:
    """An image's entry; ``first``: as VIA 1 wrote it, regions by their numbers."""
    path = next(root.rglob(Path(name).name), None)
    listed = {str(n): one for n, one in enumerate(regions)} if first else list(regions)
    number = size if size is not None else path.stat().st_size if path else -1
    return {"filename": name, "size": number, "regions": listed, "file_attributes": {}}


def save_csv(path: Path, *entries: Any) -> None:
    out = io.StringIO()
    rows = csv.writer(out)
    head = "#filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes"
    rows.writerow(head.split(","))
    for one in entries:
        about = [one["filename"], one["size"], json.dumps(one["file_attributes"], ensure_ascii=False)]
        for number, found in enumerate(one["regions"]):
            both = (json.dumps(found[f"{key}_attributes"], ensure_ascii=False) for key in ("shape", "region"))
            rows.writerow([*about, len(one["regions"]), number, *both])
    write(path, out.getvalue())


def save(path: Path, *entries: Any, project: bool = False, attributes: Any = None) -> None:
    content = {f"{one['filename']}{one['size']}": one for one in entries}
    whole = {"_via_settings": {}, "_via_img_metadata": content, "_via_attributes": {"region": attributes or {}}}
    write(path, json.dumps(whole if project else content))


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("way", ["project", "annotations", "VIA 1", "CSV"])
def test_shapes(tmp_path: Path, kind: str, way: str) -> None:
    root = tmp_path / "d"
    image(root / "a.jpg")
    shape, box = SHAPES[kind]
    one = entry(root, "a.jpg", region(shape, label="cup"), first=way == "VIA 1")
    if way == "CSV":
        save_csv(root / "via_export_csv.csv", one)
    else:
        save(root / "via.json", one, project=way == "project")
    manifest = take_in(root)
    assert objects(manifest) == [("a.jpg", "cup", box)]
    [found] = annotations(manifest)
    if kind == "polygon":
        assert (found["segmentation"], found["area"]) == ([[10, 20, 40, 20, 40, 60, 10, 60]], 1200)


def test_what_coco_does_not_have_is_listed(tmp_path: Path) -> None:
    root = tmp_path / "d"
    image(root / "a.jpg")
    regions = (
        region(label="cup"),
        region({"name": "point", "cx": 1, "cy": 2}, label="cup"),
        region({"name": "polyline", "all_points_x": [1, 2], "all_points_y": [1, 2]}, label="cup"),
        region(label=""),
        region({"name": "rect", "x": 1, "y": None, "width": 1, "height": 1}, label="cup"),
        region(label="cup"),
        region(label="cup"),
    )
    save(root / "via.json", entry(root, "a.jpg", *regions))
    manifest = take_in(root)
    assert len(objects(manifest)) == 3
    assert sorted(key.split(":")[0] for key in left_out(manifest)) == ["point", "polyline", "rect", "rect"]


@pytest.mark.parametrize(
    ("attributes", "kinds", "expected"),
    [
        ({"label": "cup", "quality": "blurred"}, {}, "cup"),
        ({"who": "child", "quality": "blurred"}, {"who": {"type": "dropdown"}, "quality": {"type": "text"}}, "child"),
        ({"what": {"cup": True, "ball": False}}, {}, "cup"),
        ({"anything": 7}, {}, "7"),
    ],
)
def test_which_attribute_is_the_category(tmp_path: Path, attributes: Any, kinds: Any, expected: str) -> None:
    root = tmp_path / "d"
    image(root / "a.jpg")
    save(root / "via.json", entry(root, "a.jpg", region(**attributes)), project=True, attributes=kinds)
    assert [category for _, category, _ in objects(take_in(root))] == [expected]


def test_where_it_is_not_clear_it_is_asked(tmp_path: Path) -> None:
    root = tmp_path / "d"
    image(root / "a.jpg")
    save(root / "via.json", entry(root, "a.jpg", region(who="child", what="cup")))
    with pytest.raises(AnnotationError, match="not clear which attribute") as caught:
        take_in(root)
    assert "who (1 regions), what (1 regions)" in str(caught.value.found)


def test_folders_of_splits_and_regions_without_attributes(tmp_path: Path) -> None:
    """As a well-known tutorial of Mask R-CNN has them."""
    root = tmp_path / "d"
    for split in ("train", "val"):
        image(root / split / "a.jpg", 200 if split == "train" else 150)
        save(root / split / "via_region_data.json", entry(root / split, "a.jpg", region(), first=True))
    manifest = take_in(root)
    assert names(manifest) == {"train": ["a.jpg"], "val": ["a.jpg"]}
    assert {category for _, category, _ in objects(manifest)} == {"object"}
    assert {name: path.parent.name for name, path in linked(manifest).items()} == {
        "train/a.jpg": "train",
        "val/a.jpg": "val",
    }


def test_of_two_images_of_one_name_the_size_in_bytes_tells(tmp_path: Path) -> None:
    root = tmp_path / "d"
    image(root / "p/a.jpg")
    other = image(root / "q/a.jpg", 190, 90)
    save(root / "via.json", entry(root, "a.jpg", region(label="cup"), size=other.stat().st_size))
    assert [path.parent.name for path in linked(take_in(root)).values()] == ["q"]


def test_an_export_beside_its_project_does_not_count(tmp_path: Path) -> None:
    root = tmp_path / "d"
    image(root / "a.jpg")
    one = entry(root, "a.jpg", region(label="cup"))
    save(root / "via_project.json", one, project=True)
    save(root / "via_region_data.json", one)
    assert len(objects(take_in(root))) == 1


def test_images_that_were_changed_since_are_said(tmp_path: Path) -> None:
    root = tmp_path / "d"
    image(root / "a.jpg")
    image(root / "b.jpg")
    save(root / "via.json", entry(root, "a.jpg", region(label="cup"), size=77), entry(root, "b.jpg"))
    manifest = take_in(root)
    assert manifest.source is not None
    assert "1 of 2 images have no region" in manifest.source.notes[1]
    assert "another size in bytes than when they were labelled, such as a.jpg" in manifest.source.notes[2]


@pytest.mark.parametrize("folders", [("rec1", "rec2"), ("anna", "bert")])
def test_an_image_that_is_missing_is_not_that_of_another_folder(tmp_path: Path, folders: tuple[str, str]) -> None:
    root = tmp_path / "d"
    for folder in folders:
        image(root / folder / "y.jpg")
    image(root / folders[1] / "x.jpg")
    for folder in folders:
        entries = [entry(root / folder, name, region(label="cup"), size=77) for name in ("x.jpg", "y.jpg")]
        save(root / folder / "via.json", *entries[: 2 if folder == folders[0] else 1])
    manifest = take_in(root)
    assert sorted(path.relative_to(root).as_posix() for path in linked(manifest).values()) == [
        f"{folders[0]}/y.jpg",
        f"{folders[1]}/x.jpg",
    ]
    assert any("there is no such image" in reason for reason in left_out(manifest))


@pytest.mark.parametrize("folder", ["rec1", "rec1/left"])
def test_a_name_with_folders_is_looked_for_in_them_first(tmp_path: Path, folder: str) -> None:
    root = tmp_path / "d"
    image(root / "a.png")
    image(root / folder / "a.png", 190, 90)
    ball, book = region(label="ball"), region(label="book")
    save(root / "v.json", entry(root, "a.png", ball, size=-1), entry(root, f"{folder}/a.png", book, size=-1))
    manifest = take_in(root)
    files = {name.partition("/")[2]: path.relative_to(root).as_posix() for name, path in linked(manifest).items()}
    assert {files[name]: label for name, label, _ in objects(manifest)} == {"a.png": "ball", f"{folder}/a.png": "book"}
    assert left_out(manifest) == {}


def test_an_image_that_is_missing_from_its_folder_is_not_the_one_beside_via_s_file(tmp_path: Path) -> None:
    root = tmp_path / "d"
    for name in ("a.png", "rec1/b.png"):
        image(root / name)
    save(root / "v.json", *(entry(root, f"rec1/{name}.png", region(label="cup")) for name in "ab"))
    assert [path.name for path in linked(take_in(root)).values()] == ["b.png"]


def test_a_name_of_another_machine_is_nearer_to_its_folder_than_to_via_s_file(tmp_path: Path) -> None:
    root = tmp_path / "d"
    for name in ("a.png", "rec1/a.png"):
        image(root / name)
    save(root / "v.json", entry(root, "/home/ann/rec1/a.png", region(label="cup"), size=-1))
    assert [path.parent.name for path in linked(take_in(root)).values()] == ["rec1"]


def test_of_two_entries_of_one_name_the_image_is_that_of_its_size(tmp_path: Path) -> None:
    root = tmp_path / "d"
    size = image(root / "a.png").stat().st_size
    entries = [entry(root, "a.png", region(label=label), size=n) for label, n in (("cup", size + 1), ("ball", size))]
    save(root / "v.json", *entries)
    manifest = take_in(root)
    [path] = linked(manifest).values()
    assert path == root / "a.png"
    assert [label for _, label, _ in objects(manifest)] == ["ball"]
    assert any("there is no such image" in reason for reason in left_out(manifest))


def test_two_entries_with_other_regions_of_one_image_are_refused(tmp_path: Path) -> None:
    root = tmp_path / "d"
    image(root / "a.png")
    save(root / "v.json", *(entry(root, "a.png", region(label=f"cup{n}"), size=n) for n in (5, 6)))
    with pytest.raises(InputDataError, match="Several entries of VIA fit one image") as caught:
        take_in(root)
    assert "a.png of 5 bytes (v.json), a.png of 6 bytes" in str(caught.value.found)


def test_two_projects_that_say_the_same_of_an_image_or_nothing_are_joined(tmp_path: Path) -> None:
    root = tmp_path / "d"
    for name in "abc":
        image(root / f"{name}.png")
    cup, ball, book = (region(label=label) for label in ("cup", "ball", "book"))
    one = (entry(root, "a.png", cup), entry(root, "b.png", ball), entry(root, "c.png"))
    two = (entry(root, "a.png"), entry(root, "b.png", ball), entry(root, "c.png", book))
    save(root / "1.json", *one, project=True)
    save(root / "2.json", *two, project=True)
    manifest = take_in(root)
    found = [(name, label) for name, label, _ in objects(manifest)]
    assert found == [("a.png", "cup"), ("b.png", "ball"), ("c.png", "book")]
    assert manifest.source is not None and any("3 entries do not count" in note for note in manifest.source.notes)


def test_exports_of_different_images_are_all_read(tmp_path: Path) -> None:
    root = tmp_path / "d"
    for name in "abcd":
        image(root / f"{name}.png")
    a, b, c, d = (entry(root, f"{name}.png", region(label=name)) for name in "abcd")
    save(root / "1.json", a)
    save(root / "2.json", b, c)
    save_csv(root / "3.csv", c)
    save(root / "4.json", d, project=True)
    save_csv(root / "5.csv", d)
    manifest = take_in(root)
    assert [label for _, label, _ in objects(manifest)] == ["a", "b", "c", "d"]
    assert left_out(manifest) == {}
    assert manifest.source is not None
    assert manifest.source.notes[-1] == "not read, as other files name all of its images: 3.csv, 5.csv"


def test_a_region_that_is_none_costs_itself(tmp_path: Path) -> None:
    root = tmp_path / "d"
    image(root / "a.jpg")
    one = entry(root, "a.jpg", *(region(label="cup") for _ in range(9)))
    one["regions"].append(None)
    save(root / "via.json", one)
    manifest = take_in(root)
    assert (len(objects(manifest)), sum(left_out(manifest).values())) == (9, 1)


@pytest.mark.parametrize("regions", [5, "cup", True])
def test_regions_that_are_no_list_are_refused(tmp_path: Path, regions: Any) -> None:
    root = tmp_path / "d"
    image(root / "a.jpg")
    save(root / "via.json", entry(root, "a.jpg") | {"regions": regions})
    with pytest.raises(AnnotationError) as caught:
        take_in(root)
    assert "the regions of a.jpg are neither a list nor an object" in str(caught.value.found)


@pytest.mark.parametrize("character", ["\u2028", "\x85", "\u2029"])
def test_what_is_typed_into_a_cell_does_not_end_its_row(tmp_path: Path, character: str) -> None:
    root = tmp_path / "d"
    image(root / "a.jpg")
    save_csv(root / "via.csv", entry(root, "a.jpg", region(label="cup", note=f"one{character}two")))
    manifest = take_in(root)
    assert len(objects(manifest)) == 1
    [found] = annotations(manifest)
    assert f"one{character}two" in found["attributes"].values()


def test_a_number_that_is_too_large_costs_its_region(tmp_path: Path) -> None:
    root = tmp_path / "d"
    image(root / "a.jpg")
    regions = [region(label="cup") for _ in range(9)]
    save_csv(root / "via.csv", entry(root, "a.jpg", *regions, region(RECT | {"x": 10**400}, label="cup")))
    manifest = take_in(root)
    assert (len(objects(manifest)), sum(left_out(manifest).values())) == (9, 1)
