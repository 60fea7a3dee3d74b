"""Large tables of gaze samples, read by column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from visionllm_interaction.interop.formats.safe_reading import import_error
from visionllm_interaction.interop.gaze.samples import Floats

MAX_TABLE_BYTES = 1 << 31
"""Two hours at 200 samples a second are about 200 MB."""


class GazeTable:
    """A table with a header; cells that are no numbers are NaN.

    Args:
        path: the file, in UTF-8.
        delimiter: what separates cells.

    Raises:
        InputDataError: if it cannot be read as a table, or is larger than :data:`MAX_TABLE_BYTES`.
    """

    def __init__(self, path: Path, *, delimiter: str = ",") -> None:
        self._path = path
        try:
            if path.stat().st_size > MAX_TABLE_BYTES:
                raise import_error(path, expected=f"at most {MAX_TABLE_BYTES} bytes", found="more")
            table = pa_csv.read_csv(
                path,
                parse_options=pa_csv.ParseOptions(delimiter=delimiter, invalid_row_handler=lambda _: "skip"),
                convert_options=pa_csv.ConvertOptions(strings_can_be_null=True),
            )
        except OSError as error:
            raise import_error(path, expected="a file that can be read", found=error.strerror or str(error)) from error
        except pa.ArrowException as error:
            raise import_error(path, expected="a table", found=str(error).splitlines()[0]) from error
        self.names = [name.strip().lstrip("# ").strip() for name in table.column_names]
        self._table = table.rename_columns(self.names)

    def numbers(self, name: str) -> Floats:
        """A column as numbers.

        Args:
            name: the column.

        Returns:
            Shape (n,); NaN where a cell is empty or no number.

        Raises:
            InputDataError: if there is no such column.
        """
        column = self._column(name)
        if pa.types.is_boolean(column.type):
            column = pc.cast(column, pa.uint8())
        elif pa.types.is_string(column.type):
            is_number = pc.match_substring_regex(column, r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$")
            column = pc.utf8_trim_whitespace(pc.if_else(is_number, column, pa.scalar(None, pa.string())))
        numbers = pc.fill_null(pc.cast(column, pa.float64(), safe=False), float("nan"))
        return np.asarray(numbers.to_numpy(), np.float64)

    def integers(self, name: str) -> npt.NDArray[np.int64]:
        """A column of whole numbers with all their digits, such as nanoseconds since 1970.

        Args:
            name: the column.

        Returns:
            Shape (n,).

        Raises:
            InputDataError: if there is no such column, or a cell is no whole number.
        """
        column = self._column(name)
        if len(column) and (not pa.types.is_integer(column.type) or column.null_count):
            raise import_error(self._path, expected=f"whole numbers in {name!r}", found=f"{column.type} or blanks")
        return np.asarray(pc.cast(column, pa.int64()).to_numpy(), np.int64)

    def _column(self, name: str) -> pa.ChunkedArray:
        if name not in self.names:
            raise import_error(self._path, expected=f"a column {name!r}", found=", ".join(self.names)[:200])
        return self._table[name]
