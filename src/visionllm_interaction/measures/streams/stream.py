"""A stream: intervals or moments of many groups, with the tracks that prove them, and the operators on streams."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from visionllm_interaction.core.grouped_arrays import Floats, Ints, bisect, expand, ranked
from visionllm_interaction.core.grouped_intervals import IntervalIndex, bout_starts, row_order
from visionllm_interaction.core.intervals import TOLERANCE_S


class TrackLists(Struct, frozen=True, eq=False):
    """The tracks of each row, as one array and where each row's begin in it.

    Attributes:
        offsets: (N + 1,) row n has ``ids[offsets[n]:offsets[n + 1]]``.
        ids: (K,) track ids, possibly repeated.
    """

    offsets: Ints
    ids: Ints

    @classmethod
    def of_columns(cls, *columns: Ints) -> TrackLists:
        """One list per row from columns (N,) of equal length; no column: empty lists are not possible here."""
        ids = np.stack(columns, axis=1)
        return cls(np.arange(len(ids) + 1) * ids.shape[1], ids.ravel())

    @classmethod
    def none(cls, rows: int) -> TrackLists:
        """Empty lists of ``rows`` rows."""
        return cls(np.zeros(rows + 1, np.int64), np.zeros(0, np.int64))

    @classmethod
    def of_pairs(cls, row: Ints, ids: Ints, *, rows: int) -> TrackLists:
        """Lists from pairs of row (rising) and track id."""
        return cls(np.concatenate([[0], np.cumsum(np.bincount(row, minlength=rows))]), ids)

    def take(self, rows: Ints) -> TrackLists:
        """The lists of ``rows``, in that order."""
        counts = np.diff(self.offsets)
        if len(counts) and (counts == counts[0]).all():  # of boxes each row has as many: nothing has to be looked up
            members = self.ids.reshape(len(counts), counts[0])[rows]
            return TrackLists(np.arange(len(rows) + 1) * counts[0], members.ravel())
        counts = counts[rows]
        _, member = expand(self.offsets[rows], counts)
        return TrackLists(np.concatenate([[0], np.cumsum(counts)]), self.ids[member])

    def joined(self, starts: Ints) -> TrackLists:
        """Neighbouring rows as one, from each of ``starts`` to the next."""
        return TrackLists(np.append(self.offsets[starts], self.offsets[-1]), self.ids)

    def followed_by(self, other: TrackLists) -> TrackLists:
        """Each list with that of ``other`` in the same row behind it."""
        rows = np.concatenate([np.arange(len(self.offsets) - 1), np.arange(len(other.offsets) - 1)])
        counts = np.concatenate([np.diff(self.offsets), np.diff(other.offsets)])
        owner = np.repeat(rows, counts)
        order = np.argsort(owner, kind="stable")
        ids = np.concatenate([self.ids, other.ids])[order]
        return TrackLists.of_pairs(owner[order], ids, rows=len(self.offsets) - 1)

    def of_rows(self, first: int, last: int) -> tuple[int, ...]:
        """The tracks of the rows from ``first`` up to ``last``, each once, sorted."""
        return tuple(ranked(self.ids[self.offsets[first] : self.offsets[last]])[0].tolist())


class Stream(Struct, frozen=True, eq=False, dict=True):
    """Intervals or moments, sorted by group, begin and end.

    Attributes:
        group: (N,) which group each row belongs to.
        begin_s: (N,) seconds of the video; of a moment its time.
        end_s: (N,) first moment after it; of a moment the end of what proves it.
        tracks: the tracks that prove each row.
        moments: whether rows are moments.
        merged: whether rows of a group are known to be apart from each other.
    """

    group: Ints
    begin_s: Floats
    end_s: Floats
    tracks: TrackLists
    moments: bool = False
    merged: bool = False

    def __len__(self) -> int:
        return len(self.group)

    @classmethod
    def sorted(
        cls, group: Ints, begin_s: Floats, end_s: Floats, tracks: TrackLists, *, moments: bool = False
    ) -> Stream:
        """A stream of rows in any order."""
        order = row_order(group, begin_s, end_s)
        return cls(group[order], begin_s[order], end_s[order], tracks.take(order), moments=moments)

    @classmethod
    def empty(cls, *, moments: bool = False) -> Stream:
        """Nothing at all."""
        none = np.zeros(0)
        return cls(np.zeros(0, np.int64), none, none, TrackLists.none(0), moments=moments, merged=not moments)

    @cached_property
    def index(self) -> IntervalIndex:
        """For finding the rows in a window."""
        return IntervalIndex(self.group, self.begin_s, self.end_s)

    @property
    def length_s(self) -> Floats:
        """Length of each row, (N,)."""
        return self.end_s - self.begin_s

    def without_tracks(self) -> Stream:
        """The same, proved by no track."""
        return replace(self, tracks=TrackLists.none(len(self)))

    def with_tracks_of(self, other: Stream) -> Stream:
        """The same, each row proved by the tracks of the rows of ``other`` that it has time in common with."""
        i, j = other.index.overlapping(self.group, self.begin_s, self.end_s)
        proof = other.tracks.take(j)
        owner = np.repeat(i, np.diff(proof.offsets))
        return replace(self, tracks=TrackLists.of_pairs(owner, proof.ids, rows=len(self)))

    def take(self, rows: Ints | NDArray[np.bool_]) -> Stream:
        """The rows at ``rows`` (rising), or where a mask is true."""
        places = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        return replace(
            self,
            group=self.group[places],
            begin_s=self.begin_s[places],
            end_s=self.end_s[places],
            tracks=self.tracks.take(np.asarray(places, np.int64)),
        )


def merged(stream: Stream, *, max_gap_s: float = 0.0) -> Stream:
    """Intervals that overlap, touch or are at most ``max_gap_s`` apart as one."""
    if stream.merged and not max_gap_s:
        return stream
    starts = bout_starts(stream.group, stream.begin_s, stream.end_s, max_gap_s=max_gap_s)
    if not len(starts):
        return replace(stream, merged=True, moments=False)
    return Stream(
        stream.group[starts],
        stream.begin_s[starts],
        np.maximum.reduceat(stream.end_s, starts),
        stream.tracks.joined(starts),
        merged=True,
    )


def both(one: Stream, other: Stream) -> Stream:
    """The time in which both hold; of a stream of moments those that lie in the other's intervals."""
    if one.moments or other.moments:
        moments, intervals = (one, merged(other)) if one.moments else (other, merged(one))
        return _moments_in(moments, intervals)
    one, other = merged(one), merged(other)
    i, j = other.index.overlapping(one.group, one.begin_s, one.end_s)
    begin_s, end_s = np.maximum(one.begin_s[i], other.begin_s[j]), np.minimum(one.end_s[i], other.end_s[j])
    kept = end_s - begin_s > TOLERANCE_S
    i, j = i[kept], j[kept]
    tracks = one.tracks.take(i).followed_by(other.tracks.take(j))
    return Stream(one.group[i], begin_s[kept], end_s[kept], tracks, merged=True)


