"""Find faces, hands and poses of the tracked people of a video."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
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
from visionllm_interaction.video.bodies.hand_finder import FrameSequence, KnownFrame
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

ALGORITHM_VERSION = 4
"""Raised by whoever changes what is found with the same models in the same video. Version 4 follows hands."""
LIBRARIES = ("openvino", "opencv")
"""Those whose versions decide what is found."""

_MOST_APART_S = 0.26
"""Hands are not followed between frames that are further apart: they may move by more than their own length."""
_MOST_FOLLOWED = 8
"""At most so many frames in a row are not searched, however many there are in a second: they are kept in memory."""
_EARLY = 0.9
"""A frame that comes by a tenth of the interval too early is searched."""


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
        before: KnownFrame | None = None
        for batch, searched in batches(plan_searches(read, config.palms_every_s), config.batch_size):
            rows = [people.rows(frame.frame_index) for frame in batch]
            boxes = [detections.boxes_xyxy[own] for own in rows]
            sequence = FrameSequence(searched, [detections.track_id[own] for own in rows], before)
            bodies = estimator.estimate([frame.image_rgb for frame in batch], boxes, sequence)
            before = bodies[-1].known(sequence.track_ids[-1])
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


def plan_searches(frames: Iterable[Frame], every_s: float) -> Iterator[tuple[Frame, bool]]:
    """Choose the frames of a video in which hands are searched; through the others they are followed.

    Between two frames that are searched there are only frames close to each other. The last one is searched.

    Args:
        frames: in order.
        every_s: seconds between frames that are searched.

    Yields:
        Each frame, and whether it is searched.
    """
    searched_s, n_followed = -math.inf, 0
    for before, frame, after in _with_neighbours(frames):
        time_s = frame.timestamp_s
        alone = any(other is None or abs(other.timestamp_s - time_s) > _MOST_APART_S for other in (before, after))
        wanted = alone or n_followed == _MOST_FOLLOWED or time_s - searched_s >= _EARLY * every_s
        searched_s, n_followed = (time_s, 0) if wanted else (searched_s, n_followed + 1)
        yield frame, wanted


def _with_neighbours(frames: Iterable[Frame]) -> Iterator[tuple[Frame | None, Frame, Frame | None]]:
    before: Frame | None = None
    frame: Frame | None = None
    for after in chain(frames, [None]):
        if frame is not None:
            yield before, frame, after
        before, frame = frame, after


def batches(planned: Iterable[tuple[Frame, bool]], size: int) -> Iterator[tuple[list[Frame], list[bool]]]:
    """Frames that are looked at together: up to one that is searched, so that the size changes no results.

    Args:
        planned: frames, and whether each is searched.
        size: frames of a batch, at least; only the last one may have fewer.

    Yields:
        For each batch its frames, and whether each is searched.
    """
    batch: list[Frame] = []
    searched: list[bool] = []
    for frame, wanted in planned:
        batch.append(frame)
        searched.append(wanted)
        if wanted and len(batch) >= size:
            yield batch, searched
            batch, searched = [], []
    if batch:
        yield batch, searched


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
