"""Stage 1: take in a COCO-style source, note where everything is and what each raw file hashes to."""

ALGORITHM_VERSION = 2
"""Raised by whoever changes what this stage makes of the same source and settings; a run of another version is stale.

``tests/pipeline/test_algorithm_versions.py`` holds a small result of it and fails if that changes and this does not.
"""
LIBRARIES: tuple[str, ...] = ()
"""Libraries that decide the result: none, all of it is read by this package."""
