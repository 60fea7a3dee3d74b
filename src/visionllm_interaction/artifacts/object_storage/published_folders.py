"""Folders in an object store that readers see whole or not at all.

An object store cannot rename. The files of a folder are therefore written below a new name of their own, and
``published.json``, written last and in one step, says which of them are the folder. Readers begin with it, and compare
each file with the digest in it. ::

    videos/visit1-0f3a9c11/published.json                      which objects are the folder now
    videos/visit1-0f3a9c11/20261130T121500-5f0c…/tracks.parquet

Two writers at once: ``published.json`` is replaced only if it is still the one that the writer read.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

from visionllm_interaction.artifacts.object_storage.bucket import Bucket, Found
from visionllm_interaction.errors import InputDataError, VisionLLMError
from visionllm_interaction.utils.hashing import sha256_file

POINTER = "published.json"
"""What says which objects are the folder."""
_FORMAT = 1
_NAME = re.compile(r"(?!\.)[^/\\]+(?:/(?!\.)[^/\\]+)*")
_ABANDONED = timedelta(days=1)
"""Objects of no publication that are older than this were left by a process that was killed."""


@dataclass(frozen=True)
class PublishedFile:
    """One file of a folder: where its content is below the folder, and what it is."""

    key: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Publication:
    """What a folder consists of: file names (with ``/``) → files, and the tag of ``published.json``."""

    files: Mapping[str, PublishedFile]
    etag: str


def read_publication(bucket: Bucket, folder: str) -> Publication | None:
    """What a folder consists of now.

    Args:
        bucket: where the folder is.
        folder: its key.

    Returns:
        Its files; None if no such folder is published.

    Raises:
        InputDataError: if ``published.json`` is damaged or from a newer program.
    """
    return parse_publication(bucket.read(f"{folder}/{POINTER}"), where=f"{bucket.url}/{folder}")


def parse_publication(found: Found | None, *, where: str) -> Publication | None:
    """The publication in a ``published.json`` that was read; None if there was none.

    Args:
        found: the object.
        where: the folder's address, for messages.

    Returns:
        What the folder consists of.

    Raises:
        InputDataError: if it is damaged or from a newer program.
    """
    if found is None:
        return None
    try:
        content = json.loads(found.data)
        if content["format"] != _FORMAT:
            raise ValueError(f"format {content['format']}")
        files = {
            str(name): PublishedFile(str(entry["key"]), str(entry["sha256"]), int(entry["bytes"]))
            for name, entry in content["files"].items()
        }
        for name in files:
            if not _NAME.fullmatch(name):  # it becomes a path on this machine
                raise ValueError(f"a file named {name!r}")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputDataError(
            f"A {POINTER} cannot be read.",
            expected=f"format {_FORMAT}, as this program writes it",
            found=f"{type(error).__name__}: {error}",
            where=where,
        ) from error
    return Publication(files, found.etag)


def publish(
    bucket: Bucket, folder: str, local: Path, *, former: Publication | None, unchanged: Collection[str] = ()
) -> Publication | None:
    """Publish the files of a local folder: all of them from one moment on.

    Args:
        bucket: where to.
        folder: the key of the folder.
        local: the folder with the files; what begins with a dot is left out.
        former: the publication that this one takes the place of; None: there is none.
        unchanged: names of files that are known to be those of ``former``; others with its digests are not sent either.

    Returns:
        The publication; None if another one took the place of ``former`` meanwhile, and nothing is changed.
    """
    started = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:12]}"
    known = {} if former is None else former.files
    files: dict[str, PublishedFile] = {}
    new: dict[str, Path] = {}
    for name in file_names(local):
        same = known.get(name)
        if same is None or name not in unchanged:
            digest = sha256_file(local / name)
            if same is None or same.sha256 != digest:
                same = PublishedFile(f"{started}/{name}", digest, (local / name).stat().st_size)
                new[f"{folder}/{same.key}"] = local / name
        files[name] = same
    try:
        bucket.write_all(new)
        etag = _point(bucket, f"{folder}/{POINTER}", files, former)
    except BaseException:
        _give_up(bucket, new)
        raise
    if etag is None:
        _give_up(bucket, new)
        return None
    _clean(bucket, folder, {file.key for file in files.values()}, {file.key for file in known.values()})
    return Publication(files, etag)


def unpublish(bucket: Bucket, folder: str) -> None:
    """Delete a folder: at once for readers, then all its objects, those that killed processes left too.

    Args:
        bucket: where the folder is.
        folder: its key.
    """
    bucket.delete([f"{folder}/{POINTER}"])
    bucket.delete([entry.key for entry in bucket.objects_below(f"{folder}/")])


def download_file(bucket: Bucket, folder: str, file: PublishedFile, to: Path) -> bool:
    """Write one file of a publication, checked against its digest.

    Args:
        bucket: where the folder is.
        folder: its key.
        file: the file.
        to: the file to appear; it does not exist yet.

    Returns:
        Whether it is there; False if its object is gone, because another publication took the place of this one.

    Raises:
        InputDataError: if its bytes are others than those that were published.
    """
    if not bucket.download(f"{folder}/{file.key}", to):
        return False
    if sha256_file(to) != file.sha256:
        to.unlink()
        raise InputDataError(
            "An object is damaged.",
            expected=f"{file.size} bytes with the sha256 {file.sha256}",
            found="other bytes",
            where=f"{bucket.url}/{folder}/{file.key}",
            fix="publish the folder again: analyse the video again, or copy it again",
        )
    return True


def file_names(local: Path) -> list[str]:
    """Names of all files below a folder, with ``/``, but those that begin with a dot, or lie below such a folder.

    Args:
        local: the folder.

    Returns:
        The names, sorted.
    """
    found = []
    for path in local.rglob("*"):
        name = path.relative_to(local)
        if path.is_file() and not any(part.startswith(".") for part in name.parts):
            found.append(str(PurePosixPath(name)))
    return sorted(found)


def _point(bucket: Bucket, key: str, files: Mapping[str, PublishedFile], former: Publication | None) -> str | None:
    listed: dict[str, Any] = {
        name: {"key": file.key, "sha256": file.sha256, "bytes": file.size} for name, file in files.items()
    }
    data = (json.dumps({"format": _FORMAT, "files": listed}, indent=1) + "\n").encode()
    return bucket.create(key, data) if former is None else bucket.replace(key, data, etag=former.etag)


def _give_up(bucket: Bucket, sent: Collection[str]) -> None:
    """Delete what was sent for nothing; if that fails, a later publication does it."""
    with suppress(VisionLLMError):  # the error that led here is the one to tell
        bucket.delete(sent)


def _clean(bucket: Bucket, folder: str, keys: Collection[str], former: Collection[str]) -> None:
    """Delete what was replaced, and what a killed process left long ago."""
    gone = {f"{folder}/{key}" for key in former} - {f"{folder}/{key}" for key in keys}
    kept = {f"{folder}/{key}" for key in keys} | {f"{folder}/{POINTER}"}
    now = datetime.now(UTC)
    gone |= {
        entry.key
        for entry in bucket.objects_below(f"{folder}/")
        if entry.key not in kept and now - entry.written_at > _ABANDONED
    }
    bucket.delete(gone)
