"""Recordings of Pupil Labs: Neon and Invisible (native and Cloud export), Core (native and export)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from visionllm_interaction.interop.formats.safe_reading import import_error
from visionllm_interaction.interop.gaze.sample_tables import GazeTable
from visionllm_interaction.interop.gaze.samples import Floats, GazeRecording, gaze_recording

SCENE_PX = {"Pupil Neon": (1600, 1200), "Pupil Invisible": (1088, 1080)}
"""Width and height of the scene camera's images in pixels."""
MIN_CONFIDENCE = 0.6
"""Pupil Core: less confident samples are lost, as in Pupil Player."""
MAX_SAMPLE_BYTES = 1 << 31
_NS = 1e9


def read_native(folder: Path) -> GazeRecording:
    """Read a native recording of Neon or Invisible (``gaze ps1.raw`` with ``gaze ps1.time``).

    Args:
        folder: the recording.

    Returns:
        Its gaze.

    Raises:
        InputDataError: if a file is missing or damaged.
    """
    scene = _parts(folder, r"(Neon Scene Camera|PI world) v\d+ ps(\d+)\.time")
    device = "Pupil Invisible" if any("PI world" in path.name for path in scene) else "Pupil Neon"
    fast = _parts(folder, r"(gaze_200hz)\.time") or _parts(folder, r"(gaze_200hz) ps(\d+)\.time")
    times = fast or _parts(folder, r"(gaze) ps(\d+)\.time")
    if not times or not scene:
        raise import_error(folder, expected="gaze ps1.time and the scene camera's ps1.time", found="one is missing")
    begin_ns = _ints(scene[0])[:1]
    if not len(begin_ns):
        raise import_error(scene[0], expected="times of images", found="none")
    all_t, all_xy, all_worn, notes = [], [], [], []
    for path in times:
        stamps = _ints(path)
        sides = _read_array(path.with_suffix(".raw"), "<f4")
        xy: Floats = sides[: len(sides) // 2 * 2].reshape(-1, 2).astype(np.float64)
        count = min(len(stamps), len(xy))
        if len(stamps) != len(xy):
            notes.append(f"{abs(len(stamps) - len(xy))} samples without time or position were left out")
        worn_path = path.with_name(path.name.replace("gaze", "worn")).with_suffix(".raw")
        worn = _read_array(worn_path, "u1")[:count] > 0 if worn_path.is_file() else np.ones(count, np.bool_)
        worn = np.concatenate([worn, np.ones(count - len(worn), np.bool_)])
        all_t.append((stamps[:count] - begin_ns[0]) / _NS)
        all_xy.append(xy[:count])
        all_worn.append(worn)
    width, height = SCENE_PX[device]
    positions = np.concatenate(all_xy)
    valid = np.concatenate(all_worn)
    return gaze_recording(
        device,
        np.concatenate(all_t),
        positions[:, 0] / width,
        positions[:, 1] / height,
        valid=valid,
        notes=tuple(notes),
    )


def _parts(folder: Path, pattern: str) -> list[Path]:
    """Files whose names match, by the number of their part."""
    found = [(re.fullmatch(pattern, path.name), path) for path in folder.iterdir()]
    numbered = [(int((*match.groups(), "1")[1] or 1), path) for match, path in found if match]
    return [path for _, path in sorted(numbered)]


def _ints(path: Path) -> npt.NDArray[np.int64]:
    return _read_array(path, "<i8")


def _read_array(path: Path, dtype: str) -> npt.NDArray[Any]:
    try:
        if path.stat().st_size > MAX_SAMPLE_BYTES:
            raise import_error(path, expected=f"at most {MAX_SAMPLE_BYTES} bytes", found="more")
        size = np.dtype(dtype).itemsize
        data = path.read_bytes()
    except OSError as error:
        raise import_error(path, expected="a file that can be read", found=error.strerror or str(error)) from error
    return np.frombuffer(data[: len(data) // size * size], dtype)


def read_cloud(folder: Path, *, width: int, height: int) -> GazeRecording:
    """Read an export of Pupil Cloud (``gaze.csv`` with ``world_timestamps.csv``), of Neon or Invisible.

    Args:
        folder: the export.
        width: width of the video's images in pixels; their shape tells Neon from Invisible.
        height: their height.

    Returns:
        Its gaze.

    Raises:
        InputDataError: if a file or column is missing.
    """
    gaze = GazeTable(folder / "gaze.csv")
    stamps = gaze.integers("timestamp [ns]")
    x, y = gaze.numbers("gaze x [px]"), gaze.numbers("gaze y [px]")
    worn = gaze.numbers("worn") if "worn" in gaze.names else np.ones(len(stamps))
    world = GazeTable(folder / "world_timestamps.csv")
    frames = world.integers(next((name for name in world.names if "timestamp" in name), "timestamp [ns]"))
    if not len(frames):
        raise import_error(folder / "world_timestamps.csv", expected="times of images", found="none")
    finite = np.isfinite(x) & np.isfinite(y)
    device = min(SCENE_PX, key=lambda name: abs(SCENE_PX[name][0] / SCENE_PX[name][1] - width / height))
    scene = SCENE_PX[device]
    valid = finite & (worn > 0)
    return gaze_recording(device, (stamps - frames[0]) / _NS, x / scene[0], y / scene[1], valid=valid)


def read_core(folder: Path) -> GazeRecording:
    """Read a recording of Pupil Core, or of Invisible as Pupil Player keeps it, or the export of either.

    Args:
        folder: the recording, or a folder of its exports (``gaze_positions.csv``).

    Returns:
        Its gaze; less confident samples than :data:`MIN_CONFIDENCE` are lost.

    Raises:
        InputDataError: if a file is missing or damaged.
    """
    world = next((p for p in _upwards(folder, "world_timestamps.npy") if p.is_file()), None)
    if world is None:
        raise import_error(
            folder,
            expected="world_timestamps.npy in it or above it",
            found="none, so that the video's begin is not known",
        )
    begin_s = float(_load(world).min())
    if (folder / "gaze_positions.csv").is_file():
        exported = GazeTable(folder / "gaze_positions.csv")
        stamp = "gaze_timestamp" if "gaze_timestamp" in exported.names else "timestamp"
        t, x, y, confidence = (exported.numbers(name) for name in (stamp, "norm_pos_x", "norm_pos_y", "confidence"))
    else:
        samples = list(_pldata(folder / "gaze.pldata"))
        t = np.array([s.timestamp for s in samples])
        x, y = (np.array([s.norm_pos[side] for s in samples]) for side in (0, 1))
        confidence = np.array([s.confidence for s in samples])
    # The origin of norm_pos is at the bottom left.
    return gaze_recording("Pupil Core", t - begin_s, x, 1.0 - y, valid=confidence >= MIN_CONFIDENCE)


def _upwards(folder: Path, name: str) -> Iterator[Path]:
    return (at / name for at in (folder, *list(folder.resolve().parents)[:2]))


def _load(path: Path) -> Floats:
    try:
        loaded = np.load(path, allow_pickle=False)
        values = np.asarray(loaded, np.float64)
    except (OSError, ValueError) as error:
        raise import_error(path, expected="times as numpy writes them", found=str(error)) from error
    if values.size == 0:
        raise import_error(path, expected="times of images", found="none")
    return values


class _Datum(msgspec.Struct):
    timestamp: float
    norm_pos: tuple[float, float]
    confidence: float = 1.0


def _pldata(path: Path) -> Iterator[_Datum]:
    """Samples of a ``.pldata`` file: arrays of a topic and a MessagePack document."""
    data = _read_array(path, "u1").tobytes()
    decoder = msgspec.msgpack.Decoder(_Datum)
    at = 0
    try:
        while at < len(data):
            if data[at] != 0x92:
                raise ValueError("an entry that is no pair")
            topic_at, topic_after = _span(data, at + 1)
            begin, at = _span(data, topic_after)
            if data[topic_at:topic_after].startswith(b"gaze"):
                yield decoder.decode(data[begin:at])
    except (IndexError, ValueError, msgspec.MsgspecError) as error:
        raise import_error(path, expected="gaze of Pupil Core", found=str(error)) from error


def _span(data: bytes, at: int) -> tuple[int, int]:
    """Begin and end of the content of a MessagePack string or of bytes at ``at``."""
    head = data[at]
    if 0xA0 <= head <= 0xBF:
        return at + 1, at + 1 + (head & 0x1F)
    width = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}.get(head)
    if width is None:
        raise ValueError("an entry that is neither text nor bytes")
    begin = at + 1 + width
    end = begin + int.from_bytes(data[at + 1 : begin], "big")
    if end > len(data):
        raise ValueError("an entry that is cut off")
    return begin, end
