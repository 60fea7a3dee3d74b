"""Changes to a COCO file: collected, logged, and written by splicing them into the bytes of the original."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from visionllm_interaction.datasets.transformation.editing.byte_index import NO_ID, SECTIONS, CocoBytes, Ints, Section
from visionllm_interaction.datasets.transformation.editing.change_log import Action, RecordChange

ABSENT: Any = object()
"""Stands for the value of a key a record does not have."""

_ENTITY: dict[Section, str] = {"images": "image", "annotations": "annotation", "categories": "category"}


class ByteEditor:
    """The annotation file of one split, with the changes made so far; ``log`` lists them.

    Rows are counted as in the original file. A value that is set to what it is already is no change.
    """

    def __init__(self, split: str, source: CocoBytes) -> None:
        self.split = split
        self.source = source
        self.log: list[RecordChange] = []
        self._values: dict[tuple[Section, int], dict[str, bytes]] = defaultdict(dict)
        self._gone: dict[Section, set[int]] = {section: set() for section in SECTIONS}
        self._added: dict[Section, list[bytes]] = {section: [] for section in SECTIONS}

    def ids(self, section: Section) -> Ints:
        """(n,) ids of the original file."""
        return self.source.keys(section)[0]

    def is_gone(self, section: Section, row: int) -> bool:
        """Whether the record was dropped or moved away."""
        return row in self._gone[section]

    def rows(self, section: Section) -> Iterator[int]:
        """The rows still there, in the file's order."""
        gone = self._gone[section]
        return (row for row in range(self.source.count(section)) if row not in gone)

    def count(self, section: Section) -> int:
        """Number of records the changed file has."""
        return self.source.count(section) - len(self._gone[section]) + len(self._added[section])

    def record(self, section: Section, row: int) -> dict[str, Any]:
        """The record as it is now, decoded."""
        return {str(key): value for key, value in json.loads(self.text(section, row)).items()}

    def get(self, section: Section, row: int, key: str) -> Any:
        """A value as it is now, decoded; :data:`ABSENT` if there is none."""
        text = self._text(section, row, key)
        return ABSENT if text is None else json.loads(text)

    def text(self, section: Section, row: int) -> bytes:
        """The record as it is now."""
        values = self._values.get((section, row))
        return splice_fields(self.source, section, row, values) if values else self.source.row_bytes(section, row)

    def values_set(self, section: Section, key: str) -> dict[int, Any]:
        """Row → new value, of the records in which this key was set."""
        return {
            row: json.loads(values[key])
            for (changed, row), values in self._values.items()
            if changed == section and key in values
        }

    def set(self, section: Section, row: int, key: str, value: Any, *, code: str, action: Action = "repair") -> bool:
        """Give a key a new value; returns whether that changes anything."""
        old = self._text(section, row, key)
        if old is not None and _same(json.loads(old), value):
            return False
        new = json.dumps(value, ensure_ascii=False).encode()
        self._values[section, row][key] = new
        self._note(action, code, section, row, field=key, old=old, new=new)
        return True

    def drop(self, section: Section, row: int, *, code: str, action: Action = "drop") -> bool:
        """Leave a record out; returns whether it was still there."""
        if row in self._gone[section]:
            return False
        self._note(action, code, section, row, field=None, old=self.text(section, row), new=None)
        self._gone[section].add(row)
        return True

    def take(self, section: Section, row: int, record: bytes, *, origin: ByteEditor, code: str) -> None:
        """Append a record of ``origin``, where it had the place ``row``."""
        self._added[section].append(record)
        change = origin.change("move", code, section, row, field=None, old=None, new=record)
        self.log.append(replace(change, split=self.split))

    def change(
        self, action: Action, code: str, section: Section, row: int, *, field: str | None, old: Any, new: Any
    ) -> RecordChange:
        """A change of this row, with the ids it has in the original file."""
        ids, image_ids, category_ids = (_id(column, row) for column in self.source.keys(section))
        return RecordChange(
            action=action,
            code=code,
            split=self.split,
            entity=_ENTITY[section],
            field=field,
            old=_decoded(old),
            new=_decoded(new),
            image_id=ids if section == "images" else image_ids,
            annotation_id=ids if section == "annotations" else None,
            category_id=ids if section == "categories" else category_ids,
        )

    def _note(
        self, action: Action, code: str, section: Section, row: int, *, field: str | None, old: Any, new: Any
    ) -> None:
        self.log.append(self.change(action, code, section, row, field=field, old=old, new=new))

    def _text(self, section: Section, row: int, key: str) -> bytes | None:
        values = self._values.get((section, row))
        pending = values.get(key) if values else None
        return self.source.field(section, row, key) if pending is None else pending

    def pieces(self) -> Iterator[bytes | memoryview]:
        """The changed file, as pieces to write one after the other; all bytes that did not change are the original's.

        Without changes it is the original file.
        """
        view, at = memoryview(self.source.data), 0
        for begin, end, text in sorted(self._splices(), key=lambda splice: splice[:2]):
            yield view[at:begin]
            yield text
            at = end
        yield view[at:]

    def _splices(self) -> Iterator[tuple[int, int, bytes]]:
        for section in SECTIONS:
            yield from _removals(self.source, section, sorted(self._gone[section]))
            if self._added[section]:
                yield self._appended(section)
        for (section, row), values in self._values.items():
            if row not in self._gone[section]:
                begin, end = self.source.row_span(section, row)
                yield begin, end, splice_fields(self.source, section, row, values)

    def _appended(self, section: Section) -> tuple[int, int, bytes]:
        count = self.source.count(section)
        anything_left = count > len(self._gone[section])
        place = self.source.row_span(section, count - 1)[1] if count else self.source.list_span(section)[0] + 1
        return place, place, (b"," if anything_left else b"") + b",".join(self._added[section])


