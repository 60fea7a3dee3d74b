"""bfloat16 stays inside the layers: boxes keep their precision."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_model import TOYS, tiny

from visionllm_interaction.detection.models import load_detector
from visionllm_interaction.detection.models.checkpoint_info import CheckpointInfo
from visionllm_interaction.detection.models.checkpoints import save_checkpoint
from visionllm_interaction.detection.models.faster_rcnn import build_model
from visionllm_interaction.detection.models.precision import choose_device, choose_precision, set_precision
from visionllm_interaction.errors import UsageError

CPU = torch.device("cpu")


def seen_types(model: torch.nn.Module) -> tuple[set[torch.dtype], set[torch.dtype]]:
    """Types inside a convolution and types that reach the box code."""
    inside: set[torch.dtype] = set()
    boxes: set[torch.dtype] = set()
    model.backbone.body.layer2.register_forward_hook(lambda m, i, o: inside.add(o.dtype))
    model.roi_heads.box_roi_pool.register_forward_hook(lambda m, i, o: boxes.update({o.dtype, i[1][0].dtype}))
    picture, target = torch.rand(3, 64, 64), {"boxes": torch.tensor([[4.0, 4, 30, 40]]), "labels": torch.tensor([1])}
    model([picture], [target])
    return inside, boxes


def test_training_in_bfloat16_keeps_boxes_in_float32() -> None:
    model = build_model(tiny(normalization="group"), num_classes=2)
    set_precision(model, CPU, train="bfloat16", detect="float32")
    inside, boxes = seen_types(model.train())
    assert inside == {torch.bfloat16}
    assert boxes == {torch.float32}


def test_detection_on_the_cpu_is_float32_throughout() -> None:
    model = build_model(tiny(normalization="group"), num_classes=2)
    set_precision(model, CPU, train="bfloat16", detect="float32")
    inside, boxes = seen_types(model.eval())
    assert inside == boxes == {torch.float32}


def test_what_is_asked_for_is_chosen() -> None:
    assert choose_device("cpu") == CPU
    assert choose_device("auto") == choose_device(None)
    assert choose_precision("float32", CPU) == "float32"
    assert choose_precision("bfloat16", CPU) == "bfloat16"


@pytest.mark.parametrize(("name", "told"), [("banana", "no such device"), ("cuda:99", "does not have the device")])
def test_a_device_that_is_not_there_is_refused_by_name(name: str, told: str) -> None:
    with pytest.raises(UsageError, match=told) as raised:
        choose_device(name)
    assert raised.value.found == name and "cpu" in (raised.value.expected or "")


def saved(folder: Path) -> Path:
    """A checkpoint with random weights."""
    torch.manual_seed(0)
    config = tiny()
    model = build_model(config, num_classes=len(TOYS) + 1)
    save_checkpoint(folder / "tiny.pt", model.state_dict(), info=CheckpointInfo(config, TOYS, "none", 0, {}))
    return folder / "tiny.pt"


@pytest.mark.slow
def test_without_a_compiler_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch._dynamo.reset()  # nothing compiled before may be used
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", (str(tmp_path / "no-compiler"),))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(UsageError, match="cannot be compiled"):
        load_detector(saved(tmp_path), device="cpu", compiled=True)


@pytest.mark.slow
def test_compiled_layers_find_the_same(tmp_path: Path) -> None:
    path = saved(tmp_path)
    rng = np.random.default_rng(0)
    # batches and images of several sizes, none of which may be compiled anew into something else
    batches = [[rng.integers(0, 255, (h, w, 3), dtype=np.uint8)] * n for h, w, n in ((64, 85, 1), (96, 64, 3))]
    eager, compiled = load_detector(path, device="cpu"), load_detector(path, device="cpu", compiled=True)
    for batch in batches:
        for one, other in zip(eager.detect(batch), compiled.detect(batch), strict=True):
            assert len(one) and one.labels.tolist() == other.labels.tolist()
            np.testing.assert_allclose(one.boxes_xyxy, other.boxes_xyxy, atol=0.05)
