"""The README's Python example, run as a notebook would: in a running event loop, with paths as plain text."""

from __future__ import annotations

import ast
import asyncio
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

README = Path(__file__).resolve().parents[2] / "README.md"


def _example() -> str:
    first, *_ = re.findall(r"^```python\n(.*?)^```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return str(first)


def test_the_example_is_short() -> None:
    assert len([line for line in _example().splitlines() if line.strip()]) <= 10


@pytest.fixture
def toyroom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the README's shell line has made a video."""
    command = [
        line for line in README.read_text(encoding="utf-8").splitlines() if line.startswith("visionllm toyroom ")
    ]
    code = "import sys; from visionllm_interaction.cli import main; main()"
    arguments = command[0].split("#")[0].split()[1:]
    subprocess.run([sys.executable, "-c", code, *arguments], cwd=tmp_path, check=True, capture_output=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_example_runs_in_a_running_event_loop(toyroom: Path) -> None:
    names: dict[str, Any] = {}

    async def cell() -> None:
        code = compile(_example(), str(README), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        result = eval(code, names)
        if asyncio.iscoroutine(result):
            await result

    asyncio.run(cell())
    assert names["answer"].status == "answered"
    assert names["answer"].claims and names["answer"].evidence
    assert len(names["near"]) > 0 and names["boxes"].position.dims == ("time", "space", "individuals")
    assert (toyroom / "store" / "store.yaml").is_file()
