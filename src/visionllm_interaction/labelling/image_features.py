"""A short description of whole images: the detector's own feature pyramid, or a thumbnail where it shows none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from visionllm_interaction.core.detections import Detections
from visionllm_interaction.detection.runtimes.detector_interface import Detector

_TORCH_RUNTIMES = ("torch", "torchvision")
_THUMBNAIL = (16, 12)
Rgb = NDArray[np.uint8]


def has_feature_pyramid(detector: Detector) -> bool:
    """Whether a detector shows its feature pyramid: a checkpoint or torchvision's weights, run by torch."""
    return detector.runtime.name in _TORCH_RUNTIMES


def detect_and_describe(
    detector: Detector, images_rgb: Sequence[Rgb], *, min_confidence: float
) -> tuple[list[Detections], NDArray[np.float32]]:
    """Detect objects and describe each image, in one pass.

    Args:
        detector: any detector.
        images_rgb: (H, W, 3) uint8 each, all of one size.
        min_confidence: detections below it are left out.

    Returns:
        Detections per image, with boxes in xyxy pixels of it; and (n, d) features: mean and maximum of every channel of
        every pyramid level, or the pixels of a thumbnail for a detector without :func:`has_feature_pyramid`.
    """
    if not has_feature_pyramid(detector):
        return detector.detect(images_rgb, min_confidence=min_confidence), np.stack([_thumbnail(i) for i in images_rgb])
    with _recorded_pyramid(detector) as levels:
        found = detector.detect(images_rgb, min_confidence=min_confidence)
    return found, _pooled(levels)


@contextmanager
def _recorded_pyramid(detector: Any) -> Iterator[list[Any]]:
    """The outputs of the backbone, (n, channels, rows, columns) per level, of what is detected inside."""
    levels: list[Any] = []

    def keep(_module: object, _inputs: object, outputs: Any) -> None:
        levels.extend(outputs.values())

    handle = detector.model.backbone.register_forward_hook(keep)
    try:
        yield levels
    finally:
        handle.remove()


def _pooled(levels: Sequence[Any]) -> NDArray[np.float32]:
    parts = [part for level in levels for part in (level.float().mean(dim=(2, 3)), level.float().amax(dim=(2, 3)))]
    return np.concatenate([part.cpu().numpy() for part in parts], axis=1).astype(np.float32)


def _thumbnail(image_rgb: Rgb) -> NDArray[np.float32]:
    small = Image.fromarray(image_rgb).resize(_THUMBNAIL, Image.Resampling.BOX)
    return (np.asarray(small, np.float32) / 255.0).ravel()
