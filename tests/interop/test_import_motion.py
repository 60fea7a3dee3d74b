"""Motion sensors: samples and times as in an independent parse, bouts of the truth, and nothing that identifies."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
from coded_videos import make_video
from gopro_files import (
    ACCL_SCALE,
    CANARIES,
    GRAV_SCALE,
    GYRO_SCALE,
    PLACE_BYTES,
    Payload,
    add_telemetry,
    item,
    nested,
    payload_bytes,
    text,
)
from numpy.typing import NDArray

from visionllm_interaction.cli import app
from visionllm_interaction.cli.output import run_app
from visionllm_interaction.errors import InputDataError
from visionllm_interaction.interop.motion.gpmf import sensor_values
from visionllm_interaction.interop.motion.import_motion import import_motion, is_motion, read_motion
from visionllm_interaction.interop.motion.samples import MotionLimits, head_bouts
from visionllm_interaction.interop.sync.sync_recordings import sync_by_hand
from visionllm_interaction.measures.language.run import query
from visionllm_interaction.store.reader import open_store
from visionllm_interaction.store.recordings.clocks import Clock

LENGTHS_MS = (1001, 1001, 990, 1012, 1001, 500)
COUNTS = (198, 201, 200, 202, 199, 100)
MOVES = (1.2, 2.4)
"""When the head turns at 60 degrees per second; else at half a degree."""


def _payloads() -> list[Payload]:
    begin_s, made = 0.0, []
    for length_ms, count in zip(LENGTHS_MS, COUNTS, strict=True):
        t = begin_s + np.arange(count) * length_ms / 1000 / count
        speed = np.radians(np.where((t >= MOVES[0]) & (t < MOVES[1]), 60.0, 0.5))
        gyro = np.stack([speed * 0.6, -speed * 0.8, 0 * speed], axis=1) * GYRO_SCALE
        accl = np.tile([round(9.81 * ACCL_SCALE), 20, -30], (count, 1))
        grav = np.tile([1000, 2000, -GRAV_SCALE], (count // 7, 1))
        made.append(Payload(length_ms, *(np.rint(values).astype(np.int16) for values in (gyro, accl, grav))))
        begin_s += length_ms / 1000
    return made


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GoPro video of 5.5 s with 1,100 samples, and marks at 0.5 and 3.25 s."""
    folder = tmp_path_factory.mktemp("gopro")
    with av.open(str(folder / "plain.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=2)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for n in range(11):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 20 * n, np.uint8), format="rgb24")
            frame.pts, frame.time_base = n, Fraction(1, 2)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    payloads = [payload_bytes(payload) for payload in _payloads()]
    return add_telemetry(folder / "plain.mp4", folder / "GX010001.MP4", payloads, LENGTHS_MS, marks_ms=(3250, 500))


def _independent(film: Path, key: bytes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times and raw samples of a sensor: FFmpeg times the payloads, a search for the key finds the samples."""
    times: list[float] = []
    values: list[tuple[int, ...]] = []
    with av.open(str(film)) as container:
        for packet in container.demux(container.streams.data[0]):
            data = bytes(packet)
            if not data:
                continue
            at = data.index(key + b"s\x06")
            (count,) = struct.unpack(">H", data[at + 6 : at + 8])
            assert packet.pts is not None and packet.duration is not None and packet.time_base is not None
            begin_s, length_s = float(packet.pts * packet.time_base), float(packet.duration * packet.time_base)
            times += [begin_s + n * length_s / count for n in range(count)]
            values += struct.iter_unpack(">3h", data[at + 8 : at + 8 + 6 * count])
    return np.array(times), np.array(values, np.float64)


def test_samples_and_times_are_those_of_an_independent_parse(film: Path) -> None:
    motion = read_motion(film)
    assert [len(motion.sensors[sensor].t) for sensor in ("GYRO", "ACCL", "GRAV")] == [
        sum(COUNTS), sum(COUNTS), sum(count // 7 for count in COUNTS),
    ]  # fmt: skip
    for sensor, scale in (("GYRO", GYRO_SCALE), ("ACCL", ACCL_SCALE)):
        times, raw = _independent(film, sensor.encode())
        found = motion.sensors[sensor]  # type: ignore[index]
        np.testing.assert_allclose(found.t, times, atol=1e-9)
        np.testing.assert_allclose(found.xyz, raw[:, [1, 2, 0]] / scale)  # channels are Z, X, Y
    assert motion.marks_s == (0.5, 3.25)


def test_gravity_has_an_order_of_axes_of_its_own(film: Path) -> None:
    motion = read_motion(film)
    x, y, z = motion.sensors["GRAV"].xyz[0]
    assert (x, y, z) == (pytest.approx(1000 / GRAV_SCALE), pytest.approx(1.0), pytest.approx(-2000 / GRAV_SCALE))


@pytest.mark.parametrize(
    ("said", "xyz"),
    [
        ((), [20.0, 30.0, 10.0]),  # HERO5: Z, X, Y without a word
        ((text("ORIN", "YxZ"), text("ORIO", "ZXY")), [-20.0, 10.0, 30.0]),  # HERO7: small letters are reversed
        ((text("ORIN", "XYZ"), item("SCAL", "s", 2, struct.pack(">3h", 10, 5, 1))), [1.0, 4.0, 30.0]),
        (
            (text("ORIO", "ZXY"), item("MTRX", "f", 4, struct.pack(">9f", 0, 0, 1, 0, -1, 0, 1, 0, 0))),
            [-20.0, 10.0, 30.0],
        ),
    ],
)
def test_scale_and_axes_are_as_the_stream_says(said: tuple[bytes, ...], xyz: list[float]) -> None:
    values = item("GYRO", "s", 6, struct.pack(">3h", 10, 20, 30))
    found = sensor_values(nested("DEVC", nested("STRM", *said, values)))
    np.testing.assert_allclose(found["GYRO"], [xyz])


@pytest.mark.parametrize(
    "stream",
    [
        item("GYRO", "s", 4, struct.pack(">2h", 1, 2)),  # two channels
        item("GYRO", "?", 6, b"\0" * 6),  # a type of its own
        item("SCAL", "s", 2, b"\0\0") + item("GYRO", "s", 6, b"\0" * 6),  # a scale of zero
        text("ORIN", "XXY") + item("GYRO", "s", 6, b"\0" * 6),
        struct.pack(">4scBH", b"GYRO", b"s", 6, 9),  # cut off
    ],
)
def test_damaged_telemetry_is_no_number(stream: bytes) -> None:
    with pytest.raises(ValueError, match=r"GYRO|ORIN|item"):
        sensor_values(nested("DEVC", nested("STRM", stream)))


def test_head_movement_reaches_the_language_on_the_videos_clock(film: Path, tmp_path: Path) -> None:
    store = make_video(tmp_path / "store", {})
    result = import_motion(film, store, video_id="a")
    assert (result.samples, result.marks) == (sum(COUNTS), 2)
    assert result.moving_s == pytest.approx(MOVES[1] - MOVES[0], abs=0.06)
    assert result.moving_s + result.still_s == pytest.approx(sum(LENGTHS_MS) / 1000, abs=0.01)
    with open_store(store) as opened:
        moving, still, marks, after = (
            query(expression, opened).rows[0]
            for expression in (
                "total(head_moving(child))",
                "share(head_still(child))",
                'count(coded("HiLight"))',
                "count(during(head_moving(child), between(6s, 20s)))",
            )
        )
    assert moving.value == pytest.approx(1.2, abs=0.06)
    # Of the 20 s of the video 5.5 have samples: what is not known is not still.
    assert still.value == pytest.approx(1 - 1.2 / 5.505, abs=0.02)
    assert marks.value == 2 and after.value in (None, 0)


def test_a_corrected_clock_moves_head_movement_and_marks(film: Path, tmp_path: Path) -> None:
    store = make_video(tmp_path / "store", {})
    import_motion(film, store, video_id="a", clock=Clock(-2.0))
    with open_store(store) as opened:
        codes = opened.codes("a")
    assert [c.begin_s for c in codes if c.tier == "HiLight"] == [pytest.approx(1.25)]  # the other is before the video
    assert [round(c.end_s, 1) for c in codes if c.label == "moving"] == [0.4]  # cut at the video's begin
    sync_by_hand(store, video_id="a", recording="GoPro of child", clock=Clock(3.0))
    with open_store(store) as opened:
        codes = opened.codes("a")
    assert sorted(c.begin_s for c in codes if c.tier == "HiLight") == [pytest.approx(3.5), pytest.approx(6.25)]
    assert [round(c.begin_s, 1) for c in codes if c.label == "moving"] == [4.2]


def test_nothing_that_identifies_enters_the_store(
    film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = film.read_bytes()
    for canary in (CANARIES[0].encode(), CANARIES[1].encode(), PLACE_BYTES[0], b"2021-03-04"):
        assert canary in source
    store = make_video(tmp_path / "store", {})
    assert run_app(app, ["import", str(film), "--video", "a", "--store", str(store), "--json"]) == 0
    printed = capsys.readouterr().out
    assert json.loads(printed)["samples"] == sum(COUNTS)
    tables = [pq.read_table(path).to_pylist() for path in store.rglob("*.parquet")]  # also what compression hides
    written = b"".join(path.read_bytes() for path in store.rglob("*") if path.is_file())
    everything = written + repr(tables).encode() + printed.encode()
    assert not [c for c in (*(c.encode() for c in CANARIES), *PLACE_BYTES, b"GX010001") if c in everything]
    assert not [number for number in (59.9139, 10.7522) if f"{number:.3f}".encode() in everything]


def _write_texts(folder: Path, names: Sequence[str] = ("GYRO", "ACCL")) -> Path:
    folder.mkdir()
    for name in names:
        unit = "rad/s" if name == "GYRO" else "m/s²"
        rows = [f"  {name} {v:.3f}{unit}, 0.000{unit}, 0.000{unit}, " for v in [0.0] * 200 + [1.0] * 200 + [0.0] * 200]
        lines = ["VIDEO FRAMERATE:", "  30 with 90 frames", *rows]
        lines.append(f'{name} sampling rate = 200.000000Hz (time 0.000000 to 3.000000)",')
        (folder / f"{name}_meta.txt").write_text("\n".join(lines), encoding="utf-8")
    return folder


def test_texts_and_table_of_babyview_give_the_same_bouts(tmp_path: Path) -> None:
    folder = _write_texts(tmp_path / "texts")
    table = tmp_path / "imu.csv"
    header = "Timestamp (s),ACCL_X (m/s²),ACCL_Y (m/s²),ACCL_Z (m/s²),GYRO_X (rad/s),GYRO_Y (rad/s),GYRO_Z (rad/s)"
    rows = [f"{n / 30:.4f},9.8,0,0,{1.0 if 30 <= n < 60 else 0.0},0,0" for n in range(90)]
    table.write_text("\n".join([header, *rows]), encoding="utf-8")
    assert is_motion(folder) and is_motion(table)
    stores = [make_video(tmp_path / name, {}) for name in ("one", "two")]
    results = [import_motion(path, store, video_id="a") for path, store in zip((folder, table), stores, strict=True)]
    assert [result.samples for result in results] == [600, 90]
    assert all(result.moving_s == pytest.approx(1.0, abs=0.12) for result in results)
    assert results[0].notes == () and "30 samples a second" in results[1].notes[0]
    np.testing.assert_allclose(read_motion(folder).sensors["GYRO"].t, np.arange(600) / 200)


def test_pauses_and_gaps_between_bouts() -> None:
    t = np.concatenate([np.arange(400) / 100, 6 + np.arange(100) / 100])
    speed = np.zeros(500)
    speed[100:150] = speed[160:200] = 50  # a pause of 0.1 s is none
    speed[300:305] = 200  # too short a jerk
    bouts = head_bouts(t, speed, MotionLimits(window_s=0.0))
    rounded = [(bout.state, round(bout.begin_s, 2), round(bout.end_s, 2)) for bout in bouts]
    assert rounded == [("still", 0.0, 1.0), ("moving", 1.0, 2.0), ("still", 2.0, 4.0), ("still", 6.0, 7.0)]


@pytest.mark.parametrize("case", ["no telemetry", "no gyroscope", "cut off", "text", "empty", "no times"])
def test_what_holds_no_motion_is_refused(film: Path, tmp_path: Path, case: str) -> None:
    path = tmp_path / "x.mp4"
    content = film.read_bytes()
    if case == "no telemetry":
        path = film.with_name("plain.mp4")
    elif case == "no gyroscope":
        path.write_bytes(content.replace(b"GYRO", b"GYRX"))
    elif case == "cut off":
        path.write_bytes(content[: len(content) // 2] + content[content.rindex(b"moov") - 4 :])
    elif case == "no times":
        path = _write_texts(tmp_path / "texts")
        file = path / "GYRO_meta.txt"
        file.write_text(file.read_text(encoding="utf-8").replace("sampling rate", "rate"), encoding="utf-8")
    else:
        path.write_bytes(b"" if case == "empty" else b"GYRO 1 2 3")
    with pytest.raises(InputDataError):
        read_motion(path)
    store = make_video(tmp_path / "store", {})
    assert run_app(app, ["import", str(path), "--video", "a", "--store", str(store)]) == 3
