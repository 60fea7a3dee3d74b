"""Appearance features: colour histograms that distinguish similar objects after an occlusion.

The centre of a box is divided into horizontal stripes (hair, shirt, trousers). Each stripe has one histogram for each
CIELAB channel. Features of several frames are averaged.

Sources: histograms of stripes as in Gray & Tao (2008), ECCV, and Farenzena et al. (2010), CVPR; the comparison by
the Bhattacharyya coefficient as in Comaniciu et al. (2003), IEEE TPAMI 25(5).
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_STRIPES, _BINS = 4, 8
_PATCH = _WIDTH, _HEIGHT = 8, 24
_CENTRAL_SHARE = 0.7
"""Share of a box's width that is used; the sides show background."""
_COLOUR_FROM, _COLOUR_TO = 88, 168
"""Range of the colour channels (0 to 255, 128 is grey); clothes and toys are rarely more saturated."""
HISTOGRAMS = 3 * _STRIPES
MIN_SAMPLES = 3
"""Minimum number of features to average; a single one may be unrepresentative."""
_WHOLE = 255

Ids = NDArray[np.int64]
FEATURE_SIZE = HISTOGRAMS * _BINS


def extract_features(image_rgb: NDArray[np.uint8], boxes_xyxy: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Compute the appearance features of boxes.

    Args:
        image_rgb: (H, W, 3) uint8.
        boxes_xyxy: (n, 4) in pixels; boxes may extend beyond the image.

    Returns:
        (n, :data:`FEATURE_SIZE`) uint8 histograms.
    """
    if not len(boxes_xyxy):
        return np.zeros((0, FEATURE_SIZE), np.uint8)
    # Imported here because it takes a while to load, and true tracks need none of it.
    import cv2

    crops = [cv2.resize(_central_crop(image_rgb, box), _PATCH, interpolation=cv2.INTER_AREA) for box in boxes_xyxy]
    lab = cv2.cvtColor(np.concatenate(crops), cv2.COLOR_RGB2LAB).astype(np.int32)
    lab[..., 1:] = (lab[..., 1:] - _COLOUR_FROM) * 256 // (_COLOUR_TO - _COLOUR_FROM)
    bins = np.clip(lab * _BINS // 256, 0, _BINS - 1).reshape(len(crops), _STRIPES, -1, 3)
    counts = np.stack([(bins == value).mean(axis=2) for value in range(_BINS)], axis=-1)
    return np.asarray(np.rint(counts * _WHOLE), np.uint8).reshape(len(crops), FEATURE_SIZE)


def _central_crop(image: NDArray[np.uint8], box_xyxy: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The central pixels of a box, at least one."""
    height, width = image.shape[:2]
    x1, y1, x2, y2 = box_xyxy.tolist()
    margin = (1 - _CENTRAL_SHARE) / 2 * (x2 - x1)
    left = int(np.clip(x1 + margin, 0, width - 1))
    top = int(np.clip(y1, 0, height - 1))
    right = int(np.clip(np.ceil(x2 - margin), left + 1, width))
    bottom = int(np.clip(np.ceil(y2), top + 1, height))
    return image[top:bottom, left:right]


@dataclass(frozen=True, eq=False)
class AppearanceFeatures:
    """Appearance features of some rows of a table.

    Attributes:
        values: (m, :data:`FEATURE_SIZE`) uint8.
        index: (n,) for each row of the table, the position of its features in ``values``, or -1.
    """

    values: NDArray[np.uint8]
    index: Ids

    def available(self, rows: Ids) -> NDArray[np.bool_]:
        """(k,) which of ``rows`` have features."""
        available: NDArray[np.bool_] = self.index[rows] >= 0
        return available

    def mean(self, rows: Ids) -> NDArray[np.float64] | None:
        """Mean features of several rows of one object; ``None`` if too few rows have features."""
        available = rows[self.available(rows)]
        return self.each(available).mean(axis=0) if len(available) >= MIN_SAMPLES else None

    def each(self, rows: Ids) -> NDArray[np.float64]:
        """(k, :data:`FEATURE_SIZE`) features of ``rows``, all of which must have some; each histogram sums to 1."""
        values = self.values[self.index[rows]].reshape(len(rows), HISTOGRAMS, _BINS).astype(np.float64)
        shares: NDArray[np.float64] = values / values.sum(axis=2, keepdims=True)
        return shares.reshape(len(rows), FEATURE_SIZE)


def appearance_distance(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 minus the mean Bhattacharyya coefficient of the histograms (last axis): 0 if equal, at most 1."""
    return np.asarray(1.0 - np.sqrt(one * other).sum(axis=-1) / HISTOGRAMS)


class FeatureBuffer:
    """Collects features frame by frame."""

    def __init__(self) -> None:
        self._rows = array("q")
        self._values = bytearray()

    def add(self, first_row: int, features: NDArray[np.uint8]) -> None:
        """Append features (k, :data:`FEATURE_SIZE`) of the rows from ``first_row`` on."""
        self._rows.extend(range(first_row, first_row + len(features)))
        self._values += features.tobytes()

    def features(self, n_rows: int) -> AppearanceFeatures:
        """All features, for a table of ``n_rows``."""
        index = np.full(n_rows, -1, np.int64)
        rows = np.array(self._rows, np.int64)
        index[rows] = np.arange(len(rows))
        return AppearanceFeatures(np.frombuffer(bytes(self._values), np.uint8).reshape(-1, FEATURE_SIZE), index)
