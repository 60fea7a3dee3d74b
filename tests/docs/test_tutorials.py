"""Every code block of the tutorials and of the README's Python example runs as written."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_blocks import REPO, blocks_of, run_page

TUTORIALS = sorted((REPO / "docs" / "tutorials").glob("*.md"))
TRAINS = {"02-own-classes.md"}


def test_there_are_six_tutorials_and_each_is_in_the_navigation() -> None:
    navigation = (REPO / "zensical.toml").read_text(encoding="utf-8")
    assert len(TUTORIALS) == 6
    for page in TUTORIALS:
        assert f"tutorials/{page.name}" in navigation
        assert list(blocks_of(page, "python"))


@pytest.mark.parametrize("page", [p for p in TUTORIALS if p.name not in TRAINS], ids=lambda page: page.stem)
def test_a_tutorial_runs(page: Path, tmp_path: Path) -> None:
    run_page(page, tmp_path)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", [p for p in TUTORIALS if p.name in TRAINS], ids=lambda page: page.stem)
def test_the_tutorial_that_trains_runs(page: Path, tmp_path: Path) -> None:
    names = run_page(page, tmp_path)
    assert (tmp_path / names["result"].checkpoint).is_file()
