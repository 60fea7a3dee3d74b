"""Four things that must not be trained or evaluated with: each is refused in clear words with exit 3."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
from tiny_model import tiny
from tiny_training import write_manifest

from visionllm_interaction.cli import app
from visionllm_interaction.cli.output import run_app
from visionllm_interaction.core.categories import Categories
from visionllm_interaction.detection.models import CheckpointInfo, build_model, build_pretrained, save_checkpoint
from visionllm_interaction.errors import InputDataError


class RunsCode:
    """A pickle that makes a folder when it is opened."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self._folder),)


def write_checkpoint(path: Path, *names: str) -> Path:
    categories = Categories.from_pairs(enumerate(names, start=1))
    model = build_model(tiny(), num_classes=len(names) + 1)
    save_checkpoint(path, model.state_dict(), info=CheckpointInfo(tiny(), categories))
    return path


def refusal(capsys: pytest.CaptureFixture[str], checkpoint: Path, manifest: Path) -> dict[str, Any]:
    code = run_app(app, ["evaluate", "--checkpoint", str(checkpoint), "--data", str(manifest), "--json"])
    assert code == 3
    error: dict[str, Any] = json.loads(capsys.readouterr().out)["error"]
    assert error["where"] == str(checkpoint) and error["fix"] and error["code"] == "CHECKPOINT"
    return error


def test_a_pickle_that_runs_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.pt"
    bad.write_bytes(pickle.dumps(RunsCode(tmp_path / "owned")))
    error = refusal(capsys, bad, write_manifest(tmp_path))
    assert "would run code" in error["found"]
    assert not (tmp_path / "owned").exists()


def test_a_truncated_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_checkpoint(tmp_path / "cut.pt", "red", "blue")
    path.write_bytes(path.read_bytes()[:-5000])
    assert "cannot be loaded" in refusal(capsys, path, write_manifest(tmp_path))["message"]


def test_a_checkpoint_of_other_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_checkpoint(tmp_path / "other.pt", "green", "yellow")
    command = ["evaluate", "--checkpoint", str(path), "--data", str(write_manifest(tmp_path)), "--json"]
    assert run_app(app, command) == 3
    error = json.loads(capsys.readouterr().out)["error"]
    assert "no category in common" in error["message"] and "--map" in error["fix"]


@pytest.mark.parametrize(("given", "refused"), [(None, False), (3, False), (2, True), (91, True)])
def test_num_classes_that_contradicts_the_data(given: int | None, refused: bool) -> None:
    categories = Categories.from_pairs([(3, "red"), (8, "blue")])
    if not refused:
        build_pretrained(tiny(num_classes=given), categories=categories)
        return
    with pytest.raises(InputDataError, match="contradicts the data") as caught:
        build_pretrained(tiny(num_classes=given), categories=categories)
    assert caught.value.exit_code == 3
    assert caught.value.expected == "3: the background and red, blue"
