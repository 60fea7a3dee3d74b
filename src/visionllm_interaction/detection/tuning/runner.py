"""An Optuna study: which values of the configuration give the highest validation AP?"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
from optuna.study import MaxTrialsCallback
from pydantic import ValidationError

from visionllm_interaction.artifacts.manifest import utc_now
from visionllm_interaction.artifacts.runs import run_of
from visionllm_interaction.artifacts.stage_manifests import BEST_NAME
from visionllm_interaction.config_loading import Section
from visionllm_interaction.core.categories import nearest_names
from visionllm_interaction.detection.experiment_tracking.dataset_info import dataset_entry
from visionllm_interaction.detection.experiment_tracking.tracker import Tracker
from visionllm_interaction.detection.models.config import ModelConfig
from visionllm_interaction.detection.training import stage
from visionllm_interaction.detection.training.callbacks import Row
from visionllm_interaction.detection.training.config import SearchRange, TrackingConfig, TrainConfig, TuneConfig
from visionllm_interaction.detection.training.data.datamodule import TrainingData, read_training_data
from visionllm_interaction.detection.training.trainer import fit
from visionllm_interaction.detection.tuning.mlflow_study import StudyTracker, open_study_tracker
from visionllm_interaction.detection.tuning.results import (
    FinalTraining,
    StudyResult,
    publish_plots,
    publish_result,
    study_result,
    summary_for_report,
)
from visionllm_interaction.detection.tuning.storage import open_study, sampler_for
from visionllm_interaction.errors import ConfigError, TrainingDiverged
from visionllm_interaction.utils.hashing import sha256_file, sha256_value
from visionllm_interaction.utils.path_type import StrPath

FINISHED = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
COUNTED = (*FINISHED, optuna.trial.TrialState.FAIL)


class _Setup(Section):
    """The two sections a study may change."""

    model: ModelConfig
    train: TrainConfig


def run_study(
    *,
    tune: TuneConfig,
    model: ModelConfig,
    train: TrainConfig,
    tracking: TrackingConfig,
    training_manifest: StrPath,
    out: StrPath,
) -> StudyResult:
    """Try ``tune.trials`` trainings and return the study's result.

    Results are kept in a journal file or a database: an interrupted study continues, and several workers may share one.

    Args:
        tune: section ``tune``.
        model: section ``model``, from which trials differ by the searched keys.
        train: section ``train``, likewise.
        tracking: section ``tracking``.
        training_manifest: of stage 3.
        out: folder of the study.

    Returns:
        The result, with plots and, with ``tune.train_best``, the final training.

    Raises:
        ConfigError: if a key of the search space is not a setting.
    """
    training_manifest = Path(training_manifest)
    out = Path(out)
    base = _Setup(model=model, train=train)
    _check_space(tune.space)
    out.mkdir(parents=True, exist_ok=True)
    with (
        open_study(tune, folder=out) as (study, place),
        _tracker(study, tune, base, tracking, training_manifest, out) as tracker,
    ):
        _run_trials(study, tune, base, training_manifest, tracker, folder=out)
        result = study_result(study, place=place)
        plots = publish_plots(result, out)
        result = replace(result, plots=plots)
        tracker.finish(study, result, artifacts=[publish_result(result, out), *map(Path, plots.values())])
    if not tune.train_best:
        return result
    best = apply_values(base, result.best_params)
    return replace(result, final=_train_best(best, tracking, training_manifest, out, study=summary_for_report(result)))


def _tracker(
    study: optuna.Study, tune: TuneConfig, base: _Setup, tracking: TrackingConfig, training_manifest: Path, out: Path
) -> AbstractContextManager[StudyTracker]:
    digest = sha256_file(training_manifest)
    run = run_of(training_manifest) or out.parent
    # the number of trials may change from call to call
    settings = tune.model_dump(mode="json", include={"name", "space", "epochs", "sampler", "pruner", "prune", "seed"})
    return open_study_tracker(
        tracking,
        study,
        folder=out,
        runs_dir=run.parent,
        name=f"study {tune.name} {run.name}",
        parameters={**base.model_dump(mode="json"), "tune": settings},
        tags={
            "training_manifest_sha256": digest,
            **stage.version_tags(),
            "study": tune.name,
        },
        dataset=dataset_entry(training_manifest, digest) if tracking.kind != "none" else None,
    )


def _run_trials(
    study: optuna.Study, tune: TuneConfig, base: _Setup, training_manifest: Path, tracker: StudyTracker, *, folder: Path
) -> None:
    epochs = {"train.epochs": tune.epochs} if tune.epochs else {}
    data = read_training_data(training_manifest, base.train)

    def objective(trial: optuna.Trial) -> float:
        study.sampler = sampler_for(tune, trial=trial.number)
        values = {key: _suggest(trial, key, where) for key, where in tune.space.items()}
        with tracker.trial(trial) as trial_tracker:
            return _run_trial(trial, apply_values(base, {**epochs, **values}), data, trial_tracker, folder=folder)

    if len(study.get_trials(deepcopy=False, states=FINISHED)) < tune.trials:
        # counted over all workers; each counts again when one of its trials ends
        enough = MaxTrialsCallback(tune.trials, states=COUNTED)
        study.optimize(objective, callbacks=[enough, tracker.trial_ended], catch=(TrainingDiverged,))


def _run_trial(trial: optuna.Trial, setup: _Setup, data: TrainingData, tracker: Tracker, *, folder: Path) -> float:
    work = folder / f".trial-{trial.number}-{uuid.uuid4().hex[:8]}"
    work.mkdir()

    def on_epoch(row: Row) -> None:
        tracker.metrics({k: v for k, v in row.items() if k != "epoch"}, step=row["epoch"])
        if "AP" not in row:
            return
        trial.report(row["AP"], step=row["epoch"])
        if trial.should_prune():
            raise optuna.TrialPruned

    try:
        recipe = sha256_value(setup.model_dump(mode="json"))
        result = fit(model=setup.model, train=setup.train, data=data, folder=work, recipe=recipe, on_epoch=on_epoch)
        trial.set_user_attr("AP50", result.best.metrics["AP50"])
        return float(result.best.metrics["AP"])
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _suggest(trial: optuna.Trial, key: str, where: SearchRange) -> Any:
    if where.choices is not None:
        return trial.suggest_categorical(key, list(where.choices))
    low, high = float(where.low or 0), float(where.high or 0)
    if where.integer:
        return trial.suggest_int(key, int(low), int(high), log=where.log)
    return trial.suggest_float(key, low, high, log=where.log)


def apply_values(base: _Setup, values: Mapping[str, Any]) -> _Setup:
    """Replace settings by dotted keys (``train.lr``).

    Args:
        base: the two sections.
        values: by dotted key.

    Returns:
        The sections with these values.

    Raises:
        ConfigError: if a value does not suit its key.
    """
    content = base.model_dump()
    for key, value in values.items():
        section, _, name = key.partition(".")
        content[section][name] = value
    try:
        return _Setup.model_validate(content)
    except ValidationError as error:
        problems = tuple(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigError(
            "A study tried values that are not allowed.", problems=problems, found="; ".join(problems)
        ) from None


def _check_space(space: Mapping[str, SearchRange]) -> None:
    known = [f"{section}.{name}" for section, model in _SECTIONS.items() for name in model.model_fields]
    problems = []
    for key in space:
        if key not in known:
            near = nearest_names(key, known)
            problems.append(f"tune.space: {key} is no setting" + (f", did you mean {near[0]}?" if near else ""))
    if problems:
        raise ConfigError(
            "The search space names unknown settings.", problems=tuple(problems), found="; ".join(problems)
        )


_SECTIONS: dict[str, type[Section]] = {"model": ModelConfig, "train": TrainConfig}


def _train_best(
    setup: _Setup, tracking: TrackingConfig, training_manifest: Path, out: Path, *, study: Mapping[str, Any]
) -> FinalTraining:
    stamp = utc_now().replace(":", "").replace("+0000", "Z")
    target = out / f"best-{stamp}"
    report = stage.run(
        model=setup.model,
        train=setup.train,
        tracking=tracking,
        training_manifest=training_manifest,
        out=target,
        study=study,
    )
    return FinalTraining(report.AP, report.AP50, target / BEST_NAME, target / stage.REPORT_NAME)
