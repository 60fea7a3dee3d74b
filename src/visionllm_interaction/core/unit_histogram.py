"""Histograms of values from 0 to 1, with the same bins everywhere, so that those of two times can be compared."""

from __future__ import annotations

from typing import Any

import numpy as np

BINS = 50
"""Number of bins, each 1/50 wide."""


def unit_histogram(values: Any) -> tuple[int, ...]:
    """Count values from 0 to 1.

    Args:
        values: (n,) numbers in [0, 1].

    Returns:
        How many lie in each of the :data:`BINS` bins; 1 is in the last.
    """
    bins = np.minimum((np.asarray(values, np.float64) * BINS).astype(np.int64), BINS - 1)
    return tuple(np.bincount(bins, minlength=BINS).tolist())
