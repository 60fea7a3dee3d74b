"""Run the code blocks of a Markdown page, top to bottom, as a reader would type them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^```(?P<language>\w*)(?P<rest>[^\n]*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, code and the line of the page on which the code begins."""

    language: str
    code: str
    line: int


def blocks_of(page: Path, *languages: str) -> Iterator[Block]:
    """The page's blocks in these languages, in order."""
    text = page.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        if match["language"] in languages:
            yield Block(match["language"], match["code"], text[: match.start("code")].count("\n") + 1)


def run_page(page: Path, folder: Path) -> dict[str, Any]:
    """Run ``bash`` and ``python`` blocks of ``page`` in ``folder``; Python blocks share their names.

    Raises:
        AssertionError: if a command fails, with what it printed.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    before = Path.cwd()
    os.chdir(folder)
    try:
        for block in blocks_of(page, "bash", "python"):
            if block.language == "bash":
                run_shell(block, page, folder)
            else:
                source = "\n" * (block.line - 1) + block.code
                exec(compile(source, str(page), "exec"), names)
    finally:
        os.chdir(before)
    return names


def run_shell(block: Block, page: Path, folder: Path) -> None:
    """Run a ``bash`` block in ``folder`` with this interpreter's ``visionllm`` first on the path."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.code],
        cwd=folder,
        env=shell_environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{page.name}:{block.line} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"


def shell_environment() -> Mapping[str, str]:
    """The environment of a reader who has activated the virtual environment."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
