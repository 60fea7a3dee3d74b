"""The right answer to a plan, worked out without the store's queries: time is cut into cells, each true or false.

It shares no code with ``interactions``, ``store``, ``measures`` or the executor, so that agreement means something.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.reasoning.planning.capabilities import PREDICATE_OF, PROCESSED_DURATION, SIGNATURES
from visionllm_interaction.reasoning.planning.plan import Atom, Moment, Plan, Step
from visionllm_interaction.store.reader import Store
from visionllm_interaction.utils.path_type import StrPath

Mask = NDArray[np.bool_]
_BOUT_GAP_S = 0.5
_AT_ONCE_S = 0.5
_EPS = 1e-6
_PEOPLE = frozenset({"child", "caregiver", "person", "infant", "adult"})
Number = float | int | None


@dataclass(frozen=True)
class World:
    """One video as it is known to be.

    Attributes:
        video_id: of the video.
        frames: (begin_s, end_s, {track: names}) of every processed frame.
        relations: (subject track, predicate, object track, begin_s, end_s) each.
    """

    video_id: str
    frames: Sequence[tuple[float, float, Mapping[int, frozenset[str]]]]
    relations: Sequence[tuple[int, str, int, float, float]]

    @classmethod
    def of_truth(cls, video_id: str, path: StrPath) -> World:
        """From ToyRoom's ``truth.json``."""
        path = Path(path)
        content = json.loads(path.read_text(encoding="utf-8"))
        times = [frame["timestamp_s"] for frame in content["frames"]]
        ends = [*times[1:], float(content.get("duration_s") or times[-1] + float(np.median(np.diff(times))))]
        frames = [
            (begin, end, {o["track_id"]: frozenset({o["category"]}) for o in frame["objects"]})
            for begin, end, frame in zip(times, ends, content["frames"], strict=True)
        ]
        relations = [
            (r["subject_track_id"], r["predicate"], r["object_track_id"], r["begin_s"], r["end_s"])
            for r in content["relations"]
        ]
        return cls(video_id, frames, relations)

    @classmethod
    def of_store(cls, store: Store, video_id: str) -> World:
        """From the tables of a store: what was detected, whether or not it is true."""
        names = {t.track_id: frozenset(n for n in (t.category, t.role) if n) for t in store.tracks(video_id)}
        seen: dict[int, dict[int, frozenset[str]]] = {}
        for row in store.detections(video_id).select(["frame_index", "track_id"]).to_pylist():
            if row["track_id"] in names:
                seen.setdefault(row["frame_index"], {})[row["track_id"]] = names[row["track_id"]]
        frames = [
            (f["timestamp_s"], f["timestamp_s"] + f["duration_s"], seen.get(f["frame_index"], {}))
            for f in store.frames(video_id).to_pylist()
            if f["processed"]
        ]
        relations = [
            (r.subject_track_id, r.predicate, r.object_track_id, r.begin_s, r.end_s) for r in store.relations(video_id)
        ]
        return cls(video_id, frames, relations)

    @cached_property
    def names(self) -> dict[int, frozenset[str]]:
        """Names of every track."""
        return {track: names for _, _, objects in self.frames for track, names in objects.items()}


