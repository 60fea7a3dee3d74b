"""The command line: parse, call one function of a room, print. No logic."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from visionllm_interaction import __version__
from visionllm_interaction.cli import analysis, data, questions, service, stores, training
from visionllm_interaction.cli.output import run_app

app = typer.Typer(
    name="visionllm",
    help="From images to a detector, from video to an interaction store, from questions to proven answers.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)
for room in (data, training, analysis, stores, service, questions):
    room.register(app)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")] = False,
) -> None:
    pass


def main() -> None:
    """Entry point of the command ``visionllm``."""
    sys.exit(run_app(app, sys.argv[1:]))
