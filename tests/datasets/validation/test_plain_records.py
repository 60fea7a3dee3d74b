"""The quick way to read annotations says the same as the careful one, or leaves the piece to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

import duckdb
import numpy as np
import pytest

from visionllm_interaction.datasets.validation.reading import chunk_decoder as chunks
from visionllm_interaction.datasets.validation.reading.columns import MaskColumns
from visionllm_interaction.datasets.validation.reading.fast_decoder import read_plain
from visionllm_interaction.datasets.validation.reading.polygons import connect


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as opened:
        yield opened


def records() -> list[dict[str, Any]]:
    made = [
        {
            "segmentation": [[1.5, 1, 11, 1, 11, 11 + n], [2, 2, 3, 2, 3, 3]] if n else [],
            "area": 50.25 + n,
            "iscrowd": 0,
            "image_id": 7,
            "bbox": [1.5, 1, 9.5, 10 + n],
            "category_id": 3,
            "id": 900_719_925_474_099_300 + n,
        }
        for n in range(4)
    ]
    made.append(made[1] | {"iscrowd": 1, "id": 5, "segmentation": {"counts": [4, 3, 8], "size": [3, 5]}})
    return made


def text(rows: Any) -> bytes:
    return json.dumps(rows).encode()


def changed(edit: Callable[[list[dict[str, Any]]], Any]) -> bytes:
    rows = records()
    edit(rows)
    return text(rows)


def all_of(key: str, value: Any) -> bytes:
    return text([{**row, key: value} for row in records()])


ALIKE = {
    "as COCO writes": text(records()),
    "with line breaks": json.dumps(records(), indent=1).encode(),
    "size first": changed(lambda r: r[4].update(segmentation={"size": [3, 5], "counts": [4, 3, 8]})),
    "a crowd first": text(records()[::-1]),
    "both orders": changed(lambda r: r.append(r[4] | {"segmentation": {"size": [3, 5], "counts": [4, 3, 8]}})),
    "without area and flag": text([{k: v for k, v in r.items() if k not in ("area", "iscrowd")} for r in records()]),
    "without masks": text([{k: v for k, v in r.items() if k != "segmentation"} for r in records()]),
    "another number": all_of("score", 0.5),
}
LEFT = {
    "text for a number": changed(lambda r: r[2].update(area="50")),
    "text in all": all_of("area", "50"),
    "true for a number": changed(lambda r: r[2].update(iscrowd=True)),
    "null": changed(lambda r: r[2].update(area=None)),
    "a list for a number": all_of("area", [1]),
    "id with a point": text(records()).replace(b'"id": 5}', b'"id": 5.0}'),
    "id with an exponent": text(records()).replace(b'"id": 5}', b'"id": 5e0}'),
    "id too large": text(records()).replace(b'"id": 5}', b'"id": 99999999999999999999}'),
    "flag of 2": changed(lambda r: r[2].update(iscrowd=2)),
    "three numbers": changed(lambda r: r[2].update(bbox=[1, 2, 3])),
    "five numbers": changed(lambda r: r[2].update(bbox=[1, 2, 3, 4, 5])),
    "nested box": changed(lambda r: r[2].update(bbox=[[1, 2, 3, 4]])),
    "box too large": text(records()).replace(b"9.5,", b"1e999,"),
    "flat polygon": changed(lambda r: r[2].update(segmentation=[1, 2, 3, 4, 5, 6])),
    "nested polygon": changed(lambda r: r[2].update(segmentation=[[[1, 2], [3, 4]]])),
    "number for a mask": changed(lambda r: r[2].update(segmentation=5)),
    "run lengths without size": changed(lambda r: r[4].update(segmentation={"counts": [4, 3, 8]})),
    "run lengths for a box": changed(lambda r: r[4].update(bbox={"counts": [4, 3, 8], "size": [3, 5]})),
    "run lengths in a list": changed(lambda r: r[4].update(segmentation=[{"counts": [4, 3, 8], "size": [3, 5]}])),
    "only crowds": text(records()[4:]).replace(b'"counts"', b'"size"'),
    "negative runs": changed(lambda r: r[4].update(segmentation={"counts": [-4, 3], "size": [3, 5]})),
    "compressed runs": changed(lambda r: r[4].update(segmentation={"counts": "42", "size": [3, 5]})),
    "a missing key": changed(lambda r: r[2].pop("image_id")),
    "another order": changed(lambda r: r.append(dict(sorted(r[0].items())))),
    "a number among records": changed(lambda r: r.append(5)),  # type: ignore[arg-type]
    "a list around a record": text([*records()[:2], [records()[2]]]),
    "comma at the end": text(records())[:-1] + b" ,\n ]",
    "comma in a box": text(records()).replace(b"9.5, 11]", b"9.5, 11 , ]"),
    "comma in a record": text(records()).replace(b'"id": 5}', b'"id": 5,}'),
    "key twice": text(records()).replace(b'"id":', b'"id": 1, "id":'),
    "NaN": text(records()).replace(b"50.25", b"NaN"),
    "cut": text(records())[:-30],
    "nothing": b"[]",
}


@pytest.mark.parametrize("name", ALIKE)
def test_plain_records_are_read_the_quick_way(name: str, database: duckdb.DuckDBPyConnection) -> None:
    assert read_plain(ALIKE[name], database) is not None
    assert_same(ALIKE[name], database)


@pytest.mark.parametrize("name", LEFT)
def test_other_records_are_left_to_the_careful_way(name: str, database: duckdb.DuckDBPyConnection) -> None:
    assert read_plain(LEFT[name], database) is None
    chunks.decode_chunk(LEFT[name], database)


def assert_same(data: bytes, database: duckdb.DuckDBPyConnection) -> None:
    quick = read_plain(data, database)
    careful = chunks.decode_rows(json.loads(data), strict=True).columns
    assert quick is not None
    for name in ("ids", "image_ids", "category_ids", "boxes_xywh", "areas_px", "crowd", "positions"):
        np.testing.assert_array_equal(getattr(quick, name), getattr(careful, name), err_msg=name)
    for column in fields(MaskColumns):
        np.testing.assert_array_equal(
            getattr(quick.masks, column.name), getattr(careful.masks, column.name), err_msg=column.name
        )
