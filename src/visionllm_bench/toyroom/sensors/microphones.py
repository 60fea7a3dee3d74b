"""Sound of the play room: voices of buzz and breath through formants, a room's echo, and microphones with clocks."""

from __future__ import annotations

import wave
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from visionllm_bench.toyroom.sensors.speech import Utterance

Sound = NDArray[np.float32]
Floats = NDArray[np.float64]

_SPEED_OF_SOUND_M_S = 343.0
_ROOM_M = (5.2, 4.1, 2.5)
_PLACES_M: Mapping[str, tuple[float, float, float]] = {"child": (2.1, 1.6, 0.7), "caregiver": (3.0, 2.3, 1.3)}
_ELSEWHERE_M = (2.6, 2.0, 1.0)
_PITCH_HZ: Mapping[str, float] = {"child": 290.0, "caregiver": 205.0}
_SYLLABLE_S = 0.16
_IMAGE_ORDER = 2


@dataclass(frozen=True, slots=True)
class Microphone:
    """A microphone with a clock of its own.

    Attributes:
        place_m: where it is in the room: (x, y, height) in metres.
        offset_s: time of the video, in seconds, at which its clock shows 0.
        drift_ppm: by how many millionths its seconds are too long.
        snr_db: speech over its pink noise, in decibels.
        echo_s: time in which the room's echo falls by 60 dB.
    """

    place_m: tuple[float, float, float]
    offset_s: float
    drift_ppm: float
    snr_db: float
    echo_s: float


def random_microphone(
    rng: np.random.Generator, *, offset_s: float = 0.0, drift_ppm: float = 0.0, snr_db: float | None = None
) -> Microphone:
    """A microphone somewhere in the room, at least half a metre from its walls.

    Args:
        rng: random numbers.
        offset_s: time of the video at which its clock shows 0.
        drift_ppm: by how many millionths its seconds are too long.
        snr_db: speech over noise in decibels; None: 3 to 15.

    Returns:
        The microphone.
    """
    x, y, z = (float(rng.uniform(0.5, side - 0.5)) for side in _ROOM_M)
    noise = float(rng.uniform(3, 15)) if snr_db is None else snr_db
    return Microphone((x, y, z), offset_s, drift_ppm, noise, float(rng.uniform(0.25, 0.6)))


def voices(
    rng: np.random.Generator, utterances: Sequence[Utterance], *, begin_s: float, end_s: float, rate_hz: int
) -> dict[str, Sound]:
    """The dry sound of each speaker.

    Args:
        rng: random numbers.
        utterances: what is said.
        begin_s: time of the video at which the sound begins, in seconds.
        end_s: time at which it ends.
        rate_hz: samples per second.

    Returns:
        Speaker → samples (n,).
    """
    count = int((end_s - begin_s) * rate_hz)
    found = {utterance.speaker: np.zeros(count, np.float32) for utterance in utterances}
    for utterance in utterances:
        loudness = float(rng.uniform(0.5, 1.0))
        for word in utterance.words:
            for onset_s, length_s in _syllables(word.begin_s, word.end_s):
                at = int((onset_s - begin_s) * rate_hz)
                burst = loudness * _syllable(rng, utterance.speaker, length_s, rate_hz)
                part = found[utterance.speaker][at : at + len(burst)]
                part += burst[: len(part)]
    return found


def _syllables(begin_s: float, end_s: float) -> list[tuple[float, float]]:
    """Onset and length of the syllables of a word."""
    count = max(1, round((end_s - begin_s) / _SYLLABLE_S))
    length_s = (end_s - begin_s) / count
    return [(begin_s + n * length_s, length_s) for n in range(count)]


def _syllable(rng: np.random.Generator, speaker: str, length_s: float, rate_hz: int) -> Floats:
    """A vowel with a breathy onset: pulses of the vocal folds through three formants."""
    t = np.arange(max(int(length_s * rate_hz), 8)) / rate_hz
    pitch_hz = _PITCH_HZ.get(speaker, 240.0) * float(rng.uniform(0.85, 1.25))
    glide = 1 + float(rng.uniform(-0.25, 0.25)) * t / length_s
    buzz = signal.sawtooth(2 * np.pi * pitch_hz * np.cumsum(glide) / rate_hz)
    source = buzz + rng.uniform(0.3, 1.5) * rng.standard_normal(len(t)) * np.exp(-t / (0.2 * length_s))
    scale = 1.2 if speaker == "child" else 1.0
    voice = np.zeros(len(t))
    for low_hz, high_hz, level in ((300, 850, 1.0), (1000, 2400, 0.6), (2500, 3200, 0.25)):
        formant_hz = min(float(rng.uniform(low_hz, high_hz)) * scale, 0.45 * rate_hz)
        numerator, denominator = signal.iirpeak(formant_hz, 6.0, fs=rate_hz)
        voice += level * float(rng.uniform(0.5, 1.0)) * signal.lfilter(numerator, denominator, source)
    attack_s = float(rng.uniform(0.008, 0.04))
    envelope = np.minimum(t / attack_s, 1.0) * np.minimum((length_s - t) / (0.4 * length_s), 1.0).clip(0.0)
    return np.asarray(voice * envelope)


