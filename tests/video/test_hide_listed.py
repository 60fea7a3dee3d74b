"""Listed intervals: black in every frame, silent in every sample, proven by decoding the copy, refused otherwise."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest
from coded_videos import make_video
from gopro_files import CANARIES as GOPRO_CANARIES
from gopro_files import PLACE_BYTES, add_telemetry, item, nested
from hidden_videos import CANARIES, FPS, Watched, delay_s, noise, seconds_of, watch, write_film

from visionllm_interaction.cli import app
from visionllm_interaction.cli.output import run_app
from visionllm_interaction.core.tracks_relations_events import Code
from visionllm_interaction.errors import ProofFailed, UsageError
from visionllm_interaction.store.layout import RECORD_FILE
from visionllm_interaction.store.recordings.clocks import Recording
from visionllm_interaction.store.recordings.imported_data import write_imported
from visionllm_interaction.store.recordings.tier_intervals import read_tier_intervals
from visionllm_interaction.store.video_record import SourceFile, read_record
from visionllm_interaction.utils.hashing import sha256_file
from visionllm_interaction.video.anonymization.audio_track_writer import AudioTrackWriter
from visionllm_interaction.video.anonymization.blur import BlurReport, blur_video
from visionllm_interaction.video.anonymization.listed_intervals import ListedIntervals, display_spans
from visionllm_interaction.video.anonymization.proof import prove_copy
from visionllm_interaction.video.anonymization.regions_to_blur import Regions
from visionllm_interaction.video.decoding.worker_messages import AudioChunk

BLACKOUT, MUTE = ((0.5, 0.83), (1.9, 2.4)), ((1.1, 1.3),)
LISTED = ListedIntervals(BLACKOUT, MUTE)
FACE = [8.0, 8.0, 40.0, 40.0]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of noise, with telling tags."""
    images, samples = noise(3.0)
    return write_film(tmp_path_factory.mktemp("film") / "v.mp4", images, samples, tags=CANARIES)


@pytest.fixture(scope="module")
def hidden(film: Path) -> BlurReport:
    """A copy of the film with two blackouts and one muted interval."""
    return blur_video(film, film.parent / "listed.mp4", listed=LISTED)


@pytest.fixture(scope="module")
def blurred(film: Path) -> BlurReport:
    """A copy of the film with a face blurred from frame 5 to 35, and a blackout in between; no sound."""
    rows = [{"frame_index": n, "category_id": 1, "bbox": [8, 8, 32, 32], "score": 0.9} for n in range(5, 36)]
    found = film.parent / "faces.json"
    found.write_text(json.dumps({"categories": [{"id": 1, "name": "face"}], "detections": rows}))
    listed = ListedIntervals(((0.6, 0.8),))
    return blur_video(film, film.parent / "blurred.mp4", detections=found, listed=listed)


def _black(copy: Watched, spans: tuple[tuple[float, float], ...]) -> np.ndarray:
    return np.asarray(np.any([copy.shown(*span) for span in spans], axis=0))


def test_every_frame_in_the_listed_intervals_is_black_and_no_other(film: Path, hidden: BlurReport) -> None:
    before, after = watch(film), watch(hidden.out)
    np.testing.assert_allclose(after.times_s, before.times_s, atol=1e-4)
    black = _black(after, BLACKOUT)
    assert 20 <= black.sum() == hidden.frames_black < len(black)
    assert after.images[black].max() == 0
    off = np.abs(after.images[~black].astype(int) - before.images[~black]).mean(axis=(1, 2, 3))
    assert off.max() < 20 and after.images[~black].max(axis=(1, 2, 3)).min() > 200


def test_listed_intervals_are_silent_and_the_rest_is_heard_in_time(film: Path, hidden: BlurReport) -> None:
    before, after = watch(film), watch(hidden.out)
    assert max(after.peak_dbfs(*span) for span in (*BLACKOUT, *MUTE)) < -90
    for begin, end in ((0.0, 0.4), (0.95, 1.02), (1.4, 1.8), (2.5, 2.9)):
        assert after.peak_dbfs(begin, end) > -20
        assert abs(delay_s(before.samples, after.samples, from_s=begin + 0.11, to_s=end)) <= 0.02 or end - begin < 0.2


