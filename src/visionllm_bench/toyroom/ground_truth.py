"""The exact truth of a video: boxes of visible parts, bouts of relations, events."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visionllm_bench.toyroom.render.sprites import Member
from visionllm_bench.toyroom.story.script import Script, TimeSpan
from visionllm_interaction.core.predicates import CONTACT_GAP, NEAR_GAP, relative_gap
from visionllm_interaction.core.run_lengths import true_runs

MERGE_GAP_S = 0.2
"""Bouts of a relation separated by at most this are one bout."""
MIN_BOUT_S = 0.2
"""Shorter bouts are left out."""
_ROUNDING_S = 1e-6
"""Five frames at 25 frames a second are 0.2 s, whatever the rounding of the difference of their times."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One object in one frame: box of its visible part (pixels) and visible share of its silhouette."""

    track_id: int
    category: str
    box_xyxy: tuple[int, int, int, int]
    visible: float


def relations(
    members: Sequence[Member], frames: Sequence[Sequence[Sighting]], edges_s: NDArray[np.float64]
) -> list[dict[str, Any]]:
    """Bouts of *near* and *in_contact* from the boxes of all frames.

    ``edges_s`` are the n + 1 frame boundaries: frame i lasts from ``edges_s[i]`` to ``edges_s[i + 1]``.
    """
    boxes = {m.number: np.full((len(frames), 4), np.nan) for m in members}
    for index, frame in enumerate(frames):
        for sighting in frame:
            boxes[sighting.track_id][index] = sighting.box_xyxy
    out = []
    for subject, other in _pairs(members):
        a, b = boxes[subject.number], boxes[other.number]
        both = ~(np.isnan(a[:, 0]) | np.isnan(b[:, 0]))
        gap = np.full(len(frames), np.inf)
        gap[both] = relative_gap(a[both], b[both], object_is_person=other.is_person)
        for predicate, limit in (("near", NEAR_GAP), ("in_contact", CONTACT_GAP)):
            out += [_relation(subject.number, predicate, other.number, span) for span in bouts(gap <= limit, edges_s)]
    return out


def _pairs(members: Sequence[Member]) -> list[tuple[Member, Member]]:
    pairs = []
    for a, b in itertools.combinations(sorted(members, key=lambda m: (not m.is_person, m.number)), 2):
        if a.is_person:
            pairs.append((a, b))
    return pairs


def bouts(on: NDArray[np.bool_], edges_s: NDArray[np.float64]) -> list[TimeSpan]:
    """Times at which ``on`` (per frame) is true, short gaps closed, then short bouts left out."""
    spans: list[TimeSpan] = []
    for first, after in true_runs(on).tolist():
        begin, end = float(edges_s[first]), float(edges_s[after])
        if spans and begin - spans[-1].end_s <= MERGE_GAP_S + _ROUNDING_S:
            begin = spans.pop().begin_s
        spans.append(TimeSpan(begin, end))
    return [s for s in spans if s.end_s - s.begin_s >= MIN_BOUT_S - _ROUNDING_S]


def holdings(script: Script, edges_s: NDArray[np.float64]) -> list[dict[str, Any]]:
    """Bouts of *holding*: from gripping to letting go, at frame boundaries."""
    out = []
    for toy in script.toys.values():
        ends = [stay.begin_s for stay in toy.stays[1:]] + [float("inf")]
        for stay, end in zip(toy.stays, ends, strict=True):
            span = TimeSpan(snap(stay.begin_s, edges_s), snap(end, edges_s))
            if stay.held_by is not None and span.end_s > span.begin_s:
                out.append(_relation(stay.held_by, "holding", toy.member.number, span))
    return out


def snap(time_s: float, edges_s: NDArray[np.float64]) -> float:
    """The first frame boundary not before ``time_s``: when a change can first be seen."""
    return float(edges_s[min(int(np.searchsorted(edges_s, time_s)), len(edges_s) - 1)])


def events(script: Script, frames: Sequence[Sequence[Sighting]], edges_s: NDArray[np.float64]) -> list[dict[str, Any]]:
    """All events in order of time; begin and end are the same moment."""
    out = [(snap(d.time_s, edges_s), d.kind, d.numbers) for d in script.actions if d.time_s <= edges_s[-2]]
    starts = edges_s[:-1]
    for number, span in script.walks_in:
        shown = [i for i in np.flatnonzero(starts >= span.begin_s).tolist() if _shows(frames[i], number)]
        if shown:
            out.append((float(edges_s[shown[0]]), "enters", (number,)))
    for number, span in script.walks_out:
        shown = [i for i in np.flatnonzero(starts <= span.end_s).tolist() if _shows(frames[i], number)]
        if shown and shown[-1] + 1 < len(frames):
            out.append((float(edges_s[shown[-1] + 1]), "leaves", (number,)))
    ordered = sorted(out, key=lambda item: (item[0], item[1], item[2]))
    return [{"kind": kind, "track_ids": list(ids), "begin_s": at, "end_s": at} for at, kind, ids in ordered]


def _shows(frame: Sequence[Sighting], number: int) -> bool:
    return any(sighting.track_id == number for sighting in frame)


def _relation(subject: int, predicate: str, other: int, span: TimeSpan) -> dict[str, Any]:
    return {
        "subject_track_id": subject,
        "predicate": predicate,
        "object_track_id": other,
        "begin_s": span.begin_s,
        "end_s": span.end_s,
    }
