"""Label Studio's JSON: which file an address means, and what is left out of it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from exported_data import image, left_out, linked, names, objects, splits, take_in, write

from visionllm_interaction.errors import AnnotationError


def region(label: str, x: float, *, item: int | None = None) -> dict[str, Any]:
    """A rectangle of 20 % × 40 % at (x %, 10 %) of an image of 200 × 100 pixels."""
    value = {"x": x, "y": 10, "width": 20, "height": 40, "rotation": 0, "rectanglelabels": [label]}
    result = {"type": "rectanglelabels", "to_name": "image", "original_width": 200, "original_height": 100}
    return {**result, "id": f"{label}{x}", "value": value, **({} if item is None else {"item_index": item})}


def task(number: int, data: Any, *regions: dict[str, Any]) -> dict[str, Any]:
    data = data if isinstance(data, dict) else {"image": data}
    return {"id": number, "data": data, "annotations": [{"id": number, "completed_by": 1, "result": list(regions)}]}


def export(root: Path, *tasks: dict[str, Any]) -> Path:
    write(root / "export.json", json.dumps(tasks))
    return root


def signed(address: str) -> str:
    return "/tasks/3/resolve/?fileuri=" + base64.urlsafe_b64encode(address.encode()).decode()


ADDRESSES = {
    "S3": "s3://lab/study/{}/frame.jpg",
    "Google": "gs://lab/{}/frame.jpg",
    "web": "https://example.org/a/{}/frame.jpg?sig=1",
    "local files": "/data/local-files/?d=study/{}/frame.jpg",
    "local files of Windows": "/data/local-files/?d=study%5C{}%5Cframe.jpg",
    "a path of Windows": "C:\\study\\{}\\frame.jpg",
    "signed": "s3://lab/study/{}/frame.jpg",
}


@pytest.mark.parametrize("kind", ADDRESSES)
def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path: Path, kind: str) -> None:
    addresses = [ADDRESSES[kind].format(folder) for folder in ("visit1", "visit2")]
    addresses = [signed(address) for address in addresses] if kind == "signed" else addresses
    for folder in ("visit1", "visit2"):
        image(tmp_path / f"d/images/{folder}/frame.jpg")
    tasks = [task(n, address, region("child", 10.0 + n)) for n, address in enumerate(addresses)]
    manifest = take_in(export(tmp_path / "d", *tasks))
    files = linked(manifest)
    found = {(files[f"train/{name}"].parent.name, box[0]) for name, _, box in objects(manifest)}
    assert found == {("visit1", 20.0), ("visit2", 22.0)}, "10 % and 11 % of 200 pixels"


def test_a_file_of_another_folder_is_not_taken_for_an_image(tmp_path: Path) -> None:
    image(tmp_path / "d/visit1/frame.jpg")
    tasks = [task(n, f"s3://lab/visit{n}/frame.jpg", region("child", 10.0 + n)) for n in (1, 2)]
    manifest = take_in(export(tmp_path / "d", *tasks))
    assert len(names(manifest)["train"]) == 2 and len(linked(manifest)) == 1
    ((name, file),) = linked(manifest).items()
    box = next(box for image_name, _, box in objects(manifest) if f"train/{image_name}" == name)
    assert file == tmp_path / "d/visit1/frame.jpg" and box[0] == 22, "the second visit's boxes are not on it"


def test_uploads_have_a_prefix(tmp_path: Path) -> None:
    image(tmp_path / "d/a b.jpg")
    manifest = take_in(export(tmp_path / "d", task(1, "/data/upload/3/0a1b2c3d-a%20b.jpg", region("child", 0))))
    assert list(linked(manifest)) == ["train/a b.jpg"]


def test_a_task_of_several_images(tmp_path: Path) -> None:
    data = {"pages": ["s3://lab/p1.jpg", "s3://lab/p2.jpg"]}
    manifest = take_in(export(tmp_path / "d", task(1, data, region("cup", 5, item=1), region("cup", 0, item=0))))
    assert [(name, box[0]) for name, _, box in objects(manifest)] == [("p1.jpg", 0), ("p2.jpg", 10)]


def test_what_nobody_annotated_is_no_image_without_objects(tmp_path: Path) -> None:
    empty, cancelled = task(2, "b.jpg"), task(3, "c.jpg")
    cancelled["annotations"][0]["was_cancelled"] = True
    unseen = {"id": 4, "data": {"image": "d.jpg"}, "annotations": []}
    for name in "abcd":
        image(tmp_path / f"d/{name}.jpg")
    manifest = take_in(export(tmp_path / "d", task(1, "a.jpg", region("cup", 0)), empty, cancelled, unseen))
    assert names(manifest) == {"train": ["a.jpg", "b.jpg"]}, "b was looked at, and nothing found"
    assert left_out(manifest)["task: nobody annotated it"] == 2


def test_two_tasks_of_one_image_are_joined(tmp_path: Path) -> None:
    image(tmp_path / "d/a.jpg")
    manifest = take_in(export(tmp_path / "d", *(task(n, "a.jpg", region("cup", 10.0 * n)) for n in (1, 2))))
    assert names(manifest) == {"train": ["a.jpg"]} and len(objects(manifest)) == 2
    assert manifest.source is not None and "several tasks" in manifest.source.notes[0]


def test_a_bad_region_costs_that_region(tmp_path: Path) -> None:
    bad = region("cup", 0)
    bad["value"]["width"] = None
    image(tmp_path / "d/a.jpg")
    manifest = take_in(export(tmp_path / "d", task(1, "a.jpg", bad, region("cup", 10))))
    assert len(objects(manifest)) == 1 and sum(left_out(manifest).values()) == 1
    with pytest.raises(AnnotationError, match="Nothing of the annotations"):
        take_in(export(tmp_path / "d", task(1, "a.jpg", bad)))


def test_the_size_of_an_image_lying_on_its_side(tmp_path: Path) -> None:
    image(tmp_path / "d/a.jpg", 200, 100, orientation=6)
    found = region("cup", 10)
    del found["original_width"], found["original_height"]
    manifest = take_in(export(tmp_path / "d", task(1, "a.jpg", found)))
    (entry,) = splits(manifest)["train"]["images"]
    assert (entry["width"], entry["height"]) == (100, 200) and objects(manifest)[0][2] == (10, 20, 20, 80)


@pytest.mark.parametrize(("size", "used"), [((100, 50), (100, 50)), ((400, 200), (400, 200)), ((100, 100), (200, 100))])
def test_per_cent_hold_for_an_image_that_was_scaled_after_labelling(
    tmp_path: Path, size: tuple[int, int], used: tuple[int, int]
) -> None:
    """Of another shape it is another image: the size as labelled stays, and stage 2 reports it."""
    image(tmp_path / "d/frame.jpg", *size)
    manifest = take_in(export(tmp_path / "d", task(1, "frame.jpg", region("child", 10.0))))
    [record] = splits(manifest)["train"]["images"]
    assert (record["width"], record["height"]) == used
    box = (used[0] * 0.1, used[1] * 0.1, used[0] * 0.2, used[1] * 0.4)
    assert objects(manifest) == [("frame.jpg", "child", box)]
