"""Measures for the page: the catalogue, and the rows of one measure as JSON, CSV or Parquet."""

from __future__ import annotations

import io
import shlex
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visionllm_interaction.errors import UsageError
from visionllm_interaction.measures.config import MeasuresConfig
from visionllm_interaction.measures.plugins import all_measures
from visionllm_interaction.server.results.store_views import Written, files_written
from visionllm_interaction.store.layout import list_videos

if TYPE_CHECKING:
    import pyarrow as pa

_KEPT = 3
"""Tables kept: the whole videos, and those of the last bins that were asked for."""
FILTERS = ("measure", "subject", "object", "predicate", "video_id")
Signature = tuple[tuple[str, Written], ...]


@dataclass(frozen=True)
class Selection:
    """Which rows of the tidy table are wanted; None: all.

    Attributes:
        measure: name of the measure.
        subject: whom it is about.
        object: the other one of a pair.
        predicate: of measures of bouts.
        video_id: the video.
        bin_s: length of a time bin in seconds; None: whole videos.
    """

    measure: str
    subject: str | None = None
    object: str | None = None
    predicate: str | None = None
    video_id: str | None = None
    bin_s: float | None = None


class MeasureValues:
    """The tidy tables of a store, computed when the store has changed.

    Args:
        store: the store's folder.
        config: definitions of measures.
    """

    def __init__(self, store: Path, config: MeasuresConfig) -> None:
        self._store = store
        self._config = config
        self._tables: dict[float | None, tuple[Signature, pa.Table]] = {}
        self._lock = threading.Lock()

    @property
    def is_empty(self) -> bool:
        """Whether there is no analysed video to measure."""
        return not list_videos(self._store)

    def catalogue(self) -> list[dict[str, Any]]:
        """All measures: name, definition, unit, what it is about, source."""
        own = [
            {"name": name, "definition": one.definition, "unit": one.unit, "inputs": "own", "source": one.source}
            for name, one in self._config.named.items()
        ]
        known = [
            {
                "name": one.name,
                "definition": one.definition,
                "unit": one.unit,
                "inputs": one.inputs,
                "source": one.source,
            }
            for one in all_measures().values()
        ]
        return sorted([*known, *own], key=lambda one: str(one["name"]))

    def choices(self, measure: str, *, bin_s: float | None = None) -> dict[str, list[str]]:
        """The subjects, objects, predicates and videos that a measure has rows of.

        Args:
            measure: name of the measure.
            bin_s: as in :class:`Selection`.

        Returns:
            Column → its values, sorted.
        """
        rows = self.rows(Selection(measure, bin_s=bin_s))
        return {name: sorted({str(value) for value in rows[name].to_pylist() if value}) for name in FILTERS[1:]}

    def rows(self, wanted: Selection) -> pa.Table:
        """The rows of the tidy table that are wanted.

        Args:
            wanted: which.

        Returns:
            The columns of :data:`~visionllm_interaction.measures.table.TIDY_SCHEMA`.

        Raises:
            UsageError: if there is no such measure.
        """
        import pyarrow.compute as pc

        names = [str(one["name"]) for one in self.catalogue()]
        if wanted.measure not in names:
            raise UsageError("There is no such measure.", expected=", ".join(names), found=wanted.measure[:100])
        table = self._table(wanted.bin_s)
        for name in FILTERS:
            value = getattr(wanted, name)
            if value is not None:
                table = table.filter(pc.equal(table[name], value))
        return table

    def _table(self, bin_s: float | None) -> pa.Table:
        from visionllm_interaction.measures.table import measures

        with self._lock:  # two at once would compute the same
            signature = self._signature()
            known = self._tables.pop(bin_s, None)
            if known is None or known[0] != signature:
                known = (signature, measures(self._store, bin_s=bin_s, config=self._config).to_arrow())
            self._tables[bin_s] = known
            while len(self._tables) > _KEPT:
                self._tables.pop(next(iter(self._tables)))
            return known[1]

    def _signature(self) -> Signature:
        """Which videos the store holds, and when each of their files was written, corrections and codes too."""
        found: list[tuple[str, Written]] = []
        for video_id in list_videos(self._store):
            with suppress(FileNotFoundError):  # erased, or analysed anew, meanwhile
                found.append((video_id, files_written(self._store / "videos" / video_id)))
        return tuple(found)


def to_csv(table: pa.Table) -> bytes:
    """Rows as CSV, safe for spreadsheets: no cell is a formula."""
    import csv

    from visionllm_interaction.utils.csv_safety import to_cell

    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(table.column_names)
    for row in table.to_pylist():
        writer.writerow(_cells(row.values(), to_cell))
    return buffer.getvalue().encode()


def to_parquet(table: pa.Table) -> bytes:
    """Rows as Parquet, each column with its type."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = pa.BufferOutputStream()
    pq.write_table(table, buffer, compression="zstd")
    return bytes(buffer.getvalue())


def _cells(values: Any, to_cell: Any) -> Sequence[Any]:
    return ["" if value is None else to_cell(value) if isinstance(value, str) else value for value in values]


def repeat_command(store: Path, wanted: Selection) -> str:
    """The command that computes the same table, beside the store; the path of the store on the server is not told."""
    parts = ["visionllm", "measures", "--store", store.name, "--out", "measures.csv"]
    if wanted.bin_s is not None:
        parts += ["--bin-s", f"{wanted.bin_s:g}"]
    return shlex.join(parts)
