"""What image_checks.py compares with: decoding and nothing else. A module of its own: children import no more."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image


def decode(paths: Sequence[str]) -> None:
    """Decode the files at ``paths`` to RGB."""
    for path in paths:
        with Image.open(path) as image:
            image.convert("RGB")
