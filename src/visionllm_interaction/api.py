"""High-level functions that read the configuration files."""

from __future__ import annotations

from collections.abc import Sequence

from visionllm_interaction.config import load
from visionllm_interaction.pipeline import PipelineResult
from visionllm_interaction.pipeline import run_pipeline as run_stages
from visionllm_interaction.utils.path_type import StrPath


def run_pipeline(
    config: Sequence[StrPath] = (), *, overrides: Sequence[str] = (), until: str | None = None
) -> PipelineResult:
    """Bring stages 1 to 4 up to date: ingest, validate, transform, train.

    Settings are layered as for the command: shipped defaults, the files of ``./config``, ``config`` in order,
    ``overrides``. What is up to date is skipped; an interrupted run continues.

    Args:
        config: configuration files.
        overrides: single settings, such as ``"train.epochs=3"``.
        until: the last stage, for example ``"transform"``; by default ``"train"``.

    Returns:
        The run, the result of each stage, AP and AP50, and the best checkpoint.

    Raises:
        ConfigError: listing every problem of the configuration at once.
        UsageError: if ``until`` is no stage.
        InputDataError: if the data cannot be read, or its validation report says FAIL.
    """
    return run_stages(load(list(config), list(overrides)), until=until)