def _moments_in(moments: Stream, intervals: Stream) -> Stream:
    at = moments.begin_s
    i, j = intervals.index.overlapping(moments.group, at, np.nextafter(at, np.inf))
    found = moments.take(i)
    return replace(found, tracks=found.tracks.followed_by(intervals.tracks.take(j)))


def either(one: Stream, other: Stream) -> Stream:
    """The time in which at least one holds; of moments all of both."""
    rows = all_rows(one, other)
    return rows if one.moments else merged(rows)


def all_rows(one: Stream, other: Stream) -> Stream:
    """The rows of both, with all overlaps; they are moments if those of ``one`` are."""
    tracks = TrackLists(
        np.concatenate([one.tracks.offsets, one.tracks.offsets[-1] + other.tracks.offsets[1:]]),
        np.concatenate([one.tracks.ids, other.tracks.ids]),
    )
    return Stream.sorted(
        np.concatenate([one.group, other.group]),
        np.concatenate([one.begin_s, other.begin_s]),
        np.concatenate([one.end_s, other.end_s]),
        tracks,
        moments=one.moments,
    )


def complement(stream: Stream, within: Stream) -> Stream:
    """The time of ``within`` in which ``stream`` does not hold; parts up to the tolerance are rounding errors."""
    covered, within = merged(stream), merged(within)
    i, j = covered.index.overlapping(within.group, within.begin_s, within.end_s)
    # Each interval of `within` is cut at the begins and ends of what covers it.
    begin_s = np.concatenate([within.begin_s, np.minimum(covered.end_s[j], within.end_s[i])])
    end_s = np.concatenate([within.end_s, np.maximum(covered.begin_s[j], within.begin_s[i])])
    owner = np.concatenate([np.arange(len(within)), i])
    begin_order, end_order = np.lexsort((begin_s, owner)), np.lexsort((end_s, owner))
    owner, begin_s, end_s = owner[begin_order], begin_s[begin_order], end_s[end_order]
    kept = end_s - begin_s > TOLERANCE_S
    group = within.group[owner[kept]]
    return Stream(group, begin_s[kept], end_s[kept], TrackLists.none(len(group)), merged=True)


