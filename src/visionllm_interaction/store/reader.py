"""Read an interaction store: columns of its Parquet files, and an in-memory DuckDB whose views they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.core.evidence import ValuesUsed
from visionllm_interaction.core.tracks_relations_events import Code, Event, Relation, Track
from visionllm_interaction.errors import StoreError, UsageError
from visionllm_interaction.store.duckdb_views import StoreDatabase, StoreLimits
from visionllm_interaction.store.layout import (
    RECORD_FILE,
    check_store,
    check_video_id,
    list_videos,
    newest_revision,
    unknown_video,
)
from visionllm_interaction.utils.lazy_attributes import lazy_attributes
from visionllm_interaction.utils.notebook_display import MAX_ROWS, html_table
from visionllm_interaction.utils.path_type import StrPath

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import xarray as xr
    from numpy.typing import NDArray

    from visionllm_interaction.store.video_record import TimelineContent, VideoDocument, VideoRecord
    from visionllm_interaction.store.video_view import VideoView
    from visionllm_interaction.store.writer import erase_video, publish_video, write_codes

__all__ = [
    "ANY_PERSON",
    "Store",
    "StoreLimits",
    "ValuesChoice",
    "VideoRecord",
    "erase_video",
    "open_store",
    "publish_video",
    "write_codes",
]

# What writes to a store is imported when it is used: questions are answered without it, and without Arrow.
__getattr__ = lazy_attributes(
    "visionllm_interaction.store",
    {**dict.fromkeys(("erase_video", "publish_video", "write_codes"), "writer"), "VideoRecord": "video_record"},
)

ANY_PERSON = "person"
"""A name for people of every category."""
ANY_THING = "thing"
"""A name for whatever is neither a person nor a body part."""
ValuesChoice = ValuesUsed
"""The machine's values as they are, or those that people have corrected, of videos that have any."""


