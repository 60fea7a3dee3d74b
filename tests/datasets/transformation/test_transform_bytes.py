"""Splicing: exactly what was changed changes, and not a byte of anything else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visionllm_interaction.datasets.transformation.editing.byte_editor import ABSENT, ByteEditor
from visionllm_interaction.datasets.transformation.editing.byte_index import NO_ID, CocoBytes
from visionllm_interaction.errors import AnnotationError

ODD = (
    '{"b":1.50, "annotations" : [ {"id":1,"x":1e2} ,{"id":2, "y":"\\u00e9é"} ,\n {"id":3}]'
    ',"images":[ ],"categories":[]}'
)


def editor(text: str | bytes) -> ByteEditor:
    data = text.encode() if isinstance(text, str) else text
    return ByteEditor("train", CocoBytes(data, where="test.json"))


def text_of(changed: ByteEditor) -> str:
    return b"".join(changed.pieces()).decode()


def test_nothing_changed_is_the_same_bytes() -> None:
    assert text_of(editor(ODD)) == ODD


# dropped rows → what is left between the brackets, with the separators of what stays
DROPS = {
    (0,): '{"id":2, "y":"\\u00e9é"} ,\n {"id":3}',
    (1,): '{"id":1,"x":1e2} ,\n {"id":3}',
    (2,): '{"id":1,"x":1e2} ,{"id":2, "y":"\\u00e9é"}',
    (0, 1): '{"id":3}',
    (1, 2): '{"id":1,"x":1e2}',
    (0, 2): '{"id":2, "y":"\\u00e9é"}',
    (0, 1, 2): "",
}


@pytest.mark.parametrize("rows", DROPS)
def test_a_dropped_record_takes_its_comma_along(rows: tuple[int, ...]) -> None:
    changed = editor(ODD)
    for row in reversed(rows):
        assert changed.drop("annotations", row, code="X")
    begin, end = ODD.index("[ {") + 2, ODD.index("],")
    assert text_of(changed) == ODD[:begin] + DROPS[rows] + ODD[end:]


def test_a_value_is_replaced_where_it_stands_and_new_keys_come_last() -> None:
    changed = editor(ODD)
    assert changed.set("annotations", 0, "x", [1, 2.5], code="X")
    assert changed.set("annotations", 2, "ä", "é", code="X")
    assert '{"id":1,"x":[1, 2.5]}' in text_of(changed) and '{"id":3,"ä": "é"}' in text_of(changed)
    assert changed.get("annotations", 0, "x") == [1, 2.5] and changed.get("annotations", 1, "x") is ABSENT
    assert [(c.annotation_id, c.field, c.old, c.new) for c in changed.log] == [
        (1, "x", "1e2", "[1, 2.5]"),
        (3, "ä", None, '"é"'),
    ]


def test_an_equal_value_is_no_change() -> None:
    changed = editor(ODD)
    assert not changed.set("annotations", 0, "x", 100, code="X")
    assert text_of(changed) == ODD and changed.log == []


def test_records_are_appended_also_to_an_empty_list() -> None:
    changed, other = editor(ODD), editor(ODD)
    changed.drop("annotations", 2, code="X", action="move")
    other.take("images", 0, b'{"id":9}', origin=other, code="X") if other.source.count("images") else None
    for row in range(3):
        other.drop("annotations", row, code="X")
    other.take("annotations", 2, b'{"id":3}', origin=changed, code="X")
    changed.take("annotations", 1, b'{"id":2}', origin=other, code="X")
    assert json.loads(text_of(other))["annotations"] == [{"id": 3}]
    assert json.loads(text_of(changed))["annotations"] == [{"id": 1, "x": 100.0}, {"id": 2, "y": "éé"}, {"id": 2}]
    assert changed.count("annotations") == 3 and other.count("annotations") == 1


def test_what_only_python_reads_is_read_and_stays() -> None:
    text = ODD.replace("1.50", '["NaN \\" Infinity", NaN, -Infinity]')
    changed = editor("\ufeff" + text)
    changed.drop("annotations", 1, code="X")
    assert text_of(changed) == text.replace(',{"id":2, "y":"\\u00e9é"} ', "").replace("} ,\n", "} ,\n")
    assert editor(text.encode("utf-16")).source.data == text.encode()


def test_ids_that_are_no_integers_are_none() -> None:
    rows = '[{"id":1,"image_id":2,"category_id":3},{"id":"1"},{"id":123456789012345678901},5,{}]'
    ids, image_ids, category_ids = editor(f'{{"images":[],"categories":[],"annotations":{rows}}}').source.keys(
        "annotations"
    )
    assert ids.tolist() == [1, NO_ID, NO_ID, NO_ID, NO_ID]
    assert (image_ids[0], category_ids[0]) == (2, 3)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"annotations":[]}', '{"images":1,"annotations":[],"categories":[]}', "{"]
)
def test_no_coco_file_is_refused(text: str) -> None:
    with pytest.raises(AnnotationError, match="cannot be transformed"):
        editor(text)


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(AnnotationError):
        editor("[" * 100_000 + "]" * 100_000)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=4), children, max_size=3),
    max_leaves=6,
)
records = st.lists(st.dictionaries(st.sampled_from(["a", "b", "ü", '"', "\\"]), values, max_size=4), max_size=8)


@settings(deadline=None)
@given(
    rows=records,
    edits=st.lists(st.tuples(st.integers(0, 7), st.sampled_from(["a", "ü", '"', "new"]), values), max_size=6),
    gone=st.sets(st.integers(0, 7)),
    indent=st.sampled_from([None, 1, "\t"]),
)
def test_splicing_is_what_changing_the_objects_would_be(rows: Any, edits: Any, gone: Any, indent: Any) -> None:
    content = {"x": 1, "images": [], "annotations": [{"id": n, **row} for n, row in enumerate(rows)], "categories": []}
    changed = editor(json.dumps(content, indent=indent, ensure_ascii=bool(indent)).encode(errors="surrogatepass"))
    for row, key, value in edits:
        if row < len(rows):
            changed.set("annotations", row, key, value, code="X")
            if not changed.get("annotations", row, key) == value:
                raise AssertionError
            content["annotations"][row][key] = value
    for row in gone & set(range(len(rows))):
        changed.drop("annotations", row, code="X")
    content["annotations"] = [a for n, a in enumerate(content["annotations"]) if n not in gone]
    assert json.loads(text_of(changed)) == content
