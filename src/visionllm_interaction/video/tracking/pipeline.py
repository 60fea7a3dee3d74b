"""Track one video: decode → detect → link → postprocess.

The first three steps run concurrently, each a bounded number of frames ahead of the next. The slowest step, usually
the detector, sets the pace.
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
from visionllm_interaction.core.frame_table import OK, SKIPPED_QUALITIES, Frame, FrameTable
from visionllm_interaction.utils.path_type import StrPath
from visionllm_interaction.video.config import DecodeConfig, TrackConfig, VideoConfig
from visionllm_interaction.video.decoding.containers import VideoInfo
from visionllm_interaction.video.decoding.demuxer import JOINABLE, NO_TIME
from visionllm_interaction.video.decoding.frame_sampling import IntervalSampler
from visionllm_interaction.video.decoding.prefetch import read_ahead
from visionllm_interaction.video.decoding.reader import EndOfStream, VideoReader
from visionllm_interaction.video.decoding.worker_messages import PixelFormat
from visionllm_interaction.video.quality.image_quality import ImageQuality, ImageQualityMeter
from visionllm_interaction.video.tracking.adapt_to_rate import adapt_to_rate
from visionllm_interaction.video.tracking.appearance import AppearanceFeatures, FeatureBuffer, extract_features
from visionllm_interaction.video.tracking.buffers import DetectionBuffer, FrameDetections
from visionllm_interaction.video.tracking.camera_motion import CameraMotionTracker, CameraPath, move_boxes
from visionllm_interaction.video.tracking.continued_or_newcomer import PossibleReturn, find_returns, return_notes
from visionllm_interaction.video.tracking.detections_file import load_truth, read_detections, truth_categories
from visionllm_interaction.video.tracking.postprocess import postprocess_tracklets, track

if TYPE_CHECKING:
    from visionllm_interaction.detection.runtimes.detector_interface import Detector

_MISSING_S = 0.5
_MISSING_SHARE = 0.02
_LISTED = 10

Progress = Callable[[int, int | None], None]
"""Called with frames read and frames expected (``None`` if the file does not say)."""


@dataclass(frozen=True, eq=False)
class TrackedVideo:
    """A tracked video.

    Attributes:
        info: the header.
        frames: all frames of the file.
        detections: boxes (xyxy, pixels) with track ids.
        categories: category names of the detector or file.
        ending: facts known after reading the file to its end.
        remarks: notes on the detections.
        image_quality: light, blur and camera motion of some of the images; None: no image was decoded.
        returns: people who may have been there before, under another track.
    """

    info: VideoInfo
    frames: FrameTable
    detections: DetectionTable
    categories: tuple[str, ...]
    ending: EndOfStream | None = None
    remarks: tuple[str, ...] = ()
    image_quality: ImageQuality | None = None
    returns: tuple[PossibleReturn, ...] = ()

    def notes(self) -> tuple[str, ...]:
        """Notes on irregularities of the file: unreadable frames, gaps, an early end; usually empty."""
        return (*_notes(self.info, self.frames, self.ending), *self.remarks, *return_notes(self.returns))


def _notes(info: VideoInfo, frames: FrameTable, ending: EndOfStream | None) -> Iterator[str]:
    if len(info.streams) > 1:
        yield f"the file holds {len(info.streams)} video streams: {', '.join(info.streams)}; {info.stream} was analysed"
    bad = [n for n, note in enumerate(frames.quality) if note != OK and note not in SKIPPED_QUALITIES]
    untimed = [n for n in bad if frames.quality[n] == NO_TIME]
    if bad:
        yield f"{len(bad)} of {len(frames)} frames could not be used, the first one: {frames.quality[bad[0]]}"
    if untimed:
        yield f"{_count(len(untimed), 'frame')} without a time stamp: {_listed(untimed)}"
    yield from _gap_notes(frames)
    ending = ending or EndOfStream(reached_s=0.0)
    for at_s, by_s in ending.clock_jumps[:_LISTED]:
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


def track_with_detector(
    path: StrPath,
    detector: Detector,
    *,
    config: VideoConfig = VideoConfig(),
    moving: bool = False,
    progress: Progress = _ignore,
) -> TrackedVideo:
    """Detect objects in every sampled frame and track them.

    Args:
        path: the video file.
        detector: detects people and objects.
        config: decoding, detection and tracking.
        moving: whether the camera moves; its motion is then compensated before linking.
        progress: called with the frames read and the frames expected (``None`` if unknown).

    Returns:
        The tracked video.

    Raises:
        VideoError: if the video cannot be read.
    """
    path = Path(path)
    # Imported here because the tracking package takes seconds to load and true tracks need none of it.
    from visionllm_interaction.video.tracking.linking import Linker

    reader = VideoReader(path, config=config.decode)
    total = reader.info.declared_frames or None
    log = DetectionBuffer(detector.categories)
    fps = min((rate for rate in (config.decode.sample_fps, reader.info.header_fps) if rate), default=None)
    linker = Linker(adapt_to_rate(config.track, None if fps is None else 1.0 / fps), fps=fps)
    camera_path, meter = _CameraPathBuffer(), ImageQualityMeter(config.quality.per_s)
    # Closed in any case, the detector first: when it raises, the decoder and its thread end now, not some time later.
    with (
        closing(read_ahead(_with_camera_motion(reader, moving=moving), depth=config.decode.ahead)) as with_motion,
        closing(
            read_ahead(_detect(_metered(with_motion, meter), detector, config), depth=2 * config.detect.batch_size)
        ) as detected,
    ):
        for found in detected:
            boxes = camera_path.add(found)
            names, confidences = log.names(found.detections), found.detections.confidences
            linker.repeat(found.unchanged_s)
            log.add(found, linker.add(found.timestamp_s, names, confidences, boxes))
            progress(found.frame_index + 1, total)
    frames = reader.frame_table()
    progress(len(frames), len(frames))
    rows, ids = log.table(frames)
    size_px = (reader.info.width, reader.info.height)
    features = log.features() if config.track.appearance else None
    tracked = postprocess_tracklets(
        rows, ids, frames, config=config.track, camera=camera_path.path(), size_px=size_px, features=features
    )
    searched = detector.categories.names
    returns = _returns(tracked, features, frames, config)
    return TrackedVideo(reader.info, frames, tracked, searched, reader.ending, (), meter.result(), returns)


def _metered(
    with_motion: Iterable[tuple[Frame, NDArray[np.float64] | None]], meter: ImageQualityMeter
) -> Iterator[tuple[Frame, NDArray[np.float64] | None]]:
    """The same frames, measured as they pass by."""
    for frame, to_first in with_motion:
        meter.add(frame)
        yield frame, to_first


def _with_camera_motion(
    reader: VideoReader, *, moving: bool, pixel_format: PixelFormat = "rgb"
) -> Iterator[tuple[Frame, NDArray[np.float64] | None]]:
    """Frames, each with the camera's motion since the first one if it moves."""
    motion_tracker = CameraMotionTracker(reader.info.width) if moving else None
    for frame in reader.frames(pixel_format):
        yield frame, motion_tracker.update(frame.image_rgb) if motion_tracker else None


