"""Several tests at once: adjusted p values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.errors import UsageError


def adjust(p_values: Sequence[float], *, method: Literal["holm", "fdr"] = "holm") -> NDArray[np.float64]:
    """Adjust p values for their number.

    Args:
        p_values: K of them.
        method: ``"holm"`` bounds the chance of any false rejection (Holm 1979), ``"fdr"`` the expected share of false
            ones among rejections (Benjamini & Hochberg 1995).

    Returns:
        (K,) adjusted p values, in the order given.

    Raises:
        UsageError: if a value is no probability.
    """
    p = np.asarray(p_values, np.float64)
    if not ((p >= 0) & (p <= 1)).all():
        raise UsageError("A p value is no probability.", expected="0 to 1", found=str(p_values))
    count, order = len(p), np.argsort(p, kind="stable")
    adjusted = np.empty(count)
    if method == "holm":
        adjusted[order] = np.maximum.accumulate(p[order] * (count - np.arange(count)))
    else:
        stepped = p[order] * count / (1 + np.arange(count))
        adjusted[order] = np.minimum.accumulate(stepped[::-1])[::-1]
    return np.minimum(adjusted, 1.0)
