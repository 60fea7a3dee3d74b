"""Bring the data to this machine: download it, unpack it. Afterwards it is a folder or a single file."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from visionllm_interaction.artifacts.raw_file_index import list_files
from visionllm_interaction.artifacts.stage_manifests import RawSourceFile
from visionllm_interaction.datasets.ingestion.config import SPACE_ADVICE, IngestConfig
from visionllm_interaction.datasets.ingestion.sources.unpack_archive import is_archive, unpack_all
from visionllm_interaction.downloads.config import Advice
from visionllm_interaction.errors import ConfigError, DownloadFailed, InputDataError
from visionllm_interaction.utils.atomic_files import remove_partials
from visionllm_interaction.utils.file_locks import wait_for_lock
from visionllm_interaction.utils.hashing import sha256_file, sha256_value

_KAGGLE = "kaggle:"
_ADVICE = Advice(
    space=SPACE_ADVICE,
    address="check the address in data.source and the network",
    checksum="check the address and the checksum of data.source",
)


@dataclass(frozen=True, slots=True)
class Prepared:
    """The data set's folder (or single annotation file) on this machine, and what it was made from."""

    path: Path
    kind: Literal["folder", "archive", "file", "download", "kaggle"]
    location: str
    name: str
    files: tuple[RawSourceFile, ...] = ()


def prepare(config: IngestConfig) -> Prepared:
    """Download and unpack the configured source; results of earlier calls are reused.

    Args:
        config: the settings of stage 1, with absolute paths.

    Returns:
        Where the data is, and the files it came from.

    Raises:
        ConfigError: if the source is nothing known, or an optional package is missing.
        InputDataError: if there is nothing at ``root``, or what arrived is damaged, hostile or too large.
        DownloadFailed: if a server does not deliver.
    """
    if config.root is None:
        return _from_elsewhere(config)
    if not config.root.exists():
        raise InputDataError(
            "The data folder does not exist.",
            expected="a folder, an archive or an annotation file",
            found="nothing",
            where=str(config.root),
            fix="set data.root to the folder of the data set: -o data.root=FOLDER",
        )
    if config.root.is_dir():
        return Prepared(config.root, "folder", str(config.root), config.root.name)
    if is_archive(config.root):
        return _from_archive(config, config.root)
    return Prepared(config.root, "file", str(config.root), config.root.stem, (source_file(config.root),))


def _from_archive(config: IngestConfig, archive: Path) -> Prepared:
    file = source_file(archive)
    name = re.sub(r"\.(zip|tgz|txz|tbz2?|tar(\.\w+)?)$", "", archive.name, flags=re.IGNORECASE)
    folder = _unpacked(config, name, [archive], [file.sha256])
    return Prepared(folder, "archive", str(archive), name, (file,))


def _from_elsewhere(config: IngestConfig) -> Prepared:
    kaggle = [source for source in config.source if source.startswith(_KAGGLE)]
    if not kaggle:
        return _from_servers(config)
    if len(config.source) > 1:
        raise ConfigError(
            "A Kaggle data set cannot be mixed with other sources.",
            expected="one kaggle:OWNER/NAME, or addresses only",
            found=", ".join(config.source),
            fix="take the others out of data.source, and run a second time with them and another work_dir",
        )
    handle = kaggle[0].removeprefix(_KAGGLE)
    return Prepared(_from_kaggle(handle), "kaggle", kaggle[0], handle.split("/")[1])


