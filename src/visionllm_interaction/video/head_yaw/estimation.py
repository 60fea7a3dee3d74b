"""Head positions and yaw angles in a video, from the facial landmarks that a face detector finds."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.detections import Detections
from visionllm_interaction.errors import UsageError
from visionllm_interaction.utils.atomic_files import publish_file
from visionllm_interaction.utils.path_type import StrPath
from visionllm_interaction.video.config import DecodeConfig
from visionllm_interaction.video.decoding.prefetch import read_ahead
from visionllm_interaction.video.decoding.reader import VideoReader
from visionllm_interaction.video.head_yaw.csv_file import COLUMNS

NOSE_DEPTH = 0.55
"""Distance from the tip of the nose to the line through the eyes, in interocular distances (35 of 63 mm)."""

Progress = Callable[[int, int | None], None]


class FaceFinder(Protocol):
    """A detector of faces with five landmarks: both eyes, nose, both corners of the mouth."""

    def find_faces(
        self, image_rgb: NDArray[np.uint8], *, min_confidence: float
    ) -> tuple[Detections, NDArray[np.float32]]:
        """Faces (n) and their landmarks (n, 5, 2) in pixels."""
        ...


@dataclass(frozen=True)
class WrittenHeads:
    """What :func:`write_heads` wrote.

    Attributes:
        out: the CSV file.
        frames: number of processed frames.
        heads: number of heads in them.
    """

    out: Path
    frames: int
    heads: int

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``visionllm heads``."""
        return {"out": str(self.out), "frames": self.frames, "heads": self.heads}


def yaw_deg(points_xy: NDArray[Any]) -> NDArray[np.float64]:
    """Yaw angles of heads from facial landmarks.

    The tip of the nose is in front of the eyes, so a turn of the head moves it along the line through them. It moves
    by its depth times the tangent of the angle, in interocular distances. Roll does not affect the result.

    Args:
        points_xy: (n, 5, 2) landmarks in pixels: both eyes, then the nose; the rest is not used.

    Returns:
        (n,) degrees, positive towards the image's right.

    Source: after Gee & Cipolla, Determining the gaze of faces in images, Image and Vision Computing 12, 1994.
    """
    points = np.asarray(points_xy, dtype=np.float64).reshape(-1, 5, 2)
    across = points[:, 1] - points[:, 0]
    apart = np.maximum(np.hypot(across[:, 0], across[:, 1]), 1e-6)
    beside = ((points[:, 2] - points[:, :2].mean(axis=1)) * across).sum(axis=1) / apart
    return np.asarray(np.degrees(np.arctan2(beside / NOSE_DEPTH, apart)))


def write_heads(
    video: StrPath,
    out: StrPath,
    *,
    finder: FaceFinder,
    min_confidence: float = 0.5,
    decode: DecodeConfig = DecodeConfig(),
    progress: Progress = lambda _done, _total: None,
) -> WrittenHeads:
    """Detect the heads in a video and write them to a CSV file (:mod:`.csv_file`), with their confidence.

    Args:
        video: the video file.
        out: the new CSV file.
        finder: detects faces and their landmarks.
        min_confidence: faces below this confidence are not written.
        decode: sampling and limits.
        progress: called with the frames done and the frames expected (``None`` if unknown).

    Returns:
        What was written, in numbers.

    Raises:
        UsageError: if ``out`` exists.
        VideoError: if the video cannot be read.
    """
    video = Path(video)
    out = Path(out)
    if out.exists():
        raise UsageError("The file is there already.", expected="a new .csv file", found=out.name, where=str(out))
    reader = VideoReader(video, config=decode)
    total = reader.info.declared_frames or None
    rows: list[list[str]] = []
    for frame in read_ahead(reader, depth=4):
        faces, points = finder.find_faces(frame.image_rgb, min_confidence=min_confidence)
        eyes = points[:, :2].mean(axis=1) / np.array(reader.info.stored_to_square)
        for eye, angle, sure in zip(eyes, yaw_deg(points), faces.confidences, strict=True):
            rows.append([str(frame.frame_index), *(f"{value:.2f}" for value in (*eye, angle)), f"{sure:.3f}"])
        progress(frame.frame_index + 1, total)
    with publish_file(out) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([[*COLUMNS, "confidence"], *rows])
    return WrittenHeads(out, int(reader.frame_table().processed.sum()), len(rows))
