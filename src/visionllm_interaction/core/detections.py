"""Detections of one image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core._validation import frozen_array


@dataclass(frozen=True, eq=False)
class Detections:
    """Detections of one image, in no particular order.

    Attributes:
        boxes_xyxy: (n, 4) float32, x1, y1, x2, y2 in pixels of the image that the detector was given.
        confidences: (n,) float32 in [0, 1].
        labels: (n,) int64, contiguous model labels (1…K; never 0).

    Raises:
        ValueError: on wrong shapes, non-finite values, inverted boxes or confidences outside [0, 1].
    """

    boxes_xyxy: NDArray[np.float32]
    confidences: NDArray[np.float32]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        n = len(self.confidences)
        self._set("boxes_xyxy", frozen_array(self.boxes_xyxy, np.float32, (n, 4), "boxes_xyxy"))
        self._set("confidences", frozen_array(self.confidences, np.float32, (n,), "confidences"))
        self._set("labels", frozen_array(self.labels, np.int64, (n,), "labels"))
        if (self.boxes_xyxy[:, 2:] < self.boxes_xyxy[:, :2]).any():
            raise ValueError("boxes_xyxy: x2 < x1 or y2 < y1")
        if ((self.confidences < 0) | (self.confidences > 1)).any():
            raise ValueError("confidences: outside [0, 1]")
        if (self.labels < 1).any():
            raise ValueError("labels: 0 is background and cannot be detected")

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.confidences)

    @classmethod
    def empty(cls) -> Detections:
        """No detections."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))

    def select(self, keep: NDArray[Any]) -> Detections:
        """The rows chosen by a boolean mask or an index array."""
        return Detections(self.boxes_xyxy[keep], self.confidences[keep], self.labels[keep])
