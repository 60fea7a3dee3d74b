"""Uploads that can be resumed: the files of tus 1.0 (https://tus.io/protocols/resumable-upload), without its HTTP.

An upload is a folder with the bytes that have arrived and a record of what is to come. Bytes are written at the place
that the client names and checked against what is there, so that a request that was cut off, and one that still hangs,
do no harm. An upload that gets no byte for a while is deleted.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from visionllm_interaction.artifacts.manifest import utc_now
from visionllm_interaction.server.intake.uploads import JobOptions, ReceivedVideo
from visionllm_interaction.utils.atomic_files import PARTIAL_PREFIX, publish_folder, write_file
from visionllm_interaction.utils.file_locks import HeldLock, wait_for_lock_file

CLEAN_EVERY_S = 600.0
_ID = re.compile(r"^[0-9a-f]{32}$")
_RECORD, _DATA, _LOCK = "upload.json", "data", ".complete.lock"
_LINK = "arrived"
"""A second name of the bytes, which becomes the file of the video: they stay here until its job is noted."""


class ResumableUpload(BaseModel):
    """The record of an upload that is not complete yet, or whose video was accepted a while ago.

    Attributes:
        upload_id: random, and known to who created it only.
        name: the file name sent by the client.
        fingerprint: how the client knows the file again; empty: it sent none.
        length: bytes of the whole file.
        options: options of the analysis.
        project: the project of the video.
        created_at: UTC.
        job_id: the job, once the upload is complete and its video accepted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    upload_id: str
    name: str
    fingerprint: str = ""
    length: int
    options: JobOptions
    project: str
    created_at: str
    job_id: str | None = None


