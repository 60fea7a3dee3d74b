"""Columns of one Parquet file as arrays: what computes measures needs neither the database nor Arrow's tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from visionllm_interaction.errors import StoreError
from visionllm_interaction.store.columns import COLUMNS

Encode = Callable[[Sequence[str | None]], NDArray[np.int64]]


def read_columns(path: Path, columns: Sequence[str], *, encode: Encode | None = None) -> dict[str, NDArray[Any]]:
    """See :meth:`visionllm_interaction.store.reader.Store.read_columns`."""
    try:
        texts = [name for name in columns if COLUMNS[path.stem][name] == "string"]
        with pq.ParquetFile(path, read_dictionary=texts) as file:
            table = file.read(columns=list(columns), use_threads=False)
        found: dict[str, NDArray[Any]] = {}
        for name in columns:
            found |= _arrays(name, table.column(name), encode)
        return found
    except (OSError, KeyError, pa.ArrowException) as error:  # KeyError: a column is missing
        raise StoreError("A file of the store cannot be read.", found=str(error), where=str(path)) from error


def distinct_words(path: Path, columns: Sequence[str]) -> set[str]:
    """The texts that occur in columns of a file, without empty ones.

    Args:
        path: the Parquet file.
        columns: columns of texts.

    Returns:
        The texts.

    Raises:
        StoreError: if the file is damaged.
    """
    words: list[str] = []

    def encode(found: Sequence[str | None]) -> NDArray[np.int64]:
        words.extend(word for word in found if word)
        return np.zeros(len(found), np.int64)

    read_columns(path, columns, encode=encode)
    return set(words)


def _arrays(name: str, column: pa.ChunkedArray, encode: Encode | None) -> dict[str, NDArray[Any]]:
    parts = [_of_chunk(name, chunk, encode) for chunk in column.chunks]
    if not parts:
        parts = [_of_chunk(name, pa.array([], column.type), encode)]
    if len(parts) == 1:
        return parts[0]
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def _of_chunk(name: str, chunk: pa.Array, encode: Encode | None) -> dict[str, NDArray[Any]]:
    if pa.types.is_dictionary(chunk.type):
        if encode is None:
            raise TypeError(f"{name} is a column of texts")
        codes = np.append(encode(chunk.dictionary.to_pylist()), -1)
        places = chunk.indices.to_numpy(zero_copy_only=False)
        if chunk.null_count:  # then they are floats, and NaN where there is no text
            places = np.nan_to_num(places, nan=-1).astype(np.int64)
        return {name: codes[places]}
    if pa.types.is_list(chunk.type):
        offsets = chunk.offsets.to_numpy()
        return {
            name: chunk.values.to_numpy()[offsets[0] : offsets[-1]],
            f"{name}:length": np.diff(offsets).astype(np.int64),
        }
    return {name: chunk.to_numpy(zero_copy_only=False)}
