"""What a store holds of one video, as typed tables for Python users."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

import numpy as np
import pyarrow as pa

from visionllm_interaction.core.bodies import FaceRow, HandRow, HoldingEvidence, PoseRow, PostureBout
from visionllm_interaction.core.categories import BODY_CATEGORIES, PERSON_CATEGORIES
from visionllm_interaction.core.tracks_relations_events import Code, Event, Relation, Track
from visionllm_interaction.errors import UsageError
from visionllm_interaction.store.video_record import VideoRecord
from visionllm_interaction.utils.notebook_display import MAX_ROWS, html_table

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from visionllm_interaction.store.reader import Store
    from visionllm_interaction.store.recordings.clocks import Recording

RowT = TypeVar("RowT")


@dataclass(frozen=True, slots=True)
class FrameRow:
    """One frame: its time from the video's time stamps, and whether it was processed."""

    frame_index: int
    timestamp_s: float
    duration_s: float
    processed: bool
    quality: str


@dataclass(frozen=True, slots=True)
class DetectionRow:
    """One box in one frame; ``x1, y1, x2, y2`` in pixels of the upright image, ``track_id`` −1 where untracked."""

    detection_id: int
    frame_index: int
    timestamp_s: float
    category: str
    confidence: float
    x1: float
    y1: float
    x2: float
    y2: float
    track_id: int
    interpolated: bool


class VideoTable(Sequence[RowT], Generic[RowT]):
    """One file of one video: a sequence of typed rows over an Arrow table.

    Args:
        name: what the rows are, for example ``"tracks"``.
        arrow: the columns; see docs/store.md.
        to_row: makes a row from a dictionary of its columns.
    """

    def __init__(self, name: str, arrow: pa.Table, to_row: Callable[[Mapping[str, Any]], RowT]) -> None:
        self.name = name
        self._arrow = arrow
        self._to_row = to_row

    def __len__(self) -> int:
        return int(self._arrow.num_rows)

    @overload
    def __getitem__(self, index: int) -> RowT: ...
    @overload
    def __getitem__(self, index: slice) -> VideoTable[RowT]: ...
    def __getitem__(self, index: int | slice) -> RowT | VideoTable[RowT]:
        if isinstance(index, slice):
            return VideoTable(self.name, self._arrow.take(list(range(*index.indices(len(self))))), self._to_row)
        position = range(len(self))[index]
        return self._to_row(self._arrow.slice(position, 1).to_pylist()[0])

    def __iter__(self) -> Iterator[RowT]:
        for batch in self._arrow.to_batches(max_chunksize=10_000):
            yield from map(self._to_row, batch.to_pylist())

    def to_arrow(self) -> pa.Table:
        """The columns as an Arrow table, without a copy."""
        return self._arrow

    def to_pandas(self) -> pd.DataFrame:
        """The columns as a pandas data frame, one row each; needs pandas."""
        return self._arrow.to_pandas()

    def __repr__(self) -> str:
        shown = "".join(f"\n  {row}" for row in islice(self, 5))
        more = f"\n  … {len(self) - 5} more" if len(self) > 5 else ""
        return f"<{len(self)} {self.name}>{shown}{more}"

    def _repr_html_(self) -> str:
        rows = (list(row.values()) for row in self._arrow.slice(0, MAX_ROWS).to_pylist())
        return html_table(self._arrow.column_names, rows, caption=f"{len(self)} {self.name}")


@dataclass(frozen=True)
class VideoView:
    """One video of an open store: ``store[video_id]``. Files are read when they are asked for.

    Attributes:
        video_id: the video's id in the store.
    """

    _store: Store
    video_id: str

    @property
    def record(self) -> VideoRecord:
        """How the video was analysed: source, size in pixels, detector, settings, versions."""
        return self._store.record(self.video_id)

    @property
    def duration_s(self) -> float:
        """Length of the video in seconds."""
        return self.record.duration_s

    @property
    def frames(self) -> VideoTable[FrameRow]:
        """Every frame and its time; ``processed`` tells *nothing seen* from *not processed*."""
        return VideoTable("frames", self._store.frames(self.video_id), lambda row: FrameRow(**row))

    @property
    def detections(self) -> VideoTable[DetectionRow]:
        """Every box, frame by frame."""
        return VideoTable("detections", self._store.detections(self.video_id), lambda row: DetectionRow(**row))

    @property
    def tracks(self) -> VideoTable[Track]:
        """The people and objects followed through the video."""
        return VideoTable("tracks", self._store.read_table(self.video_id, "tracks"), lambda row: Track(**row))

    def tracks_named(self, name: str) -> tuple[Track, ...]:
        """The tracks that a name stands for, as in measures.

        Args:
            name: a category, a role, ``"person"`` for people of every category, or ``"thing"`` for whatever is neither
                a person nor a body part.

        Returns:
            The tracks, in the order of the table.
        """
        return tuple(track for track in self.tracks if _is_named(track, name))

    @property
    def relations(self) -> VideoTable[Relation]:
        """Bouts of near, in contact, holding … between two tracks."""
        return VideoTable("relations", self._store.read_table(self.video_id, "relations"), lambda row: Relation(**row))

    @property
    def events(self) -> VideoTable[Event]:
        """Entering, leaving, picking up, handing over … at their times."""
        return VideoTable("events", self._store.read_table(self.video_id, "events"), _event)

    @property
    def codes(self) -> VideoTable[Code]:
        """Intervals that people coded in another program."""
        return VideoTable("codes", self._store.read_table(self.video_id, "codes"), lambda row: Code(**row))

    @property
    def hands(self) -> VideoTable[HandRow]:
        """Every hand that was found, frame by frame; none where hands were not looked for."""
        return self._body_table("hands")

    @property
    def faces(self) -> VideoTable[FaceRow]:
        """Every face that was found, with the turn of the head, frame by frame."""
        return self._body_table("faces")

    @property
    def poses(self) -> VideoTable[PoseRow]:
        """The key points of every person, frame by frame."""
        return self._body_table("poses")

    @property
    def postures(self) -> VideoTable[PostureBout]:
        """Bouts of standing, sitting, lying and being held."""
        return self._body_table("postures")

    @property
    def holdings(self) -> VideoTable[HoldingEvidence]:
        """What each bout of *holding* rests on: hands, or boxes alone."""
        return self._body_table("holdings")

    def _body_table(self, name: str) -> VideoTable[Any]:
        from visionllm_interaction.store.arrow_schemas import body_row

        return VideoTable(name, self._store.read_table(self.video_id, name), lambda row: body_row(name, row))

    @property
    def recordings(self) -> tuple[Recording, ...]:
        """Sound, trackers and coded files beside the video, each with its clock."""
        from visionllm_interaction.store.recordings.imported_data import read_recordings

        return tuple(read_recordings(self._store.path / "videos" / self.video_id).values())

    def to_xarray(self) -> xr.Dataset:
        """The tracks as a bounding-box dataset; see :meth:`Store.to_xarray`."""
        return self._store.to_xarray(self.video_id)

    def __repr__(self) -> str:
        record = self.record
        return (
            f"<video {self.video_id}: {record.source.name}, {record.width} × {record.height} px, "
            f"{record.duration_s:.1f} s, {record.n_processed} of {record.n_frames} frames processed, "
            f"{record.n_tracks} tracks>"
        )


