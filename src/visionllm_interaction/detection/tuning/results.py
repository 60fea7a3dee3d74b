"""The result of a study: best values, trials, importance of each key; and its plots."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
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
MIN_BEST_TRIALS = 5
"""PED-ANOVA compares the best trials with all; its authors advise so many among the best."""


@dataclass(frozen=True)
class TrialResult:
    """One trial of a study.

    Attributes:
        number: from 0.
        state: ``complete``, ``pruned``, ``fail``, ``running`` or ``waiting``.
        value: AP; of a pruned trial the value at which it was stopped.
        params: by dotted key.
        seconds: duration, once it has ended.
    """

    number: int
    state: str
    value: float | None
    params: Mapping[str, Any]
    seconds: float | None


@dataclass(frozen=True)
class FinalTraining:
    """The training with the best values, at full length."""

    ap: float | None
    ap50: float | None
    checkpoint: Path
    report: Path

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"AP": self.ap, "AP50": self.ap50, "checkpoint": str(self.checkpoint), "report": str(self.report)}


@dataclass(frozen=True)
class StudyResult:
    """What a study has found so far.

    Attributes:
        study: its name.
        journal: where it is kept: a file, or the name of the variable that holds the database address.
        best_value: highest AP.
        best_params: values of the best trial, by dotted key.
        trials: all of them.
        trials_by_state: how many there are in each state.
        importances: how much each key decides whether a trial is among the best, in [0, 1]; may be empty.
        importances_left_out: why they are empty.
        plots: paths by name, once they are drawn.
        final: with ``tune.train_best``, the training with the best values.
    """

    study: str
    journal: str
    best_value: float
    best_params: Mapping[str, Any]
    trials: tuple[TrialResult, ...]
    trials_by_state: Mapping[str, int]
    importances: Mapping[str, float]
    importances_left_out: str | None = None
    plots: Mapping[str, str] | None = None
    final: FinalTraining | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as ``visionllm tune --json`` prints them; what is not there yet is left out."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values["trials"] = [asdict(trial) for trial in self.trials]
        if self.final is not None:
            values["final"] = self.final.to_dict()
        return {key: value for key, value in values.items() if value is not None}


def study_result(study: optuna.Study, *, place: str) -> StudyResult:
    """Collect the result of a study.

    Args:
        study: Optuna's study.
        place: where it is kept.

    Returns:
        The result, without plots and final training.

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
    importances, left_out = _importances(study, complete)
    return StudyResult(
        study=study.study_name,
        journal=place,
        best_value=study.best_value,
        best_params=study.best_params,
        trials=tuple(_trial_result(trial) for trial in trials),
        trials_by_state=dict(sorted(Counter(trial.state.name.lower() for trial in trials).items())),
        importances=importances,
        importances_left_out=left_out,
    )


def summary_for_report(result: StudyResult) -> dict[str, Any]:
    """The part of a result that belongs in the report of the training with the best values."""
    return {key: value for key, value in result.to_dict().items() if key not in ("trials", "plots", "final")}


def publish_plots(result: StudyResult, folder: Path) -> dict[str, str]:
    """Draw the study into ``folder``; returns the paths by name."""
    images = {HISTORY_NAME: history_png([asdict(trial) for trial in result.trials])}
    if result.importances:
        images[IMPORTANCES_NAME] = importances_png(result.importances, trials=result.trials_by_state["complete"])
    for name, image in images.items():
        write_file(folder / name, image)
    return {Path(name).stem: str(folder / name) for name in images}


def publish_result(result: StudyResult, folder: Path) -> Path:
    """Write the result as JSON into ``folder``; returns the file."""
    write_file(folder / RESULT_NAME, json.dumps(result.to_dict(), indent=2).encode())
    return folder / RESULT_NAME


def _trial_result(trial: FrozenTrial) -> TrialResult:
    seconds = round(trial.duration.total_seconds(), 1) if trial.duration else None
    return TrialResult(trial.number, trial.state.name.lower(), trial.value, trial.params, seconds)


def _importances(study: optuna.Study, complete: list[FrozenTrial]) -> tuple[dict[str, float], str | None]:
    """The importances, or why there are none."""
    if len(complete) < MIN_COMPLETE:
        return {}, f"{len(complete)} complete trials, importances need {MIN_COMPLETE}"
    if len({trial.value for trial in complete}) == 1:
        return {}, "all complete trials came to the same value"
    share = min(0.5, max(0.1, MIN_BEST_TRIALS / len(complete)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # equal importances, where many trials are equally good
        found = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator(target_quantile=share))
    return {key: round(float(value), 4) for key, value in found.items()}, None
