"""Torchvision's own Faster R-CNN weights for COCO: a state dict without a description, as their authors offer it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights
from torchvision.models.detection._utils import overwrite_eps

from visionllm_interaction.core.categories import Categories
from visionllm_interaction.core.detections import Detections
from visionllm_interaction.detection.models.precision import choose_device
from visionllm_interaction.detection.models.safe_loading import load_tensors
from visionllm_interaction.detection.runtimes.detector_interface import Runtime
from visionllm_interaction.detection.runtimes.torch_detector import (
    prepare_for_detection,
    run_batch,
    to_detections,
)
from visionllm_interaction.errors import CheckpointError
from visionllm_interaction.utils.hashing import sha256_file
from visionllm_interaction.utils.path_type import StrPath

ARCHITECTURES = (
    "fasterrcnn_resnet50_fpn",
    "fasterrcnn_resnet50_fpn_v2",
    "fasterrcnn_mobilenet_v3_large_fpn",
    "fasterrcnn_mobilenet_v3_large_320_fpn",
)
"""The last two have the same tensors and differ in the size of their input; the file's name tells them apart."""
ALGORITHM_VERSION = 1
"""See :class:`~visionllm_interaction.detection.runtimes.detector_interface.Runtime`."""
RUNTIME = Runtime("torchvision", ALGORITHM_VERSION, libraries=("torch", "torchvision"))


@dataclass(frozen=True, eq=False)
class TorchvisionDetector:
    """Runs a detector exactly as torchvision builds it, with its 91 outputs.

    Attributes:
        model: in evaluation mode, on ``device``.
        categories: COCO's 80.
        digest: sha256 of the file.
        name: torchvision's name of the architecture.
        device: what it runs on.
    """

    model: nn.Module
    categories: Categories
    digest: str
    name: str
    device: torch.device

    @property
    def runtime(self) -> Runtime:
        """What runs it."""
        return RUNTIME

    def detect(self, images_rgb: Sequence[NDArray[np.uint8]], *, min_confidence: float = 0.05) -> list[Detections]:
        """See :class:`~visionllm_interaction.detection.runtimes.detector_interface.Detector`."""
        outputs = run_batch(self.model, images_rgb, device=self.device)
        return [self._in_label_order(output, min_confidence) for output in outputs]

    def _in_label_order(self, output: dict[str, Tensor], min_confidence: float) -> Detections:
        """Torchvision's labels are COCO's sparse ids; ten of the 91 outputs mean nothing."""
        found = to_detections(output, min_confidence=min_confidence)
        labels = np.zeros(91, dtype=np.int64)
        for category in self.categories:
            labels[category.category_id] = category.label
        known = labels[found.labels] > 0
        return Detections(found.boxes_xyxy[known], found.confidences[known], labels[found.labels[known]])


def load_torchvision(path: StrPath, *, device: str | None = None) -> TorchvisionDetector:
    """Load one of torchvision's four Faster R-CNN weights files for COCO.

    Args:
        path: of the ``.pth`` file, named as torchvision names it.
        device: such as ``cpu`` or ``cuda:1``; by default CUDA where there is one.

    Returns:
        The detector.

    Raises:
        CheckpointError: if the file is missing, truncated, unsafe, or holds the weights of something else.
    """
    path = Path(path)
    state = load_tensors(path)
    name = _architecture(state, path)
    model = get_model(name, weights=None, weights_backbone=None)
    model.load_state_dict(state)
    if name != "fasterrcnn_resnet50_fpn_v2":
        overwrite_eps(model, 0.0)  # as torchvision does where it loads these weights itself: they were trained so
    model.eval()
    where = choose_device(device)
    prepare_for_detection(model, where)
    names = get_model_weights(name).DEFAULT.meta["categories"]
    categories = Categories.from_pairs((n, one) for n, one in enumerate(names) if one not in ("__background__", "N/A"))
    return TorchvisionDetector(model, categories, sha256_file(path), name, where)


def _architecture(state: Mapping[str, Any], path: Path) -> str:
    found = {key: tuple(value.shape) for key, value in state.items() if isinstance(value, Tensor)}
    matching = [name for name in ARCHITECTURES if _shapes(name) == found]
    if not matching:
        raise CheckpointError(
            "This file holds no detector of torchvision's.",
            expected=f"the weights of {', '.join(ARCHITECTURES)} for COCO",
            found=f"{len(found)} tensors of other names or shapes",
            where=str(path),
            fix="a checkpoint of this program ends in .pt; weights to train from are given as model.weights",
        )
    small = [name for name in matching if ("_320_" in name) == ("_320_" in path.name)]
    return (small or matching)[0]


def _shapes(name: str) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        model = get_model(name, weights=None, weights_backbone=None)
    return {key: tuple(value.shape) for key, value in model.state_dict().items()}
