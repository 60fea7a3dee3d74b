"""Detectors of the YOLOX family from an ONNX file: image in, grid decoding, non-maximum suppression.

Source: Ge et al., YOLOX: Exceeding YOLO Series in 2021, 2021.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.categories import Categories, coco_categories
from visionllm_interaction.core.detections import Detections
from visionllm_interaction.detection.runtimes._openvino_import import compile_graph, openvino, read_graph
from visionllm_interaction.detection.runtimes.detector_interface import Runtime
from visionllm_interaction.detection.runtimes.image_resizing import resize_bilinear
from visionllm_interaction.detection.runtimes.non_maximum_suppression import non_maximum_suppression
from visionllm_interaction.errors import CheckpointError
from visionllm_interaction.utils.hashing import sha256_file, sha256_value
from visionllm_interaction.utils.path_type import StrPath

Floats = NDArray[np.float32]

STRIDES = (8, 16, 32)
PAD_VALUE = 114.0
"""Grey of the padding around an image that is not square."""
NMS_THRESHOLD = 0.65
MAX_DETECTIONS = 100
"""Both as in YOLOX's own evaluation."""


ALGORITHM_VERSION = 2
"""See :class:`~visionllm_interaction.detection.runtimes.detector_interface.Runtime`."""
RUNTIME = Runtime("yolox", ALGORITHM_VERSION, libraries=("openvino", "opencv"))


@dataclass(frozen=True, eq=False)
class YoloxDetector:
    """Runs a YOLOX graph with OpenVINO: one image on all cores, several images side by side.

    Attributes:
        graph: input (1, 3, S, S) float32 BGR in 0…255, output (1, cells, 5 + K) before grid decoding.
        queue: of requests to the graph that are computed side by side.
        categories: in label order.
        digest: sha256 over the graph and its list of categories.
        name: of the file.
        side_px: S.
    """

    graph: Any
    queue: Any
    categories: Categories
    digest: str
    name: str
    side_px: int

    @cached_property
    def _cells(self) -> Floats:
        return grid_cells(self.side_px)

    @property
    def runtime(self) -> Runtime:
        """What runs it."""
        return RUNTIME

    def detect(self, images_rgb: Sequence[NDArray[np.uint8]], *, min_confidence: float = 0.05) -> list[Detections]:
        """See :class:`~visionllm_interaction.detection.runtimes.detector_interface.Detector`."""
        if len(images_rgb) == 1:
            pixels, scale = letterbox(images_rgb[0], side_px=self.side_px)
            return [self._decoded(self._for_one(pixels)[0][0], images_rgb[0], scale, min_confidence)]
        found: dict[int, Detections] = {}

        def keep(request: Any, at: tuple[int, float]) -> None:
            index, scale = at
            output = request.get_output_tensor(0).data[0]
            found[index] = self._decoded(output, images_rgb[index], scale, min_confidence)

        self.queue.set_callback(keep)
        for index, image in enumerate(images_rgb):
            pixels, scale = letterbox(image, side_px=self.side_px)
            self.queue.start_async({0: pixels}, (index, scale))
        self.queue.wait_all()
        return [found[index] for index in range(len(images_rgb))]

    @cached_property
    def _for_one(self) -> Any:
        return compile_graph(self.graph)

    def _decoded(self, output: Floats, image_rgb: NDArray[np.uint8], scale: float, min_confidence: float) -> Detections:
        boxes, scores = decode_grid(output, self._cells)
        limit = np.array([image_rgb.shape[1], image_rgb.shape[0]] * 2, dtype=np.float32)
        return select_detections(np.clip(boxes / scale, 0, limit), scores, min_confidence=min_confidence)


def letterbox(image_rgb: NDArray[np.uint8], *, side_px: int) -> tuple[Floats, float]:
    """(H, W, 3) uint8 RGB → ((1, 3, side, side) float32 BGR, scale): resized to fit, top left on a grey square."""
    height, width = image_rgb.shape[:2]
    scale = min(side_px / height, side_px / width)
    size = (max(1, int(height * scale)), max(1, int(width * scale)))
    canvas = np.full((1, 3, side_px, side_px), PAD_VALUE, np.float32)
    resized = resize_bilinear(image_rgb, height=size[0], width=size[1])
    canvas[0, :, : size[0], : size[1]] = resized[:, :, ::-1].transpose(2, 0, 1)
    return canvas, scale


