"""A run and a store made before algorithms had versions: they open and answer the same; the run is up to date.

``files/before_algorithm_versions.tar.gz`` was made by the last version that decided by its source text, all of it by
way of ``/proc/self/cwd``, so that it fits into any folder one works in:

* ``raw`` (10 images of 160x120) and ``films`` (a video of 40 frames with its truth and a file of detections), both by
  ToyRoom;
* ``artifacts``: stages 1-4 of ``raw`` with the settings of ``tiny_run.TINY`` and one epoch; the two checkpoints, of
  45 MB each, are not in it;
* ``store``: the video analysed twice, by its truth and from the file;
* ``expected``: its measures, whole and in bins of 4 s, and its answers to a few questions.
"""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_run import TINY

from visionllm_interaction.analysis import analyze
from visionllm_interaction.analysis.provenance import ALGORITHM_VERSION
from visionllm_interaction.artifacts.staleness import DigestCache, files_stale, settings_stale
from visionllm_interaction.config_loading import load_settings
from visionllm_interaction.core.predicates import CONVERSES
from visionllm_interaction.measures.api import write_measures
from visionllm_interaction.pipeline import PipelineSettings, run_pipeline, stages_of
from visionllm_interaction.reasoning import ask
from visionllm_interaction.store.reader import open_store
from visionllm_interaction.utils.hashing import sha256_tree

HERE = Path("/proc/self/cwd")
FILM = HERE / "films/videos/room_s7_000/room_s7_000.mp4"


def settings() -> PipelineSettings:
    tiny = [override for override in TINY if not override.startswith("train.epochs")]
    places = [f"data.root={HERE / 'raw'}", f"data.work_dir={HERE / 'data'}", f"artifacts_dir={HERE / 'artifacts'}"]
    return load_settings(PipelineSettings, [], [*tiny, "train.epochs=1", *places])


def test_only_a_raised_version_builds_stages_of_the_run_again(before: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    untouched = sha256_tree(before / "artifacts")
    (run,) = (before / "artifacts").iterdir()
    stale = [settings_stale(run, stage.recipe) for stage in stages_of(settings())[:3]]
    assert stale == ["its algorithm changed: version 1 → 2"] * 2 + [None]
    for stage in ("ingestion", "validation"):
        monkeypatch.setattr(f"visionllm_interaction.datasets.{stage}.ALGORITHM_VERSION", 1)
    result = run_pipeline(settings(), until="transform").to_dict()
    assert [stage["status"] for stage in result["stages"].values()] == ["up_to_date"] * 3
    assert sha256_tree(before / "artifacts") == untouched


def test_training_is_up_to_date_but_for_the_checkpoints_that_were_left_out(before: Path) -> None:
    (run,) = (HERE / "artifacts").iterdir()
    recipe = stages_of(settings())[-1].recipe
    assert recipe.stage == "train" and settings_stale(run, recipe) is None
    assert files_stale(run, recipe, DigestCache()) == "output model_trainer/fasterrcnn_best.pt is missing"
    outputs = yaml.safe_load((run / recipe.manifest).read_text())["outputs"]
    there = DigestCache()
    there.trust({str(run / ref["path"]): ref["sha256"] for ref in outputs if ref["path"].endswith(".pt")})
    assert files_stale(run, recipe, there) is None


def test_an_edited_manifest_still_shows(before: Path) -> None:
    (run,) = (HERE / "artifacts").iterdir()
    manifest = run / "data_validation/data_validation_report.yaml"
    manifest.write_text(manifest.read_text().replace("status: PASS", "status: FAIL"))
    assert settings_stale(run, stages_of(settings())[1].recipe) == "its manifest was edited"


def test_the_store_opens_and_its_videos_are_analysed_again_under_their_ids(before: Path) -> None:
    found = FILM.with_name("found.json")
    untouched = sha256_tree(before / "store" / "videos")
    with open_store(before / "store") as store:
        ids = store.video_ids()
    assert sha256_tree(before / "store" / "videos") == untouched
    [true] = analyze([FILM], HERE / "store", detections="truth").to_dict()["videos"]
    [tracked] = analyze([FILM], HERE / "store", detections=found, video_ids=["from-file"]).to_dict()["videos"]
    why = f"algorithm of analysis: version 1 → {ALGORITHM_VERSION}"
    assert true["changed"].endswith(why) and tracked["changed"].endswith(why)
    assert ids == ["from-file", true["video_id"]]


@pytest.mark.parametrize(("bin_s", "file"), [(None, "measures.csv"), (4.0, "measures_binned.csv")])
def test_the_store_has_the_same_measures(before: Path, bin_s: float | None, file: str) -> None:
    write_measures(before / "store", before / "now.csv", bin_s=bin_s)
    # Bouts of place were read from one side of a pair then; see tests/measures/test_measures_unchanged.py.
    then = [row for row in _rows(before / "expected" / file) if row["predicate"] not in CONVERSES]
    measured = {row["measure"] for row in then}
    now = [row for row in _rows(before / "now.csv") if row["measure"] in measured and row["predicate"] not in CONVERSES]
    # Columns and measures may be added; none may change.
    assert [{key: row[key] for key in then[0]} | {"value": ""} for row in now] == [row | {"value": ""} for row in then]
    assert len(now) > 500
    for row, expected in zip(now, then, strict=True):
        # The order in which a database adds up numbers differs from run to run in the last digits.
        assert _same(row["value"], expected["value"]), (row, expected)


def _rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def _same(one: str, other: str) -> bool:
    return one == other or math.isclose(float(one), float(other), rel_tol=1e-9)


def test_the_store_answers_the_same(before: Path) -> None:
    for case in json.loads((before / "expected/answers.json").read_text(encoding="utf-8")):
        answer = ask(case["question"], before / "store", planner="rules").model_dump(mode="json")
        if case["result"]["status"] == "abstained" and answer["status"] == "answered":
            continue  # more questions are understood now
        if answer["plan"]["expressions"] and case["result"]["status"] == "answered":
            # Read by another planner and worded in the question's language: the same values.
            assert [(c["value"], c["unit"]) for c in answer["claims"]] == [
                (c["value"], c["unit"]) for c in case["result"]["claims"]
            ]
            continue
        assert _known_keys(answer, case["result"]) == case["result"], case["question"]


def _known_keys(now: Any, then: Any) -> Any:
    """``now`` without the keys that ``then`` lacks: keys may be added; none may change."""
    if isinstance(then, dict):
        return {key: _known_keys(now[key], then[key]) for key in then}
    if isinstance(then, list) and len(now) == len(then):
        return [_known_keys(*pair) for pair in zip(now, then, strict=True)]
    return now