class ResumableUploads:
    """The folder of resumable uploads.

    Args:
        folder: where they lie; kept over restarts.
        expiry_s: seconds without a byte after which one is deleted.
    """

    def __init__(self, folder: Path, *, expiry_s: float) -> None:
        self._folder = folder
        self.expiry_s = expiry_s
        self._stop = threading.Event()

    def start(self) -> None:
        """Delete the uploads that have expired, now and every few minutes."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._stop.clear()
        threading.Thread(target=self._clean_until_stopped, name="clean-uploads", daemon=True).start()

    def stop(self) -> None:
        """Stop deleting."""
        self._stop.set()

    def create(
        self, *, name: str, length: int, options: JobOptions, project: str, fingerprint: str = ""
    ) -> ResumableUpload:
        """Make room for an upload; no byte of it is here yet.

        Args:
            name: the file name sent by the client.
            length: bytes of the whole file.
            options: options of the analysis.
            project: the project of the video.
            fingerprint: how the client knows the file again.

        Returns:
            Its record.
        """
        upload = ResumableUpload(
            upload_id=uuid.uuid4().hex,
            name=name,
            fingerprint=fingerprint,
            length=length,
            options=options,
            project=project,
            created_at=utc_now(),
        )
        with publish_folder(self._folder / upload.upload_id) as partial:
            (partial / _RECORD).write_text(upload.model_dump_json(), encoding="utf-8")
            (partial / _DATA).touch()
        return upload

    def get(self, upload_id: str) -> ResumableUpload | None:
        """The upload with this id, or ``None``."""
        if not _ID.match(upload_id):
            return None
        try:
            return ResumableUpload.model_validate_json((self._folder / upload_id / _RECORD).read_bytes())
        except (OSError, ValidationError):
            return None

    def all(self) -> list[ResumableUpload]:
        """All uploads, newest first."""
        paths = self._folder.iterdir() if self._folder.is_dir() else ()
        found = [self.get(path.name) for path in paths]
        return sorted((one for one in found if one), key=lambda one: one.created_at, reverse=True)

    def project_of(self, upload_id: str) -> str | None:
        """The project of an upload; None if there is none with this id."""
        upload = self.get(upload_id)
        return upload.project if upload else None

    def offset(self, upload: ResumableUpload) -> int:
        """Number of bytes that have arrived."""
        if upload.job_id is not None:
            return upload.length
        try:
            return self.file(upload).stat().st_size
        except FileNotFoundError:
            return 0

    def bytes_to_come(self) -> int:
        """Number of bytes that are announced and not here yet, of all uploads."""
        return sum(one.length - self.offset(one) for one in self.all())

    def expires_at(self, upload: ResumableUpload) -> float:
        """When an upload is deleted if no byte comes, as Unix time."""
        return self._touched(upload.upload_id) + self.expiry_s

    def open(self, upload: ResumableUpload, offset: int) -> AppendedFile:
        """The file of an upload, to be written; close it with :meth:`close`.

        Args:
            upload: the upload.
            offset: where writing begins, in bytes.

        Returns:
            The file.

        Raises:
            FileNotFoundError: if the upload was given up or has expired.
        """
        descriptor = os.open(self._folder / upload.upload_id / _DATA, os.O_WRONLY | os.O_CREAT, 0o600)
        return AppendedFile(descriptor, offset, limit=upload.length)

    def close(self, upload: ResumableUpload, file: AppendedFile) -> None:
        """Close what :meth:`open` gave; bytes that came once the video was accepted are no second copy of it."""
        file.close()
        now = self.get(upload.upload_id)
        if now is not None and now.job_id is not None:
            self.file(upload).unlink(missing_ok=True)

    def completing(self, upload: ResumableUpload) -> HeldLock:
        """The lock under which an upload becomes a video: two requests may bring its last byte."""
        return wait_for_lock_file(self._folder / upload.upload_id / _LOCK)

    def received(self, upload: ResumableUpload) -> ReceivedVideo:
        """The file of an upload that is complete, read once for its digest; it may be moved away."""
        path = self.file(upload)
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        size, link = path.stat().st_size, path.with_name(_LINK)
        link.unlink(missing_ok=True)  # of a process that was killed
        with suppress(OSError):  # a file system without hard links
            os.link(path, link)
        return ReceivedVideo(link if link.exists() else path, digest, size)

    def file(self, upload: ResumableUpload) -> Path:
        """Where the bytes of an upload lie."""
        return self._folder / upload.upload_id / _DATA

    def finish(self, upload: ResumableUpload, job_id: str) -> None:
        """Remember the job of a complete upload, and forget what it is called: the video has its own record.

        An upload that was given up or has expired meanwhile stays gone.
        """
        done = upload.model_copy(update={"job_id": job_id, "name": "", "fingerprint": ""})
        folder = self._folder / upload.upload_id
        try:
            write_file(folder / _RECORD, done.model_dump_json().encode(), parents=False)
        except FileNotFoundError:
            return
        for name in (_DATA, _LINK):
            (folder / name).unlink(missing_ok=True)

    def delete(self, upload_id: str) -> None:
        """Delete an upload and what has arrived of it."""
        folder = self._folder / upload_id
        if not _ID.match(upload_id) or not folder.is_dir():
            return
        gone = self._folder / f"{PARTIAL_PREFIX}{uuid.uuid4().hex}"
        with suppress(FileNotFoundError):  # another request was faster
            folder.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)

    def forget_job(self, job_id: str) -> None:
        """Delete the uploads that led to a job whose video is erased."""
        for upload in self.all():
            if upload.job_id == job_id:
                self.delete(upload.upload_id)

    def clean(self) -> None:
        """Delete the uploads that got no byte for too long, and what killed processes left."""
        now = time.time()
        for path in list(self._folder.iterdir()):
            if path.name.startswith(PARTIAL_PREFIX) and now - path.stat().st_mtime > CLEAN_EVERY_S:
                shutil.rmtree(path, ignore_errors=True)
            elif _ID.match(path.name) and now - self._touched(path.name) > self.expiry_s:
                self.delete(path.name)

    def _touched(self, upload_id: str) -> float:
        """When the last byte came."""
        for name in (_DATA, _RECORD):
            with suppress(FileNotFoundError):
                return (self._folder / upload_id / name).stat().st_mtime
        return time.time()

    def _clean_until_stopped(self) -> None:
        while not self._stop.is_set():
            with suppress(OSError):
                self.clean()
            self._stop.wait(CLEAN_EVERY_S)


class AppendedFile:
    """The file of an upload while bytes come; they may not exceed its length."""

    def __init__(self, descriptor: int, offset: int, *, limit: int) -> None:
        self._descriptor = descriptor
        self._limit = limit
        self.offset = offset

    def write(self, chunk: bytes) -> bool:
        """Write the next chunk; False, and nothing is written, if it exceeds the length of the upload."""
        if self.offset + len(chunk) > self._limit:
            return False
        rest = memoryview(chunk)
        while rest:
            written = os.pwrite(self._descriptor, rest, self.offset)
            self.offset += written
            rest = rest[written:]
        return True

    def close(self) -> None:
        """Wait until what has arrived is on the disk. After gigabytes that takes a while."""
        with suppress(OSError):
            os.fsync(self._descriptor)
        os.close(self._descriptor)
