"""docs/extending.md shows the example package as it is, and names what is there to be used."""

from __future__ import annotations

from pathlib import Path

from page_blocks import REPO, blocks_of

import visionllm_interaction.plugins as offered
from visionllm_interaction.plugins import plugin_groups

PAGE = REPO / "docs" / "extending.md"
EXAMPLE = REPO / "tests" / "example_plugin"


def sources() -> list[Path]:
    modules = [path for path in (EXAMPLE / "src").rglob("*.py") if path.name != "__init__.py"]
    return [EXAMPLE / "pyproject.toml", *modules]


def test_every_block_is_a_file_of_the_example_package_and_every_file_is_shown() -> None:
    shown = sorted(block.code for block in blocks_of(PAGE, "python", "toml", "bash", ""))
    assert shown == sorted(path.read_text(encoding="utf-8") for path in sources())


def test_every_group_and_protocol_is_on_the_page_and_can_be_imported() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for group in plugin_groups():
        assert f"`{group.name}`" in text and f"`{group.protocol.__name__}`" in text
        assert group.name in (offered.__doc__ or "") and group.protocol.__name__ in offered.__all__
    for name in offered.__all__:
        assert getattr(offered, name) is not None