def _removals(source: CocoBytes, section: Section, gone: list[int]) -> Iterator[tuple[int, int, bytes]]:
    """The intervals to cut: each run of records together with the commas that separated it from what stays."""
    last = source.count(section) - 1
    for first, final in _runs(gone):
        begin, end = source.row_span(section, first)[0], source.row_span(section, final)[1]
        if first > 0:
            begin = source.row_span(section, first - 1)[1]
        elif final < last:
            end = source.row_span(section, final + 1)[0]
        yield begin, end, b""


def _runs(rows: list[int]) -> Iterator[tuple[int, int]]:
    """First and last of each run of consecutive numbers."""
    begin = 0
    for place in range(1, len(rows) + 1):
        if place == len(rows) or rows[place] != rows[place - 1] + 1:
            yield rows[begin], rows[place - 1]
            begin = place


def splice_fields(source: CocoBytes, section: Section, row: int, values: dict[str, bytes]) -> bytes:
    """The record with these values; keys it does not have are added at its end."""
    begin, end = source.row_span(section, row)
    spans = source.fields(section, row)
    known = sorted((spans[key], text) for key, text in values.items() if key in spans)
    parts, at = [], begin
    for (first, final), text in known:
        parts += [source.data[at:first], text]
        at = final
    rest = source.data[at : end - 1]
    comma = "," if spans else ""
    new = [
        f"{json.dumps(key, ensure_ascii=False)}: ".encode() + text for key, text in values.items() if key not in spans
    ]
    return b"".join([*parts, rest, comma.encode() if new else b"", b",".join(new), b"}"])


def _same(old: Any, new: Any) -> bool:
    """Equal as JSON values: 1 and 1.0 are, 1 and true are not."""
    if isinstance(old, bool) or isinstance(new, bool):
        return old is new
    return bool(old == new)


def _id(column: Ints, row: int) -> int | None:
    value = int(column[row])
    return None if value == NO_ID else value


def _decoded(text: bytes | None) -> str | None:
    return None if text is None else text.decode(errors="replace")
