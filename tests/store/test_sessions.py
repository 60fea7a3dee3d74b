"""Sessions: chapters on one clock, what goes on over their borders, cameras side by side, proposals by file names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from coded_videos import Span, make_video
from scenes_builders import detection_table, record

from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.core.tracks_relations_events import Code
from visionllm_interaction.errors import UsageError
from visionllm_interaction.measures.language.run import query
from visionllm_interaction.measures.table import measures
from visionllm_interaction.store.covariates import write_covariates
from visionllm_interaction.store.reader import open_store
from visionllm_interaction.store.recordings.clocks import Recording
from visionllm_interaction.store.recordings.imported_data import read_recordings, write_imported
from visionllm_interaction.store.sessions.chapters import read_sessions, remove_from_session, set_session
from visionllm_interaction.store.sessions.proposals import propose_sessions
from visionllm_interaction.store.sessions.sessions_as_videos import SessionStore
from visionllm_interaction.store.sessions.videos_or_sessions import SessionChoice
from visionllm_interaction.store.video_identity import known_video_id
from visionllm_interaction.store.video_record import SourceFile
from visionllm_interaction.store.writer import publish_video


def make_chapters(store: Path, *seen: list[Span]) -> Path:
    """Videos ``a``, ``b`` … of 20 s, each with the intervals in which a ball is seen."""
    for name, spans in zip("abcdef", seen, strict=False):
        make_video(store, {"ball": spans}, name)
    return store


def speech(begin_s: float, end_s: float, label: str = "hi", number: int = 1, kind: str = "speech") -> Code:
    return Code(f"t.csv#{number}", kind, kind, "child" if kind == "speech" else "", label, begin_s, end_s, "t.csv")


def import_for(store: Path, videos: str | list[str], codes: list[Code], *, follows: str | None = "S") -> None:
    for video_id in videos:
        recording = Recording("t.csv", "codes", follows=follows)
        write_imported(store, video_id, recording, codes, skip_misplaced=True)


def frames_at(times_s: np.ndarray) -> FrameTable:
    return FrameTable.from_times(np.arange(len(times_s)), times_s, processed=np.ones(len(times_s), np.bool_))


def publish_frames(store: Path, video_id: str, times_s: np.ndarray, *, stated_s: float) -> None:
    """A video with the given time stamps, whose record states another length."""
    n = len(times_s)
    publish_video(
        store,
        record(video_id).model_copy(update={"duration_s": stated_s, "n_frames": n, "n_processed": n}),
        frames=frames_at(times_s),
        detections=detection_table([]),
        tracks=[],
        relations=[],
        events=[],
    )


def test_offsets_are_sums_of_frame_times_and_not_of_stated_lengths(tmp_path: Path) -> None:
    store = tmp_path / "store"
    step = 1001 / 30000
    publish_frames(store, "a", np.arange(90) * step, stated_s=3.0)
    publish_frames(store, "b", 0.021 + np.arange(60) * step, stated_s=2.0)
    publish_frames(store, "c", np.arange(30) * step, stated_s=1.0)
    session, _ = set_session(store, "S", ["a", "b", "c"])
    begins = [chapter.begin_s for chapter in session.chapters]
    assert begins == pytest.approx([0.0, 90 * step, 150 * step], abs=1e-9)
    assert [chapter.known_by for chapter in session.chapters] == ["own", "container", "container"]
    assert session.chapters[1].offset_s == pytest.approx(90 * step - 0.021, abs=1e-9)


def test_what_goes_on_over_a_border_counts_once_in_the_session_and_in_each_video(tmp_path: Path) -> None:
    store = make_chapters(tmp_path / "store", [(1, 3), (15, 20)], [(0, 5)], [(2, 4)])
    set_session(store, "S", ["a", "b"])
    counts = {row.session or row.video_id: row.value for row in query("count(visible(ball)) by session", store)}
    assert counts == {"S": 2, "c": 1}
    assert [row.value for row in query("count(visible(ball)) by video", store)] == [2, 1, 1]
    assert query("total(visible(ball)) in session S", store).value == pytest.approx(12.0)
    assert query("longest(visible(ball)) in session S", store).value == pytest.approx(10.0)
    assert query("rate(visible(ball)) in session S", store).value == pytest.approx(2 / (40 / 60))


def test_evidence_of_a_session_lies_in_its_videos_at_their_own_times(tmp_path: Path) -> None:
    store = make_chapters(tmp_path / "store", [(15, 20)], [(0, 5)])
    set_session(store, "S", ["a", "b"])
    [row] = query("total(visible(ball)) in session S by session", store).rows
    places = [(e.video_id, e.begin_s, e.end_s, e.frames, e.track_ids) for e in row.evidence]
    assert places == [("a", 15.0, 20.0, (150, 199), (1,)), ("b", 0.0, 5.0, (0, 49), (1,))]


def test_single_frames_are_asked_of_videos_only(tmp_path: Path) -> None:
    store = make_chapters(tmp_path / "store", [(1, 2)], [(3, 4)])
    set_session(store, "S", ["a", "b"])
    with open_store(store) as opened, pytest.raises(UsageError, match="of videos, not of sessions"):
        SessionStore(opened).rows("SELECT count(*) FROM frames")


def test_times_of_a_session_are_those_of_its_clock(tmp_path: Path) -> None:
    store = make_chapters(tmp_path / "store", [], [(4, 5)])
    set_session(store, "S", ["a", "b"], offset_s=100.0)
    assert query("first_time(visible(ball)) in session S", store).value == pytest.approx(124.0)
    table = measures(store, sessions=SessionChoice("S")).to_arrow().to_pylist()
    seen = {row["measure"]: row for row in table if row["subject"] == "ball" and row["object"] is None}
    assert seen["visible_duration"]["video_id"] == "S"
    assert seen["visible_duration"]["processed_s"] == pytest.approx(40.0)


def test_an_interval_over_a_border_is_cut_into_both_videos_and_a_moment_is_in_one(tmp_path: Path) -> None:
    store = make_chapters(tmp_path / "store", [], [])
    set_session(store, "S", ["a", "b"])
    import_for(store, "ab", [speech(18, 22), speech(20, 20, "now", 2), speech(39, 39.5, "end", 3)])
    assert [row.value for row in query("count(speaks(child)) by video", store)] == [1, 2]
    total = query("total(speaks(child)) by video", store)
    assert [row.value for row in total] == pytest.approx([2.0, 2.5])
    assert query("total(speaks(child)) in session S", store).value == pytest.approx(4.5)
    assert query("count(speaks(child)) in session S", store).value == 2
    rows = query("coded(speech) in session S", store).rows
    assert [(row.begin_s, row.end_s) for row in rows] == [(18.0, 22.0), (39.0, 39.5)]


def test_a_better_clock_of_the_session_moves_what_was_imported(tmp_path: Path) -> None:
    store = make_chapters(tmp_path / "store", [], [])
    set_session(store, "S", ["a", "b"])
    import_for(store, "ab", [speech(18, 22)])
    set_session(store, "S", ["a", "b"], offset_s=1.0)
    assert [row.value for row in query("total(speaks(child)) by video", store)] == pytest.approx([3.0, 1.0])


def test_a_file_that_codes_one_chapter_says_nothing_of_the_other(tmp_path: Path) -> None:
    store = make_chapters(tmp_path / "store", [], [])
    set_session(store, "S", ["a", "b"])
    import_for(store, "a", [speech(1, 2), speech(5, 6, number=2)], follows=None)
    assert query("rate(speaks(child)) in session S", store).value == pytest.approx(2 / (20 / 60))
    whole = tmp_path / "other"
    make_chapters(whole, [], [])
    set_session(whole, "S", ["a", "b"])
    import_for(whole, "ab", [speech(1, 2), speech(5, 6, number=2)])
    assert query("rate(speaks(child)) in session S", whole).value == pytest.approx(2 / (40 / 60))


def test_coded_time_in_the_first_chapter_only_leaves_the_second_unknown(tmp_path: Path) -> None:
    store = make_chapters(tmp_path / "store", [], [])
    set_session(store, "S", ["a", "b"])
    import_for(store, "ab", [speech(1, 2), speech(0, 10, "", 9, "coded")])
    first, second = query("rate(speaks(child)) by video", store).rows
    assert first.value == pytest.approx(1 / (10 / 60))
    assert second.value is None
    assert query("rate(speaks(child)) in session S", store).value == pytest.approx(1 / (10 / 60))


def test_coded_time_outside_a_video_does_not_mean_that_all_of_it_was_coded(tmp_path: Path) -> None:
    store = make_chapters(tmp_path / "store", [])
    import_for(store, "a", [speech(1, 2), speech(30, 40, "", 9, "coded")], follows=None)
    [row] = query("rate(speaks(child)) by video", store).rows
    assert row.value is None


def test_two_cameras_are_not_added_up(tmp_path: Path) -> None:
    store = make_chapters(tmp_path / "store", [(0, 5)], [(0, 4)], [(0, 3)])
    set_session(store, "S", ["a", "b"], camera="room")
    set_session(store, "S", ["c"], camera="head", offset_s=10.0)
    with pytest.raises(UsageError, match="count twice"):
        query("total(visible(ball)) by session", store)
    assert query("total(visible(ball)) in session S in camera room", store).value == pytest.approx(9.0)
    text = query("total(visible(ball)) in camera head by session", store).expression
    assert query(text, store).value == pytest.approx(3.0)


def test_videos_of_one_camera_cannot_show_the_same_time(tmp_path: Path) -> None:
    store = make_chapters(tmp_path / "store", [], [])
    set_session(store, "S", ["a"])
    with pytest.raises(UsageError, match="same time"):
        set_session(store, "S", ["b"])
    assert [chapter.video_id for chapter in read_sessions(store)["S"].chapters] == ["a"]


def test_chapters_that_were_analysed_differently_are_not_one(tmp_path: Path) -> None:
    store = make_chapters(tmp_path / "store", [(0, 5)])
    publish_frames(store, "b", np.arange(200) / 10, stated_s=20.0)
    odd = record("b").model_copy(update={"width": 320, "n_frames": 10, "n_processed": 10})
    publish_video(
        store, odd, frames=frames_at(np.arange(10) / 10), detections=detection_table([]),
        tracks=[], relations=[], events=[],
    )  # fmt: skip
    set_session(store, "S", ["a", "b"])
    with pytest.raises(UsageError, match="analysed differently: size"):
        query("total(visible(ball)) by session", store)


def test_a_chapter_that_joins_later_gets_what_was_imported_for_the_session(tmp_path: Path) -> None:
    store = make_chapters(tmp_path / "store", [], [])
    set_session(store, "S", ["a"])
    import_for(store, "a", [speech(18, 22)])
    set_session(store, "S", ["a", "b"])
    assert query("total(speaks(child)) in session S", store).value == pytest.approx(4.0)
    assert remove_from_session(store, "S", ["b"]) == ["b"]
    assert read_recordings(store / "videos" / "b") == {}


def test_values_by_child_take_its_sessions_together(tmp_path: Path) -> None:
    store = make_chapters(tmp_path / "store", [(15, 20)], [(0, 5)], [(1, 2)], [(0, 1)])
    set_session(store, "S", ["a", "b"])
    for video_id, child in (("a", "c1"), ("b", "c1"), ("c", "c1")):
        write_covariates(store, video_id, {"child": child})
    values = {row.child: row.value for row in query("count(visible(ball)) by child", store)}
    assert values == {"c1": 2, "": 1}
    write_covariates(store, "b", {"child": "c2"})
    with pytest.raises(UsageError, match="different children"):
        query("count(visible(ball)) by child", store)


def named(store: Path, *files: str, size: int = 10) -> list[str]:
    ids = []
    for number, file in enumerate(files):
        make_video(store, {}, f"v{number}")
        source = SourceFile(path=f"/visit/{file}", name=file, sha256=f"{number:064d}", bytes=size)
        own = record(f"v{number}").model_copy(update={"source": source})
        (store / "videos" / f"v{number}" / "video.json").write_text(own.model_dump_json())
        ids.append(f"v{number}")
    return ids


@pytest.mark.parametrize(
    ("files", "size", "order", "follows"),
    [
        (("GX020012.MP4", "GX010012.MP4"), 10, ("v1", "v0"), True),
        (("GH010007.MP4", "GH020007.MP4"), 10, ("v0", "v1"), True),
        (("GOPR0012.MP4", "GP010012.MP4", "GP020012.MP4"), 10, ("v0", "v1", "v2"), True),
        (("GX010012.MP4", "GX030012.MP4"), 10, ("v0", "v1"), False),  # chapter 2 is not here
        (("MVI_0001.MP4", "MVI_0002.MP4"), 10, ("v0", "v1"), False),
        (("MVI_0001.MP4", "MVI_0002.MP4"), 2**32 - 1, ("v0", "v1"), True),
        (("C0001.MP4", "C0003.MP4"), 10, None, None),
        (("GX010012.MP4", "GX010013.MP4"), 10, None, None),
    ],
)
def test_proposals_by_file_names(
    tmp_path: Path, files: tuple[str, ...], size: int, order: tuple[str, ...] | None, follows: bool | None
) -> None:
    named(tmp_path / "store", *files, size=size)
    proposals = propose_sessions(tmp_path / "store")
    assert [(one.videos, one.follows) for one in proposals] == ([] if order is None else [(order, follows)])
    assert read_sessions(tmp_path / "store") == {}  # nothing is set


def test_a_video_found_under_another_path_keeps_its_id_and_its_recordings(tmp_path: Path) -> None:
    store = tmp_path / "store"
    publish_frames(store, "a", np.arange(200) / 10, stated_s=20.0)
    known = record("old-00000000").model_copy(
        update={"source": SourceFile(path=str(tmp_path / "gone.mp4"), name="gone.mp4", sha256="0" * 64, bytes=3)}
    )
    content = {"detections": detection_table([]), "tracks": [], "relations": [], "events": []}
    frames = frames_at(np.arange(200) / 10)
    publish_video(store, known, frames=frames, **content)
    set_session(store, "S", ["old-00000000"])
    import_for(store, ["old-00000000"], [speech(1, 2)])
    found = SourceFile(path=str(tmp_path / "new.mp4"), name="new.mp4", sha256="0" * 64, bytes=3)
    video_id = known_video_id(store, found)
    assert video_id == "old-00000000"
    publish_video(store, known.model_copy(update={"source": found}), frames=frames, **content)
    assert sorted(read_recordings(store / "videos" / video_id)) == ["S", "t.csv"]
    assert query("count(speaks(child)) in session S", store).value == 1
