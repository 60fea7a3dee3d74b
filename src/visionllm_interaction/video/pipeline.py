"""One video: decode → detect → track."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from visionllm_interaction.core.frames import NOT_SAMPLED, OK, Frame, FrameTable
from visionllm_interaction.core.tables import UNTRACKED, DetectionTable
from visionllm_interaction.video.ahead import read_ahead
from visionllm_interaction.video.config import VideoConfig
from visionllm_interaction.video.container import VideoInfo
from visionllm_interaction.video.decode import VideoReader
from visionllm_interaction.video.given import Row, load_detections, load_truth, rows_to_table
from visionllm_interaction.video.track import track

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
        bad = [note for note in self.frames.quality if note not in (OK, NOT_SAMPLED)]
        if bad:
            found.append(f"{len(bad)} of {len(self.frames)} frames could not be used, the first one: {bad[0]}")
        read_s, declared_s = float(self.frames.duration_s.sum()), self.info.declared_duration_s
        if declared_s is not None and declared_s - read_s > max(_MISSING_S, _MISSING_SHARE * declared_s):
            found.append(f"the file ends early: its header says {declared_s:.1f} s, frames reach {read_s:.1f} s")
        return tuple(found)


def _ignore(_done: int, _total: int | None) -> None:
    return


def follow_with_detector(
    path: Path, detector: Detector, *, config: VideoConfig = VideoConfig(), progress: Progress = _ignore
) -> TrackedVideo:
    """Detect in every frame to look at, and track. Decoding runs ahead in a thread, by a bounded number of frames.

    Raises:
        VideoError: if the video cannot be read.
    """
    reader = VideoReader(path, config=config.decode)
    total = reader.info.declared_frames or None
    rows: list[Row] = []
    for batch in _batches(read_ahead(reader, depth=config.decode.ahead), config.detect.batch_size):
        found = detector.detect([f.image_rgb for f in batch], min_confidence=config.detect.min_confidence)
        for frame, detections in zip(batch, found, strict=True):
            names = [detector.categories.by_label[int(label)].name for label in detections.labels]
            boxes = [tuple(box) for box in detections.boxes_xyxy.tolist()]
            confidences = detections.confidences.tolist()
            rows += [
                (frame.frame_index, name, confidence, box, UNTRACKED)
                for name, confidence, box in zip(names, confidences, boxes, strict=True)
            ]
        progress(batch[-1].frame_index + 1, total)
    frames = reader.frame_table()
    progress(len(frames), len(frames))
    tracked = track(rows_to_table(rows, frames), frames, config=config.track)
    return TrackedVideo(reader.info, frames, tracked, detector.categories.names)


def follow_from_file(
    path: Path, detections: Path, *, config: VideoConfig = VideoConfig(), progress: Progress = _ignore
) -> TrackedVideo:
    """Track detections from a file (see :func:`given.load_detections`); the video is read for its times.

    Raises:
        VideoError: if the video cannot be read.
        InputDataError: if the detections cannot be used.
    """
    info, frames = read_times(path, config=config, progress=progress)
    table, categories = load_detections(detections, frames)
    return TrackedVideo(info, frames, track(table, frames, config=config.track), categories)


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
    for index in reader.scan():
        progress(index + 1, reader.info.declared_frames or None)
    return reader.info, reader.frame_table()


def _batches(frames: Iterable[Frame], size: int) -> Iterator[list[Frame]]:
    source = iter(frames)
    while batch := list(islice(source, size)):
        yield batch
