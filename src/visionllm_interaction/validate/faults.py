"""One fault, as found; and the file that keeps all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

Kind = Literal["annotation", "image", "category", "file", "manifest"]

SCHEMA = pa.schema(
    [
        ("code", pa.string()),
        ("action", pa.string()),
        ("split", pa.string()),
        ("kind", pa.string()),
        ("id", pa.string()),
        ("position", pa.int64()),
        ("image_id", pa.int64()),
        ("found", pa.string()),
        ("expected", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    ``id`` is the id of the ``kind`` of thing at fault (or its name where it has no id); ``position`` is its place
    in the file's list, from 0; ``found`` and ``expected`` are texts for people.
    """

    code: str
    split: str | None
    kind: Kind
    id: int | str
    found: str
    expected: str
    position: int | None = None
    image_id: int | None = None


def write_faults(faults: Sequence[Fault], path: Path, *, action_of: Callable[[Fault], str]) -> None:
    """Write every fault with its values and the policy's action as Parquet (also when there are none)."""
    columns = {
        "code": [f.code for f in faults],
        "action": [action_of(f) for f in faults],
        "split": [f.split for f in faults],
        "kind": [f.kind for f in faults],
        "id": [str(f.id) for f in faults],
        "position": [f.position for f in faults],
        "image_id": [f.image_id for f in faults],
        "found": [f.found for f in faults],
        "expected": [f.expected for f in faults],
    }
    pq.write_table(pa.table(columns, schema=SCHEMA), path)
