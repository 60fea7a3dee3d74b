"""Exports detect what the original detects; what is damaged or does not fit is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tiny_model import TOYS, tiny

from visionllm_interaction.core.detections import Detections
from visionllm_interaction.detection.export.exporter import export_checkpoint
from visionllm_interaction.detection.export.parity import compare_detectors
from visionllm_interaction.detection.models import CheckpointInfo, build_model, load_detector, save_checkpoint
from visionllm_interaction.errors import CheckpointError, UsageError


def pictures(count: int = 3) -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    coarse = [rng.integers(0, 256, (6, 8 + n, 3), dtype=np.uint8) for n in range(count)]
    return [image.repeat(12, axis=0).repeat(12, axis=1) for image in coarse]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return opinionated(tmp_path_factory.mktemp("export") / "tiny.pt")


def opinionated(path: Path, **changes: Any) -> Path:
    """Random weights, made opinionated: else every score is near 1/4 and nothing tells detections apart."""
    torch.manual_seed(0)
    config = tiny(fpn_extra_level=True, anchor_sizes=((12,), (24,), (40,)), score_threshold=0.01, **changes)
    model = build_model(config, num_classes=len(TOYS) + 1)
    with torch.no_grad():
        model.roi_heads.box_predictor.cls_score.weight.mul_(8)
    save_checkpoint(path, model.state_dict(), info=CheckpointInfo(config, TOYS))
    return path


@pytest.mark.parametrize(("target", "name"), [("safetensors", "m.safetensors"), ("openvino", "m"), ("onnx", "m.onnx")])
def test_float32_exports_detect_the_same(checkpoint: Path, tmp_path: Path, target: str, name: str) -> None:
    result = export_checkpoint(checkpoint, target, tmp_path / name, images=pictures())  # type: ignore[arg-type]
    assert result.parity.detections > 20
    assert result.parity.matched >= 0.99
    detector = load_detector(tmp_path / name)
    assert detector.categories == TOYS
    assert [len(found) for found in detector.detect([])] == []


@pytest.mark.parametrize(("target", "name"), [("openvino", "m"), ("onnx", "m.onnx")])
def test_exports_vote_on_boxes_as_the_checkpoint_does(tmp_path: Path, target: str, name: str) -> None:
    plain = load_detector(opinionated(tmp_path / "plain.pt"))
    voting = opinionated(tmp_path / "voting.pt", box_voting=0.2)
    result = export_checkpoint(voting, target, tmp_path / name, images=pictures())  # type: ignore[arg-type]
    assert result.parity.matched >= 0.99
    [one], [other] = plain.detect(pictures(1)), load_detector(tmp_path / name).detect(pictures(1))
    assert np.allclose(one.confidences, other.confidences, atol=1e-3)
    assert np.abs(one.boxes_xyxy - other.boxes_xyxy).max() > 1.0


SIGNALLED = """
import faulthandler, gc, os, signal, sys, threading
from pathlib import Path
import numpy as np
from visionllm_interaction.detection.models import load_detector
{before}
faulthandler.enable()  # handlers run on a stack of their own from here on, as under every test runner
image = np.zeros((48, 64, 3), np.uint8)
first = load_detector(Path(sys.argv[1]))
first.detect([image])
second = load_detector(Path(sys.argv[1]))
second.detect([image])
del first
gc.collect()
del second
gc.collect()
{after}
signal.signal(signal.SIGCHLD, lambda *_: None)
os.kill(os.getpid(), signal.SIGCHLD)
print("alive")
"""


def signalled(before: str, after: str, *arguments: Path) -> subprocess.CompletedProcess[str]:
    code = SIGNALLED.format(before=before, after=after)
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


def test_signals_arrive_after_detectors_are_gone(checkpoint: Path, tmp_path: Path) -> None:
    export_checkpoint(checkpoint, "openvino", tmp_path / "m", images=pictures(1))
    done = signalled("", "", tmp_path / "m")
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr


BOUND = """
import os, sys
from pathlib import Path
import numpy as np
import torch
from visionllm_interaction.detection.models import load_detector
torch.set_num_threads(1)
detector = load_detector(Path(sys.argv[1]))
for _ in range(3):
    detector.detect([np.zeros((48, 64, 3), np.uint8)])
