"""Motion files of the BabyView data: ``imu.csv``, and the texts (``GYRO_meta.txt`` …) from which it is made."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from visionllm_interaction.interop.formats.safe_reading import import_error, read_text
from visionllm_interaction.interop.gaze.sample_tables import GazeTable
from visionllm_interaction.interop.motion.gpmf import SENSORS
from visionllm_interaction.interop.motion.samples import Floats, MotionRecording, Sensor, SensorSamples

TABLE, TEXT = "imu.csv", "GYRO_meta.txt"
_TIME = "Timestamp (s)"
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_RATE = re.compile(r"sampling rate\s*=.*?time\s+([\d.]+)\s+to\s+([\d.]+)")
_DEVICE = "BabyView"


def is_babyview(path: Path) -> bool:
    """Whether a path is a motion file of BabyView, or a folder with one."""
    if path.is_dir():
        return any(is_babyview(path / name) for name in (TABLE, TEXT))
    if path.name == TABLE and path.is_file():  # other devices have a table of this name
        with path.open("rb") as stream:
            return b"GYRO_X" in stream.readline(4096)
    return path.name == TEXT and path.is_file()


def read_babyview(path: Path) -> MotionRecording:
    """Read the motion sensors of a BabyView recording.

    Args:
        path: ``imu.csv``, ``GYRO_meta.txt``, or their folder, where the texts, which have every sample, go first.

    Returns:
        Samples on the video's clock.

    Raises:
        InputDataError: if a file is missing or damaged.
    """
    folder = path if path.is_dir() else path.parent
    if (path.is_dir() and (folder / TEXT).is_file()) or path.name == TEXT:
        texts = {sensor: folder / f"{sensor}_meta.txt" for sensor in SENSORS}
        there = {sensor: _text(file, sensor) for sensor, file in texts.items() if file.is_file()}
        return MotionRecording(_DEVICE, there)
    return _table(folder / TABLE)


def _table(path: Path) -> MotionRecording:
    table = GazeTable(path)
    t = table.numbers(_TIME)
    sensors: dict[Sensor, SensorSamples] = {}
    for sensor in SENSORS:
        columns = [name for axis in "XYZ" for name in table.names if name.startswith(f"{sensor}_{axis}")]
        if len(columns) != len("XYZ"):
            continue
        xyz = np.stack([table.numbers(name) for name in columns], axis=1)
        known = np.isfinite(t) & np.isfinite(xyz).all(axis=1)
        if known.any():
            order = np.flatnonzero(known)[np.argsort(t[known], kind="stable")]
            sensors[sensor] = SensorSamples(t[order], xyz[order])
    if "GYRO" not in sensors:
        raise import_error(path, expected="the columns GYRO_X, GYRO_Y and GYRO_Z with numbers", found="none")
    return MotionRecording(_DEVICE, sensors, notes=_rate_note(sensors["GYRO"].t))


def _rate_note(t: Floats) -> tuple[str, ...]:
    step_s = float(np.median(np.diff(t))) if len(t) > 1 else 0.0
    return (f"the table has {1 / step_s:.0f} samples a second; the texts have all",) if step_s > 0.02 else ()


def _text(path: Path, sensor: Sensor) -> SensorSamples:
    rows: list[list[float]] = []
    span: tuple[float, float] | None = None
    for line in read_text(path).splitlines():
        stripped = line.strip().lstrip('"')
        if not stripped.startswith(sensor):
            continue
        rate = _RATE.search(stripped)
        if rate is not None:
            span = float(rate[1]), float(rate[2])
        elif "sampling rate" not in stripped:
            numbers = [float(number) for number in _NUMBER.findall(stripped[len(sensor) :])]
            if len(numbers) == 3:
                rows.append(numbers)
    if span is None or not rows or span[1] <= span[0]:
        times = "no line with their times" if span is None else f"times {span[0]}-{span[1]} s"
        found = f"{len(rows)} samples, {times}"
        raise import_error(path, expected=f"samples of {sensor} and a line with their sampling rate", found=found)
    t = span[0] + np.arange(len(rows)) * ((span[1] - span[0]) / len(rows))
    return SensorSamples(np.asarray(t, np.float64), np.array(rows, np.float64))
