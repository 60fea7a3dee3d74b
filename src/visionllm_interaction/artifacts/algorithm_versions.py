"""Versions of algorithms and libraries, which decide whether a result is up to date."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata

FIRST_ALGORITHM_VERSION = 1
"""The algorithm version of manifests and records that name none: they are older than such versions."""

_DISTRIBUTIONS: Mapping[str, tuple[str, ...]] = {
    "opencv": (
        "opencv-python-headless",
        "opencv-python",
        "opencv-contrib-python-headless",
        "opencv-contrib-python",
    ),
}
"""Libraries that can be installed from several distributions, and the names of these."""


def library_versions(names: Iterable[str]) -> dict[str, str]:
    """Public versions (``2.14.0``, without ``+cu130``) by library name, for those of ``names`` that are installed."""
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
    """``version`` without its build suffix: a release for CPU and for CUDA counts as one version."""
    return version.partition("+")[0]


def feature_release(version: str) -> str:
    """The first two numbers of a version, which bug-fix releases share."""
    return ".".join(public_version(version).split(".")[:2])


def library_changes(before: Mapping[str, str], now: Mapping[str, str], *, bug_fixes_count: bool = True) -> list[str]:
    """Libraries whose version changed.

    A library whose version is known on one side only does not count: older records do not name every library, and a
    library that is not installed could not build anything again.

    Args:
        before: recorded versions by library name.
        now: present versions by library name.
        bug_fixes_count: whether versions that differ only after the second number (2.14.0, 2.14.1) count as changed.

    Returns:
        Texts such as ``torch 2.14.0 → 2.15.0``, sorted by name.
    """
    key = public_version if bug_fixes_count else feature_release
    return [
        f"{name} {public_version(before[name])} → {public_version(now[name])}"
        for name in sorted(before.keys() & now.keys())
        if key(before[name]) != key(now[name])
    ]
