"""Plug-ins that cannot be used: the message names them, and whoever does not need them notices nothing."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path
from typing import Any

import pytest
import typer
from PIL import Image
from plugin_site import Site
from small_coco import make_coco

import visionllm_interaction as v
from visionllm_interaction.cli import app
from visionllm_interaction.cli.application import LazyGroup
from visionllm_interaction.cli.command_table import ENTRY_POINTS
from visionllm_interaction.cli.output import run_app
from visionllm_interaction.datasets.ingestion.formats.plugins import ANNOTATION_FORMATS
from visionllm_interaction.datasets.ingestion.layout.discovery import locate
from visionllm_interaction.detection.runtimes.plugins import DETECTORS
from visionllm_interaction.errors import CheckpointError, InputDataError, PluginError, UsageError
from visionllm_interaction.interop.registry import CODING_FORMATS, read_timelines
from visionllm_interaction.measures.api import Query, run_query
from visionllm_interaction.measures.plugins import MEASURE_PLUGINS
from visionllm_interaction.plugins import plugin_groups

MEASURE = """
from types import SimpleNamespace
from visionllm_interaction.plugins import MeasuredValue, MissingValue

def compute(video, *, subject, object, begin_s, end_s):
    {body}

PLUGIN = SimpleNamespace(
    name="mine", definition="A definition.", unit="s", source="a paper", inputs="one", nothing=0.0, version=1,
    compute=compute,
)
"""
CODING = """
class Format:
    name = "mine"
    endings = {endings}
    def read(self, path):
        {body}

PLUGIN = Format()
"""
ANNOTATIONS = """
class Format:
    name = "{name}"
    def detect(self, path):
        {detect}
    def read(self, source):
        return "nothing of the kind"

PLUGIN = Format()
"""
DETECTOR = """
class Loader:
    name = "mine"
    def opens(self, path):
        return path.suffix == ".mine"
    def load(self, path, *, device):
        return "no detector"

