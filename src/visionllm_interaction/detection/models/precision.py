"""Which device and number format to compute with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from visionllm_interaction.errors import UsageError
from visionllm_interaction.utils.device_names import ALLOWED_DEVICES, check_device_name

Precision = Literal["auto", "float32", "bfloat16"]
NumberFormat = Literal["float32", "bfloat16"]
DENSE_PARTS: tuple[str, ...] = ("backbone", "rpn.head", "roi_heads.box_head", "roi_heads.box_predictor")
"""The parts of a Faster R-CNN that consist of layers only; the rest computes with boxes in pixels."""


def choose_device(device: str | None = None) -> torch.device:
    """Choose the device to compute on.

    Args:
        device: name of a torch device; ``None`` and ``auto`` choose CUDA where available, else the CPU.

    Returns:
        The device.

    Raises:
        UsageError: if the name is not one of a device, or this machine does not have the device.
    """
    if device is None or device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(check_device_name(device))
    except ValueError as error:
        raise UsageError("There is no such device.", expected=ALLOWED_DEVICES, found=device) from error
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if chosen.type == "cuda" and (chosen.index or 0) >= count:
        raise UsageError(
            "This machine does not have the device.",
            expected=f"cpu, or one of {count} CUDA devices, counted from 0"
            if count
            else "cpu: torch sees no CUDA device",
            found=device,
            fix="name another device, or leave it at auto; `visionllm doctor` says what torch sees",
        )
    return chosen


def choose_precision(precision: Precision, device: torch.device) -> NumberFormat:
    """``auto`` is bfloat16 where the hardware multiplies it natively (it is emulated, slowly, elsewhere)."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    return "bfloat16" if cpu_has_bfloat16() else "float32"


def cpu_has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 natively (AVX-512 BF16 or AMX)."""
    features = torch.cpu.get_capabilities()
    return bool(features.get("avx512_bf16") or features.get("amx_bf16"))


def set_precision(model: nn.Module, device: torch.device, *, train: NumberFormat, detect: NumberFormat) -> None:
    """Set the number formats in which the layers of a Faster R-CNN compute; call it once.

    Only the layers: bfloat16 has 8 significant bits, so a box edge at pixel 1000 would be rounded to a multiple of 4.
    Autocast around the whole model does exactly that.

    Args:
        model: a Faster R-CNN; changed in place.
        device: on which it runs.
        train: format while training.
        detect: format while detecting.
    """
    for name in DENSE_PARTS:
        part = model.get_submodule(name)
        part.forward = _autocast(part, device.type, {True: train, False: detect})


def compile_layers(model: nn.Module) -> None:
    """Let ``torch.compile`` make kernels of the layers, for images and batches of any size.

    In place, after :func:`set_precision`. Only the layers: choosing proposals and non-maximum suppression depend on the
    data, and would be cut into many pieces.

    Args:
        model: a Faster R-CNN.
    """
    for name in DENSE_PARTS:
        part = model.get_submodule(name)
        part.forward = torch.compile(part.forward, dynamic=True)


def _autocast(part: nn.Module, device_type: str, number: dict[bool, NumberFormat]) -> Callable[..., Any]:
    forward = part.forward

    def run(*inputs: Any) -> Any:
        if number[part.training] == "float32":
            return forward(*inputs)
        with torch.autocast(device_type, dtype=torch.bfloat16):
            outputs = forward(*inputs)
        return _to_float32(outputs)

    return run


def _to_float32(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.float()
    if isinstance(value, dict):
        return {key: _to_float32(item) for key, item in value.items()}
    return type(value)(_to_float32(item) for item in value)