def test_the_proof_and_the_report_lie_beside_the_copy(hidden: BlurReport) -> None:
    proof = json.loads((hidden.out.parent / "listed.mp4.proof.json").read_text())
    assert proof["status"] == "PASS" and proof["faults"] == [] and proof["sha256"] == sha256_file(hidden.out)
    assert proof["blackout"]["frames"] == hidden.frames_black and proof["blackout"]["not_black"] == 0
    assert proof["silence"]["loudest_dbfs"] < -90 and len(proof["silence"]["intervals"]) == 3
    report = json.loads((hidden.out.parent / "listed.mp4.json").read_text())
    assert report == hidden.to_dict() and report["what"] is None and report["audio"] is True
    assert not (hidden.out.parent / "listed.mp4.regions.csv").exists()


def test_identifying_metadata_is_listed_by_name_and_nowhere_to_be_found(film: Path, hidden: BlurReport) -> None:
    assert {*CANARIES, "chapters (1)"} <= set(hidden.removed)
    values = [value.encode() for value in (*CANARIES.values(), "Canaryname")]
    assert all(value in film.read_bytes() for value in values if value != CANARIES["creation_time"].encode())
    written = b"".join(path.read_bytes() for path in hidden.out.parent.glob("listed.mp4*"))
    assert not [value for value in values if value in written]
    with av.open(str(hidden.out)) as copy:
        assert [stream.type for stream in copy.streams] == ["video", "audio"] and not copy.chapters()
        assert set(copy.metadata) <= {"major_brand", "minor_version", "compatible_brands", "encoder"}


def test_telemetry_and_serial_numbers_of_a_gopro_are_left_out_and_listed(tmp_path: Path) -> None:
    images, _ = noise(0.2)
    plain = write_film(tmp_path / "plain.mp4", images)
    place = item("GPS5", "l", 20, PLACE_BYTES[0] * 5)
    source = add_telemetry(plain, tmp_path / "GX01.mp4", [nested("DEVC", place)] * 3, [70, 70, 60], marks_ms=[50])
    report = blur_video(source, tmp_path / "copy.mp4", listed=ListedIntervals(((0.0, 0.05),)))
    assert {"data track gpmd", "user data GPMF", "user data FIRM", "user data CAME"} <= set(report.removed)
    written = b"".join(path.read_bytes() for path in tmp_path.glob("copy.mp4*"))
    assert not [canary for canary in (*(c.encode() for c in GOPRO_CANARIES), *PLACE_BYTES) if canary in written]
    assert json.loads((tmp_path / "copy.mp4.proof.json").read_text())["removed"] == list(report.removed)


def test_faces_and_listed_intervals_are_hidden_together(film: Path, blurred: BlurReport) -> None:
    before, after = watch(film), watch(blurred.out)
    black = _black(after, ((0.6, 0.8),))
    assert after.images[black].max() == 0 and not len(after.samples) and blurred.audio is False
    face = (slice(12, 36), slice(12, 36))
    seen = [n for n in range(5, 36) if not black[n]]
    for n in seen:
        assert after.images[n][face].std(axis=(0, 1)).max() < 0.6 * before.images[n][face].std(axis=(0, 1)).min()
    assert blurred.proof.status == "PASS" and blurred.proof.blur.regions >= len(seen)
    assert blurred.proof.blur.plain == blurred.proof.blur.unchanged == 0
    assert blurred.proof.frames == blurred.proof.frames_expected == len(before.images)


@pytest.mark.parametrize(("place", "fault"), [(14, "1 frames in blackouts are not black"), (50, "1 frames")])
def test_one_frame_put_back_fails_the_proof(
    film: Path, hidden: BlurReport, tmp_path: Path, place: int, fault: str
) -> None:
    before, after = watch(film), watch(hidden.out)
    assert _black(after, BLACKOUT)[place]
    images = after.images.copy()
    images[place] = before.images[place]
    changed = write_film(tmp_path / "back.mp4", images, after.samples)
    proof = prove_copy(changed, film, regions=Regions.none(), listed=LISTED)
    assert proof.status == "FAIL" and fault in proof.faults[0]
    assert proof.blackout.first_not_black_s == pytest.approx([place / FPS])


def test_one_face_put_back_fails_the_proof(film: Path, blurred: BlurReport, tmp_path: Path) -> None:
    before, after = watch(film), watch(blurred.out)
    regions = _regions_of(blurred)
    images = after.images.copy()
    images[25] = before.images[25]
    for name, content, unchanged in (("same", after.images, 0), ("back", images, 1)):
        copy = write_film(tmp_path / f"{name}.mp4", content)
        proof = prove_copy(copy, film, regions=regions, listed=blurred.listed)
        assert proof.blur.unchanged == unchanged and proof.blackout.not_black == 0
        assert proof.status == ("FAIL" if unchanged else "PASS")


