"""One issue, as found; and the file that keeps all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from visionllm_interaction.datasets.validation.catalogue import CATALOGUE, Entity

SCHEMA = pa.schema(
    [
        ("code", pa.string()),
        ("action", pa.string()),
        ("split", pa.string()),
        ("entity", pa.string()),
        ("image_id", pa.int64()),
        ("annotation_id", pa.int64()),
        ("category_id", pa.int64()),
        ("file_name", pa.string()),
        ("field", pa.string()),
        ("position", pa.int64()),
        ("found", pa.string()),
        ("expected", pa.string()),
        ("message", pa.string()),
    ]
)
"""``faults.parquet``: one row per issue; ``position`` is the record's place in its list of the file, from 0."""


@dataclass(frozen=True, slots=True)
class Issue:
    """One issue.

    ``entity`` says what kind of record is at fault; its id is in the column of that name. ``field`` is the key at
    issue; ``position`` the record's place in the file's list, from 0; ``found`` and ``expected`` are texts for people.
    """

    code: str
    split: str | None
    entity: Entity
    found: str
    expected: str
    image_id: int | None = None
    annotation_id: int | None = None
    category_id: int | None = None
    file_name: str | None = None
    field: str | None = None
    position: int | None = None

    @property
    def subject(self) -> int | str:
        """What is at fault: the record's id, else the best name there is."""
        ids = {"image": self.image_id, "annotation": self.annotation_id, "category": self.category_id}
        number = ids.get(self.entity)
        if number is not None:
            return number
        if self.position is not None:
            return f"{self.entity}[{self.position}]"
        return self.file_name or self.field or self.entity

    @property
    def message(self) -> str:
        """The issue in words."""
        return f"{CATALOGUE[self.code].meaning}: found {self.found}, expected {self.expected}"


def _writable(value: Any) -> Any:
    """A text with what is no Unicode (half a surrogate pair, which JSON allows) spelled out; others as they are."""
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-8", errors="backslashreplace").decode()
    return value


def write_issues(issues: Sequence[Issue], path: Path, *, action_of: Callable[[Issue], str]) -> None:
    """Write every issue with its values and the policy's action as Parquet (also when there are none)."""
    columns = {
        name: [action_of(issue) if name == "action" else _writable(getattr(issue, name)) for issue in issues]
        for name in SCHEMA.names
    }
    pq.write_table(pa.table(columns, schema=SCHEMA), path)
