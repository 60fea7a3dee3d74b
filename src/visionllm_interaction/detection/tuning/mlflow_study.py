"""A study on the tracking server: one run for the study, below it one for each trial.

Several workers, and calls that continue a study, record the same run: its identity is that of the study. Their messages
are spooled like those of a training, each worker and each trial in a folder of its own below ``tracking``.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

from visionllm_interaction.detection.experiment_tracking.mlflow_client import make_client
from visionllm_interaction.detection.experiment_tracking.mlflow_runs import STUDY_TAG, TRIAL_TAG
from visionllm_interaction.detection.experiment_tracking.spool import SPOOL_NAME, Message, Spool
from visionllm_interaction.detection.experiment_tracking.tracker import (
    NoTracker,
    ServerBackoff,
    SpoolingTracker,
    Tracker,
    now_ms,
    start_message,
    tracking_uri,
    unreachable,
)
from visionllm_interaction.detection.training.config import TrackingConfig
from visionllm_interaction.detection.tuning.results import StudyResult
from visionllm_interaction.errors import Interrupted

FOLDER_NAME = "tracking"
ID_ATTRIBUTE = "tracking_id"
STATES = {TrialState.COMPLETE: "FINISHED", TrialState.PRUNED: "KILLED", TrialState.FAIL: "FAILED"}
"""MLflow's status for the end of a trial."""


