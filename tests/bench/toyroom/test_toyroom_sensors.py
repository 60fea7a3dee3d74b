"""Speech, microphones and the IMU of ToyRoom: truth that holds, files that the product reads, images as before."""

from __future__ import annotations

import csv
import json
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from scenes_builders import FPS, detection_table, frame_table, record

from visionllm_bench.toyroom import ToyRoomConfig, make_toyroom
from visionllm_bench.toyroom.categories import CATEGORY_IDS, TOYS
from visionllm_bench.toyroom.sensors.imu import COLUMNS
from visionllm_bench.toyroom.sensors.microphones import Microphone, pink_noise, room_response, voices
from visionllm_bench.toyroom.sensors.microphones import record as record_sound
from visionllm_bench.toyroom.sensors.speech import NAMES, namings, random_speech, transcript
from visionllm_interaction.core.tracks_relations_events import Track
from visionllm_interaction.errors import UsageError
from visionllm_interaction.interop.import_codes import import_codes
from visionllm_interaction.interop.sync.loudness_reading import read_sound
from visionllm_interaction.interop.sync.sound_alignment import RATE_HZ, loudness
from visionllm_interaction.store.reader import open_store, publish_video

SPEAKERS = ("child", "caregiver")
TINY = ToyRoomConfig(video_width=160, video_height=120, video_seconds=8.0, fps=5.0)


def _room_store(path: Path, seconds: float) -> Path:
    """A store with a video of the play room and all its categories."""
    spans = [(n, name, 0, 5) for n, name in enumerate(CATEGORY_IDS, start=1)]
    plain = record("a")
    detector = plain.detector.model_copy(update={"categories": tuple(CATEGORY_IDS)})
    publish_video(
        path,
        plain.model_copy(update={"duration_s": seconds, "n_frames": 10, "n_processed": 10, "detector": detector}),
        frames=frame_table(n=10),
        detections=detection_table(spans),
        tracks=[Track(n, name, None, 0.0, 5 / FPS, 5, 0.9) for n, name, _, _ in spans],
        relations=[],
        events=[],
    )
    return path


def test_every_naming_of_twenty_minutes_is_found_and_nothing_else(tmp_path: Path) -> None:
    seconds = 1200.0
    rng = np.random.default_rng(20)
    said = random_speech(rng, speakers=SPEAKERS, categories=TOYS, begin_s=0.0, end_s=seconds)
    named = namings(said)
    # All forms are said: plurals and definite forms too.
    forms = {form for utterance in said for form in _forms(utterance.text)}
    assert forms == {form for all_forms in NAMES.values() for form in all_forms}
    assert len(named) > 200
    path = tmp_path / "transcript.json"
    path.write_text(json.dumps(transcript(said)), encoding="utf-8")
    store = _room_store(tmp_path / "store", seconds)
    import_codes(path, store, video_id="a")
    with open_store(store) as opened:
        found = sorted(
            (code.participant, code.label, round(code.begin_s, 3), round(code.end_s, 3))
            for code in opened.codes("a")
            if code.kind == "naming"
        )
    truth = sorted((one.speaker, one.category, one.begin_s, one.end_s) for one in named)
    assert found == truth  # precision and recall 1.0, each at its time and with its speaker


def _forms(text: str) -> list[str]:
    words = [word.strip(".,!?") for word in text.split()]
    pairs = [" ".join(pair) for pair in pairwise(words)]
    known = {form for forms in NAMES.values() for form in forms}
    return [one for one in [*words, *pairs] if one in known]


def test_speakers_take_turns_and_are_silent_where_they_must() -> None:
    said = random_speech(
        np.random.default_rng(1), speakers=SPEAKERS, categories=TOYS, begin_s=-6, end_s=60, whole_at_s=(0.0, 20.0)
    )
    assert {utterance.speaker for utterance in said} == set(SPEAKERS)
    assert all(one.end_s < two.begin_s for one, two in pairwise(said))
    assert not [one for one in said for at in (0.0, 20.0) if one.begin_s <= at <= one.end_s]
    assert said[0].begin_s >= -6 and said[-1].end_s <= 60


def test_an_impulse_reaches_a_microphone_after_its_way_through_the_air() -> None:
    microphone = Microphone((4.0, 2.0, 1.0), 0.0, 0.0, 10.0, 0.4)
    source = (1.0, 2.0, 1.0)
    response = room_response(np.random.default_rng(0), source, microphone, rate_hz=8000)
    first = int(np.flatnonzero(response)[0])
    assert first / 8000 == pytest.approx(3.0 / 343.0, abs=1 / 8000)
    # Behind it is echo that fades.
    energy = [float((response[first + a : first + b] ** 2).sum()) for a, b in ((1, 800), (800, 1600), (1600, 2400))]
    assert energy[0] > 10 * energy[1] > 10 * energy[2] > 0


