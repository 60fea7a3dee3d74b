"""All measures of all videos as one tidy table, for R or pandas."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.core.interactions import Evidence
from visionllm_interaction.core.predicates import DIRECTED_PREDICATES, PREDICATES
from visionllm_interaction.errors import UsageError
from visionllm_interaction.measures.catalogue import CODED_PREDICATES, Measure
from visionllm_interaction.measures.config import MeasuresConfig
from visionllm_interaction.measures.plugins import all_measures, measure_names
from visionllm_interaction.measures.query import Query, QueryRunner
from visionllm_interaction.measures.turns import TurnLimits
from visionllm_interaction.store.reader import ANY_PERSON, ANY_THING, Store, StoreLimits, open_store
from visionllm_interaction.utils.atomic_files import write_file
from visionllm_interaction.utils.csv_safety import to_cell
from visionllm_interaction.utils.notebook_display import MAX_ROWS, html_table
from visionllm_interaction.utils.paths import StrPath

if TYPE_CHECKING:
    import pandas as pd

TimeBin = tuple[float | None, float | None]

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
    }
)
"""One row per video × subject × object × measure (× predicate × time bin).

``processed_s``, the processed seconds of the video or bin, is the denominator for rates; a bin without processed frames
has no rows. ``bin_begin_s`` and ``bin_end_s`` are null without bins. ``missing`` says why there can be no
value (no speech was imported, the detector does not know the category …); a null without it means that nothing was
found. ``definition_version`` and ``settings`` say by which definition a value was computed.
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
        columns = ("video_id", "subject", "object", "measure", "predicate", "value", "unit")
        shown = self._arrow.select(columns).slice(0, MAX_ROWS).to_pylist()
        return html_table(columns, ([row[name] for name in columns] for row in shown), caption=repr(self)[1:-1])


def measures(
    store: StrPath | Store,
    *,
    bin_s: float | None = None,
    limits: StoreLimits = StoreLimits(),
    config: MeasuresConfig = MeasuresConfig(),
) -> MeasuresTable:
    """Compute every measure of the catalogue, and those of plug-ins, for every video, subject and object.

    Args:
        store: the store's folder, or an open store.
        bin_s: length of a time bin in seconds, counted from the begin of the video; None: the whole video.
        limits: memory, threads and time a query may use; of a folder only.
        config: settings of those measures that have any.

    Returns:
        The tidy table, one row per video × subject × object × measure (× predicate × bin).

    Raises:
        UsageError: if ``bin_s`` is not positive.
        StoreError: if the store is missing or damaged.
    """
    if isinstance(store, Store):
        return MeasuresTable(measures_table(store, bin_s=bin_s, config=config))
    with open_store(store, limits=limits) as opened:
        return MeasuresTable(measures_table(opened, bin_s=bin_s, config=config))


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
        videos: videos in the store.
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
    config: MeasuresConfig = MeasuresConfig(),
) -> WrittenMeasures:
    """Compute every measure for every video and write the tidy table.

    Args:
        store: the store's folder.
        out: a ``.csv`` or ``.parquet`` file; None only counts the rows.
        bin_s: length of a time bin in seconds, counted from the begin of the video; None: the whole video.
        limits: memory, threads and time a query may use.
        config: settings of those measures that have any.

    Returns:
        What was written, in numbers.

    Raises:
        UsageError: if ``out`` has another ending, or ``bin_s`` is not positive.
        StoreError: if the store is missing or damaged.
    """
    path = None if out is None else Path(out)
    if path is not None:
        _check_ending(path)
    with open_store(store, limits=limits) as opened:
        table = measures(opened, bin_s=bin_s, config=config)
        videos = len(opened.video_ids())
    if path is not None:
        table.write(path)
    return WrittenMeasures(Path(store), path, len(table), videos, tuple(measure_names()))


def measures_table(store: Store, *, bin_s: float | None = None, config: MeasuresConfig = MeasuresConfig()) -> pa.Table:
    """Compute every measure of the catalogue as an Arrow table.

    Args:
        store: the open store.
        bin_s: length of a time bin in seconds, counted from the begin of the video; None: the whole video.
        config: settings of those measures that have any.

    Returns:
        The columns of :data:`TIDY_SCHEMA`, one row per video × subject × object × measure (× predicate × bin).

    Raises:
        UsageError: if ``bin_s`` is not positive.
    """
    if bin_s is not None and not bin_s > 0:
        raise UsageError("The length of a bin must be positive.", expected="more than 0 s", found=f"{bin_s} s")
    store.load_symbols()
    runner, queries = QueryRunner(store), list(_all_queries(store, config))
    parts = [TIDY_SCHEMA.empty_table()]
    for window in _windows(store, bin_s):
        processed = runner.processed_s(*window)
        for query in queries:
            found = runner.run(replace(query, begin_s=window[0], end_s=window[1]))
            rows = [_row(query, item, processed, window) for item in found if item.video_id in processed]
            # Columns straight away: as dictionaries a thousand videos take gigabytes.
            parts.append(pa.Table.from_pylist(rows, schema=TIDY_SCHEMA))
    return _sorted_rows(pa.concat_tables(parts))


def _windows(store: Store, bin_s: float | None) -> list[TimeBin]:
    if bin_s is None:
        return [(None, None)]
    [row] = store.rows("SELECT max(timestamp_s + duration_s) AS s FROM frames WHERE processed")
    return [(n * bin_s, (n + 1) * bin_s) for n in range(math.ceil((row["s"] or 0.0) / bin_s - 1e-9))]


