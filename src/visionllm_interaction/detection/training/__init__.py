"""Stage 4: train, evaluate and tune the detector."""

ALGORITHM_VERSION = 1
"""Raised by whoever changes what training makes of the same data and settings (the detector's own layers included).

A run of another version is stale. ``tests/pipeline/test_algorithm_versions.py`` holds the parts of it that are the
same on every machine and fails if one of them changes and this does not.
"""
LIBRARIES: tuple[str, ...] = ("torch", "torchvision")
"""Libraries that decide the result."""
