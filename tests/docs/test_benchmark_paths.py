"""Benchmarks are where the pages, the Makefile and their own headers say that they are."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]
NAMED = re.compile(r"\bbenchmarks/[\w/]+\.(?:py|tsv|json|yaml)\b")
HISTORY = ("docs/log.md", "CHANGELOG.md", "benchmarks/results/")


def test_every_file_of_a_benchmark_that_is_named_is_there() -> None:
    told = subprocess.run(["git", "ls-files"], cwd=REPO, capture_output=True, text=True, check=False)
    if told.returncode != 0:
        pytest.skip("this is no checkout")
    files = [name for name in told.stdout.splitlines() if not name.startswith(HISTORY) and (REPO / name).is_file()]
    texts = {name: (REPO / name).read_text(encoding="utf-8", errors="ignore") for name in files}
    named = {(found, name) for name, text in texts.items() for found in NAMED.findall(text)}
    named = {one for one in named if not one[0].startswith(HISTORY)}  # results are made where they are wanted
    assert len(named) > 50
    assert sorted(one for one in named if not (REPO / one[0]).exists()) == []
