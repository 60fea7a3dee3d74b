"""A store whose videos are sessions: the chapters of a camera are one video on the session's clock."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.evidence import Evidence
from visionllm_interaction.errors import UsageError
from visionllm_interaction.store.covariates import read_covariates
from visionllm_interaction.store.reader import Store
from visionllm_interaction.store.recordings.imported_data import read_recordings
from visionllm_interaction.store.sessions.chapters import Chapter, Session, read_session, read_sessions
from visionllm_interaction.store.sessions.codes_across_borders import ChapterCodes, session_codes
from visionllm_interaction.store.sessions.videos_or_sessions import SessionChoice

if TYPE_CHECKING:
    import pyarrow as pa

    from visionllm_interaction.core.tracks_relations_events import Code
    from visionllm_interaction.store.video_record import VideoDocument
    from visionllm_interaction.store.video_view import VideoView

TRACK_STEP = 1_000_000
"""Track n of the k-th video of a session (from 0) is track ``k * TRACK_STEP + n`` of the session."""
_TIMES = frozenset({"timestamp_s", "begin_s", "end_s"})
_FRAMES = frozenset({"frame_index", "first_frame", "last_frame"})
_TRACKS = frozenset({"track_id", "subject_track_id", "object_track_id", "track_ids"})
_COUNTS = ("n_frames", "n_processed", "n_detections", "n_tracks")


@dataclass(frozen=True, slots=True)
class _Part:
    """One video of a session, and what is added to its numbers."""

    chapter: Chapter
    first_frame: int
    first_track: int
    n_frames: int


class SessionStore(Store):
    """The sessions of a store, read like videos; a video that is in no session stands for itself.

    Times are those of the session's clock. What was cut at the border of two chapters is one again. Frames are counted
    on from chapter to chapter, and ids of tracks are told apart by :data:`TRACK_STEP`; :meth:`locate` finds the video,
    its own time, frames and tracks.

    Args:
        store: the open store; it stays open, and has to be closed by whoever opened it.
        choice: which sessions, and of which camera.

    Raises:
        StoreError: if a file of the store is damaged.
        UsageError: if the session is not known, or no video is of the camera.
    """

    has_sessions = True

    def __init__(self, store: Store, choice: SessionChoice = SessionChoice()) -> None:
        self.base = store
        self.path = store.path
        self.values = store.values
        self.camera = camera = choice.camera
        if choice.session is not None:
            read_session(store.path, choice.session)
        sessions = read_sessions(store.path)
        in_sessions = {chapter.video_id for one in sessions.values() for chapter in one.chapters}
        chosen = {name: one if camera is None else one.of_camera(camera) for name, one in sessions.items()}
        self.sessions: dict[str, Session] = {name: one for name, one in chosen.items() if one.chapters}
        alone = [video_id for video_id in store.video_ids() if video_id not in in_sessions]
        if camera is not None:
            alone = videos_of_camera(store, camera, alone)
        self._ids = tuple(sorted([*self.sessions, *alone]))
        if choice.session is not None:
            self._ids = tuple(name for name in self._ids if name == choice.session)
        self._parts: dict[str, tuple[_Part, ...]] = {}
        self._codes: dict[str, list[Code]] = {}
        if camera is not None and not self._ids:
            raise unknown_camera(store, camera)

    def __getitem__(self, video_id: str) -> VideoView:
        """As of a store; sessions are videos."""
        if video_id not in self.sessions:
            return self.base[video_id]
        from visionllm_interaction.store.video_view import VideoView

        self.parts(video_id)
        return VideoView(self, video_id)

    def close(self) -> None:
        """Nothing: the store below is closed by whoever opened it."""

    def parts(self, name: str) -> tuple[_Part, ...]:
        """The videos of a session by begin, checked to be of one kind and to show no time twice."""
        if name not in self._parts:
            session = self.sessions[name]
            _check_one_view(session)
            _check_alike(self.base, session)
            parts: list[_Part] = []
            for number, chapter in enumerate(session.chapters):
                first = parts[-1].first_frame + parts[-1].n_frames if parts else 0
                count = int(self.base.video(chapter.video_id)["n_frames"])
                parts.append(_Part(chapter, first, number * TRACK_STEP, count))
            self._parts[name] = tuple(parts)
        return self._parts[name]

    def video(self, video_id: str) -> VideoDocument:
        """As of a store; of a session one record made of those of its videos."""
        if video_id not in self.sessions:
            return self.base.video(video_id)
        parts = self.parts(video_id)
        records = [dict[str, Any](self.base.video(part.chapter.video_id)) for part in parts]
        digest = hashlib.sha256("".join(str(r["source"]["sha256"]) for r in records).encode()).hexdigest()
        size = sum(int(r["source"]["bytes"]) for r in records)
        of_tracks = {
            key: {
                _renumbered(name, part): value
                for part, record in zip(parts, records, strict=True)
                for name, value in (record.get(key) or {}).items()
            }
            for key in ("roles", "role_proxies")
        }
        joined = {
            **records[0],
            "video_id": video_id,
            "source": {**records[0]["source"], "name": video_id, "sha256": digest, "bytes": size},
            "duration_s": self.sessions[video_id].end_s,
            "notes": [note for record in records for note in record.get("notes") or ()],
            **of_tracks,
            **{key: sum(int(record[key]) for record in records) for key in _COUNTS},
        }
        return cast("VideoDocument", joined)

    def revision(self, video_id: str) -> int | None:
        """As of a store; of a session the sum of those of its videos, None if none is corrected."""
        if video_id not in self.sessions:
            return self.base.revision(video_id)
        found = [self.base.revision(part.chapter.video_id) for part in self.parts(video_id)]
        return sum(one or 0 for one in found) if any(one is not None for one in found) else None

    def words(self, video_id: str, name: str, columns: Sequence[str]) -> set[str]:
        """As of a store; of a session those of all of its videos."""
        if video_id not in self.sessions:
            return self.base.words(video_id, name, columns)
        return set[str]().union(
            *(self.base.words(part.chapter.video_id, name, columns) for part in self.parts(video_id))
        )

    def codes(self, video_id: str) -> list[Code]:
        """As of a store; of a session what was cut at a border is one again."""
        if video_id not in self.sessions:
            return self.base.codes(video_id)
        if video_id not in self._codes:
            self._codes[video_id] = session_codes([self._codes_of(part.chapter) for part in self.parts(video_id)])
        return self._codes[video_id]

    def _codes_of(self, chapter: Chapter) -> ChapterCodes:
        recordings = read_recordings(self.path / "videos" / chapter.video_id)
        return ChapterCodes(chapter, self.base.codes(chapter.video_id), recordings)

    def read_table(self, video_id: str, name: str) -> pa.Table:
        """As of a store; of a session the rows of all of its videos on the session's clock."""
        if video_id not in self.sessions:
            return self.base.read_table(video_id, name)
        import pyarrow as pa

        from visionllm_interaction.store.arrow_schemas import symbols_to_arrow

        if name == "codes":
            return symbols_to_arrow("codes", self.codes(video_id))
        parts = self.parts(video_id)
        return pa.concat_tables([_moved(self.base.read_table(p.chapter.video_id, name), p) for p in parts])

    def read_columns(
        self,
        video_id: str,
        name: str,
        columns: Sequence[str],
        *,
        encode: Callable[[Sequence[str | None]], NDArray[np.int64]] | None = None,
    ) -> dict[str, NDArray[Any]]:
        """As of a store; of a session the rows of all of its videos on the session's clock."""
        if video_id not in self.sessions:
            return self.base.read_columns(video_id, name, columns, encode=encode)
        if name == "codes":
            return _columns_of(self.codes(video_id), columns, encode)
        found: list[dict[str, NDArray[Any]]] = []
        for part in self.parts(video_id):
            read = self.base.read_columns(part.chapter.video_id, name, columns, encode=encode)
            found.append({column: _shifted(column, values, part) for column, values in read.items()})
        return {column: np.concatenate([one[column] for one in found]) for column in found[0]}

    def locate(self, evidence: Evidence) -> tuple[Evidence, ...]:
        """Where evidence of a session can be checked: in which of its videos, at their own times, frames and tracks.

        Args:
            evidence: one piece; of a video that is in no session it stays as it is.

        Returns:
            One piece for each video that it lies in; each has the value of the whole session.
        """
        if evidence.video_id not in self.sessions:
            return (evidence,)
        begin_s, end_s = evidence.begin_s, evidence.end_s
        found: list[Evidence] = []
        for part in self.parts(evidence.video_id):
            chapter = part.chapter
            if begin_s is not None and end_s is not None:
                at = max(begin_s, chapter.begin_s)
                inside = at < min(end_s, chapter.end_s) or (begin_s == end_s and at == begin_s < chapter.end_s)
                if not inside:
                    continue
            found.append(_located(evidence, part))
        return tuple(found)

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Refused: a query reads files of videos.

        Args:
            sql: the query.
            parameters: its bound parameters.

        Raises:
            UsageError: always.
        """
        del sql, parameters
        raise UsageError(
            "Single frames are asked of videos, not of sessions.",
            expected="a video",
            found="a session",
            fix="ask without --by session",
        )


def videos_of_camera(store: Store, camera: str, video_ids: Sequence[str] | None = None) -> list[str]:
    """The videos whose covariate ``camera`` is this.

    Args:
        store: the open store.
        camera: name of the camera.
        video_ids: of these videos; None: of all.

    Returns:
        Their ids, sorted.
    """
    asked = store.video_ids() if video_ids is None else video_ids
    known = {video_id: read_covariates(store.path, video_id) for video_id in asked}
    return sorted(video_id for video_id, one in known.items() if one is not None and one.camera == camera)


def unknown_camera(store: Store, camera: str) -> UsageError:
    """The error for a camera that no video is of."""
    known = [read_covariates(store.path, video_id) for video_id in store.video_ids()]
    cameras = sorted({one.camera for one in known if one is not None and one.camera})
    return UsageError(
        f"No video is of the camera {camera!r}.",
        expected=f"one of: {', '.join(cameras)}" if cameras else "a camera that was set",
        found=camera,
        fix="set it: visionllm videos set VIDEO --camera NAME",
    )


def _check_one_view(session: Session) -> None:
    pair = session.side_by_side()
    if pair is None:
        return
    cameras = [camera for camera in session.cameras if camera]
    raise UsageError(
        "Several videos of the session show the same time, which would count twice.",
        expected=f"one camera: {', '.join(cameras)}" if cameras else "videos that follow each other",
        found=f"{pair[0].video_id} and {pair[1].video_id}",
        where=f"session {session.name}",
        fix=f"choose one: in camera {cameras[0]}, or --camera {cameras[0]}"
        if cameras
        else "name the cameras: visionllm session set NAME VIDEO… --camera room",
    )


def _check_alike(store: Store, session: Session) -> None:
    """Refuse videos whose numbers do not mean the same."""
    ids = [chapter.video_id for chapter in session.chapters]
    about = [_analysis_of(store.video(video_id)) for video_id in ids]
    for video_id, one in zip(ids, about, strict=True):
        for what, value in one.items():
            if value != about[0][what]:
                raise UsageError(
                    f"The videos of a session were analysed differently: {what}.",
                    expected=f"{about[0][what]} as in {ids[0]}"[:300],
                    found=f"{value} in {video_id}"[:300],
                    where=f"session {session.name}",
                    fix="analyse them alike, or leave one out of the session",
                )


def _analysis_of(record: Mapping[str, Any]) -> dict[str, object]:
    detector = record["detector"]
    return {
        "size of the image": (record["width"], record["height"]),
        "view": record.get("view"),
        "detector": detector["kind"],
        "weights": detector["digest"] if detector["kind"] == "checkpoint" else None,
        "categories": sorted(detector["categories"]),
        "settings of relations and events": (record.get("config") or {}).get("scenes"),
        "heads": record.get("heads") is not None,
        "hands, faces and poses": sorted((record.get("bodies") or {}).get("finds") or ()),
    }


def _renumbered(name: str, part: _Part) -> str:
    """A role's key is a category, or the id of a track."""
    return str(int(name) + part.first_track) if name.isdigit() else name


