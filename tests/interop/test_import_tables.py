"""Tables in the shapes that laboratories use."""

from __future__ import annotations

from pathlib import Path

import pytest
from exchange_store import make_store

from visionllm_interaction.cli import app
from visionllm_interaction.cli.output import run_app
from visionllm_interaction.config_loading import load_settings
from visionllm_interaction.errors import ConfigError, InputDataError, UsageError
from visionllm_interaction.interop.config import InteropConfig
from visionllm_interaction.interop.formats.clock_times import parse_seconds
from visionllm_interaction.interop.formats.columns import Column, ColumnMap, parse_columns
from visionllm_interaction.interop.formats.tabular import read_csv
from visionllm_interaction.interop.import_codes import ImportOptions, import_codes

Row = tuple[str, str, str, float, float]


def _rows(path: Path, content: str | bytes, columns: str | None = None) -> list[Row]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    timeline = read_csv(path, parse_columns(columns) if columns else None)
    return [(t.name, t.participant, i.label, i.begin_s, i.end_s) for t in timeline.tiers for i in t.intervals]


OWN = "tier,participant,label,begin_s,end_s\nspeech,child,ba,2.6,3.25\n"
EXPECTED = [("speech", "child", "ba", 2.6, 3.25)]


@pytest.mark.parametrize(
    "content",
    [
        OWN,
        OWN.replace(",", ";"),
        OWN.replace(",", ";").replace(".", ","),
        OWN.replace(",", "\t"),
        OWN.replace("\n", "\r"),
        OWN.replace("\n", "\r\n").encode("utf-16"),
        OWN.encode("utf-16-le"),
        OWN.encode("utf-8-sig"),
        OWN.replace("tier,participant,label,begin_s,end_s", "Tier, Participant, Label, BEGIN_S, End_s"),
        OWN.replace("2.6", "00:00:02.6").replace("3.25", "0:03.25"),
        OWN.replace("\n", "\n\n,,,,\n", 1),
        OWN.replace("2.6", '"2,6"'),
    ],
)
def test_one_table_in_many_forms(tmp_path: Path, content: str | bytes) -> None:
    assert _rows(tmp_path / "t.csv", content) == EXPECTED


@pytest.mark.parametrize(
    ("content", "columns", "expected"),
    [
        ("id,on,off,kind\n1,1500,2500,3\n", "begin=on:ms,end=off,label=kind", ("t", "", "3", 1.5, 2.5)),
        ("Onset;Dur;Who\n1,5;2;MOT\n", "begin=onset,duration=Dur,participant=who", ("t", "MOT", "", 1.5, 3.5)),
        (
            "code,a,b,kind,side\nreach,0,50,x,2\n",
            "begin=a:frames@25,end=b,label=kind+side,tier=code",
            ("reach", "", "kind=x, side=2", 0.0, 2.0),
        ),
        ("1.0\t2.0\tx\n", "begin=#1,end=#2,label=#3", ("t", "", "x", 1.0, 2.0)),
        ("begin,x\n1.5,ball\n", "begin=begin:min,label=x", ("t", "", "ball", 90.0, 90.0)),
        (
            "Offset: 0, Movie: x\nTracks: left\nTime,Track\n\n500,left\n900,end\n",
            "begin=Time:ms,end=@next,label=Track",
            ("t", "", "left", 0.5, 0.9),
        ),
        ("speaker,start.ms,stop.ms\nMOT,1000,2100\n", None, ("t", "MOT", "", 1.0, 2.1)),
        ("name,time\rball,00:00:02.5\r", None, ("t", "", "ball", 2.5, 2.5)),
        ("CHI\tCHI\t2600\t3000\t400\tba\n", None, ("CHI", "CHI", "ba", 2.6, 3.0)),
        ("look\t\t00:00:02.600\t00:00:03.000\t00:00:00.400\tba\n", None, ("look", "", "ba", 2.6, 3.0)),
        (
            "Tier\tBegin Time - msec\tEnd Time - msec\tAnnotation\nlook\t2600\t3000\tba\n",
            None,
            ("look", "", "ba", 2.6, 3.0),
        ),
    ],
)
def test_columns_by_name_number_unit_and_head(tmp_path: Path, content: str, columns: str | None, expected: Row) -> None:
    assert _rows(tmp_path / "t.txt", content, columns) == [expected]


def test_speakers_speak_and_tokens_are_words(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store")
    (tmp_path / "t.csv").write_text("speaker,start_s,stop_s,text\nMOT,1,2,two cups\n")
    result = import_codes(tmp_path / "t.csv", store, video_id="a")
    assert (result.tiers["t"].kind, result.tiers["t"].participant, result.tiers["naming"].codes) == (
        "speech",
        "caregiver",
        1,
    )
    (tmp_path / "w.csv").write_text("token,token_start_time,token_end_time\nthe,1,1.5\ncup,1.5,1.9\n")
    options = ImportOptions(columns="begin=token_start_time,end=token_end_time,label=token")
    assert import_codes(tmp_path / "w.csv", store, video_id="a", options=options).tiers["w"].kind == "word"


@pytest.mark.parametrize("header", ["onset,offset,category", "start,stop,code,type", "token_start_time,token"])
def test_a_unit_that_is_not_said_is_never_guessed(tmp_path: Path, header: str) -> None:
    with pytest.raises(InputDataError, match=r"--columns begin=\w+:s"):
        _rows(tmp_path / "t.csv", header + "\n" + ",".join("1234"[: len(header.split(","))]) + "\n")


@pytest.mark.parametrize(
    "text",
    [
        "end=b",
        "begin",
        "begin=",
        "begin=a,begin=b",
        "begin=a,colour=b",
        "begin=a:fortnights",
        "begin=a,end=b,duration=c",
    ],
)
def test_columns_that_cannot_be_read(text: str) -> None:
    with pytest.raises(UsageError):
        parse_columns(text)


def test_a_column_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="onset, offset"):
        _rows(tmp_path / "t.csv", "onset,offset\n1,2\n", "begin=start")
    assert parse_columns("begin=start.ms,end=stop") == ColumnMap(Column("start.ms"), Column("stop"))
    assert parse_columns("begin=on:ms,end=off").end == Column("off", "ms")


