"""What is written is read back: 1,000 random timelines through every format, no label lost, times within 1 ms."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from exchange_random import random_timeline, rows

from visionllm_interaction.interop.formats.boris import boris_bytes, read_boris
from visionllm_interaction.interop.formats.datavyu import opf_bytes, read_opf
from visionllm_interaction.interop.formats.elan import eaf_bytes, read_eaf
from visionllm_interaction.interop.formats.praat import read_textgrid, textgrid_bytes
from visionllm_interaction.interop.formats.tabular import csv_bytes, parquet_bytes, read_csv, read_parquet
from visionllm_interaction.interop.tiers import Interval, Tier, Timeline, split_overlaps

COUNT = 1000

Write = Callable[[Timeline], bytes]
Read = Callable[[Path], Timeline]
FORMATS: dict[str, tuple[Write, Read]] = {
    "eaf": (eaf_bytes, read_eaf),
    "boris": (lambda t: boris_bytes({"one": t}), lambda p: read_boris(p)["one"]),
    "opf": (opf_bytes, read_opf),
    "TextGrid": (textgrid_bytes, read_textgrid),
    "csv": (csv_bytes, read_csv),
    "parquet": (parquet_bytes, read_parquet),
}


@pytest.mark.parametrize("name", FORMATS)
def test_random_timelines_come_back_whole(name: str, tmp_path: Path) -> None:
    write, read = FORMATS[name]
    path = tmp_path / f"timeline.{name}"
    worst = 0.0
    for seed in range(COUNT):
        timeline = random_timeline(seed)
        path.write_bytes(write(timeline))
        back = read(path)
        if name == "TextGrid":  # has no participants: they are part of the name
            tiers = (replace(t, name=f"{t.participant}: {t.name}" if t.participant else t.name) for t in timeline.tiers)
            timeline = Timeline(tuple(replace(tier, participant="") for tier in tiers))
        expected, found = rows(timeline), rows(back)
        assert [row[:3] for row in found] == [row[:3] for row in expected], seed
        errors = [abs(a - b) for f, e in zip(found, expected, strict=True) for a, b in zip(f[3:], e[3:], strict=True)]
        worst = max(worst, *errors)
    assert worst == 0.0 if name in ("csv", "parquet") else worst <= 0.001 + 1e-9, worst


@pytest.mark.parametrize("name", FORMATS)
def test_two_cycles_are_stable(name: str, tmp_path: Path) -> None:
    write, read = FORMATS[name]
    path = tmp_path / f"timeline.{name}"
    for seed in range(20):
        path.write_bytes(write(random_timeline(seed)))
        once = read(path)
        first = write(once)
        path.write_bytes(first)
        twice = read(path)
        assert twice.tiers == once.tiers
        assert write(twice) == first or name == "TextGrid"


def test_overlaps_go_to_further_tiers_and_moments_last_a_millisecond() -> None:
    bouts = (Interval(0.0, 2.0, "a"), Interval(1.0, 3.0, "b"), Interval(2.0, 2.0, "c"), Interval(3.0, 4.0, "d"))
    tier = Tier("near", bouts)
    one, two = split_overlaps([tier])
    assert (one.name, [(i.begin_s, i.end_s, i.label) for i in one.intervals]) == (
        "near",
        [(0.0, 2.0, "a"), (2.0, 2.001, "c"), (3.0, 4.0, "d")],
    )
    assert (two.name, [i.label for i in two.intervals]) == ("near (2)", ["b"])


def test_two_tiers_of_one_name_stay_two() -> None:
    names = [tier.name for tier in split_overlaps([Tier("x", ()), Tier("x", ()), Tier("x (2)", ())])]
    assert len(set(names)) == 3


def test_a_spreadsheet_runs_no_cell() -> None:
    labels = ("=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "'=1", "plain", "-")
    timeline = Timeline((Tier("=tier", tuple(Interval(float(n), n + 1.0, text) for n, text in enumerate(labels))),))
    text = csv_bytes(timeline).decode()
    cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
    assert not [cell for cell in cells if cell[:1] in tuple("=+-@\t\r")]


def test_a_label_of_a_csv_comes_back_with_its_quote(tmp_path: Path) -> None:
    labels = ("=1+1", "'=1", "''", "'tis", "\r\n=1")
    timeline = Timeline((Tier("t", tuple(Interval(float(n), n + 1.0, text) for n, text in enumerate(labels))),))
    (tmp_path / "t.csv").write_bytes(csv_bytes(timeline))
    assert [i.label for i in read_csv(tmp_path / "t.csv").tiers[0].intervals] == list(labels)