def _sorted_rows(table: pa.Table) -> pa.Table:
    keys = ("video_id", "bin_begin_s", "subject", "object", "measure", "predicate")
    order = pc.sort_indices(table, sort_keys=[(key, "ascending", "at_start") for key in keys])
    return table.take(order)


def _all_queries(store: Store, config: MeasuresConfig) -> Iterator[Query]:
    names = [name for name in store.names() if name != ANY_PERSON or name in _categories(store)]
    people = [name for name in names if name in PERSON_CATEGORIES]
    things = [name for name in names if name not in PERSON_CATEGORIES]
    pairs = [(p, o) for p in people for o in names if o != p and not (o in people and o < p)]
    coded = _coded(store)
    for measure in all_measures().values():
        if measure.inputs == "one":
            several = [ANY_THING] if len(things) > 1 and measure.name in _OF_ANY_THING else []
            yield from (Query(measure.name, name) for name in [*names, *several] if _applies(measure, name, coded))
        elif measure.inputs == "pair":
            yield from _pair_queries(measure, pairs, people, coded, turns=config.turns.limits)
        elif measure.inputs == "event":
            kinds = sorted({row["kind"] for row in store.rows("SELECT DISTINCT kind FROM events")})
            yield from (Query(measure.name, person, predicate=kind) for person in people for kind in kinds)
        else:
            yield from (Query(measure.name, name, predicate="visible") for name in names)
            yield from _bout_queries(store, measure.name, pairs, people)


_OF_ANY_THING = frozenset({"visible_duration", "visible_share", "mean_count", "instance_count"})


def _coded(store: Store) -> dict[str, frozenset[str]]:
    """Kind of code → who is coded in it, and for naming what is named."""
    found: dict[str, set[str]] = {}
    for row in store.rows("SELECT DISTINCT kind, participant, lower(trim(label)) AS label FROM codes"):
        found.setdefault(row["kind"], set()).add(row["label"] if row["kind"] == "naming" else row["participant"])
    return {kind: frozenset(names) for kind, names in found.items()}


def _applies(measure: Measure, name: str, coded: Mapping[str, frozenset[str]]) -> bool:
    return measure.name != "size_at_naming" or name in coded.get("naming", ())


def _pair_queries(
    measure: Measure,
    pairs: list[tuple[str, str]],
    people: list[str],
    coded: Mapping[str, frozenset[str]],
    *,
    turns: TurnLimits,
) -> Iterator[Query]:
    """Queries of a pair measure: turns in both directions between coded speakers; nobody holds a person."""
    if measure.is_of_turns:
        speakers = _participants(coded.get("speech", ()), people)
        both_ways = permutations(speakers, 2)
        yield from (Query(measure.name, one, other, turns=turns) for one, other in both_ways)
        return
    handled = measure.name in ("holding_duration", "joint_handling_duration")
    yield from (Query(measure.name, person, other) for person, other in pairs if not handled or other not in people)


def _bout_queries(store: Store, measure: str, pairs: list[tuple[str, str]], people: list[str]) -> Iterator[Query]:
    present = {row["predicate"] for row in store.rows("SELECT DISTINCT predicate FROM relations")}
    for predicate in PREDICATES:
        for person, other in pairs:
            if predicate != "holding" or other not in people:
                yield Query(measure, person, other, predicate=predicate)
    for predicate in (name for name in DIRECTED_PREDICATES if name in present):
        yield from (Query(measure, person, other, predicate=predicate) for person, other in pairs)
    for predicate, kind in CODED_PREDICATES.items():
        sql = "SELECT DISTINCT participant AS who FROM codes WHERE kind = $kind ORDER BY who"
        speakers = _participants([row["who"] for row in store.rows(sql, {"kind": kind})], people)
        yield from (Query(measure, who, predicate=predicate) for who in speakers)


def _participants(coded: Iterable[str], people: Sequence[str]) -> list[str]:
    """Who is coded, in the store's own letters; whoever wears the camera is in no image and needs no track."""
    own = {name.lower(): name for name in people}
    return sorted({own.get(name.lower(), name.lower()) for name in coded if name})


def _categories(store: Store) -> set[str]:
    return {row["category"] for row in store.rows("SELECT DISTINCT category FROM tracks")}


def _row(query: Query, item: Evidence, processed: Mapping[str, float], window: TimeBin) -> dict[str, Any]:
    value = None if item.value is None else float(item.value)
    return {
        "video_id": item.video_id,
        "subject": query.subject,
        "object": query.object,
        "measure": query.measure,
        "predicate": query.predicate,
        "value": value if value is None or math.isfinite(value) else None,
        "unit": item.unit,
        "processed_s": processed[item.video_id],
        "begin_s": item.begin_s,
        "end_s": item.end_s,
        "first_frame": item.frames[0] if item.frames else None,
        "last_frame": item.frames[1] if item.frames else None,
        "bin_begin_s": window[0],
        "bin_end_s": window[1],
        "missing": item.missing,
        "definition_version": item.definition_version,
        "settings": item.settings,
    }


def _as_parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def _as_csv(table: pa.Table) -> bytes:
    for position, field in enumerate(table.schema):
        if field.type == pa.string():
            cells = [None if cell is None else to_cell(cell) for cell in table.column(position).to_pylist()]
            table = table.set_column(position, field, pa.array(cells, pa.string()))
    buffer = io.BytesIO()
    pa_csv.write_csv(table, buffer)
    return buffer.getvalue()
