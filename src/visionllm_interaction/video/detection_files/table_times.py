"""The frame of each line of a table, from its columns of frames and times.

Where a table has both, they must say the same of the video. If they do not, the frames number the sampled images (0, 1,
2 … at one a second), and the times decide.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.video.detection_files.file_content import Clock, counted_from_one, whole_number

UNITS: Mapping[str, float] = {"time_s": 1.0, "time_ms": 1e3, "time_us": 1e6, "time_ns": 1e9}
"""Columns of times → their units in a second; the first that a table has is used."""
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:[.,]\d+)?)")
_OFF_STEPS = 2.0
"""A time further than so many frames from the nearest one is none of the video's."""
_PRINTED_S = (1.0, 0.1, 0.01)
"""What times may be printed in."""
_EXACT = 1e-5
"""Seconds, and shares of a unit, that numbers may be off by their own rounding."""

Floats = NDArray[np.float64]
Line = Mapping[str, str]


def frames_of_lines(
    table: Sequence[Line], column: Mapping[str, str | None], clock: Clock | None
) -> tuple[list[int], tuple[str, ...]]:
    """The frame of each line of a table, and what was assumed.

    Args:
        table: the lines.
        column: what a column is for → its name in the table, ``None`` if it has none.
        clock: gives the times of the video's frames.

    Returns:
        Frames, counted from 0, and notes.

    Raises:
        ValueError: if a value is of another form, or frames and times contradict each other.
    """
    timed = next((column[key] for key in UNITS if column[key]), None)
    if not column["frame"]:
        return _frames_at(_times_s(table, column), clock), ()
    unused: tuple[str, ...] = ()
    frames = [whole_number(str(line[column["frame"]] or "")) for line in table]
    if timed and table and clock is not None:
        times_s = _times_s(table, column)
        shared = len(set(times_s.tolist())) < len(set(frames))
        if printed := _first_beside_printed(frames, times_s, clock):
            first, exact = printed
            why = "several frames have the same time" if shared else f"{timed} is cut or rounded"
            notes = () if exact else (f"{why}: column {column['frame']} was used",)
            return [frame - first for frame in frames], (*notes, *_counting_notes(column, first))
        try:
            at_times = _frames_at(times_s, clock)
        except ValueError as error:
            unused = (f"column {timed} was not used: {error}",)
        else:
            if shared:
                return _frames_beside_coarse_times(frames, times_s, column, clock)
            off = np.abs(np.array(at_times) - np.array(frames))
            if off.max() > _OFF_STEPS:
                return at_times, (f"column {column['frame']} does not number frames of the video; {timed} was used",)
            return at_times, ()
    if counted_from_one(frames, clock):
        return [frame - 1 for frame in frames], (*unused, *_counting_notes(column, 1))
    return frames, unused


def _counting_notes(column: Mapping[str, str | None], first: int) -> tuple[str, ...]:
    return (f"column {column['frame']} counts frames from 1",) if first else ()


def _first_beside_printed(frames: Sequence[int], times_s: Floats, clock: Clock) -> tuple[int, bool] | None:
    """The number of the first frame, and whether times (n,) are exact, where times printed in round units show it.

    Frame 25 of a video of 25 frames a second is at 1 s if frames are counted from 0, and before it if from 1: it is
    printed as ``0`` then. ``None``: times are exact enough for frames, or agree with neither.
    """
    numbers, frame_times_s = np.array(frames, np.int64), clock()
    step_s = float(np.median(np.diff(frame_times_s))) if len(frame_times_s) > 1 else np.inf
    unit_s = next((unit for unit in _PRINTED_S if np.abs(times_s / unit - np.rint(times_s / unit)).max() < _EXACT), 0.0)
    if unit_s <= step_s:
        return None
    agreeing = []
    for first in (0, 1):
        if numbers.min() < first or numbers.max() - first >= len(frame_times_s):
            continue
        off_s = times_s - frame_times_s[numbers - first]
        if np.abs(off_s).max() <= step_s / 2:
            return first, True
        are_cut = bool(((off_s > -unit_s + _EXACT) & (off_s < _EXACT)).all())
        if are_cut or np.abs(off_s).max() < unit_s / 2 + _EXACT:
            agreeing.append(first)
    # Where both agree and neither exactly, as with few lines, a table that begins with 1 is counted from it.
    if len(agreeing) == 2:
        return int(numbers.min() == 1), False
    return (agreeing[0], False) if agreeing else None


def _frames_beside_coarse_times(
    frames: Sequence[int], times_s: Floats, column: Mapping[str, str | None], clock: Clock
) -> tuple[list[int], tuple[str, ...]]:
    """The frames of lines whose times are rounded; refused if they are at other times of the video."""
    name, first = column["frame"], int(counted_from_one(frames, clock))
    numbers, frame_times_s = np.array(frames) - first, clock()
    shared = np.diff(np.unique(times_s))
    if numbers.min() < 0 or numbers.max() >= len(frame_times_s):
        raise ValueError(f"column {name} does not number frames of the video, and times are too coarse for them")
    coarse_s = float(shared.min()) if len(shared) else 1.0
    limit_s = coarse_s + _OFF_STEPS * float(np.median(np.diff(frame_times_s)))
    if np.abs(frame_times_s[numbers] - times_s).max() > limit_s:
        raise ValueError(f"column {name} numbers other frames than those at the times, which several images share")
    notes = (f"several frames have the same time: column {name} was used",)
    return numbers.tolist(), (*notes, *_counting_notes(column, first))


def _times_s(table: Sequence[Line], column: Mapping[str, str | None]) -> Floats:
    """(n,) seconds, of numbers or of ``hh:mm:ss``."""
    name, unit = next((column[key], unit) for key, unit in UNITS.items() if column[key])
    return np.array([_seconds(str(line[str(name)] or "")) / unit for line in table], np.float64)


def _seconds(text: str) -> float:
    if found := _CLOCK.fullmatch(text.strip()):
        hours, minutes, seconds = found.groups()
        return 3600.0 * float(hours or 0) + 60.0 * float(minutes) + float(seconds.replace(",", "."))
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is neither seconds nor hh:mm:ss") from None


def _frames_at(times_s: Floats, clock: Clock | None) -> list[int]:
    """The frames nearest to times (n,) in seconds."""
    if clock is None:
        raise ValueError("a column of times, but the times of the video are not known")
    frame_times_s = clock()
    middles = (frame_times_s[1:] + frame_times_s[:-1]) / 2
    nearest = np.searchsorted(middles, times_s, side="right")
    off_s = np.abs(frame_times_s[nearest] - times_s)
    limit_s = _OFF_STEPS * float(np.median(np.diff(frame_times_s))) if len(frame_times_s) > 1 else 1.0
    if len(off_s) and not off_s.max() <= limit_s:
        raise ValueError(
            f"time {times_s[off_s.argmax()]:g} s is {off_s.max():.2f} s from the nearest frame of the video"
        )
    return [int(index) for index in nearest.tolist()]
