"""Analysis into a store in an object store: each video has a working copy of its own, wherever it is analysed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from visionllm_interaction.errors import InputDataError
from visionllm_interaction.store.layout import STORE_FILE
from visionllm_interaction.store.object_storage.working_copy import WorkingCopy, nothing, working_copy
from visionllm_interaction.store.video_status_ledger import FOLDER, Ledger, ledger_file
from visionllm_interaction.utils.hashing import sha256_file


@contextmanager
def copy_for_video(url: str, path: Path, video_id: str | None) -> Iterator[WorkingCopy]:
    """Check out what the analysis of one video needs of a store: the video, if it is there, and its status.

    Args:
        url: the store's address.
        path: the video file.
        video_id: the id it was asked to have; None: none.

    Yields:
        WorkingCopy: the copy; changes are published when its methods are called.
    """

    @cache  # hashed only if the store has videos
    def digest() -> str:
        try:
            return sha256_file(path)
        except InputDataError:  # told when the video is opened
            return "?"

    status = ledger_file(Path(), path, video_id).as_posix()
    with working_copy(
        url,
        # The same video may have another name by now: the digits in its id tell.
        videos=lambda known: known == video_id or known.endswith(f"-{digest()[:8]}"),
        others=lambda key: key in (STORE_FILE, status),
        at_end=False,
    ) as copy:
        yield copy


def ledger_of(copy: WorkingCopy, *, run: str) -> Ledger:
    """The ledger of a store that is checked out; each change is published at once.

    Args:
        copy: the copy.
        run: names the run.

    Returns:
        The ledger.
    """
    return Ledger(copy.folder, run=run, publish=copy.publish_others)


@contextmanager
def ledger_at(url: str, *, run: str) -> Iterator[Ledger]:
    """The ledger of a store in an object store; changes are published at the end.

    Args:
        url: the store's address.
        run: names the run.

    Yields:
        Ledger: the ledger.
    """
    with working_copy(url, videos=nothing, others=lambda key: key.startswith(f"{FOLDER}/")) as copy:
        yield Ledger(copy.folder, run=run)
