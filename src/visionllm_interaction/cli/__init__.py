"""The command line: each command parses its options, calls one function of another package and prints the result.

Imports are lazy: `--version` answers at once, `--help` reads the table in :mod:`.commands`, and a command imports only
its own module.
"""

from __future__ import annotations

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
    from visionllm_interaction.cli.application import app
    from visionllm_interaction.cli.output import run_app

    sys.exit(run_app(app, arguments))
