"""Sound, gaze and IMU beside a video: what is made and written, each in a file of its own with its truth."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from visionllm_bench.toyroom.coco_images import generator
from visionllm_bench.toyroom.config import ToyRoomConfig
from visionllm_bench.toyroom.ground_truth import Sighting
from visionllm_bench.toyroom.render.frames import Film
from visionllm_bench.toyroom.render.head_camera import EgoCamera
from visionllm_bench.toyroom.sensors.gaze import gaze_truth, random_gaze, track, write_tracker
from visionllm_bench.toyroom.sensors.imu import imu_samples, write_imu
from visionllm_bench.toyroom.sensors.microphones import Sound, as_pcm, random_microphone, record, voices, write_wav
from visionllm_bench.toyroom.sensors.speech import random_speech, transcript

RATE_HZ = 16_000
SPEAKERS = ("child", "caregiver")
_SOUND, _GAZE = 3, 4
"""Random numbers of their own: images and truth.json are the same with and without sensors."""
_OFFSET_S, _DRIFT_PPM = 5.0, 80.0
_BEFORE_S = 6.0
_AUDIO_FRAME = 1024


@dataclass(frozen=True, eq=False, slots=True)
class RoomSound:
    """The sound of a video.

    Attributes:
        first: what the camera's microphone records, on the video's clock.
        second: what another recorder records, on its own clock.
        truth: the contents of ``sound.json``.
        words: the contents of ``transcript.json``.
    """

    first: Sound
    second: Sound
    truth: dict[str, Any]
    words: dict[str, Any]


def make_sound(film: Film, *, name: str, seed: int, index: int, duration_s: float) -> RoomSound:
    """Speech in the room, and two microphones that record it.

    Args:
        film: the video, whose objects are named.
        name: the video's name.
        seed: seed of the play room.
        index: number of the video.
        duration_s: its length.

    Returns:
        Both recordings and their truth.
    """
    rng = generator(seed, _SOUND, index)
    begin_s, end_s = -_BEFORE_S, duration_s + _BEFORE_S
    spoken = random_speech(
        rng,
        speakers=SPEAKERS,
        categories=sorted({member.category for member in film.script.members} - set(SPEAKERS)),
        begin_s=begin_s,
        end_s=end_s,
        whole_at_s=(0.0, duration_s),
    )
    dry = voices(rng, spoken, begin_s=begin_s, end_s=end_s, rate_hz=RATE_HZ)
    offset_s = round(float(rng.uniform(-_OFFSET_S, _OFFSET_S)), 4)
    drift_ppm = round(float(rng.uniform(-_DRIFT_PPM, _DRIFT_PPM)), 2)
    microphones = (random_microphone(rng), random_microphone(rng, offset_s=offset_s, drift_ppm=drift_ppm))
    first, second = (
        record(rng, dry, microphone, begin_s=begin_s, duration_s=duration_s, rate_hz=RATE_HZ)
        for microphone in microphones
    )
    files = (f"{name}.mp4", "recorder.wav")
    truth = {
        "schema_version": 1,
        "rate_hz": RATE_HZ,
        "microphones": [{"file": file, **asdict(one)} for file, one in zip(files, microphones, strict=True)],
    }
    inside = [one for one in spoken if one.begin_s >= 0 and one.end_s <= duration_s]
    return RoomSound(first, second, truth, transcript(inside))


def write_sound(place: Path, sound: RoomSound) -> dict[str, Path]:
    """Write the second recording, the transcript and the truth of the clocks; the first is in the video.

    Args:
        place: the video's folder.
        sound: the sound.

    Returns:
        What each file is → the file.
    """
    files = {"recorder": place / "recorder.wav", "sound": place / "sound.json", "transcript": place / "transcript.json"}
    write_wav(files["recorder"], sound.second, rate_hz=RATE_HZ)
    _write_json(files["sound"], sound.truth)
    _write_json(files["transcript"], sound.words)
    return files


class Soundtrack:
    """The sound of a video while it is written.

    Args:
        container: the open container, before its first packet.
        sound: samples of one channel.
    """

    def __init__(self, container: Any, sound: Sound) -> None:
        self._container = container
        self._stream = container.add_stream("aac", rate=RATE_HZ, layout="mono")
        self._stream.bit_rate = 96_000
        self._samples = as_pcm(sound)
        self._at = 0

    def write_to(self, time_s: float) -> None:
        """Write the sound up to a time in seconds, and what belongs to its last frame."""
        while self._at < min(time_s * RATE_HZ, len(self._samples)):
            part = self._samples[self._at : self._at + _AUDIO_FRAME]
            frame = av.AudioFrame.from_ndarray(part[None], format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, self._at, Fraction(1, RATE_HZ)
            self._container.mux(self._stream.encode(frame))
            self._at += len(part)

    def finish(self) -> None:
        """Write the rest."""
        self.write_to(len(self._samples) / RATE_HZ)
        self._container.mux(self._stream.encode(None))


def write_gaze(
    place: Path,
    film: Film,
    frames: Sequence[Sequence[Sighting]],
    edges_s: NDArray[np.float64],
    *,
    seed: int,
    index: int,
    config: ToyRoomConfig,
) -> dict[str, Path]:
    """Write where the child and the caregiver look, and what an eye tracker of each records.

    Args:
        place: the video's folder.
        film: the video.
        frames: what is seen in each frame.
        edges_s: (n + 1,) begins of the frames, and the end of the last one.
        seed: seed of the play room.
        index: number of the video.
        config: noise and losses of the trackers.

    Returns:
        What each file or folder is → the file or folder.
    """
    rng = generator(seed, _GAZE, index)
    size = (config.video_width, config.video_height)
    gazes = random_gaze(rng, _people(film), frames, edges_s, size=size)
    files = {"gaze": place / "gaze.json"}
    _write_json(files["gaze"], gaze_truth(gazes, edges_s, size=size))
    for gaze in gazes:
        tracked = track(rng, gaze, edges_s, noise_deg=config.gaze_noise_deg, loss=config.gaze_loss, size=size)
        files[f"tracker_{gaze.who}"] = place / f"tracker_{gaze.who}"
        write_tracker(files[f"tracker_{gaze.who}"], tracked, edges_s)
    return files


def _people(film: Film) -> list[tuple[str, int | None]]:
    """The child (who wears the camera in the head camera's view) and the caregiver, with their tracks."""
    tracks = {member.category: member.number for member in reversed(film.script.members) if member.is_person}
    child = None if isinstance(film.camera, EgoCamera) else tracks.get("child")
    people: list[tuple[str, int | None]] = [("child", child)]
    if "caregiver" in tracks:
        people.append(("caregiver", tracks["caregiver"]))
    return people


def write_head_imu(place: Path, film: Film, *, duration_s: float) -> Mapping[str, Path]:
    """Write what the inertial sensor of the head camera measures.

    Args:
        place: the video's folder.
        film: a video of the head camera.
        duration_s: its length.

    Returns:
        ``imu`` → the file.

    Raises:
        TypeError: if the camera is on no head.
    """
    if not isinstance(film.camera, EgoCamera):
        raise TypeError("the room's camera does not move")
    samples = imu_samples(film.camera, canvas_height=film.script.room.height, duration_s=duration_s)
    write_imu(place / "imu.csv", samples)
    return {"imu": place / "imu.csv"}


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
