"""A Detector that runs an ONNX export of this program, all of Faster R-CNN in one graph, with OpenVINO on the CPU."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.categories import Categories
from visionllm_interaction.core.detections import Detections
from visionllm_interaction.detection.models.checkpoint_info import FORMAT, CheckpointInfo, read_info, sidecar_of
from visionllm_interaction.detection.runtimes._openvino_import import compile_graph, read_graph
from visionllm_interaction.detection.runtimes.detector_interface import Runtime
from visionllm_interaction.utils.hashing import sha256_file
from visionllm_interaction.utils.path_type import StrPath

ALGORITHM_VERSION = 1
"""See :class:`~visionllm_interaction.detection.runtimes.detector_interface.Runtime`."""
RUNTIME = Runtime("onnx", ALGORITHM_VERSION, libraries=("openvino",))


@dataclass(frozen=True, eq=False)
class OnnxDetector:
    """Runs the graph, one image at a time; input (3, H, W) float32 RGB in 0…1."""

    graph: Any
    info: CheckpointInfo
    digest: str

    @property
    def categories(self) -> Categories:
        """The categories it can find, in label order."""
        return self.info.categories

    @property
    def name(self) -> str:
        """Architecture and format."""
        return f"{self.info.model.architecture} (ONNX)"

    @property
    def runtime(self) -> Runtime:
        """What runs it."""
        return RUNTIME

    def detect(self, images_rgb: Sequence[NDArray[np.uint8]], *, min_confidence: float = 0.05) -> list[Detections]:
        """See :class:`~visionllm_interaction.detection.runtimes.detector_interface.Detector`."""
        return [self._detect_one(image, min_confidence) for image in images_rgb]

    def _detect_one(self, image_rgb: NDArray[np.uint8], min_confidence: float) -> Detections:
        pixels = np.ascontiguousarray(image_rgb.transpose(2, 0, 1)).astype(np.float32) / 255
        boxes, labels, scores = (np.array(value) for value in self.graph(pixels).values())
        keep = scores >= min_confidence
        return Detections(boxes[keep], np.clip(scores[keep], 0, 1), labels[keep])


def is_own_export(path: Path) -> bool:
    """Whether the description beside the graph is one that this program wrote."""
    try:
        return bool(json.loads(sidecar_of(path).read_bytes()).get("format") == FORMAT)
    except (OSError, ValueError, AttributeError):
        return False


def load_onnx(path: StrPath) -> OnnxDetector:
    """Load a graph written by ``visionllm export-model --to onnx``.

    Args:
        path: of the ``.onnx`` file; its description lies beside it.

    Returns:
        The detector.

    Raises:
        CheckpointError: if the graph or its description cannot be used.
        UsageError: if OpenVINO is not installed.
    """
    path = Path(path)
    info = read_info(json.loads(sidecar_of(path).read_bytes()), sidecar_of(path))
    return OnnxDetector(compile_graph(read_graph(path)), info, sha256_file(path))
