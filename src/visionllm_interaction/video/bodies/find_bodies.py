"""Find faces, hands and poses of the tracked people of a video."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.bodies import FaceRow, HandRow, PoseRow, Posture
from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.core.detection_table import UNTRACKED, DetectionTable
from visionllm_interaction.core.frame_table import SKIPPED_QUALITIES, Frame, FrameTable
from visionllm_interaction.utils.path_type import StrPath
from visionllm_interaction.video.bodies.config import BodiesConfig
from visionllm_interaction.video.bodies.estimator import Bodies, BodyEstimator
from visionllm_interaction.video.bodies.poses import Pose
from visionllm_interaction.video.config import DecodeConfig
from visionllm_interaction.video.decoding.frame_sampling import IntervalSampler
from visionllm_interaction.video.decoding.prefetch import read_ahead
from visionllm_interaction.video.decoding.reader import VideoReader

Progress = Callable[[int, int | None], None]
"""Called with frames read and frames expected (``None`` if unknown)."""
PostureRule = Callable[[NDArray[np.floating], NDArray[np.floating]], Posture | None]
"""From (33, 3) key points and (33,) visibilities to a posture."""

LookRule = Callable[[NDArray[np.floating]], float]
"""From what a layer of the pose's network has seen (528,) to log-odds of a child."""

ALGORITHM_VERSION = 3
"""Raised by whoever changes what is found with the same models in the same video."""
LIBRARIES = ("openvino", "opencv")
"""Those whose versions decide what is found."""


@dataclass(frozen=True, eq=False)
class FoundBodies:
    """What was found in the frames of a video, by frame.

    Attributes:
        hands: hands, those of nobody who is tracked included.
        faces: faces, likewise.
        poses: poses of tracked people.
        n_frames: number of frames that were looked at.
    """

    hands: list[HandRow] = field(default_factory=list)
    faces: list[FaceRow] = field(default_factory=list)
    poses: list[PoseRow] = field(default_factory=list)
    n_frames: int = 0


def find_bodies(
    path: StrPath,
    estimator: BodyEstimator,
    detections: DetectionTable,
    frames: FrameTable,
    *,
    posture_of: PostureRule,
    look_of: LookRule = lambda _look: math.nan,
    config: BodiesConfig = BodiesConfig(),
    decode: DecodeConfig = DecodeConfig(),
    progress: Progress = lambda _done, _total: None,
) -> FoundBodies:
    """Look for faces, hands and poses in the processed frames of a video, at most so many a second.

    Args:
        path: the video file.
        estimator: finds them in images.
        detections: tracked detections; those of people are looked at.
        frames: all frames of the video; those that were processed are looked at.
        posture_of: tells the posture from key points.
        look_of: tells how much somebody looks like a child.
        config: rate and thresholds.
        decode: as for the detections.
        progress: called with the frames read and the frames expected.

    Returns:
        What was found.

    Raises:
        VideoError: if the video cannot be read.
    """
    reader = VideoReader(Path(path), config=decode)
    people = _People(detections)
    found = FoundBodies()
    n_frames = 0
    with closing(read_ahead(_sampled(reader, frames, config.per_s), depth=2 * config.batch_size)) as read:
        for batch in _batches(read, config.batch_size):
            rows = [people.rows(frame.frame_index) for frame in batch]
            boxes = [detections.boxes_xyxy[own] for own in rows]
            bodies = estimator.estimate([frame.image_rgb for frame in batch], boxes)
            for frame, own, one in zip(batch, rows, bodies, strict=True):
                _add(found, frame, detections.track_id[own], one, posture_of, look_of)
            n_frames += len(batch)
            progress(batch[-1].frame_index + 1, len(frames))
    return FoundBodies(found.hands, found.faces, found.poses, n_frames)


def _sampled(reader: VideoReader, frames: FrameTable, per_s: float) -> Iterator[Frame]:
    """The processed frames, at most ``per_s`` a second."""
    processed = set(frames.frame_index[frames.processed].tolist())
    every = all(frames.processed[n] or note in SKIPPED_QUALITIES for n, note in enumerate(frames.quality))
    if every:  # then the decoder can choose, and sends no images that are not looked at
        yield from (frame for frame in reader.frames("rgb", per_s=per_s) if frame.frame_index in processed)
        return
    sampler = IntervalSampler(per_s)
    for frame in reader.frames("rgb"):
        if frame.frame_index in processed and sampler.wants(frame.timestamp_s):
            yield frame


def _batches(frames: Iterable[Frame], size: int) -> Iterator[list[Frame]]:
    source = iter(frames)
    while batch := list(islice(source, size)):
        yield batch


class _People:
    """Rows of tracked people by frame."""

    def __init__(self, detections: DetectionTable) -> None:
        person = np.array([name in PERSON_CATEGORIES for name in detections.category], dtype=np.bool_)
        self._rows = np.flatnonzero(person & (detections.track_id != UNTRACKED))
        self._frames = detections.frame_index[self._rows]

    def rows(self, frame_index: int) -> NDArray[np.int64]:
        """Rows of the table in a frame."""
        low, high = np.searchsorted(self._frames, [frame_index, frame_index + 1])
        return np.asarray(self._rows[low:high], dtype=np.int64)


def _add(
    found: FoundBodies,
    frame: Frame,
    track_ids: NDArray[np.int64],
    bodies: Bodies,
    posture_of: PostureRule,
    look_of: LookRule,
) -> None:
    at = frame.frame_index, frame.timestamp_s

    def owner(person: int | None) -> int:
        return UNTRACKED if person is None else int(track_ids[person])

    for hand in bodies.hands:
        one = hand.hand
        found.hands.append(
            HandRow(*at, owner(hand.person), hand.side, one.score, one.box_xyxy, one.points_xy.astype(np.float32))
        )
    for face in bodies.faces:
        seen = face.face
        pitch = math.nan if seen.pitch_deg is None else seen.pitch_deg
        row = FaceRow(*at, owner(face.person), seen.score, seen.box_xyxy, seen.yaw_deg, pitch, seen.age_years)
        found.faces.append(row)
    for person, pose in enumerate(bodies.poses):
        if pose is not None:
            found.poses.append(_pose_row(at, int(track_ids[person]), pose, posture_of, look_of))


def _pose_row(at: tuple[int, float], track_id: int, pose: Pose, posture_of: PostureRule, look_of: LookRule) -> PoseRow:
    points = np.concatenate([pose.points_xy, pose.depth[:, None]], axis=1)
    posture = posture_of(points, pose.visibility)
    look = math.nan if pose.look is None else look_of(pose.look)
    return PoseRow(*at, track_id, pose.score, posture, pose.points_xy, pose.visibility, look)
