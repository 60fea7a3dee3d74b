"""Clocks from flashes, claps and the dates in files, and what is refused."""

from __future__ import annotations

import json
import wave
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from coded_files import HEADER, spans
from exchange_store import make_store

from visionllm_bench.toyroom.sensors.microphones import random_microphone, record, voices
from visionllm_bench.toyroom.sensors.speech import random_speech
from visionllm_interaction.cli import app
from visionllm_interaction.cli.output import run_app
from visionllm_interaction.errors import InputDataError, UsageError
from visionllm_interaction.interop.import_codes import ImportOptions, import_codes
from visionllm_interaction.interop.sync.clap import MICROPHONES_APART_S, claps
from visionllm_interaction.interop.sync.flash import GRID, Brightness, flashes
from visionllm_interaction.interop.sync.moments import MomentAlignment, SyncMoment, align_moments
from visionllm_interaction.interop.sync.sound_alignment import NoAlignmentError
from visionllm_interaction.interop.sync.sync_recordings import sync_by_clap, sync_by_dates, sync_by_flash, sync_by_hand
from visionllm_interaction.interop.sync.utc import BeginStamp, align_stamps, begin_stamp, parse_zone
from visionllm_interaction.store.recordings.imported_data import read_imported, read_recordings
from visionllm_interaction.video.decoding.reader import read_stamps

Floats = npt.NDArray[np.float64]
RATE = 8000


def _aligned(first: list[float], second: list[float], *, within_s: float = 0.01) -> MomentAlignment:
    one, two = ([SyncMoment(time, within_s) for time in times] for times in (first, second))
    return align_moments(one, two, reference_s=600.0, other_s=600.0, noun="clap")


def test_one_moment_in_each_gives_an_offset_that_drift_makes_less_sure_far_away() -> None:
    found = _aligned([300.0], [290.0])
    assert found.clock.map(290.0) == pytest.approx(300.0) and found.clock.drift_ppm == 0.0
    assert 0.02 <= found.residual_s < 0.06
    near = align_moments([SyncMoment(5, 0.01)], [SyncMoment(4, 0.01)], reference_s=10, other_s=10, noun="clap")
    assert near.residual_s < found.residual_s


def test_moments_far_apart_give_drift_too() -> None:
    own = [10.0, 200.0, 550.0]
    found = _aligned([12.0 + time * (1 + 80e-6) for time in own], own, within_s=0.001)
    assert found.clock.drift_ppm == pytest.approx(80, abs=5)
    assert all(abs(found.clock.map(t) - (12.0 + t * (1 + 80e-6))) <= found.residual_s for t in (0.0, 588.0))


def test_moments_that_only_one_heard_do_no_harm() -> None:
    found = _aligned([10.0, 37.0, 100.0, 130.0], [5.0, 32.0, 60.0, 125.0])
    assert [own for own, _ in found.pairs] == [5.0, 32.0, 125.0]
    assert found.clock.offset_s == pytest.approx(5.0, abs=0.01)


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        ([], [1.0], "no clap in the video"),
        ([1.0], [], "no clap in the recording"),
        ([10.0, 50.0], [20.0], "several ways"),  # which of the two?
        ([10.0, 20.0, 30.0], [10.0, 20.0], "several ways"),  # the same pause twice
        ([10.0, 50.0], [20.0, 90.0], "several ways"),  # no pause in common
    ],
)
def test_moments_that_can_be_paired_in_several_ways_are_refused(
    first: list[float], second: list[float], why: str
) -> None:
    with pytest.raises(NoAlignmentError, match=why):
        _aligned(first, second)


def _film(times: Floats, flash_s: float | None, *, rise_s: float = 0.0, seed: int = 0) -> Brightness:
    """A room in which somebody walks by, and light that is switched on."""
    rng = np.random.default_rng(seed)
    blocks = 80 + rng.normal(0, 0.7, (len(times), *GRID))
    for n, time in enumerate(times):
        blocks[n, :, int(time * 2) % GRID[1]] -= 30
    if flash_s is not None:
        share = np.clip((times - flash_s) / rise_s, 0, 1) if rise_s else (times > flash_s).astype(float)
        blocks += 60 * share[:, None, None]
    return Brightness(times, blocks, float(times[-1]) + 0.04)


@pytest.mark.parametrize("seed", range(5))
def test_a_switched_light_is_one_flash_within_half_a_frame(seed: int) -> None:
    flash_s = 3.01 + 0.0171 * seed
    [found] = flashes(_film(np.arange(200) / 25, flash_s, seed=seed))
    assert abs(found.time_s - flash_s) <= found.within_s == pytest.approx(0.02)
    assert found.sign == 1


