"""GoPro videos made by hand: a video with a data track of telemetry (GPMF), marks, places and serial numbers."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

CANARIES = ("CanaryCam", "C3451CANARY99", "599139000", "2021-03-04", "canaryfirmware")
"""Parts of what identifies: name and serial number of the camera, places, date."""
_LATITUDE, _LONGITUDE = 599139000, 107522000
PLACE_BYTES = (struct.pack(">i", _LATITUDE), struct.pack("<i", _LATITUDE), struct.pack("<d", 59.9139))
ACCL_SCALE, GYRO_SCALE, GRAV_SCALE = 417, 939, 32767
TICKS = 1000
Ints16 = NDArray[np.int16]


@dataclass(frozen=True, eq=False)
class Payload:
    """One payload: its length in ms, and raw samples (n, 3) of the sensors in the order of their channels."""

    length_ms: int
    gyro: Ints16
    accl: Ints16
    grav: Ints16


def item(key: str, kind: str, size: int, data: bytes) -> bytes:
    """One item of GPMF, padded to four bytes; without a kind it is nested."""
    count = len(data) // size if size else 0
    head = struct.pack(">4scBH", key.encode(), kind.encode() or b"\0", size, count)
    return head + data + b"\0" * (-len(data) % 4)


def text(key: str, value: str) -> bytes:
    """An item of letters."""
    return item(key, "c", 1, value.encode("latin-1"))


def nested(key: str, *items: bytes) -> bytes:
    """An item with items inside."""
    return item(key, "", 1, b"".join(items))


def payload_bytes(payload: Payload, *, orin: str | None = "ZXY") -> bytes:
    """DEVC with a stream for each sensor, between places and names that are not to be read."""

    def stream(key: str, scale: int, values: Ints16, *more: bytes) -> bytes:
        return nested(
            "STRM",
            item("STMP", "J", 8, struct.pack(">Q", 77)),
            text("STNM", f"{key} (canaryfirmware)"),
            *more,
            item("SCAL", "s", 2, struct.pack(">h", scale)),
            item(key, "s", 6, values.astype(">i2").tobytes()),
        )

    order = () if orin is None else (text("ORIN", orin),)
    place = struct.pack(">5i", _LATITUDE, _LONGITUDE, 0, 0, 0)
    return nested(
        "DEVC",
        item("DVID", "L", 4, struct.pack(">I", 1)),
        text("DVNM", CANARIES[0]),
        text("CASN", CANARIES[1]),
        nested("STRM", text("GPSU", "2021-03-04 05:06"), item("SCAL", "l", 4, struct.pack(">5i", *[1] * 5))
               + item("GPS5", "l", 20, place)),
        stream("ACCL", ACCL_SCALE, payload.accl, *order),
        stream("GYRO", GYRO_SCALE, payload.gyro, *order),
        stream("GRAV", GRAV_SCALE, payload.grav),
    )  # fmt: skip


def box(kind: str, *parts: bytes) -> bytes:
    """A box of MP4."""
    content = b"".join(parts)
    return struct.pack(">I4s", 8 + len(content), kind.encode()) + content


def add_telemetry(
    video: Path, out: Path, payloads: Sequence[bytes], lengths_ms: Sequence[int], *, marks_ms: Sequence[int] = ()
) -> Path:
    """Copy an MP4 whose header lies at its end, with one more track, and with user data as GoPro writes it."""
    content = video.read_bytes()
    at = content.rindex(b"moov") - 4
    (size,) = struct.unpack(">I", content[at : at + 4])
    body = content[:at] + content[at + size :]
    offsets, data = [], b""
    for payload in payloads:
        offsets.append(len(body) + 8 + len(data))
        data += payload
    moov = content[at + 8 : at + size]
    header = box("moov", moov, _track([len(p) for p in payloads], lengths_ms, offsets), _user_data(marks_ms))
    out.write_bytes(body + box("mdat", data) + header)
    return out


def _user_data(marks_ms: Sequence[int]) -> bytes:
    times = struct.pack(f">{len(marks_ms) + 3}I", *marks_ms, 0, 0, 0)
    gpmf = nested("DEVC", text("DVNM", "Highlights"), nested("STRM", item("HMMT", "L", 4, times)))
    return box("udta", box("FIRM", b"canaryfirmware"), box("CAME", CANARIES[1].encode()), box("GPMF", gpmf))


def _track(sizes: Sequence[int], lengths_ms: Sequence[int], offsets: Sequence[int]) -> bytes:
    total, count = sum(lengths_ms), len(sizes)
    head = struct.pack(">5I", 7, 0, 0, 9, 0) + struct.pack(">I", total) + b"\0" * 60
    entry = box("gpmd", b"\0" * 6 + struct.pack(">HI", 1, 0))
    table = box(
        "stbl",
        box("stsd", struct.pack(">II", 0, 1), entry),
        box("stts", struct.pack(">II", 0, count), *(struct.pack(">II", 1, length) for length in lengths_ms)),
        # The first chunk holds one payload, the others two, the last one what is left.
        box("stsc", _chunk_runs(count)),
        box("stsz", struct.pack(">III", 0, 0, count), *(struct.pack(">I", size) for size in sizes)),
        box("stco", _chunk_places(offsets)),
    )
    reference = box("dinf", box("dref", struct.pack(">II", 0, 1), box("url ", struct.pack(">I", 1))))
    media = box(
        "mdia",
        box("mdhd", struct.pack(">5IHH", 0, 0, 0, TICKS, total, 0x55C4, 0)),
        box("hdlr", struct.pack(">II4s3I", 0, 0, b"meta", 0, 0, 0), b"GoPro MET\0"),
        box("minf", box("nmhd", struct.pack(">I", 0)), reference, table),
    )
    return box("trak", box("tkhd", head), media)


def _chunk_runs(count: int) -> bytes:
    runs = [(1, 1)] + ([(2, 2)] if count > 2 else []) + ([(2 + (count - 1) // 2, 1)] if (count - 1) % 2 else [])
    return struct.pack(">II", 0, len(runs)) + b"".join(struct.pack(">III", chunk, each, 1) for chunk, each in runs)


def _chunk_places(offsets: Sequence[int]) -> bytes:
    chunks = [offsets[0], *offsets[1::2]]
    return struct.pack(">II", 0, len(chunks)) + struct.pack(f">{len(chunks)}I", *chunks)
