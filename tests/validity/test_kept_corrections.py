"""Corrections that are kept in the store: where they are shown, and when they no longer are."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
from validity_studies import answer_csv, child_store

from visionllm_interaction.cli.application import app
from visionllm_interaction.cli.output import run_app
from visionllm_interaction.errors import InputDataError, StoreError
from visionllm_interaction.measures.api import measures
from visionllm_interaction.measures.language.run import query
from visionllm_interaction.reasoning.pipeline import ask
from visionllm_interaction.reasoning.recheck_answer import replay
from visionllm_interaction.store.reader import erase_video
from visionllm_interaction.validity.audit.keep_correction import keep_correction
from visionllm_interaction.validity.audit.label_import import import_labels
from visionllm_interaction.validity.audit.measure_correction import correct
from visionllm_interaction.validity.audit.plan import plan_audit
from visionllm_interaction.validity.audit.tasks import export_tasks

TOTAL = "total(near(child, caregiver))"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store and an audit whose correction is kept."""
    folder = tmp_path_factory.mktemp("kept")
    store = child_store(folder / "store")
    plan_audit("near_duration", store, folder / "audit", subject="child", object="caregiver", labels=200)
    export_tasks(folder / "audit", folder / "tasks", format="csv")
    import_labels(folder / "audit", answer_csv(folder / "tasks" / "tasks.csv", folder / "done.csv"), coder="ann")
    keep_correction("near_duration", folder / "audit")
    return folder


@pytest.fixture
def own_study(study: Path, tmp_path: Path) -> Path:
    """A copy, for tests that change it."""
    return Path(shutil.copytree(study, tmp_path / "study"))


def test_the_sum_over_the_recordings_stands_beside_the_detected_one(study: Path) -> None:
    expected = correct("near_duration", study / "audit").estimates[0].corrected
    [row] = query(TOTAL, study / "store")
    assert row.corrected is not None
    assert (row.corrected.value, row.corrected.low) == (expected.value, expected.interval.low)
    assert row.value != pytest.approx(row.corrected.value)
    assert query("total(near(caregiver, child))", study / "store").rows[0].corrected == row.corrected


def test_parts_of_recordings_and_other_states_have_no_correction(study: Path) -> None:
    for other in ("total(near(child, caregiver) & between(0s, 5s))", "total(visible(child))", f"{TOTAL} by bin(2s)"):
        assert {row.corrected for row in query(other, study / "store")} == {None}


def test_the_table_has_the_value_of_each_recording_with_its_interval(study: Path, tmp_path: Path) -> None:
    table = measures(study / "store")
    table.write(tmp_path / "measures.csv")
    with (tmp_path / "measures.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    near = [row for row in rows if row["measure"] == "near_duration" and row["corrected"]]
    assert {row["video_id"] for row in near} == {"v1", "v2", "v3", "v4"}
    for row in near:
        assert float(row["corrected_low"]) <= float(row["corrected"]) <= float(row["corrected_high"])
        assert row["basis"] == "as detected"
    assert {row["measure"] for row in rows if row["corrected"]} == {"near_duration"}
    assert {row["corrected"] for row in measures(study / "store", bin_s=2).to_arrow().to_pylist()} == {None}


def test_an_answer_says_what_is_corrected_and_still_replays(study: Path) -> None:
    answer = ask("How long were the child and the caregiver near each other?", study / "store", planner="rules")
    [total] = [claim for claim in answer.claims if len(claim.evidence) > 1]
    assert (total.basis, total.corrected is not None) == ("as detected", True)
    assert total.standing.startswith("as detected; corrected ")
    assert all(item.corrected is not None for item in answer.evidence)
    assert replay(answer, study / "store").status == "holds"


def test_an_answer_from_before_corrections_replays(study: Path) -> None:
    answer = ask("How long were the child and the caregiver near each other?", study / "store", planner="rules")
    old = json.loads(json.dumps(answer.model_dump(mode="json")))
    for part in (*old["claims"], *old["evidence"]):
        del part["basis"], part["corrected"]
    assert replay(type(answer).model_validate(old), study / "store").status == "holds"


def test_another_analysis_of_a_video_ends_its_correction(own_study: Path) -> None:
    record = own_study / "store" / "videos" / "v1" / "video.json"
    record.write_text(
        record.read_text()
        .replace('"fingerprint":"', '"fingerprint":"other ')
        .replace('"fingerprint": "', '"fingerprint": "other ')
    )
    rows = measures(own_study / "store").to_arrow().to_pylist()
    assert {row["video_id"] for row in rows if row["corrected"] is not None} == {"v2", "v3", "v4"}
    assert query(TOTAL, own_study / "store").rows[0].corrected is None


def test_an_erased_video_takes_its_part_in_corrections_along(own_study: Path) -> None:
    erase_video(own_study / "store", "v1")
    assert not list((own_study / "store" / "corrections").glob("*"))
    with pytest.raises(InputDataError, match="not as it was"):
        keep_correction("near_duration", own_study / "audit", store=own_study / "store")


def test_a_damaged_correction_is_named(own_study: Path) -> None:
    [file] = (own_study / "store" / "corrections").glob("*.json")
    file.write_text("{}")
    with pytest.raises(StoreError, match="correction cannot be read"):
        query(TOTAL, own_study / "store")
    erase_video(own_study / "store", "v1")
    assert query(TOTAL, own_study / "store").rows[0].corrected is None


def test_the_command_keeps_and_says_so(own_study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(own_study / "store" / "corrections")
    arguments = ["correct", "near_duration", "--audit", str(own_study / "audit"), "--store", str(own_study / "store")]
    assert run_app(app, [*arguments, "--keep", "--by", "group"]) == 2
    assert run_app(app, [*arguments, "--keep"]) == 0
    assert "4 videos together" in capsys.readouterr().out
    question = "How long were the child and the caregiver near each other?"
    assert run_app(app, ["ask", question, "--store", str(own_study / "store"), "--planner", "rules"]) == 0
    assert "as detected; corrected " in capsys.readouterr().out
