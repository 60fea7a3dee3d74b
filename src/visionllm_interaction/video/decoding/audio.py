"""The sound of a video as plain samples, each with its time; read in the process that can open nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import av
from av.audio.resampler import AudioResampler

from visionllm_interaction.video.decoding.containers import SOUND_RATES, strange_sound
from visionllm_interaction.video.decoding.demuxer import JOINABLE, Joint, Seams, peek_start
from visionllm_interaction.video.decoding.protocol import Sound

_USUAL_RATE = 48_000
_OFF_S = 0.005
"""Time stamps that are off by less only waver: containers round them to a millisecond."""
_SAMPLES_AT_ONCE = 1 << 15


def read_sound(container: Any, stream: Any, *, joints: list[Joint]) -> Iterator[Sound]:
    """All of the sound, resampled to 16 bits and at most two channels; damaged packets are left out.

    Times are seconds since the container's start. Where the file's clock begins again it is put back by as much as the
    images' clock was (``joints``), so that both stay together.

    Raises:
        VideoError: if the sound is of a kind that is not read.
    """
    strange_sound(stream.codec_context.name)
    seams = Seams(joinable=container.format.name in JOINABLE, known=joints)
    rate = stream.codec_context.sample_rate
    rate = rate if rate in SOUND_RATES else _USUAL_RATE
    channels = 1 if stream.codec_context.channels == 1 else 2
    resampler = AudioResampler(format="s16", layout="mono" if channels == 1 else "stereo", rate=rate)
    next_s: float | None = None
    start_s, packets = peek_start(container, container.demux(stream))
    for frame in _frames(packets):
        time_s = next_s if frame.time is None else seams.shift(frame.time - start_s)
        if next_s is None or (time_s is not None and abs(time_s - next_s) > _OFF_S):
            next_s = time_s or 0.0
        frame.pts = None
        for part in resampler.resample(frame):
            # The buffer may be longer than what it holds.
            data = bytes(part.planes[0])[: 2 * channels * part.samples]
            yield from _pieces(data, next_s, rate, channels)
            next_s += part.samples / rate


def _pieces(data: bytes, begin_s: float, rate: int, channels: int) -> Iterator[Sound]:
    size = 2 * channels * _SAMPLES_AT_ONCE
    for at in range(0, len(data), size):
        yield Sound(begin_s + at / (2 * channels * rate), rate, channels, data[at : at + size])


def _frames(packets: Iterator[Any]) -> Iterator[Any]:
    try:
        for packet in packets:
            try:
                yield from packet.decode()
            except (av.FFmpegError, ValueError):
                continue
    except av.FFmpegError:
        return