@pytest.mark.parametrize(
    ("text", "options", "seconds"),
    [
        ("1.5", {}, 1.5),
        ("1500", {"unit": "ms"}, 1.5),
        ("1,250", {"decimal_comma": True}, 1.25),
        ("01:02:03.5", {}, 3723.5),
        ("00:00:02:500", {"unit": "ms"}, 2.5),
        ("1:02,5", {}, 62.5),
        ("-1.5", {}, -1.5),
        ("1e3", {}, 1000.0),
    ],
)
def test_times(text: str, options: dict, seconds: float) -> None:  # type: ignore[type-arg]
    assert parse_seconds(text, **options) == seconds


@pytest.mark.parametrize(
    "text", ["", " ", "nan", "inf", "1,000", "1.2.3", "0:61:00", "12:34:56:7", "x", "1;2", "1e999"]
)
def test_what_is_no_time_or_has_two_readings(text: str) -> None:
    with pytest.raises(ValueError):
        parse_seconds(text)


def test_presets_of_the_configuration(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store")
    (tmp_path / "t.csv").write_text("on,off\n1000,2000\n")
    config = InteropConfig(columns={"lab": "begin=on:ms,end=off"})
    options = ImportOptions(columns="lab")
    assert import_codes(tmp_path / "t.csv", store, video_id="a", options=options, config=config).codes == 1
    (tmp_path / "t.eaf").touch()
    with pytest.raises(UsageError, match="tables"):
        import_codes(tmp_path / "t.eaf", store, video_id="a", options=options, config=config)
    with pytest.raises(ConfigError, match="begin"):
        load_settings(InteropConfig, overrides=["columns.lab=end=b"])


def test_the_command_lists_what_it_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = make_store(tmp_path / "store")
    (tmp_path / "t.csv").write_text("who,on,off,what\nrobot,1000,2000,x\nrobot,5000,4000,y\n")
    arguments = ["import", str(tmp_path / "t.csv"), "--store", str(store), "--video", "a"]
    arguments += ["--columns", "begin=on:ms,end=off,label=what,participant=who", "--kind", "t=speech"]
    assert run_app(app, arguments) == 3
    assert "row 3" in capsys.readouterr().err
    assert run_app(app, [*arguments, "--skip-bad", "--coded", "0-00:00:05"]) == 0
    said = capsys.readouterr().out
    assert "left out: row 3" in said and "nobody in the store is called 'robot'" in said
    assert run_app(app, [*arguments, "--coded", "5-1"]) == 2


def test_elan_s_export_in_several_forms_of_times(tmp_path: Path) -> None:
    """Clock, seconds and milliseconds: three columns for each of begin, end and duration."""
    rows = (
        "speech\tCHI\t00:00:02.600\t2.6\t2600\t00:00:03.250\t3.25\t3250\t00:00:00.650\t0.65\t650\tba\n"
        "speech\tCHI\t00:01:02.600\t62.6\t62600\t00:01:03.250\t63.25\t63250\t00:00:00.650\t0.65\t650\tdo\n"
    )
    assert _rows(tmp_path / "x.txt", rows) == [
        ("speech", "CHI", "ba", 2.6, 3.25),
        ("speech", "CHI", "do", 62.6, 63.25),
    ]


@pytest.mark.parametrize("bands", ["", "\\\t100.0\t2000.0\n"])
def test_label_tracks_of_audacity(tmp_path: Path, bands: str) -> None:
    rows = f"2.600000\t3.250000\tba\n{bands}4.000000\t4.000000\t\n{bands}"
    found = _rows(tmp_path / "looks.txt", rows)
    assert [row[2:] for row in found] == [("ba", 2.6, 3.25), ("", 4.0, 4.0)]


BORIS = "Observation id,Media file,Subject,Behavior,Behavior type,Start (s),Stop (s),Duration (s)\n"
BORIS_ROWS = "{0},a.mp4,child,look,STATE,1.0,2.5,1.5\n{1},a.mp4,child,point,POINT,3.0,3.0,NA\n"


def test_behaviours_of_boris_tables_are_told_apart(tmp_path: Path) -> None:
    rows = _rows(tmp_path / "t.csv", BORIS + BORIS_ROWS.format("visit1", "visit1"))
    assert rows == [("look", "child", "", 1.0, 2.5), ("point", "child", "", 3.0, 3.0)]


@pytest.mark.parametrize("column", ["Observation id", "Media file name", "video", "recording_filename"])
def test_tables_of_several_recordings_are_refused(tmp_path: Path, column: str) -> None:
    text = BORIS.replace("Observation id", column) + BORIS_ROWS.format("visit1", "visit2")
    with pytest.raises(InputDataError, match="visit1, visit2"):
        _rows(tmp_path / "t.csv", text)
    assert len(_rows(tmp_path / "t.csv", text, "begin=Start (s),end=Stop (s),tier=Behavior")) == 2


def test_a_table_that_says_nothing_of_what_was_coded_has_a_note(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("start (s),stop (s),gaze target,rater\n1,2,ball,A\n3,4,cup,A\n")
    assert "not read are gaze target (" in read_csv(tmp_path / "t.csv").notes[0]
    (tmp_path / "t.csv").write_text("start (s),stop (s)\n1,2\n3,4\n")
    assert read_csv(tmp_path / "t.csv").notes == ()
