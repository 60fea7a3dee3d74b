"""Memory that allocators keep although nothing uses it."""

from __future__ import annotations

import ctypes
import sys


def release_unused_memory() -> None:
    """Give memory that the allocators of C and Arrow keep for later back to the system.

    Between two steps that need much, the first one's would otherwise count for the second, too. Does nothing where an
    allocator cannot.
    """
    if "pyarrow" in sys.modules:
        import pyarrow as pa

        pa.default_memory_pool().release_unused()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it, musl does not
        if trim is not None:
            trim(0)
