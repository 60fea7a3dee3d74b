"""The tables of several videos as columns of numbers: read once, each when it is first used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from visionllm_interaction.core.categories import BODY_CATEGORIES, PERSON_CATEGORIES
from visionllm_interaction.core.frame_table import QUALITY_FLAGS
from visionllm_interaction.core.grouped_arrays import Floats, Ints, expand
from visionllm_interaction.core.grouped_intervals import IntervalIndex, row_order
from visionllm_interaction.measures.streams.string_codes import StringCodes
from visionllm_interaction.store.reader import Store

Columns = Mapping[str, NDArray[Any]]
CODED_KIND = "coded"
"""The kind of codes that say which time was coded; they are codes of no tier."""


def person_key(participant: str) -> str:
    """By what the participants of codes are told apart: their case does not matter."""
    return participant.lower()


class Frames(Struct, frozen=True, eq=False, dict=True):
    """The processed frames of all videos, by video and time.

    Attributes:
        video: (N,) place of the video in the batch.
        frame_index: (N,) number of the frame in its video.
        begin_s: (N,) time stamp.
        end_s: (N,) time stamp and what the frame stands for.
    """

    video: Ints
    frame_index: Ints
    begin_s: Floats
    end_s: Floats

    @cached_property
    def index(self) -> IntervalIndex:
        """For finding the frames in a window."""
        return IntervalIndex(self.video, self.begin_s, self.end_s)


class Tracks(Struct, frozen=True, eq=False, dict=True):
    """The tracks of all videos, by video.

    Attributes:
        video: (T,) place of the video in the batch.
        track_id: (T,) id in the video.
        category: (T,) place in :attr:`Batch.texts`.
        role: (T,) place in :attr:`Batch.texts`; −1: none.
        begin_s: (T,) first detection.
        end_s: (T,) last detection.
        is_person: (T,) whether the category is one of people.
        is_body: (T,) whether it is a body part.
    """

    video: Ints
    track_id: Ints
    category: Ints
    role: Ints
    begin_s: Floats
    end_s: Floats
    is_person: NDArray[np.bool_]
    is_body: NDArray[np.bool_]

    @cached_property
    def _lookup(self) -> tuple[Ints, Ints, int]:
        span = int(self.track_id.max(initial=0)) + 2
        key = self.video * span + self.track_id
        order = np.argsort(key, kind="stable")
        return key[order], order, span

    def places(self, video: Ints, track_id: Ints) -> Ints:
        """The place of each track (N,) in this table; −1: the video has no such track."""
        keys, order, span = self._lookup
        if not len(keys):
            return np.full(len(track_id), -1)
        wanted = video * span + track_id
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        known = (keys[at] == wanted) & (track_id >= 0) & (track_id < span)
        return np.where(known, order[at], -1)


class Relations(Struct, frozen=True, eq=False):
    """Bouts of relations from both sides; ``side`` tells which of the two is the table's subject.

    Attributes:
        predicate: (N,) place in :attr:`Batch.texts`.
        one: (N,) place of a track in :class:`Tracks`.
        other: (N,) place of the other track.
        is_subject: (N,) whether ``one`` is the subject of the table.
        index: rows by predicate and ``one`` (:meth:`key`), then time.
    """

    predicate: Ints
    one: Ints
    other: Ints
    is_subject: NDArray[np.bool_]
    index: IntervalIndex
    n_tracks: int

    def key(self, predicate: int, track: Ints) -> Ints:
        """What ``index`` calls a group."""
        return np.asarray(predicate * self.n_tracks + track)


class Events(Struct, frozen=True, eq=False):
    """Events by kind, video and time.

    Attributes:
        kind: (N,) place in :attr:`Batch.texts`.
        index: rows by kind and video (:meth:`key`), then time.
        offsets: (N + 1,) where each row's tracks are in ``actors``.
        actors: (K,) places of tracks in :class:`Tracks`, −1 for unknown ones, in the order of the event.
        n_videos: videos in the batch.
    """

    kind: Ints
    index: IntervalIndex
    offsets: Ints
    actors: Ints
    n_videos: int

    def key(self, kind: int, video: Ints) -> Ints:
        """What ``index`` calls a group."""
        return np.asarray(kind * self.n_videos + video)


class Codes(Struct, frozen=True, eq=False):
    """Codes of people by kind, video and time; texts are in lower case and without blanks at their ends.

    Attributes:
        tier: (N,) place in :attr:`Batch.texts`.
        kind: (N,) place in :attr:`Batch.texts`.
        participant: (N,) place in :attr:`Batch.texts`.
        label: (N,) place in :attr:`Batch.texts`.
        source: (N,) number of the file that they come from.
        video: (N,) place of the video in the batch.
        begin_s: (N,).
        end_s: (N,).
        participants: kind → the participants as they are written.
    """

    tier: Ints
    kind: Ints
    participant: Ints
    label: Ints
    source: Ints
    video: Ints
    begin_s: Floats
    end_s: Floats
    participants: Mapping[str, frozenset[str]]

    def take(self, kept: NDArray[np.bool_]) -> Codes:
        """The rows where a mask is true."""
        return Codes(
            self.tier[kept],
            self.kind[kept],
            self.participant[kept],
            self.label[kept],
            self.source[kept],
            self.video[kept],
            self.begin_s[kept],
            self.end_s[kept],
            self.participants,
        )


class TrackedBoxes(Struct, frozen=True, eq=False):
    """The detections of one video that are on a track, by frame.

    Attributes:
        frame: (N,) frame index.
        track: (N,) place in :class:`Tracks`.
        xyxy: (4, N) pixels: each side of all boxes in a row of its own.
    """

    frame: Ints
    track: Ints
    xyxy: Floats


class Postures(Struct, frozen=True, eq=False):
    """Bouts of postures by posture and track.

    Attributes:
        track: (N,) place in :class:`Tracks`.
        index: rows by posture and track (:meth:`key`), then time.
    """

    track: Ints
    index: IntervalIndex
    n_tracks: int

    def key(self, posture: int, track: Ints) -> Ints:
        """What ``index`` calls a group."""
        return np.asarray(posture * self.n_tracks + track)


class Quality(Struct, frozen=True, eq=False):
    """Stretches of videos and what makes them hard to see.

    Attributes:
        video: (N,) place of the video.
        begin_s: (N,) begin of the stretch.
        end_s: (N,) end.
        flags: flag → (N,) whether it holds.
        has_images: (V,) whether light and blur of the video were measured.
        measured: (V,) whether there are stretches at all.
    """

    video: Ints
    begin_s: Floats
    end_s: Floats
    flags: Mapping[str, NDArray[np.bool_]]
    has_images: NDArray[np.bool_]
    measured: NDArray[np.bool_]

    def having(self, flag: str | None) -> IntervalIndex:
        """The stretches with a flag (None: any), by place of the video, then time."""
        chosen = self.flags[flag] if flag else np.any([*self.flags.values()], axis=0)
        rows = np.flatnonzero(chosen)
        return IntervalIndex(self.video[rows], self.begin_s[rows], self.end_s[rows])


class Batch:
    """Several videos of a store.

    Args:
        store: the open store.
        video_ids: the videos; places in this list are what tables call ``video``.
    """

    def __init__(self, store: Store, video_ids: Sequence[str]) -> None:
        self.store = store
        self.video_ids = list(video_ids)
        self.texts = StringCodes()
        self._detections: dict[int, TrackedBoxes] = {}

    @cached_property
    def records(self) -> list[Mapping[str, object]]:
        """The plain records of the videos."""
        return [self.store.video(video_id) for video_id in self.video_ids]

    @cached_property
    def sizes(self) -> Floats:
        """(V, 2) width and height of each video in pixels."""
        return np.array([[float(str(r["width"])), float(str(r["height"]))] for r in self.records]).reshape(-1, 2)

    @cached_property
    def frames(self) -> Frames:
        """See :class:`Frames`."""
        read = self._read("frames", "frame_index", "timestamp_s", "duration_s", "processed")
        kept = read["processed"].astype(np.bool_)
        video, index, begin_s, length_s = (
            read[name][kept] for name in ("video", "frame_index", "timestamp_s", "duration_s")
        )
        order = np.lexsort((begin_s, video))
        return Frames(video[order], index[order], begin_s[order], (begin_s + length_s)[order])

    @cached_property
    def tracks(self) -> Tracks:
        """See :class:`Tracks`."""
        read = self._read("tracks", "track_id", "begin_s", "end_s", texts=("category", "role"))
        words = self.texts.words
        person = np.array([word in PERSON_CATEGORIES for word in words] or [False])
        body = np.array([word in BODY_CATEGORIES for word in words] or [False])
        category = read["category"]
        columns = (read["video"], read["track_id"], category, read["role"], read["begin_s"], read["end_s"])
        return Tracks(*columns, person[category], body[category])

    @cached_property
    def sightings(self) -> IntervalIndex:
        """Sightings by place of the track, then time."""
        read = self._read("sightings", "track_id", "begin_s", "end_s")
        track = self.tracks.places(read["video"], read["track_id"])
        known = track >= 0
        track, begin_s, end_s = track[known], read["begin_s"][known], read["end_s"][known]
        order = row_order(track, begin_s, end_s)
        return IntervalIndex(track[order], begin_s[order], end_s[order])

    @cached_property
    def relations(self) -> Relations:
        """See :class:`Relations`."""
        names = ("subject_track_id", "object_track_id", "begin_s", "end_s")
        read = self._read("relations", *names, texts=("predicate",))
        one = self.tracks.places(read["video"], read["subject_track_id"])
        other = self.tracks.places(read["video"], read["object_track_id"])
        # The table is kept from both sides; a relation to a track that is not in the table has one side only.
        predicate, begin_s, end_s = (np.tile(read[name], 2) for name in ("predicate", "begin_s", "end_s"))
        is_subject = np.repeat([True, False], len(one))
        one, other = np.concatenate([one, other]), np.concatenate([other, one])
        n_tracks = len(self.tracks.video) + 1
        known = np.flatnonzero(one >= 0)
        key = (predicate * n_tracks + one)[known]
        order = known[row_order(key, begin_s[known], end_s[known])]
        index = IntervalIndex(predicate[order] * n_tracks + one[order], begin_s[order], end_s[order])
        return Relations(predicate[order], one[order], other[order], is_subject[order], index, n_tracks)

    @cached_property
    def events(self) -> Events:
        """See :class:`Events`."""
        read = self._read("events", "track_ids", "begin_s", "end_s", texts=("kind",))
        kind, video = read["kind"], read["video"]
        lengths = read["track_ids:length"]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        actors = self.tracks.places(np.repeat(video, lengths), read["track_ids"])
        n_videos = len(self.video_ids)
        key = kind * n_videos + video
        order = row_order(key, read["begin_s"], read["end_s"])
        counts = lengths[order]
        _, member = expand(offsets[order], counts)
        index = IntervalIndex(key[order], read["begin_s"][order], read["end_s"][order])
        return Events(kind[order], index, np.concatenate([[0], np.cumsum(counts)]), actors[member], n_videos)

    @cached_property
    def postures(self) -> Postures:
        """See :class:`Postures`."""
        read = self._read("postures", "track_id", "begin_s", "end_s", texts=("posture",))
        track, n_tracks = self.tracks.places(read["video"], read["track_id"]), len(self.tracks.video) + 1
        known = np.flatnonzero(track >= 0)
        begin_s, end_s = read["begin_s"][known], read["end_s"][known]
        key = read["posture"][known] * n_tracks + track[known]
        order = row_order(key, begin_s, end_s)
        index = IntervalIndex(key[order], begin_s[order], end_s[order])
        return Postures(track[known][order], index, n_tracks)

    @cached_property
    def quality(self) -> Quality:
        """See :class:`Quality`."""
        read = self._read("quality", "begin_s", "end_s", "light", *QUALITY_FLAGS)
        order = np.lexsort((read["begin_s"], read["video"]))
        video, n_videos = read["video"][order], len(self.video_ids)
        flags = {flag: read[flag][order].astype(np.bool_) for flag in QUALITY_FLAGS}
        lit = video[~np.isnan(read["light"][order].astype(np.float64))]
        has_images = np.bincount(lit, minlength=n_videos) > 0
        measured = np.bincount(video, minlength=n_videos) > 0
        return Quality(video, read["begin_s"][order], read["end_s"][order], flags, has_images, measured)

    @cached_property
    def codes(self) -> Codes:
        """See :class:`Codes`; without those that say which time was coded."""
        rows = self._all_codes
        return rows.take(rows.kind != self.texts.code(CODED_KIND))

    @cached_property
    def coded_spans(self) -> Codes:
        """The codes that say which time was coded."""
        rows = self._all_codes
        return rows.take(rows.kind == self.texts.code(CODED_KIND))

    @cached_property
    def _all_codes(self) -> Codes:
        written: dict[str, set[str]] = {}
        raw = StringCodes()
        texts = ("tier", "kind", "participant", "label", "source")
        read = self._read("codes", "begin_s", "end_s", texts=texts, vocabulary=raw)
        kinds, people = raw.words_of(read["kind"]), raw.words_of(read["participant"])
        for kind, who in set(zip(kinds, people, strict=True)):
            if kind.lower() != CODED_KIND:
                written.setdefault(kind, set()).add(who)
        lowered = np.array([self.texts.code(word.lower()) for word in raw.words], dtype=np.int64)
        trimmed = np.array([self.texts.code(word.strip(" ").lower()) for word in raw.words], dtype=np.int64)
        person = np.array([self.texts.code(person_key(word)) for word in raw.words], dtype=np.int64)
        columns = {"tier": trimmed, "kind": lowered, "participant": person, "label": trimmed}
        tier, kind_, participant, label = (
            np.where(read[name] < 0, -1, codes[read[name]]) if len(codes) else read[name]
            for name, codes in columns.items()
        )
        order = np.lexsort((read["end_s"], read["begin_s"], read["video"]))
        return Codes(
            tier[order],
            kind_[order],
            participant[order],
            label[order],
            read["source"][order],
            read["video"][order],
            read["begin_s"][order],
            read["end_s"][order],
            {kind: frozenset(names) for kind, names in written.items()},
        )

    def detections(self, video: int) -> TrackedBoxes:
        """The detections of the video at a place; see :class:`TrackedBoxes`."""
        if video not in self._detections:
            names = ("frame_index", "track_id", "x1", "y1", "x2", "y2")
            read = self.store.read_columns(self.video_ids[video], "detections", names)
            track = self.tracks.places(np.full(len(read["track_id"]), video), read["track_id"])
            kept = np.flatnonzero(track >= 0)
            frame = read["frame_index"][kept]
            if (frame[1:] < frame[:-1]).any():
                order = np.argsort(frame, kind="stable")
                kept, frame = kept[order], frame[order]
            xyxy = np.stack([read[name][kept] for name in names[2:]], dtype=np.float64)
            self._detections[video] = TrackedBoxes(frame, track[kept], xyxy)
        return self._detections[video]

    def _read(
        self, name: str, *numbers: str, texts: Sequence[str] = (), vocabulary: StringCodes | None = None
    ) -> dict[str, NDArray[Any]]:
        """Columns of a table of all videos, and ``video``: the place of each row's video."""
        words = self.texts if vocabulary is None else vocabulary
        parts = [
            self.store.read_columns(video_id, name, (*numbers, *texts), encode=words.codes)
            for video_id in self.video_ids
        ]
        if not parts:
            kinds: dict[str, Callable[[], NDArray[Any]]] = {n: lambda: np.zeros(0) for n in numbers}
            return {n: make() for n, make in kinds.items()} | {
                n: np.zeros(0, np.int64) for n in (*texts, "video", "track_ids:length")
            }
        joined = {column: np.concatenate([part[column] for part in parts]) for column in parts[0]}
        rows = [len(part[texts[0] if texts else numbers[0]]) for part in parts]
        return joined | {"video": np.repeat(np.arange(len(parts)), rows)}
