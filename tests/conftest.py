"""Fixtures for all rooms."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real images, videos and annotation files; tests that need them skip where they are absent."""
    folder = Path(os.environ.get("VISIONLLM_TEST_DATA", REPO.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data is not here: {folder} (set VISIONLLM_TEST_DATA)")
    return folder


@pytest.fixture(scope="session", autouse=True)
def no_models_of_this_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests find no ready-made models but those they add."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VISIONLLM_MODELS", str(tmp_path_factory.mktemp("models")))
        yield
