"""Corrected annotations come back from CVAT, Label Studio or COCO and join the training images."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from label_pool import run_stages, write_image, write_manifest
from PIL import Image

from visionllm_interaction.artifacts.stage_manifests import TrainingManifest
from visionllm_interaction.datasets.ingestion.config import GroupsConfig
from visionllm_interaction.datasets.ingestion.layout.image_group_labels import group_lookup
from visionllm_interaction.errors import AnnotationError, InputDataError
from visionllm_interaction.labelling.config import LabelConfig
from visionllm_interaction.labelling.merge import MergedData, merge_labels
from visionllm_interaction.labelling.suggest import suggest_images

pytestmark = pytest.mark.usefixtures("written")
PLAIN = LabelConfig.model_validate({"images": 3, "diversity": 0.0, "rarity": 0.0, "max_group_share": 1.0})


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    for n, label in enumerate(("cup", "ball", "child")):
        write_image(tmp_path / "pool" / f"c{n}.png", label, 0.5, seed=n)
    return write_manifest(tmp_path)


@pytest.fixture
def round1(tmp_path: Path, manifest: Path) -> Path:
    suggest_images(tmp_path / "pool", tmp_path / "round1", detector="any", data=manifest, config=PLAIN)
    return tmp_path / "round1"


def corrected_cvat(round1: Path, *edits: tuple[str, str]) -> Path:
    """The annotations as a person who edits them would export them, in another folder."""
    text = (round1 / "cvat" / "annotations.xml").read_text()
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    place = round1.parent / "downloads" / "task 17.xml"
    place.parent.mkdir(exist_ok=True)
    place.write_text(text)
    return place


def train_of(merged: MergedData) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((merged.folder / "annotations" / "instances_train2017.json").read_text())
    return found


def test_cvat_annotations_join_train_and_val_stays_as_it_is(tmp_path: Path, manifest: Path, round1: Path) -> None:
    # A person moved the right edge of the cup and renamed the ball.
    export = corrected_cvat(round1, ('label="cup" source="auto" occluded="0" xtl="10.00" ytl="8.00" xbr="30.00"',
                                     'label="cup" source="manual" occluded="0" xtl="10.00" ytl="8.00" xbr="40.00"'),
                            ('label="ball"', 'label="cup"'))  # fmt: skip
    merged = merge_labels(round1, export, data=manifest, out=tmp_path / "merged")
    assert (merged.images, merged.objects, dict(merged.per_category)) == (3, 3, {"child": 1, "cup": 2})
    raw = tmp_path / "coco"
    for name in ("annotations/instances_val2017.json", "val2017/val_0000.jpg", "train2017/train_0000.jpg"):
        assert (merged.folder / name).read_bytes() == (raw / name).read_bytes()
    before = json.loads((raw / "annotations" / "instances_train2017.json").read_text())
    after = train_of(merged)
    assert after["images"][: len(before["images"])] == before["images"]
    assert after["annotations"][: len(before["annotations"])] == before["annotations"]
    assert after["unknown_key"] == before["unknown_key"]
    new = {image["id"]: image["file_name"] for image in after["images"][len(before["images"]) :]}
    boxes = {(new[a["image_id"]], a["category_id"]): a["bbox"] for a in after["annotations"] if a["image_id"] in new}
    assert boxes == {
        ("c0.png", 7): [10.0, 8.0, 30.0, 20.0],
        ("c1.png", 7): [10.0, 8.0, 20.0, 20.0],
        ("c2.png", 90): [10.0, 8.0, 20.0, 20.0],
    }
    trained = TrainingManifest.load(run_stages(tmp_path / "second", f"data.root={merged.folder}"))
    assert trained.counts["train"].images == 9
    assert trained.counts["val"].images == 4
    assert f"data.root={merged.folder}" in merged.next_command


def test_label_studio_annotations_join_train_and_predictions_alone_do_not(
    tmp_path: Path, manifest: Path, round1: Path
) -> None:
    tasks = json.loads((round1 / "labelstudio" / "tasks.json").read_text())
    for number, task in enumerate(tasks, start=1):
        task["id"] = number
    tasks[0]["annotations"] = [{"id": 1, "result": tasks[0]["predictions"][0]["result"]}]
    tasks[1]["annotations"] = [{"id": 2, "result": []}]  # nothing is in it
    export = tmp_path / "project-1.json"
    export.write_text(json.dumps(tasks))
    merged = merge_labels(round1, export, data=manifest, out=tmp_path / "merged")
    assert (merged.images, merged.objects) == (2, 1)
    assert merged.not_annotated == (tasks[2]["data"]["image"].rsplit("/", 1)[1],)


def test_coco_annotations_join_train(tmp_path: Path, manifest: Path, round1: Path) -> None:
    export = tmp_path / "instances_default.json"
    image = {"id": 5, "file_name": "c2.png", "width": 64, "height": 48}
    box = {"id": 1, "image_id": 5, "category_id": 1, "bbox": [1, 2, 3, 4], "area": 12, "iscrowd": 0}
    content = {"images": [image], "annotations": [box], "categories": [{"id": 1, "name": "ball"}]}
    export.write_text(json.dumps(content))
    merged = merge_labels(round1, export, data=manifest, out=tmp_path / "merged")
    assert train_of(merged)["annotations"][-1]["category_id"] == 3
    assert (merged.images, merged.objects) == (1, 1)


def test_a_misspelt_category_is_refused_and_a_new_one_taken_on_request(
    tmp_path: Path, manifest: Path, round1: Path
) -> None:
    export = corrected_cvat(round1, ('label="cup"', 'label="cups"'))
    with pytest.raises(InputDataError, match="did you mean cup"):
        merge_labels(round1, export, data=manifest, out=tmp_path / "merged")
    assert not (tmp_path / "merged").exists()
    merged = merge_labels(round1, export, data=manifest, out=tmp_path / "merged", add_categories=True)
    assert merged.new_categories == ("cups",)
    for split in ("train", "val"):
        content = json.loads((merged.folder / "annotations" / f"instances_{split}2017.json").read_text())
        assert content["categories"][-1] == {"id": 91, "name": "cups", "supercategory": ""}


def test_what_does_not_belong_to_the_round_is_refused(tmp_path: Path, manifest: Path, round1: Path) -> None:
    export = corrected_cvat(round1)
    with pytest.raises(InputDataError, match="annotated twice"):
        merge_labels(round1, export, export, data=manifest, out=tmp_path / "merged")
    with pytest.raises(InputDataError, match="not suggested"):
        merge_labels(
            round1, corrected_cvat(round1, ('name="c1.png"', 'name="x.png"')), data=manifest, out=tmp_path / "merged"
        )
    with pytest.raises(AnnotationError, match="no export"):
        merge_labels(round1, round1 / "suggestions.csv", data=manifest, out=tmp_path / "merged")
    with pytest.raises(InputDataError, match="no suggestions"):
        merge_labels(tmp_path / "pool", export, data=manifest, out=tmp_path / "merged")
    export = corrected_cvat(round1)
    Image.new("RGB", (64, 48)).save(round1 / "images" / "c1.png")
    with pytest.raises(InputDataError, match="not what it was"):
        merge_labels(round1, export, data=manifest, out=tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_a_second_round_knows_the_first_and_its_groups(tmp_path: Path) -> None:
    pattern = "(?P<child>(?:train|val)_000[0-9]|c[0-9])"
    for n in range(5):
        write_image(tmp_path / "pool" / f"c{n}.png", "cup", 0.5 - n / 50, seed=n)
    manifest = write_manifest(tmp_path, f"data.groups.pattern={pattern}")
    lookup = group_lookup(GroupsConfig(pattern=pattern))
    first = suggest_images(
        tmp_path / "pool", tmp_path / "round1", detector="any", data=manifest, config=PLAIN, groups_of=lookup
    )
    merged = merge_labels(
        tmp_path / "round1", corrected_cvat(tmp_path / "round1"), data=manifest, out=tmp_path / "merged"
    )
    assert merged.groups is not None
    with merged.groups.open() as stream:
        rows = {row["file_name"]: row["child"] for row in csv.DictReader(stream)}
    assert rows["train2017/c0.png"] == "c0"
    assert rows["val2017/val_0001.jpg"] == "val_0001"
    assert len(rows) == 6 + 4 + 3
    again = run_stages(tmp_path, f"data.root={merged.folder}", f"data.groups.table={merged.groups}")
    second = suggest_images(
        tmp_path / "pool", tmp_path / "round2", detector="any", data=again, config=PLAIN, groups_of=lookup
    )
    assert {one.image for one in first.suggestions} == {"c0.png", "c1.png", "c2.png"}
    assert {one.image for one in second.suggestions} == {"c3.png", "c4.png"}
    assert second.left_out.annotated == 3
    with pytest.raises(InputDataError, match="in the data already"):
        merge_labels(tmp_path / "round1", corrected_cvat(tmp_path / "round1"), data=again, out=tmp_path / "twice")
