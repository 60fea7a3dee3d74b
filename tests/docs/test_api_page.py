"""The API reference shows every name of the front door."""

from __future__ import annotations

import re

from page_blocks import REPO

import visionllm_interaction as v


def test_every_public_name_is_in_the_reference() -> None:
    page = (REPO / "docs" / "api.md").read_text(encoding="utf-8")
    shown = {place.rsplit(".", 1)[1] for place in re.findall(r"^::: ([\w.]+)$", page, re.MULTILINE)}
    assert set(v.__all__) - {"__version__"} <= shown
