"""One training in several processes, started by torchrun: rank 0 runs the pipeline, the other ranks train with it."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from visionllm_interaction.errors import ConfigError

BROADCAST_TIMEOUT = timedelta(hours=24)
"""How long the other ranks wait for rank 0 to prepare the data."""


def process_count() -> int:
    """Processes that train together (``WORLD_SIZE``, as torchrun sets it)."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """This process's number among them; 0 leads."""
    return int(os.environ.get("RANK", "0"))


def is_worker_rank() -> bool:
    """Whether this process only trains: any rank but 0."""
    return rank() > 0


def per_process_batch_size(batch_size: int) -> int:
    """Images per step in each process: ``train.batch_size`` counts all processes together.

    Args:
        batch_size: of all processes.

    Returns:
        Of one process.

    Raises:
        ConfigError: if it cannot be divided evenly.
    """
    if batch_size % process_count():
        raise ConfigError(
            "A batch cannot be divided evenly among the processes.",
            expected=f"a multiple of {process_count()} processes",
            found=str(batch_size),
            where="train.batch_size",
        )
    return batch_size // process_count()


def broadcast_task(task: Any) -> Any:
    """Rank 0 gives ``task`` to all, the others get it (what they pass is ignored).

    Nothing is done in a single process.
    """
    if process_count() == 1:
        return task
    import torch
    from torch import distributed

    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=BROADCAST_TIMEOUT)
    box = [task]
    distributed.broadcast_object_list(box, src=0)
    return box[0]


def all_gather(part: Any) -> list[Any]:
    """``part`` of every process, in order of ranks, in every process."""
    if process_count() == 1:
        return [part]
    from torch import distributed

    parts: list[Any] = [None] * process_count()
    distributed.all_gather_object(parts, part)
    return parts


def release_worker_ranks() -> None:
    """Let ranks that wait for a training end: rank 0 has none (left)."""
    if process_count() > 1 and not is_worker_rank():
        broadcast_task(None)
