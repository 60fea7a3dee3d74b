"""The command query, and the settings of measures alone, read without the other sections."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from visionllm_interaction.cli.output import CommandResult, ConfigFiles, JsonFlag, Overrides, StoreOption
from visionllm_interaction.config_files import layers
from visionllm_interaction.utils.paths import StrPath

if TYPE_CHECKING:
    from visionllm_interaction.measures.config import MeasuresConfig


def query(
    expression: Annotated[str, typer.Argument(help='For example "total(holding(child, ball)) by session".')],
    store: StoreOption = Path("store"),
    csv: Annotated[bool, typer.Option("--csv", help="Print a table with one line per value.")] = False,
    config: ConfigFiles = None,
    override: Overrides = None,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Compute a quantity, written in one line of the language of quantities, with its evidence."""
    from visionllm_interaction.measures.language.run import query as run_expression

    result = run_expression(expression, store, config=load_measures_settings(config, override))
    return CommandResult(result.to_dict(), result.to_csv() if csv else str(result), json_output)


def load_measures_settings(
    files: Sequence[StrPath] | None = None, overrides: Sequence[str] | None = None
) -> MeasuresConfig | None:
    """The section ``measures`` of :func:`visionllm_interaction.config.load`.

    If only this section is set, the other sections are not imported, which saves a short command half a second.
    Otherwise the whole configuration is checked, so that no mistake goes unnoticed.

    Args:
        files: the files named with ``-c``, in order.
        overrides: the texts given with ``-o``.

    Returns:
        The section; None where nothing is set.

    Raises:
        ConfigError: with all problems at once.
    """
    read = layers(files or ())
    if not read and not overrides:
        return None
    from visionllm_interaction.config_loading import load_if_only
    from visionllm_interaction.measures.config import MeasuresSettings

    alone = load_if_only(MeasuresSettings, read, overrides or ())
    if alone is not None:
        return alone.measures
    from visionllm_interaction.config import load

    return load(files, overrides).measures
