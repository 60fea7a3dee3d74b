"""Drawings of the child and the caregiver, with jointed limbs.

A person is one unit tall when standing; the anchor is the point on the floor between the feet. The child differs
from the caregiver in proportions (head a third of the height, short round limbs), not only in size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from visionllm_bench.toyroom.drawing.vector_sprites import RGB, Pen, Point, VectorShape, shade

DARK: RGB = (40, 32, 34)


@dataclass(frozen=True, slots=True)
class Build:
    """Body proportions as shares of the standing height; y values are heights above the floor."""

    head: Point
    head_y: float
    shoulder_y: float
    shoulder: float
    hip_y: float
    hip: float
    arm: float
    arm_width: float
    leg_width: float
    hand: float
    belly: float


BUILDS: dict[str, Build] = {
    "child": Build((0.15, 0.155), 0.835, 0.655, 0.115, 0.29, 0.105, 0.33, 0.085, 0.115, 0.045, 0.05),
    "caregiver": Build((0.058, 0.074), 0.92, 0.8, 0.105, 0.47, 0.082, 0.42, 0.05, 0.078, 0.026, 0.0),
}


@dataclass(frozen=True, slots=True)
class PersonAppearance:
    """What one person looks like; styles are names known to this file."""

    kind: str
    skin: RGB
    hair: RGB
    top: RGB
    bottom: RGB
    accent: RGB
    shoes: RGB
    hair_style: str
    bottom_style: str
    top_style: str
    glasses: bool
    beard: bool


@dataclass(frozen=True, slots=True)
class Pose:
    """How a person stands, in values coarse enough to be the key of a cache.

    Attributes:
        facing: -2 (left) … 2 (right), 0 towards the camera.
        stride: 0 standing, else 1…16 a phase of the walk.
        crouch: 0 upright … 10 squatting.
        left, right: hand targets in hundredths of the height relative to the anchor (y up), or ``None``.
        sit: sits on the floor with the legs stretched out.
    """

    facing: int = 0
    stride: int = 0
    crouch: int = 0
    left: tuple[int, int] | None = None
    right: tuple[int, int] | None = None
    sit: bool = False


UPRIGHT = Pose()
"""Standing, towards the camera, arms down."""


@dataclass(frozen=True, slots=True)
class _Joints:
    hip: Point
    chest: Point
    head: Point
    turn: float


def draw_person(appearance: PersonAppearance, pose: Pose) -> list[VectorShape]:
    """The shapes of a person in a pose."""
    build = BUILDS[appearance.kind]
    joints = _joints(build, pose)
    pen = Pen()
    near, far = (1, -1) if pose.facing >= 0 else (-1, 1)
    _hair_behind(pen, appearance, build, joints)
    _arm(pen, appearance, build, joints, side=far, pose=pose)
    _legs(pen, appearance, build, joints, pose=pose)
    _torso(pen, appearance, build, joints)
    _head(pen, appearance, build, joints)
    _arm(pen, appearance, build, joints, side=near, pose=pose)
    return pen.shapes


def draw_hands(appearance: PersonAppearance, pose: Pose) -> list[VectorShape]:
    """Only the hands that reach for something, to be painted over a held object."""
    build = BUILDS[appearance.kind]
    joints = _joints(build, pose)
    pen = Pen()
    for side, target in ((-1, pose.left), (1, pose.right)):
        if target is not None:
            _hand(pen, appearance, build, hand_at(build, joints.chest, side=side, target=target))
    return pen.shapes


def hand_at(build: Build, chest: Point, *, side: int, target: tuple[int, int]) -> Point:
    """Where a hand ends up that wants to be at ``target`` (hundredths, y up): there, or as far as the arm goes."""
    shoulder = (chest[0] + side * build.shoulder * 0.9, chest[1] + 0.02)
    x, y = target[0] / 100 - shoulder[0], -target[1] / 100 - shoulder[1]
    reach = build.arm * 0.99
    stretch = min(1.0, reach / max(math.hypot(x, y), 1e-6))
    return (shoulder[0] + x * stretch, shoulder[1] + y * stretch)


def _joints(build: Build, pose: Pose) -> _Joints:
    squat = pose.crouch / 10
    hip_y = 0.09 if pose.sit else build.hip_y * (1 - 0.58 * squat)
    bob = 0.012 * abs(math.sin(pose.stride / 16 * math.tau)) if pose.stride else 0.0
    hip_y -= bob
    turn = pose.facing / 2
    lean = squat * 0.16 * turn
    trunk = (build.shoulder_y - build.hip_y) * (1 - 0.12 * squat)
    neck = build.head_y - build.shoulder_y
    chest = (lean, -(hip_y + trunk))
    head = (lean * 1.35 + 0.012 * turn, -(hip_y + trunk + neck * (1 - 0.1 * squat)))
    return _Joints((-lean * 0.35, -hip_y), chest, head, turn)


def _bend(a: Point, b: Point, length: float, *, side: float) -> Point:
    """The middle joint of a limb of two equal bones from ``a`` to ``b``, bent towards ``side``."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    distance = max(math.hypot(dx, dy), 1e-6)
    out = math.sqrt(max((length / 2) ** 2 - (distance / 2) ** 2, 0.0))
    return ((a[0] + b[0]) / 2 - side * dy / distance * out, (a[1] + b[1]) / 2 + side * dx / distance * out)


