"""Files as cameras, recorders and other programs write them: streams, orientation, pixels, clocks and sound."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import av
import numpy as np
import pytest
from video_files import write_images, write_video
from video_formats import MATRICES, Spec, bright_quarter, expected_quarter, make, sound_lag_s

from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frame_table import NOT_SAMPLED, OK, FrameTable
from visionllm_interaction.errors import VideoError
from visionllm_interaction.video.anonymization.blur import blur_video
from visionllm_interaction.video.config import DecodeConfig
from visionllm_interaction.video.decoding.demuxer import NO_TIME, ClockJump, ContinuousClock, TimestampEstimator, timed
from visionllm_interaction.video.decoding.frame_sampling import IntervalSampler
from visionllm_interaction.video.decoding.reader import VideoReader, read_audio
from visionllm_interaction.video.tracking.detections_file import load_detections, truth_categories
from visionllm_interaction.video.tracking.pipeline import TrackedVideo


def read(path: Path, **decode: object) -> tuple[VideoReader, FrameTable, tuple[str, ...]]:
    """A reader that has read all, its frames, and what is odd about the file."""
    reader = VideoReader(path, config=DecodeConfig.model_validate(decode))
    for _ in reader.scan():
        pass
    table = reader.frame_table()
    return reader, table, TrackedVideo(reader.info, table, DetectionTable.empty(), (), reader.ending).notes()


def write_ts(path: Path, first_s: float, *, seconds: float = 2.0) -> bytes:
    """A transport stream of 10 images a second whose clock shows ``first_s`` first."""
    times = [round((first_s + n / 10) * 1000) for n in range(round(10 * seconds))]
    images = np.full((len(times), 48, 64, 3), 90, np.uint8)
    return write_images(path, images, times_ms=times).read_bytes()


def without_stamps(data: bytes, which: Callable[[int], bool]) -> bytes:
    """A transport stream in which the images numbered ``which`` carry no time stamp (stuffing in its place)."""
    stream, number = bytearray(data), -1
    for at in range(0, len(stream), 188):
        packet = stream[at : at + 188]
        body = 4 + (1 + packet[4] if packet[3] >> 4 & 2 else 0)
        if packet[1] & 0x40 and packet[body : body + 3] == b"\0\0\1" and 0xE0 <= packet[body + 3] <= 0xEF:
            number += 1
            if which(number):
                length, begin = packet[body + 8], at + body + 9
                stream[at + body + 7] &= 0x3F
                stream[begin : begin + length] = b"\xff" * length
    return bytes(stream)


# ── which stream ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_cover_is_passed_over(tmp_path: Path) -> None:
    path = make(Spec("mp4", "libx264", "10", "upright", "1", "cover first", None, "together"), tmp_path)
    with av.open(str(path)) as container:
        assert len(container.streams.video) == 2, "the file has a cover"
    reader, table, notes = read(path)
    assert (reader.info.codec, reader.info.width, len(table), notes) == ("h264", 96, 14, ())


def test_the_default_stream_is_read_and_any_can_be_asked_for(tmp_path: Path) -> None:
    path = make(Spec("mkv", "libx264", "10", "upright", "1", "default second", None, "together"), tmp_path)
    reader, _, notes = read(path)
    assert (reader.info.stream, reader.info.width) == (1, 96)
    assert notes[0].startswith("the file holds 2 video streams: 0 (h264, 48 x 32), 1 (h264, 96 x 64); 1 was analysed")
    assert read(path, stream=0)[0].info.width == 48
    with pytest.raises(VideoError, match="no such stream") as caught:
        VideoReader(path, config=DecodeConfig(stream=7))
    assert "0 (h264, 48 x 32)" in str(caught.value.expected)


# ── orientation, pixels, sizes ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("turn", MATRICES)
def test_every_turn_and_reflection_is_undone(tmp_path: Path, turn: str) -> None:
    spec = Spec("mp4", "libx264", "10", turn, "1", "video first", None, "together")
    reader = VideoReader(make(spec, tmp_path))
    image = next(iter(reader)).image_rgb
    assert bright_quarter(image) == expected_quarter(spec)
    assert reader.info.mirrored == (turn in ("mirrored", "flipped", "transposed", "transversed"))


@pytest.mark.parametrize(("turn", "size"), [("upright", (137, 64)), ("90", (64, 137))])
def test_images_have_square_pixels_and_given_boxes_follow(tmp_path: Path, turn: str, size: tuple[int, int]) -> None:
    path = make(Spec("mp4", "libx264", "10", turn, "64/45", "video first", None, "together"), tmp_path)
    reader, table, _ = read(path)
    info = reader.info
    assert (info.width, info.height) == pytest.approx(size, abs=1)
    assert info.pixel_aspect == "64/45"
    assert sorted((info.stored_width, info.stored_height)) == [64, 96]
    given = tmp_path / "d.json"
    box = {"frame_index": 0, "category_id": 1, "bbox": [0, 0, info.stored_width, info.stored_height], "score": 1}
    given.write_text(json.dumps({"categories": [{"id": 1, "name": "child"}], "detections": [box]}))
    rows, _ = load_detections(given, table, scale=info.stored_to_square)
    assert rows.boxes_xyxy[0].tolist() == pytest.approx([0, 0, info.width, info.height])


def test_square_pixels_have_a_limit_too(tmp_path: Path) -> None:
    path = make(Spec("mp4", "libx264", "10", "upright", "3/1", "video first", None, "together"), tmp_path)
    assert VideoReader(path, config=DecodeConfig(max_megapixels=0.0185)).info.width == 288
    with pytest.raises(VideoError, match="over a limit") as caught:
        VideoReader(path, config=DecodeConfig(max_megapixels=0.0175))
    assert "288 x 64 in square pixels" in str(caught.value.found)


@pytest.mark.parametrize(("second", "bars"), [((128, 96), 0), ((64, 96), 2 / 3)])
def test_images_that_change_their_size_are_fitted_to_the_first(
    tmp_path: Path, second: tuple[int, int], bars: float
) -> None:
    path = tmp_path / "call.ts"
    parts = []
    for n, (width, height) in enumerate(((64, 48), second)):
        images = np.full((10, height, width, 3), 200, np.uint8)
        times = [1000 * n + 100 * k for k in range(10)]
        parts.append(write_images(tmp_path / f"{n}.ts", images, times_ms=times).read_bytes())
    path.write_bytes(b"".join(parts))
    reader = VideoReader(path)
    frames = list(reader)
    assert len(frames) == 20 and {frame.image_rgb.shape for frame in frames} == {(48, 64, 3)}
    last = frames[-1].image_rgb
    assert (last < 50).mean() == pytest.approx(0.5 if bars else 0.0, abs=0.05)  # half as wide: half of it is bars
    assert "10 images of another size than the first, fitted to 64 x 48" in read(path)[2]


# ── clocks ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("second_s", [0.0, 105.0, 1.0])
def test_parts_joined_end_to_end_go_on_whatever_their_clocks_say(tmp_path: Path, second_s: float) -> None:
    path = tmp_path / "joined.ts"
    path.write_bytes(write_ts(tmp_path / "a.ts", 2.0) + write_ts(tmp_path / "b.ts", second_s))
    _, table, notes = read(path)
    assert table.processed.all()
    assert table.timestamp_s == pytest.approx(np.arange(40) / 10, abs=0.002)
    assert len(notes) == 1 and "the clock jumps by" in notes[0] and "at 2.0 s" in notes[0]


def test_a_gap_in_the_time_stamps_is_processed_by_no_frame(tmp_path: Path) -> None:
    path = write_video(tmp_path / "gap.mkv", times_ms=[*range(0, 1000, 40), *range(4000, 5000, 40)])
    _, table, notes = read(path)
    assert table.gaps() == [(pytest.approx(1.0), pytest.approx(4.0))]
    assert table.duration_s.sum() == pytest.approx(2.0)
    assert table.length_s == pytest.approx(5.0)
    assert notes == ("1 gap in the time stamps, not processed: 1.0-4.0 s",)


@pytest.mark.parametrize("slow_ms", [200, 400, 1000])
def test_a_change_of_rate_is_no_gap(slow_ms: int) -> None:
    times = np.concatenate([np.arange(0, 2000, 40), 2000 + np.arange(0, 20 * slow_ms, slow_ms)]) / 1000
    table = FrameTable.from_times(np.arange(len(times)), times, processed=np.ones(len(times), np.bool_))
    assert table.gaps() == []
    assert table.duration_s.sum() == pytest.approx(table.length_s)
    assert table.duration_s[-1] == pytest.approx(slow_ms / 1000), "the last frame lasts as long as those before it"


def test_frames_without_a_time_stamp_are_passed_over_by_the_process_that_decodes(tmp_path: Path) -> None:
    path = tmp_path / "some.ts"
    path.write_bytes(without_stamps(write_ts(tmp_path / "a.ts", 0.0), lambda n: n in (5, 12)))
    _, table, notes = read(path)
    assert table.timestamp_s == pytest.approx(np.arange(20) / 10, abs=0.06)
    timed_frames = np.array([note == OK for note in table.quality])
    assert 17 <= timed_frames.sum() < 20
    assert table.timestamp_s[timed_frames] == pytest.approx(np.flatnonzero(timed_frames) / 10, abs=0.001)
    untimed = [n for n, note in enumerate(table.quality) if note == NO_TIME]
    assert any(note.endswith(f"without a time stamp: {', '.join(map(str, untimed))}") for note in notes)


def test_a_file_without_any_time_stamp_is_refused_for_that(tmp_path: Path) -> None:
    path = tmp_path / "none.ts"
    path.write_bytes(without_stamps(write_ts(tmp_path / "a.ts", 0.0), lambda _: True))
    with pytest.raises(VideoError, match="no time stamps") as caught:
        read(path)
    assert "-r RATE" in str(caught.value.fix)


@pytest.mark.parametrize(
    ("first_s", "step_s", "expected"),
    [(0.5, 0.1, [0.2, 0.3, 0.4]), (0.2, 0.1, [0.0, 0.2 / 3, 0.4 / 3]), (0.0, 0.1, [-0.3, -0.2, -0.1])],
)
def test_frames_before_the_first_time_stamp_are_a_step_apart(
    first_s: float, step_s: float, expected: list[float]
) -> None:
    """They were a second apart, so that a video began some seconds before itself."""
    frames = [*[("a", None, OK)] * 3, ("b", first_s, OK)]
    assert [time for _, time, _ in timed(iter(frames), step_s=step_s)] == pytest.approx([*expected, first_s])


def _made_by_ffmpeg(path: Path, *options: str) -> Path:
    scene = ("-f", "lavfi", "-i", "testsrc=s=720x576:r=25:d=0.4")
    done = subprocess.run(["ffmpeg", "-v", "error", *scene, *options, str(path)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"this ffmpeg does not write {path.suffix}")
    return path


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("tape.dv", ("-target", "pal-dv", "-aspect", "4:3", "-an")),
        ("camera.mxf", ("-c:v", "mpeg2video", "-pix_fmt", "yuv422p", "-b:v", "20M")),
        ("screen.flv", ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-bf", "2")),
        ("web.flv", ("-c:v", "flv", "-b:v", "2M")),
    ],
)
def test_what_cameras_and_recorders_write_besides(tmp_path: Path, name: str, options: tuple[str, ...]) -> None:
    reader, table, _ = read(_made_by_ffmpeg(tmp_path / name, *options))
    assert reader.info.width == (768 if name == "tape.dv" else 720)
    assert np.diff(table.timestamp_s) == pytest.approx(np.full(9, 0.04), abs=0.001)
    assert table.processed.all()


def test_a_transport_stream_that_was_cut_in_the_middle_of_a_packet(tmp_path: Path) -> None:
    path = tmp_path / "cut.ts"
    path.write_bytes(write_ts(tmp_path / "a.ts", 0.0)[100:])
    _, table, _ = read(path)
    assert table.processed.sum() >= 15


def test_times_are_spread_where_they_are_missing() -> None:
    frames = [("a", 0.0, OK), ("b", None, OK), ("c", None, OK), ("d", 0.3, OK), ("e", 0.2, OK), ("f", None, OK)]
    found = list(timed(iter(frames)))
    assert [frame for frame, *_ in found] == ["a", None, None, "d", None, None]
    times = [time_s for _, time_s, _ in found]
    assert times[:4] == pytest.approx([0.0, 0.1, 0.2, 0.3])
    assert (np.diff(times) > 0).all()
    assert [note == OK for *_, note in found] == [True, False, False, True, False, False]
    assert list(timed(iter([("a", None, OK)]))) == []


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        ([(0, 0), (1, 1), (2, 2)], [0, 1, 2]),
        ([(None, 3), (None, 4)], [3, 4]),  # decoding times only
        ([(7, None), (9, None)], [7, 9]),
        ([(5, 0), (5, 1), (5, 2), (5, 3)], [5, 1, 2, 3]),  # presentation times that stand still
        ([(None, None)], [None]),
    ],
)
def test_the_more_reliable_of_two_clocks_is_taken(
    stamps: Sequence[tuple[int | None, int | None]], expected: list[int | None]
) -> None:
    clock = TimestampEstimator()
    assert [clock.guess(*pair) for pair in stamps] == expected


def test_the_sound_of_a_joined_file_is_put_back_as_far_as_its_images() -> None:
    seams = ContinuousClock(joinable=True, known=[ClockJump(2.0, -2.0)])
    assert [seams.shift(time) for time in (0.0, 1.0, 2.04, 0.04)] == pytest.approx([0.0, 1.0, 2.04, 2.04])
    still = ContinuousClock(joinable=False)
    assert [still.shift(time) for time in (0.0, 5.0, 0.0)] == [0.0, 5.0, 0.0]


@pytest.mark.parametrize("fps", [10.0, 15.0, 25.0, 29.97, 30.0])
def test_a_clock_of_whole_milliseconds_keeps_the_rate_that_is_asked_for(fps: float) -> None:
    sampler = IntervalSampler(fps)
    times = [round(1000 * n / 30) / 1000 for n in range(300)]
    assert sum(sampler.wants(time) for time in times) == pytest.approx(10 * fps, abs=1)


def test_sampling_at_the_rate_of_a_millisecond_clock_takes_every_frame(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mkv", times_ms=[round(n * 1000 / 30) for n in range(30)])
    assert read(path, sample_fps=30.0)[1].quality.count(NOT_SAMPLED) == 0


@pytest.mark.parametrize(("codec", "b_frames"), [("libx264", 3), ("mpeg4", 2), ("mpeg4", 0)])
def test_avi_has_every_frame_at_an_even_step(tmp_path: Path, codec: str, b_frames: int) -> None:
    path = tmp_path / "v.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10, options={"preset": "fast"} if codec == "libx264" else {})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.max_b_frames = b_frames
        for n in range(30):
            image = np.full((48, 64, 3), 8 * n, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    frames = list(VideoReader(path))
    assert len(frames) == 30
    assert np.diff([frame.timestamp_s for frame in frames]) == pytest.approx(np.full(29, 0.1), abs=1e-6)
    assert np.diff([float(frame.image_rgb.mean()) for frame in frames]).min() >= 0, "in order of presentation"


def test_a_sound_that_outlasts_the_images_is_no_early_end(tmp_path: Path) -> None:
    path = make(Spec("mp4", "libx264", "10", "upright", "1", "sound first", "aac", "image late"), tmp_path)
    reader, table, notes = read(path)
    assert (reader.info.declared_duration_s or 0) - float(table.duration_s.sum()) > 0.3
    assert notes == ()


# ── sound ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("ending", "sound", "offset"),
    [
        ("mp4", "aac", "sound late"),
        ("ts", "aac", "image late"),
        ("mkv", "libopus", "together"),
        ("avi", "pcm_s16le", "together"),
        ("mov", "pcm_s16be", "image late"),
    ],
)
def test_the_sound_of_a_copy_is_in_step(tmp_path: Path, ending: str, sound: str, offset: str) -> None:
    path = make(Spec(ending, "libx264", "10", "upright", "1", "video first", sound, offset), tmp_path)
    faces = tmp_path / "faces.json"
    face = {"frame_index": 0, "category_id": 1, "bbox": [1, 1, 3, 3], "score": 0.9}
    faces.write_text(json.dumps({"categories": [{"id": 1, "name": "face"}], "detections": [face]}))
    out = tmp_path / "copy" / "blurred.mp4"
    report = blur_video(path, out, detections=faces, keep_audio=True)
    assert report.audio is True
    before, after = sound_lag_s(path, 0), sound_lag_s(out, 0)
    assert before is not None and after == pytest.approx(before, abs=0.02)
    assert not list(out.parent.glob(".partial*"))


def test_a_video_without_sound_has_none_to_keep(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", times_ms=[0, 40, 80])
    assert list(read_audio(path)) == []


def test_sound_is_decoded_within_the_limits(tmp_path: Path) -> None:
    path = make(Spec("mkv", "libx264", "10", "upright", "1", "video first", "pcm_s16le", "together"), tmp_path)
    pieces = list(read_audio(path))
    assert sum(len(piece.samples) for piece in pieces) / 2 / pieces[0].rate == pytest.approx(1.4, abs=0.05)
    with pytest.raises(VideoError, match="over a limit"):
        list(read_audio(path, config=DecodeConfig(max_duration_s=0.5)))


def test_categories_of_the_truth_that_are_never_seen_are_known(tmp_path: Path) -> None:
    path = tmp_path / "truth.json"
    seen = {"index": 0, "objects": [{"category": "child"}]}
    path.write_text(json.dumps({"categories": [{"id": 1, "name": "ball"}], "frames": [seen]}))
    assert truth_categories(path) == ("ball", "child")
