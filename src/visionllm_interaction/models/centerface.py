"""CenterFace from an ONNX file: a face detector without anchors; picture in, centres and sizes of faces out.

Source: Xu et al., CenterFace: Joint Face Detection and Alignment Using Face as Point, 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate
from torchvision.ops import nms

from visionllm_interaction.artifacts.digests import sha256_file
from visionllm_interaction.core.categories import Categories
from visionllm_interaction.core.detections import Detections
from visionllm_interaction.models.openvino_library import compile_graph, read_graph
from visionllm_interaction.models.torch_runtime import image_to_tensor

Floats = NDArray[np.float32]

STRIDE = 4
"""Input pixels per cell of the maps of centres, sizes and offsets."""
NMS_THRESHOLD = 0.3
OUTPUTS = 4
_MULTIPLE = 32
_LONG_SIDE = 960
FACES = Categories.from_pairs([(1, "face")])


@dataclass(frozen=True, eq=False)
class CenterFaceDetector:
    """Finds faces with OpenVINO, one picture at a time; larger pictures are scaled to 960 pixels on the long side."""

    path: Path
    digest: str
    categories: Categories = FACES
    name: str = "centerface"
    _graphs: dict[tuple[int, int], Any] = field(default_factory=dict)

    def detect(self, images_rgb: Sequence[NDArray[np.uint8]], *, min_confidence: float = 0.05) -> list[Detections]:
        """See :class:`~visionllm_interaction.models.detector.Detector`."""
        return [self._detect_one(image, min_confidence) for image in images_rgb]

    def _detect_one(self, image_rgb: NDArray[np.uint8], min_confidence: float) -> Detections:
        height, width = image_rgb.shape[:2]
        size = input_size(height, width)
        resized = interpolate(image_to_tensor(image_rgb)[None].float(), size=size, mode="bilinear", align_corners=False)
        maps = self._graph(size)(resized.numpy())
        boxes, scores = decode_maps(maps[0][0, 0], maps[1][0], maps[2][0], min_confidence=min_confidence)
        scale = np.array([width / size[1], height / size[0]] * 2, dtype=np.float32)
        boxes = np.clip(boxes * scale, 0, np.array([width, height] * 2, dtype=np.float32))
        keep = nms(torch.from_numpy(boxes), torch.from_numpy(scores), NMS_THRESHOLD).numpy()
        return Detections(boxes[keep], np.clip(scores[keep], 0, 1), np.ones(len(keep), np.int64))

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


def decode_maps(centres: Floats, sizes: Floats, offsets: Floats, *, min_confidence: float) -> tuple[Floats, Floats]:
    """Maps (h, w), (2, h, w) log height and width, (2, h, w) y and x → boxes (n, 4) xyxy input pixels, scores (n,)."""
    rows, columns = np.nonzero(centres >= max(min_confidence, 0.01))
    half = np.exp(np.minimum(sizes[:, rows, columns], 8.0)) * STRIDE / 2
    y = (rows + offsets[0, rows, columns] + 0.5) * STRIDE
    x = (columns + offsets[1, rows, columns] + 0.5) * STRIDE
    boxes = np.stack([x - half[1], y - half[0], x + half[1], y + half[0]], axis=1)
    return boxes.astype(np.float32), centres[rows, columns].astype(np.float32)


def load_centerface(path: Path) -> CenterFaceDetector:
    """The face detector in ``path``.

    Raises:
        CheckpointError: if the file is missing or unreadable.
    """
    read_graph(path)
    return CenterFaceDetector(path, sha256_file(path))
