"""GoPro's metadata format: keys, types and values inside each other. Only motion sensors and marks are decoded.

Keys of places (GPS5, GPS9, GPSU …), serial numbers and names are stepped over and never become values.

Source: https://github.com/gopro/gpmf-parser (format, and its issues 56, 165 and 170 on the order of axes).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from visionllm_interaction.interop.motion.samples import Floats, Sensor

SENSORS: tuple[Sensor, ...] = ("ACCL", "GYRO", "GRAV")
_DTYPES: Mapping[str, str] = MappingProxyType(
    {"b": ">i1", "B": ">u1", "s": ">i2", "S": ">u2", "l": ">i4", "L": ">u4", "f": ">f4", "d": ">f8"}
)
_AXES = "XYZ"
_UNSAID_ORDER: Mapping[Sensor, str] = MappingProxyType({"ACCL": "ZXY", "GYRO": "ZXY", "GRAV": "Xzy"})
"""Axes of the channels where a stream does not state them: HERO5's, and those of gravity, which never does."""
_MAX_DEPTH = 8


@dataclass(frozen=True, slots=True)
class GpmfItem:
    """One item: its key, the letter of its type (empty: items inside), and its values as they are stored."""

    key: str
    kind: str
    size: int
    data: bytes

    @property
    def is_nested(self) -> bool:
        """Whether it holds further items."""
        return not self.kind


def gpmf_items(data: bytes) -> Iterator[GpmfItem]:
    """The items of one level.

    Args:
        data: the bytes of a payload, or of a nested item.

    Yields:
        The items in order.

    Raises:
        ValueError: if an item reaches beyond the data.
    """
    at = 0
    while at + 8 <= len(data):
        key, kind, size, count = struct.unpack(">4scBH", data[at : at + 8])
        if key == b"\0\0\0\0":
            return
        length = size * count
        if at + 8 + length > len(data):
            raise ValueError(f"an item of {length} bytes where {len(data) - at - 8} are left")
        kind_letter = "" if kind == b"\0" else kind.decode("latin-1")
        yield GpmfItem(key.decode("latin-1"), kind_letter, size, data[at + 8 : at + 8 + length])
        at += 8 + (length + 3) // 4 * 4


def sensor_values(payload: bytes) -> dict[Sensor, Floats]:
    """The samples of the motion sensors in one payload.

    Args:
        payload: its bytes.

    Returns:
        Sensor → (n, 3) values along X, Y and Z, in the stream's unit. Of several streams of a sensor the first counts.

    Raises:
        ValueError: if an item is damaged.
    """
    found: dict[Sensor, Floats] = {}
    for stream in _nested(payload, "STRM", 0):
        items = list(gpmf_items(stream))
        said = {item.key: item for item in items}
        for sensor in SENSORS:
            if sensor in said and sensor not in found:
                found[sensor] = _along_axes(sensor, said)
    return found


def marked_times_ms(data: bytes) -> list[int]:
    """The moments of HiLight marks (``HMMT``) in milliseconds, in the order of the file.

    Args:
        data: the bytes of the box of user data called ``GPMF``.

    Returns:
        The times; places without a mark are zero and left out.

    Raises:
        ValueError: if an item is damaged.
    """
    found = (item for item in _walk(data, 0) if item.key == "HMMT" and item.kind == "L")
    return [int(time) for item in found for time in np.frombuffer(item.data, ">u4") if time]


def _walk(data: bytes, depth: int) -> Iterator[GpmfItem]:
    for item in gpmf_items(data):
        if not item.is_nested:
            yield item
        elif depth < _MAX_DEPTH:
            yield from _walk(item.data, depth + 1)


def _nested(data: bytes, key: str, depth: int) -> Iterator[bytes]:
    for item in gpmf_items(data):
        if item.key == key and item.is_nested:
            yield item.data
        elif item.is_nested and depth < _MAX_DEPTH:
            yield from _nested(item.data, key, depth + 1)


def _numbers(item: GpmfItem) -> Floats:
    """(n, channels) values of an item as stored."""
    dtype = np.dtype(_DTYPES.get(item.kind) or _unknown_type(item))
    if not item.size or item.size % dtype.itemsize:
        raise ValueError(f"{item.key} has {item.size} bytes a sample of type {item.kind}")
    return np.frombuffer(item.data, dtype).astype(np.float64).reshape(-1, item.size // dtype.itemsize)


def _unknown_type(item: GpmfItem) -> str:
    raise ValueError(f"{item.key} has values of the unknown type {item.kind!r}")


def _along_axes(sensor: Sensor, said: Mapping[str, GpmfItem]) -> Floats:
    """Scaled samples (n, 3) along X, Y and Z: ``ORIN`` names the axis of each channel, in small letters if reversed."""
    values = _numbers(said[sensor])
    if values.shape[1] != len(_AXES):
        raise ValueError(f"{sensor} has {values.shape[1]} channels instead of 3")
    scale = _numbers(said["SCAL"]).ravel() if "SCAL" in said else np.ones(1)
    if len(scale) not in (1, len(_AXES)) or not np.all(scale):
        raise ValueError(f"{sensor} has the scale {scale.tolist()}")
    values = values / scale
    order = _order(said.get("ORIN"))
    if order is None and "MTRX" in said and _order(said.get("ORIO")) is not None:
        # The matrix leads from the channels to the order that ORIO names.
        values = values @ _numbers(said["MTRX"]).reshape(3, 3).T
        order = _order(said.get("ORIO"))
    order = order or _UNSAID_ORDER[sensor]
    along = np.zeros_like(values)
    for channel, axis in enumerate(order):
        along[:, _AXES.index(axis.upper())] = values[:, channel] if axis.isupper() else -values[:, channel]
    return along


def _order(item: GpmfItem | None) -> str | None:
    if item is None:
        return None
    text = item.data.decode("latin-1").rstrip("\0")
    if sorted(text.upper()) != sorted(_AXES):
        raise ValueError(f"{item.key} names the axes {text!r}")
    return text
