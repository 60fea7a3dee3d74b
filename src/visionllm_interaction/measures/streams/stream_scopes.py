"""What streams are computed for: videos or windows of them, times the names that variables stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from visionllm_interaction.core.grouped_arrays import Floats, Ints, bisect, expand, sums
from visionllm_interaction.measures.streams.batch import Batch
from visionllm_interaction.measures.streams.stream import Stream, TrackLists, merged
from visionllm_interaction.store.reader import ANY_PERSON, ANY_THING

ANYTHING = "anything"
"""A name for everything that was tracked."""


class Name(Struct, frozen=True):
    """What tracks are chosen by.

    Attributes:
        base: a category, a role, ``person``, ``thing`` or ``anything``.
        excluded: tracks of these names are left out.
        is_own: only tracks that are told apart by this very name, the role before the category: a *person* who is
            neither the child nor anybody else with a name.
        is_sure: of people only those who have a role: who has none may be one of those that are left out.
    """

    base: str
    excluded: tuple[str, ...] = ()
    is_own: bool = False
    is_sure: bool = False

    def __str__(self) -> str:
        return " except ".join((self.base, *self.excluded))


class NameTable:
    """The names that are asked about, as numbers, and their tracks in a batch.

    Args:
        batch: the videos.
    """

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.names: list[Name] = []
        self._codes: dict[Name, int] = {}
        self._masks: list[NDArray[np.bool_]] = []
        self._index: tuple[Ints, Ints] | None = None
        self._table: NDArray[np.bool_] | None = None

    def code(self, name: Name) -> int:
        """The number of a name, new if it was not asked about before."""
        if name not in self._codes:
            self._codes[name] = len(self.names)
            self.names.append(name)
            self._masks.append(self._mask(name))
            self._index = self._table = None
        return self._codes[name]

    def mask(self, code: int) -> NDArray[np.bool_]:
        """(T,) which tracks are of a name."""
        return self._masks[code]

    def _mask(self, name: Name) -> NDArray[np.bool_]:
        chosen = self._own_mask(name.base) if name.is_own else self._base_mask(name.base)
        for other in name.excluded:
            chosen &= ~self._base_mask(other)
        if name.is_sure:
            chosen &= self._has_role | ~self.batch.tracks.is_person
        return chosen

    @property
    def _has_role(self) -> NDArray[np.bool_]:
        tracks = self.batch.tracks
        return np.asarray((tracks.role >= 0) & (tracks.role != self.batch.texts.known("")))

    def _own_mask(self, name: str) -> NDArray[np.bool_]:
        tracks = self.batch.tracks
        code = self.batch.texts.known(name)
        return np.asarray(np.where(self._has_role, tracks.role, tracks.category) == code) & (code >= 0)

    def are_named_otherwise(self, code: int) -> NDArray[np.bool_]:
        """(V,) whether a video has tracks of the category of a name, and every one of them goes by its role.

        Args:
            code: the number of a name.

        Returns:
            Whether nobody is left in a video who could be called so; False for names that no role takes the place of.
        """
        found = np.zeros(len(self.batch.video_ids), np.bool_)
        name = self.names[code]
        if not name.is_own:
            return found
        tracks = self.batch.tracks
        found[tracks.video[tracks.category == self.batch.texts.known(name.base)]] = True
        found[tracks.video[self.mask(code)]] = False
        return found

    def _base_mask(self, name: str) -> NDArray[np.bool_]:
        tracks = self.batch.tracks
        code = self.batch.texts.known(name)
        chosen: NDArray[np.bool_] = ((tracks.category == code) | (tracks.role == code)) & (code >= 0)
        if name == ANY_PERSON:
            chosen |= tracks.is_person
        elif name == ANY_THING:
            chosen |= ~tracks.is_person & ~tracks.is_body
        elif name == ANYTHING:
            chosen[:] = True
        return chosen

    def tracks_of(self, codes: Ints, video: Ints) -> tuple[Ints, Ints]:
        """Pairs of query and track: the tracks in ``video`` (Q,) that the name ``codes`` (Q,) stands for."""
        n_videos = len(self.batch.video_ids)
        if self._index is None:
            tracks = [np.flatnonzero(mask) for mask in self._masks]
            keys = [code * n_videos + self.batch.tracks.video[track] for code, track in enumerate(tracks)]
            self._index = (
                np.concatenate(keys) if keys else np.zeros(0, np.int64),
                np.concatenate(tracks) if tracks else np.zeros(0, np.int64),
            )
        keys_, tracks_ = self._index
        wanted = codes * n_videos + video
        low = np.searchsorted(keys_, wanted, side="left")
        query, place = expand(low, np.searchsorted(keys_, wanted, side="right") - low)
        return query, tracks_[place]

    def stands_for(self, codes: Ints, track: Ints) -> NDArray[np.bool_]:
        """Whether each track (N,), or −1 for none, is one of the name in ``codes`` (N,)."""
        if self._table is None:
            self._table = np.array(self._masks, dtype=np.bool_).reshape(len(self._masks), -1)
        if not self._table.size:
            return np.zeros(len(track), np.bool_)
        return np.asarray(self._table[codes, track] & (track >= 0))

    def texts(self, codes: Ints) -> Ints:
        """The number of each name in lower case in the batch's texts; −1 for *anything*, −2 if no text is like it."""
        self.batch.codes  # noqa: B018  (the texts of codes are met first)
        known = [
            -1 if name.base == ANYTHING else code if (code := self.batch.texts.known(name.base.lower())) >= 0 else -2
            for name in self.names
        ]
        return np.array(known, dtype=np.int64)[codes]


