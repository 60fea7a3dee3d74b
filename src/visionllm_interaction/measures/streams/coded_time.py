"""The time in which codes can be found: what the coded files say was coded, where they say so.

A file may say which time of a video was coded (codes of kind ``coded``). Where every file that codes something of
somebody does, nothing is known of the rest of the video: a rate is one per coded minute, and *not* holds in coded time
only. Where a file does not say so, all processed time counts as coded.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from visionllm_interaction.core.grouped_arrays import Floats, Ints, bisect
from visionllm_interaction.core.intervals import TOLERANCE_S, Intervals, intersection, union
from visionllm_interaction.measures.streams.batch import Batch
from visionllm_interaction.measures.streams.coded_spans import spans_of_file
from visionllm_interaction.measures.streams.stream import Stream, TrackLists, both, merged
from visionllm_interaction.measures.streams.stream_scopes import StreamGroups

Flags = NDArray[np.bool_]
ANYBODY = -1
"""In place of a participant: whoever is coded."""


class KnownTime(Struct, frozen=True, eq=False):
    """The time in which it is known whether a stream holds.

    Attributes:
        limited: (G,) whether it is told by what was coded; otherwise it is the processed time.
        needs_frames: (G,) whether it is known only where frames were processed as well.
        coded: the coded time of the limited groups within their windows, merged.
    """

    limited: Flags
    needs_frames: Flags
    coded: Stream

    @classmethod
    def always(cls, groups: int) -> KnownTime:
        """Of what is known in all time, such as a window."""
        nowhere = np.zeros(groups, np.bool_)
        return cls(nowhere, nowhere, merged(Stream.empty()))

    @classmethod
    def processed(cls, groups: int) -> KnownTime:
        """Of what is read from frames."""
        return replace(cls.always(groups), needs_frames=np.ones(groups, np.bool_))

    def and_(self, other: KnownTime) -> KnownTime:
        """The time in which both are known."""
        needs_frames = self.needs_frames | other.needs_frames
        if not other.limited.any():
            return replace(self, needs_frames=needs_frames)
        if not self.limited.any():
            return replace(other, needs_frames=needs_frames)
        ours, theirs = self.limited[other.coded.group], other.limited[self.coded.group]
        parts = (
            both(self.coded.take(theirs), other.coded.take(ours)),
            self.coded.take(~theirs),
            other.coded.take(~ours),
        )
        return KnownTime(self.limited | other.limited, needs_frames, _joined(*parts))

    def rows(self, processed: Stream) -> Stream:
        """The known time of the limited groups; ``processed`` is the processed time of all groups."""
        if not (self.limited & self.needs_frames).any():
            return self.coded
        in_frames = self.needs_frames[self.coded.group]
        return _joined(both(self.coded.take(in_frames), processed), self.coded.take(~in_frames))

    def cut(self, stream: Stream) -> Stream:
        """The parts of a stream in coded time; see :func:`cut`."""
        if stream.moments:
            return stream.take(self.meets(stream)) if self.limited.any() else stream
        return cut(stream, self.limited, self.coded)

    def meets(self, stream: Stream) -> Flags:
        """(N,) whether each row has time in common with coded time; true in groups that are not limited."""
        if stream.moments:
            return self.throughout(stream.group, stream.begin_s, stream.begin_s)
        end_s = np.maximum(stream.end_s - TOLERANCE_S, np.nextafter(stream.begin_s, np.inf))
        found = ~self.limited[stream.group]
        found[self.coded.index.overlapping(stream.group, stream.begin_s + TOLERANCE_S, end_s, touching=True)[0]] = True
        return found

    def shifted(self, group: Ints, at: Floats, by: Floats) -> Floats:
        """Moments of coded time moved on a clock that stands still while nothing is coded, around its end.

        Args:
            group: (N,) limited groups.
            at: (N,) moments that were coded, seconds.
            by: (N,) how far each is moved, as a share of the coded seconds of its group.

        Returns:
            (N,) coded moments.
        """
        rows = self.coded
        low, high = (np.searchsorted(rows.group, group, side=side) for side in ("left", "right"))
        until = np.concatenate([[0.0], np.cumsum(rows.length_s)])
        place = np.maximum(bisect(rows.begin_s, low, high, at + TOLERANCE_S, "right") - 1, low)
        whole_s = until[high] - until[low]
        ran_s = until[place] - until[low] + (at - rows.begin_s[place]) + by * whole_s
        ran_s = until[low] + ran_s % whole_s
        place = np.clip(np.searchsorted(until, ran_s, side="right") - 1, low, high - 1)
        return np.asarray(rows.begin_s[place] + ran_s - until[place])

    def throughout(self, group: Ints, begin_s: Floats, end_s: Floats) -> Flags:
        """(N,) whether all was coded from ``begin_s`` (N,) to ``end_s`` (N,); true in groups that are not limited."""
        i, j = self.coded.index.overlapping(group, begin_s - TOLERANCE_S, begin_s + TOLERANCE_S)
        found = ~self.limited[group]
        found[i[self.coded.end_s[j] >= end_s[i] - TOLERANCE_S]] = True
        return found


def _joined(*parts: Stream) -> Stream:
    """Rows without tracks of streams whose groups differ."""
    group = np.concatenate([part.group for part in parts])
    begin_s, end_s = (np.concatenate([getattr(part, name) for part in parts]) for name in ("begin_s", "end_s"))
    return replace(Stream.sorted(group, begin_s, end_s, TrackLists.none(len(group))), merged=True)


def cut(stream: Stream, limited: Flags, within: Stream) -> Stream:
    """The parts of intervals that lie in some time; what has no length is kept where that time is open.

    Args:
        stream: intervals.
        limited: (G,) the groups in which it is cut; rows of others stay as they are.
        within: that time, merged.

    Returns:
        The parts, in order.
    """
    bound = limited[stream.group]
    if not bound.any():
        return stream
    rows = np.flatnonzero(bound)
    begin_s, end_s = stream.begin_s[rows], stream.end_s[rows]
    i, j = within.index.overlapping(stream.group[rows], begin_s, np.maximum(end_s, np.nextafter(begin_s, np.inf)))
    parts = stream.take(rows[i])
    begins, ends = np.maximum(parts.begin_s, within.begin_s[j]), np.minimum(parts.end_s, within.end_s[j])
    is_part = (ends - begins > TOLERANCE_S) | (parts.length_s <= TOLERANCE_S)
    parts = replace(parts, begin_s=begins, end_s=ends).take(is_part)
    free = stream.take(~bound)
    group, begin_s, end_s = (
        np.concatenate([getattr(free, name), getattr(parts, name)]) for name in ("group", "begin_s", "end_s")
    )
    offsets = np.concatenate([free.tracks.offsets, free.tracks.offsets[-1] + parts.tracks.offsets[1:]])
    tracks = TrackLists(offsets, np.concatenate([free.tracks.ids, parts.tracks.ids]))
    return replace(Stream.sorted(group, begin_s, end_s, tracks), merged=stream.merged)


def coded_time(groups: StreamGroups, *, kind: str | None, tier: str | None, participant: Ints | None) -> KnownTime:
    """The time in which codes can be found.

    Args:
        groups: what to compute it for.
        kind: of code; None: of any.
        tier: name of the tier; None: any.
        participant: (G,) whose codes; None: anybody's.

    Returns:
        The coded time of those groups whose files all say what was coded.
    """
    batch = groups.batch
    if not len(batch.coded_spans.video):
        return KnownTime.processed(len(groups))
    chosen = _chosen(batch, kind, tier)
    who = np.full(len(groups), ANYBODY) if participant is None else groups.names.texts(participant)
    found: dict[tuple[int, int], tuple[Intervals | None, bool]] = {}
    limited, needs_frames = np.zeros(len(groups), np.bool_), np.zeros(len(groups), np.bool_)
    parts: list[tuple[Ints, Floats, Floats]] = []
    for group, key in enumerate(zip(groups.video.tolist(), who.tolist(), strict=True)):
        if key not in found:
            found[key] = _coded_in(batch, chosen, *key)
        spans, needs_frames[group] = found[key]
        if spans is None:
            continue
        limited[group] = True
        begin_s = np.maximum(spans[:, 0], groups.begin_s[group])
        end_s = np.minimum(spans[:, 1], groups.end_s[group])
        inside = end_s > begin_s
        parts.append((np.full(int(inside.sum()), group), begin_s[inside], end_s[inside]))
    if not parts:
        return KnownTime(limited, needs_frames, merged(Stream.empty()))
    group_, begin_s, end_s = (np.concatenate(column) for column in zip(*parts, strict=True))
    coded = Stream(group_, begin_s, end_s, TrackLists.none(len(group_)), merged=True)
    return KnownTime(limited, needs_frames, coded)


def _chosen(batch: Batch, kind: str | None, tier: str | None) -> Flags:
    """The codes of a kind, or of a tier."""
    codes, texts = batch.codes, batch.texts
    chosen = np.ones(len(codes.kind), np.bool_)
    for column, wanted in ((codes.kind, kind), (codes.tier, tier)):
        if wanted is not None:
            chosen &= column == texts.known(wanted.strip(" ").lower())
    return chosen


def _coded_in(batch: Batch, chosen: Flags, video: int, who: int) -> tuple[Intervals | None, bool]:
    """The coded time of somebody in a video, None where a file does not say; and whether frames limit it as well.

    It is known what *anybody* does where it is known of everybody who is coded.
    """
    codes = batch.codes
    rows = chosen & (codes.video == video)
    people = [who]
    if who == ANYBODY:
        people = np.unique(codes.participant[rows]).tolist()
    elif not (rows & (codes.participant == who)).any():
        # Whoever does nothing in a video has no codes in it: the files that code the others tell.
        return _said(batch, rows, video, who)
    all_spans: Intervals | None = None
    needs_frames = False
    for one in people:
        spans, unsaid = _said(batch, rows & (codes.participant == one), video, one)
        needs_frames |= unsaid
        if spans is not None:
            all_spans = spans if all_spans is None else intersection(all_spans, spans)
    return all_spans, needs_frames or not people


def _said(batch: Batch, rows: Flags, video: int, who: int) -> tuple[Intervals | None, bool]:
    """What the files of codes say was coded of somebody, together; None (and that frames tell) where one does not."""
    spans = batch.coded_spans
    parts: list[Intervals] = []
    for source in np.unique(batch.codes.source[rows]).tolist():
        of_file = (spans.source == source) & (spans.video == video)
        if not of_file.any():
            return None, True
        said = np.stack([spans.begin_s[of_file], spans.end_s[of_file]], axis=1)
        of_them = np.isin(spans.participant[of_file], [who, ANYBODY, batch.texts.known("")])
        parts.append(spans_of_file(said, of_them))
    return (union(np.concatenate(parts)), False) if parts else (None, True)