def _detect(
    with_motion: Iterable[tuple[Frame, NDArray[np.float64] | None]], detector: Detector, config: VideoConfig
) -> Iterator[FrameDetections]:
    source, extractor = iter(with_motion), _FeatureExtractor(config.track)
    while batch := list(islice(source, config.detect.batch_size)):
        images = [frame.image_rgb for frame, _ in batch]
        found = detector.detect(images, min_confidence=config.detect.min_confidence)
        for (frame, to_first), detections in zip(batch, found, strict=True):
            features = extractor.features(frame, detections.boxes_xyxy)
            yield FrameDetections(
                frame.frame_index, frame.timestamp_s, detections, frame.unchanged_s, to_first, features
            )


class _FeatureExtractor:
    """Computes appearance features in the frames that the settings ask for."""

    def __init__(self, config: TrackConfig) -> None:
        self._sampler = IntervalSampler(1.0 / config.appearance_step_s) if config.appearance else None

    def features(self, frame: Frame, boxes_xyxy: NDArray[np.float32]) -> NDArray[np.uint8] | None:
        """(n, FEATURE_SIZE) features, or ``None`` for a frame that is skipped."""
        if self._sampler is None or not self._sampler.wants(frame.timestamp_s):
            return None
        return extract_features(frame.image_rgb, boxes_xyxy)


class _CameraPathBuffer:
    """Collects the motion of a moving camera."""

    def __init__(self) -> None:
        self._index: list[int] = []
        self._to_first: list[NDArray[np.float64]] = []

    def add(self, found: FrameDetections) -> NDArray[np.float32]:
        """Record the camera's motion; returns the (n, 4) boxes compensated for it."""
        boxes = found.detections.boxes_xyxy
        if found.to_first is None:
            return boxes
        self.note(found.frame_index, found.to_first)
        return move_boxes(boxes, np.repeat(found.to_first[None], len(boxes), axis=0))

    def note(self, frame_index: int, to_first: NDArray[np.float64] | None) -> None:
        """Record the (2, 3) transform of a frame, if the camera moves."""
        if to_first is not None:
            self._index.append(frame_index)
            self._to_first.append(to_first)

    def path(self) -> CameraPath | None:
        """The camera's path; ``None`` for a camera at rest."""
        return CameraPath(np.array(self._index), np.stack(self._to_first)) if self._index else None


