"""What things look like: colours by height, to tell alike things apart after they were in each other's way.

A look is a set of histograms: the middle of a box is cut into stripes from top to bottom (hair, shirt, trousers), and
each has one histogram for lightness and for both of the colours of CIELAB. Looks of several frames are averaged.

Sources: histograms by stripes as in Gray & Tao (2008), ECCV, and Farenzena et al. (2010), CVPR; their comparison by
the coefficient of Bhattacharyya as in Comaniciu et al. (2003), IEEE TPAMI 25(5).
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_STRIPES, _BINS = 4, 8
_PATCH = _WIDTH, _HEIGHT = 8, 24
_MIDDLE = 0.7
"""Share of a box's width that is looked at: at the sides there is background."""
_COLOUR_FROM, _COLOUR_TO = 88, 168
"""Of 0 to 255, 128 being grey: clothes and toys are seldom more colourful."""
_HISTOGRAMS = 3 * _STRIPES
_LEAST = 3
"""Looks that are averaged at least: a single one may be of a bad moment."""
_WHOLE = 255

Ids = NDArray[np.int64]
LOOK_BYTES = _HISTOGRAMS * _BINS


def describe(image_rgb: NDArray[np.uint8], boxes_xyxy: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(n, :data:`LOOK_BYTES`) looks of boxes in an (H, W, 3) image; boxes may reach out of it."""
    if not len(boxes_xyxy):
        return np.zeros((0, LOOK_BYTES), np.uint8)
    # Imported here because it takes a while to load, and true tracks need none of it.
    import cv2

    crops = [cv2.resize(_middle(image_rgb, box), _PATCH, interpolation=cv2.INTER_AREA) for box in boxes_xyxy]
    lab = cv2.cvtColor(np.concatenate(crops), cv2.COLOR_RGB2LAB).astype(np.int32)
    lab[..., 1:] = (lab[..., 1:] - _COLOUR_FROM) * 256 // (_COLOUR_TO - _COLOUR_FROM)
    bins = np.clip(lab * _BINS // 256, 0, _BINS - 1).reshape(len(crops), _STRIPES, -1, 3)
    counts = np.stack([(bins == value).mean(axis=2) for value in range(_BINS)], axis=-1)
    return np.asarray(np.rint(counts * _WHOLE), np.uint8).reshape(len(crops), LOOK_BYTES)


def _middle(image: NDArray[np.uint8], box_xyxy: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The pixels in the middle of a box, one at least."""
    height, width = image.shape[:2]
    x1, y1, x2, y2 = box_xyxy.tolist()
    margin = (1 - _MIDDLE) / 2 * (x2 - x1)
    left = int(np.clip(x1 + margin, 0, width - 1))
    top = int(np.clip(y1, 0, height - 1))
    right = int(np.clip(np.ceil(x2 - margin), left + 1, width))
    bottom = int(np.clip(np.ceil(y2), top + 1, height))
    return image[top:bottom, left:right]


@dataclass(frozen=True, eq=False)
class Looks:
    """Looks of some rows of a table.

    Attributes:
        values: (m, :data:`LOOK_BYTES`) uint8.
        place: (n,) for each row of the table where in ``values`` its look is, or -1.
    """

    values: NDArray[np.uint8]
    place: Ids

    def known(self, rows: Ids) -> NDArray[np.bool_]:
        """(k,) which of ``rows`` have a look."""
        known: NDArray[np.bool_] = self.place[rows] >= 0
        return known

    def mean(self, rows: Ids) -> NDArray[np.float64] | None:
        """The look of several rows of one thing, or ``None`` if too few have one."""
        known = rows[self.known(rows)]
        return self.each(known).mean(axis=0) if len(known) >= _LEAST else None

    def each(self, rows: Ids) -> NDArray[np.float64]:
        """(k, :data:`LOOK_BYTES`) looks of ``rows``, all of which must have one; each histogram sums to 1."""
        values = self.values[self.place[rows]].reshape(len(rows), _HISTOGRAMS, _BINS).astype(np.float64)
        shares: NDArray[np.float64] = values / values.sum(axis=2, keepdims=True)
        return shares.reshape(len(rows), LOOK_BYTES)


def unlikeness(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """From 0 (alike) to 1: one less the coefficient of Bhattacharyya, averaged over histograms; the last axis goes."""
    return np.asarray(1.0 - np.sqrt(one * other).sum(axis=-1) / _HISTOGRAMS)


class LookLog:
    """Gathers looks as frames come."""

    def __init__(self) -> None:
        self._rows = array("q")
        self._values = bytearray()

    def add(self, first_row: int, looks: NDArray[np.uint8]) -> None:
        """Looks (k, :data:`LOOK_BYTES`) of the rows from ``first_row``."""
        self._rows.extend(range(first_row, first_row + len(looks)))
        self._values += looks.tobytes()

    def looks(self, n_rows: int) -> Looks:
        """All looks, for a table of ``n_rows``."""
        place = np.full(n_rows, -1, np.int64)
        rows = np.array(self._rows, np.int64)
        place[rows] = np.arange(len(rows))
        return Looks(np.frombuffer(bytes(self._values), np.uint8).reshape(-1, LOOK_BYTES), place)
