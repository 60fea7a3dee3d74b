"""Light, blur and camera motion of images, cheaply: a few images a second, and a fraction of their pixels.

Sources: the blur is that of Crete, Dolmiere, Ladret and Nicolas, The blur effect, 2007 (an image is blurred if blurring
it once more changes little); the shift between two images is the peak of their phase correlation (Kuglin and Hines,
1975).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.frame_table import Frame

Floats = NDArray[np.float32]

_EVERY = 8
"""Of an image every eighth row and column is looked at, at full resolution along it."""
_WINDOW = 9
"""Pixels over which blurring once more takes the mean."""
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_SMALL = 192
"""Width to which images are reduced for the shift between them."""
_MOST = 3
_MIN_PEAK = 0.04
"""A phase correlation with a lower peak tells no shift: images without texture, or a cut."""


@dataclass(frozen=True, eq=False)
class ImageQuality:
    """The quality of some of the images of a video, by time.

    Attributes:
        timestamp_s: (n,) times of the images.
        light: (n,) mean luma, 0 to 255.
        blur: (n,) 0 sharp to 1 blurred.
        camera_motion: (n,) shift of the whole image since the one before, in widths per second; NaN where that is not
            known: for the first image, and where the images have too little in common.
    """

    timestamp_s: NDArray[np.float64]
    light: Floats
    blur: Floats
    camera_motion: Floats


class ImageQualityMeter:
    """Measures images as they pass by.

    Args:
        per_s: at most so many a second are measured.
    """

    def __init__(self, per_s: float) -> None:
        self._step_s = 1.0 / per_s
        self._next_s = -np.inf
        self._rows: list[tuple[float, float, float, float]] = []
        self._former: tuple[float, list[NDArray[np.complex64]]] | None = None

    def add(self, frame: Frame) -> None:
        """Measure a frame, if it is time for one."""
        if frame.timestamp_s < self._next_s:
            return
        self._next_s = frame.timestamp_s + self._step_s * (1 - 1e-6)
        spectra = _spectra(frame.image_rgb)
        motion = np.nan
        if self._former is not None and self._former[1][0].shape == spectra[0].shape:
            step_s = frame.timestamp_s - self._former[0]
            motion = _shift_of_most(self._former[1], spectra) / step_s if step_s > 0 else np.nan
        self._former = frame.timestamp_s, spectra
        self._rows.append((frame.timestamp_s, mean_luma(frame.image_rgb), blur_effect(frame.image_rgb), motion))

    def result(self) -> ImageQuality:
        """What was measured so far."""
        rows = np.array(self._rows, np.float64).reshape(-1, 4)
        light, blur, motion = (rows[:, n].astype(np.float32) for n in (1, 2, 3))
        return ImageQuality(rows[:, 0], light, blur, motion)


def mean_luma(image_rgb: NDArray[np.uint8]) -> float:
    """How light an image is.

    Args:
        image_rgb: (H, W, 3) uint8.

    Returns:
        Mean luma of a part of its pixels, 0 to 255.
    """
    return float(image_rgb[::_EVERY, ::_EVERY].astype(np.float32).mean(axis=(0, 1)) @ _LUMA)


def blur_effect(image_rgb: NDArray[np.uint8]) -> float:
    """How blurred an image is.

    Args:
        image_rgb: (H, W, 3) uint8.

    Returns:
        From 0 (sharp) to 1 (blurred); the larger one of both directions. 1 for an image of one colour.
    """
    rows = image_rgb[::_EVERY].astype(np.float32) @ _LUMA
    columns = (image_rgb[:, ::_EVERY].astype(np.float32) @ _LUMA).T
    return max(_blur_along(rows), _blur_along(columns))


def _blur_along(lines: Floats) -> float:
    """Blur along lines (n, L)."""
    if lines.shape[1] <= _WINDOW + 1:
        return 1.0
    sums = np.cumsum(np.pad(lines, ((0, 0), (1, 0))), axis=1, dtype=np.float64)
    blurred = (sums[:, _WINDOW:] - sums[:, :-_WINDOW]) / _WINDOW
    half = _WINDOW // 2
    sharp = lines[:, half : half + blurred.shape[1]]
    change = np.abs(np.diff(sharp, axis=1))
    left = np.abs(np.diff(blurred, axis=1))
    total = float(change.sum())
    return 1.0 if total == 0 else 1.0 - float(np.maximum(change - left, 0.0).sum()) / total


def _spectra(image_rgb: NDArray[np.uint8]) -> list[NDArray[np.complex64]]:
    """The Fourier transforms of the quarters of a small grey image."""
    step = max(image_rgb.shape[1] // _SMALL, 1)
    grey = image_rgb[::step, ::step].astype(np.float32) @ _LUMA
    height, width = (size // 2 for size in grey.shape)
    return [_spectrum(grey[y : y + height, x : x + width]) for y in (0, height) for x in (0, width)]


def _shift_of_most(former: list[NDArray[np.complex64]], present: list[NDArray[np.complex64]]) -> float:
    """The shift of most of the image, in its widths: somebody who walks by moves one or two quarters, not the camera.

    NaN where fewer than three quarters tell a shift.
    """
    shifts = np.array([_shift(*pair) for pair in zip(former, present, strict=True)]) / 2
    known = np.sort(shifts[~np.isnan(shifts)])
    return float(known[(len(known) - 1) // 2]) if len(known) >= _MOST else float("nan")


def _spectrum(grey: Floats) -> NDArray[np.complex64]:
    """The Fourier transform of a grey image, tapered at the edges."""
    height, width = grey.shape
    taper = np.hanning(height)[:, None] * np.hanning(width)[None]
    return np.asarray(np.fft.rfft2((grey - grey.mean()) * taper), np.complex64)


def _shift(former: NDArray[np.complex64], present: NDArray[np.complex64]) -> float:
    """By how much an image is shifted against the one before, in widths; NaN where that cannot be told."""
    product = former * present.conj()
    size = np.abs(product)
    correlation = np.fft.irfft2(np.divide(product, size, out=np.zeros_like(product), where=size > 0))
    peak = int(correlation.argmax())
    if correlation.flat[peak] < _MIN_PEAK:
        return float("nan")
    height, width = correlation.shape
    row, column = divmod(peak, width)
    down, right = (place if place <= size / 2 else place - size for place, size in ((row, height), (column, width)))
    return float(np.hypot(down, right) / width)
