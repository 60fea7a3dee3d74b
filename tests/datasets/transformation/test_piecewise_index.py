"""A large annotation file is indexed piece by piece: the same places as when it is read as a whole."""

from __future__ import annotations

import json
import mmap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from visionllm_interaction.datasets.transformation.editing import byte_index
from visionllm_interaction.datasets.transformation.editing.byte_index import (
    SECTIONS,
    CocoBytes,
    Index,
    index_pieces,
    index_whole,
)

LISTS: dict[str, list[dict[str, Any]]] = {
    "images": [{"id": n, "file_name": f"{n:03}.jpg", "note": "} , {" if n % 3 else "é"} for n in range(40)],
    "annotations": [
        {"id": n, "image_id": n % 40, "category_id": 1 + n % 2, "segmentation": [[1.5] * (n % 7)], "tags": [{"a": n}]}
        for n in range(300)
    ],
    "categories": [{"id": 1, "name": "cup"}, {"id": 2, "name": "spoon", "synonyms": ["ladle", "]"]}],
    "info": [],
}


def both(text: bytes, path: Path) -> tuple[Index | None, Index]:
    path.write_bytes(text)
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        # spans are plain numbers: nothing of the mapped file is held on to
        return index_pieces(data, path), index_whole(text)


def written(order: tuple[str, ...], comma: str, colon: str, odd: tuple[int, ...]) -> bytes:
    """The lists in this order; behind the records in ``odd`` there are more blanks than elsewhere."""
    parts = []
    for name in order:
        rows = [json.dumps(row, ensure_ascii=False) + (" \n" if n in odd else "") for n, row in enumerate(LISTS[name])]
        parts.append(f'"{name}"{colon}[{comma.join(rows)}]')
    return ("{" + ", ".join(parts) + "}").encode()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    order=st.permutations(sorted(LISTS)).map(tuple),
    comma=st.sampled_from([",", ", ", " ,\n  "]),
    colon=st.sampled_from([":", ": "]),
    odd=st.lists(st.integers(0, 299), max_size=2).map(tuple),
)
def test_pieces_and_the_whole_give_the_same_places(
    order: tuple[str, ...], comma: str, colon: str, odd: tuple[int, ...], tmp_path: Path
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(byte_index, "_PIECE_BYTES", 2_000)
        pieces, whole = both(written(order, comma, colon, odd), tmp_path / "coco.json")
    assert pieces is not None
    assert pieces.lists == whole.lists
    for section in SECTIONS:
        assert np.array_equal(pieces.rows[section], whole.rows[section])


@pytest.mark.parametrize(
    "text",
    [
        b'{"images": [], "annotations": [], "categories": []}',
        b'{"images": [], "annotations": [{"id": 1, "image_id": 1},], "categories": []}',
        b'{"annotations": [{"id": 1, "image_id": 1}], "categories": []}',
        b'\xef\xbb\xbf{"images": [], "annotations": [{"id": 1, "image_id": 1}], "categories": []}',
        b'{"images": [], "annotations": [{"id": 1, "image_id": NaN}], "categories": []}',
    ],
)
def test_what_cannot_be_cut_is_left_to_the_whole(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "coco.json").write_bytes(text)
    with (tmp_path / "coco.json").open("rb") as stream:
        data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    assert index_pieces(data, tmp_path / "coco.json") is None


def test_records_of_an_opened_file_are_those_of_its_text(tmp_path: Path) -> None:
    text = written(("info", "annotations", "images", "categories"), ",", ":", (7,))
    (tmp_path / "coco.json").write_bytes(text)
    content = CocoBytes.open(tmp_path / "coco.json")
    for section in SECTIONS:
        assert [json.loads(content.row_bytes(section, n)) for n in range(content.count(section))] == LISTS[section]
    assert content.keys("annotations")[1].tolist() == [row["image_id"] for row in LISTS["annotations"]]
    assert content.field("annotations", 9, "tags") == b'[{"a": 9}]'
    assert content.file_names() == [row["file_name"] for row in LISTS["images"]]
