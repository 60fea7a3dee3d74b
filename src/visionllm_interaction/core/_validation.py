"""Checks shared by the array-carrying value types."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def frozen_array(values: Any, dtype: type[np.generic], shape: tuple[int | None, ...], name: str) -> NDArray[Any]:
    """A read-only copy of ``values`` with a given type and shape.

    Args:
        values: anything that NumPy turns into an array.
        dtype: the type of the copy.
        shape: the expected shape; ``None`` stands for any size.
        name: what the error message calls the values.

    Returns:
        The copy, of ``shape``. Empty values take the shape ``(0, …)``.

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
    """Replace attributes of a frozen dataclass by read-only arrays of the given types and shapes.

    Args:
        table: the dataclass, from its ``__post_init__``.
        columns: name, type and shape of each attribute.

    Raises:
        ValueError: see :func:`frozen_array`.
    """
    for name, dtype, shape in columns:
        object.__setattr__(table, name, frozen_array(getattr(table, name), dtype, shape, name))


def check_frame_order(frame_index: NDArray[np.int64]) -> None:
    """Check that rows are ordered by frame.

    Args:
        frame_index: (n,) the frame of each row.

    Raises:
        ValueError: if an index is smaller than the one before it.
    """
    if (np.diff(frame_index) < 0).any():
        raise ValueError("rows must be ordered by frame_index")
