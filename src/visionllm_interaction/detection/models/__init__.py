"""Faster R-CNN builders, checkpoints and the runtime that detects with them.

Names load on first use, so that reading the configuration does not import torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from visionllm_interaction.utils.lazy_attributes import lazy_attributes

if TYPE_CHECKING:
    from visionllm_interaction.detection.models.checkpoint_info import CheckpointInfo
    from visionllm_interaction.detection.models.checkpoints import load_checkpoint, save_checkpoint
    from visionllm_interaction.detection.models.config import ModelConfig
    from visionllm_interaction.detection.models.faster_rcnn import build_model, build_pretrained
    from visionllm_interaction.detection.runtimes.detector_interface import Detector, Runtime
    from visionllm_interaction.detection.runtimes.factory import load_detector
    from visionllm_interaction.detection.runtimes.torch_detector import TorchDetector

__all__ = [
    "CheckpointInfo",
    "Detector",
    "ModelConfig",
    "Runtime",
    "TorchDetector",
    "build_model",
    "build_pretrained",
    "load_checkpoint",
    "load_detector",
    "save_checkpoint",
]

__getattr__ = lazy_attributes(
    "visionllm_interaction.detection",
    {
        "CheckpointInfo": "models.checkpoint_info",
        "Detector": "runtimes.detector_interface",
        "ModelConfig": "models.config",
        "Runtime": "runtimes.detector_interface",
        "TorchDetector": "runtimes.torch_detector",
        "build_model": "models.faster_rcnn",
        "build_pretrained": "models.faster_rcnn",
        "load_checkpoint": "models.checkpoints",
        "load_detector": "runtimes.factory",
        "save_checkpoint": "models.checkpoints",
    },
)
