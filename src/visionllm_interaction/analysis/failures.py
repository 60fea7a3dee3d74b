"""Handling of exceptions during an analysis: a failed video never stops the others, whatever is raised."""

from __future__ import annotations

import gc
import re
import sys
from pathlib import Path

from visionllm_interaction.errors import InputDataError, VisionLLMError

_OUT_OF_MEMORY = re.compile(
    r"out of memory|can't allocate memory|cannot allocate memory|not enough memory|bad_alloc|_ALLOC_FAILED",
    re.IGNORECASE,
)
_LONGEST = 500


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, of the machine or of an accelerator.

    torch has its own exception for CUDA; other cases, and other libraries, are recognised by the message.
    """
    if isinstance(error, VisionLLMError):
        return False
    if isinstance(error, MemoryError) or any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__):
        return True
    return isinstance(error, (RuntimeError, OSError)) and bool(_OUT_OF_MEMORY.search(str(error)))


def release_memory() -> None:
    """Give back what a failed attempt held: objects in cycles, and accelerator memory that torch keeps for later."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def as_known(error: BaseException, path: Path) -> VisionLLMError:
    """Convert ``error`` to a :class:`VisionLLMError` without its traceback, whose frames hold images and tensors."""
    known = error if isinstance(error, VisionLLMError) else _translated(error, path)
    known.__traceback__ = known.__cause__ = known.__context__ = None
    return known


def _translated(error: BaseException, path: Path) -> VisionLLMError:
    found = f"{type(error).__name__}: {' '.join(str(error).split())[:_LONGEST]}".removesuffix(": ")
    if is_out_of_memory(error):
        return VisionLLMError(
            "Memory ran out while a video was analysed.",
            expected="room for the detector and a batch of images",
            found=found,
            where=str(path),
            fix="a smaller analysis.video.detect.batch_size, fewer workers for a machine, or more memory",
        )
    if isinstance(error, OSError):
        return InputDataError(str(error), where=str(path))
    return VisionLLMError(
        "The analysis of a video ended with an unexpected error.",
        expected="an analysed video, or a known reason why there is none",
        found=found,
        where=str(path),
        fix="the log has the traceback; if the detector raised it, load and try the detector by itself",
    )
