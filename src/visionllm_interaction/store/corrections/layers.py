"""Corrected bouts and events, laid over those that were computed from the tracks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.core.detection_table import UNTRACKED
from visionllm_interaction.core.predicates import PREDICATES
from visionllm_interaction.core.tracks_relations_events import Event, Relation, Track
from visionllm_interaction.store.corrections.changes import (
    AddBout,
    AddEvent,
    Layered,
    MoveBout,
    MoveEvent,
    RemoveBout,
)
from visionllm_interaction.store.corrections.geometry import APPLIED, Edited, NotNeeded, Orphaned
from visionllm_interaction.store.corrections.log import CorrectionState, LoggedCorrection

EVENT_WINDOW_S = 2.0
"""An event that was computed again is the one that was corrected if it is at most so far from it, in seconds."""
_CERTAIN = 1.0
_TOUCH_S = 1e-6
_TOO_LATE = "it is after the end of the video"


class Layers:
    """The relations and events of a video while corrections are laid over them.

    Args:
        relations: bouts as computed.
        events: events as computed.
        tracks: the corrected tracks.
        edited: the corrected detections, to find the tracks that rows mean.
        duration_s: length of the video.
    """

    def __init__(
        self,
        relations: Sequence[Relation],
        events: Sequence[Event],
        tracks: Sequence[Track],
        edited: Edited,
        duration_s: float,
    ) -> None:
        self._relations = list(relations)
        self._events = list(events)
        self._is_person = {track.track_id: track.category in PERSON_CATEGORIES for track in tracks}
        self._edited = edited
        self._duration_s = duration_s

    @property
    def relations(self) -> list[Relation]:
        """The bouts, by begin."""
        return sorted(self._relations, key=lambda bout: bout.begin_s)

    @property
    def events(self) -> list[Event]:
        """The events, by begin."""
        return sorted(self._events, key=lambda event: event.begin_s)

    def apply(self, row: LoggedCorrection, change: Layered) -> CorrectionState:
        """Apply one row.

        Args:
            row: of the log.
            change: what it corrects.

        Returns:
            What became of it.
        """
        try:
            if isinstance(change, AddBout | RemoveBout | MoveBout):
                self._bout(row, change)
            else:
                self._event(row, change)
        except Orphaned as reason:
            return CorrectionState(state="orphaned", reason=str(reason))
        except NotNeeded as reason:
            return CorrectionState(state="not needed", reason=str(reason))
        return APPLIED

    def pair_of(self, predicate: str, subject: int, other: int) -> tuple[int, int]:
        """A pair as the store has it: the person first, of two people the lower id; directed pairs as they are."""
        if predicate not in PREDICATES:
            return subject, other
        people = self._is_person.get(subject, False), self._is_person.get(other, False)
        if people == (False, True) or (people == (True, True) and other < subject):
            return other, subject
        return subject, other

    def bout_at(self, predicate: str, pair: tuple[int, int], begin_s: float, end_s: float) -> Relation | None:
        """The bout of a pair that shares the most time with ``[begin_s, end_s)``; None if none shares any."""
        own = [(_shared_s(one, begin_s, end_s), one) for one in self._of_pair(predicate, pair)]
        best = max(own, key=lambda item: item[0], default=None)
        return best[1] if best is not None and best[0] > 0 else None

    def event_at(self, event: str, track_ids: tuple[int, ...], at_s: float) -> Event | None:
        """The nearest event of a kind and tracks; None if none is near."""
        own = [one for one in self._events if one.kind == event and one.track_ids == track_ids]
        best = min(own, key=lambda one: abs(one.begin_s - at_s), default=None)
        return best if best is not None and abs(best.begin_s - at_s) <= EVENT_WINDOW_S else None

    def _of_pair(self, predicate: str, pair: tuple[int, int]) -> list[Relation]:
        return [
            one
            for one in self._relations
            if one.predicate == predicate and (one.subject_track_id, one.object_track_id) == pair
        ]

    def _bout(self, row: LoggedCorrection, change: AddBout | RemoveBout | MoveBout) -> None:
        middle_s = (change.begin_s + change.end_s) / 2
        subject = self._track(row, change.subject_track_id, middle_s)
        other = self._track(row, change.object_track_id, middle_s)
        if subject == other:
            raise Orphaned("its two tracks are one now")
        pair = self.pair_of(change.predicate, subject, other)
        former = self.bout_at(change.predicate, pair, change.begin_s, change.end_s)
        if isinstance(change, AddBout):
            begin_s, end_s = change.begin_s, change.end_s
            if former is not None and former.begin_s <= begin_s + _TOUCH_S and former.end_s >= end_s - _TOUCH_S:
                raise NotNeeded("the bout is there")
            self._put(change.predicate, pair, begin_s, end_s)
            return
        if former is None:
            if isinstance(change, RemoveBout):
                raise NotNeeded("there is no such bout")
            raise Orphaned("there is no bout of this pair at that time any more")
        if isinstance(change, RemoveBout):
            self._relations.remove(former)
        else:
            self._put(change.predicate, pair, change.new_begin_s, change.new_end_s, former)

    def _put(
        self, predicate: str, pair: tuple[int, int], begin_s: float, end_s: float, former: Relation | None = None
    ) -> None:
        begin_s, end_s = min(begin_s, self._duration_s), min(end_s, self._duration_s)
        if end_s <= begin_s:
            raise Orphaned(_TOO_LATE)
        if former is not None:
            self._relations.remove(former)
        for one in self._of_pair(predicate, pair):
            if one.begin_s <= end_s + _TOUCH_S and one.end_s >= begin_s - _TOUCH_S:
                self._relations.remove(one)
                begin_s, end_s = min(begin_s, one.begin_s), max(end_s, one.end_s)
        self._relations.append(Relation(pair[0], predicate, pair[1], begin_s, end_s, _CERTAIN))

    def _event(self, row: LoggedCorrection, change: Layered) -> None:
        assert not isinstance(change, AddBout | RemoveBout | MoveBout)
        track_ids = tuple(self._track(row, track, change.begin_s) for track in change.track_ids)
        former = self.event_at(change.event, track_ids, change.begin_s)
        if isinstance(change, AddEvent):
            end_s = change.begin_s if change.end_s is None else change.end_s
            if end_s > self._duration_s + _TOUCH_S:
                raise Orphaned(_TOO_LATE)
            name = f"c{row.correction_id}"
            self._events.append(Event(name, change.event, track_ids, change.begin_s, end_s, _CERTAIN))
            return
        if former is None:
            if isinstance(change, MoveEvent):
                raise Orphaned("there is no such event near that time any more")
            raise NotNeeded("there is no such event")
        if isinstance(change, MoveEvent):
            end_s = former.end_s + change.new_begin_s - former.begin_s
            if end_s > self._duration_s + _TOUCH_S:
                raise Orphaned(_TOO_LATE)
            self._events.append(replace(former, begin_s=change.new_begin_s, end_s=end_s, confidence=_CERTAIN))
        self._events.remove(former)

    def _track(self, row: LoggedCorrection, track_id: int, at_s: float) -> int:
        if row.analysis == self._edited.analysis:
            moved = self._edited.moved(row.correction_id, at_s, track_id)
        else:
            moved = self._edited.find(row, track_id).track_id
        if moved == UNTRACKED or moved not in self._is_person:
            raise Orphaned(f"track {track_id} is not there any more")
        return moved


def _shared_s(bout: Relation, begin_s: float, end_s: float) -> float:
    return min(bout.end_s, end_s) - max(bout.begin_s, begin_s)