def at_least(stream: Stream, number: int) -> Stream:
    """The time in which at least ``number`` rows hold at once."""
    rows = distinct(stream)
    group = np.concatenate([rows.group, rows.group])
    at = np.concatenate([rows.begin_s, rows.end_s])
    step = np.repeat([1, -1], len(rows))
    order = np.lexsort((step, at, group))
    group, at, level = group[order], at[order], np.cumsum(step[order])
    # Levels are zero between groups: every begin has its end.
    up = level >= number
    held = up[:-1] & (group[1:] == group[:-1]) & (at[1:] > at[:-1])
    begin_s, end_s, group = at[:-1][held], at[1:][held], group[:-1][held]
    i, j = rows.index.overlapping(group, begin_s, end_s)
    tracks = rows.tracks.take(j)
    owner = np.repeat(i, np.diff(tracks.offsets))
    return merged(Stream(group, begin_s, end_s, TrackLists.of_pairs(owner, tracks.ids, rows=len(group))))


def distinct(stream: Stream) -> Stream:
    """Rows of the same times and tracks once: a relation of two people is found from both sides."""
    first = np.full(len(stream), -1)
    last = first.copy()
    counts = np.diff(stream.tracks.offsets)
    some = counts > 0
    if some.any():
        starts = stream.tracks.offsets[:-1][some]
        first[some] = np.minimum.reduceat(stream.tracks.ids, starts)
        last[some] = np.maximum.reduceat(stream.tracks.ids, starts)
    columns = (last, first, stream.end_s, stream.begin_s, stream.group)
    order = np.lexsort(columns)
    same = np.all([column[order][1:] == column[order][:-1] for column in columns], axis=0)
    return stream.take(np.sort(order[np.concatenate([[True], ~same])]) if len(order) else order)


def during(stream: Stream, other: Stream) -> Stream:
    """The rows that lie wholly within one interval of ``other``."""
    if stream.moments:
        return both(stream, other)
    one, intervals = merged(stream), merged(other)
    i, j = intervals.index.overlapping(one.group, one.begin_s, one.end_s)
    inside = (intervals.begin_s[j] <= one.begin_s[i] + TOLERANCE_S) & (intervals.end_s[j] >= one.end_s[i] - TOLERANCE_S)
    return _with_proof(one, i[inside], intervals, j[inside])


def overlapping(stream: Stream, other: Stream) -> Stream:
    """The rows that have time in common with ``other``, whole; intervals in which a moment of ``other`` lies."""
    if stream.moments:
        return both(stream, other)
    one = merged(stream)
    if other.moments:
        j, i = one.index.overlapping(other.group, other.begin_s, np.nextafter(other.begin_s, np.inf))
        order = np.lexsort((j, i))
        return _with_proof(one, i[order], other, j[order])
    intervals = merged(other)
    i, j = intervals.index.overlapping(one.group, one.begin_s, one.end_s)
    common = np.minimum(one.end_s[i], intervals.end_s[j]) - np.maximum(one.begin_s[i], intervals.begin_s[j])
    kept = common > TOLERANCE_S
    return _with_proof(one, i[kept], intervals, j[kept])


def _with_proof(one: Stream, i: Ints, other: Stream, j: Ints) -> Stream:
    """Rows ``i`` (rising, repeated) of ``one``, each once, with the tracks of those of ``other`` that chose it."""
    rows, owner = ranked(i)
    chosen, proof = one.take(rows), other.tracks.take(j)
    pairs = np.repeat(owner, np.diff(proof.offsets))
    return replace(chosen, tracks=chosen.tracks.followed_by(TrackLists.of_pairs(pairs, proof.ids, rows=len(rows))))


def nth(stream: Stream, number: int) -> Stream:
    """The row of each group at a place: 1, 2 … from the first, −1, −2 … from the last."""
    rows = stream if stream.moments else merged(stream)
    low = np.searchsorted(rows.group, rows.group, side="left")
    high = np.searchsorted(rows.group, rows.group, side="right")
    wanted = low + number - 1 if number > 0 else high + number
    return rows.take(np.arange(len(rows)) == wanted)


