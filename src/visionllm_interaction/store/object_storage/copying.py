"""Copy a store, or any other folder such as a run's artifacts, to an object store and back: whole, or not at all."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from visionllm_interaction.artifacts.object_storage.bucket import Bucket, is_url
from visionllm_interaction.artifacts.object_storage.published_folders import (
    POINTER,
    download_file,
    file_names,
    publish,
    read_publication,
)
from visionllm_interaction.errors import InputDataError, UsageError
from visionllm_interaction.store.layout import STORE_FILE, check_store
from visionllm_interaction.store.object_storage.working_copy import VIDEOS, working_copy
from visionllm_interaction.utils.atomic_files import publish_folder
from visionllm_interaction.utils.path_type import StrPath

_OF_A_STORE = {VIDEOS, "corrections", "ledger"}
_CONNECTIONS = 16


@dataclass(frozen=True)
class CopyResult:
    """What was copied.

    Attributes:
        kind: a store, or another folder.
        source: where from.
        target: where to.
        files: number of files.
        size: their bytes.
    """

    kind: Literal["store", "folder"]
    source: str
    target: str
    files: int
    size: int

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``visionllm copy``."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.kind}: {self.files} files, {self.size / 1e6:.1f} MB from {self.source} to {self.target}"


def copy_folder(source: StrPath, target: StrPath) -> CopyResult:
    """Copy a store or another folder from this machine to an object store, or from there to this machine.

    What is copied appears whole: a copy that is killed leaves nothing that counts as one, and can be made again.
    Every byte that comes from an object store is compared with its digest. Names that begin with a dot are left out.

    Args:
        source: a folder, or ``s3://bucket/prefix``.
        target: the other of the two; nothing may be there yet.

    Returns:
        What was copied.

    Raises:
        UsageError: unless one of the two is an address and the other a folder.
        InputDataError: if there is nothing to copy, or something at the target.
    """
    if is_url(source) == is_url(target):
        raise UsageError(
            "A copy goes to an object store, or comes from one.",
            expected="one folder and one address, s3://BUCKET/PREFIX",
            found=f"{source} and {target}",
        )
    if is_url(source):
        return _download(str(source), Path(target))
    return _upload(Path(source), str(target))


def _upload(source: Path, url: str) -> CopyResult:
    names = file_names(source) if source.is_dir() else []
    if not names:
        raise InputDataError("There is nothing to copy.", expected="a folder with files", found=str(source))
    bucket, folder = _parent(url)
    folders, objects = Bucket(url).level()
    taken = {*folders, *(one.key for one in objects)}
    is_store = STORE_FILE in names
    if is_store:
        check_store(source)
        taken -= _OF_A_STORE  # of a copy that was killed: without store.yaml it is no store
    if taken:
        raise _taken(f"{len(taken)} objects and folders, {min(taken)} among them", url)
    size = sum((source / name).stat().st_size for name in names)
    result = CopyResult("store" if is_store else "folder", str(source), url, len(names), size)
    if not is_store:
        if publish(bucket, folder, source, former=None) is None:
            raise _taken("another copy, finished meanwhile", url)
        return result
    with working_copy(url) as copy:
        shutil.rmtree(copy.folder)
        (copy.folder / VIDEOS).mkdir(parents=True)
        for name in names:
            (copy.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, copy.folder / name)
    return result


def _download(url: str, target: Path) -> CopyResult:
    if target.exists():
        raise _taken("a file or folder of this name", str(target))
    bucket, folder = _parent(url)
    publication = read_publication(bucket, folder)
    if publication is None:
        with working_copy(url) as copy, publish_folder(target) as partial:
            check_store(copy.folder)
            for name in file_names(copy.folder):
                (partial / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(copy.folder / name, partial / name)
            (partial / VIDEOS).mkdir(exist_ok=True)
        return _told("store", url, target)
    with publish_folder(target) as partial, ThreadPoolExecutor(_CONNECTIONS) as pool:
        for name in publication.files:
            (partial / name).parent.mkdir(parents=True, exist_ok=True)
        items = publication.files.items()
        if not all(pool.map(lambda item: download_file(bucket, folder, item[1], partial / item[0]), items)):
            raise InputDataError(
                "The folder is not whole.",
                expected=f"the objects that its {POINTER} names",
                found="some of them are gone",
                where=url,
            )
    return _told("folder", url, target)


def _told(kind: Literal["store", "folder"], url: str, target: Path) -> CopyResult:
    names = file_names(target)
    return CopyResult(kind, url, str(target), len(names), sum((target / name).stat().st_size for name in names))


def _parent(url: str) -> tuple[Bucket, str]:
    """The place above a folder, and the folder's key below it."""
    above, _, name = url.rstrip("/").rpartition("/")
    if above.count("/") < 2:
        raise UsageError("A copy needs a place of its own in the bucket.", expected="s3://BUCKET/PREFIX", found=url)
    return Bucket(above), name


def _taken(found: str, where: str) -> InputDataError:
    return InputDataError(
        "The place for the copy is taken.",
        expected="nothing there yet",
        found=found,
        where=where,
        fix="name another place, or remove what is there",
    )
