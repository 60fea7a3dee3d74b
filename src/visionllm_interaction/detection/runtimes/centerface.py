"""CenterFace from an ONNX file: a face detector without anchors; image in, centres and sizes of faces out.

Source: Xu et al., CenterFace: Joint Face Detection and Alignment Using Face as Point, 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.categories import Categories
from visionllm_interaction.core.detections import Detections
from visionllm_interaction.detection.runtimes._openvino_import import compile_graph, read_graph
from visionllm_interaction.detection.runtimes.detector_interface import Runtime
from visionllm_interaction.detection.runtimes.image_resizing import resize_bilinear
from visionllm_interaction.detection.runtimes.non_maximum_suppression import non_maximum_suppression
from visionllm_interaction.utils.hashing import sha256_file
from visionllm_interaction.utils.path_type import StrPath

Floats = NDArray[np.float32]

STRIDE = 4
"""Input pixels per cell of the maps of centres, sizes and offsets."""
NMS_THRESHOLD = 0.3
OUTPUTS = 4
_LANDMARKS = 5
_MULTIPLE = 32
_LONG_SIDE = 960
FACES = Categories.from_pairs([(1, "face")])


ALGORITHM_VERSION = 2
"""See :class:`~visionllm_interaction.detection.runtimes.detector_interface.Runtime`."""
RUNTIME = Runtime("centerface", ALGORITHM_VERSION, libraries=("openvino", "opencv"))


@dataclass(frozen=True, eq=False)
class CenterFaceDetector:
    """Finds faces with OpenVINO, one image at a time; larger images are scaled to 960 pixels on the long side."""

    path: Path
    digest: str
    categories: Categories = FACES
    name: str = "centerface"
    _graphs: dict[tuple[int, int], Any] = field(default_factory=dict)

    @property
    def runtime(self) -> Runtime:
        """What runs it."""
        return RUNTIME

    def detect(self, images_rgb: Sequence[NDArray[np.uint8]], *, min_confidence: float = 0.05) -> list[Detections]:
        """See :class:`~visionllm_interaction.detection.runtimes.detector_interface.Detector`."""
        return [self.find_faces(image, min_confidence=min_confidence)[0] for image in images_rgb]

    def find_faces(self, image_rgb: NDArray[np.uint8], *, min_confidence: float) -> tuple[Detections, Floats]:
        """Find faces with their landmarks.

        Args:
            image_rgb: (H, W, 3) uint8.
            min_confidence: faces below it are left out.

        Returns:
            Faces (n), and (n, 5, 2) x and y in pixels of the eye on the image's left, the other eye, the nose, and the
            corners of the mouth.
        """
        height, width = image_rgb.shape[:2]
        size = input_size(height, width)
        resized = resize_bilinear(image_rgb, height=size[0], width=size[1])
        maps = self._graph(size)(np.ascontiguousarray(resized.transpose(2, 0, 1)[None]))
        boxes, scores, points = decode_maps(*(each[0] for each in list(maps.values())), min_confidence=min_confidence)
        scale = np.array([width / size[1], height / size[0]], dtype=np.float32)
        boxes = np.clip(boxes * np.tile(scale, 2), 0, np.array([width, height] * 2, dtype=np.float32))
        keep = non_maximum_suppression(boxes, scores, NMS_THRESHOLD)
        faces = Detections(boxes[keep], np.clip(scores[keep], 0, 1), np.ones(len(keep), np.int64))
        return faces, points[keep] * scale

    def _graph(self, size: tuple[int, int]) -> Any:
        if size not in self._graphs:
            graph = read_graph(self.path)
            graph.reshape([1, 3, *size])
            self._graphs[size] = compile_graph(graph)
        return self._graphs[size]


def input_size(height: int, width: int) -> tuple[int, int]:
    """Height and width given to the network: multiples of 32, the long side at most 960."""
    scale = min(1.0, _LONG_SIDE / max(height, width))
    return (max(1, round(height * scale / _MULTIPLE)) * _MULTIPLE, max(1, round(width * scale / _MULTIPLE)) * _MULTIPLE)


def decode_maps(
    centres: Floats, sizes: Floats, offsets: Floats, landmarks: Floats, *, min_confidence: float
) -> tuple[Floats, Floats, Floats]:
    """Decode the output maps of one image.

    Args:
        centres: (1, h, w) confidence that a face has its centre in the cell.
        sizes: (2, h, w) logarithms of height and width in cells.
        offsets: (2, h, w) y and x of the centre within the cell.
        landmarks: (10, h, w) y and x of five points in shares of the box.
        min_confidence: faces below it are left out.

    Returns:
        Boxes (n, 4) xyxy input pixels, scores (n,), landmarks (n, 5, 2) xy input pixels.
    """
    rows, columns = np.nonzero(centres[0] >= max(min_confidence, 0.01))
    half = np.exp(np.minimum(sizes[:, rows, columns], 8.0)) * STRIDE / 2
    y = (rows + offsets[0, rows, columns] + 0.5) * STRIDE
    x = (columns + offsets[1, rows, columns] + 0.5) * STRIDE
    boxes = np.stack([x - half[1], y - half[0], x + half[1], y + half[0]], axis=1)
    shares = landmarks[:, rows, columns].reshape(_LANDMARKS, 2, len(rows)).transpose(2, 0, 1)[..., ::-1]
    points = boxes[:, None, :2] + shares * (2 * half[::-1].T)[:, None]
    return boxes.astype(np.float32), centres[0, rows, columns].astype(np.float32), points.astype(np.float32)


def load_centerface(path: StrPath) -> CenterFaceDetector:
    """Load a face detector.

    Args:
        path: its ONNX file.

    Returns:
        The detector.

    Raises:
        CheckpointError: if the file is missing or unreadable.
    """
    path = Path(path)
    read_graph(path)
    return CenterFaceDetector(path, sha256_file(path))
