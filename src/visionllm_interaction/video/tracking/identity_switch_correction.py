"""Correct identity switches between similar objects by their appearance before and after an encounter.

Two children in a huddle may overlap so much that only one is detected. When they separate, the tracker may switch
their identities. Their appearance before the encounter is compared with that after it. If the switched assignment
fits much better, the tracks are exchanged from the time on at which the appearance changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.boxes import box_iou
from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.core.detection_table import UNTRACKED, DetectionTable
from visionllm_interaction.core.frame_table import FrameTable, usual_steps
from visionllm_interaction.video.tracking.appearance import (
    HISTOGRAMS,
    MIN_SAMPLES,
    AppearanceFeatures,
    Ids,
    appearance_distance,
)

_TOUCH_IOU = 0.2
"""Overlap from which a tracker may confuse two objects."""
_CLEAR_IOU = 0.1
"""With more overlap, the features are mixed with those of the other object."""
_APART_S = 0.5
"""An encounter is over when both were seen apart for this time."""
BLINK_S = 0.5
"""In a shorter gap nobody leaves and nobody else comes …"""
_NEXT_FRAME = 1.5
"""… nor in one of fewer usual steps between processed frames: nobody was lost who is in the next one."""
_EDGE_S = 0.5
"""The switch may be up to this time before or after the encounter."""


@dataclass(frozen=True)
class _Encounter:
    """An interval in which two objects of a category overlap, and a row of each at its end."""

    begin_s: float
    end_s: float
    rows: tuple[int, int]


@dataclass(frozen=True, eq=False)
class TrackAppearance:
    """Appearance of tracked objects where they are not occluded, averaged over windows of ``window_s`` seconds.

    Attributes:
        rows: the detections.
        features: their appearance features.
        overlaps: (m, 2) rows that overlap in a frame, and their IoU (m,).
        clear: (n,) whether a row overlaps no other object of its category.
        window_s: length of the windows before and after a given time.
        blink_s: (n,) longest time in seconds after which an object, seen again, was not lost since a row.
    """

    rows: DetectionTable
    features: AppearanceFeatures
    overlaps: tuple[Ids, NDArray[np.float64]]
    clear: NDArray[np.bool_]
    window_s: float
    blink_s: NDArray[np.float64]

    @classmethod
    def of(
        cls, rows: DetectionTable, ids: Ids, features: AppearanceFeatures, *, frames: FrameTable, window_s: float
    ) -> TrackAppearance:
        """Build from ``rows`` with tracklet ``ids`` (n,), in the processed ones of ``frames``."""
        overlaps = _overlaps(rows, ids)
        clear = np.ones(len(rows), np.bool_)
        clear[overlaps[0].ravel()] = False
        return cls(rows, features, overlaps, clear, window_s, _blinks_s(rows, frames))

    def before(self, own: Ids, time_s: float) -> NDArray[np.float64] | None:
        """Mean features of the rows ``own`` up to ``time_s``; ``None`` if too few are unoccluded."""
        return self.features.mean(self._clear_before(own, time_s))

    def after(self, own: Ids, time_s: float) -> NDArray[np.float64] | None:
        """Mean features of the rows ``own`` from ``time_s`` on; ``None`` if too few are unoccluded."""
        return self.features.mean(self._clear_after(own, time_s))

    def _clear_before(self, own: Ids, time_s: float) -> Ids:
        at_s = self.rows.timestamp_s[own]
        return self._with_features(own[self.clear[own] & (at_s <= time_s) & (at_s >= time_s - self.window_s)])

    def _clear_after(self, own: Ids, time_s: float) -> Ids:
        at_s = self.rows.timestamp_s[own]
        return self._with_features(own[self.clear[own] & (at_s >= time_s) & (at_s <= time_s + self.window_s)])

    def _with_features(self, own: Ids) -> Ids:
        return own[self.features.available(own)]

    def nearest(self, former: Ids, later: Ids, end_s: float, begin_s: float) -> float | None:
        """Least appearance distance of a row at the end of ``former`` and one at the begin of ``later``.

        Somebody who was lost and found again looks in some image as in another before, although the mean changes as
        people turn and bend. ``None`` if too few rows are unoccluded.
        """
        return least_distance(self.each_before(former, end_s), self.each_after(later, begin_s))

    def each_before(self, own: Ids, time_s: float) -> NDArray[np.float64] | None:
        """(k, n) roots of the features of rows ``own`` up to ``time_s``; ``None`` if too few are unoccluded."""
        return self._roots(self._clear_before(own, time_s))

    def each_after(self, own: Ids, time_s: float) -> NDArray[np.float64] | None:
        """(k, n) roots of the features of rows ``own`` from ``time_s`` on; ``None`` if too few are unoccluded."""
        return self._roots(self._clear_after(own, time_s))

    def _roots(self, rows: Ids) -> NDArray[np.float64] | None:
        return np.sqrt(self.features.each(rows)) if len(rows) >= MIN_SAMPLES else None

    def distance(self, former: Ids, later: Ids, end_s: float, begin_s: float) -> float | None:
        """Appearance distance (0 to 1) from the end of ``former`` to the begin of ``later``; ``None`` if unknown."""
        end, begin = self.before(former, end_s), self.after(later, begin_s)
        return None if end is None or begin is None else float(appearance_distance(end, begin))


def split_where_replaced(rows: DetectionTable, ids: Ids, appearance: TrackAppearance, *, limit: float) -> Ids:
    """Split tracklets of people where, after a gap, somebody of another look stands in the same place.

    Args:
        rows: detections, boxes xyxy in pixels.
        ids: (n,) tracklet ids.
        appearance: appearance of the tracked objects.
        limit: least appearance distance, of the most similar rows before and after, from which there are two people.

    Returns:
        (n,) tracklet ids.
    """
    ids = ids.copy()
    is_person = np.isin(rows.category.astype(str), sorted(PERSON_CATEGORIES))
    free = int(ids.max(initial=0)) + 1
    for track_id in np.unique(ids[is_person & (ids != UNTRACKED)]).tolist():
        own = np.flatnonzero(ids == track_id)
        begin = 0
        for gap in (np.flatnonzero(np.diff(rows.timestamp_s[own]) > appearance.blink_s[own[:-1]]) + 1).tolist():
            former, later = own[begin:gap], own[gap:]
            end_s, begin_s = float(rows.timestamp_s[former[-1]]), float(rows.timestamp_s[later[0]])
            nearest = appearance.nearest(former, later, end_s, begin_s)
            if nearest is not None and nearest > limit:
                ids[later] = free
                free, begin = free + 1, gap
    return ids


@dataclass(frozen=True, eq=False)
class _EncounterTrack:
    """One track of an encounter: its rows, and its features before and after it (``None`` if unknown)."""

    rows: Ids
    before: NDArray[np.float64] | None
    after: NDArray[np.float64] | None


def least_distance(one: NDArray[np.float64] | None, other: NDArray[np.float64] | None) -> float | None:
    """Least appearance distance of two sets of features, given as roots (k, n) and (m, n); ``None`` if one is."""
    return None if one is None or other is None else float(1.0 - (one @ other.T).max() / HISTOGRAMS)


def correct_identity_switches(rows: DetectionTable, ids: Ids, appearance: TrackAppearance, *, margin: float) -> Ids:
    """Correct identity switches between objects of the same category.

    Args:
        rows: detections, boxes xyxy in pixels.
        ids: (n,) tracklet ids.
        appearance: appearance of the tracked objects.
        margin: how much smaller the mean appearance distance of the switched assignment has to be.

    Returns:
        (n,) corrected tracklet ids.
    """
    ids = ids.copy()
    pairs, iou = appearance.overlaps
    touching = pairs[(iou >= _TOUCH_IOU) & (ids[pairs] != UNTRACKED).all(axis=1)]
    for encounter in sorted(_encounters(rows, ids, touching), key=lambda m: (m.end_s, m.begin_s)):
        one, other = (int(ids[row]) for row in encounter.rows)
        first, second = (_encounter_track(np.flatnonzero(ids == i), appearance, encounter) for i in (one, other))
        if one != other and _is_switched(first, second, margin=margin):
            late = rows.timestamp_s >= _switch_time_s(first, second, appearance, encounter)
            ids[first.rows[late[first.rows]]] = other
            ids[second.rows[late[second.rows]]] = one
    return ids


def _blinks_s(rows: DetectionTable, frames: FrameTable) -> NDArray[np.float64]:
    times_s = frames.timestamp_s[frames.processed]
    at = np.searchsorted(times_s, rows.timestamp_s)
    blinks_s: NDArray[np.float64] = np.maximum(BLINK_S, _NEXT_FRAME * usual_steps(times_s)[at])
    return blinks_s


def _overlaps(rows: DetectionTable, ids: Ids) -> tuple[Ids, NDArray[np.float64]]:
    """(m, 2) tracked rows of one frame and category with an IoU above :data:`_CLEAR_IOU`, and the IoU (m,)."""
    followed = np.flatnonzero(ids != UNTRACKED)
    frame = rows.frame_index[followed]
    pairs, overlaps = [np.zeros((0, 2), np.int64)], [np.zeros(0)]
    for step in range(1, len(followed)):
        at = np.flatnonzero(frame[step:] == frame[:-step])
        if not len(at):
            break
        at = at[rows.category[followed[at]] == rows.category[followed[at + step]]]
        first, second = followed[at], followed[at + step]
        iou = box_iou(rows.boxes_xyxy[first], rows.boxes_xyxy[second])
        much = iou > _CLEAR_IOU
        pairs.append(np.stack([first[much], second[much]], axis=1))
        overlaps.append(iou[much])
    return np.concatenate(pairs), np.concatenate(overlaps)


def _encounters(rows: DetectionTable, ids: Ids, touching: Ids) -> list[_Encounter]:
    """Encounters of all pairs of tracks of a category; ``touching`` (m, 2) are overlapping rows of a frame."""
    touching = touching[ids[touching[:, 0]] != ids[touching[:, 1]]]
    touching = np.where((ids[touching[:, 0]] > ids[touching[:, 1]])[:, None], touching[:, ::-1], touching)
    _, which = np.unique(ids[touching], axis=0, return_inverse=True)
    which = which.reshape(-1)
    found = []
    for number in range(int(which.max(initial=-1)) + 1):
        own = touching[which == number]
        own = own[np.argsort(rows.frame_index[own[:, 0]])]
        for run in np.split(own, np.flatnonzero(_separation_s(rows, ids, own) > _APART_S) + 1):
            begin_s, end_s = rows.timestamp_s[run[[0, -1], 0]].tolist()
            found.append(_Encounter(begin_s, end_s, (int(run[-1, 0]), int(run[-1, 1]))))
    return found


def _separation_s(rows: DetectionTable, ids: Ids, touching: Ids) -> NDArray[np.float64]:
    """(m - 1,) time in which both are visible and apart between consecutive overlaps."""
    first, second = (np.flatnonzero(ids == ids[row]) for row in touching[0])
    both = first[np.isin(rows.frame_index[first], rows.frame_index[second])]
    time_s = rows.timestamp_s[both]
    lasts = np.minimum(np.diff(time_s, append=time_s[-1]), _APART_S)
    at = np.searchsorted(rows.frame_index[both], rows.frame_index[touching[:, 0]])
    lasts[at] = 0.0
    return np.diff(np.cumsum(lasts)[at])


def _encounter_track(own: Ids, appearance: TrackAppearance, encounter: _Encounter) -> _EncounterTrack:
    return _EncounterTrack(own, appearance.before(own, encounter.begin_s), appearance.after(own, encounter.end_s))


def _is_switched(one: _EncounterTrack, other: _EncounterTrack, *, margin: float) -> bool:
    """Whether the switched assignment fits better, by ``margin`` for each comparison that can be made."""
    straight = _comparisons((one.before, one.after), (other.before, other.after))
    switched = _comparisons((one.before, other.after), (other.before, one.after))
    return len(straight) == len(switched) > 0 and sum(straight) - sum(switched) > margin * len(straight)


def _comparisons(*pairs: tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]) -> list[float]:
    return [float(appearance_distance(a, b)) for a, b in pairs if a is not None and b is not None]


def _switch_time_s(
    one: _EncounterTrack, other: _EncounterTrack, appearance: TrackAppearance, encounter: _Encounter
) -> float:
    """Time (s) from which the tracks are exchanged, so that most rows match the appearance of their track."""
    references_one = [reference for reference in (one.before, other.after) if reference is not None]
    references_other = [reference for reference in (other.before, one.after) if reference is not None]
    time_s, gains = [], []
    for side, own, foreign in ((one, references_one, references_other), (other, references_other, references_one)):
        at_s = appearance.rows.timestamp_s[side.rows]
        near = side.rows[(at_s >= encounter.begin_s - _EDGE_S) & (at_s <= encounter.end_s + _EDGE_S)]
        near = near[appearance.features.available(near)]
        time_s.append(appearance.rows.timestamp_s[near])
        gains.append(_min_distance(appearance.features, near, own) - _min_distance(appearance.features, near, foreign))
    order = np.argsort(np.concatenate(time_s), kind="stable")
    times, gain = np.concatenate(time_s)[order], np.concatenate(gains)[order]
    if not len(times):
        return encounter.end_s
    left = np.append(np.cumsum(gain[::-1])[::-1], 0.0)  # gain in similarity if the rows from each one on are exchanged
    best = int(np.argmax(left))
    edges = np.concatenate([[encounter.begin_s - _EDGE_S], times, [encounter.end_s + _EDGE_S]])
    return float(edges[best] + edges[best + 1]) / 2


def _min_distance(
    features: AppearanceFeatures, rows: Ids, references: list[NDArray[np.float64]]
) -> NDArray[np.float64]:
    each = features.each(rows)
    least: NDArray[np.float64] = np.min([appearance_distance(each, reference) for reference in references], axis=0)
    return least