def _legs(pen: Pen, appearance: PersonAppearance, build: Build, joints: _Joints, *, pose: Pose) -> None:
    bare = appearance.bottom_style in ("shorts", "skirt")
    lower = appearance.skin if bare else appearance.bottom
    for side in (-1, 1):
        hip = (joints.hip[0] + side * build.hip * 0.55, joints.hip[1] + 0.01)
        foot = _foot(build, pose, side=side)
        bend = side * -0.9 if abs(joints.turn) < 0.5 else -math.copysign(0.9, joints.turn)
        straight = math.dist(hip, foot) * 1.006
        knee = _bend(hip, foot, max(straight, build.hip_y * 0.97) if pose.crouch or pose.sit else straight, side=bend)
        w = build.leg_width
        pen.limb(knee, foot, lower, widths=(w * 0.86, w * 0.7))
        pen.limb(hip, knee, appearance.bottom, widths=(w * 1.1, w * 0.92))
        toe = (foot[0] + (joints.turn * 0.5 + side * 0.12) * build.leg_width, foot[1] + 0.006)
        pen.ellipse(toe, (w * 0.62, w * 0.34), appearance.shoes)


def _foot(build: Build, pose: Pose, *, side: int) -> Point:
    ankle = -build.leg_width * 0.3
    if pose.sit:
        return (side * build.hip_y * 0.85, ankle)
    spread = build.hip * (0.75 + 0.5 * pose.crouch / 10)
    if not pose.stride:
        return (side * spread, ankle)
    phase = pose.stride / 16 * math.tau + (0.0 if side > 0 else math.pi)
    step = math.copysign(0.36 * build.hip_y, pose.facing or 1)
    lift = 0.12 * build.hip_y * max(0.0, math.sin(phase))
    return (side * spread * 0.35 - math.cos(phase) * step, ankle - lift)


def _torso(pen: Pen, appearance: PersonAppearance, build: Build, joints: _Joints) -> None:
    (hx, hy), (cx, cy) = joints.hip, joints.chest
    s, h, b = build.shoulder, build.hip, build.belly
    mid = ((hx + cx) / 2, (hy + cy) / 2)
    outline = [(cx - s, cy - 0.01), (cx - s * 0.4, cy - 0.035), (cx + s * 0.4, cy - 0.035), (cx + s, cy - 0.01)]
    outline += [(mid[0] + s * 0.86 + b, mid[1]), (hx + h * 1.05 + b, hy + 0.03), (hx - h * 1.05 - b, hy + 0.03)]
    outline += [(mid[0] - s * 0.86 - b, mid[1])]
    if appearance.bottom_style in ("skirt", "dress"):
        _skirt(pen, appearance, build, joints)
    pen.blob(outline, appearance.top)
    _top_pattern(pen, appearance, build, joints)


def _skirt(pen: Pen, appearance: PersonAppearance, build: Build, joints: _Joints) -> None:
    hx, hy = joints.hip
    drop = min(build.hip_y * 0.62, -hy * 0.85)
    flare = build.hip * 1.75
    colour = appearance.top if appearance.bottom_style == "dress" else appearance.bottom
    pen.poly(
        [(hx - build.hip, hy - 0.05), (hx + build.hip, hy - 0.05), (hx + flare, hy + drop), (hx - flare, hy + drop)],
        colour,
    )


