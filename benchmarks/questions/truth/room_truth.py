"""The truth of one ToyRoom video as plain intervals and moments, worked out from its truth.json alone.

Nothing of the package is imported here, so that agreement with its answers means something.
"""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

Span = tuple[float, float]
BOUT_GAP_S = 0.5
PEOPLE = ("child", "caregiver")
_EPS = 1e-6


@dataclass(frozen=True)
class RoomTruth:
    """One video.

    Attributes:
        video_id: its id in the store.
        content: its truth.json.
    """

    video_id: str
    content: dict[str, Any]

    @classmethod
    def read(cls, path: Path, video_id: str) -> RoomTruth:
        """Read a truth.json."""
        return cls(video_id, json.loads(path.read_text(encoding="utf-8")))

    @cached_property
    def names(self) -> dict[int, str]:
        """Category of every track that is ever visible."""
        return {o["track_id"]: o["category"] for _, _, objects in self.frames for o in objects}

    @cached_property
    def frames(self) -> list[tuple[float, float, list[dict[str, Any]]]]:
        """Begin, end and visible objects of every frame."""
        times = [frame["timestamp_s"] for frame in self.content["frames"]]
        ends = [*times[1:], float(self.content["duration_s"])]
        return [(b, e, f["objects"]) for b, e, f in zip(times, ends, self.content["frames"], strict=True)]

    @property
    def duration_s(self) -> float:
        """Length of the video."""
        return float(self.content["duration_s"])

    @property
    def objects(self) -> set[str]:
        """Categories of toys that are seen."""
        return {name for name in self.names.values() if name not in PEOPLE}

    def visible(self, *names: str) -> list[Span]:
        """When a track of each of ``names`` is visible."""
        here = [(b, e) for b, e, objects in self.frames if all(any(o["category"] == n for o in objects) for n in names)]
        return union(here)

    def at_least_people(self, n: int) -> list[Span]:
        """When at least ``n`` people are visible."""
        return union([(b, e) for b, e, os in self.frames if sum(o["category"] in PEOPLE for o in os) >= n])

    def alone(self, name: str) -> list[Span]:
        """When a ``name`` is visible and no other person is."""
        found = []
        for b, e, objects in self.frames:
            people = [o["category"] for o in objects if o["category"] in PEOPLE]
            if people and all(p == name for p in people) and (name in people) and len(people) == 1:
                found.append((b, e))
        return union(found)

    def related(self, predicate: str, first: str | None = None, second: str | None = None) -> list[Span]:
        """When ``predicate`` holds between two names, in either order; None is anybody or anything."""
        return union([(r["begin_s"], r["end_s"]) for r in self._relations(predicate, first, second)])

    def _relations(self, predicate: str, first: str | None, second: str | None) -> list[dict[str, Any]]:
        found = []
        for r in self.content["relations"]:
            pair = (self.names.get(r["subject_track_id"]), self.names.get(r["object_track_id"]))
            fits = any((first in (None, a)) and (second in (None, b)) for a, b in (pair, pair[::-1]))
            if r["predicate"] == predicate and fits and None not in pair:
                found.append(r)
        return found

    def held_objects(self, who: str) -> dict[str, list[Span]]:
        """Object → when ``who`` holds it."""
        return {name: self.related("holding", who, name) for name in sorted(self.objects)}

    def moments(self, kind: str, *names: str | None) -> list[float]:
        """Times of the events of a kind whose tracks are of these names; None is anybody or anything."""
        found = []
        for event in self.content["events"]:
            have = [self.names.get(track) for track in event["track_ids"]]
            if event["kind"] == kind and all(n in (None, h) for n, h in zip(names, have, strict=False)):
                found.append(float(event["begin_s"]))
        return sorted(found)

    def events_with_object(self, kind: str, who: str) -> list[tuple[float, str]]:
        """Times and objects of pick-ups or put-downs by ``who``."""
        return sorted(
            (float(e["begin_s"]), str(self.names.get(e["track_ids"][1])))
            for e in self.content["events"]
            if e["kind"] == kind and self.names.get(e["track_ids"][0]) == who
        )

    def releases(self, who: str, what: str) -> list[float]:
        """When holding ends, unless the video ends then."""
        return [e for _, e in bouts(self.related("holding", who, what)) if e < self.duration_s - _EPS]

    def gaps(self, first: str, second: str, window: Span | None = None) -> list[tuple[float, float]]:
        """(seconds, gap in mean heights of the people) of every frame in which both are visible."""
        found = []
        for b, e, objects in self.frames:
            begin, end = (max(b, window[0]), min(e, window[1])) if window else (b, e)
            pairs = [
                (o["box_xyxy"], p["box_xyxy"])
                for o in objects
                for p in objects
                if o["category"] == first and p["category"] == second and o is not p
            ]
            if pairs and end > begin + _EPS:
                found.append((end - begin, min(_gap(x, y) for x, y in pairs)))
        return found


def _gap(a: list[float], b: list[float]) -> float:
    dx = max(a[0] - b[2], b[0] - a[2], 0.0)
    dy = max(a[1] - b[3], b[1] - a[3], 0.0)
    return float((dx**2 + dy**2) ** 0.5 / ((a[3] - a[1] + b[3] - b[1]) / 2))


def union(spans: list[Span], gap_s: float = 0.0) -> list[Span]:
    """Overlapping spans, and those at most ``gap_s`` apart, as one."""
    out: list[Span] = []
    for begin, end in sorted(spans):
        if out and begin <= out[-1][1] + gap_s + _EPS:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((begin, end))
    return out


def bouts(spans: list[Span]) -> list[Span]:
    """Spans with pauses of up to half a second bridged."""
    return union(spans, BOUT_GAP_S)


def both(first: list[Span], second: list[Span]) -> list[Span]:
    """The time in both."""
    parts = [(max(a, c), min(b, d)) for a, b in first for c, d in second]
    return union([(b, e) for b, e in parts if e > b + _EPS])


def without(span: Span, spans: list[Span]) -> list[Span]:
    """The parts of ``span`` outside ``spans``."""
    out, at = [], span[0]
    for begin, end in union(spans):
        if begin > at + _EPS:
            out.append((at, min(begin, span[1])))
        at = max(at, end)
    if at < span[1] - _EPS:
        out.append((at, span[1]))
    return [(b, e) for b, e in out if e > b + _EPS]


def total(spans: list[Span]) -> float:
    """Seconds covered."""
    return sum(e - b for b, e in union(spans))


def cut(spans: list[Span], window: Span) -> list[Span]:
    """The parts within a window."""
    return both(spans, [window])


def holds_at(spans: list[Span], time_s: float) -> bool:
    """Whether a span covers a moment."""
    return any(b - _EPS <= time_s < e - _EPS for b, e in spans)


def weighted_mean(pairs: list[tuple[float, float]]) -> float | None:
    """Mean of values by weights."""
    weight = sum(w for w, _ in pairs)
    return sum(w * v for w, v in pairs) / weight if weight else None


def median(values: list[float]) -> float | None:
    """The median, None of nothing."""
    return statistics.median(values) if values else None