@dataclass(frozen=True, eq=False)
class Scopes:
    """Videos, or windows of videos.

    Attributes:
        video: (S,) place of the video in the batch.
        begin_s: (S,) begin of the window; −inf: the video's.
        end_s: (S,) end of the window; inf: the video's.
    """

    video: Ints
    begin_s: Floats
    end_s: Floats
    _processed: list[tuple[Batch, Processed]] = field(default_factory=list, repr=False)

    def __len__(self) -> int:
        return len(self.video)

    def processed_in(self, batch: Batch) -> Processed:
        """The processed time of each scope; computed once."""
        for known, processed in self._processed:
            if known is batch:
                return processed
        self._processed.append((batch, processed_time(batch, self)))
        return self._processed[-1][1]


class Processed(Struct, frozen=True, eq=False):
    """The processed time of each scope.

    Attributes:
        seconds: (S,) sum of what processed frames stand for.
        begin_s: (S,) begin of the first one; NaN: none was processed.
        end_s: (S,) end of the last one.
        first_frame: (S,) number of the first one; −1: none.
        last_frame: (S,) number of the last one.
        intervals: the intervals of processed frames, by scope.
    """

    seconds: Floats
    begin_s: Floats
    end_s: Floats
    first_frame: Ints
    last_frame: Ints
    intervals: Stream

    @property
    def any(self) -> NDArray[np.bool_]:
        """(S,) whether a frame was processed."""
        return self.first_frame >= 0


class Windows(Struct, frozen=True, eq=False):
    """Windows of videos that are asked about.

    Attributes:
        video: (Q,) place of the video in the batch.
        begin_s: (Q,) begin of the window; −inf: the video's.
        end_s: (Q,) end of the window; inf: the video's.
    """

    video: Ints
    begin_s: Floats
    end_s: Floats

    def take(self, places: Ints) -> Windows:
        """Those at some places."""
        return Windows(self.video[places], self.begin_s[places], self.end_s[places])