PLUGIN = Loader()
"""


def measure(body: str = "return MeasuredValue(1.0, (1,), 0.0, 0.5)") -> str:
    return MEASURE.format(body=body)


def broken(site: Site, group: str) -> None:
    site.add("broken-one", group=group, name="broken", source="import a_module_that_is_not_there\n")


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import a_module_that_is_not_there", "No module named 'a_module_that_is_not_there'"),
        ("raise SystemExit('bye')", "SystemExit: bye"),
        ("PLUGIN = (", "SyntaxError"),
        ("OTHER = 1", "AttributeError"),
    ],
)
def test_what_cannot_be_imported_names_distribution_and_group(site: Site, source: str, found: str) -> None:
    site.add("broken-one", group="visionllm.measures", name="mine", source=source, version="2.3")
    with pytest.raises(PluginError, match="cannot be imported") as caught:
        MEASURE_PLUGINS.get("mine")
    assert caught.value.where == "mine of broken-one 2.3 (group visionllm.measures)"
    assert found in (caught.value.found or "") and "broken-one" in (caught.value.fix or "")
    assert (caught.value.exit_code, caught.value.code) == (2, "PLUGIN")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("unit=", "units=", "unit is missing"),
        ("version=1", "version='1'", "version must be int, found '1'"),
        ("version=1", "version=True", "version must be int, found True"),
        ("nothing=0.0", "nothing='-'", "nothing must be float or int or None, found '-'"),
        ('inputs="one"', 'inputs="three"', "inputs must be 'one' or 'pair', found 'three'"),
        ("compute=compute", "compute=1", "compute is not a method"),
        ("object, begin_s, end_s", "begin_s, end_s", "compute must take (video, subject, object, begin_s, end_s)"),
        ('name="mine"', 'name="other"', "its name is 'other', but its entry point is called 'mine'"),
        ("PLUGIN = Simple", "class PLUGIN: pass\nOTHER = Simple", "it is the class PLUGIN"),
    ],
)
def test_what_a_plug_in_lacks_is_said(site: Site, old: str, new: str, problem: str) -> None:
    assert old in measure()
    site.add("lacking", group="visionllm.measures", name="mine", source=measure().replace(old, new))
    with pytest.raises(PluginError, match=r"plugins\.MeasurePlugin") as caught:
        MEASURE_PLUGINS.get("mine")
    assert problem in (caught.value.found or "")


@pytest.mark.parametrize(
    ("group", "name", "source"),
    [
        ("visionllm.measures", "visible_duration", measure()),
        ("visionllm.coding_formats", "eaf", CODING.format(endings="('.mine',)", body="return {}")),
        ("visionllm.annotation_formats", "coco", ANNOTATIONS.format(name="coco", detect="return ()")),
        ("visionllm.detectors", "torch", DETECTOR),
    ],
)
def test_the_name_of_something_built_in_is_refused(site: Site, group: str, name: str, source: str) -> None:
    site.add("taker", group=group, name=name, source=source)
    [kind] = [one for one in plugin_groups() if one.name == group]
    loaded, [failure] = kind.load_all()
    assert loaded == () and "also built in" in (failure.found or "") and "taker" in (failure.where or "")


def test_two_plug_ins_of_one_name_are_both_refused(site: Site) -> None:
    for distribution in ("first-one", "second-one"):
        site.add(distribution, group="visionllm.measures", name="mine", source=measure())
    loaded, failures = MEASURE_PLUGINS.load_all()
    assert loaded == () and len(failures) == 2
    assert "second-one" in (failures[0].found or "") and "first-one" in (failures[1].found or "")


@pytest.mark.parametrize(
    ("endings", "problem"),
    [
        ("('.eaf',)", "the ending .eaf is built in"),
        ("('.textgrid',)", "the ending .textgrid is built in"),
        ("('.Cha',)", "'.Cha' must be a dot and small letters"),
        ("('cha',)", "'cha' must be"),
        ("()", "endings is empty"),
        ("'.cha'", "endings must be tuple"),
    ],
)
def test_endings_are_checked(site: Site, endings: str, problem: str) -> None:
    site.add(
        "coder",
        group="visionllm.coding_formats",
        name="mine",
        source=CODING.format(endings=endings, body="return {}"),
    )
    with pytest.raises(PluginError) as caught:
        CODING_FORMATS.get("mine")
    assert problem in (caught.value.found or "")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("return 1 / 0", "ZeroDivisionError"),
        ("return 3.0", "it gave a float"),
        ("return MissingValue('')", "it gave no reason"),
        ("return MeasuredValue(float('nan'), (1,), 0.0, 0.5)", "its value is nan"),
        ("return MeasuredValue('long', (1,), 0.0, 0.5)", "its value is 'long'"),
        ("return MeasuredValue(1.0, (77,), 0.0, 0.5)", "the video has no tracks [77]"),
        ("return MeasuredValue(1.0, (1,), 0.5, 0.5)", "its evidence is at 0.5 to 0.5 s"),
        ("return MeasuredValue(1.0, (1,), 0.0, 9.0)", "its evidence is at 0.0 to 9.0 s"),
    ],
)
def test_a_value_that_cannot_be_right_is_missing_and_says_why(site: Site, store: Path, body: str, reason: str) -> None:
    site.add("wrong-one", group="visionllm.measures", name="mine", source=measure(body))
    with v.open_store(store) as opened:
        [found] = run_query(opened, Query("mine", "child", video_id="room"))
    assert found.value is None and found.track_ids == ()
    assert (found.missing or "").startswith("wrong-one 1.0 failed: ") and reason in (found.missing or "")


def test_a_measure_of_pairs_stands_in_the_table_for_people_and_others(site: Site, store: Path) -> None:
    body = "return MeasuredValue(float(len(subject + object)), (1, 2), begin_s, end_s) if object else None"
    source = measure(body).replace('inputs="one"', 'inputs="pair"')
    site.add("pair-one", group="visionllm.measures", name="mine", source=source)
    rows = [row for row in v.measures(store).to_arrow().to_pylist() if row["measure"] == "mine"]
    assert {(row["subject"], row["object"]) for row in rows} == {("child", "ball")}
    assert {row["video_id"]: row["value"] for row in rows} == {"room": 9.0, "ego": 9.0, "blind": None}
    assert {row["definition_version"] for row in rows} == {1}
    with v.open_store(store) as opened, pytest.raises(UsageError, match="about two"):
        run_query(opened, Query("mine", "child"))


def test_numbers_of_numpy_become_plain_ones(site: Site, store: Path) -> None:
    body = "import numpy as np; return MeasuredValue(np.int64(3), (np.int64(1),), np.float32(0), np.float64(1.0))"
    site.add("numpy-one", group="visionllm.measures", name="mine", source=measure(body))
    with v.open_store(store) as opened:
        [found] = run_query(opened, Query("mine", "child", video_id="room"))
    assert json.loads(json.dumps(found.to_dict()))["value"] == 3 and type(found.value) is int


def test_nothing_found_has_the_measures_own_value(site: Site, store: Path) -> None:
    site.add("none-one", group="visionllm.measures", name="mine", source=measure("return None"))
    with v.open_store(store) as opened:
        blind, _, room = run_query(opened, Query("mine", "ball"))
    assert (room.value, room.missing) == (0.0, None)
    assert (blind.value, blind.missing) == (None, "the detector does not look for 'ball'")


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    """Parallel sums differ in the last digits from run to run."""
    return {**row, "value": row["value"] and round(row["value"], 9)}


def test_a_broken_measure_leaves_the_table_as_it_was(site: Site, store: Path) -> None:
    before = v.measures(store).to_arrow().to_pylist()
    broken(site, "visionllm.measures")
    site.add("failing", group="visionllm.measures", name="mine", source=measure("raise KeyError('x')"))
    after = v.measures(store).to_arrow().to_pylist()
    kept = [row for row in after if row["measure"] != "mine"]
    assert [_rounded(row) for row in kept] == [_rounded(row) for row in before]
    assert {row["missing"] for row in after if row["measure"] == "mine"} == {"failing 1.0 failed: KeyError: 'x'"}
    with v.open_store(store) as opened, pytest.raises(PluginError, match="broken-one"):
        run_query(opened, Query("broken", "child"))


def test_a_file_nobody_knows_tells_of_plug_ins_that_could_not_be_asked(site: Site, tmp_path: Path) -> None:
    for group in ("visionllm.coding_formats", "visionllm.annotation_formats"):
        broken(site, group) if group.endswith("coding_formats") else site.add(
            "broken-two", group=group, name="broken", source="import a_module_that_is_not_there\n"
        )
    with pytest.raises(UsageError, match=r"broken of broken-one 1\.0 .*visionllm doctor"):
        read_timelines(tmp_path / "talk.xyz")
    (tmp_path / "notes").mkdir()
    with pytest.raises(InputDataError, match=r"broken of broken-two 1\.0 .*visionllm doctor"):
        locate(tmp_path / "notes")


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        ("return {}", PluginError, "read gave no timelines"),
        ("return {'a': 1}", PluginError, "read gave no timelines"),
        ("raise IndexError('line 3')", InputDataError, "IndexError: line 3"),
    ],
)
def test_what_a_coding_format_gives_is_checked(
    site: Site, tmp_path: Path, body: str, kind: type[Exception], text: str
) -> None:
    source = CODING.format(endings="('.cha',)", body=body)
    site.add("coder", group="visionllm.coding_formats", name="mine", source=source)
    (tmp_path / "talk.CHA").write_text("x")
    with pytest.raises(kind, match=text) as caught:
        read_timelines(tmp_path / "talk.CHA")
    assert "coder 1.0" in str(caught.value)
    with pytest.raises(UsageError, match="can only be read"):
        v.export(tmp_path, tmp_path / "out", format="mine")


def test_two_formats_that_claim_one_folder_are_both_named(site: Site, tmp_path: Path) -> None:
    for name in ("first", "second"):
        source = ANNOTATIONS.format(name=name, detect="return [path / 'boxes.txt']")
        site.add(f"{name}-one", group="visionllm.annotation_formats", name=name, source=source)
    with pytest.raises(PluginError, match=r"first of first-one 1\.0 .*second of second-one 1\.0"):
        locate(tmp_path)


def test_a_format_that_claims_everything_does_not_take_what_is_built_in(site: Site, tmp_path: Path) -> None:
    source = ANNOTATIONS.format(name="greedy", detect="return sorted(path.iterdir())")
    site.add("greedy-one", group="visionllm.annotation_formats", name="greedy", source=source)
    root = make_coco(tmp_path / "outer/inner/toys")
    assert locate(tmp_path / "outer").root == root
    (tmp_path / "other").mkdir()
    (tmp_path / "other/notes.txt").write_text("x")
    assert locate(tmp_path / "other").format == "greedy"  # type: ignore[union-attr]


def test_a_format_that_fails_while_it_is_asked_is_passed_over(site: Site, tmp_path: Path) -> None:
    source = ANNOTATIONS.format(name="failing", detect="raise RuntimeError('odd folder')")
    site.add("failing-one", group="visionllm.annotation_formats", name="failing", source=source)
    other = ANNOTATIONS.format(name="other", detect="return [path / 'notes.txt']")
    site.add("other-one", group="visionllm.annotation_formats", name="other", source=other)
    with pytest.raises(PluginError, match=r"detect named .*notes\.txt, which is no file"):
        locate(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    assert locate(tmp_path).format == "other"  # type: ignore[union-attr]
    matches = ANNOTATION_FORMATS.matching(lambda plugin: plugin.detect(tmp_path))
    assert [error.found for error in matches.failures] == ["RuntimeError: odd folder"]


def test_what_a_loader_gives_must_be_a_detector(site: Site, tmp_path: Path) -> None:
    site.add("loader", group="visionllm.detectors", name="mine", source=DETECTOR)
    (tmp_path / "net.mine").write_bytes(b"x")
    with pytest.raises(PluginError, match=r"load gave no detector: categories is missing; digest is missing"):
        v.load_detector(tmp_path / "net.mine")
    assert [entry.name for entry in DETECTORS.entries()] == ["mine"]


def test_built_in_things_are_found_without_asking_anybody(
    site: Site, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def scanned(**wanted: str) -> Any:
        assert wanted.get("group") not in groups, "a group of ours was looked for"
        return find(**wanted)  # commands of other packages; and torch has plug-ins of its own

    find, groups = importlib.metadata.entry_points, {group.name for group in plugin_groups()}
    monkeypatch.setattr("importlib.metadata.entry_points", scanned)
    root = make_coco(tmp_path / "toys")
    assert locate(tmp_path).root == root
    with v.open_store(store) as opened:
        assert run_query(opened, Query("visible_duration", "ball", video_id="room"))[0].value == pytest.approx(1.0)
    [file] = v.export(store, tmp_path / "out", format="csv", video_id="room").files
    assert read_timelines(file.path)["room"].count() > 0
    assert v.ask("How long was the ball visible?", store).claims
    Image.new("RGB", (8, 8)).save(tmp_path / "net.pt", format="png")
    with pytest.raises(CheckpointError):
        v.load_detector(tmp_path / "net.pt")
    assert run_app(app, ["--help"]) == 0 and "measures" in capsys.readouterr().out
    with pytest.raises(AssertionError, match="was looked for"):
        v.measures(store)


def test_the_doctor_lists_plug_ins_with_version_and_state(
    site: Site, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    site.add("good-one", group="visionllm.measures", name="mine", source=measure(), version="4.5")
    site.add("broken-two", group="visionllm.detectors", name="broken", source="import a_module_that_is_not_there\n")
    code = run_app(app, ["doctor", "-o", f"artifacts_dir={tmp_path}", "--json"])
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["plug-in visionllm.measures: mine"]["found"] == "good-one 4.5, ready"
    bad = checks["plug-in visionllm.detectors: broken"]
    assert code == 1 and not bad["ok"] and bad["found"].startswith("broken-two 1.0: A plug-in cannot be imported.")
    assert "upgrade or uninstall broken-two" in bad["fix"]


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("raise RuntimeError('made for another version')", "made for another version"),
        ("PLUGIN = ['no', 'table']", "not list"),
        ("PLUGIN = {'stats': ('module', 'function', 'summary')}", "not a CommandEntry"),
        ("PLUGIN = 1 / 0", "ZeroDivisionError"),
        ("import sys; sys.exit(5)", "SystemExit"),
    ],
)
def test_commands_that_cannot_be_listed_are_left_out_by_name(
    site: Site, capsys: pytest.CaptureFixture[str], source: str, problem: str
) -> None:
    site.add("lab-stats", group=ENTRY_POINTS, name="stats", source=source)
    assert run_app(_fresh_app(), ["--help"]) == 0
    said = capsys.readouterr()
    assert "analyze" in said.out and "toyroom" in said.out, "the commands of the others are there"
    assert "lab-stats" in said.err and problem in said.err and "uninstall" in said.err


def test_an_added_command_without_its_module_is_refused_by_name(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    source = """
from visionllm_interaction.cli.command_table import CommandEntry
PLUGIN = {"lab-stats": CommandEntry("lab_stats_gone.commands", "stats", "Statistics of the lab.")}
"""
    site.add("lab-stats", group=ENTRY_POINTS, name="stats", source=source)
    assert run_app(_fresh_app(), ["lab-stats", "--help"]) == PluginError.exit_code
    assert "lab_stats_gone.commands" in capsys.readouterr().err
    assert run_app(_fresh_app(), ["--help"]) == 0
    assert "Statistics of the lab." in capsys.readouterr().out


def _fresh_app() -> typer.Typer:
    """The application as a new process has it: it has listed no commands yet."""
    fresh = typer.Typer(cls=LazyGroup, rich_markup_mode=None, pretty_exceptions_enable=False)
    fresh.callback()(lambda: None)
    return fresh
