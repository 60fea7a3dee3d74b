"""Runs on an MLflow server: each made once, whatever is delivered twice and whoever else makes it too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from visionllm_interaction.detection.experiment_tracking.spool import Message

MAX_PARAMETER_LENGTH = 500
MAX_PARAMETERS = 100
"""Per request, as MLflow's API has it."""
PAGE = 1000
SPOOL_TAG = "visionllm.training_id"
STUDY_TAG, TRIAL_TAG = "visionllm.study_id", "visionllm.trial"
PARENT_TAG = "mlflow.parentRunId"


def start_run(client: Any, experiment_id: str, message: Message) -> str:
    """Find or make the run of ``message``, with parameters, data set and parent; returns its id.

    A parent comes whole within the message of its child, so that whichever arrives first makes it.
    """
    tags = {**message["tags"], SPOOL_TAG: message["id"]}
    if "parent" in message:
        tags[PARENT_TAG] = start_run(client, experiment_id, message["parent"])
    run = _find_or_make(client, experiment_id, message, tags)
    _log_parameters(client, run, message["parameters"])
    if "dataset" in message:
        _log_dataset(client, run.info.run_id, message["dataset"])
    run_id: str = run.info.run_id
    return run_id


def _find_or_make(client: Any, experiment_id: str, message: Message, tags: Mapping[str, str]) -> Any:
    found = _runs(client, experiment_id, SPOOL_TAG, message["id"])
    if not found:
        made = client.create_run(experiment_id, start_time=message["at_ms"], tags=tags, run_name=message["name"])
        found = _runs(client, experiment_id, SPOOL_TAG, message["id"]) if message.get("shared") else [made]
    # two workers that searched at the same moment have made one each: all keep the same one
    kept, *others = sorted(found, key=lambda run: run.info.run_id)
    for other in others:
        client.delete_run(other.info.run_id)
    return kept


def _runs(client: Any, experiment_id: str, tag: str, value: str) -> list[Any]:
    return list(_pages(client, experiment_id, f"tags.`{tag}` = '{value}'"))


def _pages(client: Any, experiment_id: str, condition: str) -> Iterator[Any]:
    token = None
    while True:
        page = client.search_runs([experiment_id], condition, max_results=PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _log_parameters(client: Any, run: Any, parameters: Mapping[str, str]) -> None:
    from mlflow.entities import Param

    # a parameter never changes: of a study continued with other settings the first ones stay
    new = {key: value for key, value in parameters.items() if key not in run.data.params}
    entries = [Param(key, value[:MAX_PARAMETER_LENGTH]) for key, value in new.items()]
    for start in range(0, len(entries), MAX_PARAMETERS):
        client.log_batch(run.info.run_id, params=entries[start : start + MAX_PARAMETERS])


def _log_dataset(client: Any, run_id: str, entry: Mapping[str, str]) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(**{key: value for key, value in entry.items() if key != "context"})
    client.log_inputs(run_id, datasets=[DatasetInput(dataset, [InputTag("mlflow.data.context", entry["context"])])])


def log_metrics(client: Any, run_id: str, message: Message) -> None:
    """The values of one step."""
    from mlflow.entities import Metric

    # the time is the spool's, so that a point sent again is the same point and not a second one
    metrics = [Metric(key, value, message["at_ms"], message["step"]) for key, value in message["values"].items()]
    client.log_batch(run_id, metrics=metrics)


def set_status(client: Any, run_id: str, message: Message) -> None:
    """Running, or ended at the time of the message."""
    client.update_run(run_id, status=message["status"])
    if message["status"] != "RUNNING":
        client.set_terminated(run_id, status=message["status"], end_time=message["at_ms"])


def reconcile_trials(client: Any, run_id: str, message: Message) -> None:
    """Complete the runs of trials that other workers left behind.

    Runs of trials under a parent that was given up move to ``run_id``; those whose worker died get the state that the
    study has for them (``states``, by number).
    """
    experiment_id = client.get_run(run_id).info.experiment_id
    for run in _runs(client, experiment_id, STUDY_TAG, message["study_id"]):
        if run.data.tags.get(PARENT_TAG) != run_id:
            client.set_tag(run.info.run_id, PARENT_TAG, run_id)
        state = message["states"].get(run.data.tags[TRIAL_TAG])
        if state and run.info.status == "RUNNING":
            set_status(client, run.info.run_id, {"status": state, "at_ms": message["at_ms"]})
