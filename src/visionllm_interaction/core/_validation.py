"""Checks shared by the array-carrying value types."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def frozen_array(values: Any, dtype: type[np.generic], shape: tuple[int | None, ...], name: str) -> NDArray[Any]:
    """Return ``values`` as a read-only array of ``dtype``; ``None`` in ``shape`` means any size.

    Raises:
        ValueError: if the shape differs or a float value is not finite.
    """
    array = np.array(values, dtype=dtype, copy=True)
    if array.size == 0 and len(shape) > 1:
        array = array.reshape((0, *[size or 0 for size in shape[1:]]))
    fits = array.ndim == len(shape) and all(want in (None, got) for want, got in zip(shape, array.shape, strict=True))
    if not fits:
        raise ValueError(f"{name}: expected shape {shape}, found {array.shape}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{name}: values must be finite")
    array.setflags(write=False)
    return array


Column = tuple[str, type[np.generic], tuple[int | None, ...]]
"""Name, type and shape."""


def freeze_columns(table: object, columns: Iterable[Column]) -> None:
    """Make the attributes of a frozen dataclass read-only arrays of these types and shapes.

    Raises:
        ValueError: see :func:`frozen_array`.
    """
    for name, dtype, shape in columns:
        object.__setattr__(table, name, frozen_array(getattr(table, name), dtype, shape, name))


def check_order(frame_index: NDArray[np.int64]) -> None:
    """See that rows are in the order of frames.

    Raises:
        ValueError: if they are not.
    """
    if (np.diff(frame_index) < 0).any():
        raise ValueError("rows must be ordered by frame_index")
