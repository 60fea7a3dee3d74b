"""Offset and drift of two recordings of one scene from their sound.

Loudness in a few bands rises and falls alike at every microphone of a room, whatever its echo. Windows of one recording
are searched in the other; a line through those that agree is offset and drift. Without enough agreement there is no
answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft, signal

from visionllm_interaction.store.recordings.clocks import Clock

Floats = npt.NDArray[np.float64]

RATE_HZ = 8000
"""Sample rate that sound is analysed at."""
ENVELOPE_HZ = 200
"""Steps of loudness per second."""
_BANDS_HZ = ((150, 400), (400, 1000), (1000, 2000), (2000, 3600))
_WINDOW_S = (8.0, 30.0)
_MAX_DRIFT_PPM = 300.0
PRIOR_DRIFT_PPM = 60.0
"""Clocks of cameras and recorders differ by some tens of millionths."""
_NEAR_S = 0.08
"""Windows agree that lie within this of the line."""
_MIN_AGREEING = 3
_MIN_SHARE = 0.25
_FLOOR_S = 0.02
"""Sound takes 3 ms for a metre and echoes come later still: no two microphones are closer than this for certain."""


@dataclass(frozen=True)
class Alignment:
    """How a recording lies on the clock of a reference.

    Attributes:
        clock: from the recording's own times to the reference's.
        residual_s: the true clock is within this of ``clock`` in the time that both recorded, with a probability of
            about 0.95.
        agreeing: windows that agree.
        windows: windows that were searched.
    """

    clock: Clock
    residual_s: float
    agreeing: int
    windows: int


class NoAlignmentError(ValueError):
    """The sound does not show how the recordings lie; the message says why."""


def loudness(samples: npt.NDArray[np.floating], rate: int) -> Floats:
    """Rises of loudness in a few bands.

    Args:
        samples: one channel of sound, shape (n,).
        rate: samples per second.

    Returns:
        Shape (bands, steps), :data:`ENVELOPE_HZ` steps a second; each band has mean 0, and is 0 where it is silent.
    """
    sound = np.asarray(samples, np.float32)
    if rate != RATE_HZ:
        divisor = int(np.gcd(rate, RATE_HZ))
        sound = signal.resample_poly(sound, RATE_HZ // divisor, rate // divisor).astype(np.float32)
    hop = RATE_HZ // ENVELOPE_HZ
    steps = len(sound) // hop
    bands = []
    for low, high in _BANDS_HZ:
        sections = signal.butter(2, (low, high), "bandpass", fs=RATE_HZ, output="sos")
        power = signal.sosfilt(sections, sound[: steps * hop]) ** 2
        energy = power.reshape(steps, hop).mean(axis=1)
        # Below a ten-thousandth of full scale there is nothing but noise of the converter.
        level = np.log10(energy + max(1e-9, 1e-2 * float(np.percentile(energy, 50))))
        smooth = signal.sosfiltfilt(signal.butter(2, (0.5, 20.0), "bandpass", fs=ENVELOPE_HZ, output="sos"), level)
        bands.append(smooth if energy.max(initial=0.0) > 1e-8 else np.zeros(steps))
    return np.asarray(bands, np.float64)


def align(reference: Floats, other: Floats) -> Alignment:
    """Find how one recording lies on the clock of another.

    Args:
        reference: loudness of the reference, shape (bands, n).
        other: loudness of the recording, shape (bands, m).

    Returns:
        Its clock and how far to trust it.

    Raises:
        NoAlignmentError: if one of them is silent or too short, or too few windows agree.
    """
    flipped = other.shape[1] > reference.shape[1]
    # The shorter one is cut into windows that are searched in the longer one.
    long, short = (other, reference) if flipped else (reference, other)
    shortest, longest = (int(seconds * ENVELOPE_HZ) for seconds in _WINDOW_S)
    length = min(max(short.shape[1] // 6, shortest), longest)
    begins = [at for at in range(0, short.shape[1] - length + 1, length // 2) if _has_sound(short[:, at : at + length])]
    if not _has_sound(long) or len(begins) < _MIN_AGREEING:
        raise NoAlignmentError("one of them is silent or too short")
    lags = _coarse_lags(long, short, begins, length)
    centres = np.array([(at + length / 2) / ENVELOPE_HZ for at in begins])
    inside = _agreeing(centres, lags)
    if len(inside) < max(_MIN_AGREEING, 1 + _MIN_SHARE * len(_overlapping(begins, lags, long, length, inside))):
        raise NoAlignmentError(f"only {len(inside)} of {len(begins)} parts of the sound agree")
    guess = float(np.median(lags[inside]))
    fine = _fine_lags(long, short, [begins[n] for n in inside], length, lags[inside])
    clock, residual_s = _line(centres[inside], fine)
    if not np.isfinite(guess) or residual_s > 2 * _NEAR_S:
        raise NoAlignmentError(f"the parts of the sound scatter by {residual_s:.3f} s")
    if flipped:
        clock = Clock(clock.inverse(0.0), (1.0 / (1.0 + clock.drift_ppm * 1e-6) - 1.0) * 1e6)
    return Alignment(clock, residual_s, len(inside), len(begins))


def _has_sound(loud: Floats) -> bool:
    return loud.shape[1] > ENVELOPE_HZ and float(loud.std(axis=1).max()) > 0.05


def _coarse_lags(long: Floats, short: Floats, begins: list[int], length: int) -> Floats:
    """For each window the second of the longer recording minus that of the shorter, where they are most alike."""
    size = fft.next_fast_len(long.shape[1] + length, real=True)
    spectrum = fft.rfft(long, size, axis=1)
    energy = np.cumsum(np.concatenate([np.zeros((len(long), 1)), long**2], axis=1), axis=1)
    lags = []
    for at in begins:
        window = short[:, at : at + length]
        window = window - window.mean(axis=1, keepdims=True)
        # Negative places: the window begins before the longer recording does.
        product = spectrum * np.conj(fft.rfft(window, size, axis=1))
        matched = fft.irfft(product, size, axis=1)
        # Only places where the whole window lies in the longer one are comparable.
        places = long.shape[1] - length + 1
        norm = np.sqrt((energy[:, length : length + places] - energy[:, :places]) * (window**2).sum(axis=1)[:, None])
        alike = (matched[:, :places] / np.maximum(norm, 1e-9)).sum(axis=0)
        lags.append((int(np.argmax(alike)) - at) / ENVELOPE_HZ)
    return np.array(lags)


def _agreeing(centres: Floats, lags: Floats) -> npt.NDArray[np.int64]:
    """The largest set of windows near one line with a drift that clocks can have."""
    best = np.zeros(0, np.int64)
    for first in range(len(lags)):
        for drift in _drifts_through(centres, lags, first):
            expected = lags[first] + drift * (centres - centres[first])
            near = np.flatnonzero(np.abs(lags - expected) <= _NEAR_S)
            if len(near) > len(best):
                best = near
    return best


def _drifts_through(centres: Floats, lags: Floats, first: int) -> list[float]:
    apart = centres - centres[first]
    far = np.abs(apart) > 20.0
    slopes = (lags[far] - lags[first]) / apart[far]
    possible = slopes[np.abs(slopes) <= _MAX_DRIFT_PPM * 1e-6]
    # A few of them: neighbours give much the same line.
    return [0.0, *possible[:: max(1, len(possible) // 40)].tolist()]


def _overlapping(
    begins: list[int], lags: Floats, long: Floats, length: int, inside: npt.NDArray[np.int64]
) -> list[int]:
    """Windows that lie wholly in the time that both recorded, if the agreeing ones are right."""
    if not len(inside):
        return list(begins)
    shift = float(np.median(lags[inside])) * ENVELOPE_HZ
    return [at for at in begins if 0 <= at + shift <= long.shape[1] - length]


def _fine_lags(long: Floats, short: Floats, begins: list[int], length: int, lags: Floats) -> Floats:
    """Lags to a fraction of a step, by a parabola through the best place and its neighbours."""
    reach = int(0.1 * ENVELOPE_HZ)
    found = []
    for at, lag in zip(begins, lags, strict=True):
        place = at + round(lag * ENVELOPE_HZ)
        low = max(place - reach, 0)
        part = long[:, low : place + reach + length]
        window = short[:, at : at + length]
        window = window - window.mean(axis=1, keepdims=True)
        alike = sum(
            signal.correlate(one, two, "valid") / (one.std() * two.std() + 1e-9)
            for one, two in zip(part, window, strict=True)
        )
        best = int(np.argmax(alike))
        shift = 0.0
        if 0 < best < len(alike) - 1:
            left, mid, right = alike[best - 1 : best + 2]
            bend = left - 2 * mid + right
            shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
        found.append((low + best + shift - at) / ENVELOPE_HZ)
    return np.array(found)


def _line(centres: Floats, lags: Floats) -> tuple[Clock, float]:
    """Offset and drift by least squares without outliers, and a half-width that covers the error."""
    middle = float(centres.mean())
    x = centres - middle
    weights = np.ones(len(x))
    offset, drift, spread = float(np.median(lags)), 0.0, 0.05
    covariance: Floats = np.zeros((2, 2))
    for _ in range(10):
        left = lags - offset - drift * x
        spread = max(1.4826 * float(np.median(np.abs(left - np.median(left)))), 0.002)
        weights = 1.0 / np.maximum(1.0, np.abs(left) / (2 * spread))
        design = np.stack([np.ones_like(x), x], axis=1)
        precision = (design * weights[:, None]).T @ design / spread**2
        precision[1, 1] += 1.0 / (PRIOR_DRIFT_PPM * 1e-6) ** 2
        covariance = np.asarray(np.linalg.inv(precision), np.float64)
        offset, drift = (covariance @ ((design * weights[:, None]).T @ lags / spread**2)).tolist()
    ends = np.array([[1.0, x.min()], [1.0, x.max()]])
    error = float(np.sqrt(np.einsum("ij,jk,ik->i", ends, covariance, ends)).max())
    # Half of the windows overlap their neighbours, so that errors are not independent.
    residual_s = float(_FLOOR_S + 2.0 * np.sqrt(2.0) * error)
    clock = Clock(offset - drift * middle, drift * 1e6)
    return clock, residual_s
