"""A store filled straight from ToyRoom's truth.json, and the true values worked out without the store.

The values share no code with the judge of people's questions (`benchmarks/questions/truth`), so that one mistake is not
made twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from visionllm_bench.made_videos import publish_truth
from visionllm_bench.toyroom import ToyRoomConfig, make_toyroom

# Small and coarse: only the truth is used, and seed 4 has all eight categories in three videos.
CONFIG = ToyRoomConfig(video_width=160, video_height=120, video_seconds=20.0, fps=10.0)
SEED, VIDEOS = 4, 3
BOUT_GAP_S = 0.5
AT_ONCE_S = 0.5

Span = tuple[float, float]


@dataclass(frozen=True)
class Truth:
    """truth.json of one video."""

    video_id: str
    content: dict[str, Any]

    @property
    def frames(self) -> list[tuple[float, float, list[dict[str, Any]]]]:
        """Begin, end and objects of every frame."""
        times = [frame["timestamp_s"] for frame in self.content["frames"]]
        ends = [*times[1:], times[-1] + float(np.median(np.diff(times)))]
        objects = [frame["objects"] for frame in self.content["frames"]]
        return list(zip(times, ends, objects, strict=True))

    @property
    def categories(self) -> dict[int, str]:
        return {o["track_id"]: o["category"] for _, _, objects in self.frames for o in objects}


def make_store(folder: Path) -> tuple[Path, list[Truth]]:
    """Make the videos and a store of them."""
    made = make_toyroom(folder / "toyroom", images=0, videos=VIDEOS, seed=SEED, config=CONFIG)
    truths = [Truth(video.path.stem, json.loads(video.truth.read_text(encoding="utf-8"))) for video in made.videos]
    for truth in truths:
        publish_truth(folder / "store", truth.video_id, truth.content, events=False)
    return folder / "store", truths


def true_value(
    truth: Truth,
    *,
    measure: str,
    subject: str,
    object: str | None = None,
    predicate: str | None = None,
    begin_s: float | None = None,
    end_s: float | None = None,
) -> float | int | None:
    """The value that a right answer about this video gives."""
    window = (begin_s or 0.0, end_s or 1e9)
    if measure in ("near_duration", "contact_duration"):
        predicate = "near" if measure == "near_duration" else "in_contact"
        return sum(e - b for b, e in merged(_related(truth, predicate, subject, object, window), gap_s=0.0))
    if measure in ("bout_count", "longest_bout"):
        spans = _together(truth, subject, object, window) if predicate in (None, "visible") else None
        bouts = merged(
            spans if spans is not None else _related(truth, str(predicate), subject, object, window), gap_s=BOUT_GAP_S
        )
        return len(bouts) if measure == "bout_count" else max((e - b for b, e in bouts), default=0.0)
    spans = _together(truth, subject, object, window)
    if measure in ("visible_duration", "co_presence_duration"):
        return sum(e - b for b, e in spans)
    if measure == "instance_count":
        return _most_at_once(truth, subject, window)
    return (spans[0][0] if measure == "first_seen" else spans[-1][0]) if spans else None


def _together(truth: Truth, subject: str, other: str | None, window: Span) -> list[Span]:
    """Frames in which the subject, and another thing called ``other``, are visible."""
    spans = []
    for begin, end, objects in truth.frames:
        a = {o["track_id"] for o in objects if o["category"] == subject}
        b = {o["track_id"] for o in objects if o["category"] == other}
        if a and (other is None or any(x != y for x in a for y in b)):
            spans.append((begin, end))
    return _cut(spans, window)


def _related(truth: Truth, predicate: str, subject: str, other: str | None, window: Span) -> list[Span]:
    names = truth.categories
    spans = []
    for relation in truth.content["relations"]:
        pair = [names[relation["subject_track_id"]], names[relation["object_track_id"]]]
        if relation["predicate"] == predicate and pair in ([subject, other], [other, subject]):
            spans.append((relation["begin_s"], relation["end_s"]))
    return _cut(spans, window)


def _most_at_once(truth: Truth, subject: str, window: Span) -> int:
    seconds: dict[int, float] = {}
    for begin, end, objects in truth.frames:
        n = sum(o["category"] == subject for o in objects)
        if n and begin < window[1] and end > window[0]:
            seconds[n] = seconds.get(n, 0.0) + end - begin
    enough = min(AT_ONCE_S, sum(seconds.values()) / 2)
    counts = [n for n in seconds if sum(s for m, s in seconds.items() if m >= n) >= enough - 1e-6]
    return max(counts, default=0)


def _cut(spans: Iterable[Span], window: Span) -> list[Span]:
    return [(max(b, window[0]), min(e, window[1])) for b, e in spans if e > window[0] and b < window[1]]


def merged(spans: Sequence[Span], *, gap_s: float) -> list[Span]:
    """Spans closer than ``gap_s`` become one."""
    out: list[Span] = []
    for begin, end in sorted(spans):
        if out and begin <= out[-1][1] + gap_s + 1e-6:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((begin, end))
    return out
