"""Alike things that took each other's place in the tracks: told apart by what they look like before and after.

Two children in a huddle overlap so far that a detector sees one of them only, and when they part the tracker may give
each the other's track. Looks from before the meeting are compared with those from after it, and if the tracks fit much
better crosswise, they are exchanged from the moment on at which the looks change.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.boxes import box_iou
from visionllm_interaction.core.detection_table import UNTRACKED, DetectionTable
from visionllm_interaction.video.tracking.appearance import Ids, Looks, unlikeness

_TOUCH_IOU = 0.2
"""From such an overlap on a tracker may take one for the other."""
_CLEAR_IOU = 0.1
"""With more overlap, by whatever, a look is partly that of the other."""
_APART_S = 0.5
"""A meeting is over when both have been seen apart for so long."""
_EDGE_S = 0.5
"""The exchange may be so long before the meeting or after it."""


@dataclass(frozen=True)
class _Meeting:
    """When two of a category overlapped, and a row of each at its end: ids may change until it is looked at."""

    begin_s: float
    end_s: float
    rows: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Known:
    """What the followed rows of a table look like where nothing is in their way, for ``window_s`` seconds at a time."""

    rows: DetectionTable
    looks: Looks
    overlaps: tuple[Ids, NDArray[np.float64]]
    clear: NDArray[np.bool_]
    window_s: float

    @classmethod
    def of(cls, rows: DetectionTable, ids: Ids, looks: Looks, *, window_s: float) -> Known:
        """Of ``rows`` with tracklet ``ids`` (n,)."""
        overlaps = _overlaps(rows, ids)
        clear = np.ones(len(rows), np.bool_)
        clear[overlaps[0].ravel()] = False
        return cls(rows, looks, overlaps, clear, window_s)

    def before(self, own: Ids, time_s: float) -> NDArray[np.float64] | None:
        """The look of a thing with rows ``own`` until ``time_s``; ``None`` if it was not seen clearly."""
        at_s = self.rows.timestamp_s[own]
        return self.looks.mean(own[self.clear[own] & (at_s <= time_s) & (at_s >= time_s - self.window_s)])

    def after(self, own: Ids, time_s: float) -> NDArray[np.float64] | None:
        """The look of a thing with rows ``own`` from ``time_s`` on; ``None`` if it was not seen clearly."""
        at_s = self.rows.timestamp_s[own]
        return self.looks.mean(own[self.clear[own] & (at_s >= time_s) & (at_s <= time_s + self.window_s)])

    def change(self, former: Ids, later: Ids, end_s: float, begin_s: float) -> float | None:
        """From 0 to 1, how unlike the end of ``former`` the begin of ``later`` is; ``None``: not seen clearly."""
        end, begin = self.before(former, end_s), self.after(later, begin_s)
        return None if end is None or begin is None else float(unlikeness(end, begin))


@dataclass(frozen=True, eq=False)
class _Side:
    """One of the two: all its rows, and its looks before and after the meeting (``None``: not seen clearly)."""

    rows: Ids
    before: NDArray[np.float64] | None
    after: NDArray[np.float64] | None


def tell_apart(rows: DetectionTable, ids: Ids, known: Known, *, margin: float) -> Ids:
    """``ids`` (n,) with those exchanged of two things of a category that swapped tracks when they met.

    That they did is believed if looks before and after differ less crosswise, by ``margin`` for each comparison made.
    """
    ids = ids.copy()
    pairs, iou = known.overlaps
    touching = pairs[(iou >= _TOUCH_IOU) & (ids[pairs] != UNTRACKED).all(axis=1)]
    for meeting in sorted(_meetings(rows, ids, touching), key=lambda m: (m.end_s, m.begin_s)):
        one, other = (int(ids[row]) for row in meeting.rows)
        first, second = (_side(np.flatnonzero(ids == i), known, meeting) for i in (one, other))
        if one != other and _fits_crosswise(first, second, margin=margin):
            late = rows.timestamp_s >= _moment(first, second, known, meeting)
            ids[first.rows[late[first.rows]]] = other
            ids[second.rows[late[second.rows]]] = one
    return ids


def _overlaps(rows: DetectionTable, ids: Ids) -> tuple[Ids, NDArray[np.float64]]:
    """(m, 2) followed rows of one frame and category that overlap by more than :data:`_CLEAR_IOU`; how far, (m,)."""
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


def _meetings(rows: DetectionTable, ids: Ids, touching: Ids) -> list[_Meeting]:
    """Of all pairs of tracks of one category; ``touching`` (m, 2): rows of a frame that overlap."""
    touching = touching[ids[touching[:, 0]] != ids[touching[:, 1]]]
    touching = np.where((ids[touching[:, 0]] > ids[touching[:, 1]])[:, None], touching[:, ::-1], touching)
    _, which = np.unique(ids[touching], axis=0, return_inverse=True)
    which = which.reshape(-1)
    found = []
    for number in range(int(which.max(initial=-1)) + 1):
        own = touching[which == number]
        own = own[np.argsort(rows.frame_index[own[:, 0]])]
        for run in np.split(own, np.flatnonzero(_apart_s(rows, ids, own) > _APART_S) + 1):
            begin_s, end_s = rows.timestamp_s[run[[0, -1], 0]].tolist()
            found.append(_Meeting(begin_s, end_s, (int(run[-1, 0]), int(run[-1, 1]))))
    return found


def _apart_s(rows: DetectionTable, ids: Ids, touching: Ids) -> NDArray[np.float64]:
    """(m - 1,) for how long both were seen apart between one touch and the next; not seen is not apart."""
    first, second = (np.flatnonzero(ids == ids[row]) for row in touching[0])
    both = first[np.isin(rows.frame_index[first], rows.frame_index[second])]
    time_s = rows.timestamp_s[both]
    lasts = np.minimum(np.diff(time_s, append=time_s[-1]), _APART_S)
    at = np.searchsorted(rows.frame_index[both], rows.frame_index[touching[:, 0]])
    lasts[at] = 0.0
    return np.diff(np.cumsum(lasts)[at])


def _side(own: Ids, known: Known, meeting: _Meeting) -> _Side:
    return _Side(own, known.before(own, meeting.begin_s), known.after(own, meeting.end_s))


def _fits_crosswise(one: _Side, other: _Side, *, margin: float) -> bool:
    """Whether the tracks fit better crosswise, by ``margin`` for each comparison; all that can be made are made."""
    straight = _comparisons((one.before, one.after), (other.before, other.after))
    crosswise = _comparisons((one.before, other.after), (other.before, one.after))
    return len(straight) == len(crosswise) > 0 and sum(straight) - sum(crosswise) > margin * len(straight)


def _comparisons(*pairs: tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]) -> list[float]:
    return [float(unlikeness(a, b)) for a, b in pairs if a is not None and b is not None]


def _moment(one: _Side, other: _Side, known: Known, meeting: _Meeting) -> float:
    """From which second on the tracks are to be exchanged: most rows then look like what they are called."""
    unlike_one = [look for look in (one.before, other.after) if look is not None]
    unlike_other = [look for look in (other.before, one.after) if look is not None]
    time_s, gains = [], []
    for side, own, foreign in ((one, unlike_one, unlike_other), (other, unlike_other, unlike_one)):
        at_s = known.rows.timestamp_s[side.rows]
        near = side.rows[(at_s >= meeting.begin_s - _EDGE_S) & (at_s <= meeting.end_s + _EDGE_S)]
        near = near[known.looks.known(near)]
        time_s.append(known.rows.timestamp_s[near])
        gains.append(_least_unlike(known.looks, near, own) - _least_unlike(known.looks, near, foreign))
    order = np.argsort(np.concatenate(time_s), kind="stable")
    times, gain = np.concatenate(time_s)[order], np.concatenate(gains)[order]
    if not len(times):
        return meeting.end_s
    left = np.append(np.cumsum(gain[::-1])[::-1], 0.0)  # by how much the rows from each one on look better exchanged
    best = int(np.argmax(left))
    edges = np.concatenate([[meeting.begin_s - _EDGE_S], times, [meeting.end_s + _EDGE_S]])
    return float(edges[best] + edges[best + 1]) / 2


def _least_unlike(looks: Looks, rows: Ids, known: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    each = looks.each(rows)
    least: NDArray[np.float64] = np.min([unlikeness(each, look) for look in known], axis=0)
    return least
