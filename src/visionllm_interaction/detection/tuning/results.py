"""What came out of a study: best values, trials, how much each key mattered; and its plots."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

from visionllm_interaction.detection.training.plots import HISTORY_NAME, IMPORTANCES_NAME, history_png, importances_png
from visionllm_interaction.errors import TrainingDiverged
from visionllm_interaction.utils.atomic_files import write_file

RESULT_NAME = "study.json"
MIN_COMPLETE = 6
"""Complete trials below which importances would be noise."""
WANTED_AT_THE_TOP = 5
"""PED-ANOVA compares the best trials with all; its authors advise so many among the best."""


def study_result(study: optuna.Study, *, place: str) -> dict[str, Any]:
    """Name, place, best value and params, trials, trials by state, importances or why there are none.

    Raises:
        TrainingDiverged: if no trial is complete.
    """
    trials = study.get_trials(deepcopy=False)
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    if not complete:
        raise TrainingDiverged(
            "No trial of the study came to an end.",
            expected="at least one complete trial",
            found=f"{len(trials)} trials, none complete",
            where=place,
            fix="narrow tune.space, for example to lower learning rates",
        )
    return {
        "study": study.study_name,
        "journal": place,
        "best_value": study.best_value,
        "best_params": study.best_params,
        "trials": [_trial_row(trial) for trial in trials],
        "trials_by_state": dict(sorted(Counter(trial.state.name.lower() for trial in trials).items())),
        **_importances(study, complete),
    }


def for_report(result: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a result that belongs into the report of the training with the best values."""
    left_out = ("trials", "plots")
    return {key: value for key, value in result.items() if key not in left_out}


def publish_plots(result: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """Draw the study into ``folder``; returns the paths by name."""
    images = {HISTORY_NAME: history_png(result["trials"])}
    if result["importances"]:
        complete = result["trials_by_state"]["complete"]
        images[IMPORTANCES_NAME] = importances_png(result["importances"], trials=complete)
    for name, image in images.items():
        write_file(folder / name, image)
    return {Path(name).stem: str(folder / name) for name in images}


def publish_result(result: Mapping[str, Any], folder: Path) -> Path:
    """The result as JSON in ``folder``."""
    write_file(folder / RESULT_NAME, json.dumps(result, indent=2).encode())
    return folder / RESULT_NAME


def _trial_row(trial: FrozenTrial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "state": trial.state.name.lower(),
        "value": trial.value,
        "params": trial.params,
        "seconds": round(trial.duration.total_seconds(), 1) if trial.duration else None,
    }


def _importances(study: optuna.Study, complete: list[FrozenTrial]) -> dict[str, Any]:
    if len(complete) < MIN_COMPLETE:
        return _without(f"{len(complete)} complete trials, importances need {MIN_COMPLETE}")
    if len({trial.value for trial in complete}) == 1:
        return _without("all complete trials came to the same value")
    share = min(0.5, max(0.1, WANTED_AT_THE_TOP / len(complete)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # equal importances, where many trials are equally good
        found = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator(target_quantile=share))
    return {"importances": {key: round(float(value), 4) for key, value in found.items()}}


def _without(reason: str) -> dict[str, Any]:
    return {"importances": {}, "importances_left_out": reason}
