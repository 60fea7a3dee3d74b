"""The quick way to read annotations says the same as the careful one, or leaves the piece to it."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

import duckdb
import msgspec
import numpy as np
import pytest

from visionllm_interaction.datasets.validation.reading import chunk_decoder as chunks
from visionllm_interaction.datasets.validation.reading.columns import AnnotationColumns, MaskColumns
from visionllm_interaction.datasets.validation.reading.fast_decoder import is_utf8, read_plain
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
    "run lengths under another key": changed(lambda r: r[4].update(segmentation2=r[4].pop("segmentation"))),
    "run lengths under a key that differs by a digit": text(records()).replace(
        b'"segmentation": {', b'"segmentation2": {'
    ),
    "cut": text(records())[:-30],
    "nothing": b"[]",
}


def quickly(data: bytes, database: duckdb.DuckDBPyConnection) -> AnnotationColumns | None:
    [(same, columns)] = read_plain([data], database)
    assert same is data
    return columns


@pytest.mark.parametrize("name", ALIKE)
def test_plain_records_are_read_the_quick_way(name: str, database: duckdb.DuckDBPyConnection) -> None:
    assert quickly(ALIKE[name], database) is not None
    assert_same(ALIKE[name], database)


@pytest.mark.parametrize("name", LEFT)
def test_other_records_are_left_to_the_careful_way(name: str, database: duckdb.DuckDBPyConnection) -> None:
    assert quickly(LEFT[name], database) is None
    list(chunks.decode_chunks([LEFT[name]], database))


def test_each_text_of_a_query_gets_its_own_answer(database: duckdb.DuckDBPyConnection) -> None:
    torn = ALIKE["as COCO writes"].replace(b"]]", b"]", 1)  # alike in form, but DuckDB ends the query at it
    plain, other = ALIKE["with line breaks"], LEFT["null"]
    texts = [plain, other, torn, plain, torn, torn, *[plain] * 20, other, torn]
    answers = list(read_plain(iter(texts), database))
    assert [text for text, _ in answers] == texts
    assert [columns is not None for _, columns in answers] == [text == plain for text in texts]


def test_a_file_that_cannot_be_read_is_not_taken_for_bad_json(database: duckdb.DuckDBPyConnection) -> None:
    def texts() -> Iterator[bytes]:
        yield ALIKE["as COCO writes"]
        raise PermissionError(13, "Permission denied", "annotations.json")

    with pytest.raises(PermissionError, match=r"annotations\.json"):
        list(read_plain(texts(), database))


def test_masks_of_crowds_come_from_their_own_records(database: duckdb.DuckDBPyConnection) -> None:
    row = records()[4]
    crowds = [row | {"segmentation": {"counts": [n, 15 - n], "size": [3, 5]}} for n in range(15)]
    mixed = [*records()[:2], *crowds[:4], records()[2], crowds[4], records()[3], *crowds[5:]]
    columns = quickly(text(mixed), database)
    assert columns is not None
    covered = [15 - n for n in range(15)]
    assert columns.masks.areas_px[columns.crowd].tolist() == covered
    assert_same(text(mixed), database)


BYTES = b'0123456789.-+eE[]{},:" \t\n\x0b\x00nul_abcdist'
NUMBERS = (b"0", b"7", b"12", b"1.5", b"-3", b"1e2", b"0.0", b"3E-1", b"0x1", b"01", b"", b" 4 ", b"5,6")


def changed_text(data: bytes, chance: random.Random) -> bytes:
    """``data`` with a few bytes changed, moved, doubled or gone."""
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 4))):
        at, other = sorted(chance.randrange(len(data)) for _ in range(2))
        length = chance.choice((1, 1, 1, 2, 3, 5, 8, 13, 30))
        if chance.random() < 0.5:  # numbers only: most of these texts stay what they were
            data = re.sub(rb"\d", lambda m: chance.choice((m[0],) * 999 + NUMBERS), data)
            continue
        taken, rest = data[at : at + length], data[at + length :]
        data = chance.choice(
            (
                data[:at] + rest,
                data[:at] + bytes(chance.choices(BYTES, k=len(taken))) + rest,
                data[:at] + bytes(chance.choices(BYTES, k=length)) + taken + rest,
                data[:other] + taken + data[other:],
                data[:at] + rest[: other - at] + taken + rest[other - at :],
                data[:at] + rest[:length] + taken + rest[length:],
            )
        )
    return data


def check_changed(seeds: range, database: duckdb.DuckDBPyConnection) -> int:
    """How many texts with changes in them are still read the quick way, all of them rightly."""
    quick = 0
    for seed in seeds:
        chance = random.Random(seed)
        name = chance.choice([*ALIKE, "comma in a box", "flat polygon", "text in all"])
        data = changed_text(ALIKE.get(name) or LEFT[name], chance)
        if quickly(data, database) is not None:
            assert is_utf8(data)
            assert_same(data, database)
            quick += 1
    return quick


def test_texts_with_changes_are_read_rightly_or_left(database: duckdb.DuckDBPyConnection) -> None:
    assert check_changed(range(3_000), database) > 150


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_many_texts_with_changes_are_read_rightly_or_left(database: duckdb.DuckDBPyConnection) -> None:
    assert check_changed(range(3_000, 200_000), database) > 10_000


def assert_same(data: bytes, database: duckdb.DuckDBPyConnection) -> None:
    quick = quickly(data, database)
    chunk = chunks.decode_rows(msgspec.json.decode(data), strict=True)
    careful = chunk.columns
    assert quick is not None
    assert not chunk.mismatches
    for name in ("ids", "image_ids", "category_ids", "boxes_xywh", "areas_px", "crowd", "positions"):
        np.testing.assert_array_equal(getattr(quick, name), getattr(careful, name), err_msg=name)
    for column in fields(MaskColumns):
        np.testing.assert_array_equal(
            getattr(quick.masks, column.name), getattr(careful.masks, column.name), err_msg=column.name
        )
