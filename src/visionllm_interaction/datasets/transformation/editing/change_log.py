"""What stage 3 changed: one row for each value, old and new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

Action = Literal["drop", "repair", "map", "move"]

SCHEMA = pa.schema(
    [
        ("action", pa.string()),
        ("code", pa.string()),
        ("split", pa.string()),
        ("entity", pa.string()),
        ("image_id", pa.int64()),
        ("annotation_id", pa.int64()),
        ("category_id", pa.int64()),
        ("field", pa.string()),
        ("old", pa.string()),
        ("new", pa.string()),
    ]
)
"""``changes.parquet``. Ids are those of the raw file."""


@dataclass(frozen=True, slots=True)
class RecordChange:
    """One change.

    ``action``: what was done: ``drop`` and ``repair`` follow the issue ``code``; ``map`` the taxonomy and ``move``
    the splits of section ``transform``, which stands in ``code``. ``field``: the key that changed; ``None`` for a
    whole record. ``old`` and ``new``: JSON texts, byte for byte as in the files; ``None`` where there is nothing.
    """

    action: Action
    code: str
    split: str
    entity: str
    field: str | None
    old: str | None
    new: str | None
    image_id: int | None = None
    annotation_id: int | None = None
    category_id: int | None = None


def write_changes(changes: Sequence[RecordChange], path: Path) -> None:
    """Write the changes in the order they were made (also when there are none)."""
    names = [field.name for field in fields(RecordChange)]
    columns = {name: [getattr(change, name) for change in changes] for name in names}
    pq.write_table(pa.table({name: columns[name] for name in SCHEMA.names}, schema=SCHEMA), path)
