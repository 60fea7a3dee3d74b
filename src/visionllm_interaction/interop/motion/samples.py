"""Samples of a worn camera's motion sensors, and bouts of moving and stillness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Sensor = Literal["ACCL", "GYRO", "GRAV"]
HeadState = Literal["moving", "still"]
GRAVITY = 9.80665
"""Standard gravity in m/s² (CGPM, 1901): what an accelerometer at rest shows."""
_GAP_S = 0.25
_GAP_STEPS = 3.0


@dataclass(frozen=True, eq=False)
class SensorSamples:
    """Samples of one sensor.

    Attributes:
        t: (n,) times in seconds since the video's first image, ascending.
        xyz: (n, 3) along the camera's axes X, Y and Z: rad/s (GYRO), m/s² (ACCL), or a unit vector (GRAV).
    """

    t: Floats
    xyz: Floats


@dataclass(frozen=True, eq=False)
class MotionRecording:
    """What the motion sensors of a worn camera recorded. Places, serial numbers and names are not read.

    Attributes:
        device: the kind of camera.
        sensors: sensor → samples; ``GYRO`` is always there.
        marks_s: moments that somebody marked while recording (HiLight), in seconds.
        notes: what should be known.
    """

    device: str
    sensors: Mapping[Sensor, SensorSamples]
    marks_s: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MotionLimits:
    """How head speed becomes bouts.

    Attributes:
        window_s: speed is averaged over so many seconds.
        moving_dps: the head moves from this many degrees per second on; below it is still.
        min_bout_s: shorter pauses do not end a movement, then shorter movements are none.
    """

    window_s: float = 0.1
    moving_dps: float = 15.0
    min_bout_s: float = 0.2


@dataclass(frozen=True, slots=True)
class HeadBout:
    """An interval in which the head moves, or is still; times in seconds."""

    state: HeadState
    begin_s: float
    end_s: float


def head_speed_dps(gyro: SensorSamples) -> Floats:
    """(n,) speed at which the camera turns, in degrees per second; the same whatever way the camera is mounted."""
    return np.asarray(np.degrees(np.linalg.norm(gyro.xyz, axis=1)))


def acceleration_at(accl: SensorSamples | None, t: Floats) -> Floats:
    """How far the strength of acceleration is from that of gravity.

    Args:
        accl: the accelerometer's samples; None: there are none.
        t: (n,) times in seconds.

    Returns:
        (n,) m/s²; NaN without an accelerometer.
    """
    if accl is None or not len(accl.t):
        return np.full(len(t), np.nan)
    strength = np.abs(np.linalg.norm(accl.xyz, axis=1) - GRAVITY)
    return np.asarray(np.interp(t, accl.t, strength))


def head_bouts(t: Floats, speed_dps: Floats, limits: MotionLimits = MotionLimits()) -> list[HeadBout]:
    """Bouts of moving and of stillness, which follow each other without gaps except where samples are missing.

    Args:
        t: (n,) times in seconds, ascending.
        speed_dps: (n,) degrees per second.
        limits: how speed becomes bouts.

    Returns:
        The bouts by begin; a sample stands for the time until the next one.
    """
    found: list[HeadBout] = []
    for part in _without_gaps(t):
        own = t[part]
        step_s = float(np.median(np.diff(own))) if len(own) > 1 else 0.0
        edges = np.append(own, own[-1] + step_s)
        moving = _averaged(speed_dps[part], step_s, limits.window_s) >= limits.moving_dps
        moving = ~_without_short(~moving, edges, limits.min_bout_s)
        moving = _without_short(moving, edges, limits.min_bout_s)
        for begin, end in _runs(moving):
            found.append(HeadBout("moving" if moving[begin] else "still", float(edges[begin]), float(edges[end])))
    return found


def known_intervals(bouts: list[HeadBout]) -> list[tuple[float, float]]:
    """The intervals in which it is known whether the head moves: bouts that follow each other, joined."""
    found: list[tuple[float, float]] = []
    for bout in bouts:
        if found and found[-1][1] == bout.begin_s:
            found[-1] = (found[-1][0], bout.end_s)
        else:
            found.append((bout.begin_s, bout.end_s))
    return found


def _without_gaps(t: Floats) -> list[slice]:
    """Slices of samples that follow each other."""
    if not len(t):
        return []
    steps = np.diff(t)
    limit_s = max(_GAP_S, _GAP_STEPS * float(np.median(steps))) if len(steps) else 0.0
    cuts = [0, *(np.flatnonzero(steps > limit_s) + 1).tolist(), len(t)]
    return [slice(begin, end) for begin, end in pairwise(cuts)]


def _averaged(values: Floats, step_s: float, window_s: float) -> Floats:
    """Moving average around each sample; at the ends over what is there."""
    half = round(window_s / step_s) // 2 if step_s > 0 else 0
    total = np.concatenate([[0.0], np.cumsum(values)])
    places = np.arange(len(values))
    low, high = np.maximum(places - half, 0), np.minimum(places + half + 1, len(values))
    return np.asarray((total[high] - total[low]) / (high - low))


def _without_short(flags: Flags, edges: Floats, min_s: float) -> Flags:
    """The flags with runs of True shorter than ``min_s`` cleared, except at the ends, where a run may go on."""
    kept = flags.copy()
    for begin, end in _runs(flags):
        inside = begin > 0 and end < len(flags)
        if flags[begin] and inside and edges[end] - edges[begin] < min_s - 1e-9:
            kept[begin:end] = False
    return kept


def _runs(flags: Flags) -> list[tuple[int, int]]:
    """Begin and end of the runs of equal flags."""
    cuts = [0, *(np.flatnonzero(np.diff(flags.astype(np.int8))) + 1).tolist(), len(flags)]
    return list(pairwise(cuts))
