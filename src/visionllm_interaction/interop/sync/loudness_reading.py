"""The sound of a recording, as loudness over time; videos are decoded in their sandbox, WAV files are read here."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from visionllm_interaction.errors import InputDataError
from visionllm_interaction.interop.sync.sound_alignment import RATE_HZ, Floats, loudness
from visionllm_interaction.utils.path_type import StrPath

_PIECE_S = 600
_MAX_S = 24 * 3600


def read_loudness(path: StrPath) -> Floats:
    """Loudness of a recording on its own clock.

    Args:
        path: a WAV file, or a video with sound.

    Returns:
        Shape (bands, steps); see :func:`.sound.loudness`.

    Raises:
        InputDataError: if it has no sound, or cannot be read.
    """
    return loudness(read_sound(path), RATE_HZ)


def read_sound(path: StrPath) -> npt.NDArray[np.float32]:
    """The sound of a recording on its own clock.

    Args:
        path: a WAV file, or a video with sound.

    Returns:
        Samples of one channel, shape (n,), at :data:`.sound.RATE_HZ`; silence where the file has no sound.

    Raises:
        InputDataError: if it has no sound, or cannot be read.
    """
    path = Path(path)
    parts: list[npt.NDArray[np.float32]] = []
    samples: list[npt.NDArray[np.float32]] = []
    count, rate = 0, RATE_HZ
    for rate, piece in _wav(path) if _is_wav(path) else _video(path):
        samples.append(piece)
        count += len(piece)
        if count >= _PIECE_S * rate:
            whole = np.concatenate(samples)
            parts.append(_resampled(whole, rate))
            samples, count = [], 0
    if samples:
        parts.append(_resampled(np.concatenate(samples), rate))
    if not parts:
        raise InputDataError("The recording has no sound.", expected="a sound track", found="none", where=str(path))
    sound = np.concatenate(parts)
    if len(sound) > _MAX_S * RATE_HZ:
        raise InputDataError("The recording is too long.", expected=f"at most {_MAX_S} s", where=str(path))
    return sound


def _resampled(sound: npt.NDArray[np.float32], rate: int) -> npt.NDArray[np.float32]:
    from scipy.signal import resample_poly

    divisor = int(np.gcd(rate, RATE_HZ))
    return np.asarray(resample_poly(sound, RATE_HZ // divisor, rate // divisor), np.float32)


def _is_wav(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            head = stream.read(12)
    except OSError as error:
        raise InputDataError(
            "The recording cannot be read.", found=error.strerror or str(error), where=str(path)
        ) from error
    return head[:4] == b"RIFF" and head[8:12] == b"WAVE"


def _wav(path: Path) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """Pieces of one channel, the mean of all."""
    try:
        with wave.open(str(path)) as file:
            rate, channels, width = file.getframerate(), file.getnchannels(), file.getsampwidth()
            if width not in (1, 2, 3, 4) or not 0 < rate <= 384_000 or not channels:
                raise wave.Error(f"{8 * width} bits at {rate} Hz")
            while data := file.readframes(rate * 10):
                yield rate, _as_float(data, width).reshape(-1, channels).mean(axis=1)
    except (wave.Error, EOFError, OSError) as error:
        raise InputDataError(
            "The recording cannot be read.",
            expected="a WAV file of whole numbers, or a video with sound",
            found=str(error) or "its end",
            where=str(path),
            fix="convert it: ffmpeg -i IN -c:a pcm_s16le OUT.wav",
        ) from error


def _as_float(data: bytes, width: int) -> npt.NDArray[np.float32]:
    if width == 3:
        bytes_ = np.frombuffer(data, np.uint8).reshape(-1, 3).astype(np.int32)
        whole = (bytes_[:, 0] << 8 | bytes_[:, 1] << 16 | bytes_[:, 2] << 24) >> 8
        return (whole / 2.0**23).astype(np.float32)
    if width == 1:
        return ((np.frombuffer(data, np.uint8).astype(np.float32) - 128) / 128).astype(np.float32)
    scale = 2.0 ** (8 * width - 1)
    return (np.frombuffer(data, f"<i{width}") / scale).astype(np.float32)


def _video(path: Path) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """Pieces of one channel at their times, silence where there is no sound."""
    # Imported here: it needs the video libraries.
    from visionllm_interaction.video.decoding.reader import read_audio

    written = 0
    for chunk in read_audio(path):
        samples = np.frombuffer(chunk.samples, np.int16).reshape(-1, chunk.channels).mean(axis=1) / 2.0**15
        late = round(chunk.begin_s * chunk.rate) - written
        if late > 0.005 * chunk.rate:
            yield chunk.rate, np.zeros(min(late, _MAX_S * chunk.rate), np.float32)
            written += late
        elif late < -0.005 * chunk.rate:
            samples = samples[-late:]
        if len(samples):
            yield chunk.rate, samples.astype(np.float32)
            written += len(samples)