class Store:
    """One store, as it was when it was opened: open it again to see videos published since.

    The database behind it may read this store's folder and nothing else: no other file, no network, no extension;
    its configuration is locked. Use one ``Store`` per thread. Close it, or use it as a context manager; one that is
    forgotten is closed with the process.

    Example:
        >>> store = open_store("store")              # doctest: +SKIP
        >>> store["visit1-0f3a9c11"].tracks          # doctest: +SKIP
        <4 tracks> …

    Args:
        path: the store's folder.
        limits: memory, threads and time a query may use.
        values: of videos that people have corrected, the corrected values, or those as detected.
    """

    has_sessions: ClassVar[bool] = False
    """Whether its videos may be sessions: :class:`.sessions_as_videos.SessionStore`."""

    def __init__(self, path: StrPath, *, limits: StoreLimits, values: ValuesChoice = "corrected") -> None:
        path = Path(path)
        check_store(path)
        self.path = path.resolve()
        self.values: ValuesChoice = values
        self._corrected: dict[str, Path | None] = {}
        self._ids = tuple(list_videos(self.path))
        self._limits = limits
        self._database: StoreDatabase | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the database; files stay as they are."""
        if self._database is not None:
            self._database.close()

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __contains__(self, video_id: object) -> bool:
        return video_id in self._ids

    def __getitem__(self, video_id: str) -> VideoView:
        """One video.

        Args:
            video_id: its id.

        Returns:
            Its record and tables; files are read when they are used.

        Raises:
            StoreError: if it is not in the store.
        """
        from visionllm_interaction.store.video_view import VideoView

        self._folder(video_id)
        return VideoView(self, video_id)

    def __repr__(self) -> str:
        return f"<interaction store {self.path}: {len(self)} video{'' if len(self) == 1 else 's'}>"

    def _repr_html_(self) -> str:
        records = [self.record(video_id) for video_id in self._ids[:MAX_ROWS]]
        rows = [(r.video_id, r.source.name, r.duration_s, r.n_processed, r.n_frames, r.n_tracks) for r in records]
        columns = ("video_id", "file", "duration_s", "processed frames", "frames", "tracks")
        return html_table(columns, rows, caption=repr(self)[1:-1])

    def record(self, video_id: str) -> VideoRecord:
        """How a video was analysed.

        Args:
            video_id: the video.

        Returns:
            Its record: source, size in pixels, detector, settings and versions.

        Raises:
            StoreError: if the video is not in the store or its record is damaged.
        """
        from pydantic import ValidationError

        from visionllm_interaction.store.video_record import VideoRecord

        try:
            return VideoRecord.model_validate(self.video(video_id))
        except ValidationError as error:
            raise StoreError("A video's record cannot be read.", found=str(error), where=video_id) from error

    def to_xarray(self, video_id: str | None = None) -> xr.Dataset:
        """The tracks of a video as a bounding-box dataset in ``movement``'s layout.

        Args:
            video_id: which video; may be left out where the store has one only.

        Returns:
            A dataset with the dimensions ``time`` (seconds), ``space`` (x, y) and ``individuals``, and the variables
            ``position`` (box centre) and ``shape`` (width, height) in pixels, ``confidence``, ``processed`` and
            ``interpolated``.

        Raises:
            UsageError: if the store has several videos and none is named, or xarray is not installed.
            StoreError: if the video is not in the store or a file is damaged.
        """
        from visionllm_interaction.store.video_view import tracks_to_xarray

        chosen = video_id or self._single_video()
        tables = self.frames(chosen), self.detections(chosen)
        return tracks_to_xarray(self.record(chosen), *tables, self.tracks(chosen))

    def _single_video(self) -> str:
        if len(self._ids) == 1:
            return self._ids[0]
        raise UsageError(
            "Which video is meant has to be said.",
            expected="the id of one video",
            found=f"none, and {len(self._ids)} videos in the store",
            where=str(self.path),
            fix=f"for example {self._ids[0]!r}" if self._ids else "analyse a video first",
        )

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Run one query over the views: a constant of the package, never text from outside.

        Views are frames, detections, tracks, relations, events, sightings and codes; each has ``video_id`` before the
        file's own columns. One more is videos: ``video_id``, ``width``, ``height`` (pixels), ``duration_s``.

        Args:
            sql: the query.
            parameters: its bound parameters. If ``video_id`` is one of them and not None, the query is about that video
                only: no file of another one is opened.

        Returns:
            The rows, each as column → value; a row has whatever columns the query selects.

        Raises:
            StoreError: if a file is damaged or gone, or the query is over its limits.
        """
        if self._database is None:
            corrected = {one: path for one in self._ids if (path := self._revision(one)) is not None}
            self._database = StoreDatabase(self.path, self._ids, self._limits, corrected=corrected)
        return self._database.rows(sql, parameters or {})

    def video_ids(self) -> list[str]:
        """Ids of all videos, sorted."""
        return list(self._ids)

    def video(self, video_id: str) -> VideoDocument:
        """The contents of ``video.json``: a plain JSON document, validated by :meth:`record`.

        Args:
            video_id: the video.

        Returns:
            The document as it is in the file.

        Raises:
            StoreError: if the video is not in the store or its record is damaged.
        """
        try:
            content = json.loads((self._folder(video_id) / RECORD_FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise StoreError("A video's record cannot be read.", found=str(error), where=video_id) from error
        revision = self._revision(video_id)
        if revision is not None:
            from visionllm_interaction.store.corrections.log import read_applied

            content |= read_applied(revision).record
        return cast("VideoDocument", dict(content))

    def values_of(self, video_ids: Iterable[str] | None = None) -> ValuesChoice:
        """Which values are read of videos: ``corrected`` if people have corrected any of them.

        Args:
            video_ids: the videos; None: all of the store.

        Returns:
            ``detected`` where nothing is corrected, or the store was opened so.
        """
        ids = self._ids if video_ids is None else video_ids
        return "corrected" if any(self.revision(video_id) is not None for video_id in ids) else "detected"

    def revision(self, video_id: str) -> int | None:
        """The revision of a video's corrections that is read; None where the machine's values are."""
        found = self._revision(video_id)
        return None if found is None else int(found.name)

    def _revision(self, video_id: str) -> Path | None:
        """The folder of the corrected tables; the same one as long as the store is open."""
        if self.values == "detected":
            return None
        if video_id not in self._corrected:
            found = newest_revision(self._folder(video_id))
            # Where every correction is undone or orphaned there are no tables: the machine's values hold.
            has_tables = found is not None and (found / "tracks.parquet").is_file()
            self._corrected[video_id] = found if has_tables else None
        return self._corrected[video_id]

    def _file(self, video_id: str, name: str) -> Path:
        """One Parquet file of a video: the corrected one, if it differs from the machine's."""
        revision = self._revision(video_id)
        if revision is not None and (revision / f"{name}.parquet").is_file():
            return revision / f"{name}.parquet"
        return self._folder(video_id) / f"{name}.parquet"

    def names(self, video_id: str | None = None) -> list[str]:
        """Categories and roles of the tracks in the store or video, and ``"person"`` if any is a person."""
        present: set[str] = set()
        for one in self._ids if video_id is None else (video_id,):
            present |= self.words(one, "tracks", ("category", "role"))
        people = {ANY_PERSON} if present & PERSON_CATEGORIES else set()
        return sorted(present | people)

    def coded_names(self, video_id: str) -> set[str]:
        """The participants of the codes of a video, and their labels, in lower case."""
        return {word.strip(" ").lower() for word in self.words(video_id, "codes", ("participant", "label"))} - {""}

    def words(self, video_id: str, name: str, columns: Sequence[str]) -> set[str]:
        """The texts that occur in columns of one Parquet file of a video, without empty ones."""
        from visionllm_interaction.store.arrow_schemas import distinct_words

        return distinct_words(self._file(video_id, name), columns)

    def known_names(self) -> list[str]:
        """:meth:`names`, and what the detectors looked for without finding it (*nothing there* is an answer)."""
        searched = {name for video_id in self._ids for name in self.video(video_id)["detector"]["categories"]}
        return sorted(searched | set(self.names()))

    def tracks(self, video_id: str) -> list[Track]:
        """Tracks of one video."""
        from visionllm_interaction.store.arrow_schemas import arrow_to_tracks

        return arrow_to_tracks(self.read_table(video_id, "tracks"))

    def relations(self, video_id: str) -> list[Relation]:
        """Bouts of relations of one video, by begin."""
        from visionllm_interaction.store.arrow_schemas import arrow_to_relations

        return arrow_to_relations(self.read_table(video_id, "relations"))

    def events(self, video_id: str) -> list[Event]:
        """Events of one video, by begin."""
        from visionllm_interaction.store.arrow_schemas import arrow_to_events

        return arrow_to_events(self.read_table(video_id, "events"))

    def codes(self, video_id: str) -> list[Code]:
        """Intervals coded by people that were imported for one video."""
        from visionllm_interaction.store.arrow_schemas import arrow_to_codes

        return arrow_to_codes(self.read_table(video_id, "codes"))

    def sightings(self, video_id: str) -> dict[int, list[tuple[float, float]]]:
        """Track id → intervals ``[begin_s, end_s)`` of consecutive processed frames in which it is seen."""
        found: dict[int, list[tuple[float, float]]] = {}
        for row in self.read_table(video_id, "sightings").to_pylist():
            found.setdefault(row["track_id"], []).append((row["begin_s"], row["end_s"]))
        return found

    def detections(self, video_id: str) -> pa.Table:
        """``detections.parquet`` of one video."""
        return self.read_table(video_id, "detections")

    def frames(self, video_id: str) -> pa.Table:
        """``frames.parquet`` of one video."""
        return self.read_table(video_id, "frames")

    def timeline(self, video_id: str) -> TimelineContent:
        """Frames, tracks, relations and events of one video, as the plain JSON document that the service sends."""
        record, frames = self.video(video_id), self.frames(video_id)
        index = frames["frame_index"].to_pylist()
        return {
            "video_id": video_id,
            "name": record["source"]["name"],
            "width": record["width"],
            "height": record["height"],
            "duration_s": record["duration_s"],
            "frames": {
                "first": index[0] if index else None,
                "last": index[-1] if index else None,
                "count": len(index),
                "processed": sum(frames["processed"].to_pylist()),
            },
            "tracks": [asdict(track) for track in self.tracks(video_id)],
            # not by way of objects: an hour has tens of thousands of bouts
            "relations": self.read_table(video_id, "relations").to_pylist(),
            "events": self.read_table(video_id, "events").to_pylist(),
        }

    def _folder(self, video_id: str) -> Path:
        folder = self.path / "videos" / check_video_id(video_id)
        if not folder.is_dir():
            raise unknown_video(self.path, video_id)
        return folder

    def read_table(self, video_id: str, name: str) -> pa.Table:
        """Read one Parquet file of one video.

        Args:
            video_id: the video.
            name: the file's name without the ending; a key of ``store.arrow_schemas.SCHEMAS``.

        Returns:
            The file's columns.

        Raises:
            StoreError: if the video is not in the store or the file is damaged.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        from visionllm_interaction.store.arrow_schemas import SCHEMAS
        from visionllm_interaction.store.columns import DERIVED_COLUMNS

        path = self._file(video_id, name)
        if name in DERIVED_COLUMNS and not path.is_file():
            return SCHEMAS[name].empty_table()
        try:
            return pq.read_table(path, schema=SCHEMAS[name], partitioning=None)
        except (OSError, pa.ArrowException) as error:
            raise StoreError("A file of the store cannot be read.", found=str(error), where=str(path)) from error

    def read_columns(
        self,
        video_id: str,
        name: str,
        columns: Sequence[str],
        *,
        encode: Callable[[Sequence[str | None]], NDArray[np.int64]] | None = None,
    ) -> dict[str, NDArray[Any]]:
        """Read some columns of one Parquet file as arrays, without the database.

        Args:
            video_id: the video.
            name: the file's name without the ending.
            columns: columns of numbers or texts; of a column of lists the members are given, and as ``column:length``
                the number of members of each row.
            encode: texts → numbers, for columns of texts.

        Returns:
            Column → its values.

        Raises:
            StoreError: if the video is not in the store or the file is damaged.
        """
        from visionllm_interaction.store.arrow_schemas import read_columns

        return read_columns(self._file(video_id, name), columns, encode=encode)


def open_store(path: StrPath, *, limits: StoreLimits = StoreLimits(), values: ValuesChoice = "corrected") -> Store:
    """Open the store at ``path`` for reading; it sees the videos that are complete at this moment.

    Args:
        path: the store's folder.
        limits: memory, threads and time a query may use.
        values: ``corrected``: of videos that people have corrected, the corrected values; ``detected``: the machine's.

    Returns:
        The store. Close it, or use it in a ``with`` statement.

    Raises:
        StoreError: if there is no store, or one of another version.
    """
    return Store(Path(path), limits=limits, values=values)