class StudyTracker:
    """Records nothing."""

    @contextmanager
    def trial(self, trial: optuna.Trial) -> Iterator[Tracker]:  # noqa: ARG002
        """The tracker of one trial; how the block is left is how the trial ended."""
        yield NoTracker()

    def trial_ended(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        """Called when the study has the value of a trial (an Optuna callback)."""

    def finish(self, study: optuna.Study, result: StudyResult, *, artifacts: Sequence[Path]) -> None:
        """This worker is done with the study."""

    def abort(self, status: str) -> None:
        """This worker ends early: ``RUNNING`` if the study is to continue, ``FAILED`` after an error."""


@dataclass
class SpoolingStudyTracker(StudyTracker):
    """Records in spools, and delivers from them.

    Attributes:
        folder: where the spools are.
        start: first message of the study's run, but for id and time.
    """

    study: optuna.Study
    folder: Path
    start: Message
    _backoff: ServerBackoff = field(default_factory=ServerBackoff)
    _parent: SpoolingTracker | None = None
    _begun: dict[str, Any] = field(default_factory=dict)
    _undelivered: list[SpoolingTracker] = field(default_factory=list)

    @contextmanager
    def trial(self, trial: optuna.Trial) -> Iterator[Tracker]:
        """See :class:`StudyTracker`."""
        parent = self._open()
        tracker = self._spooling(f"trial-{trial.number:05d}", self._trial_start(trial))
        tracker.send()
        try:
            yield tracker
        except BaseException as error:
            self._end(tracker, "KILLED" if isinstance(error, optuna.TrialPruned) else "FAILED")
            raise
        self._end(tracker, "FINISHED")
        parent.send()

    def trial_ended(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        """The curve of the study: the value of each trial, and the best so far."""
        if trial.state == TrialState.COMPLETE and trial.value is not None:
            self._open().metrics({"AP": trial.value, "best_AP": study.best_value}, step=trial.number)

    def finish(self, study: optuna.Study, result: StudyResult, *, artifacts: Sequence[Path]) -> None:
        """Best values, what became of the trials, plots; workers that end later replace them."""
        parent = self._open()
        trials = study.get_trials(deepcopy=False)
        states = {str(trial.number): STATES[trial.state] for trial in trials if trial.state in STATES}
        parent.record({"kind": "trials", "study_id": self._begun["id"], "states": states})
        parent.tags(result_tags(result))
        self._close(parent, "FINISHED", artifacts)

    def abort(self, status: str) -> None:
        """The run of the study is marked, if there is one; the next call has a spool of its own."""
        if self._parent is not None:
            self._close(self._parent, status)

    def _open(self) -> SpoolingTracker:
        """The study's run, once a trial was begun."""
        if self._parent is None:
            study_id = tracking_id(self.study)
            self._begun = {**self.start, "id": study_id, "shared": True, "at_ms": now_ms()}
            self._parent = self._spooling("study", self._begun)
            self._parent.reopen()
            self._parent.send()
        return self._parent

    def _trial_start(self, trial: optuna.Trial) -> Message:
        study_id = self._begun["id"]
        return {
            **self.start,
            "name": f"trial {trial.number}",
            "parameters": {key: str(value) for key, value in trial.params.items()},
            "tags": {**self.start["tags"], STUDY_TAG: study_id, TRIAL_TAG: str(trial.number)},
            "id": f"{study_id}-{trial.number}",
            "parent": self._begun,
            "at_ms": now_ms(),
        }

    def _spooling(self, name: str, start: Message) -> SpoolingTracker:
        folder = self.folder / f"{name}-{uuid.uuid4().hex[:8]}"
        folder.mkdir(parents=True)
        spool = Spool(folder / SPOOL_NAME)
        spool.append(start)
        return SpoolingTracker(spool, backoff=self._backoff, resumable=False)

    def _end(self, tracker: SpoolingTracker, status: str) -> None:
        tracker.finish(status)
        self._undelivered = [other for other in (*self._undelivered, tracker) if not other.close()]

    def _close(self, parent: SpoolingTracker, status: str, artifacts: Sequence[Path] = ()) -> None:
        self._backoff.unreachable_since = None
        parent.finish(status, artifacts=artifacts)
        # trials that ended while the server was unreachable
        self._undelivered = [other for other in self._undelivered if not other.close()]


def result_tags(result: StudyResult) -> dict[str, Any]:
    """The result as tags, which unlike parameters may change when the study continues."""
    return {
        "best_value": result.best_value,
        **{f"best.{key}": value for key, value in result.best_params.items()},
        **{f"trials.{state}": count for state, count in result.trials_by_state.items()},
        **{f"importance.{key}": value for key, value in result.importances.items()},
    }


def tracking_id(study: optuna.Study) -> str:
    """The identity of the study's run: the same in every worker and in every later call.

    It is computed from the time at which trial 0 began, which is known as soon as any trial runs. A value that each
    worker draws could differ between two that start at the same moment. It is noted in the study, to find the run.
    """
    known: str | None = study.user_attrs.get(ID_ATTRIBUTE)
    if known is not None:
        return known
    began = study.get_trials(deepcopy=False)[0].datetime_start
    made = uuid.uuid5(uuid.NAMESPACE_OID, f"{study.study_name} {began.isoformat() if began else None}").hex
    study.set_user_attr(ID_ATTRIBUTE, made)
    return made


@contextmanager
def open_study_tracker(
    config: TrackingConfig,
    study: optuna.Study,
    *,
    folder: Path,
    runs_dir: Path,
    name: str,
    parameters: Mapping[str, Any],
    tags: Mapping[str, str],
    dataset: Mapping[str, str] | None,
) -> Iterator[StudyTracker]:
    """Open a tracker for this worker's part of a study; spools lie in ``folder/tracking``.

    Args:
        config: of the tracking.
        study: Optuna's study.
        folder: of the study.
        runs_dir: folder of all runs; the local store lies there.
        name: of the study's run.
        parameters: nested, as they are recorded.
        tags: of the study's run and of those of its trials.
        dataset: the data as MLflow records it.

    Yields:
        The tracker.

    Raises:
        TrackingUnreachable: if the server is unreachable at the start and ``config.required`` is set.
    """
    if config.kind == "none":
        yield StudyTracker()
        return
    if config.required:
        _require(config, runs_dir)
    start = start_message(config, runs_dir, name=name, parameters=parameters, tags=tags, dataset=dataset)
    tracker = SpoolingStudyTracker(study, folder / FOLDER_NAME, start)
    try:
        yield tracker
    except BaseException as error:
        tracker.abort("RUNNING" if isinstance(error, Interrupted) else "FAILED")
        raise


def _require(config: TrackingConfig, runs_dir: Path) -> None:
    uri = tracking_uri(config, runs_dir)
    try:
        make_client(config, uri).get_experiment_by_name(config.experiment)
    except Exception as error:  # MLflow raises whatever its stores raise
        raise unreachable(uri, error) from error
