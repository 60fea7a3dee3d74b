"""One random scene for an image: who stands where, in front of what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from visionllm_bench.toyroom.categories import CATEGORY_IDS, PEOPLE
from visionllm_bench.toyroom.drawing.backdrop import HORIZON, draw_backdrop
from visionllm_bench.toyroom.drawing.camera_effects import expose, random_optics
from visionllm_bench.toyroom.drawing.furniture import SURFACE, random_furniture
from visionllm_bench.toyroom.drawing.hand_placement import hold
from visionllm_bench.toyroom.drawing.people import Pose
from visionllm_bench.toyroom.render.compositor import Layer, Seen, own, paint, seen
from visionllm_bench.toyroom.render.sprites import (
    Member,
    Room,
    Standing,
    furniture_layer,
    in_order,
    main_sprite,
    member_layers,
    random_member,
    shadow_layers,
    silhouette_box,
)

MIN_SHARE = 0.15
"""Objects of which a smaller share is visible are not annotated."""
MIN_SIDE_PX = 8
"""Objects whose visible box has a shorter side than this are not annotated."""
WANTED_SHARE = 0.34
"""Scenes are arranged so that at least this share of each object is visible."""

_TRIES = 30
_FILL = ("sofa", "plant", "lamp", "screen", "stool", "plant")


@dataclass(frozen=True, eq=False, slots=True)
class Annotated:
    """One annotated object of an image: category name, visible part, visible share of the silhouette."""

    category: str
    seen: Seen
    visible: float


@dataclass(frozen=True, eq=False, slots=True)
class Still:
    """A finished image and its truth."""

    image: Image.Image
    objects: tuple[Annotated, ...]


@dataclass(frozen=True, eq=False, slots=True)
class _Set:
    """A room with its furniture, and the surfaces toys can stand on: (x, half width, floor row, height in px)."""

    room: Room
    furniture: tuple[tuple[float, Layer], ...]
    surfaces: tuple[tuple[float, float, float, float], ...]
    close: bool


def make_still(rng: np.random.Generator, size: tuple[int, int], *, count: int, wanted: Sequence[str]) -> Still:
    """An image of ``size`` with about ``count`` objects, every category of ``wanted`` among them."""
    stage = _furnish(rng, size)
    room = stage.room
    backdrop = draw_backdrop(rng, size, horizon=room.horizon, unit=room.unit)
    best: list[Standing] = []
    for _ in range(_TRIES):
        best = _arrange(rng, stage, count=max(count, len(wanted)), wanted=wanted)
        if _all_shown(stage, best, wanted=wanted):
            break
    layers = in_order([*stage.furniture, *member_layers(best)])
    image = paint(backdrop, shadow_layers(best), layers)
    if stage.close and rng.random() < 0.35:
        image = image.filter(ImageFilter.BoxBlur((float(rng.uniform(0.3, 2.2)), float(rng.uniform(0.0, 0.6)))))
    image = expose(image, random_optics(rng, gentle=False), rng=rng)
    return Still(image, tuple(_annotate(best, layers, size)))


def _furnish(rng: np.random.Generator, size: tuple[int, int]) -> _Set:
    """An empty set; a third of them is seen from close, as by a head camera."""
    width, height = size
    close = bool(rng.random() < 0.33)
    unit = height * float(rng.uniform(1.05, 1.5) if close else rng.uniform(0.84, 1.05))
    horizon = height * float(rng.uniform(0.25, 0.55)) if close else height * float(rng.uniform(*HORIZON))
    room = Room(width, height, horizon, unit)
    furniture: list[tuple[float, Layer]] = []
    surfaces: list[tuple[float, float, float, float]] = []
    kinds = [str(k) for k in rng.choice(_FILL, size=int(rng.integers(0, 4)))]
    if rng.random() < 0.65:
        kinds.append("table" if rng.random() < 0.6 else "chest")
    for kind in kinds:
        appearance = random_furniture(rng, kind)
        x = float(rng.uniform(0.02, 0.98) * width)
        y = horizon + float(rng.uniform(0.03, 0.6)) * (height - horizon)
        furniture.append((y, furniture_layer(appearance, room, x=x, y=y)))
        if kind in SURFACE:
            scale = room.scale_at(y)
            surfaces.append((x, appearance.width * scale / 2, y, SURFACE[kind] * scale))
    return _Set(room, tuple(furniture), tuple(surfaces), close)


def _arrange(rng: np.random.Generator, stage: _Set, *, count: int, wanted: Sequence[str]) -> list[Standing]:
    names = list(CATEGORY_IDS)
    extra = [str(rng.choice(names, p=_frequencies())) for _ in range(count - len(wanted))]
    categories = sorted([*wanted, *extra], key=lambda name: name not in PEOPLE)
    placed: list[Standing] = []
    free_hands: list[int] = []
    for number, category in enumerate(categories, start=1):
        member = random_member(rng, number, category)
        if member.is_person:
            free_hands.append(len(placed))
            placed.append(_place(rng, stage, member, placed))
        elif free_hands and rng.random() < 0.3:
            index = free_hands.pop()
            placed[index], held = hold(placed[index], member)
            placed.append(held)
        else:
            placed.append(_place(rng, stage, member, placed))
    return _thin_out(stage, placed, wanted=wanted)


def _frequencies() -> list[float]:
    weights = [1.3 if name in PEOPLE else 1.0 for name in CATEGORY_IDS]
    return [w / sum(weights) for w in weights]


def _place(rng: np.random.Generator, stage: _Set, member: Member, placed: Sequence[Standing]) -> Standing:
    """The first of some random spots that overlaps little with what is there, else the best of them."""
    best, least = _spot(rng, stage, member), float("inf")
    for _ in range(14):
        candidate = _spot(rng, stage, member)
        overlap = max((_overlap(silhouette_box(candidate), silhouette_box(other)) for other in placed), default=0.0)
        if overlap < least:
            best, least = candidate, overlap
        if overlap < float(rng.uniform(0.0, 0.5)):
            break
    return best


def _spot(rng: np.random.Generator, stage: _Set, member: Member) -> Standing:
    room = stage.room
    if not member.is_person and stage.surfaces and rng.random() < 0.4:
        x, half, y, top = stage.surfaces[int(rng.integers(len(stage.surfaces)))]
        at = x + float(rng.uniform(-0.8, 0.8)) * half
        return Standing(member, at, y, room.scale_at(y), top, angle=_lean(rng, member), depth=y + 0.1)
    low, high = (0.12, 0.99) if not stage.close else (0.15, 1.3 if member.is_person else 1.0)
    y = room.horizon + float(rng.uniform(low, high)) * (room.height - room.horizon)
    x = float(rng.uniform(0.04, 0.96)) * room.width
    return Standing(member, x, y, room.scale_at(y), pose=_pose(rng, member), angle=_lean(rng, member), depth=y)


def _lean(rng: np.random.Generator, member: Member) -> float:
    if member.category == "ball":
        return float(rng.uniform(-3.1, 3.1))
    return float(np.clip(rng.normal(0.0, 0.14), -0.45, 0.45))


def _pose(rng: np.random.Generator, member: Member) -> Pose:
    if not member.is_person:
        return Pose()
    facing = int(rng.integers(-2, 3))
    kind = float(rng.random())
    if kind < 0.3 and facing:
        return Pose(facing=facing, stride=int(rng.integers(1, 17)))
    if kind < 0.48:
        return Pose(facing=facing or 1, crouch=int(rng.integers(1, 11)))
    if kind < 0.65 and member.category == "child":
        return Pose(facing=facing, sit=True)
    return Pose(facing=facing)


def _overlap(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> float:
    """Shared area as a share of the smaller box."""
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0.0
    return w * h / min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))


def _thin_out(stage: _Set, placed: list[Standing], *, wanted: Sequence[str]) -> list[Standing]:
    """Take away, one at a time, toys that are hardly seen, but not the wanted ones."""
    for _ in range(len(placed)):
        shares = _shares(stage, placed)
        kept = [placed[n].member.category for n in range(len(placed))]
        hidden = [n for n in np.argsort(shares).tolist() if shares[n] < WANTED_SHARE]
        spare = [n for n in hidden if kept[n] not in wanted or kept.count(kept[n]) > 1]
        if not spare:
            break
        placed = [s for n, s in enumerate(placed) if n != spare[0]]
    return placed


def _shares(stage: _Set, placed: Sequence[Standing]) -> list[float]:
    layers = in_order([*stage.furniture, *member_layers(placed)])
    owners = own((stage.room.width, stage.room.height), layers)
    counts = np.bincount(owners.ravel(), minlength=256)
    return [float(counts[s.member.number]) / max(main_sprite(s).area_px, 1) for s in placed]


def _all_shown(stage: _Set, placed: Sequence[Standing], *, wanted: Sequence[str]) -> bool:
    shares = _shares(stage, placed)
    shown = {s.member.category for s, share in zip(placed, shares, strict=True) if share >= WANTED_SHARE}
    return set(wanted) <= shown and all(share >= WANTED_SHARE for share in shares)


def _annotate(placed: Sequence[Standing], layers: Sequence[Layer], size: tuple[int, int]) -> list[Annotated]:
    owners = own(size, layers)
    out = []
    for standing in placed:
        part = seen(owners, standing.member.number)
        if part is None:
            continue
        x1, y1, x2, y2 = part.box_xyxy
        visible = min(1.0, part.area_px / main_sprite(standing).area_px)
        if min(x2 - x1, y2 - y1) >= MIN_SIDE_PX and visible >= MIN_SHARE:
            out.append(Annotated(standing.member.category, part, visible))
    return out
