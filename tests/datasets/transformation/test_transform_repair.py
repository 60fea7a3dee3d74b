"""Repairs: each does what its fault code says, touches nothing else, and finds nothing to do the second time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_coco import HEIGHT, WIDTH, change, make_coco, read
from transform_chain import chain, changes, cleaned, first_two, own_output, third, written

from visionllm_interaction.datasets.transformation.coco_geometry import clip_box, mask_area, run_lengths
from visionllm_interaction.datasets.transformation.editing.byte_editor import ByteEditor
from visionllm_interaction.datasets.transformation.editing.byte_index import CocoBytes
from visionllm_interaction.datasets.transformation.repair import REPAIRED_CODES, RepairState, apply_edits
from visionllm_interaction.datasets.transformation.requested_edits import RecordEdit, edits_for
from visionllm_interaction.datasets.validation.catalogue import CATALOGUE
from visionllm_interaction.datasets.validation.config import ValidateConfig
from visionllm_interaction.errors import AnnotationError, ManifestError

REPAIR_BOXES = ValidateConfig(
    actions=dict.fromkeys(("BOX-NEGATIVE-ORIGIN", "BOX-OUT-OF-BOUNDS", "ANN-DUPLICATE-ID"), "repair")
)


def bench_of(*annotations: dict[str, Any], edits: tuple[tuple[str, int], ...], merges: bool = False) -> RepairState:
    """Repair ``annotations`` of one 100×50 image, by (code, row)."""
    import json

    rows = [{"id": n, "image_id": 1, "category_id": 1, **a} for n, a in enumerate(annotations, start=1)]
    content = {"images": [{"id": 1, "width": 100, "height": 50}], "annotations": rows, "categories": []}
    editor = ByteEditor("train", CocoBytes(json.dumps(content).encode(), where="test.json"))
    listed = [RecordEdit(code, "repair", "annotations", row) for code, row in edits]
    return apply_edits(editor, listed, merges_copies=merges)


def test_stage_2_offers_a_repair_exactly_where_stage_3_has_one() -> None:
    assert {code for code, fault in CATALOGUE.items() if fault.repair} == REPAIRED_CODES


def test_boxes_are_clipped_and_the_log_has_old_and_new(tmp_path: Path) -> None:
    root, folder = make_coco(tmp_path / "data"), tmp_path / "run"

    def break_boxes(content: dict[str, Any]) -> None:
        content["annotations"][0]["bbox"] = [-4.5, 6, 20, 1.5e1]
        content["annotations"][4]["bbox"] = [50.25, 40, 20.5, 20]

    change(root, "train", break_boxes)
    manifest = chain(root, folder, policy=REPAIR_BOXES)
    before, after = read(root, "train"), cleaned(folder, "train")
    assert after["annotations"][0]["bbox"] == [0, 6, 15.5, 15.0]
    assert after["annotations"][4]["bbox"] == [50.25, 40, 13.75, 8]
    boxes = [c for c in changes(folder) if c["field"] == "bbox"]
    assert [(c["annotation_id"], c["image_id"], c["code"], c["old"], c["new"]) for c in boxes] == [
        (1000, 100, "BOX-NEGATIVE-ORIGIN", "[-4.5, 6, 20, 15.0]", "[0, 6, 15.5, 15.0]"),
        (1011, 101, "BOX-OUT-OF-BOUNDS", "[50.25, 40, 20.5, 20]", "[50.25, 40, 13.75, 8]"),
    ]
    for number in (0, 4):
        before["annotations"][number].update(bbox=after["annotations"][number]["bbox"])
        before["annotations"][number].update(area=after["annotations"][number]["area"])
    assert after == before and written(folder)["val"] == (root / "annotations/instances_val2017.json").read_bytes()
    assert manifest.dropped == {"train": (), "val": ()} and manifest.unrepaired == {}
    assert sum(c.count for c in manifest.changes) == len(changes(folder))


def test_a_second_time_there_is_nothing_to_do(tmp_path: Path) -> None:
    root = make_coco(tmp_path / "data")

    def break_much(content: dict[str, Any]) -> None:
        rows = content["annotations"]
        rows[0]["bbox"] = [-4.5, 6, 20, 15]
        rows[1]["bbox"] = [0, 0, 0, 1]
        rows[2].update(bbox=[200, 0, 5, 5])
        rows.append({**rows[5], "note": "the same id twice"})

    change(root, "train", break_much)
    first = chain(root, tmp_path / "run1", policy=REPAIR_BOXES)
    again = own_output(first, tmp_path / "run1", tmp_path / "data2")
    chain(again, tmp_path / "run2", policy=REPAIR_BOXES)
    assert written(tmp_path / "run1") == written(tmp_path / "run2")
    assert len(changes(tmp_path / "run1")) >= 4 and changes(tmp_path / "run2") == []


def test_the_same_data_gives_the_same_bytes(tmp_path: Path) -> None:
    root = make_coco(tmp_path / "data")
    change(root, "val", lambda c: c["annotations"][3].update(bbox=[-1, 0, 5, 5]))
    for name in ("run1", "run2"):
        chain(root, tmp_path / name, policy=REPAIR_BOXES)
    assert written(tmp_path / "run1") == written(tmp_path / "run2")
    table = "data_transformation/changes.parquet"
    assert (tmp_path / "run1" / table).read_bytes() == (tmp_path / "run2" / table).read_bytes()


def test_a_box_with_nothing_inside_the_image_is_dropped_and_listed(tmp_path: Path) -> None:
    root, folder = make_coco(tmp_path / "data"), tmp_path / "run"
    change(root, "train", lambda c: c["annotations"][7].update(bbox=[WIDTH + 5, 2, 5, 5]))
    manifest = chain(root, folder, policy=REPAIR_BOXES)
    assert manifest.dropped == {"train": (1021,), "val": ()}
    (row,) = changes(folder)
    assert (row["action"], row["code"], row["field"], row["new"]) == ("drop", "BOX-OUT-OF-BOUNDS", None, None)
    assert '"note": "“quoted”"' in row["old"]


def test_later_records_get_new_ids(tmp_path: Path) -> None:
    root, folder = make_coco(tmp_path / "data"), tmp_path / "run"
    change(root, "train", lambda c: c["annotations"].append({**c["annotations"][3], "bbox": [1, 1, 2, 2]}))
    chain(root, folder, policy=REPAIR_BOXES)
    ids = [a["id"] for a in cleaned(folder, "train")["annotations"]]
    assert ids == [a["id"] for a in read(root, "train")["annotations"][:-1]] + [1053]


# x, y, width, height in an image of 100×50 → clipped
CLIPS: dict[tuple[float, ...], list[float] | None] = {
    (10, 10, 20, 20): [10, 10, 20, 20],
    (-5, 10, 20, 20): [0, 10, 15, 20],
    (10, -5.25, 20, 20): [10, 0, 20, 14.75],
    (90, 40, 20, 20): [90, 40, 10, 10],
    (-5, -5, 200, 200): [0, 0, 100, 50],
    (99.9, 0, 0.30000000000000004, 1): [99.9, 0, 0.1, 1],
    (100, 0, 5, 5): None,
    (-5, 0, 5, 5): None,
    (0, 60, 5, 5): None,
}


@pytest.mark.parametrize("box", CLIPS)
def test_clip_box(box: tuple[float, ...]) -> None:
    assert clip_box(box, width=100, height=50) == CLIPS[box]


def test_area_of_masks_as_pycocotools_counts_it() -> None:
    from pycocotools import mask

    square = [[10.0, 10.0, 30.0, 10.0, 30.0, 40.0, 10.0, 40.0]]
    assert mask_area(square) == 600 == mask.area(mask.merge(mask.frPyObjects(square, 50, 100)))
    runs = {"size": [50, 100], "counts": [120, 300, 4000, 77, 503]}
    packed = mask.frPyObjects(runs, 50, 100)
    text = packed["counts"].decode()
    assert run_lengths(text) == runs["counts"]
    assert mask_area({**runs, "counts": text}) == mask_area(runs) == mask.area(packed) == 377
    assert mask_area([[1, 2, 3]]) is None and mask_area({"counts": "\x01"}) is None and mask_area([]) is None


def test_area_from_the_mask_else_from_the_box() -> None:
    polygon = [[0, 0, 10, 0, 10, 10]]
    state = bench_of(
        {"bbox": [0, 0, 10, 10], "area": 100, "segmentation": polygon},
        {"bbox": [0, 0, 10, 5], "area": 0},
        {"bbox": [0, 0, 10, 5], "area": -1, "segmentation": "broken"},
        edits=(("AREA-MISMATCH", 0), ("AREA-NON-POSITIVE", 1), ("AREA-NON-POSITIVE", 2)),
    )
    assert [state.editor.get("annotations", row, "area") for row in range(3)] == [50, 50, -1]
    assert state.left == {"AREA-NON-POSITIVE": [3]}


def test_the_area_of_a_clipped_box_goes_with_it() -> None:
    state = bench_of(
        {"bbox": [-10, 0, 20, 10], "area": 200},
        {"bbox": [-10, 0, 20, 10], "area": 50, "segmentation": [[0, 0, 10, 0, 10, 10]]},
        edits=(("BOX-NEGATIVE-ORIGIN", 0), ("BOX-NEGATIVE-ORIGIN", 1)),
    )
    assert [state.editor.get("annotations", row, "area") for row in range(2)] == [100, 50]


def test_exact_copies_are_merged_and_others_stay() -> None:
    one = {"bbox": [0, 0, 10, 10], "area": 100}
    state = bench_of(
        one,
        {**one, "attributes": {"occluded": True}},
        {**one, "area": 90},
        edits=(("BOX-DUPLICATE", 1), ("BOX-DUPLICATE", 2)),
    )
    assert list(state.editor.rows("annotations")) == [0, 2]
    assert state.editor.record("annotations", 0)["attributes"] == {"occluded": True}
    assert state.left == {"BOX-DUPLICATE": [3]}
    assert [(c.action, c.annotation_id, c.field) for c in state.editor.log] == [
        ("repair", 1, "attributes"),
        ("repair", 2, None),
    ]


def test_boxes_that_clipping_makes_equal_are_merged_if_the_policy_merges() -> None:
    rows = ({"bbox": [-1, 0, 11, 10]}, {"bbox": [-2, 0, 12, 10]})
    edits = (("BOX-NEGATIVE-ORIGIN", 0), ("BOX-NEGATIVE-ORIGIN", 1))
    assert list(bench_of(*rows, edits=edits, merges=True).editor.rows("annotations")) == [0]
    assert list(bench_of(*rows, edits=edits).editor.rows("annotations")) == [0, 1]


def test_a_dropped_image_takes_its_annotations_along(tmp_path: Path) -> None:
    root, folder = make_coco(tmp_path / "data"), tmp_path / "run"
    (root / "train2017/train_0002.jpg").unlink()
    manifest = chain(root, folder, policy=ValidateConfig(actions={"FILE-MISSING": "drop"}))
    after = cleaned(folder, "train")
    assert [i["id"] for i in after["images"]] == [100, 101, 103, 104, 105]
    assert not {a["image_id"] for a in after["annotations"]} - {i["id"] for i in after["images"]}
    assert manifest.dropped["train"] == (1020, 1021, 1022) and manifest.counts["train"].images == 5
    assert {c["entity"] for c in changes(folder)} == {"image", "annotation"}


def test_a_report_about_other_records_is_refused() -> None:
    source = CocoBytes(b'{"images":[],"annotations":[{"id":1},{"id":1},{"id":2}],"categories":[]}', where="x")
    row = {"code": "X", "action": "drop", "split": "train", "entity": "annotation", "image_id": None}
    assert edits_for("train", [{**row, "annotation_id": 1, "position": 1}], source)[0].row == 1
    assert edits_for("train", [{**row, "annotation_id": 2, "position": None}], source)[0].row == 2
    for wrong in ({"annotation_id": 1, "position": 2}, {"annotation_id": 1, "position": None}):
        with pytest.raises(AnnotationError, match="not what the validation report describes"):
            edits_for("train", [{**row, **wrong}], source)
    with pytest.raises(AnnotationError, match="cannot drop"):
        edits_for("train", [{**row, "entity": "category", "annotation_id": None, "position": 0}], source)


def test_a_code_without_repair_is_refused() -> None:
    with pytest.raises(AnnotationError, match="no repair"):
        bench_of({"bbox": [0, 0, 1, 1]}, edits=(("BOX-TINY", 0),))


def test_a_missing_table_of_faults_is_a_clear_error(tmp_path: Path) -> None:
    root, folder = make_coco(tmp_path / "data"), tmp_path / "run"
    first_two(root, folder)
    (folder / "data_validation/faults.parquet").write_bytes(b"no parquet")
    with pytest.raises(ManifestError, match="table of faults"):
        third(folder)
    assert not (folder / "data_transformation").exists()


def test_raw_data_is_not_written_to(tmp_path: Path) -> None:
    from visionllm_interaction.utils.hashing import sha256_tree

    root = make_coco(tmp_path / "data")
    change(root, "train", lambda c: c["annotations"][0].update(bbox=[-1, 0, 5, HEIGHT + 9]))
    before = sha256_tree(root), sorted((p, p.stat().st_mtime_ns) for p in root.rglob("*"))
    chain(root, tmp_path / "run", policy=REPAIR_BOXES)
    assert (sha256_tree(root), sorted((p, p.stat().st_mtime_ns) for p in root.rglob("*"))) == before