def _regions_of(report: BlurReport) -> Regions:
    import csv

    from visionllm_interaction.core.detection_table import DetectionTable

    with report.out.with_name(f"{report.out.name}.regions.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    index = np.array([int(row["frame_index"]) for row in rows])
    boxes = np.array([[float(row[side]) for side in ("x1", "y1", "x2", "y2")] for row in rows], np.float32)
    face, one = np.full(len(rows), "face", dtype=object), np.ones(len(rows), np.float32)
    return Regions(DetectionTable(index, index / FPS, face, one, boxes, np.ones(len(rows), np.int64)), ())


def test_sound_metadata_or_a_lost_frame_put_back_fail_the_proof(film: Path, hidden: BlurReport, tmp_path: Path) -> None:
    before, after = watch(film), watch(hidden.out)
    loud = write_film(tmp_path / "loud.mp4", after.images, before.samples)
    proof = prove_copy(loud, film, regions=Regions.none(), listed=LISTED)
    assert len(proof.silence.too_loud) == 3 and proof.silence.loudest_dbfs > -20 and proof.status == "FAIL"
    told = write_film(tmp_path / "told.mp4", after.images, after.samples, tags={"location": "+59+010/"})
    proof = prove_copy(told, film, regions=Regions.none(), listed=LISTED)
    assert {"location", "chapters (1)"} <= set(proof.metadata_left) and proof.status == "FAIL"
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(hidden.out.read_bytes()[: hidden.out.stat().st_size // 3])
    assert prove_copy(cut, film, regions=Regions.none(), listed=LISTED).status == "FAIL"


def test_a_copy_that_fails_is_not_left_and_says_so(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ListedIntervals, "is_black", lambda _self, begin_s, _end_s: not 0.59 < begin_s < 0.61)
    out = tmp_path / "copy.mp4"
    code = run_app(app, ["blur", str(film), "--out", str(out), "--blackout", "0.5-0.83", "--json"])
    error = json.loads(capsys.readouterr().out)["error"]
    assert (code, error["code"]) == (ProofFailed.exit_code, "PROOF-FAILED") == (3, "PROOF-FAILED")
    assert [path.name for path in tmp_path.iterdir()] == ["copy.mp4.proof.json"]
    proof = json.loads((tmp_path / "copy.mp4.proof.json").read_text())
    assert proof["status"] == "FAIL" and proof["blackout"]["first_not_black_s"] == [0.6]


def test_who_speaks_of_sound_gets_it(film: Path, tmp_path: Path) -> None:
    listed = ListedIntervals(BLACKOUT, sound_in_blackout=True)
    after = watch(blur_video(film, tmp_path / "kept.mp4", listed=listed).out)
    assert after.images[_black(after, BLACKOUT)].max() == 0
    assert min(after.peak_dbfs(*span) for span in BLACKOUT) > -20
    silent = blur_video(film, tmp_path / "none.mp4", listed=ListedIntervals(BLACKOUT), keep_audio=False)
    assert silent.audio is False and not len(watch(silent.out).samples)


TIMES = (0.0, 0.04, 0.2, 0.24, 1.0)


@pytest.mark.parametrize(
    ("span", "black"),
    [
        ((0.05, 0.06), [1]),  # inside one frame
        ((0.05, 0.2), [1, 2]),  # a frame that appears at the end
        ((0.2, 0.21), [1, 2]),  # a frame that goes as it begins: to the millisecond, both
        ((0.3, 0.9), [3]),  # the long gap shows the frame before it
        ((2.0, 3.0), [4]),  # the last one stays
        ((0.0, 0.0), [0]),  # a moment
        ((-0.5, -0.1), [0]),  # players show the first frame at once
    ],
)
def test_a_frame_is_black_if_it_is_shown_at_any_moment(span: tuple[float, float], black: list[int]) -> None:
    listed = ListedIntervals((span,))
    assert [n for n, shown in enumerate(display_spans(TIMES)) if listed.is_black(*shown)] == black


def test_frames_that_come_unevenly_are_covered_while_they_are_shown(tmp_path: Path) -> None:
    images, _ = noise(0.2)
    source = write_film(tmp_path / "uneven.mp4", images, times_s=TIMES)
    report = blur_video(source, tmp_path / "copy.mp4", listed=ListedIntervals(((0.5, 0.9),)))
    after = watch(report.out)
    assert after.images.max(axis=(1, 2, 3)).tolist()[3] == 0 and report.frames_black == 1
    assert after.images.max(axis=(1, 2, 3))[[0, 1, 2, 4]].min() > 200 and report.audio is False


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
def test_no_sound_spreads_into_a_muted_interval_at_any_rate(tmp_path: Path, rate: int) -> None:
    rng, span = np.random.default_rng(rate), (1.5, 1.6)
    samples = rng.integers(-32768, 32767, (3 * rate, 1)).astype(np.int16)
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        writer = AudioTrackWriter(container, iter([AudioChunk(0.0, rate, 1, samples.tobytes())]), silent=[span])
        writer.end()
    with av.open(str(path)) as container:
        parts = [(seconds_of(part), part.to_ndarray()[0]) for part in container.decode(audio=0)]
    heard = np.zeros(4 * rate)
    for begin_s, part in parts:
        at = round(begin_s * rate)
        heard[max(at, 0) : at + len(part)] = part[max(0, -at) :]
    assert np.abs(heard[int(span[0] * rate) : int(span[1] * rate) + 1]).max() < 10 ** (-90 / 20)
    assert np.abs(heard[: int((span[0] - 0.5) * rate)]).max() > 0.5
    assert np.abs(heard[int((span[1] + 0.5) * rate) : int(2.9 * rate)]).max() > 0.5


def _store_of(film: Path, folder: Path) -> Path:
    """A store of the film, with codes of two tiers on a clock half a second ahead, known to 0.02 s."""
    store = make_video(folder / "store", {})
    record = read_record(store / "videos" / "a")
    assert record is not None
    source = SourceFile(path=str(film.absolute()), name=film.name, sha256=sha256_file(film), bytes=film.stat().st_size)
    content = record.model_copy(update={"source": source}).model_dump_json()
    (store / "videos" / "a" / RECORD_FILE).write_text(content)
    tiers = {"Private": (0.5, 0.7), "Names": (1.5, 1.6)}
    codes = [Code(tier, tier, "code", "", "", *span, "c.eaf") for tier, span in tiers.items()]
    write_imported(store, "a", Recording("c.eaf", "codes", 0.5, residual_s=0.02), codes)
    return store


def test_a_coded_tier_is_hidden_on_the_videos_clock(
    film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, out = _store_of(film, tmp_path), tmp_path / "copy.mp4"
    np.testing.assert_allclose(read_tier_intervals(store, "a", "private"), [(0.98, 1.22)])
    write_imported(store, "a", Recording("m.csv", "codes"), [Code("m", "End", "code", "", "", 20.0, 20.0, "m.csv")])
    np.testing.assert_allclose(read_tier_intervals(store, "a", "End"), [(19.999, 20.0)])
    arguments = ["--store", str(store), "--blackout-tier", "private", "--mute-tier", "Names", "--widen-s", "0.1"]
    assert run_app(app, ["blur", str(film), "--out", str(out), *arguments]) == 0
    text = capsys.readouterr().out
    assert "proof: PASS" in text and "removed: " in text and "Canaryname" not in text
    after = watch(out)
    assert after.images[after.shown(0.88, 1.32)].max() == 0
    assert max(after.peak_dbfs(0.88, 1.32), after.peak_dbfs(1.88, 2.22)) < -90 < after.peak_dbfs(1.5, 1.7)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--blackout", "00:12:00-00:15:30"],  # after the end
        ["--blackout", "2-1"],
        ["--mute", "abc"],
        ["--blackout-tier", "toilet"],  # no such tier
        [],  # nothing to hide
    ],
)
def test_intervals_that_hide_nothing_are_refused(film: Path, tmp_path: Path, arguments: list[str]) -> None:
    store, out = _store_of(film, tmp_path), tmp_path / "copy.mp4"
    assert run_app(app, ["blur", str(film), "--out", str(out), "--store", str(store), *arguments]) == 2
    assert not list(tmp_path.glob("*copy*"))


def test_an_interval_has_a_begin_and_an_end() -> None:
    with pytest.raises(UsageError):
        ListedIntervals(((2.0, float("inf")),))
