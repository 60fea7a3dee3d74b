"""Restrict the decoding process to what it needs, before the first byte of a file is parsed.

After :func:`lock_down` it can open no file and no socket (no descriptor is free), write no file, start no program that
does more, and use no more memory and processor time than it was given. It does not hide from the process what was open
before: the video, the shared images, and the two pipes to its parent.
"""

from __future__ import annotations

import os
import resource
import time


def lock_down(*, max_memory_bytes: int) -> None:
    """Give up everything beyond the descriptors that are open now and ``max_memory_bytes`` of address space."""
    next_free = os.dup(0)
    os.close(next_free)
    _limit(resource.RLIMIT_NOFILE, next_free)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_AS, max_memory_bytes)


def allow_cpu(more_s: int) -> None:
    """The kernel ends this process if it uses ``more_s`` seconds of processor time before the next call."""
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + more_s + 1, hard))


def _limit(what: int, value: int) -> None:
    hard = resource.getrlimit(what)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(what, (value, value))
