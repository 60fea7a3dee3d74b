"""Files changed at random: refused or right, never an internal error and never a box that changes in silence."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from annotation_fuzz import Outcome, silent_changes, try_one

from visionllm_interaction.datasets.validation.reading import reader as reading


@pytest.fixture(autouse=True)
def _piece_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PIECE_BYTES", reading.PIECE_BYTES)  # put back after each test


def outcomes(folder: Path, seeds: range) -> dict[int, Outcome]:
    return {seed: try_one(seed, folder / str(seed)) for seed in seeds}


def check(found: dict[int, Outcome]) -> None:
    broken = {seed: outcome.words for seed, outcome in found.items() if outcome.kind == "broken"}
    assert not broken
    kinds = Counter(outcome.kind for outcome in found.values())
    assert min(kinds["passed"], kinds["refused"]) > len(found) / 20  # the changes are neither harmless nor hopeless


def test_some_changed_files_are_refused_or_right(tmp_path: Path) -> None:
    check(outcomes(tmp_path, range(60)))


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_ten_thousand_changed_files_are_refused_or_right(tmp_path: Path) -> None:
    check(outcomes(tmp_path, range(10_000)))


def test_the_check_sees_a_box_that_changed(tmp_path: Path) -> None:
    seed = next(n for n in range(100) if try_one(n, tmp_path / str(n)).kind == "passed")
    run = tmp_path / str(seed) / "run"
    [path] = (tmp_path / str(seed) / "data/annotations").glob("*train*.json")
    raw = path.read_bytes()
    assert silent_changes(raw, run, "train") == []
    cleaned = run / "data_transformation/annotations/instances_train2017.cleaned.json"
    cleaned.write_bytes(cleaned.read_bytes().replace(b".5,", b".75,", 1))
    assert len(silent_changes(raw, run, "train")) == 1


@pytest.mark.parametrize("seed", [6617, 7737, 31095])
def test_files_that_were_once_an_internal_error(tmp_path: Path, seed: int) -> None:
    outcome = try_one(seed, tmp_path / "one")
    assert outcome.kind == "refused", outcome.words
