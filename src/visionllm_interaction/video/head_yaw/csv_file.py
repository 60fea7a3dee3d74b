"""The CSV file of heads: one row per head and frame, from ``visionllm heads`` or another program."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from visionllm_interaction.core.detection_table import HeadTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.errors import InputDataError
from visionllm_interaction.utils.path_type import StrPath
from visionllm_interaction.utils.text_encodings import decode_text

COLUMNS = ("frame_index", "x", "y", "yaw_deg")
"""Required columns; further columns are ignored."""
SUFFIX = ".heads.csv"
_MOST_DEG = 180.0
_MANY, _TURNED_DEG = 10, 20.0


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


def look_like_radians(heads: HeadTable) -> bool:
    """Whether the angles of many heads are within ±π, and some of them beyond 20° only if they are radians."""
    widest = float(np.abs(heads.yaw_deg).max(initial=0.0))
    return len(heads.yaw_deg) >= _MANY and math.radians(_TURNED_DEG) < widest <= math.pi


def heads_file(given: Path, video: Path) -> Path | None:
    """The head file of ``video``: ``given`` itself or, in a folder ``given``, ``STEM.heads.csv`` if it exists."""
    if not given.is_dir():
        return given
    own = given / f"{video.stem}{SUFFIX}"
    return own if own.is_file() else None


def _rows(path: Path, all_frames: set[int]) -> Iterator[tuple[int, float, float, float]]:
    try:
        text = decode_text(path.read_bytes())
    except OSError as error:
        raise _refused(path, found=str(error)) from error
    header, *lines = text.splitlines() or [""]
    separator = max(",;\t", key=header.count)
    names = [name.strip().casefold() for name in next(csv.reader([header], delimiter=separator), [])]
    reader = csv.DictReader(lines, fieldnames=names, delimiter=separator)
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise _refused(path, found=f"no column {', '.join(missing)}")
    for line, row in enumerate(reader, start=2):
        try:
            cells = [row[name].replace(",", ".") for name in COLUMNS]
            index, numbers = int(cells[0]), [float(cell) for cell in cells[1:]]
        except (AttributeError, TypeError, ValueError) as error:
            raise _refused(path, found=f"line {line}: {error}") from error
        if index not in all_frames:
            raise _refused(path, found=f"line {line}: frame {index}, which the video does not have")
        if not all(map(math.isfinite, numbers)) or abs(numbers[2]) > _MOST_DEG:
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
