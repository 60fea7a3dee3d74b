"""Where an Optuna study is kept, and how it searches."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import optuna
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, CmaEsSampler, RandomSampler, TPESampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.storages.journal import JournalFileBackend

from visionllm_interaction.detection.training.config import TuneConfig
from visionllm_interaction.errors import ConfigError, ServiceError

JOURNAL_NAME = "study.journal"
STALE_AFTER_BEATS = 3


@contextmanager
def open_study(tune: TuneConfig, *, folder: Path) -> Iterator[tuple[optuna.Study, str]]:
    """Open a study, made if need be; its connections close at the end.

    Args:
        tune: section ``tune``.
        folder: of the study, for the journal.

    Yields:
        The study, and where it is kept (never with a password).

    Raises:
        ConfigError: if the variable named by ``tune.storage_env`` is not set.
        ServiceError: if the database does not answer.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        storage, place = _database(tune) if tune.storage_env else _journal(tune, folder)
        study = optuna.create_study(
            storage=storage,
            study_name=tune.name,
            direction="maximize",
            sampler=sampler_for(tune, trial=0),
            pruner=_pruner(tune),
            load_if_exists=True,
        )
    try:
        yield study, place
    finally:
        if isinstance(storage, RDBStorage):
            storage.remove_session()
            storage.engine.dispose()


def _journal(tune: TuneConfig, folder: Path) -> tuple[BaseStorage, str]:
    path = tune.journal or folder / JOURNAL_NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    return JournalStorage(JournalFileBackend(str(path))), str(path)


def _database(tune: TuneConfig) -> tuple[BaseStorage, str]:
    name = str(tune.storage_env)
    address = os.environ.get(name)
    if not address:
        raise ConfigError(
            "The database of the study is not named.",
            expected=f"an address in the environment variable {name}",
            found="none",
            where="tune.storage_env",
        )
    try:
        storage = RDBStorage(
            address,
            heartbeat_interval=tune.heartbeat_s,
            grace_period=STALE_AFTER_BEATS * tune.heartbeat_s,
            heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(max_retry=tune.retries),
        )
    except Exception as error:  # SQLAlchemy raises whatever its drivers raise
        raise ServiceError(
            "The database of the study does not answer.",
            found=str(error).split("\n", maxsplit=1)[0][:200].replace(address, name),
            where=f"the address in {name}",
        ) from error
    return storage, f"the database in {name}"


def sampler_for(tune: TuneConfig, *, trial: int) -> BaseSampler:
    """The sampler of one trial, seeded by its number.

    With one seed for all, a continued study and each further worker would draw the first trials' values again.
    """
    seed = int(np.random.SeedSequence([tune.seed, trial]).generate_state(1)[0])
    if tune.sampler == "cmaes":
        return CmaEsSampler(seed=seed)
    return RandomSampler(seed=seed) if tune.sampler == "random" else TPESampler(seed=seed)


def _pruner(tune: TuneConfig) -> BasePruner:
    if not tune.prune:
        return NopPruner()
    return HyperbandPruner() if tune.pruner == "hyperband" else MedianPruner(n_startup_trials=3)
