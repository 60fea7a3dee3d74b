"""Stage 3: write annotation files without what stage 2 told to drop, and everything else untouched."""

ALGORITHM_VERSION = 1
"""Raised by whoever changes what this stage makes of the same data and settings; a run of another version is stale.

``tests/pipeline/test_algorithm_versions.py`` holds a small result of it and fails if that changes and this does not.
"""
LIBRARIES: tuple[str, ...] = ("scipy",)
"""Libraries that decide the result: SciPy's solver divides images anew, where that is asked for."""
