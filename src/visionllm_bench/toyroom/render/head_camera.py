"""A head camera worn by a child: it follows what is interesting, sways, jerks and zooms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visionllm_bench.toyroom.render.camera import View
from visionllm_bench.toyroom.story.script import Script, resting_centre

JERK_SHARE = (0.12, 0.3)
"""Size of a jerk as a share of the frame's width (across) or height (up and down)."""
JERK_RISE_S = 0.04
"""A jerk reaches its full size within this time."""
JERK_RETURN_S = 0.45
"""Time to look back afterwards."""
_GRID_HZ = 100.0
_EXPOSURE_S = 0.02

Samples = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Jerk:
    """A sudden turn of the head: when, and how far the image moves (x, y) in frame pixels."""

    time_s: float
    shift_px: tuple[float, float]


@dataclass(frozen=True, eq=False, slots=True)
class EgoCamera:
    """A head camera.

    Attributes:
        size: frame (width, height).
        path: (n, 3) left, top, zoom of the view on a time grid of 100 Hz; windows stay on the canvas.
        jerks: the sudden turns in it.
    """

    size: tuple[int, int]
    path: Samples
    jerks: tuple[Jerk, ...]

    def at(self, time_s: float) -> View:
        """The view at ``time_s``."""
        left, top, zoom = self._look(time_s)
        before = self._look(max(time_s - _EXPOSURE_S, 0.0))
        smear = ((left - before[0]) * zoom, (top - before[1]) * zoom)
        return View(left, top, zoom, self.size, smear)

    def _look(self, time_s: float) -> tuple[float, float, float]:
        grid = np.arange(len(self.path)) / _GRID_HZ
        left, top, zoom = (float(np.interp(time_s, grid, self.path[:, k])) for k in range(3))
        return (left, top, zoom)


def random_ego_camera(rng: np.random.Generator, script: Script, size: tuple[int, int]) -> EgoCamera:
    """A head camera that looks at the people and toys of ``script`` in turn."""
    times = np.arange(0.0, script.duration_s + 0.1, 1 / _GRID_HZ)
    centre = _smooth(_attention(rng, script, times), seconds=0.2)
    zoom = 1.12 + 0.1 * _sway(rng, times, hz=0.11) + 0.02 * _sway(rng, times, hz=0.6)
    width, height = size
    for axis, extent in enumerate((width, height)):
        centre[:, axis] += 0.012 * extent * _sway(rng, times, hz=1.7)
    canvas = np.array([script.room.width, script.room.height], dtype=np.float64)
    window = np.array([width, height]) / zoom[:, None]
    corner = np.clip(centre - window / 2, 0, canvas - window)
    jerks = _random_jerks(rng, script.duration_s, size)
    for n, jerk in enumerate(jerks):
        jerks[n] = _add_jerk(corner, jerk, times, zoom=zoom, room=canvas - window)
    path = np.column_stack([np.clip(corner, 0, canvas - window), zoom])
    return EgoCamera(size, path, tuple(jerks))


def _attention(rng: np.random.Generator, script: Script, times: Samples) -> Samples:
    """(n, 2) canvas point looked at; people more often than toys."""
    points = _interests(script, times)
    weights = np.array([3.0 if number in script.agents else 1.0 for number in points])
    out = np.empty((len(times), 2))
    begin = 0.0
    while begin < times[-1] + 1:
        end = begin + float(rng.uniform(1.0, 2.6))
        chosen = list(points)[int(rng.choice(len(points), p=weights / weights.sum()))]
        part = (times >= begin) & (times < end)
        out[part] = points[chosen][part]
        begin = end
    return out


def _interests(script: Script, times: Samples) -> dict[int, Samples]:
    """Per number the (n, 2) point to look at: a person's chest, a toy where it first lies."""
    out: dict[int, Samples] = {}
    for number, toy in script.toys.items():
        out[number] = np.tile(resting_centre(script.room, toy, toy.stays[0]), (len(times), 1))
    elsewhere = next(iter(out.values()))
    for number, part in script.agents.items():
        xy = np.array([(part.x.at(t), part.y.at(t)) for t in times.tolist()])
        inside = (xy[:, 0] > 0) & (xy[:, 0] < script.room.width)
        xy[:, 1] -= 0.55 * part.member.size * script.room.unit
        xy[~inside] = elsewhere[~inside]
        out[number] = xy
    return out


def _smooth(points: Samples, *, seconds: float) -> Samples:
    """``points`` (n, 2) with every jump turned into an eased movement."""
    reach = round(3 * seconds * _GRID_HZ)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (seconds * _GRID_HZ)) ** 2)
    kernel /= kernel.sum()
    padded = np.pad(points, ((reach, reach), (0, 0)), mode="edge")
    return np.stack([np.convolve(padded[:, k], kernel, mode="valid") for k in range(2)], axis=1)


def _sway(rng: np.random.Generator, times: Samples, *, hz: float) -> Samples:
    """A wandering value, mostly within [−1, 1]."""
    phases = rng.uniform(0, 6.28, 3)
    rates = hz * np.array([1.0, 1.618, 0.447])
    return np.asarray(np.sin(6.28 * rates * times[:, None] + phases).mean(axis=1) * 1.4)


def _random_jerks(rng: np.random.Generator, duration_s: float, size: tuple[int, int]) -> list[Jerk]:
    jerks = []
    time = float(rng.uniform(1.5, 3.0))
    while time < duration_s - 0.6:
        x = float(rng.uniform(*JERK_SHARE)) * size[0] * float(rng.choice([-1, 1]))
        y = float(rng.uniform(0.0, 0.12)) * size[1] * float(rng.choice([-1, 1]))
        jerks.append(Jerk(time, (x, y)))
        time += float(rng.uniform(1.6, 3.6))
    return jerks


def _add_jerk(corner: Samples, jerk: Jerk, times: Samples, *, zoom: Samples, room: Samples) -> Jerk:
    """Add a jerk to the path of the window's corner, turned round where the canvas ends; returns it as it came out."""
    n = int(np.searchsorted(times, jerk.time_s))
    shift = np.array(jerk.shift_px) / zoom[n]
    for axis in range(2):
        if not 0 <= corner[n, axis] + shift[axis] <= room[n, axis]:
            shift[axis] = -shift[axis]
        shift[axis] = np.clip(corner[n, axis] + shift[axis], 0, room[n, axis]) - corner[n, axis]
    since = times - jerk.time_s
    rise = np.clip(since / JERK_RISE_S, 0, 1)
    back = np.clip((since - JERK_RISE_S) / JERK_RETURN_S, 0, 1)
    corner += (rise * (1 - back * back * (3 - 2 * back)))[:, None] * shift
    # The window moves with the head; the image moves the other way.
    moved = -shift * zoom[n]
    return Jerk(jerk.time_s, (float(moved[0]), float(moved[1])))
