"""One video: decode → detect → link → settle.

The first three run at once, each a bounded number of frames ahead of the next, so that the slowest of them, the
detector, sets the pace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frames import OK, PASSED_OVER, Frame, FrameTable
from visionllm_interaction.utils.paths import StrPath
from visionllm_interaction.video.config import TrackConfig, VideoConfig
from visionllm_interaction.video.decoding.containers import VideoInfo
from visionllm_interaction.video.decoding.demuxer import JOINABLE, NO_TIME
from visionllm_interaction.video.decoding.frame_sampling import IntervalSampler
from visionllm_interaction.video.decoding.prefetch import read_ahead
from visionllm_interaction.video.decoding.protocol import Picture
from visionllm_interaction.video.decoding.reader import Ending, VideoReader
from visionllm_interaction.video.tracking.appearance import LookLog, describe
from visionllm_interaction.video.tracking.buffers import FrameDetections, RowLog
from visionllm_interaction.video.tracking.camera_motion import CameraFollower, CameraPath, move_boxes
from visionllm_interaction.video.tracking.detections_file import load_truth, read_detections, truth_categories
from visionllm_interaction.video.tracking.postprocess import settle, track

if TYPE_CHECKING:
    from visionllm_interaction.detection.runtimes.base import Detector

_MISSING_S = 0.5
_MISSING_SHARE = 0.02
_LISTED = 10

Progress = Callable[[int, int | None], None]
"""Called with frames read and frames expected (``None`` if the file does not say)."""


@dataclass(frozen=True, eq=False)
class TrackedVideo:
    """A video's header, all its frames, its detections with track ids, and the names that were looked for."""

    info: VideoInfo
    frames: FrameTable
    detections: DetectionTable
    categories: tuple[str, ...]
    ending: Ending | None = None

    def notes(self) -> tuple[str, ...]:
        """What is odd about the file, in words: frames that were not read, gaps, a missing tail; mostly empty."""
        return tuple(_notes(self.info, self.frames, self.ending))


def _notes(info: VideoInfo, frames: FrameTable, ending: Ending | None) -> Iterator[str]:
    if len(info.streams) > 1:
        yield f"the file holds {len(info.streams)} video streams: {', '.join(info.streams)}; {info.stream} was analysed"
    bad = [n for n, note in enumerate(frames.quality) if note != OK and note not in PASSED_OVER]
    untimed = [n for n in bad if frames.quality[n] == NO_TIME]
    if bad:
        yield f"{len(bad)} of {len(frames)} frames could not be used, the first one: {frames.quality[bad[0]]}"
    if untimed:
        yield f"{_count(len(untimed), 'frame')} without a time stamp: {_listed(untimed)}"
    yield from _gap_notes(frames)
    ending = ending or Ending(reached_s=0.0)
    for at_s, by_s in ending.joints[:_LISTED]:
        yield f"the clock jumps by {by_s:+.1f} s at {at_s:.1f} s (parts joined?); times go on from there"
    if ending.resized:
        size = f"{info.width} x {info.height}"
        yield f"{_count(ending.resized, 'image')} of another size than the first, fitted to {size}"
    reached_s, declared_s = max(ending.reached_s, frames.end_s), info.declared_duration_s
    if declared_s is None or info.container in JOINABLE:  # of those the length is only estimated
        return
    if declared_s - reached_s > max(_MISSING_S, _MISSING_SHARE * declared_s):
        yield f"the file ends early: its header says {declared_s:.1f} s, its contents reach {reached_s:.1f} s"


def _gap_notes(frames: FrameTable) -> Iterator[str]:
    lost = frames.gaps()
    if lost:
        listed = ", ".join(f"{begin_s:.1f}-{end_s:.1f} s" for begin_s, end_s in lost[:_LISTED])
        more = f" and {len(lost) - _LISTED} more" if len(lost) > _LISTED else ""
        yield f"{_count(len(lost), 'gap')} in the time stamps, not processed: {listed}{more}"


def _listed(numbers: list[int]) -> str:
    """At most ten of ``numbers``, in words."""
    more = f" and {len(numbers) - _LISTED} more" if len(numbers) > _LISTED else ""
    return ", ".join(map(str, numbers[:_LISTED])) + more


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _ignore(_done: int, _total: int | None) -> None:
    return


