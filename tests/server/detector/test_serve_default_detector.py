"""The detector of a service that names none: the best ready-made model on the machine, if any."""

from __future__ import annotations

from pathlib import Path

import pytest

from visionllm_interaction.detection.registry.cache import models_folder
from visionllm_interaction.detection.registry.entries import read_registry
from visionllm_interaction.errors import CheckpointError, ModelMissing
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.run import _with_detector


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISIONLLM_MODELS", str(tmp_path / "models"))


def test_without_any_model_the_service_has_no_detector() -> None:
    assert _with_detector(ServeConfig()).detector is None
    with pytest.raises(ModelMissing, match="visionllm models get yolox_nano"):
        _with_detector(ServeConfig(detector=Path("yolox_nano")))


def test_a_file_that_is_set_stays(tmp_path: Path) -> None:
    assert _with_detector(ServeConfig(detector=tmp_path / "mine.pt")).detector == tmp_path / "mine.pt"


def test_the_model_on_this_machine_is_the_default_and_is_checked() -> None:
    entry = read_registry().entry("yolox_nano")
    path = models_folder() / entry.name / entry.file
    path.parent.mkdir(parents=True)
    with path.open("wb") as stream:
        stream.truncate(entry.bytes)
    with pytest.raises(CheckpointError, match="damaged"):  # of the right size only
        _with_detector(ServeConfig())
