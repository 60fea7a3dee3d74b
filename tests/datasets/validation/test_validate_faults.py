"""Stage 2: each fault type, injected into clean data, is reported under its code and with the right ids."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from small_coco import annotation_file, change, make_coco, read

from visionllm_interaction.artifacts.stage_manifests import ValidationReport
from visionllm_interaction.datasets.ingestion.config import IngestConfig
from visionllm_interaction.datasets.ingestion.stage import run as ingest
from visionllm_interaction.datasets.validation.config import ValidateConfig
from visionllm_interaction.datasets.validation.stage import run, summarise

MANIFEST = "data_ingestion/data_manifest.yaml"
REPORT = "data_validation/data_validation_report.yaml"


def validate(root: Path, folder: Path, config: ValidateConfig | None = None) -> ValidationReport:
    if not (folder / MANIFEST).exists():
        ingest(IngestConfig(root=root), out=folder / "data_ingestion")
    return run(config or ValidateConfig(), data_manifest=folder / MANIFEST, out=folder / "data_validation")


# What follows by itself from a changed box, size or name.
CONSEQUENCES = {"BOX-MASK-MISMATCH", "AREA-EXCEEDS-BOX", "AREA-MISMATCH", "FILE-UNLISTED", "IMG-SIZE", "BOX-DUPLICATE"}


def ids_of(report: ValidationReport) -> dict[str, tuple[int | str, ...]]:
    return {finding.code: finding.ids for finding in report.findings if finding.code not in CONSEQUENCES}


def test_clean_data_passes(tmp_path: Path) -> None:
    report = validate(make_coco(tmp_path / "data"), tmp_path / "run")
    assert (report.status, report.faults, report.findings, report.reasons) == ("PASS", {}, (), ())
    assert report.counts["train"].annotations == 18 and report.counts["val"].images == 4


Edit = Callable[[dict[str, Any]], None]


def put(kind: str, index: int, **values: Any) -> Edit:
    """An edit that sets keys of one record."""
    return lambda content: content[kind][index].update(values)


def drop_key(kind: str, index: int, key: str) -> Edit:
    def edit(content: dict[str, Any]) -> None:
        del content[kind][index][key]

    return edit


def append_copy(kind: str, index: int, **values: Any) -> Edit:
    return lambda content: content[kind].append({**content[kind][index], **values})


OUTSIDE = {"occluded": False, "outside": True, "keyframe": True, "track_id": 0}
"""What Datumaro writes of a track of CVAT that has left the image."""

# Annotation 0 has id 1000 and belongs to image 100 (64×48, category 3); the others count on from there.
ONE_FAULT: dict[str, tuple[str, tuple[int | str, ...], Edit, str]] = {
    "three numbers": ("BOX-MALFORMED", (1000,), put("annotations", 0, bbox=[1, 2, 3]), "PASS"),
    "a text in the box": ("BOX-MALFORMED", (1000,), put("annotations", 0, bbox=[1, 2, "three", 4]), "PASS"),
    "a truth value in the box": ("BOX-MALFORMED", (1000,), put("annotations", 0, bbox=[1, 2, True, 4]), "PASS"),
    "null box": ("BOX-MALFORMED", (1001,), put("annotations", 1, bbox=None), "PASS"),
    "NaN in the box": ("BOX-MALFORMED", (1001,), put("annotations", 1, bbox=[1, 2, 3, float("nan")]), "PASS"),
    "no box": ("BOX-MALFORMED", (1001,), drop_key("annotations", 1, "bbox"), "PASS"),
    "zero width": ("BOX-NON-POSITIVE", (1000,), put("annotations", 0, bbox=[1, 2, 0, 4]), "PASS"),
    "negative height": ("BOX-NON-POSITIVE", (1000,), put("annotations", 0, bbox=[1, 20, 3, -4]), "PASS"),
    "left of the image": ("BOX-NEGATIVE-ORIGIN", (1002,), put("annotations", 2, bbox=[-1, 2, 3, 4]), "PASS"),
    "above the image": ("BOX-NEGATIVE-ORIGIN", (1002,), put("annotations", 2, bbox=[1, -0.5, 3, 4]), "PASS"),
    "right of the image": ("BOX-OUT-OF-BOUNDS", (1002,), put("annotations", 2, bbox=[60, 2, 5, 4]), "PASS"),
    "below the image": ("BOX-OUT-OF-BOUNDS", (1002,), put("annotations", 2, bbox=[6, 40, 5, 8.02]), "PASS"),
    "annotation id twice": ("ANN-DUPLICATE-ID", (1001,), append_copy("annotations", 1), "FAIL"),
    "image id twice": ("IMG-DUPLICATE-ID", (101,), append_copy("images", 1), "FAIL"),
    "category id twice": ("CAT-DUPLICATE-ID", (7,), append_copy("categories", 1), "FAIL"),
    "no such image": ("ANN-DANGLING-IMAGE", (1001,), put("annotations", 1, image_id=12345), "FAIL"),
    "left the image": ("ANN-MARKED-OUTSIDE", (1001,), put("annotations", 1, attributes=OUTSIDE), "PASS"),
    "no such category": ("ANN-DANGLING-CATEGORY", (1001,), put("annotations", 1, category_id=4), "FAIL"),
    "file not there": ("FILE-MISSING", (100,), put("images", 0, file_name="gone.jpg"), "FAIL"),
    "file in no folder": ("FILE-MISSING", (100,), put("images", 0, file_name="sub/gone.jpg"), "FAIL"),
    "file above the folder": ("FILE-OUTSIDE", (100,), put("images", 0, file_name="../val2017/val_0000.jpg"), "FAIL"),
    "absolute file": ("FILE-OUTSIDE", (100,), put("images", 0, file_name="/etc/passwd"), "FAIL"),
    "list as id": ("JSON-SCHEMA", ("annotation[2]",), put("annotations", 2, id=[1002]), "FAIL"),
    "truth value as id": ("JSON-SCHEMA", ("annotation[2]",), put("annotations", 2, id=True), "FAIL"),
    "no image_id": ("JSON-SCHEMA", (1002,), drop_key("annotations", 2, "image_id"), "FAIL"),
    "id beyond 64 bits": ("JSON-SCHEMA", ("annotation[2]",), put("annotations", 2, id=2**70), "FAIL"),
    "text as area": ("JSON-SCHEMA", (1002,), put("annotations", 2, area="large"), "FAIL"),
    "NaN as area": ("JSON-SCHEMA", (1002,), put("annotations", 2, area=float("nan")), "FAIL"),
    "crowd flag 2": ("JSON-SCHEMA", (1002,), put("annotations", 2, iscrowd=2), "FAIL"),
    "no width": ("JSON-SCHEMA", (103,), drop_key("images", 3, "width"), "FAIL"),
    "height 0": ("JSON-SCHEMA", (103,), put("images", 3, height=0), "FAIL"),
    "annotation is a list": ("JSON-SCHEMA", ("annotation[18]",), lambda c: c["annotations"].append([1]), "FAIL"),
    "annotations is an object": ("JSON-SCHEMA", ("annotations",), lambda c: c.update(annotations={}), "FAIL"),
}  # fmt: skip


@pytest.mark.parametrize("name", ONE_FAULT)
def test_one_fault(tmp_path: Path, name: str) -> None:
    code, ids, edit, status = ONE_FAULT[name]
    root = make_coco(tmp_path / "data")
    change(root, "train", edit)
    report = validate(root, tmp_path / "run")
    expected = {code: ids}
    if name == "annotations is an object":
        expected["SPLIT-EMPTY"] = ("annotations",)
    assert ids_of(report) == expected
    assert report.status == status
    assert report.drop["train"] == (ids if status == "PASS" else ()) and report.drop["val"] == ()


def test_category_faults_look_at_both_splits(tmp_path: Path) -> None:
    root = make_coco(tmp_path / "data")
    change(root, "val", put("categories", 1, name="mug"))
    assert ids_of(validate(root, tmp_path / "run")) == {"CAT-DIFFERENT": (7,)}


def test_same_name_twice(tmp_path: Path) -> None:
    root = make_coco(tmp_path / "data")
    for split in ("train", "val"):
        change(root, split, put("categories", 1, name="ball"))
    report = validate(root, tmp_path / "run")
    assert ids_of(report) == {"CAT-DUPLICATE-NAME": (7,)} and report.status == "FAIL"
    assert report.faults == {"CAT-DUPLICATE-NAME": 2}


def without_category(category_id: int) -> Edit:
    def edit(content: dict[str, Any]) -> None:
        content["annotations"] = [a for a in content["annotations"] if a["category_id"] != category_id]

    return edit


@pytest.mark.parametrize(("min_images", "status"), [(4, "FAIL"), (5, "PASS")], ids=["large enough", "too small"])
def test_absent_category_fails_unless_chance_explains_it(tmp_path: Path, min_images: int, status: str) -> None:
    root = make_coco(tmp_path / "data", val=4)
    change(root, "val", without_category(90))
    report = validate(root, tmp_path / "run", ValidateConfig(category_presence_min_images=min_images))
    assert ids_of(report) == {"CAT-ABSENT": (90,)} and report.status == status


def test_a_category_whose_every_box_is_dropped_is_absent(tmp_path: Path) -> None:
    root = make_coco(tmp_path / "data")

    def break_all(content: dict[str, Any]) -> None:
        for annotation in content["annotations"]:
            if annotation["category_id"] == 3:
                annotation["bbox"][2] = 0

    change(root, "val", break_all)
    assert set(ids_of(validate(root, tmp_path / "run"))) == {"BOX-NON-POSITIVE", "CAT-ABSENT"}


BROKEN_FILES: dict[str, tuple[bytes, str]] = {
    "cut short": (b'{"images": [', "JSON-SYNTAX"),
    "empty": (b"", "JSON-SYNTAX"),
    "not UTF-8": (b'{"images": "\xff\xfe\xfa"}', "JSON-SYNTAX"),
    "deeply nested": (b"[" * 100_000, "JSON-SYNTAX"),
    "a list": (b"[]", "JSON-SCHEMA"),
}


@pytest.mark.parametrize("name", BROKEN_FILES)
def test_broken_file_is_a_fault_and_no_crash(tmp_path: Path, name: str) -> None:
    data, code = BROKEN_FILES[name]
    root = make_coco(tmp_path / "data")
    annotation_file(root, "val").write_bytes(data)
    report = validate(root, tmp_path / "run")
    assert list(report.faults) == [code] and report.status == "FAIL"


def test_missing_split_and_missing_keys_are_reported(tmp_path: Path) -> None:
    root = make_coco(tmp_path / "data")
    annotation_file(root, "val").unlink()
    report = validate(root, tmp_path / "run")
    assert report.status == "FAIL" and ids_of(report) == {"SPLIT-MISSING": ("annotations",)}

    manifest = yaml.safe_load((tmp_path / "run" / MANIFEST).read_text())
    del manifest["paths"]["val_images"], manifest["dataset_format"]
    (tmp_path / "other/data_ingestion").mkdir(parents=True)
    (tmp_path / "other" / MANIFEST).write_text(yaml.safe_dump(manifest))
    report = validate(root, tmp_path / "other")
    assert ids_of(report)["MANIFEST-KEY-MISSING"] == ("dataset_format", "paths.val_images")


def test_report_is_on_disk_with_all_ids_on_fail(tmp_path: Path) -> None:
    root = make_coco(tmp_path / "data", train=60)

    def shift_all(content: dict[str, Any]) -> None:
        for annotation in content["annotations"]:
            annotation["bbox"][0] += 50

    change(root, "train", shift_all)
    report = validate(root, tmp_path / "run", ValidateConfig(max_invalid_bbox_allowed=179))
    expected = sorted(a["id"] for a in read(root, "train")["annotations"])
    content = yaml.safe_load((tmp_path / "run" / REPORT).read_text())
    assert content["status"] == "FAIL" and len(expected) == 180
    assert [f["ids"] for f in content["findings"] if f["code"] == "BOX-OUT-OF-BOUNDS"] == [expected]
    table = pq.read_table(tmp_path / "run" / report.faults_file).to_pylist()
    boxes = [row for row in table if row["code"] == "BOX-OUT-OF-BOUNDS"]
    assert [row["annotation_id"] for row in boxes] == expected
    assert boxes[0]["found"].startswith("bbox [54.5, 6.25") and boxes[0]["image_id"] == 100


@pytest.mark.parametrize(
    ("config", "status", "dropped"),
    [
        ({}, "PASS", 2),
        ({"max_invalid_bbox_allowed": 2}, "PASS", 2),
        ({"max_invalid_bbox_allowed": 1}, "FAIL", 2),
        ({"drop_invalid_bbox": False}, "FAIL", 0),
        ({"actions": {"BOX-NON-POSITIVE": "error"}}, "FAIL", 1),
        ({"actions": {"BOX-NON-POSITIVE": "warn", "BOX-MALFORMED": "drop"}}, "PASS", 1),
        ({"actions": {"BOX-MALFORMED": {"action": "error", "max_count": 1}}}, "PASS", 1),
        ({"actions": {"BOX-MALFORMED": {"max_count": 0}}}, "FAIL", 2),
        ({"actions": {"BOX-MALFORMED": {"action": "warn", "max_share": 0.01}}}, "FAIL", 1),
        ({"actions": {"BOX-MALFORMED": {"action": "warn", "max_share": 0.1}}}, "PASS", 1),
    ],
)
def test_policy(tmp_path: Path, config: dict[str, Any], status: str, dropped: int) -> None:
    root = make_coco(tmp_path / "data")
    change(root, "train", put("annotations", 0, bbox=[1, 1, 0, 5]))
    change(root, "train", put("annotations", 4, bbox=[]))
    report = validate(root, tmp_path / "run", ValidateConfig(**config))
    assert (report.status, len(report.drop["train"])) == (status, dropped)
    found = {code: report.faults.get(code) for code in ("BOX-MALFORMED", "BOX-NON-POSITIVE")}
    assert found == {"BOX-MALFORMED": 1, "BOX-NON-POSITIVE": 1}, "the policy never hides a fault"


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ({"BOX-OUT-OF-BOUND": "warn"}, "did you mean BOX-OUT-OF-BOUNDS"),
        ({"CAT-DIFFERENT": "drop"}, "cannot be dropped"),
        ({"BOX-MALFORMED": "repair"}, "cannot be repaired"),
        ({"JSON-SYNTAX": "ignore"}, "always an error"),
    ],
)
def test_policy_that_makes_no_sense_is_refused(actions: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ValidateConfig(actions=actions)


def test_without_dropping_no_rule_softens_an_invalid_box() -> None:
    with pytest.raises(ValueError, match="is an error while drop_invalid_bbox is false"):
        ValidateConfig(drop_invalid_bbox=False, actions={"BOX-OUT-OF-BOUNDS": "warn"})


def test_one_box_can_have_several_faults_but_is_counted_once(tmp_path: Path) -> None:
    root = make_coco(tmp_path / "data")
    change(root, "train", put("annotations", 0, bbox=[-5, 1, 500, 15]))
    report = validate(root, tmp_path / "run", ValidateConfig(max_invalid_bbox_allowed=1))
    assert set(ids_of(report)) == {"BOX-NEGATIVE-ORIGIN", "BOX-OUT-OF-BOUNDS"}
    assert (report.status, report.tolerance.found) == ("PASS", 1)


def test_coco_mini_passes(tmp_path: Path, shared_data: Path) -> None:
    root = shared_data / "coco-mini"
    report = validate(root, tmp_path / "run")
    contents = [json.loads(annotation_file(root, split).read_text()) for split in ("train", "val")]
    result = summarise(report, tmp_path / "run" / REPORT)
    assert result.passed and result.issues == {"BOX-TWO-CATEGORIES": 1, "AREA-MISMATCH": 10}
    assert all(finding.action == "warn" for finding in report.findings)
    assert result.images == sum(len(c["images"]) for c in contents) == 543
    assert result.annotations == sum(len(c["annotations"]) for c in contents) == 4624


@pytest.mark.parametrize(("broken", "share", "status"), [(2, 0.0, "PASS"), (3, 0.1, "FAIL"), (3, 0.2, "PASS")])
def test_a_split_may_lose_a_share_of_its_boxes_and_two_in_any_case(
    tmp_path: Path, broken: int, share: float, status: str
) -> None:
    root = make_coco(tmp_path / "data")  # 18 annotations in train
    for row in range(broken):
        change(root, "train", put("annotations", row, bbox=[1.0, 1.0, 0.0, 5.0]))
    report = validate(root, tmp_path / "run", ValidateConfig(max_invalid_bbox_share=share))
    assert report.status == status, report.reasons
    said = [reason for reason in report.reasons if reason.startswith("max_invalid_bbox_share: 3 of 18")]
    assert bool(said) == (status == "FAIL")


@pytest.mark.parametrize("others", [False, True])
def test_boxes_of_tracks_that_left_the_image_are_left_out_and_counted(tmp_path: Path, others: bool) -> None:
    """Read in either way: records as COCO has them, and records one by one where another one is damaged."""
    root = make_coco(tmp_path / "data")
    marks: list[object] = [OUTSIDE, {**OUTSIDE, "outside": "true"}, {"track_id": 1, "outside": 1}]
    marks += [{**OUTSIDE, "outside": False}, {"outside": True}, {"track_id": 1, "outside": "no"}, "outside", None]

    def edit(content: dict[str, Any]) -> None:
        for record, attributes in zip(content["annotations"], marks, strict=False):
            record["attributes"] = attributes
        if others:
            content["annotations"][-1]["area"] = "large"

    change(root, "train", edit)
    report = validate(root, tmp_path / "run", ValidateConfig(actions={"JSON-SCHEMA": "warn"}))
    assert ids_of(report)["ANN-MARKED-OUTSIDE"] == (1000, 1001, 1002)
    assert report.status == "PASS" and report.drop["train"] == (1000, 1001, 1002)
