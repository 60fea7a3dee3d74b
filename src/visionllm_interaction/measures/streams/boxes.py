"""Quantities of boxes in every processed frame: size, place, dominance, gap, number in view.

Boxes are cut to the image before areas are taken. A quantity has one row per processed frame in which it is defined.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from msgspec import Struct, field
from msgspec.structs import replace
from numpy.typing import NDArray

from visionllm_interaction.core.grouped_arrays import Floats, Ints, bisect, expand, ranked_rows
from visionllm_interaction.measures.streams.batch import Batch
from visionllm_interaction.measures.streams.stream import Stream, TrackLists
from visionllm_interaction.measures.streams.stream_scopes import NameTable, StreamGroups
from visionllm_interaction.store.reader import ANY_THING

NO_TRACK = -1


class BoxQuantity(Struct, frozen=True, eq=False):
    """A number in frames, sorted by group and time.

    Attributes:
        rows: the frames, with the tracks that the value comes from.
        value: (N,) the value in each.
    """

    rows: Stream
    value: Floats

    def within(self, stream: Stream) -> BoxQuantity:
        """The parts of frames that lie in the intervals (merged) of ``stream``."""
        i, j = stream.index.overlapping(self.rows.group, self.rows.begin_s, self.rows.end_s)
        cut = self.rows.take(i)
        begin_s, end_s = np.maximum(cut.begin_s, stream.begin_s[j]), np.minimum(cut.end_s, stream.end_s[j])
        return BoxQuantity(replace(cut, begin_s=begin_s, end_s=end_s), self.value[i])


class _Series(Struct, frozen=True, eq=False):
    """The frames of one video in which a quantity has a value.

    Attributes:
        row: (K,) their places in the batch's table of frames, rising.
        value: (K,) the values.
        tracks: (K, C) the places of the tracks that each value comes from; :data:`NO_TRACK` for none.
    """

    row: Ints
    value: Floats
    tracks: Ints


class _Boxes(Struct, frozen=True, eq=False):
    """The detections in processed frames of one video.

    Attributes:
        frame: (N,) place of the frame among the processed ones, rising.
        track: (N,) place in the table of tracks.
        xyxy: (4, N) pixels.
        area: (N,) pixels of the image that the box covers.
        share: (N,) the same as a share of the image.
        off_centre: (N,) distance of its centre from the image's in half diagonals.
        first: place of the video's first frame in the batch's table of frames.
        frames: number of processed frames.
    """

    frame: Ints
    track: Ints
    xyxy: Floats
    area: Floats
    share: Floats
    off_centre: Floats
    first: int
    frames: int


class BoxTable(Struct):
    """Series of a batch, each computed once.

    Attributes:
        batch: the videos.
        names: names as numbers.
        largest: video, name and by what → frames and the rows of the largest boxes.
    """

    batch: Batch
    names: NameTable
    _boxes: dict[int, _Boxes] = field(default_factory=dict)
    _series: dict[tuple[object, ...], _Series] = field(default_factory=dict)
    _rows: dict[tuple[int, int], Ints] = field(default_factory=dict)
    _starts: dict[tuple[int, int], Ints] = field(default_factory=dict)
    largest: dict[tuple[int, int, str], tuple[Ints, Ints]] = field(default_factory=dict)

    def boxes(self, video: int) -> _Boxes:
        """The boxes of the video at a place."""
        if video not in self._boxes:
            self._boxes[video] = self._read(video)
        return self._boxes[video]

    def _read(self, video: int) -> _Boxes:
        found, frames = self.batch.detections(video), self.batch.frames
        first, after = np.searchsorted(frames.video, [video, video + 1])
        numbers = frames.frame_index[first:after]
        place = np.searchsorted(numbers, found.frame)
        there = place < len(numbers)
        there[there] = numbers[place[there]] == found.frame[there]
        xyxy = found.xyxy if there.all() else found.xyxy[:, there]
        width, height = self.batch.sizes[video]
        x1, y1, x2, y2 = xyxy
        sides = (
            np.maximum(np.minimum(x2, width) - np.maximum(x1, 0), 0),
            np.maximum(np.minimum(y2, height) - np.maximum(y1, 0), 0),
        )
        area = sides[0] * sides[1]
        off = np.sqrt(((x1 + x2 - width) ** 2 + (y1 + y2 - height) ** 2) / (width**2 + height**2))
        return _Boxes(
            place[there], found.track[there], xyxy, area, area / (width * height), off, int(first), len(numbers)
        )

    def series(self, about: str, video: int, codes: tuple[int, ...]) -> _Series:
        """The series of a quantity, of one or two names, in a video."""
        key = (about, video, codes)
        if key not in self._series:
            self._series[key] = _COMPUTED[about](self, video, codes)
        return self._series[key]

    def rows_of(self, video: int, code: int) -> Ints:
        """The rows of :meth:`boxes` that show a name."""
        if (video, code) not in self._rows:
            self._rows[video, code] = np.flatnonzero(self.names.mask(code)[self.boxes(video).track])
        return self._rows[video, code]

    def starts_of(self, video: int, code: int) -> Ints:
        """(F + 1,) where the rows of each frame begin in :meth:`rows_of`, and the end."""
        if (video, code) not in self._starts:
            boxes = self.boxes(video)
            counts = np.bincount(boxes.frame[self.rows_of(video, code)], minlength=boxes.frames)
            self._starts[video, code] = np.concatenate([[0], np.cumsum(counts)])
        return self._starts[video, code]


def quantity(table: BoxTable, groups: StreamGroups, about: str, names: tuple[Ints, ...]) -> BoxQuantity:
    """A quantity of boxes for all groups.

    Args:
        table: series computed so far.
        groups: what to compute it for.
        about: ``size``, ``centredness``, ``dominance``, ``number``, ``view_share`` or ``gap``.
        names: (G,) names: one, or two of ``gap``.

    Returns:
        Its values, one row per frame.
    """
    keys, place = ranked_rows(groups.video, *names)
    series = [table.series(about, int(row[0]), tuple(int(code) for code in row[1:])) for row in keys]
    if not series:
        return BoxQuantity(Stream.empty(), np.zeros(0))
    rows = np.concatenate([one.row for one in series])
    ends = np.cumsum([len(one.row) for one in series])
    group, at = _rows_in(groups, rows, np.concatenate([[0], ends[:-1]])[place], ends[place])
    value = np.concatenate([one.value for one in series])[at]
    proof = _track_lists(groups.batch, np.concatenate([one.tracks for one in series])[at])
    frames, row = groups.batch.frames, rows[at]
    begin_s, end_s = frames.begin_s[row], frames.end_s[row]
    if not groups.are_whole:
        begin_s, end_s = np.maximum(begin_s, groups.begin_s[group]), np.minimum(end_s, groups.end_s[group])
    return BoxQuantity(Stream(group, begin_s, end_s, proof), value)


def _track_lists(batch: Batch, places: Ints) -> TrackLists:
    """The tracks of rows, from their places (N, C) in the table of tracks."""
    there = places != NO_TRACK
    counts = places.shape[1] if there.all() else there.sum(axis=1)
    offsets = np.concatenate([[0], np.cumsum(np.broadcast_to(counts, len(places)))])
    return TrackLists(offsets, batch.tracks.track_id[places[there]])


def _rows_in(groups: StreamGroups, rows: Ints, low: Ints, high: Ints) -> tuple[Ints, Ints]:
    """Pairs of group and place in ``rows``, which are frames, of those in the group's window.

    ``low`` (G,) and ``high`` (G,) are the part of ``rows`` that each group is about; it rises.
    """
    if groups.are_whole:
        return expand(low, high - low)
    frames = groups.batch.frames
    first, after = frames.index.between(groups.video, groups.begin_s, groups.end_s)
    low, high = bisect(rows, low, high, first, "left"), bisect(rows, low, high, after, "left")
    group, at = expand(low, np.maximum(high - low, 0))
    inside = frames.end_s[rows[at]] > groups.begin_s[group]
    return group[inside], at[inside]


def _largest(table: BoxTable, video: int, code: int, *, by: Literal["share", "area"] = "share") -> tuple[Ints, Ints]:
    """For each frame that shows the name: the frame and the row of the largest box, the first of equals."""
    key = (video, code, by)
    if key not in table.largest:
        table.largest[key] = _find_largest(table, video, code, by=by)
    return table.largest[key]


def _find_largest(table: BoxTable, video: int, code: int, *, by: Literal["share", "area"]) -> tuple[Ints, Ints]:
    boxes = table.boxes(video)
    rows = table.rows_of(video, code)
    frame = boxes.frame[rows]
    starts = np.flatnonzero(np.concatenate([[True], frame[1:] != frame[:-1]])) if len(rows) else rows
    if not len(rows):
        return rows, rows
    found = (boxes.share if by == "share" else boxes.area)[rows]
    best = np.repeat(np.maximum.reduceat(found, starts), np.diff(np.append(starts, len(rows))))
    hits = np.flatnonzero(found == best)
    chosen = rows[hits[_first_of_each(frame[hits])]]
    return boxes.frame[chosen], chosen


def _first_of_each(rising: Ints) -> NDArray[np.bool_]:
    """Whether each value is the first of its kind; equal values are neighbours."""
    first = np.ones(len(rising), np.bool_)
    first[1:] = rising[1:] != rising[:-1]
    return first


def _in_frames(boxes: _Boxes, frame: Ints, value: Floats, *tracks: Ints) -> _Series:
    return _Series(boxes.first + frame, value, np.stack(tracks, axis=1))


def _in_all_frames(boxes: _Boxes, value: Floats, track: Ints) -> _Series:
    return _in_frames(boxes, np.arange(boxes.frames), value, track)


def _size(table: BoxTable, video: int, codes: tuple[int, ...]) -> _Series:
    boxes = table.boxes(video)
    frame, row = _largest(table, video, codes[0])
    return _in_frames(boxes, frame, boxes.share[row], boxes.track[row])


def _view_share(table: BoxTable, video: int, codes: tuple[int, ...]) -> _Series:
    boxes = table.boxes(video)
    frame, row = _largest(table, video, codes[0])
    value, track = np.zeros(boxes.frames), np.full(boxes.frames, NO_TRACK)
    value[frame], track[frame] = boxes.share[row], boxes.track[row]
    return _in_all_frames(boxes, value, track)


def _centredness(table: BoxTable, video: int, codes: tuple[int, ...]) -> _Series:
    boxes = table.boxes(video)
    frame, row = _largest(table, video, codes[0])
    return _in_frames(boxes, frame, 1 - boxes.off_centre[row], boxes.track[row])


def _dominance(table: BoxTable, video: int, codes: tuple[int, ...]) -> _Series:
    boxes = table.boxes(video)
    frame, row = _largest(table, video, codes[0], by="area")
    thing = table.names.code(replace(table.names.names[codes[0]], base=ANY_THING, excluded=(), is_own=False))
    is_rival = np.ones(len(boxes.track), np.bool_)
    is_rival[table.rows_of(video, codes[0])] = False
    rivals = table.rows_of(video, thing)
    rivals = rivals[is_rival[rivals]]
    others = np.bincount(boxes.frame[rivals], boxes.area[rivals], boxes.frames)[frame]
    own = boxes.area[row]
    return _in_frames(boxes, frame, ((own > 0) & (own >= others)).astype(np.float64), boxes.track[row])


def _number(table: BoxTable, video: int, codes: tuple[int, ...]) -> _Series:
    boxes = table.boxes(video)
    counts = np.bincount(boxes.frame[table.rows_of(video, codes[0])], minlength=boxes.frames)
    return _in_all_frames(boxes, counts.astype(np.float64), np.full(boxes.frames, NO_TRACK))


def _gap(table: BoxTable, video: int, codes: tuple[int, ...]) -> _Series:
    """As core.predicates: the gap between the edges over the mean height of the people; the nearest pair counts."""
    boxes, is_person = table.boxes(video), table.batch.tracks.is_person
    ones, twos = table.rows_of(video, codes[0]), table.rows_of(video, codes[1])
    starts, frame = table.starts_of(video, codes[1]), boxes.frame[ones]
    pair, place = expand(starts[frame], starts[frame + 1] - starts[frame])
    one, two = ones[pair], twos[place]
    track_1, track_2 = boxes.track[one], boxes.track[two]
    person_1, person_2 = is_person[track_1], is_person[track_2]
    kept = (track_1 != track_2) & (person_1 | person_2)
    if not kept.all():
        one, two, person_1, person_2 = one[kept], two[kept], person_1[kept], person_2[kept]
    if not len(one):
        return _in_frames(boxes, one, np.zeros(0), one, two)
    (a1, b1, a2, b2), (c1, d1, c2, d2) = boxes.xyxy[:, one], boxes.xyxy[:, two]
    across = np.maximum(np.maximum(a1 - c2, c1 - a2), 0)
    down = np.maximum(np.maximum(b1 - d2, d1 - b2), 0)
    height_1, height_2 = b2 - b1, d2 - d1
    height = np.where(person_1 & person_2, (height_1 + height_2) / 2, np.where(person_1, height_1, height_2))
    gap = np.sqrt(across**2 + down**2) / np.maximum(height, 1)
    frame = boxes.frame[one]
    starts = np.flatnonzero(np.concatenate([[True], frame[1:] != frame[:-1]]))
    least = np.repeat(np.minimum.reduceat(gap, starts), np.diff(np.append(starts, len(gap))))
    hits = np.flatnonzero(gap == least)
    best = hits[_first_of_each(frame[hits])]
    return _in_frames(boxes, frame[best], gap[best], boxes.track[one[best]], boxes.track[two[best]])


_COMPUTED: dict[str, Callable[[BoxTable, int, tuple[int, ...]], _Series]] = {
    "size": _size,
    "view_share": _view_share,
    "centredness": _centredness,
    "dominance": _dominance,
    "number": _number,
    "gap": _gap,
}
