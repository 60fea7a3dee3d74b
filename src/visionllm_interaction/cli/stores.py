"""Commands on stores: migrate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from visionllm_interaction.cli.output import JsonFlag, Outcome

StoreOption = Annotated[Path, typer.Option("--store", help="The interaction store's folder.")]


def migrate(store: StoreOption = Path("store"), json_output: JsonFlag = False) -> Outcome:
    """Bring a store of an older version up to this one; nothing is analysed again."""
    from visionllm_interaction.scenes.migrate import migrate_store

    before, after = migrate_store(store)
    text = f"{store} is of version {after}" + (f", was {before}" if before != after else " already")
    return Outcome({"store": str(store), "before": before, "after": after}, text, json_output)


def register(app: typer.Typer) -> None:
    """Add this module's commands to ``app``."""
    app.command()(migrate)
