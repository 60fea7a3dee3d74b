"""Claps that both microphones recorded: sound that begins at once, is loud, and is over soon."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage, signal

from visionllm_interaction.interop.sync.moments import SyncMoment
from visionllm_interaction.interop.sync.sound_alignment import RATE_HZ

Floats = npt.NDArray[np.float64]

STEP_HZ = 1000
"""Steps of energy per second."""
_HIGH_PASS_HZ = 800
_RISE_DB = 15.0
"""A clap is louder by this than the tenth of a second before it."""
_RISE_S, _BEFORE_S = 0.005, 0.1
_FALL_DB = 8.0
"""A tenth of a second later it has fallen by this; a syllable has not."""
_FALL_FROM_S, _FALL_TO_S = 0.1, 0.16
_BELOW_LOUDEST_DB = 12.0
"""Of several, those count that are at most this much quieter than the loudest."""
_ABOVE_REST_DB = 3.0
"""It is louder by this than all but the loudest thousandth of the rest."""
_ALMOST_DB = 9.0
_ONE_CLAP_S = 0.25
_WITHIN_S = 0.003
MICROPHONES_APART_S = 0.02
"""Sound takes 3 ms for a metre, and a microphone may hear an echo louder than the clap."""
MOST = 12
"""Recordings with more of them than this hold no clap: something bangs all the time."""


def claps(sound: npt.NDArray[np.floating]) -> list[SyncMoment]:
    """The claps of a recording.

    Args:
        sound: samples (n,) at :data:`~visionllm_interaction.interop.sync.sound_alignment.RATE_HZ`.

    Returns:
        Their onsets by time; empty if there are more than :data:`MOST`.
    """
    level = _level_db(np.asarray(sound, np.float64))
    if len(level) < STEP_HZ:
        return []
    rise = int(_RISE_S * STEP_HZ)
    before = int(_BEFORE_S * STEP_HZ)
    now = ndimage.maximum_filter1d(level, rise, origin=-(rise // 2))
    quiet = _shifted(ndimage.maximum_filter1d(level, before), before // 2 + 1)
    is_clap = (now - quiet >= _RISE_DB) & (now - _after_db(level) >= _FALL_DB)
    places = np.flatnonzero(is_clap)
    if not len(places):
        return []
    apart = int(_ONE_CLAP_S * STEP_HZ)
    starts = places[np.concatenate([[True], np.diff(places) > apart])]
    peaks = np.array([now[at : at + 2 * rise].max() for at in starts])
    loud = peaks >= peaks.max() - _BELOW_LOUDEST_DB
    is_rest = np.ones(len(level), np.bool_)
    for at in starts[loud].tolist():
        is_rest[max(at - rise, 0) : at + 2 * apart] = False
    rest = level[is_rest]
    usual = float(np.percentile(rest, 99.9)) if len(rest) else -np.inf
    found = [_onset(level, int(at)) for at in starts[loud & (peaks >= usual + _ABOVE_REST_DB)]]
    return found if len(found) <= MOST else []


def _level_db(sound: Floats) -> Floats:
    """Level of the high tones per millisecond, in decibels of full scale."""
    sections = signal.butter(2, _HIGH_PASS_HZ, "highpass", fs=RATE_HZ, output="sos")
    power = signal.sosfilt(sections, sound) ** 2
    hop = RATE_HZ // STEP_HZ
    energy = power[: len(power) // hop * hop].reshape(-1, hop).mean(axis=1)
    return np.asarray(10 * np.log10(energy + 1e-9))


def _shifted(values: Floats, steps: int) -> Floats:
    """Each step's value is that of some steps before it."""
    return np.concatenate([np.full(steps, values[0]), values[:-steps]])


def _after_db(level: Floats) -> Floats:
    """The highest level of the time in which a clap has faded."""
    length = int((_FALL_TO_S - _FALL_FROM_S) * STEP_HZ)
    loudest = ndimage.maximum_filter1d(level, length)
    ahead = int((_FALL_FROM_S + _FALL_TO_S) / 2 * STEP_HZ)
    return np.concatenate([loudest[ahead:], np.full(ahead, level[-1])])


def _onset(level: Floats, at: int) -> SyncMoment:
    """The first step near another one that is almost as loud as the loudest there."""
    near = level[at : at + 2 * int(_RISE_S * STEP_HZ)]
    first = at + int(np.argmax(near >= near.max() - _ALMOST_DB))
    return SyncMoment(first / STEP_HZ, _WITHIN_S)
