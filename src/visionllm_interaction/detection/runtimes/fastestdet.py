"""FastestDet from an ONNX file: a detector of one megabyte, one cell for one object.

Source: https://github.com/dog-qiuqiu/FastestDet, whose README and export describe input and output.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.categories import Categories
from visionllm_interaction.core.detections import Detections
from visionllm_interaction.detection.runtimes._openvino_import import compile_graph, read_graph
from visionllm_interaction.detection.runtimes.detector_interface import Runtime
from visionllm_interaction.detection.runtimes.image_resizing import resize_bilinear
from visionllm_interaction.detection.runtimes.yolox import graph_categories, graph_digest, select_detections
from visionllm_interaction.utils.path_type import StrPath

Floats = NDArray[np.float32]

STRIDE = 16
"""Input pixels per cell of the output."""
OBJECTNESS_POWER = 0.6
"""A score is objectness to this power times the category's probability to the rest of one."""
NMS_THRESHOLD = 0.45
ALGORITHM_VERSION = 2
"""See :class:`~visionllm_interaction.detection.runtimes.detector_interface.Runtime`."""
RUNTIME = Runtime("fastestdet", ALGORITHM_VERSION, libraries=("openvino", "opencv"))


@dataclass(frozen=True, eq=False)
class FastestDetDetector:
    """Runs a FastestDet graph with OpenVINO, one image at a time.

    Attributes:
        graph: compiled; input (1, 3, S, S) float32 BGR in 0…1, output (1, 5 + K, S / 16, S / 16).
        categories: in label order.
        digest: sha256 over the graph and its list of categories.
        name: of the file.
        side_px: S.
    """

    graph: Any
    categories: Categories
    digest: str
    name: str
    side_px: int

    @property
    def runtime(self) -> Runtime:
        """What runs it."""
        return RUNTIME

    def detect(self, images_rgb: Sequence[NDArray[np.uint8]], *, min_confidence: float = 0.05) -> list[Detections]:
        """See :class:`~visionllm_interaction.detection.runtimes.detector_interface.Detector`."""
        return [self._detect_one(image, min_confidence) for image in images_rgb]

    def _detect_one(self, image_rgb: NDArray[np.uint8], min_confidence: float) -> Detections:
        resized = resize_bilinear(image_rgb, height=self.side_px, width=self.side_px)
        pixels = np.ascontiguousarray(resized[:, :, ::-1].transpose(2, 0, 1)[None]) / 255
        boxes, scores = decode_cells(self.graph(pixels)[0][0])
        scale = np.array([image_rgb.shape[1], image_rgb.shape[0]] * 2, dtype=np.float32)
        return select_detections(
            np.clip(boxes, 0, 1) * scale, scores, min_confidence=min_confidence, nms_threshold=NMS_THRESHOLD
        )


def decode_cells(output: Floats) -> tuple[Floats, Floats]:
    """Decode the output for one image.

    Args:
        output: (5 + K, rows, columns): objectness; offsets of the centre before the hyperbolic tangent; width and
            height before the logistic function; probabilities of the categories.

    Returns:
        Boxes (cells, 4) xyxy in shares of the image, scores (cells, K) in 0…1.
    """
    _, height, width = output.shape
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    x = (columns + np.tanh(output[1])) / width
    y = (rows + np.tanh(output[2])) / height
    half_width, half_height = (0.5 / (1 + np.exp(-output[n])) for n in (3, 4))
    boxes = np.stack([x - half_width, y - half_height, x + half_width, y + half_height], axis=-1).reshape(-1, 4)
    scores = output[0] ** OBJECTNESS_POWER * output[5:] ** (1 - OBJECTNESS_POWER)
    return boxes.astype(np.float32), scores.reshape(len(scores), -1).T.astype(np.float32)


def is_fastestdet(graph: Any) -> bool:
    """Whether a graph has the shapes of FastestDet: (1, 3, S, S) in, (1, 5 + K, S / 16, S / 16) out."""
    shapes = [port.partial_shape for port in (*graph.inputs, *graph.outputs)]
    if len(shapes) != 2 or any(not shape.is_static or len(shape) != 4 for shape in shapes):
        return False
    (_, channels, height, width), (_, values, rows, columns) = (list(shape.to_shape()) for shape in shapes)
    return bool(channels == 3 and values > 5 and height == width == rows * STRIDE and rows == columns)


def load_fastestdet(path: StrPath) -> FastestDetDetector:
    """Load a FastestDet graph in ONNX.

    Args:
        path: of the ``.onnx`` file. Categories are read from ``<file>.json`` (see docs/training.md), and are COCO's 80
            without it.

    Returns:
        The detector.

    Raises:
        CheckpointError: if the file is unreadable, or has another number of categories.
    """
    path = Path(path)
    graph = read_graph(path)
    outputs = int(graph.outputs[0].partial_shape[1].get_length()) - 5
    side_px = int(graph.inputs[0].partial_shape[2].get_length())
    categories = graph_categories(path, outputs)
    return FastestDetDetector(compile_graph(graph), categories, graph_digest(path), path.stem, side_px)