def test_light_that_fades_in_and_things_that_move_are_no_flash() -> None:
    times = np.arange(200) / 25
    assert flashes(_film(times, None)) == []
    assert flashes(_film(times, 3.0, rise_s=2.0)) == []
    assert flashes(_film(times, 3.0, rise_s=0.3)) == []
    half = _film(times, None)
    half.blocks[80:, :, : GRID[1] // 2] += 60  # something large comes before the camera
    assert flashes(half) == []
    pause = _film(np.concatenate([times[:80], times[80:] + 5]), 3.2)  # no images while it happened
    assert flashes(pause) == []


def test_a_photographers_flash_goes_on_and_off_and_is_one() -> None:
    bright = _film(np.arange(200) / 25, None)
    bright.blocks[100:102] += 90
    [found] = flashes(bright)
    assert found.time_s == pytest.approx(3.98)


def _write_video(path: Path, *, flash_s: float | None, fps: int = 25, seconds: float = 6.0, created: str = "") -> Path:
    with av.open(str(path), "w") as container:
        if created:
            container.metadata["creation_time"] = created
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.options = {"preset": "ultrafast", "threads": "1"}
        rng = np.random.default_rng(fps)
        for n in range(int(seconds * fps)):
            level = 160 if flash_s is not None and n / fps > flash_s else 90
            image = np.clip(rng.normal(level, 3, (48, 64, 3)), 0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = n, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_a_second_camera_by_a_flash(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = make_store(tmp_path / "store")
    room = _write_video(tmp_path / "room.mp4", flash_s=2.51)
    head = _write_video(tmp_path / "head.mp4", flash_s=1.27, fps=30)
    found = sync_by_flash(store, video_id="a", other=head, reference=room).recording
    assert found.residual_s is not None and found.residual_s < 0.05
    assert abs(found.offset_s - 1.24) <= found.residual_s
    assert read_recordings(store / "videos" / "a")["head.mp4"].known_by == "flash"
    dark = _write_video(tmp_path / "dark.mp4", flash_s=None)
    with pytest.raises(InputDataError, match="No flash") as caught:
        sync_by_flash(store, video_id="a", other=dark, reference=room)
    assert "no flash in the recording" in str(caught.value.found)
    arguments = ["sync", str(head), "--video", "a", "--store", str(store), "--by", "flash", "--offset-s", "1", "--json"]
    assert run_app(app, arguments) == 2
    assert "twice" in json.loads(capsys.readouterr().out)["error"]["message"]


def _speech(seed: int, *, seconds: float = 40.0, level: float = 1.0) -> Floats:
    rng = np.random.default_rng(seed)
    said = random_speech(rng, speakers=("child", "caregiver"), categories=("ball",), begin_s=0.0, end_s=seconds)
    dry = voices(rng, said, begin_s=0.0, end_s=seconds, rate_hz=RATE)
    heard = record(rng, dry, random_microphone(rng), begin_s=0.0, duration_s=seconds, rate_hz=RATE)
    return heard.astype(np.float64) * level


def _clap(sound: Floats, at_s: float, *, seed: int, peak: float = 0.9) -> Floats:
    """Two milliseconds of noise, then echoes that fade."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(0.4 * RATE)) / RATE
    burst = rng.standard_normal(len(t)) * (np.exp(-t / 0.003) + 0.08 * np.exp(-6.9 * t / 0.4))
    out = sound.copy()
    at = int(at_s * RATE)
    out[at : at + len(t)] += peak * burst / np.abs(burst).max()
    return np.clip(out, -1, 1)


@pytest.mark.parametrize("seed", range(3))
def test_a_clap_is_found_in_speech_and_speech_is_no_clap(seed: int) -> None:
    speech = _speech(seed, level=0.5)
    assert claps(speech) == []
    [found] = claps(_clap(speech, 17.331, seed=seed))
    assert abs(found.time_s - 17.331) <= found.within_s
    assert claps(_clap(speech, 17.331, seed=seed, peak=0.05)) == []
    assert claps(np.zeros(5 * RATE)) == [] and claps(speech[:100]) == []


def _write_wav(path: Path, sound: Floats) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((sound * 32767).astype("<i2").tobytes())
    return path


def test_unrelated_sound_with_one_clap_and_codes_that_move_along(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = make_store(tmp_path / "store")
    room = _write_wav(tmp_path / "room.wav", _clap(_speech(11, level=0.4), 8.2, seed=1))
    worn = _write_wav(tmp_path / "worn.wav", _clap(_speech(12, level=0.4), 20.7, seed=2))
    (tmp_path / "c.csv").write_text(HEADER + "speech,child,ba,14,15\n")
    sync_by_hand(store, video_id="a", recording="worn.wav", clock=_aligned([0.0], [10.0]).clock)
    import_codes(tmp_path / "c.csv", store, video_id="a", options=ImportOptions(on="worn.wav"))
    imported = read_imported(store / "videos" / "a")
    assert spans(store) == [(4.0, 5.0)]
    found = sync_by_clap(store, video_id="a", other=worn, reference=room)
    assert found.recording.residual_s is not None
    assert abs(found.recording.offset_s + 12.5) <= found.recording.residual_s < 2 * MICROPHONES_APART_S
    # Mapped anew from the times as they were imported: nothing was imported again.
    assert spans(store)[0] == pytest.approx((1.5, 2.5), abs=0.03)
    assert read_imported(store / "videos" / "a") == imported
    assert read_recordings(store / "videos" / "a")["worn.wav"].known_by == "clap"
    arguments = ["sync", "worn.wav", "--video", "a", "--store", str(store), "--offset-s", "-10"]
    assert run_app(app, arguments) == 0 and spans(store) == [(4.0, 5.0)]
    capsys.readouterr()
    with pytest.raises(InputDataError, match="No clap"):
        sync_by_clap(store, video_id="a", other=_write_wav(tmp_path / "s.wav", _speech(13, level=0.4)), reference=room)


NOON = datetime(2024, 5, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("entries", "zone", "begin", "error_s", "is_local"),
    [
        ({"com.apple.quicktime.creationdate": "2024-05-01T14:00:00+0200"}, None, NOON, 1, False),
        # Apple's own date goes before that of the container.
        (
            {"com.apple.quicktime.creationdate": "2024-05-01T14:00:00+0200", "creation_time": "2024-05-01T12:00:09Z"},
            None,
            NOON,
            1,
            False,
        ),
        ({"creation_time": "2024-05-01T12:00:00.000000Z"}, None, NOON, 30, False),
        ({"creation_time": "2024-05-01T12:00:00.000000Z", "maker": "GoPro"}, None, NOON, 30, True),
        ({"creation_time": "2024-05-01T14:00:00.000000Z", "maker": "GoPro"}, "+02:00", NOON, 30, False),
        # Android writes the date when the recording ends.
        ({"creation_time": "2024-05-01T12:01:00Z", "com.android.version": "14"}, None, NOON, 1, False),
    ],
)
def test_when_a_recording_began(
    entries: dict[str, str], zone: str | None, begin: datetime, error_s: float, is_local: bool
) -> None:
    found = begin_stamp(entries, 60.0, zone=parse_zone(zone) if zone else None)
    assert (found.begin_utc, found.clock_error_s, found.is_local) == (begin, error_s, is_local)


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ({}, "does not say when"),
        ({"creation_time": "1904-01-01T00:00:00Z"}, "its date is none"),
        ({"creation_time": "1970-01-01T00:00:00Z"}, "its date is none"),
        ({"creation_time": "yesterday"}, "its date is none"),
    ],
)
def test_dates_that_are_none_are_refused(entries: dict[str, str], why: str) -> None:
    with pytest.raises(NoAlignmentError, match=why):
        begin_stamp(entries, 60.0)


def _stamp(seconds: float, *, length_s: float | None = 600.0, is_local: bool = False) -> BeginStamp:
    return BeginStamp(NOON + timedelta(seconds=seconds), length_s, 1.0, is_local, "its date")


def test_dates_give_an_offset_within_what_they_can_know() -> None:
    found = align_stamps(_stamp(0), _stamp(37))
    assert (found.offset_s, found.residual_s) == (37.0, 3.0)
    assert align_stamps(_stamp(0, is_local=True), _stamp(-5, is_local=True)).offset_s == -5.0
    with pytest.raises(NoAlignmentError, match="zone is not known"):
        align_stamps(_stamp(0), _stamp(37, is_local=True))
    with pytest.raises(NoAlignmentError, match="7237 s apart; one of them may say local time"):
        align_stamps(_stamp(0), _stamp(7237))
    assert align_stamps(_stamp(0), _stamp(-3000, length_s=None)).offset_s == -3000


@pytest.mark.parametrize("text", ["+2", "Oslo", "+15:00", "+02:75", ""])
def test_zones_that_cannot_be_read(text: str) -> None:
    with pytest.raises(UsageError, match="zone"):
        parse_zone(text)
    assert parse_zone("-0330").utcoffset(None) == -timedelta(hours=3, minutes=30)


def test_the_dates_of_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = make_store(tmp_path / "store")
    room = _write_video(tmp_path / "room.mp4", flash_s=None, created="2024-05-01T12:00:00")
    head = _write_video(tmp_path / "head.mp4", flash_s=None, created="2024-05-01T14:00:03")
    none = _write_video(tmp_path / "none.mp4", flash_s=None)
    assert read_stamps(room).entries["creation_time"].startswith("2024-05-01T12:00:00")
    with pytest.raises(InputDataError, match="dates") as caught:
        sync_by_dates(store, video_id="a", other=head, reference=room)
    assert "local time" in str(caught.value.found)
    with pytest.raises(InputDataError, match="dates") as caught:
        sync_by_dates(store, video_id="a", other=none, reference=room)
    assert str(caught.value.found).startswith("none.mp4: its file does not say")
    found = sync_by_dates(store, video_id="a", other=head, reference=room, recording_zone="+02:00").recording
    assert (found.offset_s, found.known_by, found.residual_s) == (3.0, "utc", 61.0)
    arguments = ["sync", str(head), "--video", "a", "--store", str(store), "--recording-zone", "+02:00", "--json"]
    assert run_app(app, arguments) == 2
    assert "--by utc" in json.loads(capsys.readouterr().out)["error"]["expected"]