def _top_pattern(pen: Pen, appearance: PersonAppearance, build: Build, joints: _Joints) -> None:
    (hx, hy), (cx, cy) = joints.hip, joints.chest
    width = build.shoulder * 0.84 + build.belly * 0.7
    if appearance.top_style == "stripes":
        for n in range(1, 5):
            t = n / 5
            x, y = cx + (hx - cx) * t, cy + (hy - cy) * t
            pen.stroke([(x - width, y), (x + width, y)], abs(hy - cy) * 0.085, appearance.accent)
    elif appearance.top_style == "overalls":
        bib = cy + (hy - cy) * 0.42
        for side in (-1, 1):
            pen.stroke(
                [(cx + side * width * 0.55, cy), (hx + side * width * 0.5, bib)],
                build.shoulder * 0.22,
                appearance.bottom,
            )
        pen.box((cx - width * 0.72, bib), (width * 1.44, hy - bib), appearance.bottom, radius=0.02)
        pen.ellipse((hx, bib + (hy - bib) * 0.45), (width * 0.25,) * 2, appearance.accent, edge=False)
    elif appearance.top_style == "cardigan":
        pen.poly(
            [
                (cx - width * 0.3, cy - 0.02),
                (cx + width * 0.3, cy - 0.02),
                (hx + width * 0.2, hy),
                (hx - width * 0.2, hy),
            ],
            appearance.accent,
        )
    elif appearance.top_style == "print":
        pen.ellipse(((hx + cx) / 2, cy + (hy - cy) * 0.42), (width * 0.42,) * 2, appearance.accent, edge=False)


def _arm(pen: Pen, appearance: PersonAppearance, build: Build, joints: _Joints, *, side: int, pose: Pose) -> None:
    chest = joints.chest
    shoulder = (chest[0] + side * build.shoulder * 0.9, chest[1] + 0.02)
    target = pose.right if side > 0 else pose.left
    hand = hand_at(build, chest, side=side, target=target or _resting_hand(build, shoulder, pose, side=side))
    bend = -0.9 * side if abs(joints.turn) < 0.5 else math.copysign(0.9, joints.turn)
    elbow = _bend(shoulder, hand, build.arm, side=bend)
    w = build.arm_width
    sleeve = appearance.skin if appearance.top_style == "print" else appearance.top
    pen.limb(elbow, hand, sleeve, widths=(w * 0.9, w * 0.72))
    pen.limb(shoulder, elbow, appearance.top, widths=(w * 1.15, w * 0.98))
    _hand(pen, appearance, build, hand)


def _resting_hand(build: Build, shoulder: Point, pose: Pose, *, side: int) -> tuple[int, int]:
    swing = 0.0
    if pose.stride:
        phase = pose.stride / 16 * math.tau + (math.pi if side > 0 else 0.0)
        swing = -math.cos(phase) * build.arm * 0.45 * math.copysign(1, pose.facing or 1)
    x = shoulder[0] + side * build.arm * 0.16 + swing
    y = -shoulder[1] - build.arm * 0.93
    return (round(x * 100), round(max(y, 0.03) * 100))


def _hand(pen: Pen, appearance: PersonAppearance, build: Build, at: Point) -> None:
    pen.ellipse(at, (build.hand, build.hand), appearance.skin)


def _hair_behind(pen: Pen, appearance: PersonAppearance, build: Build, joints: _Joints) -> None:
    (x, y), (rx, ry) = joints.head, build.head
    back = x - joints.turn * rx * 0.25
    if appearance.hair_style == "long":
        pen.blob(
            [
                (back - rx * 1.3, y - ry),
                (back + rx * 1.3, y - ry),
                (back + rx * 1.5, y + ry * 2),
                (back - rx * 1.5, y + ry * 2),
            ],
            appearance.hair,
        )
    elif appearance.hair_style == "bun":
        pen.ellipse((back - joints.turn * rx * 0.5, y - ry * 1.15), (rx * 0.55, ry * 0.45), appearance.hair)
    elif appearance.hair_style == "pigtails":
        for side in (-1, 1):
            pen.ellipse(
                (x + side * rx * 1.18, y - ry * 0.15), (rx * 0.33, ry * 0.5), appearance.hair, angle=side * -0.35
            )
    elif appearance.hair_style == "ponytail":
        pen.limb(
            (back - rx * 0.9, y - ry * 0.4),
            (back - rx * 1.35 * (1 if joints.turn >= 0 else -1), y + ry * 1.1),
            appearance.hair,
            widths=(rx * 0.6, rx * 0.3),
        )
    elif appearance.hair_style == "curls":
        for n in range(9):
            t = math.pi * (0.95 + 1.1 * n / 8)
            pen.ellipse(
                (x + math.cos(t) * rx * 1.0, y + math.sin(t) * ry * 0.95), (rx * 0.34, ry * 0.3), appearance.hair
            )


