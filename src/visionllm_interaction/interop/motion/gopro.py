"""The telemetry of a GoPro video: the payloads of its data track, and when each begins."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from visionllm_interaction.interop.formats.safe_reading import import_error
from visionllm_interaction.interop.motion.gpmf import SENSORS, marked_times_ms, sensor_values
from visionllm_interaction.interop.motion.samples import Floats, MotionRecording, Sensor, SensorSamples
from visionllm_interaction.video.decoding.mp4_boxes import Content, Mp4Box, child_boxes, find_box

VIDEO_ENDINGS = (".mp4", ".mov", ".lrv", ".360")
_MAX_PAYLOADS = 100_000
"""More than a day at one payload a second."""
_MAX_PAYLOAD_BYTES = 1 << 22
Ints = npt.NDArray[np.int64]


def read_gopro(path: Path) -> MotionRecording:
    """Read the motion sensors and HiLight marks of a GoPro video; only the track of telemetry is read.

    Args:
        path: the video as the camera wrote it. Each chapter (GX01…, GX02…) has telemetry and a clock of its own.

    Returns:
        Samples on the video's clock. Within a payload, about a second, samples lie evenly.

    Raises:
        InputDataError: if it is no MP4, has no telemetry or no gyroscope, or is damaged.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            payloads = list(_payloads(path, content))
            marks = _marks_s(content)
    except OSError as error:
        raise import_error(path, expected="a file that can be read", found=error.strerror or str(error)) from error
    except (ValueError, struct.error) as error:
        raise import_error(path, expected="an MP4 file with GoPro's telemetry, whole", found=str(error)) from error
    parts: dict[Sensor, list[tuple[Floats, Floats]]] = {sensor: [] for sensor in SENSORS}
    for begin_s, length_s, data in payloads:
        try:
            found = sensor_values(data)
        except ValueError as error:
            raise import_error(path, expected="payloads of telemetry", found=f"at {begin_s:.1f} s {error}") from error
        for sensor, xyz in found.items():
            t = begin_s + np.arange(len(xyz), dtype=np.float64) * (length_s / max(len(xyz), 1))
            parts[sensor].append((np.asarray(t, np.float64), xyz))
    sensors = {sensor: _joined(own) for sensor, own in parts.items() if own}
    if "GYRO" not in sensors:
        known = ", ".join(sensors) or "no motion sensor"
        raise import_error(path, expected="telemetry with a gyroscope (GYRO)", found=known)
    return MotionRecording("GoPro", sensors, tuple(marks))


def _joined(parts: list[tuple[Floats, Floats]]) -> SensorSamples:
    return SensorSamples(np.concatenate([t for t, _ in parts]), np.concatenate([xyz for _, xyz in parts]))


def _payloads(path: Path, content: Content) -> Iterator[tuple[float, float, bytes]]:
    """Begin and length in seconds, and bytes, of each payload of telemetry."""
    movie = find_box(content, b"moov")
    if movie is None:
        raise import_error(path, expected="an MP4 file", found=f"a file that begins with {content[:12]!r}")
    track = next((t for t in child_boxes(content, movie) if t.kind == b"trak" and _is_telemetry(content, t)), None)
    if track is None:
        raise import_error(path, expected="a track of GoPro's telemetry (gpmd)", found="none; was the file converted?")
    media = _required(content, track, b"mdia")
    timescale = _timescale(content, _required(content, media, b"mdhd"))
    table = _required(content, media, b"minf", b"stbl")
    sizes = _sizes(content, _required(content, table, b"stsz"))
    places = _places(content, table, sizes)
    lengths = _durations(content, _required(content, table, b"stts"), len(sizes))
    begins = np.concatenate([[0], np.cumsum(lengths)[:-1]]) if len(lengths) else np.zeros(0)
    shift_s = _shift_s(content, movie, track, timescale)
    for begin, length, place, size in zip(begins, lengths, places, sizes, strict=True):
        if place + size > len(content) or size > _MAX_PAYLOAD_BYTES:
            raise ValueError(f"a payload of {size} bytes at {place}, in a file of {len(content)}")
        yield float(begin) / timescale + shift_s, float(length) / timescale, content[place : place + size]


def _is_telemetry(content: Content, track: Mp4Box) -> bool:
    box = find_box(content, b"mdia", b"minf", b"stbl", b"stsd", inside=track)
    return box is not None and content[box.begin + 12 : box.begin + 16] == b"gpmd"


def _required(content: Content, inside: Mp4Box, *path: bytes) -> Mp4Box:
    box = find_box(content, *path, inside=inside)
    if box is None:
        raise ValueError(f"no box {path[-1].decode()}")
    return box


