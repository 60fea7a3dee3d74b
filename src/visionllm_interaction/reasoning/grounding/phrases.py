"""Text → regions: "the cup nearest to the child" at one moment, found by executing the phrase, not by a model.

Distances are the gap between the boxes' edges, ties broken by the distance of the centres; left and right, above and
below compare centres. What is held, touched or near is taken from the store's relations at that moment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from visionllm_interaction.core.boxes import box_area_px, box_centres, box_gap_px
from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.errors import UsageError
from visionllm_interaction.reasoning.language.patterns import normalise
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.store.reader import ANY_PERSON, Store

Box = tuple[float, float, float, float]


class Region(BaseModel):
    """One tracked person or object in one frame; ``box_xyxy`` in pixels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    track_id: int
    category: str
    role: str | None
    box_xyxy: Box


class Grounding(BaseModel):
    """The regions that a phrase refers to in one frame; ``reason`` says why there are none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: Literal["grounded", "abstained"]
    phrase: str
    video_id: str
    frame_index: int
    timestamp_s: float
    regions: tuple[Region, ...] = ()
    reason: str | None = None


@dataclass(frozen=True)
class _Scene:
    """Everything in view in one frame, and the relations at that moment in both directions."""

    regions: tuple[Region, ...]
    related: frozenset[tuple[str, int, int]]
    vocabulary: Vocabulary

    def named(self, name: str) -> list[Region]:
        return [r for r in self.regions if name in (r.category, r.role) or _is_any_person(name, r)]


_Selector = Callable[[_Scene, list[Region], list[Region]], list[Region]]

_FRAME = """
SELECT frame_index, timestamp_s FROM frames
WHERE processed AND video_id = $video_id AND timestamp_s <= $at_s + 1e-9 AND timestamp_s + duration_s > $at_s + 1e-9
ORDER BY timestamp_s DESC LIMIT 1"""
_OBJECTS = """
SELECT d.track_id, t.category, t.role, d.x1, d.y1, d.x2, d.y2
FROM detections d JOIN tracks t USING (video_id, track_id)
WHERE d.video_id = $video_id AND d.frame_index = $frame ORDER BY d.track_id"""
_RELATED = """
SELECT subject_track_id AS a, predicate, object_track_id AS b FROM relations
WHERE video_id = $video_id AND begin_s <= $at_s AND end_s > $at_s"""


def ground(phrase: str, store: Store, vocabulary: Vocabulary, *, at_s: float, video_id: str | None = None) -> Grounding:
    """Find the regions that ``phrase`` refers to in one frame.

    Args:
        phrase: for example "the cup nearest to the child".
        store: the open store.
        vocabulary: the names of the store and other words for them.
        at_s: time in the video, in seconds; the frame shown at that time is used.
        video_id: which video; may be left out where the store has one only.

    Returns:
        The regions, boxes xyxy in pixels; or none, with the reason.

    Raises:
        UsageError: if the video is not named though the store has several, or no frame was processed at that time.
    """
    video = _video(store, video_id)
    frame = store.rows(_FRAME, {"video_id": video, "at_s": at_s})
    if not frame:
        raise UsageError(
            "No frame was processed at this time",
            expected="a time within the video, at which a frame was processed",
            found=f"{at_s:g} s",
            where=video,
        )
    index, timestamp_s = frame[0]["frame_index"], frame[0]["timestamp_s"]
    scene = _scene(store, video, index, at_s, vocabulary)
    found, reason = _execute(normalise(phrase), scene)
    return Grounding(
        status="grounded" if found else "abstained",
        phrase=phrase,
        video_id=video,
        frame_index=index,
        timestamp_s=timestamp_s,
        regions=tuple(found),
        reason=None if found else reason,
    )


def _video(store: Store, video_id: str | None) -> str:
    ids = store.video_ids()
    if video_id is None and len(ids) == 1:
        return ids[0]
    if video_id not in ids:
        listing = ", ".join(ids[:5])
        raise UsageError(
            "Which video is meant is not clear" if video_id is None else f"The store has no video {video_id!r}",
            expected=f"one of: {listing}",
            found=video_id or f"{len(ids)} videos",
            fix="name one with --video",
        )
    return video_id


def _scene(store: Store, video_id: str, index: int, at_s: float, vocabulary: Vocabulary) -> _Scene:
    rows = store.rows(_OBJECTS, {"video_id": video_id, "frame": index})
    regions = tuple(
        Region(
            track_id=row["track_id"],
            category=row["category"],
            role=row["role"],
            box_xyxy=(row["x1"], row["y1"], row["x2"], row["y2"]),
        )
        for row in rows
    )
    pairs = store.rows(_RELATED, {"video_id": video_id, "at_s": at_s})
    related = {(row["predicate"], row["a"], row["b"]) for row in pairs}
    return _Scene(regions, frozenset(related | {(name, b, a) for name, a, b in related}), vocabulary)


def _is_any_person(name: str, region: Region) -> bool:
    return name == ANY_PERSON and (region.category in PERSON_CATEGORIES or region.role is not None)


def _extreme(measure: Callable[[Region], float]) -> _Selector:
    def select(_scene: _Scene, candidates: list[Region], _others: list[Region]) -> list[Region]:
        return [min(candidates, key=measure)] if candidates else []

    return select


def _by_distance(sign: float) -> _Selector:
    def select(_scene: _Scene, candidates: list[Region], others: list[Region]) -> list[Region]:
        def distance(one: Region) -> tuple[float, float]:
            rest = [other for other in others if other.track_id != one.track_id]
            return min(((_gap(one, other), _centre_distance(one, other)) for other in rest), default=(np.inf, 0.0))

        left = [one for one in candidates if any(other.track_id != one.track_id for other in others)]
        return [min(left, key=lambda one: tuple(sign * part for part in distance(one)))] if left else []

    return select


def _on_side(axis: int, sign: float) -> _Selector:
    def select(_scene: _Scene, candidates: list[Region], others: list[Region]) -> list[Region]:
        return [
            one
            for one in candidates
            if any(
                sign * (_centre(one)[axis] - _centre(other)[axis]) > 0
                for other in others
                if other.track_id != one.track_id
            )
        ]

    return select


def _related(predicate: str) -> _Selector:
    def select(scene: _Scene, candidates: list[Region], others: list[Region]) -> list[Region]:
        ids = {other.track_id for other in others}
        return [one for one in candidates if any((predicate, one.track_id, other) in scene.related for other in ids)]

    return select


_A, _B = "(?P<a>.+?)", "(?P<b>.+?)"
_THAT = "(?: that| which| who)?(?: is| are| was)?"
_PATTERNS: tuple[tuple[str, _Selector], ...] = (
    (f"{_A}{_THAT} (?:nearest|closest) to {_B}", _by_distance(1.0)),
    (f"(?:the )?(?:nearest|closest) {_A} to {_B}", _by_distance(1.0)),
    (f"{_A}{_THAT} (?:farthest|furthest)(?: away)? from {_B}", _by_distance(-1.0)),
    (f"{_A}{_THAT} (?:to the |on the )?left of {_B}", _on_side(0, -1.0)),
    (f"{_A}{_THAT} (?:to the |on the )?right of {_B}", _on_side(0, 1.0)),
    (f"{_A}{_THAT} above {_B}", _on_side(1, -1.0)),
    (f"{_A}{_THAT} below {_B}", _on_side(1, 1.0)),
    (f"{_A} (?:that |which )?{_B} (?:is holding|holds|held|is carrying|carries)", _related("holding")),
    (f"{_A}{_THAT} (?:held|carried) by {_B}", _related("holding")),
    (f"{_A}{_THAT} (?:in {_B}'s? hands?)", _related("holding")),
    (f"{_A}{_THAT} (?:holding|holds|carrying|carries) {_B}", _related("holding")),
    (f"{_A}{_THAT} (?:touching|touches|in contact with) {_B}", _related("in_contact")),
    (f"{_A}{_THAT} (?:near|close to|next to|beside) {_B}", _related("near")),
    (f"(?:the )?(?:leftmost|left-most) {_A}", _extreme(lambda r: _centre(r)[0])),
    (f"(?:the )?(?:rightmost|right-most) {_A}", _extreme(lambda r: -_centre(r)[0])),
    (f"(?:the )?(?:topmost|highest|uppermost) {_A}", _extreme(lambda r: _centre(r)[1])),
    (f"(?:the )?(?:lowest|bottommost) {_A}", _extreme(lambda r: -_centre(r)[1])),
    (f"(?:the )?(?:largest|biggest) {_A}", _extreme(lambda r: -_area(r))),
    (f"(?:the )?smallest {_A}", _extreme(lambda r: 0.0 + _area(r))),
)
_COMPILED = tuple((re.compile(text), select) for text, select in _PATTERNS)
_ANY_OBJECT = frozenset({"thing", "things", "object", "objects", "toy", "toys"})


def _execute(phrase: str, scene: _Scene) -> tuple[list[Region], str]:
    """The regions for ``phrase``, and the reason if there are none."""
    alone = _noun(phrase, scene)
    if alone is not None:
        return alone, f"nothing called {phrase!r} is in view"
    for pattern, select in _COMPILED:
        match = pattern.fullmatch(phrase)
        if not match:
            continue
        spoken: Mapping[str, str | None] = match.groupdict()
        candidates = _noun(spoken["a"] or "", scene)
        others = _execute(spoken["b"] or "", scene)[0] if spoken.get("b") else []
        if candidates is None or (spoken.get("b") and not _known(spoken["b"] or "", scene)):
            continue
        return select(scene, candidates, others), "nothing in view fits the phrase"
    return [], _why_not(phrase, scene)


def _noun(text: str, scene: _Scene) -> list[Region] | None:
    """Everything in view that is called ``text``; None if that is no name of this store."""
    bare = re.sub(r"^(?:the|a|an|any|all|every) ", "", text)
    if bare in _ANY_OBJECT:
        return [r for r in scene.regions if r.category not in PERSON_CATEGORIES and r.role is None]
    name = scene.vocabulary.resolve(text)
    return None if name is None else scene.named(name)


def _known(text: str, scene: _Scene) -> bool:
    return _noun(text, scene) is not None or any(p.fullmatch(text) for p, _ in _COMPILED)


def _why_not(phrase: str, scene: _Scene) -> str:
    said = [name for name, _ in scene.vocabulary.mentions(phrase)]
    if said:
        return f"the phrase speaks of {', '.join(said)} in a form that is not known here"
    return f"the store knows {', '.join(scene.vocabulary.names)}; the phrase speaks of none of them"


def _array(region: Region) -> np.ndarray:
    return np.array(region.box_xyxy, dtype=np.float64)


def _centre(region: Region) -> Sequence[float]:
    return [float(v) for v in box_centres(_array(region))]


def _area(region: Region) -> float:
    return float(box_area_px(_array(region)))


def _gap(a: Region, b: Region) -> float:
    return float(box_gap_px(_array(a), _array(b)))


def _centre_distance(a: Region, b: Region) -> float:
    return float(np.hypot(*np.subtract(_centre(a), _centre(b))))