class Cells:
    """A world cut at every moment at which anything changes, within one window."""

    def __init__(self, world: World, step: Step) -> None:
        cuts = [t for b, e, _ in world.frames for t in (b, e)] + [t for r in world.relations for t in (r[3], r[4])]
        cuts += [t for t in (step.begin_s, step.end_s) if t is not None]
        self.world = world
        self.edges = np.unique(np.array(cuts, dtype=np.float64))
        self.middle = (self.edges[1:] + self.edges[:-1]) / 2
        self.length = np.diff(self.edges)
        begins = np.array([frame[0] for frame in world.frames])
        self.frame = np.searchsorted(begins, self.middle, side="right") - 1
        ends = np.array([frame[1] for frame in world.frames])
        self.processed: Mask = (self.frame >= 0) & (self.middle < ends[np.maximum(self.frame, 0)])

    def tracks(self, name: str) -> frozenset[int]:
        """Tracks that go by ``name``; *person* is anybody."""
        return frozenset(
            track
            for track, names in self.world.names.items()
            if name in names or (name == "person" and names & _PEOPLE)
        )

    def holds(self, atom: Atom) -> Mask:
        """Whether ``atom`` holds in each cell."""
        subjects = self.tracks(atom.subject)
        objects = self.tracks(atom.object) if atom.object else None
        if atom.predicate == "visible":
            return self._visible(subjects, objects)
        mask = np.zeros(len(self.middle), dtype=bool)
        for a, predicate, b, begin, end in self.world.relations:
            fits = any(x in subjects and (objects is None or y in objects) for x, y in ((a, b), (b, a)))
            if predicate == atom.predicate and fits:
                mask |= (self.middle >= begin) & (self.middle < end)
        return mask

    def _visible(self, subjects: frozenset[int], objects: frozenset[int] | None) -> Mask:
        per_frame = []
        for _, _, present in self.world.frames:
            here = subjects & present.keys()
            others = None if objects is None else objects & present.keys()
            per_frame.append(bool(here) and (others is None or any(x != y for x in here for y in others)))
        return np.array(per_frame, dtype=bool)[np.maximum(self.frame, 0)] & self.processed

    def counts(self, name: str) -> NDArray[np.int64]:
        """How many tracks of ``name`` are visible in each cell."""
        tracks = self.tracks(name)
        per_frame = np.array([len(tracks & present.keys()) for _, _, present in self.world.frames])
        return np.where(self.processed, per_frame[np.maximum(self.frame, 0)], 0)

    def runs(self, mask: Mask, *, gap_s: float) -> list[tuple[float, float]]:
        """Begin and end of each run of true cells; pauses up to ``gap_s`` do not end one."""
        out: list[tuple[float, float]] = []
        for index in np.flatnonzero(mask):
            begin, end = float(self.edges[index]), float(self.edges[index + 1])
            if out and begin <= out[-1][1] + gap_s + _EPS:
                out[-1] = (out[-1][0], end)
            else:
                out.append((begin, end))
        return out


def value_in(world: World, step: Step) -> tuple[bool, Number]:
    """Whether ``step`` can be computed in ``world`` at all, and its value."""
    cells = Cells(world, step)
    begin, end = step.begin_s, step.end_s
    for moment, after in ((step.after, True), (step.before, False)):
        time = _moment_s(cells, moment) if moment else None
        if moment and time is None:
            return False, None
        if time is not None and after:
            begin = max(time, begin or 0.0)
        elif time is not None:
            end = min(time, end if end is not None else time)
    window = (cells.middle >= (begin or 0.0)) & (cells.middle < (np.inf if end is None else end))
    if not (cells.processed & window).any():
        return False, None
    return True, _value(cells, step, window)


def _moment_s(cells: Cells, moment: Moment) -> float | None:
    runs = cells.runs(cells.holds(moment), gap_s=_BOUT_GAP_S)
    if not runs:
        return None
    return runs[0 if moment.occurrence == "first" else -1][0 if moment.edge == "begin" else 1]


def _value(cells: Cells, step: Step, window: Mask) -> Number:
    if step.measure == "instance_count":
        return _most_at_once(cells, step.subject, window)
    mask = window & (cells.processed if step.measure == PROCESSED_DURATION else cells.holds(_atom(step)))
    if step.during:
        holds = cells.holds(step.during)
        mask &= (cells.processed & ~holds) if step.during.negated else holds
    if step.measure in ("first_seen", "last_seen"):
        return _seen_s(cells, mask, first=step.measure == "first_seen")
    if SIGNATURES[step.measure].inputs != "bout":
        return float(cells.length[mask].sum())
    runs = cells.runs(mask, gap_s=_BOUT_GAP_S)
    lengths = [end - begin for begin, end in runs]
    if step.measure == "bout_count":
        return len(runs)
    if step.measure == "longest_bout":
        return max(lengths, default=0.0)
    if not runs:
        return None
    return {"first_onset": runs[0][0], "last_offset": runs[-1][1], "mean_bout": sum(lengths) / len(lengths)}[
        step.measure
    ]


