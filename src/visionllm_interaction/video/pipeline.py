"""One video: decode → detect → link → settle.

The first three run at once, each a bounded number of frames ahead of the next, so that the slowest of them, the
detector, sets the pace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.frames import OK, PASSED_OVER, Frame, FrameTable
from visionllm_interaction.core.tables import DetectionTable
from visionllm_interaction.video.ahead import read_ahead
from visionllm_interaction.video.config import DetectConfig, VideoConfig
from visionllm_interaction.video.container import VideoInfo
from visionllm_interaction.video.decode import VideoReader
from visionllm_interaction.video.given import load_detections, load_truth
from visionllm_interaction.video.messages import Picture
from visionllm_interaction.video.motion import CameraFollower, CameraPath, move_boxes
from visionllm_interaction.video.rows import FrameDetections, RowLog
from visionllm_interaction.video.track import settle, track

if TYPE_CHECKING:
    from visionllm_interaction.models.detector import Detector

_MISSING_S = 0.5
_MISSING_SHARE = 0.02

Progress = Callable[[int, int | None], None]
"""Called with frames read and frames expected (``None`` if the file does not say)."""


@dataclass(frozen=True, eq=False)
class TrackedVideo:
    """A video's header, all its frames, its detections with track ids, and the names that were looked for."""

    info: VideoInfo
    frames: FrameTable
    detections: DetectionTable
    categories: tuple[str, ...]

    def notes(self) -> tuple[str, ...]:
        """What is wrong with the file, in words: frames that were not read, a tail that is missing; mostly empty."""
        found = []
        bad = [note for note in self.frames.quality if note != OK and note not in PASSED_OVER]
        if bad:
            found.append(f"{len(bad)} of {len(self.frames)} frames could not be used, the first one: {bad[0]}")
        read_s, declared_s = float(self.frames.duration_s.sum()), self.info.declared_duration_s
        if declared_s is not None and declared_s - read_s > max(_MISSING_S, _MISSING_SHARE * declared_s):
            found.append(f"the file ends early: its header says {declared_s:.1f} s, frames reach {read_s:.1f} s")
        return tuple(found)


def _ignore(_done: int, _total: int | None) -> None:
    return


def follow_with_detector(
    path: Path,
    detector: Detector,
    *,
    config: VideoConfig = VideoConfig(),
    moving: bool = False,
    progress: Progress = _ignore,
) -> TrackedVideo:
    """Detect in every frame to look at, and track; with a ``moving`` camera its motion is taken out first.

    Raises:
        VideoError: if the video cannot be read.
    """
    # Imported here because the tracking package takes seconds to load and true tracks need none of it.
    from visionllm_interaction.video.tracklets import Linker

    reader = VideoReader(path, config=config.decode)
    total = reader.info.declared_frames or None
    log = RowLog(detector.categories)
    linker = Linker(config.track, fps=config.decode.sample_fps or reader.info.fps)
    path_log = _PathLog()
    watched = read_ahead(_watch(reader, moving=moving), depth=config.decode.ahead)
    for found in read_ahead(_detect(watched, detector, config.detect), depth=2 * config.detect.batch_size):
        boxes = path_log.add(found)
        names, confidences = log.names(found.detections), found.detections.confidences
        linker.repeat(found.unchanged_s)
        log.add(found, linker.add(found.timestamp_s, names, confidences, boxes))
        progress(found.frame_index + 1, total)
    frames = reader.frame_table()
    progress(len(frames), len(frames))
    rows, ids = log.table(frames)
    size_px = (reader.info.width, reader.info.height)
    tracked = settle(rows, ids, frames, config=config.track, camera=path_log.path(), size_px=size_px)
    return TrackedVideo(reader.info, frames, tracked, detector.categories.names)


def _watch(reader: VideoReader, *, moving: bool) -> Iterator[tuple[Frame, NDArray[np.float64] | None]]:
    """Frames, each with the camera's motion since the first one if it moves."""
    follower = CameraFollower(reader.info.width) if moving else None
    for frame in reader:
        yield frame, follower.watch(frame.image_rgb) if follower else None


