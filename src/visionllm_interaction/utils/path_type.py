"""The type of paths in public functions."""

from __future__ import annotations

import os

StrPath = str | os.PathLike[str]
"""A file or folder, as every public function takes it; the function converts it to ``pathlib.Path`` at once."""