def test_pink_noise_has_equal_power_in_every_octave() -> None:
    spectrum = np.abs(np.fft.rfft(pink_noise(np.random.default_rng(0), 1 << 17))) ** 2
    octaves = [spectrum[1 << k : 1 << (k + 1)].sum() for k in range(10, 15)]
    assert max(octaves) < 2.5 * min(octaves)


def test_a_recorder_has_a_clock_of_its_own() -> None:
    rng = np.random.default_rng(3)
    said = random_speech(rng, speakers=("child",), categories=TOYS, begin_s=0.0, end_s=30.0)
    dry = voices(rng, said, begin_s=0.0, end_s=30.0, rate_hz=RATE_HZ)
    near = Microphone((2.1, 1.7, 0.8), 0.0, 0.0, 60.0, 0.2)
    late = Microphone((2.1, 1.7, 0.8), 2.5, 100.0, 60.0, 0.2)
    one, two = (
        record_sound(rng, dry, microphone, begin_s=0.0, duration_s=20.0, rate_hz=RATE_HZ) for microphone in (near, late)
    )
    own = np.arange(int(17 * RATE_HZ))
    moved = np.interp(own * (1 + 100e-6) + 2.5 * RATE_HZ, np.arange(len(one)), one)
    assert np.corrcoef(moved, two[: len(own)])[0, 1] > 0.7
    assert np.corrcoef(one[: len(own)], two[: len(own)])[0, 1] < 0.3


def test_files_beside_a_video_and_nothing_else_is_changed(tmp_path: Path) -> None:
    plain = make_toyroom(tmp_path / "plain", images=0, videos=1, seed=2, view="ego", config=TINY)
    config = TINY.model_copy(update={"sound": True, "gaze": True, "imu": True})
    made = make_toyroom(tmp_path / "all", images=0, videos=1, seed=2, view="ego", config=config)
    [video], [before] = made.videos, plain.videos
    assert video.truth.read_bytes() == before.truth.read_bytes()
    assert sorted(path.name for path in before.path.parent.iterdir()) == ["ego_s2_000.mp4", "truth.json"]
    assert set(plain.to_dict()["videos"][0]) == {"path", "truth"}
    listed = made.to_dict()["videos"][0]
    assert all(Path(path).exists() for path in listed.values())
    assert {"recorder", "sound", "transcript", "gaze", "tracker_child", "imu"} <= set(listed)
    _check_sound(video.path, json.loads(Path(listed["sound"]).read_text()))
    _check_imu(Path(listed["imu"]), json.loads(video.truth.read_text()))


def _check_sound(video: Path, truth: dict[str, list[dict[str, float]]]) -> None:
    """The camera's sound is on the video's clock, and the recorder's lies where the truth says."""
    with av.open(str(video)) as container:
        assert [stream.codec_context.name for stream in container.streams] == ["h264", "aac"]
    camera, recorder = (loudness(read_sound(path), RATE_HZ) for path in (video, video.with_name("recorder.wav")))
    assert camera.shape[1] / 200 == pytest.approx(8.0, abs=0.15)
    lags = np.arange(-1300, 1301)
    scores = []
    for lag in lags:
        a, b = camera[:, max(lag, 0) :], recorder[:, max(-lag, 0) :]
        n = min(a.shape[1], b.shape[1])
        scores.append((a[:, :n] * b[:, :n]).sum() if n > 300 else -np.inf)
    assert lags[int(np.argmax(scores))] / 200 == pytest.approx(truth["microphones"][1]["offset_s"], abs=0.03)


def _check_imu(path: Path, truth: dict[str, list[list[float]]]) -> None:
    """The turns of the head are those of the camera's path; gravity has its length."""
    with path.open() as stream:
        rows = list(csv.reader(stream))
    assert tuple(rows[0]) == COLUMNS
    values = np.array(rows[1:], float)
    assert len(values) == 800
    assert np.linalg.norm(values[:, 4:], axis=1) == pytest.approx(9.80665, abs=1e-4)
    middle = np.array([left + 80 / zoom for left, _, zoom in truth["camera"]])
    focal_px = 80 / np.tan(np.radians(103 / 2))
    turned = np.interp(np.arange(len(middle)) / 5, values[:, 0] + 0.005, np.cumsum(values[:, 2]) / 100)
    assert turned - turned[0] == pytest.approx((middle - middle[0]) / focal_px, abs=0.05)


def test_a_room_camera_has_no_inertial_sensor(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not move"):
        make_toyroom(tmp_path / "x", images=0, videos=1, seed=0, config=TINY.model_copy(update={"imu": True}))
