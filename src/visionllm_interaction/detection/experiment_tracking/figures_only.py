"""A client of MLflow that lets nothing out but settings and metrics: no file, no name that somebody chose.

What passes is listed here, and everything else is refused: a method that is not listed raises, a parameter, metric or
tag that is not listed is left out. Every message of this program to a server goes through its client, so that this is
the one place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from visionllm_interaction.detection.evaluation.coco_metrics import METRICS
from visionllm_interaction.detection.experiment_tracking.mlflow_runs import (
    PARENT_TAG,
    SPOOL_TAG,
    STUDY_TAG,
    TRIAL_TAG,
)
from visionllm_interaction.detection.models.config import ModelConfig
from visionllm_interaction.detection.training.config import TrainConfig, TuneConfig
from visionllm_interaction.errors import UsageError
from visionllm_interaction.utils.logs import log

METHODS = frozenset({"get_experiment_by_name", "create_experiment", "search_experiments", "search_runs", "get_run",
                     "delete_run", "update_run", "set_terminated"})  # fmt: skip
"""What a client may do besides the methods of :class:`FiguresOnlyClient`: none of them carries a text or a file."""
PARAMETERS = re.compile(r"(model|train|tune)\.[a-z0-9_.]+")
LOSSES = ("train_loss", "val_loss", "classifier", "box_reg", "objectness", "rpn_box_reg")
METRIC_NAMES = frozenset({*METRICS, *LOSSES, "best_AP", "step", "lr", "seconds", "images_per_s"})
TAGS = re.compile(
    "|".join(
        [*map(re.escape, (SPOOL_TAG, STUDY_TAG, TRIAL_TAG, PARENT_TAG)),
         "training_manifest_sha256", "algorithm_version", "code_version", "best_value",
         r"best\.(model|train)\.[a-z0-9_.]+", r"importance\.(model|train)\.[a-z0-9_.]+", r"trials\.[a-z]+"]
    )
)  # fmt: skip
RUN_NAMES = re.compile(r"\d{8}T\d{6}(_\d+)?Z|trial \d+")
"""Names that this program made up; MLflow makes one up in place of any other."""
_NUMBER = r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?"
VALUES = re.compile(rf"{_NUMBER}|True|False|None|[\[\](), .\d]+|[0-9a-f]{{8,64}}(-\d+)?|cuda:\d+", re.IGNORECASE)
"""Numbers and lists of them, yes and no, digests and ids."""


class FiguresOnlyClient:
    """A client of MLflow from which only settings, metrics and digests come out.

    Args:
        client: MLflow's client.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        if name not in METHODS:
            raise UsageError(
                "Nothing but settings and metrics may leave this machine (tracking.figures_only).",
                expected="a call that carries no file and no text",
                found=name,
                fix="set tracking.figures_only=false for a server that may keep images and checkpoints",
            )
        return getattr(self._client, name)

    def create_run(
        self, experiment_id: str, *, start_time: int, tags: Mapping[str, str], run_name: str | None = None
    ) -> Any:
        """Make a run; a name that somebody chose stays here."""
        name = run_name if run_name and RUN_NAMES.fullmatch(run_name) else None
        return self._client.create_run(experiment_id, start_time=start_time, tags=permitted_tags(tags), run_name=name)

    def log_batch(self, run_id: str, metrics: Sequence[Any] = (), params: Sequence[Any] = ()) -> None:
        """Log the metrics and parameters that are listed."""
        kept = [item for item in params if PARAMETERS.fullmatch(item.key) and is_figure(item.value)]
        _tell("parameters", {item.key for item in params} - {item.key for item in kept})
        known = [item for item in metrics if item.key in METRIC_NAMES]
        _tell("metrics", {item.key for item in metrics} - {item.key for item in known})
        if known or kept:
            self._client.log_batch(run_id, metrics=known, params=kept)

    def log_inputs(self, run_id: str, datasets: Sequence[Any]) -> None:
        """Log how large the data set is; its name and its place stay here, its digest is a tag."""
        from mlflow.entities import Param

        sizes = {key: value for item in datasets for key, value in json.loads(item.dataset.profile).items()}
        self._client.log_batch(run_id, params=[Param(f"data.{key}", str(int(value))) for key, value in sizes.items()])

    def set_tag(self, run_id: str, key: str, value: Any) -> None:
        """Set a tag that is listed."""
        for name, text in permitted_tags({key: str(value)}).items():
            self._client.set_tag(run_id, name, text)


def is_figure(value: str) -> bool:
    """Whether a value says nothing but a number, a digest or a word of the settings' own choices."""
    return VALUES.fullmatch(value) is not None or value in WORDS


def permitted_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags that are listed, and whose values are figures."""
    kept = {key: value for key, value in tags.items() if TAGS.fullmatch(key) and is_figure(value)}
    _tell("tags", set(tags) - set(kept))
    return kept


def _tell(what: str, left_out: set[str]) -> None:
    if left_out:
        log.info("figures only: not sent", kind=what, keys=sorted(left_out))


def _choices(schema: Any) -> Iterator[str]:
    """Every word that a JSON schema names as one to choose from."""
    if isinstance(schema, Mapping):
        named = [schema.get("const"), *schema.get("enum", ())]
        yield from (word for word in named if isinstance(word, str))
        yield from _all_choices(schema.values())
    elif isinstance(schema, list):
        yield from _all_choices(schema)


def _all_choices(parts: Iterable[Any]) -> Iterator[str]:
    for part in parts:
        yield from _choices(part)


WORDS = frozenset(
    {"default", "backbone", "none", "auto", "cpu", "cuda"}.union(
        *(_choices(section.model_json_schema()) for section in (ModelConfig, TrainConfig, TuneConfig))
    )
)
"""The settings' own words: architectures, optimizers, schedules, samplers."""
