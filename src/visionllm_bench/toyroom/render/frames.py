"""A script, a camera and a clock → frames and their truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from visionllm_bench.toyroom.drawing.camera_effects import Optics, expose
from visionllm_bench.toyroom.ground_truth import Sighting
from visionllm_bench.toyroom.render.camera import Camera, View
from visionllm_bench.toyroom.render.compositor import Box, Layer, Owners, own, paint, seen
from visionllm_bench.toyroom.render.sprites import (
    Standing,
    anchor,
    furniture_layer,
    in_order,
    main_sprite,
    member_layers,
    shadow_layers,
)
from visionllm_bench.toyroom.story.script import Script

MIN_VISIBLE_PX = 16
"""An object with fewer visible pixels than this is not listed in a frame."""


@dataclass(frozen=True, eq=False, slots=True)
class Shot:
    """One frame and what is seen in it."""

    image: Image.Image
    sightings: tuple[Sighting, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Film:
    """Everything needed to draw the frame at any time."""

    script: Script
    backdrop: Image.Image
    camera: Camera
    optics: Optics


def shoot(film: Film, times_s: NDArray[np.float64], *, rng: np.random.Generator) -> Iterator[Shot]:
    """The frames at ``times_s``."""
    room = film.script.room
    fixed = [(p.y, furniture_layer(p.appearance, room, x=p.x, y=p.y)) for p in film.script.furniture]
    for time in times_s.tolist():
        standings = film.script.at(time)
        layers = in_order([*fixed, *member_layers(standings)])
        view = film.camera.at(time)
        image = view.photograph(paint(film.backdrop, shadow_layers(standings), layers))
        owners = view.sample(own((room.width, room.height), layers))
        yield Shot(expose(image, film.optics, rng=rng), tuple(sightings(standings, owners, view)))


def observe(film: Film, times_s: NDArray[np.float64]) -> Iterator[tuple[Sighting, ...]]:
    """What is seen at ``times_s``, without drawing the frames: the same as in :func:`shoot`, much faster."""
    room = film.script.room
    fixed = [(p.y, furniture_layer(p.appearance, room, x=p.x, y=p.y)) for p in film.script.furniture]
    for time in times_s.tolist():
        standings = film.script.at(time)
        view = film.camera.at(time)
        owners = view.sample(own((room.width, room.height), in_order([*fixed, *member_layers(standings)])))
        yield tuple(sightings(standings, owners, view))


def sightings(standings: list[Standing], owners: Owners, view: View) -> Iterator[Sighting]:
    """The visible part of each member in a view, by number."""
    for standing in sorted(standings, key=lambda s: s.member.number):
        sprite = main_sprite(standing)
        x, y = anchor(standing, sprite)
        part = seen(owners, standing.member.number, within=view.project(_image_box(Layer(sprite, x, y, 0))))
        if part is None or part.area_px < MIN_VISIBLE_PX:
            continue
        share = min(1.0, part.area_px / (sprite.area_px * view.zoom**2))
        yield Sighting(standing.member.number, standing.member.category, part.box_xyxy, round(share, 4))


def _image_box(layer: Layer) -> Box:
    left, top = layer.corner
    width, height = layer.sprite.hard.size
    return (left, top, left + width, top + height)
