"""How clear a script's relations are: time spent where *near* or *in contact* could be read either way."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from visionllm_bench.toyroom.drawing.people import PersonAppearance, Pose, draw_person
from visionllm_bench.toyroom.render.sprites import Standing, anchor, main_sprite
from visionllm_bench.toyroom.story.script import Script
from visionllm_interaction.core.predicates import CONTACT_GAP, NEAR_GAP, relative_gap

_STEP_S = 0.2
_NEAR_MARGIN = 0.05
_CONTACT_MARGIN = 0.018


def unclear_s(script: Script) -> float:
    """Seconds, summed over pairs, spent close to a threshold; walking past one costs little, lingering much."""
    times = np.arange(0.0, script.duration_s, _STEP_S)
    boxes = np.array([[_box(standing) for standing in _ordered(script, t)] for t in times.tolist()])
    members = script.members
    total = 0.0
    for a, first in enumerate(members):
        for b in range(a + 1, len(members)):
            if not first.is_person:
                continue
            gap = relative_gap(boxes[:, a], boxes[:, b], object_is_person=members[b].is_person)
            unclear = np.abs(gap - NEAR_GAP) < _NEAR_MARGIN
            unclear |= (gap > 0) & (np.abs(gap - CONTACT_GAP) < _CONTACT_MARGIN)
            total += float(unclear.sum()) * _STEP_S
    return total


def _ordered(script: Script, time: float) -> list[Standing]:
    return sorted(script.at(time), key=lambda standing: standing.member.number)


def _box(standing: Standing) -> tuple[float, float, float, float]:
    """Box of the silhouette without drawing people, who change their pose all the time."""
    appearance = standing.member.appearance
    if isinstance(appearance, PersonAppearance):
        pixels = standing.member.size * standing.scale
        x1, y1, x2, y2 = (v * pixels for v in _extent(appearance, standing.pose))
        return (standing.x + x1, standing.y + y1, standing.x + x2, standing.y + y2)
    sprite = main_sprite(standing)
    x, y = anchor(standing, sprite)
    x1, y1, x2, y2 = sprite.bounds
    return (x + x1, y + y1, x + x2, y + y2)


@lru_cache(maxsize=2048)
def _extent(appearance: PersonAppearance, pose: Pose) -> tuple[float, float, float, float]:
    points = np.concatenate([shape.points for shape in draw_person(appearance, pose)])
    (x1, y1), (x2, y2) = points.min(axis=0), points.max(axis=0)
    return (float(x1), float(y1), float(x2), float(y2))
