"""Several files from servers to a folder at once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from pathlib import Path

import httpx

from visionllm_interaction import __version__
from visionllm_interaction.downloads.config import Advice, DownloadConfig
from visionllm_interaction.downloads.disk_space import Space
from visionllm_interaction.downloads.progress import Report, byte_bars
from visionllm_interaction.downloads.remote_file_info import Remote
from visionllm_interaction.downloads.resumable_download import (
    BatchContext,
    Downloaded,
    Stopped,
    Transfer,
)
from visionllm_interaction.errors import DownloadFailed


def download_all(
    remotes: Sequence[Remote],
    folder: Path,
    *,
    config: DownloadConfig,
    reserve_bytes: int,
    advice: Advice = Advice(),
    report: Report | None = None,
) -> list[Downloaded]:
    """Download remote files; complete files with the right checksum are not requested again.

    Args:
        remotes: the remote files.
        folder: where they are written.
        config: the settings of downloads: retries, timeouts, parallel transfers.
        reserve_bytes: bytes that must stay free on the disk.
        advice: what messages say can be changed.
        report: called with the progress of each file; by default bars are drawn on a terminal.

    Returns:
        The downloaded files, in the order of ``remotes``.

    Raises:
        DownloadFailed, InputDataError, SpaceError: of the first file that fails; the others stop and keep what
            they have.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stop = threading.Event()
    with (
        nullcontext(report) if report else byte_bars() as told,
        _client(config) as client,
        ThreadPoolExecutor(max_workers=config.parallel) as pool,
    ):
        around = BatchContext(
            client, config, Space(folder, reserve_bytes=reserve_bytes, advice=advice.space), told, stop, advice
        )
        running = [pool.submit(Transfer(remote, folder, around).run) for remote in remotes]
        try:
            wait(running, return_when=FIRST_EXCEPTION)
        finally:
            stop.set()
            for future in running:
                future.cancel()
    _raise_first(running, advice)
    return [future.result() for future in running]


def _raise_first(running: Sequence[Future[Downloaded]], advice: Advice) -> None:
    """The error that made the others stop, not theirs."""
    errors = [future.exception() for future in running if not future.cancelled()]
    real = [error for error in errors if error is not None and not isinstance(error, Stopped)]
    if real and isinstance(real[0], httpx.HTTPError | httpx.InvalidURL):
        raise DownloadFailed(
            "A file cannot be downloaded.",
            found=f"{type(real[0]).__name__}: {real[0]}",
            fix=f"{advice.address}; the same command continues where it stopped",
        ) from real[0]
    if real:
        raise real[0]


def _client(config: DownloadConfig) -> httpx.Client:
    return httpx.Client(
        follow_redirects=True,
        max_redirects=5,
        timeout=httpx.Timeout(config.timeout_s, pool=None),
        headers={"User-Agent": f"visionllm-interaction/{__version__}"},
    )
