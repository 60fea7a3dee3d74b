"""A detector that runs a checkpoint with torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from visionllm_interaction.core.categories import Categories
from visionllm_interaction.core.detections import Detections
from visionllm_interaction.detection.models.checkpoint_info import CheckpointInfo
from visionllm_interaction.detection.models.checkpoints import load_checkpoint
from visionllm_interaction.detection.models.precision import (
    NumberFormat,
    choose_device,
    choose_precision,
    compile_layers,
    set_precision,
)
from visionllm_interaction.detection.runtimes.detector_interface import Runtime
from visionllm_interaction.errors import UsageError
from visionllm_interaction.utils.hashing import sha256_file
from visionllm_interaction.utils.path_type import StrPath

ALGORITHM_VERSION = 1
"""See :class:`~visionllm_interaction.detection.runtimes.detector_interface.Runtime`."""
RUNTIME = Runtime("torch", ALGORITHM_VERSION, libraries=("torch", "torchvision"))


@dataclass(frozen=True, eq=False)
class TorchDetector:
    """Runs a torchvision Faster R-CNN in inference mode, eagerly or with its layers compiled.

    One call is one batch: memory grows with the number of images given.
    """

    model: nn.Module
    info: CheckpointInfo
    digest: str
    device: torch.device

    @property
    def categories(self) -> Categories:
        """The categories it can find, in label order."""
        return self.info.categories

    @property
    def name(self) -> str:
        """The architecture."""
        return self.info.model.architecture

    @property
    def runtime(self) -> Runtime:
        """What runs it."""
        return RUNTIME

    def detect(self, images_rgb: Sequence[NDArray[np.uint8]], *, min_confidence: float = 0.05) -> list[Detections]:
        """See :class:`~visionllm_interaction.detection.runtimes.detector_interface.Detector`."""
        outputs = run_batch(self.model, images_rgb, device=self.device)
        return [to_detections(output, min_confidence=min_confidence) for output in outputs]


def run_batch(
    model: nn.Module, images_rgb: Sequence[NDArray[np.uint8]], *, device: torch.device
) -> list[dict[str, Tensor]]:
    """Run a torchvision detector on images as one batch.

    Args:
        model: in evaluation mode, on ``device``.
        images_rgb: (H, W, 3) uint8 each; sizes may differ.
        device: what it runs on.

    Returns:
        ``boxes`` (N, 4, xyxy in pixels of the image), ``labels`` (N,) and ``scores`` (N,) of each image.

    Raises:
        ValueError: if an image has another shape or type.
    """
    if not images_rgb:
        return []
    tensors = [image_to_tensor(image).to(device, non_blocking=True) for image in images_rgb]
    with torch.inference_mode():
        outputs: list[dict[str, Tensor]] = model([tensor.float().div_(255) for tensor in tensors])
    return outputs


def image_to_tensor(image_rgb: NDArray[np.uint8]) -> Tensor:
    """Turn an image into a tensor.

    Args:
        image_rgb: (H, W, 3) uint8.

    Returns:
        (3, H, W) uint8.

    Raises:
        ValueError: on another shape or type.
    """
    if image_rgb.ndim != 3 or image_rgb.shape[2] != 3 or image_rgb.dtype != np.uint8:
        raise ValueError(f"expected (H, W, 3) uint8, found {image_rgb.shape} {image_rgb.dtype}")
    # torch refuses to wrap read-only memory without a warning; such arrays are copied
    array = image_rgb if image_rgb.flags.writeable else image_rgb.copy()
    return torch.from_numpy(np.ascontiguousarray(array)).permute(2, 0, 1).contiguous()


def to_detections(output: dict[str, Tensor], *, min_confidence: float = 0.0) -> Detections:
    """Torchvision's output for one image → :class:`Detections` of at least ``min_confidence``."""
    scores = output["scores"].float().cpu().numpy()
    keep = scores >= min_confidence
    boxes = output["boxes"].float().cpu().numpy()[keep]
    return Detections(boxes, scores[keep], output["labels"].cpu().numpy()[keep])


def load_torch_detector(path: StrPath, *, device: str | None = None, compiled: bool = False) -> TorchDetector:
    """Load a checkpoint for detection with torch.

    Args:
        path: ``.pt`` or ``.safetensors``.
        device: such as ``cpu`` or ``cuda:1``; by default CUDA where there is one.
        compiled: whether its layers are compiled by ``torch.compile``, now.

    Returns:
        The detector.

    Raises:
        CheckpointError: if the checkpoint is missing, truncated, unsafe or none of this program.
        UsageError: if it cannot be compiled here.
    """
    path = Path(path)
    where = choose_device(device)
    model, info = load_checkpoint(path)
    prepare_for_detection(model, where)
    detector = TorchDetector(model, info, sha256_file(path), where)
    if compiled:
        compile_layers(model)
        _warm_up(detector)
    return detector


def _warm_up(detector: TorchDetector) -> None:
    """Compile now rather than at the first frames: that it works, and the minute it takes, are known at the start."""
    from torch._dynamo.exc import BackendCompilerFailed  # here: its import takes two seconds, and few compile

    config = detector.info.model
    image = np.zeros((config.min_size, config.min_size * 4 // 3, 3), dtype=np.uint8)
    try:
        detector.detect([image, image])
    except BackendCompilerFailed as error:
        raise UsageError(
            "The detector cannot be compiled on this machine.",
            expected="a C++ compiler (g++) that torch can use",
            found=str(error).split("\n", maxsplit=1)[0][:200],
            where="analysis.video.detect.compile",
            fix="install g++, or leave compile at false",
        ) from error


def prepare_for_detection(model: nn.Module, device: torch.device, *, train: NumberFormat = "float32") -> None:
    """Move a model to ``device``, channels-last; it detects in bfloat16 on CUDA and in float32 on the CPU.

    Training validates through here too, so that the metrics it reports are those of the detector one loads.

    Args:
        model: a Faster R-CNN; changed in place.
        device: to run on.
        train: number format while training.
    """
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    detect = choose_precision("auto", device) if device.type == "cuda" else "float32"
    set_precision(model, device, train=train, detect=detect)
