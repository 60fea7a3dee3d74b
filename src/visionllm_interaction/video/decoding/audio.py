"""Decode the sound of a video into 16-bit samples with time stamps, inside the sandboxed process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import av
from av.audio.resampler import AudioResampler

from visionllm_interaction.video.decoding.containers import AUDIO_SAMPLE_RATES, require_supported_audio_codec
from visionllm_interaction.video.decoding.demuxer import JOINABLE, ClockJump, ContinuousClock, peek_start
from visionllm_interaction.video.decoding.worker_messages import AudioChunk

_USUAL_RATE = 48_000
_OFF_S = 0.005
"""Time stamps that are off by less only waver: containers round them to a millisecond."""
_SAMPLES_AT_ONCE = 1 << 15


def decode_audio(container: Any, stream: Any, *, clock_jumps: list[ClockJump]) -> Iterator[AudioChunk]:
    """Decode an audio stream, resampled to 16 bits and at most two channels; damaged packets are skipped.

    Args:
        container: the open PyAV container.
        stream: its audio stream.
        clock_jumps: jumps of the video stream's clock. The same corrections are applied here, to keep both in sync.

    Yields:
        Chunks of samples; times are seconds since the container's start.

    Raises:
        VideoError: if the audio codec is not supported.
    """
    require_supported_audio_codec(stream.codec_context.name)
    clock = ContinuousClock(joinable=container.format.name in JOINABLE, known=clock_jumps)
    rate = stream.codec_context.sample_rate
    rate = rate if rate in AUDIO_SAMPLE_RATES else _USUAL_RATE
    channels = 1 if stream.codec_context.channels == 1 else 2
    resampler = AudioResampler(format="s16", layout="mono" if channels == 1 else "stereo", rate=rate)
    next_s: float | None = None
    start_s, packets = peek_start(container, container.demux(stream))
    for frame in _frames(packets):
        time_s = next_s if frame.time is None else clock.shift(frame.time - start_s)
        if next_s is None or (time_s is not None and abs(time_s - next_s) > _OFF_S):
            next_s = time_s or 0.0
        frame.pts = None
        for part in resampler.resample(frame):
            # The buffer may be longer than what it holds.
            data = bytes(part.planes[0])[: 2 * channels * part.samples]
            yield from _pieces(data, next_s, rate, channels)
            next_s += part.samples / rate


def _pieces(data: bytes, begin_s: float, rate: int, channels: int) -> Iterator[AudioChunk]:
    size = 2 * channels * _SAMPLES_AT_ONCE
    for at in range(0, len(data), size):
        yield AudioChunk(begin_s + at / (2 * channels * rate), rate, channels, data[at : at + size])


def _frames(packets: Iterator[Any]) -> Iterator[Any]:
    try:
        for packet in packets:
            try:
                yield from packet.decode()
            except (av.FFmpegError, ValueError):
                continue
    except av.FFmpegError:
        return
