"""Every result says whether it is as detected or as people have corrected it, and is computed from just that."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from moving_scene import BALL, CUP, publish_scene

from visionllm_interaction.cli.application import app
from visionllm_interaction.cli.output import run_app
from visionllm_interaction.measures.config import MeasuresConfig
from visionllm_interaction.measures.language.run import query
from visionllm_interaction.measures.table import measures
from visionllm_interaction.reasoning.pipeline import ask
from visionllm_interaction.reasoning.recheck_answer import replay
from visionllm_interaction.store.corrections.recording import add_correction, undo_correction

DETECTED = MeasuresConfig(values="detected")
QUESTION = "How long is the ball visible in a?"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    publish_scene(tmp_path / "store")
    publish_scene(tmp_path / "store", "b")
    change = {"kind": "box", "action": "delete", "track_id": BALL, "begin_s": 6.0, "end_s": 9.0}
    add_correction(tmp_path / "store", "a", change, who="Kari")
    return tmp_path / "store"


def test_query_says_for_each_row(store: Path) -> None:
    found = query("total(visible(ball)) by video", store)
    assert [(row.video_id, row.value, row.values) for row in found] == [
        ("a", 17.0, "corrected"),
        ("b", 20.0, "detected"),
    ]
    assert found.values == found.to_dict()["values"] == "corrected"
    assert [row["values"] for row in csv.DictReader(io.StringIO(found.to_csv()))] == ["corrected", "detected"]
    assert "as corrected by people" in str(found)
    alone = query("total(visible(ball)) by video", store, config=DETECTED)
    assert [(row.value, row.values) for row in alone] == [(20.0, "detected"), (20.0, "detected")]
    assert "as detected" in str(alone)
    assert query("total(processed()) by video", store).values == "detected", "corrections change no processed time"


def test_the_table_has_a_column(store: Path) -> None:
    rows = [row for row in measures(store).to_arrow().to_pylist() if row["measure"] == "visible_duration"]
    own = {(row["video_id"], row["values"], row["value"]) for row in rows if row["subject"] == "ball"}
    assert own == {("a", "corrected", 17.0), ("b", "detected", 20.0)}
    rows = measures(store, config=DETECTED).to_arrow().to_pylist()
    assert {row["values"] for row in rows} == {"detected"}


def test_an_answer_changes_as_it_should_and_can_be_replayed(store: Path) -> None:
    answer = ask(QUESTION, store)
    assert answer.claims[0].value == 17.0
    assert {answer.values, answer.claims[0].values, answer.evidence[0].values} == {"corrected"}
    assert answer.claims[0].standing == "as corrected by people"
    machine = ask(QUESTION, store, measures=DETECTED)
    assert (machine.claims[0].value, machine.values, machine.claims[0].standing) == (20.0, "detected", "as detected")
    assert replay(answer, store).status == "holds"
    assert replay(machine, store).status == "holds", "an answer as detected is compared with what was detected"
    undo_correction(store, "a", who="Ola")
    assert replay(answer, store).status == "changed"
    assert replay(machine, store).status == "holds"


def printed(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, object]:
    assert run_app(app, [*arguments, "--json"]) == code
    return dict(json.loads(capsys.readouterr().out))


def test_commands(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at = ("--store", str(store))
    assert printed(capsys, "query", "total(visible(ball)) in video a", *at)["values"] == "corrected"
    assert (
        printed(capsys, "query", "total(visible(ball)) in video a", *at, "--values", "detected")["values"] == "detected"
    )
    role = json.dumps({"kind": "role", "action": "set", "track_id": 2, "role": "child"})
    added = printed(capsys, "corrections", "add", "a", role, *at, "--who", "Ola")
    assert added["added"] == [2]
    refused = printed(capsys, "corrections", "add", "a", role, *at, "--if-revision", "x-0", code=2)
    assert refused["error"]["code"] == "CORRECTION-CONFLICT"  # type: ignore[index]
    batch = tmp_path / "batch.json"
    rename = {"kind": "category", "action": "set", "track_id": CUP, "category": "mug"}
    batch.write_text(json.dumps([rename, {**rename, "track_id": 99}]))
    printed(capsys, "corrections", "add", "a", "--file", str(batch), *at, code=2)
    [listed] = printed(capsys, "corrections", "list", *at)["videos"]  # type: ignore[misc]
    assert [(one["who"], one["state"]) for one in listed["corrections"]] == [("Kari", "applied"), ("Ola", "applied")]
    assert printed(capsys, "corrections", "undo", "a", *at)["undone"] == 2


def test_corrected_frames_as_coco_for_training(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    moved = [{"time_s": 1.0, "box_xyxy": [300, 350, 340, 395]}]
    add_correction(store, "a", {"kind": "box", "action": "set", "track_id": BALL, "boxes": moved}, who="Kari")
    out = tmp_path / "out"
    found = printed(capsys, "corrections", "export", "--store", str(store), "--out", str(out))
    assert [Path(file["path"]).name for file in found["files"]] == ["a.coco.json"]  # type: ignore[attr-defined]
    content = json.loads((out / "a.coco.json").read_text())
    assert [image["timestamp_s"] for image in content["images"]] == pytest.approx(
        [1.0, *(t / 10 for t in range(60, 90))]
    )
    names = {one["id"]: one["name"] for one in content["categories"]}
    [own] = [one for one in content["annotations"] if one["attributes"]["source"] == "corrected"]
    assert (names[own["category_id"]], own["bbox"]) == ("ball", [300.0, 350.0, 40.0, 45.0])
    at_six = [names[one["category_id"]] for one in content["annotations"] if one["image_id"] == 61]
    assert sorted(at_six) == ["caregiver", "child", "cup"], "the deleted ball is not there to be learnt"
    eaf = printed(capsys, "corrections", "export", "--store", str(store), "--out", str(out), "--format", "eaf")
    assert eaf["values"] == "corrected"
