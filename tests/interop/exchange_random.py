"""Random timelines with everything that breaks careless writers in their labels."""

from __future__ import annotations

import random
import re

from visionllm_interaction.interop.tiers import Interval, Tier, Timeline, sort_intervals

ALPHABET = "abcxyzÆØÅé日本 ,;:.-_'\"()<>&|\\/=+@#%{}[]!?\n\t😀"
NAMES = ("near", "child holding", "gaze", "speech", "naming", "φωνή", "a, b (c)", "points")
FORMULAS = ("=cmd|' /C calc'!A0", "+1+1", "-2", "@SUM(A1)", "'quoted", "\ttab", '=HYPERLINK("x")')


def random_timeline(seed: int) -> Timeline:
    """Up to five tiers with up to twelve intervals, some of which overlap or are moments."""
    rng = random.Random(seed)
    names = rng.sample(
        ["near", "child holding", "gaze", "speech", "naming", "φωνή", "a, b (c)", "points"], rng.randint(1, 5)
    )
    tiers = tuple(_tier(name, rng) for name in names)
    return Timeline(tiers, media="session 1.mp4", duration_s=600.0, created_at="2026-01-02T03:04:05+00:00")


def _tier(name: str, rng: random.Random) -> Tier:
    moments = name == "points"
    intervals = []
    for _ in range(rng.randint(1, 12)):
        begin_s = rng.uniform(0, 590)
        length_s = 0.0 if moments else rng.choice([0.0, rng.uniform(0.001, 0.05), rng.uniform(0.1, 9.9)])
        intervals.append(Interval(begin_s, begin_s + length_s, _label(rng)))
    return Tier(name, sort_intervals(intervals), rng.choice(["", "child", "caregiver", "Mor & far"]))


def _label(rng: random.Random) -> str:
    if rng.random() < 0.1:
        return rng.choice(FORMULAS)
    return "".join(rng.choice(ALPHABET) for _ in range(rng.randint(1, 20))).strip() or "x"


def rows(timeline: Timeline) -> list[tuple[str, str, str, float, float]]:
    """All intervals: tier (without the number of its lane), participant, label, begin, end."""
    found = []
    for tier in timeline.tiers:
        name = re.sub(r" \(\d+\)\Z", "", tier.name)
        found += [(name, tier.participant, i.label, i.begin_s, i.end_s) for i in tier.intervals]
    return sorted(found, key=lambda row: (row[0], row[1], row[2], round(row[3], 2), row[4]))