all_cores = os.sched_getaffinity(0)
print([t for t in os.listdir("/proc/self/task") if os.sched_getaffinity(int(t)) != all_cores])
"""


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core is all there is")
def test_no_thread_is_bound_to_a_core_that_another_process_may_use(checkpoint: Path, tmp_path: Path) -> None:
    export_checkpoint(checkpoint, "openvino", tmp_path / "m", images=pictures(1))
    command = [sys.executable, "-c", BOUND, str(tmp_path / "m")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


@pytest.mark.slow
def test_signals_arrive_after_an_export_to_int8(checkpoint: Path, tmp_path: Path) -> None:
    export_checkpoint(checkpoint, "openvino", tmp_path / "m", images=pictures(1))
    before = "from visionllm_interaction.detection.export.exporter import export_checkpoint"
    after = """
images = [np.random.default_rng(n).integers(0, 256, (72, 96, 3), dtype=np.uint8) for n in range(6)]
export_checkpoint(Path(sys.argv[2]), "openvino-int8", Path(sys.argv[3]), images=images[:1], calibration=images)
gc.collect()
"""
    done = signalled(before, after, tmp_path / "m", checkpoint, tmp_path / "int8")
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr


@pytest.mark.slow
def test_int8_detects_nearly_the_same(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="calibrate"):
        export_checkpoint(checkpoint, "openvino-int8", tmp_path / "m", images=pictures())
    result = export_checkpoint(checkpoint, "openvino-int8", tmp_path / "m", images=pictures(), calibration=pictures(6))
    assert capsys.readouterr().out == ""  # progress belongs on stderr
    assert result.parity.matched > 0.3
    assert "int8" in load_detector(tmp_path / "m" / "detector.json").name
    assert b'type="FakeQuantize"' in (tmp_path / "m" / "trunk.xml").read_bytes()


def test_damaged_exports_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    export_checkpoint(checkpoint, "openvino", tmp_path / "m", images=pictures(1))
    with pytest.raises(UsageError, match="exists already"):
        export_checkpoint(checkpoint, "openvino", tmp_path / "m", images=pictures(1))
    about = json.loads((tmp_path / "m" / "detector.json").read_text())
    weights = tmp_path / "m" / "boxes.bin"
    weights.write_bytes(weights.read_bytes()[:-8])
    with pytest.raises(CheckpointError, match="no complete exported detector"):
        load_detector(tmp_path / "m")
    del about["scales"]
    (tmp_path / "m" / "detector.json").write_text(json.dumps(about))
    with pytest.raises(CheckpointError, match="without scales"):
        load_detector(tmp_path / "m")
    with pytest.raises(CheckpointError, match="not a detector"):
        load_detector(tmp_path)


def test_a_truncated_safetensors_file_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    export_checkpoint(checkpoint, "safetensors", path, images=pictures(1))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        load_detector(path)


class Fixed:
    """Says the same about every image."""

    categories = TOYS
    digest = name = ""

    def __init__(self, *rows: tuple[float, int]) -> None:
        boxes = np.array([[20.0 * n, 0, 20 * n + 10, 10] for n in range(len(rows))]).reshape(-1, 4)
        scores, labels = np.array([s for s, _ in rows]), np.array([k for _, k in rows], dtype=np.int64)
        self._found = Detections(boxes, scores, labels)

    def detect(self, images_rgb: object, *, min_confidence: float = 0.05) -> list[Detections]:
        return [self._found]


@pytest.mark.parametrize(
    ("other", "matched"),
    [
        (Fixed((0.9, 1), (0.5, 2)), 1.0),
        (Fixed((0.9, 1), (0.47, 2), (0.05, 3)), 1.0),  # what is hardly believed needs no partner
        (Fixed((0.9, 1), (0.5, 3)), 0.5),  # another label
        (Fixed((0.9, 1), (0.4, 2)), 0.5),  # another confidence
        (Fixed(), 0.0),
    ],
)
def test_parity_is_mutual(other: Fixed, matched: float) -> None:
    reference = Fixed((0.9, 1), (0.5, 2))
    assert compare_detectors(reference, other, pictures(1)).matched == matched
    assert compare_detectors(other, reference, pictures(1)).matched == matched
