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
import statistics
from collections.abc import Iterable
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
from visionllm_interaction.store.reader import Store, open_store
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
    assert true["changed"].endswith(why) and why in tracked["changed"]
    assert ids == ["from-file", true["video_id"]]


_PROVED_BY = ("begin_s", "end_s", "first_frame", "last_frame")
TABLES = pytest.mark.parametrize(("bin_s", "file"), [(None, "measures.csv"), (4.0, "measures_binned.csv")])


@TABLES
def test_the_store_has_the_same_measures(before: Path, bin_s: float | None, file: str) -> None:
    write_measures(before / "store", before / "now.csv", bin_s=bin_s)
    then = _rows(before / "expected" / file)
    measured = {row["measure"] for row in then}
    now = [row for row in _rows(before / "now.csv") if row["measure"] in measured]
    # Columns and measures may be added; none may change.
    assert [_about(row, then[0]) for row in now] == [_about(row, then[0]) for row in then]
    assert len(now) > 900
    for row, expected in zip(now, then, strict=True):
        # The order in which a database adds up numbers differs from run to run in the last digits.
        assert _was_read_from_one_side(row) or _same(row["value"], expected["value"]), (row, expected)


def _about(row: dict[str, str], columns: Iterable[str]) -> dict[str, str]:
    """What a row is about and what proves it, without its value."""
    changed = {"value", *(_PROVED_BY if _was_read_from_one_side(row) else ())}
    return {name: row[name] for name in columns if name not in changed}


@TABLES
def test_what_was_read_from_one_side_of_a_pair_has_the_bouts_of_both(
    before: Path, bin_s: float | None, file: str
) -> None:
    """A pair is stored once: where the caregiver is left of the child, the stored bout may say *right of* of the child.

    Only one side was read then, so these rows said that nothing was found. They are held against the stored bouts.
    """
    write_measures(before / "store", before / "now.csv", bin_s=bin_s)
    then = [row for row in _rows(before / "expected" / file) if _was_read_from_one_side(row)]
    measured = {row["measure"] for row in then}
    now = [r for r in _rows(before / "now.csv") if r["measure"] in measured and _was_read_from_one_side(r)]
    assert {row["predicate"] for row in now} == CONVERSES.keys() - {"below"}  # the child stands nowhere above
    found = 0
    with open_store(before / "store") as store:
        for row, old in zip(now, then, strict=True):
            bouts = _stored_bouts(store, row)
            assert _same(row["value"], _of_bouts(row, bouts)), row
            if bouts:
                longest = max(bouts, key=lambda bout: bout[1] - bout[0])
                first, last = (longest, longest) if row["measure"] == "longest_bout" else (bouts[0], bouts[-1])
                assert (float(row["begin_s"]), float(row["end_s"])) == (first[0], last[1]), row
                found += old["value"] in ("", "0")
    assert found >= len(now) // 4


def _was_read_from_one_side(row: dict[str, str]) -> bool:
    return row["predicate"] in CONVERSES and (row["subject"], row["object"]) == ("caregiver", "child")


def _stored_bouts(store: Store, row: dict[str, str]) -> list[tuple[float, float]]:
    """The bouts of a row in ``relations.parquet``, stored on either side of a pair, cut at the ends of its bin."""
    names = {track.track_id: track.category for track in store.tracks(row["video_id"])}
    sides = {
        (row["subject"], row["predicate"], row["object"]),
        (row["object"], CONVERSES[row["predicate"]], row["subject"]),
    }
    low, high = float(row["bin_begin_s"] or 0), float(row["bin_end_s"] or math.inf)
    found = [
        (max(bout.begin_s, low), min(bout.end_s, high))
        for bout in store.relations(row["video_id"])
        if (names[bout.subject_track_id], bout.predicate, names[bout.object_track_id]) in sides
        if bout.begin_s < high and bout.end_s > low
    ]
    # There may be two children: whoever of them it holds of, it holds.
    apart: list[tuple[float, float]] = []
    for begin_s, end_s in sorted(found):
        if apart and begin_s <= apart[-1][1]:
            apart[-1] = (apart[-1][0], max(apart[-1][1], end_s))
        else:
            apart.append((begin_s, end_s))
    return apart


def _of_bouts(row: dict[str, str], bouts: list[tuple[float, float]]) -> str:
    lengths = [end_s - begin_s for begin_s, end_s in bouts]
    values = {
        "bout_count": len(lengths),
        "bout_rate": 60 * len(lengths) / float(row["processed_s"]),
        "longest_bout": max(lengths, default=0.0),
        "mean_bout": statistics.fmean(lengths) if lengths else "",
    }
    return str(values[row["measure"]])


def _rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def _same(one: str, other: str) -> bool:
    return one == other or ("" not in (one, other) and math.isclose(float(one), float(other), rel_tol=1e-9))


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
