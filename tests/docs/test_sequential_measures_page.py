"""The example of docs/sequential-measures.md runs, and every function it lists is there."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from page_blocks import REPO, run_page

from visionllm_interaction.measures.catalogue_sequential import SEQUENTIAL_MEASURES

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


def test_every_measure_stands_with_its_expression_definition_and_source() -> None:
    rows = [line.split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    listed = {row[0].strip("| `"): [*row[2:5], row[5].removesuffix(" |")] for row in rows if len(row) == 6}

    assert listed == {
        m.name: [m.unit, f"`{m.expression.to_text()}`", m.definition, m.source] for m in SEQUENTIAL_MEASURES.values()
    }