def _timescale(content: Content, box: Mp4Box) -> int:
    """Ticks per second of ``mvhd`` or ``mdhd``: behind two times of four or, in version 1, eight bytes."""
    at = box.begin + (20 if content[box.begin] == 1 else 12)
    ticks = int(struct.unpack(">I", content[at : at + 4])[0])
    if not ticks:
        raise ValueError("a clock without ticks")
    return ticks


def _entries(content: Content, box: Mp4Box, form: str, *, at: int = 4) -> Ints:
    """(n, columns) rows of a table that begins with their number."""
    row = np.dtype(form)
    (count,) = struct.unpack(">I", content[box.begin + at : box.begin + at + 4])
    begin = box.begin + at + 4
    if count > _MAX_PAYLOADS or begin + count * row.itemsize > box.end:
        raise ValueError(f"a table of {count} rows")
    flat = np.frombuffer(content[begin : begin + count * row.itemsize], row.base)
    return flat.astype(np.int64).reshape(count, -1)


def _sizes(content: Content, box: Mp4Box) -> Ints:
    same, count = struct.unpack(">II", content[box.begin + 4 : box.begin + 12])
    if same:
        if count > _MAX_PAYLOADS:
            raise ValueError(f"{count} payloads")
        return np.full(count, same, np.int64)
    return _entries(content, box, "(1,)>u4", at=8).ravel()


def _durations(content: Content, box: Mp4Box, count: int) -> Ints:
    rows = _entries(content, box, "(2,)>u4")
    if rows[:, 0].sum() != count:
        raise ValueError(f"lengths of {rows[:, 0].sum()} payloads, sizes of {count}")
    return np.repeat(rows[:, 1], rows[:, 0])


def _places(content: Content, table: Mp4Box, sizes: Ints) -> Ints:
    """Where each payload lies in the file: chunk by chunk, behind each other within a chunk."""
    short = find_box(content, b"stco", inside=table)
    long = find_box(content, b"co64", inside=table)
    if short is None and long is None:
        raise ValueError("no box stco")
    chunks = (_entries(content, short, "(1,)>u4") if short else _entries(content, long or table, "(1,)>u8")).ravel()
    runs = _entries(content, _required(content, table, b"stsc"), "(3,)>u4")
    last = np.append(runs[1:, 0], len(chunks) + 1)
    per_chunk = np.repeat(runs[:, 1], np.maximum(last - runs[:, 0], 0))
    if len(per_chunk) != len(chunks) or per_chunk.sum() != len(sizes):
        raise ValueError(f"{per_chunk.sum()} payloads in chunks, sizes of {len(sizes)}")
    first = np.cumsum(per_chunk) - per_chunk
    before = np.concatenate([[0], np.cumsum(sizes)])
    chunk = np.repeat(np.arange(len(chunks)), per_chunk)
    return np.asarray(chunks[chunk] + before[:-1] - before[first[chunk]])


def _shift_s(content: Content, movie: Mp4Box, track: Mp4Box, timescale: int) -> float:
    """By how much an edit list begins the track later than its own clock, in seconds."""
    box = find_box(content, b"edts", b"elst", inside=track)
    if box is None:
        return 0.0
    wide = content[box.begin] == 1
    rows = _entries(content, box, "(5,)>i4" if wide else "(3,)>i4")
    if wide:  # two halves each of length and time
        raw = _entries(content, box, "(5,)>u4")
        rows = np.stack([(raw[:, 0] << 32) | raw[:, 1], (rows[:, 2] << 32) | raw[:, 3]], axis=1)
    movie_ticks = _timescale(content, _required(content, movie, b"mvhd"))
    shift_s = 0.0
    for length, time in rows[:, :2].tolist():
        if time >= 0:
            return shift_s - float(time) / timescale
        shift_s += length / movie_ticks
    return shift_s


def _marks_s(content: Content) -> list[float]:
    """HiLight marks: in the box of user data called ``GPMF``, of older cameras in one called ``HMMT``."""
    movie = find_box(content, b"moov")
    parts = () if movie is None else child_boxes(content, movie)
    boxes = [box for part in parts if part.kind == b"udta" for box in child_boxes(content, part)]
    found = [time for box in boxes if box.kind == b"GPMF" for time in marked_times_ms(content[box.begin : box.end])]
    if not found:
        older = (_entries(content, box, "(1,)>u4", at=0) for box in boxes if box.kind == b"HMMT")
        found = [time for times in older for time in times.ravel().tolist() if time]
    return sorted(time / 1000 for time in found)
