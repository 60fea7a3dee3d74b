"""All measures of all videos as one tidy table, for R or pandas."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from visionllm_interaction.errors import UsageError
from visionllm_interaction.measures.plugins import measure_names
from visionllm_interaction.measures.table_computation import TidyColumns
from visionllm_interaction.store.reader import Store, StoreLimits, open_store
from visionllm_interaction.store.sessions.videos_or_sessions import SessionChoice, opened_as
from visionllm_interaction.utils.atomic_files import write_file
from visionllm_interaction.utils.csv_safety import to_cell
from visionllm_interaction.utils.notebook_display import MAX_ROWS, html_table
from visionllm_interaction.utils.path_type import StrPath

if TYPE_CHECKING:
    import pandas as pd

    from visionllm_interaction.measures.config import MeasuresConfig

TIDY_SCHEMA = pa.schema(
    {
        "video_id": pa.string(),
        "subject": pa.string(),
        "object": pa.string(),
        "measure": pa.string(),
        "predicate": pa.string(),
        "value": pa.float64(),
        "unit": pa.string(),
        "processed_s": pa.float64(),
        "begin_s": pa.float64(),
        "end_s": pa.float64(),
        "first_frame": pa.int64(),
        "last_frame": pa.int64(),
        "bin_begin_s": pa.float64(),
        "bin_end_s": pa.float64(),
        "missing": pa.string(),
        "definition_version": pa.int64(),
        "settings": pa.string(),
        "basis": pa.string(),
        "corrected": pa.float64(),
        "corrected_low": pa.float64(),
        "corrected_high": pa.float64(),
    }
)
"""One row per video × subject × object × measure (× predicate × time bin).

``processed_s``, the processed seconds of the video or bin, is the denominator for rates; of gaze, speech and naming it
is the coded seconds, where the files say what was coded. A bin without processed frames has no rows.
Where sessions are asked about ``video_id`` is the session's name, and times and frames are the session's.
``bin_begin_s`` and ``bin_end_s`` are null without bins. ``missing`` says why there can be no
value (no speech was imported, the detector does not know the category …); a null without it means that nothing was
found. ``definition_version`` and ``settings`` say by which definition a value was computed. ``basis`` says what it
rests on: *as detected*, *coded*, *detected and coded*, *processed time* or *plug-in*. ``value`` is never a corrected
one: ``corrected`` with its 95 % interval stands beside it where a correction of the whole video is kept in the store.
"""


class MeasuresTable:
    """Every measure of every video, subject and object: the tidy table for R, pandas or a plot.

    Args:
        arrow: the columns of :data:`TIDY_SCHEMA`.
    """

    def __init__(self, arrow: pa.Table) -> None:
        self._arrow = arrow

    def __len__(self) -> int:
        return int(self._arrow.num_rows)

    def to_arrow(self) -> pa.Table:
        """The columns as an Arrow table, without a copy."""
        return self._arrow

    def to_pandas(self) -> pd.DataFrame:
        """The columns as a pandas data frame, one row each; needs pandas."""
        return self._arrow.to_pandas()

    def write(self, out: StrPath) -> Path:
        """Write the table.

        Args:
            out: a ``.csv`` or ``.parquet`` file; an existing one is replaced.

        Returns:
            The file's path.

        Raises:
            UsageError: if ``out`` has another ending.
        """
        path = Path(out)
        _check_ending(path)
        write_file(path, _as_csv(self._arrow) if path.suffix.lower() == ".csv" else _as_parquet(self._arrow))
        return path

    def __repr__(self) -> str:
        videos, names = (len(set(self._arrow[column].to_pylist())) for column in ("video_id", "measure"))
        return f"<{len(self)} rows: {names} measures of {videos} videos>"

    def _repr_html_(self) -> str:
        columns = ("video_id", "subject", "object", "measure", "predicate", "value", "unit", "basis")
        shown = self._arrow.select(columns).slice(0, MAX_ROWS).to_pylist()
        return html_table(columns, ([row[name] for name in columns] for row in shown), caption=repr(self)[1:-1])


def measures(
    store: StrPath | Store,
    *,
    bin_s: float | None = None,
    limits: StoreLimits = StoreLimits(),
    config: MeasuresConfig | None = None,
    sessions: SessionChoice | None = None,
) -> MeasuresTable:
    """Compute every measure of the catalogue, and those of plug-ins, for every video, subject and object.

    Args:
        store: the store's folder, or an open store.
        bin_s: length of a time bin in seconds, counted from the begin of the video; None: the whole video.
        limits: memory, threads and time a query may use; of a folder only.
        config: settings of those measures that have any, and named measures; None: the defaults.
        sessions: sessions in place of their videos (``video_id`` is the session then); None: each video by itself.

    Returns:
        The tidy table, one row per video × subject × object × measure (× predicate × bin).

    Raises:
        UsageError: if ``bin_s`` is not positive, or sessions cannot be taken as one.
        StoreError: if the store is missing or damaged.
    """
    if isinstance(store, Store):
        return MeasuresTable(measures_table(opened_as(store, sessions), bin_s=bin_s, config=config))
    with open_store(store, limits=limits) as opened:
        return MeasuresTable(measures_table(opened_as(opened, sessions), bin_s=bin_s, config=config))


def _check_ending(out: Path) -> None:
    if out.suffix.lower() not in (".csv", ".parquet"):
        raise UsageError("The table's format is not known.", expected=".csv or .parquet", found=str(out))


@dataclass(frozen=True)
class WrittenMeasures:
    """What :func:`write_measures` computed.

    Attributes:
        store: the store's folder.
        out: the file written; None where the rows were only counted.
        rows: rows of the tidy table.
        videos: videos in the store, or sessions and videos that are in none.
        measures: names of the measures, sorted.
    """

    store: Path
    out: Path | None
    rows: int
    videos: int
    measures: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``visionllm measures``."""
        out = str(self.out) if self.out else None
        return {
            "store": str(self.store),
            "out": out,
            "rows": self.rows,
            "videos": self.videos,
            "measures": list(self.measures),
        }


