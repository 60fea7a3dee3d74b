"""HTTP methods as metrics and traces name them: a client can make up as many as it likes."""

from __future__ import annotations

KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def method_label(method: str, *, other: str = "other") -> str:
    """The name under which requests of a method are counted.

    Args:
        method: of the request.
        other: the one name of all unknown methods.

    Returns:
        The method if it is known, else ``other``.
    """
    return method if method in KNOWN_METHODS else other
