"""Head positions and yaw angles, from a face detector or from a file of another program."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.detection_table import HeadTable
from visionllm_interaction.core.detections import Detections
from visionllm_interaction.core.frames import FrameTable
from visionllm_interaction.errors import InputDataError, UsageError
from visionllm_interaction.utils.paths import StrPath
from visionllm_interaction.video.config import DecodeConfig
from visionllm_interaction.video.decoding.prefetch import read_ahead
from visionllm_interaction.video.decoding.reader import VideoReader

COLUMNS = ("frame_index", "x", "y", "yaw_deg")
"""Required columns; further columns are ignored."""
SUFFIX = ".heads.csv"
NOSE_DEPTH = 0.55
"""Distance from the tip of the nose to the line through the eyes, in interocular distances (35 of 63 mm)."""
_MOST_DEG = 90.0

Progress = Callable[[int, int | None], None]


class FaceFinder(Protocol):
    """A detector of faces with five landmarks: both eyes, nose, both corners of the mouth."""

    def find_faces(
        self, image_rgb: NDArray[np.uint8], *, min_confidence: float
    ) -> tuple[Detections, NDArray[np.float32]]:
        """Faces (n) and their landmarks (n, 5, 2) in pixels."""
        ...


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
) -> dict[str, Any]:
    """Detect the heads in a video and write them to a CSV file: :data:`COLUMNS`, then ``confidence``.

    Args:
        video: the video file.
        out: the new CSV file.
        finder: detects faces and their landmarks.
        min_confidence: faces below this confidence are not written.
        decode: sampling and limits.
        progress: called with the frames done and the frames expected (``None`` if unknown).

    Returns:
        ``{"out", "frames", "heads"}``: the file, the number of processed frames, and the number of heads.

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
    partial = out.with_name(f".partial-{out.name}")
    out.parent.mkdir(parents=True, exist_ok=True)
    with partial.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([[*COLUMNS, "confidence"], *rows])
    partial.replace(out)
    return {"out": str(out), "frames": int(reader.frame_table().processed.sum()), "heads": len(rows)}


def load_heads(path: StrPath, frames: FrameTable, *, scale: tuple[float, float] = (1.0, 1.0)) -> HeadTable:
    """Load heads from a CSV file with the columns :data:`COLUMNS`; heads in frames that were not processed are omitted.

    Args:
        path: the CSV file; x and y are in pixels of the upright image as stored.
        frames: all frames of the video.
        scale: factors (x, y) from stored pixels to square pixels.

    Returns:
        Positions in square pixels and yaw angles in degrees, ordered by frame.

    Raises:
        InputDataError: if the file cannot be read, lacks a column, or has an invalid row or an unknown frame.
    """
    path = Path(path)
    processed, all_frames = set(frames.frame_index[frames.processed].tolist()), set(frames.frame_index.tolist())
    rows = sorted((row for row in _rows(path, all_frames) if row[0] in processed), key=lambda row: row[0])
    values = np.array([row[1:] for row in rows], dtype=np.float64).reshape(-1, 3)
    indices = np.array([row[0] for row in rows], dtype=np.int64)
    return HeadTable(indices, values[:, :2] * np.array(scale), values[:, 2])


def heads_file(given: Path, video: Path) -> Path | None:
    """The head file of ``video``: ``given`` itself or, in a folder ``given``, ``STEM.heads.csv`` if it exists."""
    if not given.is_dir():
        return given
    own = given / f"{video.stem}{SUFFIX}"
    return own if own.is_file() else None


def _rows(path: Path, all_frames: set[int]) -> Iterator[tuple[int, float, float, float]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise _refused(path, found=str(error)) from error
    reader = csv.DictReader(text.splitlines())
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise _refused(path, found=f"no column {', '.join(missing)}")
    for line, row in enumerate(reader, start=2):
        try:
            index, numbers = int(row["frame_index"]), [float(row[name]) for name in COLUMNS[1:]]
        except (TypeError, ValueError) as error:
            raise _refused(path, found=f"line {line}: {error}") from error
        if index not in all_frames:
            raise _refused(path, found=f"line {line}: frame {index}, which the video does not have")
        if not all(map(math.isfinite, numbers)) or abs(numbers[2]) > 2 * _MOST_DEG:
            raise _refused(path, found=f"line {line}: {', '.join(map(str, numbers))}")
        yield index, numbers[0], numbers[1], numbers[2]


def _refused(path: Path, *, found: str) -> InputDataError:
    return InputDataError(
        "The file of heads cannot be used.",
        expected=f"CSV with the columns {', '.join(COLUMNS)}: frames of the video, pixels, degrees from -180 to 180",
        found=found,
        where=str(path),
        fix="`visionllm heads VIDEO --detector centerface.onnx --out FILE` writes one",
    )
