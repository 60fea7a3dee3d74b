"""How callers may name a file."""

from __future__ import annotations

import os

StrPath = str | os.PathLike[str]
"""What every public function takes for a file or folder; it becomes a ``pathlib.Path`` once, where it comes in."""