def room_response(
    rng: np.random.Generator, source_m: Sequence[float], microphone: Microphone, *, rate_hz: int
) -> Floats:
    """How an impulse at a place of the room arrives at a microphone.

    Images of the source behind the walls up to the second order, and after them noise that fades exponentially.

    Args:
        rng: random numbers.
        source_m: place of the source in metres.
        microphone: the microphone.
        rate_hz: samples per second.

    Returns:
        Shape (n,); it begins when the source sounds, so that the way through the air is in it.
    """
    response = np.zeros(int((microphone.echo_s + 0.05) * rate_hz) + 1)
    reflection = 0.7
    per_axis = [_images(source, side) for source, side in zip(source_m, _ROOM_M, strict=True)]
    for x, n_x in per_axis[0]:
        for y, n_y in per_axis[1]:
            for z, n_z in per_axis[2]:
                order = n_x + n_y + n_z
                if order > _IMAGE_ORDER:
                    continue
                distance_m = max(float(np.linalg.norm(np.subtract((x, y, z), microphone.place_m))), 0.2)
                at = round(distance_m / _SPEED_OF_SOUND_M_S * rate_hz)
                if at < len(response):
                    response[at] += reflection**order / distance_m
    first = int(np.flatnonzero(response)[0])
    late = np.arange(len(response) - first) / rate_hz
    tail = rng.standard_normal(len(late)) * np.exp(-6.9 * late / microphone.echo_s) * (late > 0.012)
    response[first:] += 0.08 * response[first] * tail
    return response


def _images(source_m: float, side_m: float) -> list[tuple[float, int]]:
    """Places of a source and of its images between two walls, and how often each has been reflected."""
    return [
        (source_m, 0),
        (-source_m, 1),
        (2 * side_m - source_m, 1),
        (source_m - 2 * side_m, 2),
        (source_m + 2 * side_m, 2),
    ]


def record(
    rng: np.random.Generator,
    dry: Mapping[str, Sound],
    microphone: Microphone,
    *,
    begin_s: float,
    duration_s: float,
    rate_hz: int,
) -> Sound:
    """What a microphone records.

    Args:
        rng: random numbers.
        dry: sound of each speaker, from :func:`voices`.
        microphone: the microphone.
        begin_s: time of the video at which the dry sound begins, in seconds.
        duration_s: seconds of its own clock that it records.
        rate_hz: samples per second.

    Returns:
        Samples (n,) within ±1; silent where there is no dry sound.
    """
    heard = np.zeros(len(next(iter(dry.values()))))
    for speaker, sound in dry.items():
        response = room_response(rng, _PLACES_M.get(speaker, _ELSEWHERE_M), microphone, rate_hz=rate_hz)
        heard += signal.oaconvolve(sound, response)[: len(heard)]
    own = np.arange(int(duration_s * rate_hz))
    places = (microphone.offset_s - begin_s) * rate_hz + own * (1 + microphone.drift_ppm * 1e-6)
    wet = np.interp(places, np.arange(len(heard)), heard, left=0.0, right=0.0)
    noise = pink_noise(rng, len(wet))
    level = float(wet.std()) or 1.0
    mixed = wet / level + noise * 10 ** (-microphone.snr_db / 20)
    return np.asarray(np.clip(0.1 * mixed, -1.0, 1.0), np.float32)


def pink_noise(rng: np.random.Generator, count: int) -> Floats:
    """Noise whose power falls with frequency, with a standard deviation of 1.

    Args:
        rng: random numbers.
        count: how many samples.

    Returns:
        Shape (count,).
    """
    # Kellet's filter: within half a decibel of 1/f over the audible range.
    numerator = [0.049922035, -0.095993537, 0.050612699, -0.004408786]
    denominator = [1.0, -2.494956002, 2.017265875, -0.522189400]
    noise = signal.lfilter(numerator, denominator, rng.standard_normal(count))
    return np.asarray(noise / max(float(noise.std()), 1e-12))


def write_wav(path: Path, sound: Sound, *, rate_hz: int) -> None:
    """Write a WAV file of one channel and 16 bits.

    Args:
        path: the file.
        sound: samples (n,) within ±1.
        rate_hz: samples per second.
    """
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(as_pcm(sound).tobytes())


def as_pcm(sound: Sound) -> NDArray[np.int16]:
    """Samples within ±1 as 16-bit numbers."""
    return np.asarray(np.rint(sound * 32767.0), "<i2")
