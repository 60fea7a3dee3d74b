"""Flashes of light that both cameras recorded: brightness that changes at once, all over the image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from visionllm_interaction.interop.sync.moments import SyncMoment
from visionllm_interaction.utils.path_type import StrPath

Floats = npt.NDArray[np.float64]

GRID = (6, 8)
"""Rows and columns of the blocks whose brightness is compared."""
_MIN_STEP = 8.0
"""Least change of the mean brightness (of 255)."""
_TIMES_USUAL = 12.0
"""A flash changes brightness by so many times what frames usually do."""
_MIN_SHARE = 0.75
"""Share of the blocks that become brighter, or darker, together."""
_SETTLED = 0.4
"""Before and after, brightness changes by at most this share of the step: it is sudden."""
_ONE_FLASH_S = 1.0
"""Changes within this time belong to one flash: it goes on and off."""
_GAP_S = 0.5


@dataclass(frozen=True, eq=False)
class Brightness:
    """Brightness of a video by frame.

    Attributes:
        times_s: begin of each frame, shape (n,).
        blocks: mean brightness of the blocks of its image, 0 to 255, shape (n, rows, columns).
        duration_s: length of the video in seconds.
    """

    times_s: Floats
    blocks: Floats
    duration_s: float


def read_brightness(path: StrPath) -> Brightness:
    """Brightness of the frames of a video.

    Args:
        path: the video.

    Returns:
        Brightness on the video's own clock.

    Raises:
        VideoError: if the video cannot be read.
    """
    # Imported here: it needs the video libraries.
    from visionllm_interaction.video.decoding.reader import VideoReader

    reader = VideoReader(Path(path))
    times, blocks = [], []
    for frame in reader.frames("grey"):
        times.append(frame.timestamp_s)
        blocks.append(_blocks(frame.image_rgb))
    table = reader.frame_table()
    reached_s = reader.ending.reached_s if reader.ending else 0.0
    last_s = float(table.timestamp_s[-1] + table.duration_s[-1]) if len(table.timestamp_s) else 0.0
    return Brightness(np.array(times), np.array(blocks).reshape(-1, *GRID), max(reached_s, last_s))


def _blocks(image: npt.NDArray[np.uint8]) -> Floats:
    rows = np.array_split(np.arange(image.shape[0]), GRID[0])
    columns = np.array_split(np.arange(image.shape[1]), GRID[1])
    # Images below the size of the grid leave blocks empty; they take the nearest pixels.
    wide = [part if len(part) else np.array([image.shape[1] - 1]) for part in columns]
    tall = [part if len(part) else np.array([image.shape[0] - 1]) for part in rows]
    return np.array([[image[np.ix_(r, c)].mean() for c in wide] for r in tall])


def flashes(brightness: Brightness) -> list[SyncMoment]:
    """The flashes of a video.

    A flash is a step of the mean brightness that is far above what frames usually change by, happens in most of the
    image in the same direction, and is over within two frames. Light that fades in, people who walk by and a camera
    that turns are none. What goes on and off at once is one flash.

    Args:
        brightness: of the frames.

    Returns:
        The moments between the last frame before each flash and the first one after it.
    """
    times, mean = brightness.times_s, brightness.blocks.mean(axis=(1, 2))
    if len(times) < 8:
        return []
    step = np.diff(mean)
    usual = max(float(np.median(np.abs(step))), 0.1)
    changes = np.diff(brightness.blocks, axis=0)
    same = np.maximum((changes > 0.5 * _MIN_STEP).mean(axis=(1, 2)), (changes < -0.5 * _MIN_STEP).mean(axis=(1, 2)))
    large = (np.abs(step) >= max(_MIN_STEP, _TIMES_USUAL * usual)) & (same >= _MIN_SHARE) & (np.diff(times) <= _GAP_S)
    found: list[SyncMoment] = []
    last_s = -np.inf
    for n in np.flatnonzero(large).tolist():
        is_new = times[n + 1] - last_s > _ONE_FLASH_S
        last_s = float(times[n + 1])
        if is_new and _is_sudden(mean, n):
            found.append(_moment(times, mean, n))
    return found


def _is_sudden(mean: Floats, n: int) -> bool:
    """Whether brightness rests before the step from frame n to n + 1, and does not go on changing for long."""
    step = mean[n + 1] - mean[n]
    before = mean[max(n - 5, 0) : n + 1]
    # One more frame may show part of it: its shutter was open while it happened.
    later = (mean[n + 3] - mean[n + 2]) / step if n + 3 < len(mean) else 0.0
    return bool(np.ptp(before) <= _SETTLED * abs(step) and later <= _SETTLED)


def _moment(times: Floats, mean: Floats, n: int) -> SyncMoment:
    """The step from frame n to n + 1; a frame that was being exposed while it happened shows part of it."""
    step = float(mean[n + 1] - mean[n])
    sign = 1 if step > 0 else -1
    is_partial = n + 2 < len(mean) and (mean[n + 2] - mean[n + 1]) / step > _SETTLED
    begin, end = float(times[n]), float(times[n + 2] if is_partial else times[n + 1])
    return SyncMoment((begin + end) / 2, (end - begin) / 2, sign)
