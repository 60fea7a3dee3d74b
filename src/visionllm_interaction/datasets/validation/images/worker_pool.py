"""Many images: probe them in child processes, a few files at a time, and survive what kills a child."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from types import ModuleType

from visionllm_interaction.datasets.validation.images.probe import (
    DecodeLimits,
    ImageProbe,
    limit_process,
    probe_all,
    probe_image,
)

BATCH = 16
_MODULE = "visionllm_interaction.datasets.validation.images.probe"


def probe_images(paths: Sequence[str], limits: DecodeLimits, *, workers: int) -> Iterator[ImageProbe]:
    """A :class:`ImageProbe` for each of ``paths``, in order.

    When a child dies (out of memory, out of time, a fault in a decoder), the files that were being probed are
    taken one by one until the culprit is found; it gets FILE-KILLS-DECODER, and the work goes on.
    """
    batches = [paths[first : first + BATCH] for first in range(0, len(paths), BATCH)]
    done = 0
    while done < len(batches):
        try:
            with _pool(limits, workers=min(workers, len(batches) - done)) as pool:
                with no_main_module():
                    answers = pool.map(partial(probe_all, limits=limits), batches[done:])
                for probes in answers:
                    done += 1
                    yield from probes
        except BrokenProcessPool:
            done += 1
            yield from _one_by_one(batches[done - 1], limits)


def _one_by_one(paths: Sequence[str], limits: DecodeLimits) -> Iterator[ImageProbe]:
    left = list(paths)
    while left:
        try:
            with _pool(limits, workers=1) as pool:
                while left:
                    with no_main_module():
                        answer = pool.submit(probe_image, left[0], limits)
                    yield answer.result()
                    left.pop(0)
        except BrokenProcessPool:
            left.pop(0)
            yield ImageProbe(
                "FILE-KILLS-DECODER",
                f"the decoding process died (limits: {limits.timeout_s:g} s, {limits.memory_mb} MB)",
            )


@contextmanager
def no_main_module() -> Iterator[None]:
    """Start children without the program's main module, which they would import (a second each) and do not need."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _pool(limits: DecodeLimits, *, workers: int) -> ProcessPoolExecutor:
    # A fork server starts a child in some milliseconds, and the child has none of this process's threads or memory.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([_MODULE])
    return ProcessPoolExecutor(workers, mp_context=context, initializer=limit_process, initargs=(limits,))
