"""Coded files on the video's clock: origins, offsets, successive media, and times that cannot be placed."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pytest
from coded_files import HEADER, aligned, boris, eaf, opf, referring, spans, tier
from exchange_store import make_store

from visionllm_interaction.core.tracks_relations_events import Code
from visionllm_interaction.errors import InputDataError, UsageError
from visionllm_interaction.interop.formats.boris import read_boris
from visionllm_interaction.interop.formats.datavyu import read_opf
from visionllm_interaction.interop.formats.elan import read_eaf
from visionllm_interaction.interop.import_codes import ImportOptions, import_codes
from visionllm_interaction.interop.tiers import Interval
from visionllm_interaction.store.reader import open_store, write_codes
from visionllm_interaction.store.recordings.clocks import Recording
from visionllm_interaction.store.recordings.imported_data import read_recordings, write_recording


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return make_store(tmp_path / "store")


@pytest.mark.parametrize(
    ("media", "expected"),
    [
        ({"a.mp4": 5000}, (6.0, 7.0)),
        ({"sound.wav": None, "a.mp4": 2500}, (3.5, 4.5)),
        ({"other.mp4": 4000, "a.mp4": None}, (1.0, 2.0)),
        ({"A.wav": 3000, "other.mp4": 1000}, (4.0, 5.0)),  # sound taken from the video is called like it
        ({"renamed.mp4": 2000}, (3.0, 4.0)),  # the only one there is
        ({"one.mp4": None, "two.mp4": None}, (1.0, 2.0)),
    ],
)
def test_elan_times_count_from_the_origin_of_the_video(
    store: Path, tmp_path: Path, media: dict[str, int | None], expected: tuple[float, float]
) -> None:
    path = eaf(tmp_path / "c.eaf", {"t0": 1000, "t1": 2000}, tier("speech", aligned("a1", "t0", "t1")), media)
    import_codes(path, store, video_id="a")
    assert spans(store) == [expected]


def test_elan_media_that_lie_differently_need_a_choice(store: Path, tmp_path: Path) -> None:
    media = {"one.mp4": 1000, "two.mp4": 2000}
    path = eaf(tmp_path / "c.eaf", {"t0": 1000, "t1": 2000}, tier("speech", aligned("a1", "t0", "t1")), media)
    with pytest.raises(UsageError, match="--medium"):
        import_codes(path, store, video_id="a")
    import_codes(path, store, video_id="a", options=ImportOptions(medium="two.mp4"))
    assert spans(store) == [(3.0, 4.0)]
    with pytest.raises(UsageError, match="three"):
        import_codes(path, store, video_id="a", options=ImportOptions(medium="three.mp4"))


def test_elan_in_other_units_than_milliseconds_is_refused(tmp_path: Path) -> None:
    path = eaf(tmp_path / "c.eaf", {"t0": 25, "t1": 50}, tier("x", aligned("a1", "t0", "t1")))
    path.write_text(path.read_text().replace("milliseconds", "PAL-frames"))
    with pytest.raises(InputDataError, match="PAL-frames"):
        read_eaf(path)


def test_open_slots_lie_between_those_of_their_own_tier(tmp_path: Path) -> None:
    slots = {"t0": 0, "o": 100, "x": None, "y": None, "t1": 1000}
    path = eaf(
        tmp_path / "c.eaf",
        slots,
        tier("part", aligned("a2", "t0", "x"), aligned("a3", "x", "t1"), parent="whole")
        + tier("whole", aligned("a1", "t0", "t1"))
        + tier("other part", aligned("a4", "t0", "y"), aligned("a5", "y", "t1"), parent="whole")
        + tier("other", aligned("a6", "o", "t1")),
    )
    found = {one.name: [(i.begin_s, i.end_s) for i in one.intervals] for one in read_eaf(path).tiers}
    assert found["part"] == found["other part"] == [(0.0, 0.5), (0.5, 1.0)]


def test_an_end_without_any_time_is_refused_and_loses_nothing_else(store: Path, tmp_path: Path) -> None:
    slots = {"t0": 1000, "t1": 2000, "x": None}
    path = eaf(tmp_path / "c.eaf", slots, tier("speech", aligned("a1", "t0", "t1"), aligned("a2", "t1", "x")))
    with pytest.raises(InputDataError, match="annotation a2 of tier speech"):
        import_codes(path, store, video_id="a")
    result = import_codes(path, store, video_id="a", options=ImportOptions(skip_bad=True))
    assert (result.codes, [row.where for row in result.refused]) == (1, ["annotation a2 of tier speech"])


def test_parts_come_in_the_order_of_previous_annotation(tmp_path: Path) -> None:
    parts = tier(
        "parts",
        referring("a2", "a1", "a"),
        referring("a3", "a1", "c", previous="a4"),
        referring("a4", "a1", "b", previous="a2"),
        parent="words",
    )
    path = eaf(tmp_path / "c.eaf", {"t0": 0, "t1": 3000}, tier("words", aligned("a1", "t0", "t1")) + parts)
    found = {one.name: [(i.label, i.begin_s) for i in one.intervals] for one in read_eaf(path).tiers}
    assert found["parts"] == [("a", 0.0), ("b", 1.0), ("c", 2.0)]


def test_annotations_that_hang_on_annotations_that_hang_on_others(tmp_path: Path) -> None:
    # The last tier stands first, so that its parents are known only later.
    path = eaf(
        tmp_path / "c.eaf",
        {"t0": 0, "t1": 3000},
        tier("d", referring("a4", "a3", "z"), referring("a5", "a3", "y", previous="a4"), parent="c")
        + tier("b", referring("a2", "a1", "x"), parent="a")
        + tier("c", referring("a3", "a2", "w"), parent="b")
        + tier("a", aligned("a1", "t0", "t1")),
    )
    found = {one.name: [(i.label, i.begin_s, i.end_s) for i in one.intervals] for one in read_eaf(path).tiers}
    assert found["d"] == [("z", 0.0, 1.5), ("y", 1.5, 3.0)] and found["c"] == [("w", 0.0, 3.0)]


@pytest.mark.parametrize(
    ("times", "more"),
    [
        ((102.0, 104.0), {"time offset": 100.0}),
        ((-1.0, 1.0), {"time offset": -3.0}),
        (
            (1.7e9 + 2, 1.7e9 + 4),
            {"media_creation_date_as_offset": True, "media_info": {"media_creation_time": {"a.mp4": 1.7e9}}},
        ),
        ((7.0, 9.0), {"files": {"1": ["b.mp4"], "2": ["a.mp4"]}, "offset": {"1": 0.0, "2": 5.0}}),
        ((12.0, 14.0), {"files": {"1": ["b.mp4", "a.mp4"]}}),
    ],
)
def test_boris_times_are_those_of_the_video(
    store: Path, tmp_path: Path, times: tuple[float, float], more: dict
) -> None:  # type: ignore[type-arg]
    path = boris(tmp_path / "p.boris", [[time, "child", "play", "", ""] for time in times], **more)
    import_codes(path, store, video_id="a")
    assert spans(store) == [(2.0, 4.0)]


def test_boris_codes_of_the_medium_before_stay_with_it(store: Path, tmp_path: Path) -> None:
    events = [[1.0, "child", "cry", "", ""], [8.0, "child", "play", "", ""], [13.0, "child", "play", "", ""]]
    path = boris(tmp_path / "p.boris", events, {"1": ["b.mp4", "a.mp4"]})
    result = import_codes(path, store, video_id="a")
    assert spans(store) == [(0.0, 3.0)] and "1 codes lie in other recordings" in result.notes[0]


def test_codes_from_before_the_second_player_began_are_the_first_ones(store: Path, tmp_path: Path) -> None:
    events = [[1.0, "child", "cry", "", ""], [3.0, "child", "play", "", ""], [9.0, "child", "play", "", ""]]
    more = {"files": {"1": ["b.mp4"], "2": ["a.mp4"]}, "offset": {"1": 0.0, "2": 5.0}}
    import_codes(boris(tmp_path / "p.boris", events, **more), store, video_id="a")
    assert spans(store) == [(0.0, 4.0)]


def test_a_medium_after_one_of_unknown_length_is_refused(store: Path, tmp_path: Path) -> None:
    more = {"files": {"1": ["b.mp4", "a.mp4"]}, "media_info": {"length": {}}}
    with pytest.raises(UsageError, match=r"before a\.mp4"):
        import_codes(boris(tmp_path / "p.boris", [[1.0, "child", "cry", "", ""]], **more), store, video_id="a")


def test_a_creation_date_that_the_project_lacks_is_refused(tmp_path: Path) -> None:
    path = boris(tmp_path / "p.boris", [[1.0, "child", "cry", "", ""]], media_creation_date_as_offset=True)
    with pytest.raises(InputDataError, match="creation date"):
        read_boris(path)


def test_boris_events_without_times_are_listed_or_refuse_the_file(store: Path, tmp_path: Path) -> None:
    path = boris(tmp_path / "p.boris", [[float("nan"), "child", "cry", "", ""]])
    with pytest.raises(InputDataError, match="event 1"):
        import_codes(path, store, video_id="a", options=ImportOptions(skip_bad=True))
    path = boris(tmp_path / "p.boris", [[float("nan"), "child", "cry", "", ""], [2.0, "child", "cry", "", ""]])
    with pytest.raises(InputDataError, match="--skip-bad"):
        import_codes(path, store, video_id="a")
    assert import_codes(path, store, video_id="a", options=ImportOptions(skip_bad=True)).codes == 1


def test_packed_boris_projects_and_what_only_looks_like_one(tmp_path: Path) -> None:
    plain = boris(tmp_path / "p.boris", [[2.0, "child", "cry", "", ""]])
    packed = tmp_path / "p.boris.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read_boris(packed) == read_boris(plain)
    packed.write_bytes(gzip.compress(plain.read_bytes())[:-20])
    with pytest.raises(InputDataError, match="gzip"):
        read_boris(packed)


def test_the_interval_that_boris_observed_is_the_coded_time(store: Path, tmp_path: Path) -> None:
    more = {"time offset": 100.0, "observation time interval": [1, 6]}
    path = boris(tmp_path / "p.boris", [[102.0, "child", "cry", "", ""]], **more)
    import_codes(path, store, video_id="a")
    assert spans(store, "coded") == [(1.0, 6.0)]


VIEWER = "viewerSettings: \n- !vs {feed: /data/a.mp4, offset: '250', settingsId: '1'}\n"


@pytest.mark.parametrize(
    ("project", "entries", "expected"),
    [
        (VIEWER, {}, (1.75, 3.75)),
        (VIEWER, {"entry_1": "#java\noffset=1500\n"}, (0.5, 2.5)),
        ("viewerSettings: []\n", {}, (2.0, 4.0)),
    ],
)
def test_datavyu_videos_have_their_own_offset(
    store: Path, tmp_path: Path, project: str, entries: dict[str, str], expected: tuple[float, float]
) -> None:
    path = opf(tmp_path / "p.opf", "00:00:02:000,00:00:04:000,(ball)\n", project, **entries)
    import_codes(path, store, video_id="a")
    assert spans(store) == [expected]


def test_predicates_before_the_columns_of_an_older_datavyu_file(tmp_path: Path) -> None:
    path = tmp_path / "old.opf"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("project", "viewerSettings: []\n")
        cells = "00:00:02:000,00:00:04:000,(ball)\n"
        archive.writestr("db", f"#2\n0:gaze-target|NOMINAL\nlooks (MATRIX,true,)-target|NOMINAL\n{cells}")
    [looks] = read_opf(path).tiers
    assert looks.name == "looks" and looks.intervals == (Interval(2.0, 4.0, "ball"),)


def test_a_datavyu_cell_whose_offset_was_never_set_is_a_moment(store: Path, tmp_path: Path) -> None:
    path = opf(tmp_path / "p.opf", "00:00:02:000,00:00:00:000,(ball)\n00:00:06:000,00:00:08:000,(cup)\n")
    result = import_codes(path, store, video_id="a")
    assert spans(store) == [(2.0, 2.0), (6.0, 8.0)] and "1 cells" in result.notes[0]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("speech,child,ba,nan,2", "begin_s: 'nan' is no time"),
        ("speech,child,ba,1,inf", "end_s: 'inf' is no time"),
        ("speech,child,ba,3,2.5", "ends at 2.500 s, before it begins at 3.000 s"),
        ("speech,child,ba,-5,2", "begins at -5.000 s, before the video"),
        ("speech,child,ba,1000,1001", "ends at 1001.000 s, the video at 10.000 s"),
        ("speech,child,ba,,", "it is blank"),
        ("speech,child,a, b,1,2", "6 cells, the header 5"),
    ],
)
def test_a_bad_row_is_named_and_never_loses_the_others(store: Path, tmp_path: Path, row: str, reason: str) -> None:
    path = tmp_path / "c.csv"
    path.write_text(HEADER + f"speech,child,good,1,2\n{row}\n")
    with pytest.raises(InputDataError, match="row 3") as caught:
        import_codes(path, store, video_id="a")
    assert reason in str(caught.value) and spans(store) == []
    result = import_codes(path, store, video_id="a", options=ImportOptions(skip_bad=True))
    assert [(bad.where, reason in bad.reason) for bad in result.refused] == [("row 3", True)]
    assert spans(store) == [(1.0, 2.0)]


def test_codes_that_reach_a_little_over_the_end_are_cut_there(store: Path, tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text(HEADER + "speech,child,ba,9,10.4\nspeech,child,ba,-0.2,1\n")
    import_codes(path, store, video_id="a")
    assert spans(store) == [(0.0, 1.0), (9.0, 10.0)]


def test_a_better_clock_moves_what_was_imported(store: Path, tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text(HEADER + "speech,child,ba,1,2\nspeech,child,ba,8,9\n")
    write_recording(store, "a", Recording("room.wav", "audio", 0.5, known_by="sound", residual_s=0.01))
    import_codes(path, store, video_id="a", options=ImportOptions(on="room.wav"))
    assert spans(store) == [(1.5, 2.5), (8.5, 9.5)]
    outside = write_recording(store, "a", Recording("room.wav", "audio", 3.0, 1000.0, "hand"))
    assert [(item.code.begin_s, "the video at 10.000" in item.reason) for item in outside] == [(8.0, True)]
    assert spans(store) == [(4.001, 5.002)]
    # What fell out comes back; the first times were never lost.
    write_recording(store, "a", Recording("room.wav", "audio"))
    assert spans(store) == [(1.0, 2.0), (8.0, 9.0)]
    recordings = read_recordings(store / "videos" / "a")
    assert recordings["c.csv"].follows == "room.wav" and recordings["room.wav"].known_by == "own"


def test_codes_from_before_first_times_were_kept_move_too(store: Path) -> None:
    write_codes(store, "a", [Code("x#1", "speech", "speech", "child", "ba", 1.0, 2.0, "x")])
    write_recording(store, "a", Recording("x", "codes", 2.5))
    write_recording(store, "a", Recording("x", "codes", 3.5))
    assert spans(store) == [(4.5, 5.5)]


def test_a_recording_to_follow_must_be_known_and_not_follow_back(store: Path, tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text(HEADER + "speech,child,ba,1,2\n")
    with pytest.raises(UsageError, match=r"room\.wav"):
        import_codes(path, store, video_id="a", options=ImportOptions(on="room.wav"))
    write_recording(store, "a", Recording("one", "audio"))
    write_recording(store, "a", Recording("two", "audio", follows="one"))
    with pytest.raises(UsageError, match="ring"):
        write_recording(store, "a", Recording("one", "audio", follows="two"))


def test_an_analysis_again_keeps_clocks_and_first_times(store: Path, tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text(HEADER + "speech,child,ba,1,2\n")
    import_codes(path, store, video_id="a", options=ImportOptions(offset_s=1.0))
    make_store(store)
    assert spans(store) == [(2.0, 3.0)]
    write_recording(store, "a", Recording("c.csv", "codes"))
    assert spans(store) == [(1.0, 2.0)]
    with open_store(store) as opened:
        assert opened.codes("a")[0].participant == "child"
        assert [one.recording for one in opened["a"].recordings] == ["c.csv"]
