"""bfloat16 stays inside the layers: boxes keep their precision."""

from __future__ import annotations

import torch
from tiny_model import tiny

from visionllm_interaction.models.build import build_model
from visionllm_interaction.models.device import choose_device, choose_precision, set_precision

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
