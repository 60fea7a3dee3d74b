"""Stage 2: find every issue of the data, name it, and judge it by a policy."""

ALGORITHM_VERSION = 2
"""Raised by whoever changes what this stage makes of the same data and policy; a run of another version is stale.

``tests/pipeline/test_algorithm_versions.py`` holds a small result of it and fails if that changes and this does not.
"""
LIBRARIES: tuple[str, ...] = ("pillow",)
"""Libraries that decide the result: Pillow says whether an image can be decoded, and to what."""