def track_from_file(
    path: StrPath,
    detections: StrPath,
    *,
    config: VideoConfig = VideoConfig(),
    moving: bool = False,
    progress: Progress = _ignore,
) -> TrackedVideo:
    """Track the detections of a file.

    The video is read for its times, for appearance features, and for the camera's motion if the camera moves.

    Args:
        path: the video file.
        detections: the file or folder (see :func:`.read_detections`).
        config: decoding and tracking.
        moving: whether the camera moves; its motion is then compensated before linking.
        progress: called with the frames read and the frames expected (``None`` if unknown).

    Returns:
        The tracked video.

    Raises:
        VideoError: if the video cannot be read.
        InputDataError: if the detections cannot be used.
    """
    path = Path(path)
    reader = VideoReader(path, config=config.decode)
    info = reader.info
    given = read_detections(
        detections,
        scale=info.stored_to_square,
        stored_px=(info.stored_width or info.width, info.stored_height or info.height),
        clock=lambda: read_times(path, config=_every_frame(config))[1].timestamp_s,
        video=str(path.absolute()),
    )
    if given.is_sampled:
        reader = VideoReader(path, config=_every_frame(config).decode)
    camera_path, frame_features = _CameraPathBuffer(), list[tuple[int, NDArray[np.uint8]]]()
    extractor, total = _FeatureExtractor(config.track), info.declared_frames or None
    meter: ImageQualityMeter | None = None
    if moving or config.track.appearance:
        meter = ImageQualityMeter(config.quality.per_s) if config.track.appearance else None
        for frame, to_first in _feature_frames(reader, config.track, moving=moving, every=given.is_sampled):
            camera_path.note(frame.frame_index, to_first)
            if meter is not None:
                meter.add(frame)
            boxes = given.boxes(frame.frame_index)
            features = extractor.features(frame, boxes) if len(boxes) or not given.is_sampled else None
            if features is not None:
                frame_features.append((frame.frame_index, features))
            progress(frame.frame_index + 1, total)
    else:
        _read_times(reader, progress)
    frames = reader.frame_table()
    if given.is_sampled:
        frames = given.frame_table(frames, sample_fps=config.decode.sample_fps, gaps=info.container != "gif")
    progress(len(frames), len(frames))
    table, size_px, log = given.table(frames), (info.width, info.height), FeatureBuffer()
    processed = set(frames.frame_index[frames.processed].tolist())
    for index, features in frame_features:
        if index in processed:
            log.add(int(np.searchsorted(table.frame_index, index)), features)
    known = log.features(len(table)) if config.track.appearance else None
    tracked = track(table, frames, config=config.track, camera=camera_path.path(), size_px=size_px, features=known)
    remarks = (
        *given.notes,
        *given.silence(frames),
        *_left_out_note(given.left_out(frames), config.decode, rest=len(table)),
    )
    measured = None if meter is None else meter.result()
    returns = _returns(tracked, known, frames, config)
    return TrackedVideo(info, frames, tracked, given.names, reader.ending, remarks, measured, returns)


def _returns(
    tracked: DetectionTable, features: AppearanceFeatures | None, frames: FrameTable, config: VideoConfig
) -> tuple[PossibleReturn, ...]:
    """People who may have come back; the rows that were detected keep the order of their features."""
    if features is None:
        return ()
    return find_returns(tracked.select(~tracked.interpolated), features, frames=frames, config=config.track)


def _every_frame(config: VideoConfig) -> VideoConfig:
    """The settings without sampling."""
    decode = config.decode.model_copy(update={"sample_fps": None, "adaptive": False})
    return config.model_copy(update={"decode": decode})


def _left_out_note(n: int, config: DecodeConfig, *, rest: int) -> tuple[str, ...]:
    """A note on ``n`` detections of frames that were not processed, unless sampling was asked for and left some."""
    asked_for = config.sample_fps is not None or config.adaptive
    if not n or (asked_for and rest):
        return ()
    return (f"{_count(n, 'detection')} of frames that were not processed were left out",)


def _feature_frames(
    reader: VideoReader, config: TrackConfig, *, moving: bool, every: bool
) -> Iterator[tuple[Frame, NDArray[np.float64] | None]]:
    """Frames to process without a detector: all for a moving camera, else those for appearance features.

    Detections of some frames only may be of any frame, so all are asked for (``every``).
    """
    if every and not moving:
        return ((frame, None) for frame in reader)
    if moving:
        return _with_camera_motion(reader, moving=True, pixel_format="rgb" if config.appearance else "grey")
    return ((frame, None) for frame in reader.frames("rgb", per_s=1.0 / config.appearance_step_s))


def load_true_tracks(
    path: StrPath, truth: StrPath, *, config: VideoConfig = VideoConfig(), progress: Progress = _ignore
) -> TrackedVideo:
    """Load the true tracks of a ToyRoom video; the video is read for its times.

    Args:
        path: the video file.
        truth: its ``truth.json``.
        config: decoding, and the minimum visible share of objects.
        progress: called with the frames read and the frames expected (``None`` if unknown).

    Returns:
        The video with its true tracks.

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
    """Read the header and the times of a video, without its images.

    Args:
        path: the video file.
        config: decoding.
        progress: called with the frames read and the frames expected (``None`` if unknown).

    Returns:
        The header and the table of all frames.

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