def edges(stream: Stream, *, ends: bool) -> Stream:
    """The moments at which intervals begin or end; of moments themselves."""
    if stream.moments:
        return stream
    rows = merged(stream)
    at = rows.end_s if ends else rows.begin_s
    return replace(rows, begin_s=at, end_s=at, moments=True, merged=False)


def padded(stream: Stream, before_s: float, after_s: float) -> Stream:
    """Longer by ``before_s`` at the begin and ``after_s`` at the end; of a moment from its time."""
    rows = stream if stream.moments else merged(stream)
    end_s = rows.begin_s if rows.moments else rows.end_s
    return merged(replace(rows, begin_s=rows.begin_s - before_s, end_s=end_s + after_s, moments=False, merged=False))


def points(stream: Stream) -> tuple[Floats, Floats]:
    """Begin and end of each row as operators in time see it: a moment has no length."""
    return stream.begin_s, stream.begin_s if stream.moments else stream.end_s


def begins_near(stream: Stream, other: Stream, within_s: float) -> Stream:
    """The rows that begin at most ``within_s`` before or after one of ``other`` begins."""
    one, two = (s if s.moments else merged(s) for s in (stream, other))
    window = within_s + TOLERANCE_S
    begins = IntervalIndex(two.group, two.begin_s, two.begin_s)
    i, j = begins.overlapping(one.group, one.begin_s - window, one.begin_s + window, touching=True)
    return _with_proof(one, i, two, j)


def sequences(first: Stream, second: Stream, within_s: float) -> Stream:
    """From the begin of each of ``first`` to the end of what of ``second`` begins next, at most ``within_s`` later."""
    one, two = (s if s.moments else merged(s) for s in (first, second))
    begin_s, end_s = points(one)
    i, j = next_after(one.group, end_s, two, within_s, strictly=one.moments and two.moments)
    tracks = one.tracks.take(i).followed_by(two.tracks.take(j))
    return Stream.sorted(one.group[i], begin_s[i], np.maximum(points(two)[1][j], end_s[i]), tracks)


def next_after(group: Ints, at: Floats, stream: Stream, within_s: float, *, strictly: bool) -> tuple[Ints, Ints]:
    """Pairs of query and the first row that begins at or after ``at`` (Q,), at most ``within_s`` later.

    ``strictly``: later than ``at``. Moments do not follow what happens at the same time, nor themselves.
    """
    begins = stream.index
    low = np.searchsorted(begins.group, group, side="left")
    high = np.searchsorted(begins.group, group, side="right")
    row = bisect(stream.begin_s, low, high, at + TOLERANCE_S if strictly else at - TOLERANCE_S, "left")
    found = row < high
    found[found] = stream.begin_s[row[found]] <= at[found] + within_s + TOLERANCE_S
    return np.flatnonzero(found), row[found]


def nearest(stream: Stream, other: Stream) -> Stream:
    """The rows of ``other`` of which one is nearest in time to each of ``stream``; of two as near the earlier one."""
    one, two = (s if s.moments else merged(s) for s in (stream, other))
    i, j = two.index.of_group(one.group)
    (b, e), (b2, e2) = points(one), points(two)
    distance = np.maximum(np.maximum(b2[j] - e[i], b[i] - e2[j]), 0.0)
    order = np.lexsort((j, distance, i))
    best = order[np.concatenate([[True], i[order][1:] != i[order][:-1]])] if len(order) else order
    return two.take(ranked(j[best])[0])


def clipped(stream: Stream, begin_s: Floats, end_s: Floats) -> Stream:
    """The parts within the window ``[begin_s, end_s)`` of each group (G,); moments at whose times it is open."""
    low, high = begin_s[stream.group], end_s[stream.group]
    if stream.moments:
        return stream.take((stream.begin_s >= low) & (stream.begin_s < high))
    cut = replace(stream, begin_s=np.maximum(stream.begin_s, low), end_s=np.minimum(stream.end_s, high))
    return cut.take(cut.end_s > cut.begin_s)


__all__ = [
    "Stream",
    "TrackLists",
    "all_rows",
    "at_least",
    "begins_near",
    "both",
    "clipped",
    "complement",
    "distinct",
    "during",
    "edges",
    "either",
    "merged",
    "nearest",
    "next_after",
    "nth",
    "overlapping",
    "padded",
    "points",
    "sequences",
]
