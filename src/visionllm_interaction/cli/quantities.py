"""The command on quantities: query."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from visionllm_interaction.cli.output import CommandResult, ConfigFiles, JsonFlag, Overrides, StoreOption
from visionllm_interaction.cli.settings_alone import load_measures_settings


def query(
    expression: Annotated[str, typer.Argument(help='For example "total(holding(child, ball)) by video".')],
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
