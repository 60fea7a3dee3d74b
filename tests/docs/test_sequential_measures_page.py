"""The example of docs/sequential-measures.md runs, and every function it lists is there."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from page_blocks import REPO, run_page

PAGE = REPO / "docs" / "sequential-measures.md"


def test_the_example_runs(tmp_path: Path) -> None:
    assert run_page(PAGE, tmp_path)["found"].bouts.count.value == 3


def test_every_function_of_the_package_is_listed() -> None:
    listed = set(re.findall(r"^::: ([\w.]+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))

    for name in listed:
        module, attribute = name.rsplit(".", 1)
        assert hasattr(importlib.import_module(module), attribute)
    modules = {name.split(".")[3] for name in listed}
    package = REPO / "src" / "visionllm_interaction" / "measures" / "sequential"
    assert modules == {path.stem for path in package.glob("*.py")} - {"__init__"}
