"""Real files of the tools, counted independently; the schema of ELAN; and files that should be refused."""

from __future__ import annotations

import csv
import json
import os
import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
from exchange_random import random_timeline
from lxml import etree

from visionllm_interaction.errors import InputDataError
from visionllm_interaction.interop.formats import safe_reading as files
from visionllm_interaction.interop.formats.boris import read_boris
from visionllm_interaction.interop.formats.datavyu import read_opf
from visionllm_interaction.interop.formats.elan import eaf_bytes, read_eaf
from visionllm_interaction.interop.formats.praat import read_textgrid
from visionllm_interaction.interop.formats.tabular import read_csv
from visionllm_interaction.interop.tiers import Interval, Tier, Timeline

DATA = Path(os.environ.get("VISIONLLM_TEST_DATA", "/nowhere")) / "formats"
real = pytest.mark.skipif(not DATA.is_dir(), reason="needs VISIONLLM_TEST_DATA")


@pytest.fixture(scope="module")
def schema() -> etree.XMLSchema:
    """The XML schema of ELAN 2.7. The schema's own import of the XML namespace is not there, and not needed."""
    return etree.XMLSchema(etree.parse(str(DATA / "elan" / "EAFv2.7.xsd")))


@real
@pytest.mark.parametrize("name", ["childproject_example.eaf", "childproject_eaf_any_tier.eaf"])
def test_elan_files_are_read_whole(name: str, schema: etree.XMLSchema, tmp_path: Path) -> None:
    path = DATA / "elan" / name
    timeline = read_eaf(path)
    root = ElementTree.parse(path).getroot()
    for tier, element in zip(timeline.tiers, root.iter("TIER"), strict=True):
        values = [value.text or "" for value in element.iter("ANNOTATION_VALUE")]
        assert (tier.name, sorted(i.label for i in tier.intervals)) == (element.get("TIER_ID"), sorted(values))
    assert timeline.count() > 400
    again = tmp_path / "again.eaf"
    again.write_bytes(eaf_bytes(timeline))
    schema.assertValid(etree.parse(str(again)))
    once = read_eaf(again)
    assert once.count() == timeline.count()
    assert eaf_bytes(once) == again.read_bytes()


@real
def test_what_is_written_for_elan_is_valid(schema: etree.XMLSchema) -> None:
    words = Tier("t", (Interval(0.0, 1.0, "a"),), "child", vocabulary=("a", "b & <c>"))
    for timeline in (
        *map(random_timeline, range(50)),
        Timeline((words, Tier("u", ())), "/v/a film.mp4", 12.0),
        Timeline(()),
    ):
        schema.assertValid(etree.fromstring(eaf_bytes(timeline)))


def test_no_two_elan_annotations_share_a_boundary() -> None:
    bouts = (Interval(0.0, 1.0, "a"), Interval(1.0, 2.0, "b"))
    root = etree.fromstring(eaf_bytes(Timeline((Tier("t", bouts), Tier("u", bouts)))))
    slots = [slot.get("TIME_SLOT_ID") for slot in root.iter("TIME_SLOT")]
    used = [a.get(f"TIME_SLOT_REF{n}") for a in root.iter("ALIGNABLE_ANNOTATION") for n in (1, 2)]
    assert sorted(used) == sorted(slots) and len(set(used)) == 8
    assert [int(slot.get("TIME_VALUE")) for slot in root.iter("TIME_SLOT")] == [
        0,
        0,
        1000,
        1000,
        1000,
        1000,
        2000,
        2000,
    ]


@real
def test_times_of_elan_annotations_that_hang_on_others() -> None:
    path = DATA / "elan" / "childproject_example.eaf"
    by_name = {tier.name: tier for tier in read_eaf(path).tiers}
    children = {(i.begin_s, i.end_s) for i in by_name["xds@UC3"].intervals}
    assert children and children <= {(i.begin_s, i.end_s) for i in by_name["UC3"].intervals}


