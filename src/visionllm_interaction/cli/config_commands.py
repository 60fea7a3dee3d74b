"""Commands on the configuration: config show, config schema."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from visionllm_interaction.cli.formatting import as_lines
from visionllm_interaction.cli.output import CommandResult, ConfigFiles, JsonFlag, Overrides

config = typer.Typer(
    help="The configuration that a command would use, and its JSON Schema.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

SectionArgument = Annotated[str | None, typer.Argument(help="Only this section, for example train.")]


@config.command()
def show(
    section: SectionArgument = None,
    changed: Annotated[bool, typer.Option("--changed", help="Leave out values that nobody set.")] = False,
    config: ConfigFiles = None,
    override: Overrides = None,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Show every value that a command would use, and its origin: a file and line, -o, or the default."""
    from visionllm_interaction.config import describe

    found = describe(config, override, section=section, changed=changed)
    width = max((len(f"{value.key}: {_shown(value.value)}") for value in found.values), default=0)
    lines = [f"{f'{value.key}: {_shown(value.value)}':<{min(width, 60)}}  # {value.origin}" for value in found.values]
    files = [f"# read: {path}" for path in found.files] or ["# read: no file, all defaults"]
    others = [f"# not read, name it with -c: {path}" for path in found.not_read]
    return CommandResult(found.to_dict(), as_lines([*files, *others, *lines]), json_output)


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


@config.command()
def schema(section: SectionArgument = None, json_output: JsonFlag = False) -> CommandResult:
    """Print the JSON Schema of a configuration file or of one section, for editors and other programs."""
    from visionllm_interaction.config import settings_schema

    found = settings_schema(section)
    return CommandResult(found, json.dumps(found, indent=1, ensure_ascii=False), json_output)