def grid_cells(side_px: int) -> Floats:
    """(cells, 3) float32: column, row and stride of each output row, finest stride first."""
    parts = []
    for stride in STRIDES:
        rows, columns = np.mgrid[: side_px // stride, : side_px // stride]
        parts.append(np.stack([columns.ravel(), rows.ravel(), np.full(rows.size, stride)], axis=1))
    return np.concatenate(parts).astype(np.float32)


def decode_grid(output: Floats, cells: Floats) -> tuple[Floats, Floats]:
    """Raw output (cells, 5 + K) → (boxes (cells, 4) xyxy input pixels, scores (cells, K) in 0…1)."""
    stride = cells[:, 2:]
    centre = (output[:, :2] + cells[:, :2]) * stride
    half = np.exp(np.minimum(output[:, 2:4], 20.0)) * stride / 2
    return np.concatenate([centre - half, centre + half], axis=1), output[:, 4:5] * output[:, 5:]


def select_detections(
    boxes_xyxy: Floats, scores: Floats, *, min_confidence: float, nms_threshold: float = NMS_THRESHOLD
) -> Detections:
    """Keep the best category of each box, after non-maximum suppression within each category.

    Args:
        boxes_xyxy: (n, 4) pixels.
        scores: (n, K) per category.
        min_confidence: boxes below it are left out.
        nms_threshold: intersection over union above which the weaker of two boxes of one category is dropped.

    Returns:
        At most :data:`MAX_DETECTIONS` detections.
    """
    best = scores.argmax(axis=1)
    confidence = scores[np.arange(len(scores)), best]
    # a floor keeps the suppression of 3,549 boxes with next to no score out of a request for "all"
    likely = np.flatnonzero(confidence >= max(min_confidence, 0.001))
    boxes, scored, labels = boxes_xyxy[likely], confidence[likely], best[likely]
    keep = non_maximum_suppression(boxes, scored, nms_threshold, labels=labels, limit=MAX_DETECTIONS)
    return Detections(boxes[keep], np.clip(scored[keep], 0, 1), labels[keep] + 1)


def load_yolox(path: StrPath) -> YoloxDetector:
    """Load a YOLOX graph in ONNX.

    Args:
        path: of the ``.onnx`` file. Categories are read from ``<file>.json`` (see docs/training.md), and are COCO's 80
            without it.

    Returns:
        The detector.

    Raises:
        CheckpointError: if the file is unreadable, is no YOLOX, or has another number of categories.
    """
    path = Path(path)
    graph = read_graph(path)
    side = _input_side_px(graph, path)
    outputs = int(graph.outputs[0].partial_shape[2].get_length()) - 5
    categories = graph_categories(path, outputs)
    queue = openvino().AsyncInferQueue(compile_graph(graph, hint="THROUGHPUT"))
    return YoloxDetector(graph, queue, categories, graph_digest(path), path.stem, side)


def graph_categories(path: Path, outputs: int) -> Categories:
    """The categories of a graph: those of the file beside it, else COCO's.

    Args:
        path: of the graph.
        outputs: how many categories it has outputs for.

    Returns:
        The categories.

    Raises:
        CheckpointError: if the file beside it cannot be read, or the numbers differ.
    """
    categories = _categories(path)
    if len(categories) != outputs:
        raise CheckpointError(
            "A detector and the list of its categories do not fit.",
            expected=f"{outputs} categories, as the graph has outputs for",
            found=f"{len(categories)}",
            where=str(names_file(path)),
            fix='write {"categories": [{"category_id": 1, "name": "…"}, …]} there, ids rising in the order of training',
        )
    return categories


def graph_digest(path: Path) -> str:
    """The sha256 of a graph and of the file that names its categories: with other names it detects something else."""
    digest = sha256_file(path)
    return sha256_value([digest, sha256_file(names_file(path))]) if names_file(path).is_file() else digest


def names_file(path: Path) -> Path:
    """The JSON file beside a graph that names its categories."""
    return path.with_name(path.name + ".json")


def _input_side_px(graph: Any, path: Path) -> int:
    shapes = [port.partial_shape for port in (*graph.inputs, *graph.outputs)]
    found = [str(shape) for shape in shapes]
    if len(shapes) == 2 and all(shape.is_static for shape in shapes):
        (_, _, height, width), out = list(shapes[0].to_shape()), list(shapes[1].to_shape())
        cells = sum((height // stride) ** 2 for stride in STRIDES)
        if height == width and len(out) == 3 and out[1] == cells and out[2] > 5:
            return int(height)
    raise CheckpointError(
        "This ONNX file is not a detector this program knows how to decode.",
        expected="a YOLOX export: input (1, 3, S, S), output (1, cells, 5 + categories), not decoded",
        found=f"inputs and outputs {', '.join(found)}",
        where=str(path),
        fix="export with YOLOX's tools/export_onnx.py without --decode_in_inference",
    )


def _categories(path: Path) -> Categories:
    names = names_file(path)
    if not names.is_file():
        return coco_categories()
    try:
        return Categories.from_pairs(
            (c["category_id"], c["name"]) for c in json.loads(names.read_bytes())["categories"]
        )
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            "The list of a detector's categories cannot be read.",
            expected='{"categories": [{"category_id": 1, "name": "…"}, …]}',
            found=f"{type(error).__name__}: {error}",
            where=str(names),
        ) from error