def follow_with_detector(
    path: StrPath,
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
    path = Path(path)
    # Imported here because the tracking package takes seconds to load and true tracks need none of it.
    from visionllm_interaction.video.tracking.bytetrack import Linker

    reader = VideoReader(path, config=config.decode)
    total = reader.info.declared_frames or None
    log = RowLog(detector.categories)
    linker = Linker(config.track, fps=config.decode.sample_fps or reader.info.header_fps)
    path_log = _PathLog()
    # Closed in any case, the detector first: when it raises, the decoder and its thread end now, not some time later.
    with (
        closing(read_ahead(_watch(reader, moving=moving), depth=config.decode.ahead)) as watched,
        closing(read_ahead(_detect(watched, detector, config), depth=2 * config.detect.batch_size)) as detected,
    ):
        for found in detected:
            boxes = path_log.add(found)
            names, confidences = log.names(found.detections), found.detections.confidences
            linker.repeat(found.unchanged_s)
            log.add(found, linker.add(found.timestamp_s, names, confidences, boxes))
            progress(found.frame_index + 1, total)
    frames = reader.frame_table()
    progress(len(frames), len(frames))
    rows, ids = log.table(frames)
    size_px = (reader.info.width, reader.info.height)
    looks = log.looks() if config.track.appearance else None
    tracked = settle(rows, ids, frames, config=config.track, camera=path_log.path(), size_px=size_px, looks=looks)
    return TrackedVideo(reader.info, frames, tracked, detector.categories.names, reader.ending)


def _watch(
    reader: VideoReader, *, moving: bool, picture: Picture = "rgb"
) -> Iterator[tuple[Frame, NDArray[np.float64] | None]]:
    """Frames, each with the camera's motion since the first one if it moves."""
    follower = CameraFollower(reader.info.width) if moving else None
    for frame in reader.frames(picture):
        yield frame, follower.watch(frame.image_rgb) if follower else None


def _detect(
    watched: Iterable[tuple[Frame, NDArray[np.float64] | None]], detector: Detector, config: VideoConfig
) -> Iterator[FrameDetections]:
    source, describer = iter(watched), _Describer(config.track)
    while batch := list(islice(source, config.detect.batch_size)):
        images = [frame.image_rgb for frame, _ in batch]
        found = detector.detect(images, min_confidence=config.detect.min_confidence)
        for (frame, to_first), detections in zip(batch, found, strict=True):
            looks = describer.looks(frame, detections.boxes_xyxy)
            yield FrameDetections(frame.frame_index, frame.timestamp_s, detections, frame.unchanged_s, to_first, looks)


class _Describer:
    """Looks of the things in some of the frames, as the settings ask for."""

    def __init__(self, config: TrackConfig) -> None:
        self._sampler = IntervalSampler(1.0 / config.appearance_step_s) if config.appearance else None

    def looks(self, frame: Frame, boxes_xyxy: NDArray[np.float32]) -> NDArray[np.uint8] | None:
        """(n, LOOK_BYTES), or ``None`` for a frame that is not described."""
        if self._sampler is None or not self._sampler.wants(frame.timestamp_s):
            return None
        return describe(frame.image_rgb, boxes_xyxy)


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
        self.note(found.frame_index, found.to_first)
        return move_boxes(boxes, np.repeat(found.to_first[None], len(boxes), axis=0))

    def note(self, frame_index: int, to_first: NDArray[np.float64] | None) -> None:
        """Note the camera's place in a frame, if it moves."""
        if to_first is not None:
            self._index.append(frame_index)
            self._to_first.append(to_first)

    def path(self) -> CameraPath | None:
        """The path, or ``None`` of a camera at rest."""
        return CameraPath(np.array(self._index), np.stack(self._to_first)) if self._index else None


def follow_from_file(
    path: StrPath,
    detections: StrPath,
    *,
    config: VideoConfig = VideoConfig(),
    moving: bool = False,
    progress: Progress = _ignore,
) -> TrackedVideo:
    """Track detections from a file (see :func:`given.read_detections`).

    The video is read for its times, for what things look like, and for the camera's motion if it is ``moving``.

    Raises:
        VideoError: if the video cannot be read.
        InputDataError: if the detections cannot be used.
    """
    path = Path(path)
    reader = VideoReader(path, config=config.decode)
    given = read_detections(detections, scale=reader.info.stored_to_square)
    path_log, described = _PathLog(), list[tuple[int, NDArray[np.uint8]]]()
    describer, total = _Describer(config.track), reader.info.declared_frames or None
    if moving or config.track.appearance:
        for frame, to_first in _glances(reader, config.track, moving=moving):
            path_log.note(frame.frame_index, to_first)
            looks = describer.looks(frame, given.boxes(frame.frame_index))
            if looks is not None:
                described.append((frame.frame_index, looks))
            progress(frame.frame_index + 1, total)
    else:
        _read_times(reader, progress)
    frames = reader.frame_table()
    progress(len(frames), len(frames))
    table, size_px, log = given.table(frames), (reader.info.width, reader.info.height), LookLog()
    for index, looks in described:
        log.add(int(np.searchsorted(table.frame_index, index)), looks)
    known = log.looks(len(table)) if config.track.appearance else None
    tracked = track(table, frames, config=config.track, camera=path_log.path(), size_px=size_px, looks=known)
    return TrackedVideo(reader.info, frames, tracked, given.names, reader.ending)


def _glances(
    reader: VideoReader, config: TrackConfig, *, moving: bool
) -> Iterator[tuple[Frame, NDArray[np.float64] | None]]:
    """What is looked at where no detector is to see it: all frames of a moving camera, else those to describe."""
    if moving:
        return _watch(reader, moving=True, picture="rgb" if config.appearance else "grey")
    return ((frame, None) for frame in reader.frames("rgb", per_s=1.0 / config.appearance_step_s))


def follow_truth(
    path: StrPath, truth: StrPath, *, config: VideoConfig = VideoConfig(), progress: Progress = _ignore
) -> TrackedVideo:
    """Tracks from ToyRoom's ``truth.json``; the video is read for its times.

    Raises:
        VideoError: if the video cannot be read.
        InputDataError: if the truth cannot be used.
    """
    reader = VideoReader(Path(path), config=config.decode)
    _read_times(reader, progress)
    frames, scale = reader.frame_table(), reader.info.stored_to_square
    table = load_truth(truth, frames, min_visible=config.detect.truth_min_visible, scale=scale)
    return TrackedVideo(reader.info, frames, table, truth_categories(Path(truth)), reader.ending)


def read_times(
    path: StrPath, *, config: VideoConfig = VideoConfig(), progress: Progress = _ignore
) -> tuple[VideoInfo, FrameTable]:
    """Header and frame table of a video; every frame is decoded, none turned into an image.

    Raises:
        VideoError: if the video cannot be read.
    """
    path = Path(path)
    reader = VideoReader(path, config=config.decode)
    _read_times(reader, progress)
    return reader.info, reader.frame_table()


def _read_times(reader: VideoReader, progress: Progress) -> None:
    for index in reader.scan():
        progress(index + 1, reader.info.declared_frames or None)