def _from_servers(config: IngestConfig) -> Prepared:
    # Imported here: without a download no HTTP library is needed, nor installed with the base package.
    try:
        from visionllm_interaction.datasets.ingestion.sources.known_sources import KNOWN, remotes_of
        from visionllm_interaction.downloads.batch import download_all
    except ImportError as error:
        raise _missing_extra("download", error) from error
    reserve_bytes = int(config.limits.min_free_gb * 1e9)
    remotes = remotes_of(config.source)
    with working_folder(config, "downloads") as folder:
        downloads = download_all(remotes, folder, config=config.download, reserve_bytes=reserve_bytes, advice=_ADVICE)
    files = tuple(RawSourceFile(path=done.url, bytes=done.bytes, sha256=done.sha256) for done in downloads)
    name = config.source[0] if config.source[0] in KNOWN else downloads[0].path.name.split(".")[0]
    folder = _unpacked(config, name, [done.path for done in downloads], [file.sha256 for file in files])
    return Prepared(folder, "download", " ".join(file.path for file in files), name, files)


def _from_kaggle(handle: str) -> Path:
    if not re.fullmatch(r"[\w.-]+/[\w.-]+(/versions/\d+)?", handle):
        raise ConfigError(
            "This is no Kaggle data set.",
            expected="kaggle:OWNER/NAME[/versions/N]",
            found=handle,
            fix="take OWNER/NAME from the address of its page: -o data.source=kaggle:OWNER/NAME",
        )
    try:
        import kagglehub
    except ImportError as error:
        raise _missing_extra("kaggle", error) from error
    try:
        # It keeps its own cache (KAGGLEHUB_CACHE) and reads KAGGLE_USERNAME and KAGGLE_KEY or ~/.kaggle/kaggle.json.
        with redirect_stdout(sys.stderr):  # stdout is for results
            return Path(kagglehub.dataset_download(handle))
    except Exception as error:  # its errors share no base, and each means that Kaggle did not deliver
        raise DownloadFailed(
            "Kaggle did not deliver the data set.",
            expected=handle,
            found=f"{type(error).__name__}: {error}",
            where="kaggle",
            fix="set KAGGLE_USERNAME and KAGGLE_KEY, accept the data set's terms on its page, check the name",
        ) from error


def _missing_extra(extra: str, error: ImportError) -> ConfigError:
    return ConfigError(
        "This source needs a package that is not installed.",
        expected=f"visionllm-interaction[{extra}]",
        found=str(error),
        fix=f"pip install 'visionllm-interaction[{extra}]'",
    )


def _unpacked(config: IngestConfig, name: str, archives: Sequence[Path], digests: Sequence[str]) -> Path:
    """The folder the archives unpack to, named by their content: once unpacked it is used again."""
    with working_folder(config, "unpacked") as parent:
        folder = parent / f"{name}-{sha256_value(list(digests))[:12]}"
        if not folder.exists():
            unpack_all(archives, folder, limits=config.limits)
        return folder


@contextmanager
def working_folder(config: IngestConfig, name: str) -> Iterator[Path]:
    """A folder below ``work_dir`` in which one process works at a time; what killed ones left is cleared away."""
    folder = config.work_dir / name
    folder.mkdir(parents=True, exist_ok=True)
    with wait_for_lock(folder):
        remove_partials(folder)
        yield folder


def source_file(path: Path) -> RawSourceFile:
    """Size, time and digest of a file the data is made from."""
    status = path.stat()
    return RawSourceFile(path=str(path), bytes=status.st_size, sha256=sha256_file(path), mtime_ns=status.st_mtime_ns)


def source_file_same(file: RawSourceFile, *, quick: bool = False) -> bool:
    """Whether it still is those bytes; ``quick`` trusts size and time. Downloads are not checked again."""
    if file.mtime_ns is None:
        return True
    path = Path(file.path)
    if not path.is_file():
        return False
    status = path.stat()
    if quick and (status.st_size, status.st_mtime_ns) == (file.bytes, file.mtime_ns):
        return True
    return sha256_file(path) == file.sha256


def listing_digest(folder: Path) -> str:
    """Digest of the names, sizes and times of all files below ``folder``: changes when anything was touched."""
    files = [(str(Path(name).relative_to(folder)), *stamp) for name, stamp in list_files([folder])]
    return sha256_value(files)