def _moved(table: pa.Table, part: _Part) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    for place, field in enumerate(table.schema):
        column = table.column(place)
        if field.name in _TIMES:
            moved = pc.add(column, part.chapter.offset_s)
        elif field.name in _FRAMES:
            moved = pc.add(column, part.first_frame)
        elif field.name == "track_ids":
            ids = [[_track(one, part) for one in row] for row in column.to_pylist()]
            moved = pa.chunked_array([pa.array(ids, field.type)])
        elif field.name in _TRACKS:
            moved = pc.if_else(pc.less(column, 0), column, pc.add(column, part.first_track))
        elif field.name == "event_id":
            moved = pc.binary_join_element_wise(column, part.chapter.video_id, "@")
        else:
            continue
        table = table.set_column(place, field, moved.cast(field.type))
    return table


def _track(track_id: int, part: _Part) -> int:
    return track_id if track_id < 0 else track_id + part.first_track


def _shifted(column: str, values: NDArray[Any], part: _Part) -> NDArray[Any]:
    if column in _TIMES:
        return np.asarray(values + part.chapter.offset_s)
    if column in _FRAMES:
        return np.asarray(values + part.first_frame)
    if column in _TRACKS:
        return np.where(values < 0, values, values + part.first_track)
    return values


def _columns_of(
    codes: Sequence[Code], columns: Sequence[str], encode: Callable[[Sequence[str | None]], NDArray[np.int64]] | None
) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {}
    for column in columns:
        values = [getattr(code, column) for code in codes]
        if column in _TIMES:
            found[column] = np.array(values, np.float64)
        elif encode is None:
            raise TypeError(f"{column} is a column of texts")
        else:
            found[column] = encode(values)
    return found


def _located(evidence: Evidence, part: _Part) -> Evidence:
    chapter, last = part.chapter, part.first_frame + part.n_frames - 1
    begin_s, end_s, frames = evidence.begin_s, evidence.end_s, None
    if begin_s is not None and end_s is not None:
        begin_s = max(begin_s, chapter.begin_s) - chapter.offset_s
        end_s = min(end_s, chapter.end_s) - chapter.offset_s
    if evidence.frames is not None and evidence.frames[0] <= last and evidence.frames[1] >= part.first_frame:
        first = max(evidence.frames[0], part.first_frame) - part.first_frame
        frames = (first, min(evidence.frames[1], last) - part.first_frame)
    mine = range(part.first_track, part.first_track + TRACK_STEP)
    tracks = tuple(track - part.first_track for track in evidence.track_ids if track in mine)
    where = f"{evidence.measure} in session {evidence.video_id}"
    return replace(
        evidence,
        measure=where,
        video_id=chapter.video_id,
        track_ids=tracks,
        begin_s=begin_s,
        end_s=end_s,
        frames=frames,
    )