def write_measures(
    store: StrPath,
    out: StrPath | None = None,
    *,
    bin_s: float | None = None,
    limits: StoreLimits = StoreLimits(),
    config: MeasuresConfig | None = None,
    sessions: SessionChoice | None = None,
) -> WrittenMeasures:
    """Compute every measure for every video and write the tidy table.

    Args:
        store: the store's folder.
        out: a ``.csv`` or ``.parquet`` file; None only counts the rows.
        bin_s: length of a time bin in seconds, counted from the begin of the video; None: the whole video.
        limits: memory, threads and time a query may use.
        config: settings of those measures that have any, and named measures; None: the defaults.
        sessions: sessions in place of their videos; None: each video by itself.

    Returns:
        What was written, in numbers.

    Raises:
        UsageError: if ``out`` has another ending, ``bin_s`` is not positive, or sessions cannot be taken as one.
        StoreError: if the store is missing or damaged.
    """
    path = None if out is None else Path(out)
    if path is not None:
        _check_ending(path)
    with open_store(store, limits=limits) as opened:
        asked = opened_as(opened, sessions)
        table = measures(asked, bin_s=bin_s, config=config)
        videos = len(asked.video_ids())
    if path is not None:
        table.write(path)
    return WrittenMeasures(
        Path(store), path, len(table), videos, tuple(sorted({*measure_names(), *(config.named if config else ())}))
    )


def measures_table(store: Store, *, bin_s: float | None = None, config: MeasuresConfig | None = None) -> pa.Table:
    """Compute every measure of the catalogue as an Arrow table.

    Args:
        store: the open store.
        bin_s: length of a time bin in seconds, counted from the begin of the video; None: the whole video.
        config: settings of those measures that have any, and named measures; None: the defaults.

    Returns:
        The columns of :data:`TIDY_SCHEMA`, one row per video × subject × object × measure (× predicate × bin).

    Raises:
        UsageError: if ``bin_s`` is not positive.
    """
    if bin_s is not None and not bin_s > 0:
        raise UsageError("The length of a bin must be positive.", expected="more than 0 s", found=f"{bin_s} s")
    computed = TidyColumns(store, config, bin_s)
    columns = computed.compute()
    if not columns:
        return TIDY_SCHEMA.empty_table()
    words = [word.encode() for word in computed.texts.words]
    return pa.Table.from_arrays(
        [_arrow(columns[field.name], field, words) for field in TIDY_SCHEMA], schema=TIDY_SCHEMA
    )


def _arrow(column: NDArray[Any], field: pa.Field, words: Sequence[bytes]) -> pa.Array:
    """A column of numbers as Arrow has it; NaN, and −1 for texts and frames, is null.

    It is made of buffers: ``pyarrow.array`` imports pandas where that is installed, which takes longer than the rest.
    """
    rows = len(column)
    is_float = field.type == pa.float64()
    there = ~np.isnan(column) if is_float else column >= 0
    valid = pa.py_buffer(np.packbits(there, bitorder="little"))
    if field.type != pa.string():
        values = np.ascontiguousarray(column, np.float64 if is_float else np.int64)
        return pa.Array.from_buffers(field.type, rows, [valid, pa.py_buffer(values)])
    lengths = np.array([len(word) for word in words] + [0], np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths[column])]).astype(np.int32)
    text = b"".join([words[place] for place in column[there].tolist()])
    return pa.Array.from_buffers(pa.string(), rows, [valid, pa.py_buffer(offsets), pa.py_buffer(text)])


def _as_parquet(table: pa.Table) -> bytes:
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def _as_csv(table: pa.Table) -> bytes:
    import pyarrow.csv as pa_csv

    for position, field in enumerate(table.schema):
        if field.type == pa.string():
            cells = table.column(position).to_pylist()
            safe = {cell: to_cell(cell) for cell in set(cells) if cell is not None}
            if any(cell != text for cell, text in safe.items()):
                column = pa.array([safe.get(cell) for cell in cells], pa.string())
                table = table.set_column(position, field, column)
    buffer = io.BytesIO()
    pa_csv.write_csv(table, buffer)
    return buffer.getvalue()
