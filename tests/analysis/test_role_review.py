"""The sheet of crops, the table that is filled in, and the command."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from visionllm_interaction.analysis.analyze_videos import analyze
from visionllm_interaction.analysis.role_review import people_of, read_role_table, write_review_sheet
from visionllm_interaction.cli.roles import roles
from visionllm_interaction.errors import InputDataError, UsageError
from visionllm_interaction.store.reader import open_store


@pytest.fixture
def store(clip: Path, tmp_path: Path) -> Path:
    analyze(clip, tmp_path / "store", detections="truth")
    return tmp_path / "store"


def video_id(store: Path) -> str:
    [found] = open_store(store)
    return found


def test_the_sheet_shows_everybody(store: Path, tmp_path: Path) -> None:
    people = people_of(store, video_id(store))
    assert people and not any(person.reviewed for person in people)
    page, table = write_review_sheet(store, video_id(store), tmp_path / "out")
    text = page.read_text()
    assert text.count("data:image/jpeg;base64,") == 5 * len(people)
    assert 'src="http' not in text, "it refers to nothing outside itself"
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [int(row["track"]) for row in rows] == [person.track_id for person in people]
    assert {row["role"] for row in rows} == {""}, "an untouched table changes nothing"
    assert read_role_table(table) == {}


def test_a_table_that_was_filled_in_is_read(tmp_path: Path) -> None:
    table = tmp_path / "roles.csv"
    table.write_text("track,role,seen\n3,caregiver,x\n5,,x\nrest,other,\n")
    assert read_role_table(table) == {3: "caregiver", "rest": "other"}
    table.write_text("Track;Role;seen\n3;Caregiver;x\n;;\nREST;other\n", encoding="utf-16")
    assert read_role_table(table) == {3: "caregiver", "rest": "other"}
    table.write_text("number,role\n3,child\n")
    with pytest.raises(InputDataError):
        read_role_table(table)
    table.write_text("track,role\n3,child\n3,caregiver\n")
    with pytest.raises(InputDataError, match="one role for each track"):
        read_role_table(table)
    table.write_text("track,role\n3,nurse\n")
    with pytest.raises(InputDataError, match="roles"):
        read_role_table(table)


def test_a_review_survives_another_analysis(store: Path, clip: Path) -> None:
    [person, *_] = people_of(store, video_id(store))
    run = CliRunner().invoke(roles, [video_id(store), "--store", str(store), "--set", f"{person.track_id}=other"])
    assert run.exit_code == 0, run.output
    assert people_of(store, video_id(store))[0].role == "other"
    # Analysed anew with other settings: same people, and the review is still there.
    from visionllm_interaction.analysis.config import AnalysisConfig

    config = AnalysisConfig.model_validate({"video": {"decode": {"sample_fps": 5}}})
    [result] = analyze(clip, store, detections="truth", config=config).videos
    assert result.status == "done"
    [again, *_] = people_of(store, video_id(store))
    assert (again.role, again.reviewed) == ("other", True)


def test_what_makes_no_sense_is_refused(store: Path) -> None:
    for wrong in ("3", "x=child"):
        run = CliRunner().invoke(roles, [video_id(store), "--store", str(store), "--set", wrong])
        assert isinstance(run.exception, UsageError), wrong
    assert not json.loads((store / "videos" / video_id(store) / "video.json").read_text())["roles_estimated"]
