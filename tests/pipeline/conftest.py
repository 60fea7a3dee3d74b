"""The run and the store that were made before algorithms had versions."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

PACKED = Path(__file__).with_name("files") / "before_algorithm_versions.tar.gz"


@pytest.fixture
def before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder they are unpacked in (see ``test_before_versions.py``), which is also the current one."""
    with tarfile.open(PACKED) as packed:
        packed.extractall(tmp_path, filter="data")
    monkeypatch.chdir(tmp_path)
    return tmp_path
