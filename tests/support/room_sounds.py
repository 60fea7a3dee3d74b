"""Sound as two microphones in one room hear it: syllables of two voices, echo, noise, and clocks of their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import signal

Sound = npt.NDArray[np.float32]
RATE = 8000


@dataclass(frozen=True)
class Pair:
    """Two recordings; a time ``t`` of the second is ``offset_s + t * (1 + drift_ppm / 1e6)`` of the first."""

    first: Sound
    second: Sound
    offset_s: float
    drift_ppm: float


def scene(seconds: float, rng: np.random.Generator) -> Sound:
    """Speech-like sound: utterances of syllables, each a burst of noise through two formants."""
    n = int(seconds * RATE)
    sound = np.zeros(n, np.float32)
    at = rng.uniform(0, 2.0)
    while at < seconds - 2:
        voice = rng.uniform(0.7, 1.4)
        for _ in range(rng.integers(2, 12)):
            length = rng.uniform(0.08, 0.25)
            count = int(length * RATE)
            burst = rng.standard_normal(count) * np.hanning(count)
            for formant in (rng.uniform(300, 900) * voice, rng.uniform(1000, 2500) * voice):
                low, high = formant * 0.8, min(formant * 1.25, 3800)
                sections = signal.butter(1, (low, high), "bandpass", fs=RATE, output="sos")
                start = int(at * RATE)
                part = signal.sosfilt(sections, burst)[: max(n - start, 0)]
                sound[start : start + len(part)] += (rng.uniform(0.3, 1.0) * part).astype(np.float32)
            at += length + rng.uniform(0.0, 0.12)
        at += rng.exponential(1.5) + 0.2
    return sound


def heard(sound: Sound, rng: np.random.Generator, *, snr_db: float) -> Sound:
    """What a microphone hears: a delay of up to 3 m, the room's echo, its own noise."""
    echo_s = rng.uniform(0.25, 0.6)
    tail = rng.standard_normal(int(echo_s * RATE)) * np.exp(-6.9 * np.arange(int(echo_s * RATE)) / (echo_s * RATE))
    delay = int(rng.uniform(0, 0.009) * RATE)
    response = np.concatenate([np.zeros(delay), [1.0], rng.uniform(0.1, 0.35) * tail / np.abs(tail).max()])
    wet = signal.oaconvolve(sound, response)[: len(sound)]
    noise = signal.lfilter([1.0], [1.0, -0.9], rng.standard_normal(len(wet)))
    scale = wet.std() / noise.std() / 10 ** (snr_db / 20)
    return (0.1 * (wet + scale * noise) / wet.std()).astype(np.float32)


def pair(rng: np.random.Generator, *, seconds: float, offset_s: float, drift_ppm: float, snr_db: float = 8.0) -> Pair:
    """Two recordings of ``seconds`` each, the second begun ``offset_s`` after the first."""
    begin = min(0.0, offset_s)
    whole = scene(abs(offset_s) + seconds * 1.001 + 1, rng)
    recordings = []
    for start, drift in ((0.0, 0.0), (offset_s, drift_ppm)):
        at = int((start - begin) * RATE)
        own = np.arange(int(seconds * RATE)) * (1 + drift * 1e-6)
        part = whole[at : at + int(own[-1]) + 2]
        warped = np.interp(own + ((start - begin) * RATE - at), np.arange(len(part)), part).astype(np.float32)
        recordings.append(heard(warped, rng, snr_db=snr_db))
    return Pair(*recordings, offset_s, drift_ppm)