def _is_named(track: Track, name: str) -> bool:
    is_person = track.category in PERSON_CATEGORIES
    return (
        name in (track.category, track.role)
        or (name == "person" and is_person)
        or (name == "thing" and not is_person and track.category not in BODY_CATEGORIES)
    )


def _event(row: Mapping[str, Any]) -> Event:
    return Event(**{**row, "track_ids": tuple(row["track_ids"])})


SOURCE_SOFTWARE = "visionllm-interaction"


def tracks_to_xarray(record: VideoRecord, frames: pa.Table, detections: pa.Table, tracks: list[Track]) -> xr.Dataset:
    """The boxes of every track in every frame.

    The layout is that of bounding-box datasets in ``movement`` 0.15 (https://movement.neuroinformatics.dev): dimensions
    ``time``, ``space`` and ``individuals``; ``position`` (box centre, pixels), ``shape`` (width and height, pixels) and
    ``confidence``. Two variables are added: ``processed`` (time), because *not seen* is not *not processed*, and
    ``interpolated`` (time, individuals). Where a track has no box, values are NaN.

    Args:
        record: the video's record.
        frames: ``frames.parquet``.
        detections: ``detections.parquet``.
        tracks: the video's tracks; each becomes an individual named by role or category and track id.

    Returns:
        The dataset; ``time`` holds the frames' own time stamps in seconds.

    Raises:
        UsageError: if xarray is not installed.
    """
    xarray = _import_xarray()
    times = frames["timestamp_s"].to_numpy()
    names = [f"{track.role or track.category}_{track.track_id}" for track in tracks]
    column_of = {track.track_id: n for n, track in enumerate(tracks)}
    track_ids = detections["track_id"].to_numpy()
    rows = np.flatnonzero(np.isin(track_ids, list(column_of)))
    at = np.searchsorted(frames["frame_index"].to_numpy(), detections["frame_index"].to_numpy()[rows])
    who = np.array([column_of[number] for number in track_ids[rows].tolist()], np.int64)
    boxes = np.stack([detections[side].to_numpy()[rows] for side in ("x1", "y1", "x2", "y2")], axis=1)
    position = np.full((len(times), 2, len(tracks)), np.nan, np.float32)
    shape = position.copy()
    confidence = np.full((len(times), len(tracks)), np.nan, np.float32)
    interpolated = np.zeros((len(times), len(tracks)), np.bool_)
    position[at, :, who] = (boxes[:, :2] + boxes[:, 2:]) / 2
    shape[at, :, who] = boxes[:, 2:] - boxes[:, :2]
    confidence[at, who] = detections["confidence"].to_numpy()[rows]
    interpolated[at, who] = detections["interpolated"].to_numpy(zero_copy_only=False)[rows]
    attributes = {
        "source_software": SOURCE_SOFTWARE,
        "source_file": record.source.name,
        "ds_type": "bboxes",
        "time_unit": "seconds",
        "video_id": record.video_id,
        **({"fps": float(record.fps)} if record.fps else {}),
    }
    dataset: xr.Dataset = xarray.Dataset(
        {
            "position": (("time", "space", "individuals"), position),
            "shape": (("time", "space", "individuals"), shape),
            "confidence": (("time", "individuals"), confidence),
            "processed": (("time",), frames["processed"].to_numpy(zero_copy_only=False)),
            "interpolated": (("time", "individuals"), interpolated),
        },
        coords={"time": times, "space": ["x", "y"], "individuals": names},
        attrs=attributes,
    )
    return dataset


def _import_xarray() -> Any:
    try:
        import xarray
    except ImportError as error:
        raise UsageError(
            "xarray is not installed.",
            expected="the extra `notebook`",
            found=str(error),
            fix="pip install 'visionllm-interaction[notebook]'",
        ) from error
    return xarray
