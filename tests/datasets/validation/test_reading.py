"""Annotation files as bytes: cut in pieces or whole, odd or random, the same records and faults come out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from visionllm_interaction.datasets.validation.config import ValidateConfig
from visionllm_interaction.datasets.validation.manifest_input import SplitSource
from visionllm_interaction.datasets.validation.reading import reader as reading
from visionllm_interaction.datasets.validation.reading.reader import read_split
from visionllm_interaction.datasets.validation.rules.run import check_split
from visionllm_interaction.datasets.validation.stage import examine


def content(count: int) -> dict[str, Any]:
    square = [[1.0, 1.0, 11.0, 1.0, 11.0, 11.0, 1.0, 11.0]]
    return {
        "images": [{"id": n, "width": 64, "height": 48, "file_name": f"{n}.jpg"} for n in range(count)],
        "annotations": [
            {
                "id": n,
                "image_id": n,
                "category_id": 1,
                "bbox": [1, 1, 10, 10],
                "area": 100.0,
                "iscrowd": 0,
                "attributes": [{"id": 1}, {"id": 2, "text": 'a "},{"id": 3}'}],
                "segmentation": square,
            }
            for n in range(count)
        ],
        "categories": [{"id": 1, "name": "ball"}],
    }


ORDERS = (
    ("images", "annotations", "categories"),
    ("annotations", "categories", "images"),
    ("categories", "images", "annotations"),
)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("piece", [500, 5_000])
def test_pieces_give_the_same_as_the_whole(
    tmp_path: Path, order: tuple[str, ...], indent: int | None, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PIECE_BYTES", piece)
    made = content(40)
    made["annotations"][7]["area"] = "large"
    made["annotations"][23]["segmentation"] = [1, 2, 3]
    made["annotations"][31]["segmentation"] = {"size": [48, 64], "counts": [0, 10, 48 * 64 - 10]}
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"info": {}} | {key: made[key] for key in order}, indent=indent))
    table, issues = read_split(path, "train", workers=2)
    assert table is not None
    assert table.annotations.ids.tolist() == list(range(40)) == table.annotations.positions.tolist()
    assert {(f.code, f.annotation_id, f.field) for f in issues} == {
        ("JSON-SCHEMA", 7, "area"),
        ("JSON-SCHEMA", 23, "segmentation"),
    }
    masks = table.annotations.masks
    assert masks.areas_px[0] == 100 and masks.areas_px[31] == 10 and np.isnan(masks.areas_px[23])
    assert masks.bounds_xyxy[0].tolist() == [1, 1, 11, 11] and masks.bounds_xyxy[31].tolist() == [0, 0, 1, 10]
    assert check_split(table, ValidateConfig())  # the mask of annotation 31 is not its box


def extra_keys(made: dict[str, Any], *, order: tuple[str, ...], **more: Any) -> str:
    return json.dumps({key: made[key] for key in order} | more)


def with_synonyms(made: dict[str, Any]) -> dict[str, Any]:
    """LVIS's categories: as many lists as there are categories, and more brackets than anybody would try."""
    names = [{"id": n, "synonyms": [f"thing {n}", "a ] b"], "parts": [{"id": 1}], "name": f"{n}"} for n in range(1500)]
    return made | {"categories": names}


def in_any_order(made: dict[str, Any]) -> dict[str, Any]:
    """Records whose keys have another order each."""
    turned = [
        dict(sorted(annotation.items(), key=lambda item: hash((annotation["id"] * 7919) ^ len(item[0]) * 31)))
        for annotation in made["annotations"]
    ]
    return made | {"annotations": turned}


def with_parts(made: dict[str, Any]) -> dict[str, Any]:
    """Records that end in a list of objects: two lists close behind each other, ``}]}]``."""
    return made | {"annotations": [a | {"parts": [{"id": 1}]} for a in made["annotations"]]}


