"""The study: keys, limits, what is resumed, what comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tiny_model import tiny
from tiny_training import tiny_train, write_manifest

from visionllm_interaction.detection.training.config import SearchRange, TrackingConfig, TuneConfig
from visionllm_interaction.detection.tuning.runner import _Setup, apply_values, run_study
from visionllm_interaction.errors import ConfigError

SPACE = {"train.lr": {"low": 1e-4, "high": 1e-2, "log": True}, "train.batch_size": {"choices": [2, 4]}}


def study(manifest: Path, **changes: Any) -> dict[str, Any]:
    tune = TuneConfig.model_validate({"space": SPACE, "epochs": 1, **changes})
    return run_study(
        tune=tune,
        model=tiny(),
        train=tiny_train(epochs=2),
        tracking=TrackingConfig(kind="none"),
        training_manifest=manifest,
        out=manifest.parents[1] / "tuning",
    ).to_dict()


def test_a_study_goes_on_where_it_ended_and_trains_the_best(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path)
    first = study(manifest, trials=2)
    assert [t["state"] for t in first["trials"]] == ["complete"] * 2
    result = study(manifest, trials=3, train_best=True)
    assert len({t["params"]["train.lr"] for t in result["trials"]}) == 3  # the seed is not used from its start again
    assert result["trials"][:2] == first["trials"] and len(result["trials"]) == 3
    assert result["best_value"] == max(t["value"] for t in result["trials"])
    for trial in result["trials"]:
        assert 1e-4 <= trial["params"]["train.lr"] <= 1e-2 and trial["params"]["train.batch_size"] in (2, 4)
    assert Path(result["final"]["checkpoint"]).is_file() and 0 <= result["final"]["AP"] <= 1
    assert not list((manifest.parents[1] / "tuning").glob(".trial*"))


def test_a_trial_that_diverges_does_not_end_the_study(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path)
    space = {"train.lr": {"choices": [1e20]}}
    with pytest.raises(Exception, match="none complete"):
        study(manifest, trials=1, space=space, epochs=8)


def test_unknown_keys_are_named_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"train.learning_rate is no setting|train.lrr is no setting, did you mean"):
        study(write_manifest(tmp_path), space={"train.lrr": {"low": 1, "high": 2}})


def test_values_are_checked_as_in_a_file() -> None:
    base = _Setup(model=tiny(), train=tiny_train())
    assert apply_values(base, {"train.lr": 0.5, "model.box_samples": 64}).model.box_samples == 64
    with pytest.raises(ConfigError, match=r"train.batch_size"):
        apply_values(base, {"train.batch_size": 0})


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"low": 1},
        {"low": 1, "high": 2, "choices": [1]},
        {"low": 2, "high": 1},
        {"low": 0, "high": 1, "log": True},
    ],
)
def test_search_ranges_are_complete(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SearchRange.model_validate(values)
