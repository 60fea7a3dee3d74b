"""Versions that decide whether a result is what would be made now: those of our algorithms, and of libraries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata

FIRST_ALGORITHM_VERSION = 1
"""What counts for a manifest or record that names no algorithm version: those that stood when they were introduced."""

_DISTRIBUTIONS: Mapping[str, tuple[str, ...]] = {
    "opencv": (
        "opencv-python-headless",
        "opencv-python",
        "opencv-contrib-python-headless",
        "opencv-contrib-python",
    ),
}
"""Library → the distributions it may be installed as, where that is not its own name alone."""


def library_versions(names: Iterable[str]) -> dict[str, str]:
    """Library → public version (``2.14.0``, without ``+cu130``), for those of ``names`` that are installed."""
    found = {name: _version_of(name) for name in names}
    return {name: version for name, version in found.items() if version is not None}


@cache
def _version_of(name: str) -> str | None:
    for distribution in _DISTRIBUTIONS.get(name, (name,)):
        try:
            return public_version(metadata.version(distribution))
        except metadata.PackageNotFoundError:
            continue
    return None


def public_version(version: str) -> str:
    """``version`` without what names the build: the same release for CPU and for CUDA counts as one version."""
    return version.partition("+")[0]


def feature_release(version: str) -> str:
    """The first two numbers of a version: what bug-fix releases have in common."""
    return ".".join(public_version(version).split(".")[:2])


def library_changes(before: Mapping[str, str], now: Mapping[str, str], *, bug_fixes_count: bool = True) -> list[str]:
    """Libraries of another version than before, as ``torch 2.14.0 → 2.15.0``, by name.

    A library whose version is known on one side only changes nothing: older records do not name all of them, and
    where a library is not installed nothing could be made anew.

    Args:
        bug_fixes_count: whether versions that differ after the second number (2.14.0, 2.14.1) differ.
    """
    key = public_version if bug_fixes_count else feature_release
    return [
        f"{name} {public_version(before[name])} → {public_version(now[name])}"
        for name in sorted(before.keys() & now.keys())
        if key(before[name]) != key(now[name])
    ]
