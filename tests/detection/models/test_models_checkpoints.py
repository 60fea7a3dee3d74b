"""Checkpoints come back as they were written; what is unsafe, broken or foreign is refused."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_model import TOYS, tiny

from visionllm_interaction.detection.models import build_model, load_checkpoint, load_detector, save_checkpoint
from visionllm_interaction.detection.models.checkpoint_info import CheckpointInfo, sidecar_of
from visionllm_interaction.errors import CheckpointError
from visionllm_interaction.utils.hashing import sha256_file

PICTURE = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    config = tiny(score_threshold=0.0)
    info = CheckpointInfo(config, TOYS, training_manifest_sha256="ab" * 32, epoch=3, metrics={"AP": 0.5})
    save_checkpoint(tmp_path / "best.pt", build_model(config, num_classes=4).state_dict(), info=info)
    return tmp_path / "best.pt"


def test_round_trip(checkpoint: Path) -> None:
    torch.manual_seed(0)
    expected = build_model(tiny(score_threshold=0.0), num_classes=4).state_dict()
    model, info = load_checkpoint(checkpoint)
    assert all(torch.equal(value, expected[key]) for key, value in model.state_dict().items())
    assert not model.training
    assert (info.model, info.categories, info.epoch) == (tiny(score_threshold=0.0), TOYS, 3)
    assert json.loads(sidecar_of(checkpoint).read_text()) == info.to_dict()


def test_bytes_do_not_depend_on_the_memory_layout(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = build_model(tiny(), num_classes=4)
    digests = []
    for name in ("plain.pt", "last.pt"):
        save_checkpoint(tmp_path / name, model.state_dict(), info=CheckpointInfo(tiny(), TOYS))
        digests.append(sha256_file(tmp_path / name))
        model = model.to(memory_format=torch.channels_last)
    assert digests[0] == digests[1]


class Evil:
    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.victim,))


def test_a_pickle_that_runs_code_is_refused_and_does_not_run(tmp_path: Path) -> None:
    victim = tmp_path / "ran"
    torch.save({"state_dict": Evil(victim)}, tmp_path / "torch.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Evil(victim)))
    for name in ("torch.pt", "plain.pt"):
        with pytest.raises(CheckpointError, match="pickle that would run code") as caught:
            load_checkpoint(tmp_path / name)
        assert caught.value.exit_code == 3
    assert not victim.exists()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_a_truncated_file_is_refused(checkpoint: Path, share: float) -> None:
    data = checkpoint.read_bytes()
    checkpoint.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(CheckpointError, match=r"cannot be loaded"):
        load_checkpoint(checkpoint)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="There is no detector at this path"):
        load_detector(tmp_path / "absent.pt")


def test_foreign_and_contradictory_files_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    content = torch.load(checkpoint, weights_only=True)
    metadata = content["metadata"]
    cases = {
        "no description": content["state_dict"],
        "format version 99": {**content, "metadata": {**metadata, "format_version": 99}},
        "damaged description": {**content, "metadata": {**metadata, "model": {"architecture": "yolo"}}},
        "do not fit the model": {**content, "metadata": {**metadata, "categories": metadata["categories"][:2]}},
        "a list": [1],
    }
    for message, value in cases.items():
        torch.save(value, tmp_path / "case.pt")
        with pytest.raises(CheckpointError, match=message):
            load_checkpoint(tmp_path / "case.pt")


def test_detector_returns_boxes_in_pixels_of_each_picture(checkpoint: Path) -> None:
    detector = load_detector(checkpoint, device="cpu")
    assert detector.digest == sha256_file(checkpoint)
    assert (detector.categories, detector.name) == (TOYS, "fasterrcnn_resnet18_fpn")
    large = np.kron(PICTURE, np.ones((4, 4, 1), np.uint8))
    small, big = detector.detect([PICTURE, large], min_confidence=0.0)
    assert len(small) > 0
    assert small.boxes_xyxy[:, [0, 2]].max() <= 90
    assert big.boxes_xyxy[:, [0, 2]].max() > 180  # the same scene, four times as large
    assert set(small.labels) <= {1, 2, 3}


def test_detector_takes_read_only_pictures_and_none_at_all(checkpoint: Path) -> None:
    detector = load_detector(checkpoint, device="cpu")
    frozen = PICTURE.copy()
    frozen.setflags(write=False)
    assert len(detector.detect([frozen], min_confidence=0.0)[0]) > 0
    assert detector.detect([]) == []
    cut = detector.detect([PICTURE], min_confidence=0.3)[0].confidences
    assert (cut >= 0.3).all()
    with pytest.raises(ValueError, match="uint8"):
        detector.detect([PICTURE.astype(np.float32)])  # type: ignore[list-item]
