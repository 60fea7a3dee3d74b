"""How a person holds a thing: where the hands are and where the thing is."""

from __future__ import annotations

from dataclasses import replace

from visionllm_bench.toyroom.drawing.people import Pose
from visionllm_bench.toyroom.render.sprites import Member, Standing

CARRY: dict[str, tuple[float, float]] = {"child": (0.17, 0.47), "caregiver": (0.13, 0.62)}
"""Where a carried thing's centre is: (forward, up) as shares of the person's height."""


def carry_point(person: Member, *, forward: float) -> tuple[float, float]:
    """Centre of a carried thing as (right, up) shares of the person's height; ``forward`` in [−1, 1]."""
    reach, up = CARRY[person.category]
    return (reach * forward, up)


def gripping(pose: Pose, point: tuple[float, float], *, half: float) -> Pose:
    """``pose`` with both hands at the sides of a thing centred at ``point``, ``half`` its half width (shares)."""
    x, y = point
    spread = 0.85 * half
    left, right = (round(100 * (x - spread)), round(100 * y)), (round(100 * (x + spread)), round(100 * y))
    return replace(pose, left=left, right=right)


def hold(person: Standing, thing: Member) -> tuple[Standing, Standing]:
    """The person now holding ``thing``, and the thing in the hands."""
    facing = person.pose.facing or 1
    pose = replace(person.pose, facing=facing)
    height = person.member.size
    point = carry_point(person.member, forward=facing / 2)
    if pose.crouch or pose.sit:
        drop = 0.2 if pose.sit else 0.025 * pose.crouch
        point = (point[0] * 1.3, point[1] - drop)
    pose = gripping(pose, point, half=thing.size / height / 2)
    pixels = height * person.scale
    centre = (person.x + point[0] * pixels, person.y - point[1] * pixels)
    held = Standing(thing, person.x, person.y, person.scale, depth=person.depth + 0.01, centre=centre)
    return replace(person, pose=pose), held
