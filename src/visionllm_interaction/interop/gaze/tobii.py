"""Recordings of Tobii Pro Glasses 3, and the common table of glassesTools, which reads a dozen other trackers."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from visionllm_interaction.interop.formats.safe_reading import import_error
from visionllm_interaction.interop.gaze.sample_tables import GazeTable
from visionllm_interaction.interop.gaze.samples import GazeRecording, gaze_recording

MAX_UNPACKED = 1 << 30


class _Line(msgspec.Struct):
    type: str
    timestamp: float = 0.0
    data: dict[str, Any] = {}


def read_glasses3(folder: Path) -> GazeRecording:
    """Read a recording of Tobii Pro Glasses 3 (``gazedata.gz``). Lines without data are lost eyes.

    Args:
        folder: the recording.

    Returns:
        Its gaze; the participant's file is not read.

    Raises:
        InputDataError: if the gaze is missing or damaged.
    """
    path = folder / "gazedata.gz"
    rows = [_sample(line) for line in _lines(path) if line.type == "gaze"]
    if not rows:
        raise import_error(path, expected="lines of gaze", found="none")
    t, x, y = np.array(rows, np.float64).T
    return gaze_recording("Tobii Glasses 3", t, x, y)


def _sample(line: _Line) -> tuple[float, float, float]:
    at = line.data.get("gaze2d")
    if isinstance(at, list) and len(at) == 2 and all(isinstance(v, int | float) for v in at):
        return line.timestamp, float(at[0]), float(at[1])
    return line.timestamp, np.nan, np.nan


def _lines(path: Path) -> Iterator[_Line]:
    decoder = msgspec.json.Decoder(_Line)
    read = 0
    try:
        with gzip.open(path) as stream:
            for line in stream:
                read += len(line)
                if read > MAX_UNPACKED:
                    raise import_error(path, expected=f"at most {MAX_UNPACKED} bytes unpacked", found="more")
                if line.strip():
                    yield decoder.decode(line)
    except (OSError, EOFError, zlib.error, msgspec.MsgspecError) as error:
        raise import_error(path, expected="lines of JSON packed by gzip", found=str(error)) from error


def read_common_table(folder: Path, *, width: int, height: int) -> GazeRecording:
    """Read the common form of glassesTools (``gazeData.tsv`` with ``frameTimestamps.tsv``).

    Args:
        folder: the folder.
        width: width of the scene camera's images in pixels.
        height: their height.

    Returns:
        Its gaze.

    Raises:
        InputDataError: if a file or column is missing.
    """
    gaze = GazeTable(folder / "gazeData.tsv", delimiter="\t")
    t, x, y = (gaze.numbers(name) for name in ("timestamp", "gaze_pos_vid_x", "gaze_pos_vid_y"))
    frames = GazeTable(folder / "frameTimestamps.tsv", delimiter="\t").numbers("timestamp")
    if not len(frames):
        raise import_error(folder / "frameTimestamps.tsv", expected="times of images", found="none")
    return gaze_recording("glassesTools", (t - frames[0]) / 1000, x / width, y / height)