def _head(pen: Pen, appearance: PersonAppearance, build: Build, joints: _Joints) -> None:
    (x, y), (rx, ry) = joints.head, build.head
    neck = (joints.chest[0], joints.chest[1])
    pen.limb((x, y + ry * 0.6), neck, shade(appearance.skin, 0.88), widths=(rx * 0.8, rx * 0.85), edge=False)
    for side in (-1, 1):
        pen.ellipse((x + side * rx * 0.98, y + ry * 0.08), (rx * 0.18, ry * 0.2), appearance.skin)
    pen.ellipse((x, y), (rx, ry), appearance.skin)
    _fringe(pen, appearance, build, joints)
    _face(pen, appearance, build, joints)


def _fringe(pen: Pen, appearance: PersonAppearance, build: Build, joints: _Joints) -> None:
    (x, y), (rx, ry) = joints.head, build.head
    shift = joints.turn * rx * 0.25
    if appearance.hair_style == "tuft":
        pen.sector((x, y), (rx * 1.02, ry * 1.02), appearance.hair, begin=math.pi * 1.2, end=math.pi * 1.8)
        pen.limb((x, y - ry * 0.95), (x + rx * 0.3, y - ry * 1.22), appearance.hair, widths=(rx * 0.3, rx * 0.1))
        return
    pen.sector(
        (x - shift * 0.4, y - ry * 0.04),
        (rx * 1.07, ry * 1.05),
        appearance.hair,
        begin=math.pi * 1.04,
        end=math.pi * 1.96,
    )
    pen.ellipse((x - shift - rx * 0.55, y - ry * 0.42), (rx * 0.52, ry * 0.3), appearance.hair, angle=-0.5, edge=False)
    pen.ellipse((x - shift + rx * 0.62, y - ry * 0.45), (rx * 0.42, ry * 0.27), appearance.hair, angle=0.5, edge=False)


def _face(pen: Pen, appearance: PersonAppearance, build: Build, joints: _Joints) -> None:
    (x, y), (rx, ry) = joints.head, build.head
    x += joints.turn * rx * 0.32
    child = appearance.kind == "child"
    if appearance.beard:
        pen.sector(
            (x, y + ry * 0.05), (rx * 0.85, ry * 0.93), appearance.hair, begin=math.pi * 0.06, end=math.pi * 0.94
        )
    for side in (-1, 1):
        eye = (x + side * rx * 0.38, y + ry * (0.1 if child else 0.0))
        pen.ellipse(eye, (rx * (0.13 if child else 0.12), ry * (0.15 if child else 0.1)), DARK, edge=False)
        pen.stroke(
            [(eye[0] - rx * 0.15, eye[1] - ry * 0.27), (eye[0] + rx * 0.15, eye[1] - ry * 0.27)],
            ry * 0.06,
            shade(appearance.hair, 0.8),
        )
        if child:
            pen.ellipse(
                (x + side * rx * 0.55, y + ry * 0.42), (rx * 0.19, ry * 0.14), _blush(appearance.skin), edge=False
            )
        if appearance.glasses:
            rim = [
                (eye[0] + math.cos(t) * rx * 0.28, eye[1] + math.sin(t) * ry * 0.22)
                for t in (0, 1, 2, 3.2, 4.2, 5.2, 6.28)
            ]
            pen.stroke(rim, rx * 0.08, DARK)
    pen.ellipse((x, y + ry * 0.25), (rx * 0.09, ry * 0.09), shade(appearance.skin, 0.8), edge=False)
    smile = [(x - rx * 0.24, y + ry * 0.5), (x, y + ry * 0.6), (x + rx * 0.24, y + ry * 0.5)]
    pen.stroke(smile, ry * 0.08, (168, 62, 62))


def _blush(skin: RGB) -> RGB:
    return (min(255, round(skin[0] * 1.02)), round(skin[1] * 0.78), round(skin[2] * 0.76))
