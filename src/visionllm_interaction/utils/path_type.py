"""The type of paths in public functions, and addresses that stand where a path should."""

from __future__ import annotations

import os
import re

StrPath = str | os.PathLike[str]
"""A file or folder, as every public function takes it; the function converts it to ``pathlib.Path`` at once."""

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+):/+")


def address_in(place: StrPath) -> str | None:
    """The address that ``place`` is, such as ``s3://bucket/prefix``; ``None`` if it is a path of this machine.

    Args:
        place: what was given. A ``Path`` has one of the two slashes of an address, and would name a folder ``s3:``.

    Returns:
        The address with both slashes.
    """
    found = _ADDRESS.match(str(place))
    if found is None or (isinstance(place, str) and not place.startswith(f"{found[1]}://")):
        return None
    return f"{found[1]}://{str(place)[found.end() :]}"
