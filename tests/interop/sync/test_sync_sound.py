"""Clocks from sound: two microphones in one room, and what must be refused."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import numpy as np
import pytest
from coded_files import HEADER, spans
from exchange_store import make_store
from room_sounds import RATE, Sound, heard, pair, scene

from visionllm_interaction.cli import app
from visionllm_interaction.cli.output import run_app
from visionllm_interaction.errors import InputDataError
from visionllm_interaction.interop.import_codes import ImportOptions, import_codes
from visionllm_interaction.interop.sync.loudness_reading import read_loudness
from visionllm_interaction.interop.sync.sound_alignment import NoAlignmentError, align, loudness
from visionllm_interaction.interop.sync.sync_recordings import align_files, sync_by_sound
from visionllm_interaction.store.recordings.clocks import Clock


def _write(path: Path, sound: Sound, rate: int = RATE, width: int = 2, channels: int = 1) -> Path:
    scale = 2.0 ** (8 * width - 1) - 1
    whole = np.clip(np.repeat(sound.astype(np.float64), channels) * scale, -scale, scale)
    if width == 3:
        data = (whole.astype("<i4")).view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    else:
        data = (whole + 128 if width == 1 else whole).astype("u1" if width == 1 else f"<i{width}").tobytes()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(data)
    return path


@pytest.mark.parametrize(("seconds", "offset_s", "drift_ppm"), [(90, 21.3, 75.0), (80, -30.7, -60.0)])
def test_offset_and_drift_of_two_microphones(seconds: float, offset_s: float, drift_ppm: float) -> None:
    made = pair(np.random.default_rng(3), seconds=seconds, offset_s=offset_s, drift_ppm=drift_ppm)
    found = align(loudness(made.first, RATE), loudness(made.second, RATE))
    for time in (max(0.0, -offset_s), min(seconds, seconds - offset_s)):
        error = abs(found.clock.map(time) - (offset_s + time * (1 + drift_ppm * 1e-6)))
        assert error <= min(found.residual_s, 0.02)
    assert found.agreeing >= 3


def test_a_short_recording_in_a_long_one_either_way_round() -> None:
    made = pair(np.random.default_rng(4), seconds=100, offset_s=0.0, drift_ppm=0.0)
    part = loudness(made.second[30 * RATE : 75 * RATE], RATE)
    whole = loudness(made.first, RATE)
    assert align(whole, part).clock.offset_s == pytest.approx(30.0, abs=0.02)
    assert align(part, whole).clock.offset_s == pytest.approx(-30.0, abs=0.02)


def test_unrelated_silent_and_short_sound_is_refused() -> None:
    rng = np.random.default_rng(5)
    one = loudness(heard(scene(70, rng), rng, snr_db=10), RATE)
    for other in (heard(scene(70, rng), rng, snr_db=10), np.zeros(70 * RATE), 0.001 * rng.standard_normal(70 * RATE)):
        with pytest.raises(NoAlignmentError):
            align(one, loudness(other, RATE))
    with pytest.raises(NoAlignmentError, match="short"):
        align(one, one[:, : 5 * 200])


def test_the_same_music_throughout_has_no_sharp_place() -> None:
    bar = heard(scene(8, np.random.default_rng(6)), np.random.default_rng(6), snr_db=30)
    rng = np.random.default_rng(7)
    other = scene(66, rng)
    with pytest.raises(NoAlignmentError):
        align(loudness(np.tile(bar, 8), RATE), loudness(heard(other, rng, snr_db=10), RATE))


@pytest.mark.parametrize(("width", "channels", "rate"), [(1, 1, 8000), (2, 2, 16000), (3, 1, 8000), (4, 1, 8000)])
def test_wav_files_of_any_width(tmp_path: Path, width: int, channels: int, rate: int) -> None:
    sound = heard(scene(12, np.random.default_rng(8)), np.random.default_rng(8), snr_db=40)
    own = np.repeat(sound, rate // RATE)
    found = read_loudness(_write(tmp_path / "a.wav", own, rate, width, channels))
    alike = np.corrcoef(found[1], loudness(sound, RATE)[1][: found.shape[1]])[0, 1]
    assert alike > 0.8


def test_a_file_that_is_no_recording(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF\x00\x00\x00\x00WAVEnot really")
    with pytest.raises(InputDataError, match="cannot be read"):
        read_loudness(tmp_path / "a.wav")
    with pytest.raises(InputDataError, match="cannot be read"):
        align_files(tmp_path / "missing.wav", tmp_path / "a.wav")


def test_what_was_coded_on_the_sound_moves_with_its_clock(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = make_store(tmp_path / "store")
    made = pair(np.random.default_rng(9), seconds=80, offset_s=-12.0, drift_ppm=0.0)
    first, second = _write(tmp_path / "room.wav", made.first), _write(tmp_path / "recorder.wav", made.second)
    result = sync_by_sound(store, video_id="a", other=second, reference=first)
    assert result.recording.offset_s == pytest.approx(-12.0, abs=0.02) and result.recording.kind == "audio"
    (tmp_path / "c.csv").write_text(HEADER + "speech,child,ba,13,14\n")
    import_codes(tmp_path / "c.csv", store, video_id="a", options=ImportOptions(on="recorder.wav"))
    assert spans(store)[0] == pytest.approx((1.0, 2.0), abs=0.02)
    arguments = ["sync", "recorder.wav", "--video", "a", "--store", str(store), "--json"]
    assert run_app(app, [*arguments, "--offset-s", "-11"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["known_by"], said["offset_s"], said["outside"]) == ("hand", -11.0, [])
    assert spans(store) == [(2.0, 3.0)]
    assert run_app(app, [*arguments, "--drift-ppm", "3"]) == 2


def test_clocks_one_after_another() -> None:
    inner, outer = Clock(2.0, 100.0), Clock(-5.0, -40.0)
    assert inner.then(outer).map(1000.0) == pytest.approx(outer.map(inner.map(1000.0)), abs=1e-9)
    assert inner.inverse(inner.map(123.4)) == pytest.approx(123.4, abs=1e-9)
    assert Clock().map(0.1) == 0.1
