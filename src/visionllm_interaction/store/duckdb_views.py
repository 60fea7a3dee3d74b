"""The in-memory DuckDB behind a store: its limits, and views over the Parquet files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from visionllm_interaction.errors import StoreError
from visionllm_interaction.store.columns import COLUMNS
from visionllm_interaction.store.layout import RECORD_FILE

if TYPE_CHECKING:
    import duckdb

_FOLDERS, _ONE_ID = "folders_of_", "only_id"
"""DuckDB variables: for each file the folders that hold it, below ``videos/``, one for each video; and the video that
the views are restricted to."""
_RECORDS = "record"


@dataclass(frozen=True)
class StoreLimits:
    """Limits of one reader.

    Attributes:
        memory_mib: memory in MiB.
        threads: number of threads.
        query_s: longest time of one query in seconds.
    """

    memory_mib: int = 1024
    threads: int = 2
    query_s: float = 60.0


def connect(
    root: Path, video_ids: tuple[str, ...], limits: StoreLimits, *, corrected: Mapping[str, Path] = MappingProxyType({})
) -> duckdb.DuckDBPyConnection:
    """Open a database whose views are the Parquet files of a store.

    It may read the store's folder and nothing else, and its configuration is locked.

    Args:
        root: the store's folder.
        video_ids: the videos that the views are of.
        limits: memory, threads and time a query may use.
        corrected: video → the folder with its corrected tables, which take the place of its own ones.

    Returns:
        The connection; the views are not restricted to one video.
    """
    import duckdb

    connection = duckdb.connect(
        ":memory:",
        config={
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "allow_persistent_secrets": False,
            "memory_limit": f"{limits.memory_mib}MiB",
            "threads": limits.threads,
            "temp_directory": "",
            "preserve_insertion_order": False,
        },
    )
    connection.execute(f"SET allowed_directories = [{_quoted(f'{root}/')}]")
    connection.execute(f"SET max_execution_time = {int(limits.query_s * 1000)}")
    connection.execute("SET enable_external_access = false")
    for name in (_RECORDS, *COLUMNS):
        folders = [_folder_of(video_id, name, corrected.get(video_id)) for video_id in video_ids]
        connection.execute(f"SET VARIABLE {_FOLDERS}{name} = [{', '.join(map(_quoted, folders))}]::VARCHAR[]")
    for name, types in COLUMNS.items():
        connection.execute(f"CREATE VIEW {name} AS {_view(name, types, root, video_ids)}")
    connection.execute(f"CREATE VIEW videos AS {_videos_view(root, video_ids)}")
    connection.execute("SET lock_configuration = true")
    return connection


class StoreDatabase:
    """A database whose views are the Parquet files of a store, of all its videos or of one at a time.

    Args:
        root: the store's folder.
        video_ids: the videos that the views are of.
        limits: memory, threads and time a query may use.
        corrected: video → the folder with its corrected tables, which take the place of its own ones.

    Raises:
        StoreError: if a file is damaged or gone.
    """

    def __init__(
        self, root: Path, video_ids: tuple[str, ...], limits: StoreLimits, *, corrected: Mapping[str, Path]
    ) -> None:
        self._root = root
        self._ids = video_ids
        self._only: str | None = None
        with self._told():
            self._connection = connect(root, video_ids, limits, corrected=corrected)

    def rows(self, sql: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Run one query; see :meth:`visionllm_interaction.store.reader.Store.rows`."""
        video_id = parameters.get("video_id")
        with self._told():
            self._restrict(video_id if video_id in self._ids else None)
            result = self._connection.execute(sql, dict(parameters))
            names = [column[0] for column in result.description]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def close(self) -> None:
        """Close the database; files stay as they are."""
        self._connection.close()

    def _restrict(self, video_id: str | None) -> None:
        """Restrict the views to one video; None: to all of them."""
        if video_id != self._only:
            value = "NULL" if video_id is None else _quoted(video_id)
            self._connection.execute(f"SET VARIABLE {_ONE_ID} = {value}")
            self._only = video_id

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tell of errors of the database in the words of a store."""
        # Imported when it is used: measures and most answers need no database.
        import duckdb

        try:
            yield
        except duckdb.Error as error:
            raise StoreError(
                "The store cannot be queried.",
                expected="readable Parquet files and a query within its limits of memory and time",
                found=str(error).splitlines()[0],
                where=str(self._root),
                fix="analyse the damaged video again, or ask about one video or a shorter time",
            ) from error


def _folder_of(video_id: str, name: str, corrected: Path | None) -> str:
    """The folder of one file of a video, below ``videos/``."""
    if corrected is None or not (corrected / f"{name}.parquet").is_file():
        return video_id
    return f"{video_id}/{corrected.parent.name}/{corrected.name}"


def _videos_view(root: Path, video_ids: tuple[str, ...]) -> str:
    columns = {"video_id": "VARCHAR", "width": "DOUBLE", "height": "DOUBLE", "duration_s": "DOUBLE"}
    if not video_ids:
        return f"SELECT {', '.join(f'NULL::{t} AS {n}' for n, t in columns.items())} WHERE false"
    types = ", ".join(f"{name}: '{type_}'" for name, type_ in columns.items())
    files = _files(root, _RECORDS, RECORD_FILE)
    return f"SELECT * FROM read_json({files}, columns = {{{types}}})"  # noqa: S608  (path quoted)


def _view(name: str, types: Mapping[str, str], root: Path, video_ids: tuple[str, ...]) -> str:
    columns = ", ".join(types)
    if not video_ids:
        empty = ", ".join(f"NULL::{_SQL_TYPES[type_]} AS {column}" for column, type_ in types.items())
        return f"SELECT NULL::VARCHAR AS video_id, {empty} WHERE false"
    before = len(f"{root}/videos/") + 1
    return (
        f"SELECT split_part(substr(filename, {before}), '/', 1) AS video_id, {columns} "  # noqa: S608  (path quoted)
        f"FROM read_parquet({_files(root, name, f'{name}.parquet')}, filename = true)"
    )


def _files(root: Path, name: str, file: str) -> str:
    """A SQL expression for the files of one kind, of the video that the views are restricted to or of all videos.

    It is evaluated for each query: with thousands of videos, most of the time would go into opening files that a filter
    on ``video_id`` discards.
    """
    every, only = f"getvariable('{_FOLDERS}{name}')", f"getvariable('{_ONE_ID}')"
    chosen = (
        f"CASE WHEN {only} IS NULL THEN {every} "
        f"ELSE list_filter({every}, lambda folder : split_part(folder, '/', 1) = {only}) END"
    )
    return f"list_transform({chosen}, lambda folder : {_quoted(f'{root}/videos/')} || folder || {_quoted(f'/{file}')})"


_SQL_TYPES = {
    "int64": "BIGINT",
    "float64": "DOUBLE",
    "float32": "FLOAT",
    "bool": "BOOLEAN",
    "string": "VARCHAR",
    "list<int64>": "BIGINT[]",
}


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
