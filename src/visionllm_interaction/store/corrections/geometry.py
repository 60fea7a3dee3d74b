"""Corrected boxes and identities: the log's rows applied one after the other to the detections of an analysis."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.detection_table import UNTRACKED, DetectionTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.core.tracks_relations_events import Track
from visionllm_interaction.store.corrections.anchors import Found, FrameClock, find_track
from visionllm_interaction.store.corrections.changes import (
    FIRST_ADDED_TRACK,
    Change,
    DeleteBox,
    ExchangeTracks,
    MergeTracks,
    SetBox,
    SetCategory,
    SetRole,
    SplitTrack,
)
from visionllm_interaction.store.corrections.log import CorrectionState, LoggedCorrection
from visionllm_interaction.video.tracking.roles import role_of

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Move = Callable[[Floats, Ints], Ints]
"""Times and ids of tracks → ids after a correction of identities."""

APPLIED = CorrectionState(state="applied")
_ROUNDING_S = 1e-6


class Orphaned(Exception):
    """What a correction is about is not there; the message says what."""


class NotNeeded(Exception):
    """The present analysis shows by itself what a correction says; the message says what."""


@dataclass
class Edited:
    """The detections of a video while corrections are applied to them, one after the other.

    Attributes:
        frames: all frames of the video.
        detections: as far as they are corrected.
        analysis: the analysis that they are of.
        roles: track → role that people gave it; None: none.
        categorised: tracks whose category people gave.
        inherited: track → the track whose role it has unless it gets its own.
        moves: corrections of identities, in order: id of the correction, and what it does to ids.
        made: tracks that corrections have made.
        touched: whether boxes, categories or identities were corrected.
    """

    frames: FrameTable
    detections: DetectionTable
    analysis: str
    roles: dict[int, str | None] = field(default_factory=dict)
    categorised: set[int] = field(default_factory=set)
    inherited: dict[int, int] = field(default_factory=dict)
    moves: list[tuple[int, Move]] = field(default_factory=list)
    made: set[int] = field(default_factory=set)
    touched: bool = False

    def __post_init__(self) -> None:
        self.clock = FrameClock(self.frames)

    def apply(self, row: LoggedCorrection, change: Change) -> CorrectionState:
        """Apply one row.

        Args:
            row: of the log.
            change: what it corrects.

        Returns:
            What became of it.
        """
        try:
            if isinstance(change, SetBox):
                self._set_boxes(row, change)
            elif isinstance(change, DeleteBox):
                self._delete_boxes(row, change)
            elif isinstance(change, SetCategory):
                self._set_category(row, change)
            elif isinstance(change, SetRole):
                self._set_role(row, change)
            elif isinstance(change, SplitTrack):
                self._split(row, change)
            elif isinstance(change, MergeTracks):
                self._merge(row, change)
            elif isinstance(change, ExchangeTracks):
                self._exchange(row, change)
        except Orphaned as reason:
            return CorrectionState(state="orphaned", reason=str(reason))
        except NotNeeded as reason:
            return CorrectionState(state="not needed", reason=str(reason))
        return APPLIED

    def find(self, row: LoggedCorrection, track_id: int, part: str = "") -> Found:
        """The track that a row means; its id holds within one analysis, and its boxes' places in any other one.

        Args:
            row: of the log.
            track_id: the track's id, of the row's analysis.
            part: ``/before`` or ``/after``: the track just before or after the row's moment.

        Returns:
            The track, and its pieces.

        Raises:
            Orphaned: if it is not there.
        """
        if track_id >= FIRST_ADDED_TRACK and track_id not in self.made:
            raise Orphaned(f"track {track_id} is not there: the correction that made it does not hold")
        if row.analysis == self.analysis or track_id >= FIRST_ADDED_TRACK:
            if (self.detections.track_id == track_id).any():
                return Found(track_id)
            if row.analysis == self.analysis:
                raise Orphaned(f"track {track_id} is not there any more")
        found = find_track(row.anchors.get(f"{track_id}{part}", ()), self.detections, self.clock)
        if found is None:
            raise Orphaned(f"no track of the present analysis lies where track {track_id} was")
        return found

    def _set_boxes(self, row: LoggedCorrection, change: SetBox) -> None:
        keys = [(self.clock.place(key.time_s), key) for key in change.boxes]
        missing = [key.time_s for place, key in keys if place is None]
        if missing:
            raise Orphaned(f"no processed frame is shown at {missing[0]:g} s")
        assert change.track_id is not None
        category = change.category
        if category is None:
            track_id = self.find(row, change.track_id).track_id
            category = str(self.detections.category[self.detections.track_id == track_id][0])
        else:
            track_id = change.track_id
            self.made.add(track_id)
        at = {int(place): np.array(key.box_xyxy) for place, key in keys if place is not None}
        places = np.arange(min(at), max(at) + 1)
        known = np.array(sorted(at))
        boxes = np.stack(
            [
                np.interp(
                    self.clock.times[places], self.clock.times[known], [at[place][side] for place in known.tolist()]
                )
                for side in range(4)
            ],
            axis=1,
        )
        index = self.clock.index[places]
        own = (self.detections.track_id == track_id) & np.isin(self.detections.frame_index, index)
        n = len(places)
        added = DetectionTable(
            frame_index=index,
            timestamp_s=self.clock.times[places],
            category=np.full(n, category, np.object_),
            confidence=np.ones(n, np.float32),
            boxes_xyxy=boxes.astype(np.float32),
            track_id=np.full(n, track_id, np.int64),
            interpolated=~np.isin(places, known),
        )
        self._replace(DetectionTable.concat([self.detections.select(~own), added]))

    def _delete_boxes(self, row: LoggedCorrection, change: DeleteBox) -> None:
        found = self.find(row, change.track_id)
        whole = change.begin_s is None
        ids = [found.track_id, *found.pieces] if whole else [found.track_id]
        gone = np.isin(self.detections.track_id, ids)
        times = self.detections.timestamp_s
        if change.begin_s is not None and change.end_s is None:
            place = self.clock.place(change.begin_s)
            if place is None:
                raise Orphaned(f"no processed frame is shown at {change.begin_s:g} s")
            gone &= self.detections.frame_index == self.clock.index[place]
        elif change.begin_s is not None and change.end_s is not None:
            gone &= (times >= change.begin_s - _ROUNDING_S) & (times < change.end_s - _ROUNDING_S)
        if not gone.any():
            raise NotNeeded("the track has no box there")
        begin_s, after_s = float(times[gone].min()), float(times[gone].max()) + _ROUNDING_S

        def nobody(at_s: Floats, track: Ints) -> Ints:
            there = np.isin(track, ids) & (whole | ((at_s >= begin_s - _ROUNDING_S) & (at_s < after_s)))
            return np.where(there, UNTRACKED, track)

        self._replace(self.detections.select(~gone))
        self.moves.append((row.correction_id, nobody))

    def _set_category(self, row: LoggedCorrection, change: SetCategory) -> None:
        found = self.find(row, change.track_id)
        own = np.isin(self.detections.track_id, [found.track_id, *found.pieces])
        category = self.detections.category.copy()
        category[own] = change.category
        self.categorised |= {found.track_id, *found.pieces}
        self._replace(self.detections.replace(category=category))

    def _set_role(self, row: LoggedCorrection, change: SetRole) -> None:
        found = self.find(row, change.track_id)
        self.roles |= dict.fromkeys([found.track_id, *found.pieces], change.role)

    def _split(self, row: LoggedCorrection, change: SplitTrack) -> None:
        assert change.new_track_id is not None
        before = self.find(row, change.track_id, "/before").track_id
        after = self.find(row, change.track_id, "/after").track_id
        if before != after:
            self.made.add(
                change.new_track_id
            )  # later rows mean the second track by this id; its boxes tell which it is
            raise NotNeeded(f"they are two tracks, {before} and {after}")
        new, at_s = change.new_track_id, change.at_s
        if not self._sides(before, at_s):
            raise Orphaned(f"track {before} is not seen on both sides of {at_s:g} s")
        self.made.add(new)
        self.inherited[new] = before
        if before in self.roles:
            self.roles[new] = self.roles[before]
        if before in self.categorised:
            self.categorised.add(new)
        self._move(row, lambda at, track: np.where((track == before) & (at >= at_s - _ROUNDING_S), new, track))

    def _sides(self, track_id: int, at_s: float) -> bool:
        times = self.detections.timestamp_s[self.detections.track_id == track_id]
        return bool((times < at_s - _ROUNDING_S).any() and (times >= at_s - _ROUNDING_S).any())

    def _merge(self, row: LoggedCorrection, change: MergeTracks) -> None:
        one, other = self.find(row, change.track_id), self.find(row, change.other_track_id)
        kept = one.track_id
        gone = {*one.pieces, other.track_id, *other.pieces} - {kept}
        if not gone:
            raise NotNeeded(f"they are one track, {kept}")
        for track in sorted(gone):
            if track in self.roles:
                self.roles.setdefault(kept, self.roles.pop(track))
        self.inherited.setdefault(kept, other.track_id)
        self._move(row, lambda _, track: np.where(np.isin(track, list(gone)), kept, track))
        self._replace(self.detections.select(self._once_a_frame(kept)))

    def _once_a_frame(self, track_id: int) -> NDArray[np.bool_]:
        """Where two boxes of one track are in a frame, the one that was detected, and the surer one, stays."""
        table = self.detections
        rows = np.flatnonzero(table.track_id == track_id)
        order = rows[np.lexsort((-table.confidence[rows], table.interpolated[rows], table.frame_index[rows]))]
        again = np.flatnonzero(np.diff(table.frame_index[order]) == 0) + 1
        keep = np.ones(len(table), np.bool_)
        keep[order[again]] = False
        return keep

    def _exchange(self, row: LoggedCorrection, change: ExchangeTracks) -> None:
        at_s = change.at_s
        one, one_later = self._around(row, change.track_id)
        other, other_later = self._around(row, change.other_track_id)
        if one == other_later and other == one_later:
            raise NotNeeded(f"tracks {one} and {other} do not change places at {at_s:g} s")
        if one == other or one_later == other_later:
            raise Orphaned(f"at {at_s:g} s there is one track where there were two")

        def exchanged(at: Floats, track: Ints) -> Ints:
            later = at >= at_s - _ROUNDING_S
            first = np.where(later & (track == other_later), one, track)
            return np.where(later & (track == one_later), other, first)

        self._move(row, exchanged)
        for track in (one, other):
            self._replace(self.detections.select(self._once_a_frame(track)))

    def _around(self, row: LoggedCorrection, track_id: int) -> tuple[int, int]:
        """A track before and after a moment; the same one twice if it is seen on one side only."""
        sides: list[int | None] = []
        for part in ("/before", "/after"):
            known = row.analysis == self.analysis or bool(row.anchors.get(f"{track_id}{part}"))
            sides.append(self.find(row, track_id, part).track_id if known else None)
        before, after = sides
        chosen = after if before is None else before
        if chosen is None:
            raise Orphaned(f"it is not known where track {track_id} was")
        return chosen, chosen if after is None else after

    def _move(self, row: LoggedCorrection, move: Move) -> None:
        """Give boxes to other tracks; a box then is of the category of the track that it comes to."""
        table = self.detections
        tracked = table.track_id != UNTRACKED
        ids = np.where(tracked, move(table.timestamp_s, table.track_id), table.track_id)
        category = table.category.copy()
        for track in np.unique(ids[ids != table.track_id]).tolist():
            former = table.category[table.track_id == track]
            if len(former):
                category[(ids == track) & (table.track_id != track)] = former[0]
        self.moves.append((row.correction_id, move))
        self._replace(table.replace(track_id=ids, category=category))

    def _replace(self, table: DetectionTable) -> None:
        self.detections = table
        self.touched = True

    def moved(self, after: int, time_s: float, track_id: int) -> int:
        """Where a track went by the identities that were corrected after a row.

        Args:
            after: id of the row.
            time_s: the time that is asked about.
            track_id: the track, as it was after the row.

        Returns:
            Its id in the end; ``UNTRACKED`` if it was deleted.
        """
        times, ids = np.array([time_s]), np.array([track_id], np.int64)
        for correction_id, move in self.moves:
            if correction_id > after:
                ids = move(times, ids)
        return int(ids[0])


def drop_unseen(table: DetectionTable) -> DetectionTable:
    """Without tracks of which only interpolated boxes are left: nothing of them was seen.

    Args:
        table: detections.

    Returns:
        The others.
    """
    seen = np.unique(table.track_id[~table.interpolated])
    return table.select(np.isin(table.track_id, seen))


def summarise_edited(
    edited: Edited, machine: Sequence[Track], before: DetectionTable, *, roles: Mapping[str, str]
) -> list[Track]:
    """The tracks of corrected detections; those that nobody touched stay exactly as the machine has them.

    Args:
        edited: the corrected detections.
        machine: the tracks of the analysis.
        before: its detections.
        roles: role by name of a category, or by id of a track, as the analysis was given them.

    Returns:
        The tracks, by id.
    """
    from visionllm_interaction.video.tracking.postprocess import summarise_tracks

    by_id = {track.track_id: track for track in machine}
    tracks: list[Track] = []
    if edited.touched:
        for track in summarise_tracks(edited.detections, edited.frames, roles={}):
            known = by_id.get(track.track_id)
            if known is not None and _same_rows(before, edited.detections, track.track_id):
                tracks.append(known)
            else:
                tracks.append(replace(track, role=_role_of(track, edited, by_id, roles)))
    else:
        tracks = list(machine)
    return [replace(t, role=edited.roles[t.track_id]) if t.track_id in edited.roles else t for t in tracks]


def _role_of(track: Track, edited: Edited, machine: Mapping[int, Track], roles: Mapping[str, str]) -> str | None:
    """The role the analysis gives to such a track: by its category, its former self, or the track it was part of."""
    if track.track_id in edited.categorised:
        return roles.get(str(track.track_id)) or role_of(roles, track.category)
    own = machine.get(track.track_id)
    if own is not None and own.role is not None:
        return own.role
    source = edited.inherited.get(track.track_id)
    while source is not None and source not in machine:
        source = edited.inherited.get(source)
    if source is not None and machine[source].category == track.category:
        return machine[source].role
    return role_of(roles, track.category)


def _same_rows(before: DetectionTable, after: DetectionTable, track_id: int) -> bool:
    one, other = before.track_id == track_id, after.track_id == track_id
    if one.sum() != other.sum():
        return False
    columns = ("frame_index", "category", "confidence", "boxes_xyxy", "interpolated")
    return all(np.array_equal(getattr(before, name)[one], getattr(after, name)[other]) for name in columns)