@real
def test_boris_projects_are_read_whole() -> None:
    path = DATA / "boris" / "test.boris"
    project = json.loads(path.read_text())
    states = {b["code"] for b in project["behaviors_conf"].values() if b["type"].startswith("State")}
    observations = read_boris(path)
    assert list(observations) == list(project["observations"])
    for name, timeline in observations.items():
        events = project["observations"][name]["events"]
        points = sum(event[2] not in states for event in events)
        keys = [tuple(map(str, event[1:4])) for event in events if event[2] in states]
        starts = sum((keys.count(key) + 1) // 2 for key in set(keys))
        assert timeline.count() == points + starts, name


@real
def test_boris_states_have_the_times_that_boris_exports() -> None:
    with (DATA / "boris" / "test_export_aggregated_events_test_full_1.tsv").open() as stream:
        exported = [row for row in csv.DictReader(stream, delimiter="\t") if row["Behavior type"] == "STATE"]
    assert len(exported) > 5
    timelines = read_boris(DATA / "boris" / "test.boris")
    for row in exported:
        who = "" if row["Subject"] == "No focal subject" else row["Subject"]
        tiers = timelines[row["Observation id"]].tiers
        [tier] = [t for t in tiers if (t.name, t.participant) == (row["Behavior"], who)]
        assert (float(row["Start (s)"]), float(row["Stop (s)"])) in {(i.begin_s, i.end_s) for i in tier.intervals}


@real
@pytest.mark.parametrize("name", ["dyad1", "dyad2"])
def test_datavyu_files_have_the_cells_that_datavyu_exports(name: str) -> None:
    timeline = read_opf(DATA / "datavyu" / f"{name}.opf")
    with zipfile.ZipFile(DATA / "datavyu" / f"{name}.opf") as archive:
        cells = re.findall(r"(?m)^\d+:\d+:\d+:\d+,", archive.read("db").decode())
    assert timeline.count() == len(cells)
    for tier in timeline.tiers:
        export = DATA / "datavyu" / f"{tier.name}__{name}.csv"
        exported = read_csv(export)
        assert [t.intervals for t in exported.tiers if t.name == tier.name] == [tier.intervals]
        with export.open() as stream:
            assert sum(row["column"] == tier.name for row in csv.DictReader(stream)) == len(tier.intervals)


@real
def test_textgrids_are_read_whole() -> None:
    path = DATA / "childproject" / "textgrid.TextGrid"
    timeline = read_textgrid(path)
    text = path.read_text()
    assert len(timeline.tiers) == len(re.findall(r"(?m)^\s+name = ", text)) == 11
    assert timeline.count() == len(re.findall(r'(?m)^\s+text = "[^"]', text))
    assert timeline.duration_s == 10.0


def test_short_textgrids_and_comments(tmp_path: Path) -> None:
    path = tmp_path / "short.TextGrid"
    path.write_text(
        'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n2.5\n<exists>\n2\n"IntervalTier"\n"words"\n0\n'
        '2.5\n2\n0\n1\n"say ""hi"" 3 times"\n1\n2.5\n""\n"TextTier"\n"bells" ! a comment, 5\n0\n2.5\n1\n0.5\n"ding"\n',
        encoding="utf-16",
    )
    words, bells = read_textgrid(path).tiers
    assert words.intervals == (Interval(0.0, 1.0, 'say "hi" 3 times'),)
    assert bells.intervals == (Interval(0.5, 0.5, "ding"),)


BILLION_LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
    "<ANNOTATION_DOCUMENT>&b;</ANNOTATION_DOCUMENT>"
)
OUTSIDE = '<?xml version="1.0"?><!DOCTYPE r SYSTEM "file:///etc/passwd"><ANNOTATION_DOCUMENT/>'


@pytest.mark.parametrize("content", [BILLION_LAUGHS, OUTSIDE, "", "<a>", "<TextGrid/>", "\x00\x01"])
def test_xml_with_a_document_type_or_that_is_none_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "x.eaf"
    path.write_text(content)
    with pytest.raises(InputDataError, match="cannot be imported"):
        read_eaf(path)


def test_dangling_references_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.eaf"
    path.write_text(
        '<ANNOTATION_DOCUMENT><TIER TIER_ID="t"><ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a1" ANNOTATION_REF="a1">'
        "<ANNOTATION_VALUE>x</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION></TIER></ANNOTATION_DOCUMENT>"
    )
    with pytest.raises(InputDataError, match="a1"):
        read_eaf(path)


@pytest.mark.parametrize(
    ("name", "read", "content"),
    [
        ("a.boris", read_boris, b"[]"),
        ("a.boris", read_boris, b'{"observations": {"o": {"events": [["x"]]}}, "behaviors_conf": {}}'),
        ("a.boris", read_boris, b"[" * 100000),
        ("a.opf", read_opf, b"PK not really"),
        ("a.TextGrid", read_textgrid, b'File type = "ooTextFile"\nObject class = "TextGrid"\n0\n1\n<exists>\n9\n'),
        ("a.TextGrid", read_textgrid, b"hello"),
        ("a.csv", read_csv, b"tier,begin_s,end_s\nx,now,later\n"),
        ("a.csv", read_csv, b"some,thing\n1,2\n"),
    ],
)
def test_broken_files_are_refused(name: str, read, content: bytes, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputDataError, match="cannot be imported"):
        read(tmp_path / name)


def test_files_over_the_cap_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_BYTES", 10)
    (tmp_path / "a.csv").write_bytes(b"x" * 11)
    with pytest.raises(InputDataError, match="at most 10 bytes"):
        read_csv(tmp_path / "a.csv")


def test_xml_of_too_many_tags_is_refused_before_it_is_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_TAGS", 100)
    (tmp_path / "a.eaf").write_text("<ANNOTATION_DOCUMENT>" + "<a>" * 60 + "</a>" * 60 + "</ANNOTATION_DOCUMENT>")
    with pytest.raises(InputDataError, match="at most 100 tags"):
        read_eaf(tmp_path / "a.eaf")
