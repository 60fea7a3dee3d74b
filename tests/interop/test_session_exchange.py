"""What is exported with its clock comes back at the same times: of a session, and of recordings beside a video."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from coded_videos import make_video
from exchange_random import random_timeline, rows

from visionllm_interaction.errors import InputDataError, UsageError
from visionllm_interaction.interop.formats.boris import boris_bytes, read_boris
from visionllm_interaction.interop.formats.elan import eaf_bytes, read_eaf
from visionllm_interaction.interop.import_codes import ImportOptions
from visionllm_interaction.interop.registry import export
from visionllm_interaction.interop.sessions.import_codes_and_gaze import import_session_codes, import_session_gaze
from visionllm_interaction.interop.sync.sync_recordings import sync_by_hand, sync_with_session
from visionllm_interaction.interop.tiers import Medium, Timeline
from visionllm_interaction.measures.language.run import query
from visionllm_interaction.store.reader import open_store
from visionllm_interaction.store.recordings.clocks import Clock
from visionllm_interaction.store.sessions.chapters import set_session
from visionllm_interaction.store.sessions.videos_or_sessions import SessionChoice, opened_as

HALF_MS = 0.0005 + 1e-9


def with_media(timeline: Timeline, seed: int) -> Timeline:
    """The same with up to three chapters that follow each other, and a sound file at its own offset."""
    rng = random.Random(seed)
    begin_s, media = rng.uniform(0, 20), []
    for number in range(rng.randint(1, 3)):
        end_s = begin_s + rng.uniform(100, 700)
        media.append(Medium(f"/visit/GX{number + 1:02d}0012.MP4", -begin_s, begin_s, end_s))
        begin_s = end_s
    return replace(timeline, linked=(*media, Medium("/visit/sound.wav", rng.uniform(-30, 30))))


def round_trip(seed: int, folder: Path) -> None:
    timeline = with_media(random_timeline(seed), seed)
    (folder / "t.eaf").write_bytes(eaf_bytes(timeline))
    (folder / "t.boris").write_bytes(boris_bytes({"t": timeline}))
    offsets = {medium.name: medium.offset_s for medium in timeline.linked}
    for back in (read_eaf(folder / "t.eaf"), read_boris(folder / "t.boris")["t"]):
        found = {medium.name: medium.offset_s for medium in back.linked}
        assert found == pytest.approx(offsets, abs=1e-9), seed
        # One that is shorter than a millisecond becomes the millisecond that it lies in.
        for one, other in zip(rows(timeline), rows(back), strict=True):
            assert one[:3] == other[:3], seed
            limit_s = HALF_MS if one[4] - one[3] > 0.001 else 0.001 + 1e-9
            assert abs(one[3] - other[3]) <= limit_s and abs(one[4] - other[4]) <= 0.001 + 1e-9, seed


def test_random_timelines_with_media_come_back(tmp_path: Path) -> None:
    for seed in range(60):
        round_trip(seed, tmp_path)


@pytest.mark.slow
def test_a_thousand_random_timelines_with_media_come_back(tmp_path: Path) -> None:
    for seed in range(1000):
        round_trip(seed, tmp_path)


def test_a_medium_that_was_moved_in_elan_is_where_elan_has_it(tmp_path: Path) -> None:
    timeline = Timeline((), linked=(Medium("/a.mp4", 0.0), Medium("/b.wav", -1.2344)))
    text = eaf_bytes(timeline).decode()
    assert 'TIME_ORIGIN="-1234"' in text
    (tmp_path / "t.eaf").write_text(text.replace('TIME_ORIGIN="-1234"', 'TIME_ORIGIN="-1500"'))
    assert [medium.offset_s for medium in read_eaf(tmp_path / "t.eaf").linked] == [0.0, -1.5]


@pytest.fixture
def visit(tmp_path: Path) -> Path:
    """Two chapters of 20 s from 3.0004 s on, and an utterance over their border."""
    store = tmp_path / "store"
    make_video(store, {"ball": [(15, 20)]}, "a")
    make_video(store, {"ball": [(0, 5)]}, "b")
    set_session(store, "visit", ["a", "b"], offset_s=3.0004)
    path = tmp_path / "speech.csv"
    path.write_text("tier,participant,label,begin_s,end_s\nspeech,child,hi,21.5,24.25\nspeech,child,x,30,31\n")
    found = import_session_codes(path, store, session="visit")
    assert (found.codes, found.videos) == (2, ("a", "b"))
    assert any("1 intervals are cut" in note for note in found.notes)
    return store


def speech_of(store: Path, source: str) -> list[tuple[str, float, float]]:
    with open_store(store) as opened:
        codes = opened_as(opened, SessionChoice("visit")).codes("visit")
    return [(code.label, code.begin_s, code.end_s) for code in codes if (code.source, code.tier) == (source, "speech")]


@pytest.mark.parametrize(("format_", "file"), [("eaf", "visit.eaf"), ("boris", "visit.boris"), ("csv", "visit.csv")])
def test_a_session_comes_back_at_the_same_times(visit: Path, tmp_path: Path, format_: str, file: str) -> None:
    export(visit, tmp_path / "out", format=format_, sessions=SessionChoice("visit"))
    found = import_session_codes(tmp_path / "out" / file, visit, session="visit")
    assert found.recording.offset_s == pytest.approx(0.0, abs=1e-9)
    again, before = speech_of(visit, file), speech_of(visit, "speech.csv")
    assert [row[0] for row in again] == [row[0] for row in before]
    for one, other in zip(again, before, strict=True):
        assert one[1:] == pytest.approx(other[1:], abs=HALF_MS)


def test_chapters_share_a_player_of_boris(visit: Path, tmp_path: Path) -> None:
    export(visit, tmp_path, format="boris", sessions=SessionChoice("visit"))
    observation = json.loads((tmp_path / "visit.boris").read_text())["observations"]["visit"]
    assert observation["file"] == {"1": ["/videos/a.mp4", "/videos/b.mp4"]}
    assert observation["media_info"]["offset"] == {"1": 3.0004}


def test_a_recorder_beside_a_video_is_a_medium_with_its_offset(visit: Path, tmp_path: Path) -> None:
    sync_by_hand(visit, video_id="a", recording="recorder.wav", clock=Clock(1.5))
    export(visit, tmp_path, format="eaf", video_id="a")
    linked = {Path(medium.name).name: medium.offset_s for medium in read_eaf(tmp_path / "a.eaf").linked}
    assert linked == {"a.mp4": 0.0, "recorder.wav": -1.5}


def test_a_file_coded_on_a_recorder_of_the_session_lies_where_the_recorder_does(visit: Path, tmp_path: Path) -> None:
    sync_with_session(visit, session="visit", recording="recorder.wav", clock=Clock(10.0))
    path = tmp_path / "coded.csv"
    path.write_text("tier,participant,label,begin_s,end_s\nspeech,child,y,12,14\n")
    import_session_codes(path, visit, session="visit", options=ImportOptions(on="recorder.wav"))
    assert speech_of(visit, "coded.csv") == [("y", pytest.approx(22.0), pytest.approx(24.0))]


def test_a_code_outside_the_session_is_refused_and_nothing_is_imported(visit: Path, tmp_path: Path) -> None:
    path = tmp_path / "late.csv"
    path.write_text("tier,participant,label,begin_s,end_s\nspeech,child,in,5,6\nspeech,child,out,60,61\n")
    with pytest.raises(InputDataError, match="where no video is"):
        import_session_codes(path, visit, session="visit")
    assert speech_of(visit, "late.csv") == []
    found = import_session_codes(path, visit, session="visit", options=ImportOptions(skip_bad=True))
    assert (found.codes, len(found.refused)) == (1, 1)


def test_bids_events_have_onset_duration_and_a_sidecar(visit: Path, tmp_path: Path) -> None:
    export(visit, tmp_path, format="bids", sessions=SessionChoice("visit"))
    lines = (tmp_path / "visit_events.tsv").read_text().splitlines()
    assert lines[0] == "onset\tduration\ttrial_type\tvalue\tparticipant"
    assert "21.5\t2.75\tspeech\thi\tchild" in lines
    assert set(json.loads((tmp_path / "visit_events.json").read_text())) == set(lines[0].split("\t"))


def test_a_look_over_a_border_is_in_both_videos_and_one_in_the_session(tmp_path: Path) -> None:
    store, tracker = tmp_path / "store", tmp_path / "tracker"
    for video_id in ("a", "b"):
        make_video(store, {"ball": [(0, 20)]}, video_id)  # a box of ten pixels in the corner
    set_session(store, "visit", ["a", "b"], camera="head")
    tracker.mkdir()
    samples = [(at / 50, 5.0 if 18 <= at / 50 < 22 else 600.0) for at in range(2000)]
    rows_ = "".join(f"{at * 1000:.1f}\t{at_px}\t{at_px}\n" for at, at_px in samples)
    (tracker / "gazeData.tsv").write_text("timestamp\tgaze_pos_vid_x\tgaze_pos_vid_y\n" + rows_)
    (tracker / "frameTimestamps.tsv").write_text("frame_idx\ttimestamp\n0\t0.0\n")
    found = import_session_gaze(tracker, store, session="visit")
    assert (found.samples, found.looks) == (2000, {"ball": 2})
    by_video = [row.value for row in query("total(looks_at(child, ball)) by video", store)]
    assert by_video == pytest.approx([2.0, 2.0], abs=0.05)
    assert query("count(looks_at(child, ball)) in session visit", store).value == 1
    assert query("total(looks_at(child, ball)) in session visit", store).value == pytest.approx(4.0, abs=0.05)


def test_gaze_of_one_of_several_cameras_has_to_be_told_which(tmp_path: Path) -> None:
    for video_id, camera in (("a", "head"), ("b", "room")):
        make_video(tmp_path / "store", {}, video_id)
        set_session(tmp_path / "store", "visit", [video_id], camera=camera)
    with pytest.raises(UsageError, match="Which camera"):
        import_session_gaze(tmp_path, tmp_path / "store", session="visit")
