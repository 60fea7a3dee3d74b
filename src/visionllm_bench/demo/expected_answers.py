"""Answers worked out from ToyRoom's truth.json alone, without tracker, relations or store.

It is the other side of the demo's comparison, so it shares no code with ``interactions``, ``store`` and ``measures``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visionllm_bench.demo.config import DemoQuestion
from visionllm_interaction.core.intervals import as_intervals, total_s
from visionllm_interaction.utils.path_type import StrPath

VISIBLE_SHARE = 0.2
"""An object counts as visible if at least this share of its silhouette is."""
DURATION_TOLERANCE = 0.10
TIME_TOLERANCE_S = 0.5


@dataclass(frozen=True)
class Truth:
    """The contents of one truth.json."""

    frames: list[dict[str, Any]]
    relations: list[dict[str, Any]]
    category_of: Mapping[int, str]

    @classmethod
    def load(cls, path: StrPath) -> Truth:
        """Read truth.json."""
        path = Path(path)
        content = json.loads(path.read_text(encoding="utf-8"))
        categories = {o["track_id"]: o["category"] for frame in content["frames"] for o in frame["objects"]}
        return cls(content["frames"], content["relations"], categories)

    def present(self, frame: Mapping[str, Any], category: str) -> set[int]:
        """Track ids of ``category`` visible in ``frame``."""
        objects = frame["objects"]
        return {o["track_id"] for o in objects if o["category"] == category and o["visible"] >= VISIBLE_SHARE}

    def times(self, category: str) -> list[float]:
        """Time stamps of the frames in which ``category`` is visible."""
        return [frame["timestamp_s"] for frame in self.frames if self.present(frame, category)]

    def step_s(self) -> float:
        """Mean time between frames."""
        return float((self.frames[-1]["timestamp_s"] - self.frames[0]["timestamp_s"]) / (len(self.frames) - 1))

    def bouts(self, predicate: str, subject: str, other: str) -> list[tuple[float, float]]:
        """Bouts of ``predicate`` between the two categories, in either order."""
        wanted = [subject, other]
        return [
            (r["begin_s"], r["end_s"])
            for r in self.relations
            if r["predicate"] == predicate and self._pair(r) in (wanted, wanted[::-1])
        ]

    def _pair(self, relation: Mapping[str, Any]) -> list[str]:
        return [self.category_of[relation[f"{end}_track_id"]] for end in ("subject", "object")]


def true_value(truth: Truth, question: DemoQuestion) -> float:
    """Work out the true answer.

    Args:
        truth: of the video.
        question: with its measure and categories.

    Returns:
        Seconds, a time in seconds, or a count.

    Raises:
        KeyError: for a measure the demo does not know.
    """
    subject, other = question.subject, question.object or ""
    both = [f for f in truth.frames if truth.present(f, subject) and truth.present(f, other)]
    bouts = truth.bouts(question.predicate or _PREDICATE.get(question.measure, ""), subject, other)
    values = {
        "visible_duration": lambda: len(truth.times(subject)) * truth.step_s(),
        "instance_count": lambda: float(max(len(truth.present(f, subject)) for f in truth.frames)),
        "first_seen": lambda: min(truth.times(subject)),
        "last_seen": lambda: max(truth.times(subject)),
        "co_presence_duration": lambda: len(both) * truth.step_s(),
        "near_duration": lambda: total_s(as_intervals(bouts)),
        "contact_duration": lambda: total_s(as_intervals(bouts)),
        "bout_count": lambda: float(len(bouts)),
        "longest_bout": lambda: max((end - begin for begin, end in bouts), default=0.0),
    }
    return values[question.measure]()


_PREDICATE = {"near_duration": "near", "contact_duration": "in_contact"}


def agrees(measure: str, found: float | None, truth: float) -> bool:
    """Counts exactly, times within 0.5 s, durations within 10 %."""
    if found is None:
        return False
    if measure in ("instance_count", "bout_count"):
        return round(found) == round(truth)
    if measure in ("first_seen", "last_seen"):
        return abs(found - truth) <= TIME_TOLERANCE_S
    return abs(found - truth) <= DURATION_TOLERANCE * truth
