"""Decoding: real time stamps, sampling, rotation, damage, limits and hostile files."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from video_files import write_sound, write_video

from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frame_table import NOT_SAMPLED, OK, UNCHANGED
from visionllm_interaction.errors import VideoError
from visionllm_interaction.video.config import DecodeConfig
from visionllm_interaction.video.decoding.containers import sniff_format
from visionllm_interaction.video.decoding.frame_sampling import CandidateFrame, ChangeSampler
from visionllm_interaction.video.decoding.prefetch import read_ahead
from visionllm_interaction.video.decoding.reader import VideoReader, read_frame_at
from visionllm_interaction.video.tracking.pipeline import TrackedVideo

UNEVEN_MS = [0, 40, 80, 200, 240, 1000, 1013, 1100, 1900, 2000]


@pytest.fixture
def uneven(tmp_path: Path) -> Path:
    return write_video(tmp_path / "uneven.mp4", times_ms=UNEVEN_MS)


def test_times_are_the_presentation_times_not_index_over_rate(uneven: Path) -> None:
    reader = VideoReader(uneven)
    frames = list(reader)
    table = reader.frame_table()
    assert [f.timestamp_s for f in frames] == pytest.approx([t / 1000 for t in UNEVEN_MS], abs=1e-9)
    assert table.timestamp_s.tolist() == [f.timestamp_s for f in frames]
    steps = np.diff(UNEVEN_MS) / 1000
    gaps = steps > 0.5  # for which no frame stands: nothing was recorded
    assert table.duration_s[:-1][~gaps] == pytest.approx(steps[~gaps], abs=1e-9)
    assert (table.duration_s[:-1][gaps] < 0.15).all()
    assert [end_s for _, end_s in table.gaps()] == pytest.approx([1.0, 1.9])
    assert table.duration_s.sum() + sum(e - b for b, e in table.gaps()) == pytest.approx(table.length_s)
    assert set(table.quality) == {OK}


def test_each_frame_is_the_picture_of_its_time(uneven: Path) -> None:
    for frame in VideoReader(uneven):
        assert abs(int(frame.image_rgb[40, 50, 0]) - 10 * frame.frame_index) <= 3
        assert frame.image_rgb.shape == (48, 64, 3)


@pytest.mark.parametrize(("fps", "chosen"), [(1.0, [0, 5, 9]), (5.0, [0, 3, 5, 8, 9]), (100.0, list(range(10)))])
def test_sampling_takes_the_first_frame_of_each_interval(uneven: Path, fps: float, chosen: list[int]) -> None:
    reader = VideoReader(uneven, config=DecodeConfig(sample_fps=fps))
    assert [f.frame_index for f in reader] == chosen
    table = reader.frame_table()
    assert np.flatnonzero(table.processed).tolist() == chosen
    assert len(table) == 10 and table.quality.count(NOT_SAMPLED) == 10 - len(chosen)
    # What was passed over is stood for by the frame before it: nothing of the video is lost but its gaps.
    whole = VideoReader(uneven)
    assert len(list(whole)) == 10
    assert table.duration_s[table.processed].sum() == pytest.approx(whole.frame_table().duration_s.sum())


@pytest.mark.parametrize(
    ("change", "gap_s", "margin_s", "chosen"),
    [
        (5.0, 9.0, 0.0, list(range(10))),  # each frame is 10 grey levels lighter than the one before
        (25.0, 9.0, 0.0, [0, 3, 6, 9]),  # slow changes add up
        (99.0, 9.0, 0.0, [0]),
        (99.0, 0.08, 0.0, [0, 2, 4, 6, 8]),  # looked at again though nothing has changed
        (55.0, 9.0, 0.04, [0, 5, 6, 7]),  # and what comes before and after a change
        (55.0, 9.0, 0.12, [0, 3, 4, 5, 6, 7, 8, 9]),
        (75.0, 0.16, 0.08, [0, 4, 8]),  # what is looked at because time has passed is no change
    ],
)
def test_adaptive_sampling_takes_frames_in_which_something_changed(
    tmp_path: Path, change: float, gap_s: float, margin_s: float, chosen: list[int]
) -> None:
    path = write_video(tmp_path / "lighter.mp4", times_ms=list(range(0, 400, 40)))
    config = DecodeConfig(adaptive=True, adaptive_change=change, adaptive_gap_s=gap_s, adaptive_margin_s=margin_s)
    reader = VideoReader(path, config=config)
    frames = list(reader)
    assert [f.frame_index for f in frames] == chosen
    table = reader.frame_table()
    assert np.flatnonzero(table.processed).tolist() == chosen
    assert [f.unchanged_s for f in frames] == table.unchanged_before()
    assert {note for n, note in enumerate(table.quality) if n not in chosen} <= {UNCHANGED}
    assert table.duration_s[table.processed].sum() == pytest.approx(0.4)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_pictures_stand_upright(tmp_path: Path, rotation: int) -> None:
    path = write_video(tmp_path / "turned.mp4", times_ms=[0, 40], rotation=rotation)
    reader = VideoReader(path)
    image = next(iter(reader)).image_rgb
    assert (reader.info.height, reader.info.width) == image.shape[:2] == ((64, 48) if rotation != 180 else (48, 64))
    quarters = {
        90: (slice(0, 20), slice(30, 48)),  # turned clockwise by 90: the white quarter is at the upper right
        180: (slice(30, 48), slice(40, 64)),
        270: (slice(40, 64), slice(0, 20)),
    }
    assert image[quarters[rotation]].mean() > 240
    assert (image > 200).mean() == pytest.approx(0.25, abs=0.03)


def test_a_frame_is_found_again_by_its_index(uneven: Path) -> None:
    frame = read_frame_at(uneven, 7)
    assert (frame.frame_index, frame.timestamp_s) == (7, pytest.approx(1.1))
    assert abs(int(frame.image_rgb[40, 50, 0]) - 70) <= 3
    with pytest.raises(VideoError, match="no such frame"):
        read_frame_at(uneven, 10)


@pytest.mark.parametrize(("name", "codec"), [("v.mkv", "libx264"), ("v.avi", "mpeg4"), ("v.ts", "libx264")])
def test_other_containers_are_read(tmp_path: Path, name: str, codec: str) -> None:
    path = write_video(tmp_path / name, times_ms=[0, 40, 80, 120, 160], codec=codec)
    reader = VideoReader(path)
    assert len(list(reader)) == 5
    assert np.diff(reader.frame_table().timestamp_s) == pytest.approx([0.04] * 4, abs=1e-3)
    assert reader.frame_table().timestamp_s[0] == pytest.approx(0.0, abs=1e-3)


def damage(path: Path) -> Path:
    """Overwrite a little in the middle of the file."""
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 160] = b"\xff" * 160
    path.write_bytes(bytes(data))
    return path


def test_damaged_frames_are_noted_and_the_rest_is_read(tmp_path: Path) -> None:
    path = damage(write_video(tmp_path / "v.mp4", times_ms=list(range(0, 1200, 40)), size=(160, 120)))
    reader = VideoReader(path)
    good = [f.frame_index for f in reader]
    table = reader.frame_table()
    assert 20 <= len(good) < 30 == len(table)
    assert np.flatnonzero(table.processed).tolist() == good
    assert {q.split(":")[0] for q in table.quality} == {"ok", "damaged"}
    assert table.timestamp_s.tolist() == pytest.approx(np.arange(30) * 0.04)
    [note] = TrackedVideo(reader.info, table, DetectionTable.empty(), ()).notes()
    assert note.startswith(f"{30 - len(good)} of 30 frames")


def test_a_tail_that_is_missing_is_noted(tmp_path: Path) -> None:
    path = damage(write_video(tmp_path / "v.mkv", times_ms=list(range(0, 1200, 40)), size=(160, 120)))
    reader = VideoReader(path)
    assert 1 <= len(list(reader)) < 20  # this format cannot be read on beyond the damage
    notes = TrackedVideo(reader.info, reader.frame_table(), DetectionTable.empty(), ()).notes()
    assert "ends early" in notes[-1] and "1.2 s" in notes[-1]


def hostile_files(folder: Path) -> Iterator[tuple[str, bytes | None]]:
    """Files that must not be read, by name; ``None`` means that the file is made elsewhere."""
    good = write_video(folder / "sibling.mp4", times_ms=[0, 40, 80]).read_bytes()
    yield "empty.mp4", b""
    yield "text.mp4", b"this is not a video\n" * 50
    yield "concat.mp4", b"ffconcat version 1.0\nfile sibling.mp4\n"
    yield "hls.mp4", b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsibling.mp4\n#EXT-X-ENDLIST\n"
    yield "dash.mp4", b'<?xml version="1.0"?><MPD><Period/></MPD>'
    yield "header.mp4", good[:200]
    yield "cut.mp4", good[: len(good) // 2]
    yield "picture.mp4", b"\x89PNG\r\n\x1a\n" + b"\0" * 100
    yield "matroska.mkv", b"\x1a\x45\xdf\xa3" + b"\xff" * 300
    yield "ts.ts", (b"\x47" + b"\0" * 187) * 20


def test_hostile_and_broken_files_are_refused_with_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []
    monkeypatch.setattr(socket.socket, "connect", lambda self, address: opened.append(address))
    for name, content in hostile_files(tmp_path):
        path = tmp_path / name
        path.write_bytes(content or b"")
        with pytest.raises(VideoError) as caught:
            list(VideoReader(path))
        assert caught.value.where == str(path), name
        assert caught.value.expected and caught.value.found, name
    assert not opened


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="no video stream"):
        VideoReader(write_sound(tmp_path / "sound.mp4"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"none\.mp4"):
        VideoReader(tmp_path / "none.mp4")


@pytest.mark.parametrize(
    "limit", [{"max_megapixels": 0.002}, {"max_duration_s": 1.0}, {"max_frames": 5}], ids=lambda d: next(iter(d))
)
def test_limits_are_kept(uneven: Path, limit: dict[str, float]) -> None:
    with pytest.raises(VideoError, match="over a limit"):
        list(VideoReader(uneven, config=DecodeConfig.model_validate(limit)))


def test_a_gigantic_header_is_refused_before_its_pixels(tmp_path: Path) -> None:
    path = tmp_path / "huge.gif"
    path.write_bytes(
        b"GIF89a" + (60000).to_bytes(2, "little") * 2 + b"\x00\x00\x00" + b"," + b"\0" * 4 + b"\x60\xea" * 2
    )
    begin = time.perf_counter()
    with pytest.raises(VideoError):
        list(VideoReader(path))
    assert time.perf_counter() - begin < 5


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\0\0\0\x20ftypisom", "mov"),
        (b"\x1a\x45\xdf\xa3", "matroska"),
        (b"RIFF\0\0\0\0AVI LIST", "avi"),
        (b"RIFF\0\0\0\0WAVEfmt ", None),  # sound in the same wrapping
        (b"GIF89a", "gif"),
        ((b"\x47" + b"\0" * 187) * 2, "mpegts"),
        (b"\0" * 100 + (b"\x47" + b"\0" * 187) * 6, "mpegts"),  # cut in the middle of a packet
        (b"\0" * 100 + (b"\x47" + b"\0" * 203) * 6, "mpegts"),  # with error correction behind each packet
        (b"\0" * 100 + b"\x47" + b"\0" * 1200, None),
        (b"\x1f\x07\x00\xbf\xf8\x78", "dv"),
        (b"FLV\x01\x05", "flv"),
        (bytes.fromhex("060e2b34020501010d01020101020400"), "mxf"),
        (b"#EXTM3U", None),
        (b"ffconcat version", None),
        (b"", None),
    ],
)
def test_formats_are_told_by_their_first_bytes(head: bytes, name: str | None) -> None:
    assert sniff_format(head) == name


def test_reading_ahead_keeps_order_and_bound() -> None:
    made: list[int] = []

    def source() -> Iterator[int]:
        for n in range(20):
            made.append(n)
            yield n

    items = read_ahead(source(), depth=3)
    assert next(items) == 0
    time.sleep(0.3)
    assert len(made) <= 6  # one taken, three waiting, one in hand, one being made
    assert list(items) == list(range(1, 20))


def test_reading_ahead_hands_over_errors_and_stops_its_thread() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise VideoError("broken")

    with pytest.raises(VideoError, match="broken"):
        list(read_ahead(source(), depth=2))
    items = read_ahead(iter(range(10**9)), depth=2)
    next(items)
    items.close()  # type: ignore[attr-defined]
    assert not [t for t in threading.enumerate() if t.name == "decode-ahead"]


@pytest.mark.parametrize(
    ("name", "frames", "seconds"),
    [
        ("one-by-one-person-detection.mp4", 1394, 139.4),  # 10 fps
        ("bottle-detection.mp4", 1189, 39.85),
        ("face-demographics-walking-and-pause.gif", 41, 3.41),
        ("head-pose-face-detection-female-and-male.gif", 56, 4.66),
    ],
)
def test_real_clips_have_the_frames_and_length_that_other_programs_give(
    shared_data: Path, name: str, frames: int, seconds: float
) -> None:
    reader = VideoReader(shared_data / "videos" / name)
    assert len(list(reader.scan())) == frames
    assert reader.frame_table().duration_s.sum() == pytest.approx(seconds, abs=0.05)


def test_few_frames_are_kept_until_it_is_known_whether_something_changes() -> None:
    frames = [av.VideoFrame.from_ndarray(np.full((48, 64), min(n, 8) * 10, np.uint8), format="gray") for n in range(20)]
    few = 2 * 48 * 64 * 3 // 2
    sampler = ChangeSampler(change=75.0, gap_s=9.0, margin_s=0.2, held_bytes=few)
    decided = [m for n, frame in enumerate(frames) for m in sampler.add(CandidateFrame(n * 0.04, OK, frame))]
    decided += sampler.end()
    assert [m.time_s for m in decided] == pytest.approx([n * 0.04 for n in range(20)])
    # five frames lie within 0.2 s before the change in frame 8; two were still there
    assert [n for n, m in enumerate(decided) if m.note == OK] == [0, *range(6, 14)]