def _detect(
    watched: Iterable[tuple[Frame, NDArray[np.float64] | None]], detector: Detector, config: DetectConfig
) -> Iterator[FrameDetections]:
    source = iter(watched)
    while batch := list(islice(source, config.batch_size)):
        images = [frame.image_rgb for frame, _ in batch]
        found = detector.detect(images, min_confidence=config.min_confidence)
        for (frame, to_first), detections in zip(batch, found, strict=True):
            yield FrameDetections(frame.frame_index, frame.timestamp_s, detections, frame.unchanged_s, to_first)


class _PathLog:
    """Gathers the camera's path, if there is one."""

    def __init__(self) -> None:
        self._index: list[int] = []
        self._to_first: list[NDArray[np.float64]] = []

    def add(self, found: FrameDetections) -> NDArray[np.float32]:
        """Note the camera's place in this frame; its boxes as a camera at rest would have seen them."""
        boxes = found.detections.boxes_xyxy
        if found.to_first is None:
            return boxes
        self._index.append(found.frame_index)
        self._to_first.append(found.to_first)
        return move_boxes(boxes, np.repeat(found.to_first[None], len(boxes), axis=0))

    def path(self) -> CameraPath | None:
        """The path, or ``None`` of a camera at rest."""
        return CameraPath(np.array(self._index), np.stack(self._to_first)) if self._index else None


def follow_from_file(
    path: Path,
    detections: Path,
    *,
    config: VideoConfig = VideoConfig(),
    moving: bool = False,
    progress: Progress = _ignore,
) -> TrackedVideo:
    """Track detections from a file (see :func:`given.load_detections`).

    The video is read for its times, and in grey if the camera is ``moving``.

    Raises:
        VideoError: if the video cannot be read.
        InputDataError: if the detections cannot be used.
    """
    reader = VideoReader(path, config=config.decode)
    camera = None
    if moving:
        camera = _follow_camera(reader, progress)
    else:
        _read_times(reader, progress)
    frames = reader.frame_table()
    table, categories = load_detections(detections, frames)
    size_px = (reader.info.width, reader.info.height)
    tracked = track(table, frames, config=config.track, camera=camera, size_px=size_px)
    return TrackedVideo(reader.info, frames, tracked, categories)


def _follow_camera(reader: VideoReader, progress: Progress) -> CameraPath:
    follower = CameraFollower(reader.info.width)
    index, to_first = [], []
    grey: Picture = "grey"
    for frame in read_ahead(reader.frames(grey), depth=8):
        index.append(frame.frame_index)
        to_first.append(follower.watch(frame.image_rgb))
        progress(frame.frame_index + 1, reader.info.declared_frames or None)
    return CameraPath(np.array(index), np.stack(to_first))


def follow_truth(
    path: Path, truth: Path, *, config: VideoConfig = VideoConfig(), progress: Progress = _ignore
) -> TrackedVideo:
    """Tracks from ToyRoom's ``truth.json``; the video is read for its times.

    Raises:
        VideoError: if the video cannot be read.
        InputDataError: if the truth cannot be used.
    """
    info, frames = read_times(path, config=config, progress=progress)
    table = load_truth(truth, frames, min_visible=config.detect.truth_min_visible)
    return TrackedVideo(info, frames, table, tuple(sorted(set(table.category.tolist()))))


def read_times(
    path: Path, *, config: VideoConfig = VideoConfig(), progress: Progress = _ignore
) -> tuple[VideoInfo, FrameTable]:
    """Header and frame table of a video; every frame is decoded, none turned into a picture.

    Raises:
        VideoError: if the video cannot be read.
    """
    reader = VideoReader(path, config=config.decode)
    _read_times(reader, progress)
    return reader.info, reader.frame_table()


def _read_times(reader: VideoReader, progress: Progress) -> None:
    for index in reader.scan():
        progress(index + 1, reader.info.declared_frames or None)
