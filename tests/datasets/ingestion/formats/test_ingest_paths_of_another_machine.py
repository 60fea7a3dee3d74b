"""Annotation files name images by paths of another machine: one rule finds them, in every format, or says why not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from exported_data import image, names, objects, splits, take_in, write
from small_coco import make_coco, read
from small_coco import write as write_coco

from visionllm_interaction.datasets.ingestion.propose_settings import propose
from visionllm_interaction.errors import InputDataError

WRITTEN: dict[str, Callable[[str], str]] = {
    "another machine": lambda name: f"/home/ann/lab/images/{name}",
    "Windows": lambda name: rf"C:\Users\ann\images\{name}",
    "Windows's share": lambda name: rf"\\server\lab\images\{name}",
    "an address of a file": lambda name: f"file:///home/ann/images/{name}",
    "a bucket": lambda name: f"s3://lab/study%201/{name}",
    "the web": lambda name: f"https://lab.example.org/{name}?token=1",
    "above": lambda name: f"../images/{name}",
    "a folder that is not here": lambda name: f"recordings/{name}",
    "Windows, relative": lambda name: rf"images\{name}",
    "as it is": lambda name: name,
    "from here": lambda name: f"./{name}",
}


def renamed(root: Path, new: Callable[[str], str]) -> None:
    for split in ("train", "val"):
        content = read(root, split)
        for entry in content["images"]:
            entry["file_name"] = new(entry["file_name"])
        write_coco(root, split, content)


@pytest.mark.parametrize("layout", ["COCO's own", "images in folders of their splits", "one folder"])
@pytest.mark.parametrize("kind", WRITTEN)
def test_coco_names_of_another_place_find_their_images(tmp_path: Path, kind: str, layout: str) -> None:
    root = make_coco(tmp_path / "data")
    given = {split: read(root, split) for split in ("train", "val")}
    truth = {s: {(i["id"], i["file_name"]): (root / f"{s}2017" / i["file_name"]).read_bytes() for i in c["images"]}
             for s, c in given.items()}  # fmt: skip
    renamed(root, WRITTEN[kind])
    if layout != "COCO's own":
        for split in ("train", "val"):
            folder = root / "images" if layout == "one folder" else root / "images" / split
            folder.mkdir(parents=True, exist_ok=True)
            for path in (root / f"{split}2017").iterdir():
                path.rename(folder / path.name)
            (root / f"{split}2017").rmdir()
    manifest = take_in(root)
    for split, expected in truth.items():
        written = splits(manifest)[split]
        found = {
            (i["id"], Path(i["file_name"]).name): (Path(manifest.root) / f"{split}2017" / i["file_name"]).read_bytes()
            for i in written["images"]
        }
        assert found == expected
        # Nothing but the names is another.
        bare = [{**i, "file_name": ""} for i in written["images"]]
        assert {**written, "images": bare} == {**given[split], "images": [{**i, "file_name": ""} for i in given[split]["images"]]}  # fmt: skip  # noqa: E501
    told = manifest.source.notes if manifest.source else ()
    assert bool(told) is (kind not in ("as it is", "from here"))


def test_where_some_names_are_right_a_missing_image_is_missing(tmp_path: Path) -> None:
    """``b/x.jpg`` is not ``a/x.jpg`` because that is all there is."""
    root = make_coco(tmp_path / "data")
    content = read(root, "train")
    content["images"][1]["file_name"] = "other/" + content["images"][0]["file_name"]
    write_coco(root, "train", content)
    assert take_in(root).root == str(root)


def test_two_paths_never_share_a_file(tmp_path: Path) -> None:
    root = make_coco(tmp_path / "data")
    content = read(root, "train")
    first = content["images"][0]["file_name"]
    for entry in content["images"]:
        entry["file_name"] = f"/home/ann/{entry['file_name']}"
    content["images"][1]["file_name"] = f"/home/bob/{first}"
    write_coco(root, "train", content)
    manifest = take_in(root)
    written = {i["id"]: i["file_name"] for i in splits(manifest)["train"]["images"]}
    assert written[content["images"][0]["id"]] == f"/home/ann/{first}"
    assert written[content["images"][1]["id"]] == f"/home/bob/{first}"
    assert len(list((Path(manifest.root) / "train2017").iterdir())) == 4


def test_folders_tell_which_of_two_files_of_one_name(tmp_path: Path) -> None:
    root = tmp_path / "data"
    for folder, width in (("anna", 40), ("ben", 60)):
        image(root / "images" / folder / "0001.jpg", width, 30)
    entries = [
        {"id": n, "width": w, "height": 30, "file_name": rf"D:\lab\{folder}\0001.jpg"}
        for n, (folder, w) in enumerate((("ben", 60), ("anna", 40)))
    ]
    content = {"images": entries, "annotations": [], "categories": [{"id": 1, "name": "ball"}]}
    write(root / "train.json", json.dumps(content))
    manifest = take_in(root)
    assert [i["file_name"] for i in splits(manifest)["train"]["images"]] == ["ben/0001.jpg", "anna/0001.jpg"]


def test_several_files_that_fit_equally_are_refused_in_words(tmp_path: Path) -> None:
    root = tmp_path / "data"
    for folder in ("anna", "ben"):
        image(root / "images" / folder / "0001.jpg", 40, 30)
    entry = {"id": 1, "width": 40, "height": 30, "file_name": "/lab/clara/0001.jpg"}
    content = {"images": [entry], "annotations": [], "categories": [{"id": 1, "name": "ball"}]}
    write(root / "train.json", json.dumps(content))
    with pytest.raises(InputDataError, match="Several images fit one name") as caught:
        take_in(root)
    assert "anna/0001.jpg" in caught.value.found


def test_a_missing_image_of_train_is_none_of_val(tmp_path: Path) -> None:
    root = make_coco(tmp_path / "data")
    renamed(root, WRITTEN["another machine"])
    content = read(root, "train")
    content["images"][0]["file_name"] = read(root, "val")["images"][0]["file_name"].replace("/images/", "/train/")
    write_coco(root, "train", content)
    manifest = take_in(root)
    assert len(list((Path(manifest.root) / "train2017").iterdir())) == 5


@pytest.mark.parametrize("name", ["{}", "../../private/child.jpg", "file://{}", "../private/child.jpg"])
def test_nothing_outside_of_the_data_is_read(tmp_path: Path, name: str) -> None:
    root = make_coco(tmp_path / "data")
    secret = image(tmp_path / "private/child.jpg")
    content = read(root, "train")
    content["images"][0]["file_name"] = name.format(secret)
    write_coco(root, "train", content)
    manifest = take_in(root)
    folder = Path(str(manifest.paths.train_images))
    assert "child.jpg" not in {path.name for path in folder.rglob("*")}


def test_init_reads_groups_from_the_names_here(tmp_path: Path) -> None:
    root = tmp_path / "data"
    entries = []
    for number in range(8):
        image(root / f"images/child{number // 2:02d}_{number}.jpg", 40, 30)
        entries.append({"id": number, "width": 40, "height": 30, "file_name": rf"C:\p99\child{number // 2:02d}_{number}.jpg"})  # fmt: skip  # noqa: E501
    content = {"images": entries, "annotations": [], "categories": [{"id": 1, "name": "ball"}]}
    write(root / "train.json", json.dumps(content))
    proposal = propose(root)
    assert any("child00" in setting.why for setting in proposal.settings if setting.key[-1] == "pattern")
    assert "longest end of its path" in proposal.settings[0].why


BOX = ("box", "ball", (20.0, 10.0, 40.0, 30.0))


def as_cvat(address: str) -> tuple[str, str]:
    box = '<box label="ball" xtl="20" ytl="10" xbr="60" ybr="40"/>'
    return "export.xml", (
        "<annotations><version>1.1</version><meta><task><labels><label><name>ball</name></label></labels></task></meta>"
        f'<image id="0" name="{address}" width="200" height="100">{box}</image></annotations>'
    )


def as_labelstudio(address: str) -> tuple[str, str]:
    value = {"x": 10, "y": 10, "width": 20, "height": 30, "rotation": 0, "rectanglelabels": ["ball"]}
    result = {"id": "r", "from_name": "label", "to_name": "image", "type": "rectanglelabels", "value": value,
              "original_width": 200, "original_height": 100}  # fmt: skip
    task = {"id": 1, "data": {"image": address}, "annotations": [{"id": 1, "result": [result]}]}
    return "export.json", json.dumps([task])


def as_voc(address: str) -> tuple[str, str]:
    box = "<bndbox><xmin>20</xmin><ymin>10</ymin><xmax>60</xmax><ymax>40</ymax></bndbox>"
    return "renamed_later.xml", (
        f"<annotation><folder>x</folder><filename>{address}</filename><path>{address}</path>"
        "<size><width>200</width><height>100</height><depth>3</depth></size>"
        f"<object><name>ball</name>{box}</object></annotation>"
    )


def as_labelme(address: str) -> tuple[str, str]:
    shape = {"label": "ball", "shape_type": "rectangle", "points": [[20, 10], [60, 40]], "group_id": None}
    content = {"version": "5.0", "shapes": [shape], "imagePath": address, "imageWidth": 200, "imageHeight": 100}
    return "renamed_later.json", json.dumps(content)


@pytest.mark.parametrize("kind", [kind for kind in WRITTEN if kind != "the web"])
@pytest.mark.parametrize("form", [as_cvat, as_labelstudio, as_voc, as_labelme])
def test_one_rule_holds_for_every_format(tmp_path: Path, kind: str, form: Callable[[str], tuple[str, str]]) -> None:
    root = tmp_path / "data"
    image(root / "pictures/frame 7.jpg")
    file, text = form(WRITTEN[kind]("frame 7.jpg" if "bucket" not in kind else "frame%207.jpg"))
    write(root / file, text)
    manifest = take_in(root)
    [(name, category, box)] = objects(manifest)
    assert Path(name).name == "frame 7.jpg"
    assert (category, box) == BOX[1:]
    assert (Path(manifest.root) / "train2017" / name).is_file()


@pytest.mark.parametrize("kind", WRITTEN)
def test_yolo_lists_of_another_machine(tmp_path: Path, kind: str) -> None:
    root = tmp_path / "data"
    for number in range(3):
        image(root / f"images/{number}.jpg")
        write(root / f"labels/{number}.txt", "0 0.2 0.25 0.2 0.3\n")
    write(root / "data.yaml", "train: train.txt\nval: val.txt\nnames: [ball]\n")
    write(root / "train.txt", "".join(f"{WRITTEN[kind](f'{n}.jpg')}\n" for n in (0, 2)))
    write(root / "val.txt", f"{WRITTEN[kind]('1.jpg')}\n")
    assert names(take_in(root)) == {"train": ["0.jpg", "2.jpg"], "val": ["1.jpg"]}


def test_a_missing_image_of_a_yolo_list_is_no_other_camera_s(tmp_path: Path) -> None:
    root = tmp_path / "data"
    for name in ("cam2/0001", "cam2/0002", "cam2/0003"):
        image(root / f"{name}.jpg")
        write(root / f"{name}.txt", "0 0.2 0.25 0.2 0.3\n")
    write(root / "data.yaml", "train: train.txt\nval: val.txt\nnames: [ball]\n")
    write(root / "train.txt", "cam1/0001.jpg\ncam2/0002.jpg\n")
    write(root / "val.txt", "cam2/0003.jpg\n")
    assert names(take_in(root)) == {"train": ["cam2/0002.jpg"], "val": ["cam2/0003.jpg"]}


def test_files_of_other_programs_are_no_images(tmp_path: Path) -> None:
    """Notebooks' checkpoints and macOS's side files would count as images without objects."""
    root = tmp_path / "data"
    image(root / "images/a.jpg")
    image(root / "images/.ipynb_checkpoints/a-checkpoint.jpg")
    write(root / "__MACOSX/images/._a.jpg", "x")
    write(root / "labels/a.txt", "0 0.2 0.25 0.2 0.3\n")
    write(root / "classes.txt", "ball\n")
    manifest = take_in(root)
    assert names(manifest) == {"train": ["a.jpg"]}
    assert manifest.source is not None
    assert not manifest.source.left_out


def test_several_records_of_one_name_in_cvat_subsets_keep_their_files(tmp_path: Path) -> None:
    root = tmp_path / "data"
    for subset in ("Train", "Validation"):
        image(root / f"images/{subset}/a.jpg")
    box = '<box label="ball" xtl="20" ytl="10" xbr="60" ybr="40"/>'
    entries = "".join(
        f'<image id="{n}" name="a.jpg" subset="{s}" width="200" height="100">{box}</image>'
        for n, s in enumerate(("Train", "Validation"))
    )
    write(root / "annotations.xml", f"<annotations><version>1.1</version>{entries}</annotations>")
    manifest = take_in(root)
    content: dict[str, Any] = splits(manifest)
    assert all((Path(manifest.root) / f"{split}2017/a.jpg").is_file() for split in content)


SEVERAL: dict[str, Callable[[Path, list[str]], None]] = {}


def several(form: Callable[[Path, list[str]], None]) -> Callable[[Path, list[str]], None]:
    SEVERAL[form.__name__] = form
    return form


@several
def coco(root: Path, listed: list[str]) -> None:
    images = [{"id": n, "width": 200, "height": 100, "file_name": name} for n, name in enumerate(listed)]
    boxes = [{"id": n, "image_id": n, "category_id": 1, "bbox": [20, 10, 40, 30], "area": 1200, "iscrowd": 0}
             for n, _ in enumerate(listed)]  # fmt: skip
    content = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "ball"}]}
    write(root / "train.json", json.dumps(content))


@several
def cvat(root: Path, listed: list[str]) -> None:
    box = '<box label="ball" xtl="20" ytl="10" xbr="60" ybr="40"/>'
    entries = (f'<image id="{n}" name="{name}" width="200" height="100">{box}</image>' for n, name in enumerate(listed))
    write(root / "annotations.xml", f"<annotations><version>1.1</version>{''.join(entries)}</annotations>")


@several
def labelstudio(root: Path, listed: list[str]) -> None:
    tasks = [json.loads(as_labelstudio(name)[1])[0] | {"id": n} for n, name in enumerate(listed)]
    write(root / "export.json", json.dumps(tasks))


@pytest.mark.parametrize("form", SEVERAL)
def test_a_missing_image_is_no_other_camera_s_where_names_are_right(tmp_path: Path, form: str) -> None:
    root = tmp_path / "data"
    for name in ("cam2/0001.jpg", "cam2/0002.jpg"):
        image(root / name)
    SEVERAL[form](root, ["cam1/0001.jpg", "cam2/0002.jpg"])
    manifest = take_in(root)
    kept = [path.name for path in (Path(manifest.root) / "train2017").rglob("*.jpg")]
    assert kept == ["0002.jpg"]


@pytest.mark.parametrize("form", ["coco", "cvat"])
def test_what_was_taken_for_names_of_another_place_is_noted(tmp_path: Path, form: str) -> None:
    root = tmp_path / "data"
    image(root / "cam2/0001.jpg")
    SEVERAL[form](root, ["/home/ann/cam2/0001.jpg"])
    source = take_in(root).source
    assert source is not None
    assert "1 of 1 images are named by a path that is not here, such as /home/ann/cam2/0001.jpg" in source.notes[0]


@pytest.mark.parametrize("form", SEVERAL)
def test_a_file_found_as_written_is_no_other_record_s_too(tmp_path: Path, form: str) -> None:
    root = tmp_path / "data"
    image(root / "cam1/0001.jpg")
    SEVERAL[form](root, ["0001.jpg", "/home/ann/cam1/0001.jpg"])
    manifest = take_in(root)
    assert len([*(Path(manifest.root) / "train2017").rglob("*.jpg")]) == 1


def test_only_an_image_s_own_name_is_written_anew(tmp_path: Path) -> None:
    root = tmp_path / "data"
    image(root / "a.jpg")
    entry = {
        "id": 0,
        "extra": {"file_name": "orig.png", "k": 1},
        "file_name": "/home/ann/a.jpg",
        "width": 200,
        "height": 100,
    }
    content = {"images": [entry], "annotations": [], "categories": [{"id": 1, "name": "ball"}]}
    write(root / "train.json", json.dumps(content))
    assert splits(take_in(root))["train"]["images"] == [entry | {"file_name": "a.jpg"}]
