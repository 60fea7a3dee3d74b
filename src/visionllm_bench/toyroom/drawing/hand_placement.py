"""How a person holds a toy: where the hands are and where the toy is."""

from __future__ import annotations

from dataclasses import replace

from visionllm_bench.toyroom.drawing.people import Pose
from visionllm_bench.toyroom.render.sprites import Member, Standing

CARRY: dict[str, tuple[float, float]] = {"child": (0.17, 0.47), "caregiver": (0.13, 0.62)}
"""Where a carried toy's centre is: (forward, up) as shares of the person's height."""


def carry_point(person: Member, *, forward: float) -> tuple[float, float]:
    """Centre of a carried toy as (right, up) shares of the person's height; ``forward`` in [−1, 1]."""
    reach, up = CARRY[person.category]
    return (reach * forward, up)


def gripping(pose: Pose, point: tuple[float, float], *, half: float) -> Pose:
    """``pose`` with both hands at the sides of a toy centred at ``point``, ``half`` its half width (shares)."""
    x, y = point
    spread = 0.85 * half
    left, right = (round(100 * (x - spread)), round(100 * y)), (round(100 * (x + spread)), round(100 * y))
    return replace(pose, left=left, right=right)


def hold(person: Standing, toy: Member) -> tuple[Standing, Standing]:
    """The person now holding ``toy``, and the toy in the hands."""
    facing = person.pose.facing or 1
    pose = replace(person.pose, facing=facing)
    height = person.member.size
    point = carry_point(person.member, forward=facing / 2)
    if pose.crouch or pose.sit:
        drop = 0.2 if pose.sit else 0.025 * pose.crouch
        point = (point[0] * 1.3, point[1] - drop)
    pose = gripping(pose, point, half=toy.size / height / 2)
    pixels = height * person.scale
    centre = (person.x + point[0] * pixels, person.y - point[1] * pixels)
    held = Standing(toy, person.x, person.y, person.scale, depth=person.depth + 0.01, centre=centre)
    return replace(person, pose=pose), held
