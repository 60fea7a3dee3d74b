"""The command line: each command parses its options, calls one function of another package and prints the result.

Imports are lazy: `--version` answers at once, `--help` reads the table in :mod:`.commands`, and a command imports only
its own module.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
from typing import TYPE_CHECKING

from visionllm_interaction import __version__
from visionllm_interaction.utils.lazy_attributes import lazy_attributes

if TYPE_CHECKING:
    from visionllm_interaction.cli.application import app

__all__ = ["app", "main"]

__getattr__ = lazy_attributes(__name__, {"app": "application"})


def main() -> None:
    """Entry point of the command ``visionllm``."""
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        sys.stdout.write(f"{__version__}\n")
        return
    if arguments and _is_short(arguments[0]):
        _prepare_short_process()
    from visionllm_interaction.cli.application import app
    from visionllm_interaction.cli.output import run_app

    sys.exit(run_app(app, arguments))


_SHORT_GC_THRESHOLD = 100_000
"""Containers made between two collections of a short process; Python's own 700 suits a long one."""


def _is_short(command: str) -> bool:
    from visionllm_interaction.cli.command_table import COMMANDS

    return command in COMMANDS and COMMANDS[command].short


def _prepare_short_process() -> None:
    """Leave out what only pays in a process that runs for long: together it takes a third of a short command's time.

    Importing makes many objects and no garbage, so garbage is collected rarely, and not at all when the process ends.
    OpenBLAS starts a thread for each core when numpy is imported; nothing large is multiplied here. pydantic looks for
    plug-ins of its own in the metadata of all installed distributions. What the environment sets is kept.
    """
    gc.set_threshold(_SHORT_GC_THRESHOLD)
    atexit.register(gc.freeze)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