def _seen_s(cells: Cells, mask: Mask, *, first: bool) -> float | None:
    """The time stamp of the first or last frame, not the end of it."""
    index = np.flatnonzero(mask)
    if not len(index):
        return None
    frame = cells.frame[index[0 if first else -1]]
    same = index[cells.frame[index] == frame]
    return max(float(cells.world.frames[frame][0]), float(cells.edges[same[0]]))


def _atom(step: Step) -> Atom:
    predicate = step.predicate or PREDICATE_OF.get(step.measure, "visible")
    return Atom(predicate=predicate, subject=step.subject, object=step.object)


def _most_at_once(cells: Cells, name: str, window: Mask) -> int:
    counts = np.where(window, cells.counts(name), 0)
    enough = min(_AT_ONCE_S, float(cells.length[counts > 0].sum()) / 2)
    levels = [n for n in range(1, int(counts.max(initial=0)) + 1) if cells.length[counts >= n].sum() >= enough - _EPS]
    return max(levels, default=0)


def expected(plan: Plan, worlds: Sequence[World]) -> dict[str | None, Any]:
    """Video id → value for a plan that reports each; one value under None for a conclusion over all videos.

    Where times do not add up, conclusions are per video.
    """
    table = [{w.video_id: v for w in worlds for ok, v in [value_in(w, step)] if ok} for step in plan.steps]
    if plan.combine == "each":
        return dict[str | None, Any](table[0].items())
    if plan.combine == "mean":
        numbers = [v for v in table[0].values() if v is not None]
        return {None: sum(numbers) / len(numbers)} if numbers else {}
    if plan.combine == "videos":
        return {None: sum(1 for v in table[0].values() if v)}
    if any(SIGNATURES[step.measure].total == "none" for step in plan.steps):
        videos = dict.fromkeys(video for row in table for video in row)
        found: dict[str | None, Any] = {video: _conclude(plan, [row.get(video) for row in table]) for video in videos}
    else:
        found = {
            None: _conclude(plan, [_total(s, list(row.values())) for s, row in zip(plan.steps, table, strict=True)])
        }
    return {video: value for video, value in found.items() if value is not None}


def _total(step: Step, values: Sequence[Number]) -> Number:
    numbers = [v for v in values if v is not None]
    if not numbers:
        return None
    return max(numbers) if SIGNATURES[step.measure].total == "largest" else sum(numbers)


def _conclude(plan: Plan, values: Sequence[Number]) -> Any:
    labels = _labels(plan)
    known = [(value, label) for value, label in zip(values, labels, strict=True) if value is not None]
    if plan.combine in ("largest", "smallest"):
        best = (max if plan.combine == "largest" else min)((value for value, _ in known), default=None)
        winners = [label for value, label in known if best is not None and abs(value - best) < _EPS]
        return winners[0] if len(winners) == 1 else ("tie" if winners else None)
    if plan.combine == "which":
        return ", ".join(label for value, label in known if value) or "none"
    if plan.combine == "order":
        return ", ".join(label for _, label in sorted(known, key=lambda pair: round(pair[0], 6))) or "none"
    if plan.combine in ("exists", "exceeds"):
        return "yes" if any(value > (plan.threshold or 0) for value, _ in known) else "no"
    if len(known) < 2:
        return None
    first, second = known[0][0], known[1][0]
    if plan.combine == "precedes":
        return "yes" if first < second else "no"
    if plan.combine == "difference":
        return first - second
    return (100 if plan.combine == "share" else 60) * first / second if second else None


def _labels(plan: Plan) -> list[str]:
    subjects = [step.subject for step in plan.steps]
    if len(set(subjects)) == len(subjects):
        return subjects
    return [step.object or "anything" for step in plan.steps]
