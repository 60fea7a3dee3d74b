"""The sound track of a copy: samples placed at their times, silence where there are none."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import chain
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.video.decoding.worker_messages import AudioChunk

_BITS_PER_S = 128_000
_LATE_S = 0.005
"""Sound that begins later than what went before it ends by more follows after silence, earlier sound is cut."""
_SPREAD = 3072
"""Samples by which silence is begun earlier and ended later than listed: AAC transforms 2048 samples at a time, so
that sound spreads that far, and it looks ahead by half of that."""


class AudioTrackWriter:
    """Writes ``sound`` into ``container`` as AAC; to be made before the container's first packet is written.

    The track begins at 0 s, with silence if the sound begins later: not every player heeds a late beginning.

    Args:
        container: the open container.
        sound: the samples.
        silent: intervals (begin, end) in seconds in which the copy is to be silent.
    """

    def __init__(
        self, container: Any, sound: Iterator[AudioChunk], *, silent: Sequence[tuple[float, float]] = ()
    ) -> None:
        first = next(sound)
        self._container, self._sound = container, chain([first], sound)
        self._rate, self._channels = first.rate, first.channels
        self._layout = "mono" if first.channels == 1 else "stereo"
        self._stream = container.add_stream("aac", rate=first.rate, layout=self._layout)
        self._stream.bit_rate = _BITS_PER_S
        self._silent = [
            (math.floor(begin * first.rate) - _SPREAD, math.ceil(end * first.rate) + _SPREAD) for begin, end in silent
        ]
        self._written = 0
        self._next: AudioChunk | None = next(self._sound, None)

    def write(self, *, until_s: float) -> None:
        """Write what begins up to ``until_s``."""
        while self._next is not None and self._next.begin_s <= until_s:
            self._place(self._next)
            self._next = next(self._sound, None)

    def end(self) -> None:
        """Write the rest."""
        self.write(until_s=float("inf"))
        self._container.mux(self._stream.encode(None))

    def _place(self, sound: AudioChunk) -> None:
        samples = np.frombuffer(sound.samples, np.int16).reshape(-1, self._channels)
        late = round(sound.begin_s * self._rate) - self._written
        if late > _LATE_S * self._rate:
            for count in _pieces(late, self._rate):
                self._encode(np.zeros((count, self._channels), np.int16))
        elif late < -_LATE_S * self._rate:
            samples = samples[-late:]
        if len(samples):
            self._encode(samples)

    def _encode(self, samples: NDArray[np.int16]) -> None:
        samples = self._muted(samples)
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout=self._layout)
        frame.sample_rate, frame.time_base, frame.pts = self._rate, Fraction(1, self._rate), self._written
        self._written += len(samples)
        self._container.mux(self._stream.encode(frame))

    def _muted(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """The samples (n, channels) with zeros where the copy is to be silent."""
        at, after = self._written, self._written + len(samples)
        spans = [
            (max(begin, at) - at, min(end, after) - at) for begin, end in self._silent if begin < after and end > at
        ]
        if spans:
            samples = samples.copy()
        for begin, end in spans:
            samples[begin:end] = 0
        return samples


def _pieces(count: int, size: int) -> Iterator[int]:
    """``count`` in parts of at most ``size``."""
    while count > 0:
        yield min(count, size)
        count -= size