class StreamGroups(Struct, frozen=True, eq=False, dict=True):
    """Scopes × bindings of variables: what a stream has rows for.

    Attributes:
        batch: the videos.
        names: names as numbers.
        scopes: videos or windows.
        scope: (G,) the scope of each group.
        bindings: variable → (G,) the name that it stands for in each group.
    """

    batch: Batch
    names: NameTable
    scopes: Scopes
    scope: Ints
    bindings: Mapping[str, Ints] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.scope)

    @cached_property
    def video(self) -> Ints:
        """(G,) place of the video in the batch."""
        return self.scopes.video[self.scope]

    @cached_property
    def begin_s(self) -> Floats:
        """(G,) begin of the window."""
        return self.scopes.begin_s[self.scope]

    @cached_property
    def end_s(self) -> Floats:
        """(G,) end of the window."""
        return self.scopes.end_s[self.scope]

    @cached_property
    def windows(self) -> Windows:
        """(G,) the window of each group."""
        return Windows(self.video, self.begin_s, self.end_s)

    @cached_property
    def are_whole(self) -> bool:
        """Whether they are of whole videos, without windows."""
        return bool(np.isneginf(self.scopes.begin_s).all() and np.isposinf(self.scopes.end_s).all())

    @property
    def unwindowed(self) -> StreamGroups:
        """The same for whole videos."""
        n = len(self.scopes)
        scopes = Scopes(self.scopes.video, np.full(n, -np.inf), np.full(n, np.inf))
        return StreamGroups(self.batch, self.names, scopes, self.scope, self.bindings)

    @cached_property
    def processed(self) -> Processed:
        """The processed time of each *scope*."""
        return self.scopes.processed_in(self.batch)


def frames_in(batch: Batch, scopes: Scopes, scope: Ints) -> tuple[Ints, Ints, Floats, Floats]:
    """The processed frames of scopes, cut to their windows.

    Args:
        batch: the videos.
        scopes: videos or windows.
        scope: (Q,) places of scopes.

    Returns:
        The place in ``scope`` (K,), the place in the table of frames (K,), and begin and end (K,) in seconds.
    """
    frames, begins, ends = batch.frames, scopes.begin_s[scope], scopes.end_s[scope]
    query, row = frames.index.overlapping(scopes.video[scope], begins, ends)
    return query, row, np.maximum(frames.begin_s[row], begins[query]), np.minimum(frames.end_s[row], ends[query])


def processed_time(batch: Batch, scopes: Scopes) -> Processed:
    """The processed time of each scope; see :class:`Processed`."""
    query, row, begin_s, end_s = frames_in(batch, scopes, np.arange(len(scopes)))
    seconds = sums(query, end_s - begin_s, len(scopes))
    first = np.full(len(scopes), -1)
    last = first.copy()
    begins, ends = np.full(len(scopes), np.nan), np.full(len(scopes), np.nan)
    if len(query):
        starts = np.flatnonzero(np.concatenate([[True], query[1:] != query[:-1]]))
        at = query[starts]
        index = batch.frames.frame_index[row]
        first[at], last[at] = np.minimum.reduceat(index, starts), np.maximum.reduceat(index, starts)
        begins[at], ends[at] = begin_s[starts], np.maximum.reduceat(end_s, starts)
    intervals = merged(Stream(query, begin_s, end_s, TrackLists.none(len(query))))
    return Processed(seconds, begins, ends, first, last, intervals)


def frame_spans(batch: Batch, video: Ints, begin_s: Floats, end_s: Floats) -> tuple[Ints, Ints]:
    """First and last processed frame with a part in each interval (Q,); −1 where there is none."""
    frames = batch.frames
    low = np.searchsorted(frames.video, video, side="left")
    high = np.searchsorted(frames.video, video, side="right")
    first = bisect(frames.index.reached_s, low, high, begin_s + 1e-6, "right")
    after = bisect(frames.begin_s, low, high, end_s - 1e-6, "left")
    some = first < after
    index = np.append(frames.frame_index, -1)
    return np.where(some, index[np.where(some, first, -1)], -1), np.where(
        some, index[np.where(some, after - 1, -1)], -1
    )


def time_bins(batch: Batch, bin_s: float) -> Scopes:
    """The bins of every video, counted from its begin, up to the end of its last processed frame.

    Args:
        batch: the videos.
        bin_s: length of a bin in seconds.

    Returns:
        The bins, video by video.
    """
    n = len(batch.video_ids)
    whole = processed_time(batch, Scopes(np.arange(n), np.full(n, -np.inf), np.full(n, np.inf)))
    counts = np.maximum(np.ceil(np.nan_to_num(whole.end_s, nan=0.0) / bin_s - 1e-9), 0).astype(np.int64)
    video, place = expand(np.zeros(n, np.int64), counts)
    return Scopes(video, np.asarray(place * bin_s, np.float64), np.asarray((place + 1) * bin_s, np.float64))