ALL_KEYS = ("images", "annotations", "categories")
TRACKS = [{"id": n, "image_id": n, "length": 3} for n in range(30)]
LAYOUTS = {
    "categories last": lambda m: extra_keys(m, order=ALL_KEYS),
    "LVIS": lambda m: extra_keys(with_synonyms(m), order=ALL_KEYS),
    "pretty-printed LVIS": lambda m: json.dumps(with_synonyms(m), indent=2),
    "another list of records with an image_id behind": lambda m: extra_keys(m, order=ALL_KEYS, tracks=TRACKS),
    "and nothing behind it": lambda m: extra_keys(m, order=("images", "categories", "annotations"), tracks=TRACKS),
    "keys in any order": lambda m: extra_keys(in_any_order(m), order=ALL_KEYS),
    "annotations named in the info too": lambda m: json.dumps({"info": {"annotations": [{"image_id": 1}]}} | m),
    "blanks everywhere": lambda m: json.dumps(m, indent=40, separators=(" ,  ", "  :  ")),
    "other lists and values behind": lambda m: extra_keys(m, order=ALL_KEYS, licenses=[{"id": 1}], year=[1], note="]}"),
    "lists of objects at the end of records": lambda m: extra_keys(with_parts(m), order=ALL_KEYS),
    "the same, without blanks": lambda m: json.dumps(with_parts(m), separators=(",", ":")),
    "a byte order mark": lambda m: "\ufeff" + extra_keys(m, order=ALL_KEYS),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("count", [1, 60])
def test_no_layout_is_read_as_a_whole(tmp_path: Path, layout: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PIECE_BYTES", 2_000)
    monkeypatch.setattr(reading, "_read_whole", lambda *_: pytest.fail("read as a whole"))
    path = tmp_path / "a.json"
    path.write_text(LAYOUTS[layout](content(count)), encoding="utf-8")
    table, issues = read_split(path, "train", workers=2)
    assert table is not None and table.annotations.ids.tolist() == list(range(count))
    assert [issue.code for issue in issues] == ["JSON-BYTE-ORDER-MARK"] * (layout == "a byte order mark")
    assert len(table.images.ids) == count and len(table.categories) == (1500 if "LVIS" in layout else 1)


def test_a_broken_file_with_a_million_brackets_is_given_up_soon(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content(4_000))[:-400])
    table, issues = read_split(path, "train")
    assert table is None and [issue.code for issue in issues] == ["JSON-SYNTAX"]


def test_compressed_runs_are_cocoapis(tmp_path: Path) -> None:
    from pycocotools import mask

    shape = np.zeros((48, 64), np.uint8, order="F")
    shape[5:20, 7:30] = 1
    shape[30:33, 50] = 1
    packed = mask.encode(shape)
    made = content(1)
    made["annotations"][0]["segmentation"] = {"size": packed["size"], "counts": packed["counts"].decode()}
    path = tmp_path / "a.json"
    path.write_text(json.dumps(made))
    table, _ = read_split(path, "train")
    assert table is not None and not table.annotations.masks.rle_broken[0]
    assert table.annotations.masks.areas_px[0] == shape.sum() == mask.area(packed)
    assert table.annotations.masks.bounds_xyxy[0].tolist() == [7, 5, 51, 33]


def test_many_runs_at_once_are_cocoapis(tmp_path: Path) -> None:
    from pycocotools import mask

    random = np.random.default_rng(4)
    made = content(60)
    packed = []
    for number, annotation in enumerate(made["annotations"]):
        shape = np.zeros((48, 64), np.uint8, order="F")
        top, left = random.integers(0, 40), random.integers(0, 60)
        shape[top : top + random.integers(0, 48), left : left + random.integers(0, 3)] = 1
        packed.append(mask.encode(shape))
        flat = shape.ravel(order="F")
        edges = np.flatnonzero(np.diff(np.r_[0, flat])).tolist()
        plain = np.diff([0, *edges, flat.size]).tolist()
        counts = plain if number % 2 else packed[-1]["counts"].decode()
        annotation["segmentation"] = {"size": [48, 64], "counts": counts}
    path = tmp_path / "a.json"
    path.write_text(json.dumps(made))
    table, _ = read_split(path, "train")
    assert table is not None and not table.annotations.masks.rle_broken.any()
    areas, bounds = table.annotations.masks.areas_px, table.annotations.masks.bounds_xyxy
    assert areas.tolist() == mask.area(packed).tolist()
    boxes = mask.toBbox(packed)
    some = areas > 0
    assert bounds[some].tolist() == np.c_[boxes[:, :2], boxes[:, :2] + boxes[:, 2:]][some].tolist()
    assert np.isnan(bounds[~some]).all() and 0 < some.sum() < 60


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
numbers = st.integers(-3, 70) | st.floats(-5, 80)
segmentations = st.lists(st.lists(numbers, max_size=9), max_size=3) | st.fixed_dictionaries(
    {"size": st.lists(st.integers(-1, 70), max_size=3), "counts": st.lists(st.integers(-2, 99), max_size=6) | st.text()}
)
annotations = st.dictionaries(
    st.sampled_from(["id", "image_id", "category_id", "bbox", "area", "iscrowd", "segmentation", "other"]),
    st.integers(0, 4) | st.lists(numbers, min_size=4, max_size=4) | segmentations | json_values,
)
images = st.dictionaries(st.sampled_from(["id", "width", "height", "file_name"]), st.integers(0, 99) | json_values)
categories = st.dictionaries(st.sampled_from(["id", "name"]), st.integers(0, 4) | st.text(max_size=3) | json_values)
files = json_values | st.fixed_dictionaries(
    {
        "images": st.lists(images | json_values, max_size=4) | json_values,
        "annotations": st.lists(annotations | json_values, max_size=6) | json_values,
        "categories": st.lists(categories | json_values, max_size=4) | json_values,
    }
)


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(train=files, val=files)
def test_random_content_is_reported_and_never_crashes(tmp_path: Path, train: Any, val: Any) -> None:
    sources = {}
    for split, made in (("train", train), ("val", val)):
        path = tmp_path / f"{split}.json"
        path.write_text(json.dumps(made))
        sources[split] = SplitSource(None, path)
    result = examine(ValidateConfig(workers=1), sources, [])
    assert result.verdict.status == "FAIL" or not result.verdict.reasons
