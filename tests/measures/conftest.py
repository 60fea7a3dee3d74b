"""The small store of ``scenes_builders``, whose values can be worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from scenes_builders import make_store


@pytest.fixture
def store_path(tmp_path: Path) -> Path:
    """See :func:`scenes_builders.make_store`."""
    return make_store(tmp_path / "store")
