"""Stage 3: exactly the named annotations go, and not a byte of anything else changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from small_coco import annotation_file, change, make_coco, read
from transform_chain import CLEANED, first_two, third

from visionllm_interaction.errors import ManifestError, ValidationFailed


def break_boxes(content: dict[str, Any]) -> None:
    content["annotations"][2]["bbox"] = [0, 0, 0, 1]
    content["annotations"][5]["bbox"] = [0, 0, 1]


def test_drops_what_the_report_names_and_keeps_the_rest(tmp_path: Path) -> None:
    root, folder = make_coco(tmp_path / "data"), tmp_path / "run"
    change(root, "train", break_boxes)
    first_two(root, folder)
    manifest = third(folder)
    before, after = read(root, "train"), json.loads((folder / CLEANED.format("train")).read_text())
    gone = [before["annotations"][n]["id"] for n in (2, 5)]
    before["annotations"] = [a for a in before["annotations"] if a["id"] not in gone]
    assert after == before and list(after) == list(before)
    assert manifest.dropped == {"train": tuple(gone), "val": ()}
    assert manifest.counts["train"].annotations == 16 and manifest.counts["val"].annotations == 12


def test_manifest_says_all_that_training_needs(tmp_path: Path) -> None:
    root, folder = make_coco(tmp_path / "data"), tmp_path / "run"
    first_two(root, folder)
    third(folder)
    content = yaml.safe_load((folder / "data_transformation/training_manifest.yaml").read_text())
    assert content["categories"] == [
        {"category_id": 3, "name": "ball", "label": 1},
        {"category_id": 7, "name": "cup", "label": 2},
        {"category_id": 90, "name": "child", "label": 3},
    ]
    assert content["images"] == {"train": str(root / "train2017"), "val": str(root / "val2017")}
    assert content["annotations"] == {split: CLEANED.format(split) for split in ("train", "val")}


def test_failed_validation_is_not_transformed(tmp_path: Path) -> None:
    root, folder = make_coco(tmp_path / "data"), tmp_path / "run"
    change(root, "train", lambda c: c["annotations"][0].update(image_id=1))
    first_two(root, folder)
    with pytest.raises(ValidationFailed, match="ANN-DANGLING-IMAGE: 1 in train"):
        third(folder)
    assert not (folder / "data_transformation").exists()


def test_data_changed_after_validation_is_refused(tmp_path: Path) -> None:
    root, folder = make_coco(tmp_path / "data"), tmp_path / "run"
    first_two(root, folder)
    path = annotation_file(root, "val")
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(ManifestError, match="not the one the validation report was made from"):
        third(folder)
    assert sorted(p.name for p in folder.iterdir()) == ["data_ingestion", "data_validation"]


def test_box_with_nan_is_dropped_and_the_file_becomes_json(tmp_path: Path) -> None:
    root, folder = make_coco(tmp_path / "data"), tmp_path / "run"
    change(root, "val", lambda c: c["annotations"][0].update(bbox=[float("nan")] * 4))
    first_two(root, folder)
    third(folder)

    def refuse(name: str) -> float:
        raise AssertionError(name)

    after = json.loads((folder / CLEANED.format("val")).read_text(), parse_constant=refuse)
    assert after["annotations"] == read(root, "val")["annotations"][1:]
    assert after["unknown_key"] == {"kept": [1, 2.5, None]}


def test_real_annotations_stay_as_they_are(tmp_path: Path, shared_data: Path) -> None:
    root, folder = shared_data / "coco-mini", tmp_path / "run"
    first_two(root, folder)
    third(folder)
    for split in ("train", "val"):
        assert (folder / CLEANED.format(split)).read_bytes() == annotation_file(root, split).read_bytes()
