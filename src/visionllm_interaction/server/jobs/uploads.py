"""Uploaded videos: one folder each below ``<data_dir>/uploads``, published whole, erased by deleting it.

The same bytes are one video: its id ends with the first digits of its SHA-256, so that sending a file twice
finds the first upload instead of making a second.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal

from pydantic import BaseModel, ConfigDict, Field

from visionllm_interaction.artifacts.manifest import utc_now
from visionllm_interaction.server.jobs.video_probe import EXTENSIONS, VideoFacts
from visionllm_interaction.utils.atomic_files import PARTIAL_PREFIX, publish_folder, write_file
from visionllm_interaction.utils.file_locks import HeldLock, wait_for_lock

DIGEST_DIGITS = 12
_ID = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,80}$")


class JobOptions(BaseModel):
    """How an upload is to be analysed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    view: Literal["room", "ego"] = Field(default="room", description="room camera, or head camera (ego)")
    sample_fps: float | None = Field(
        default=None, gt=0, le=240, description="frames looked at per second; default: the service's configuration"
    )


class Upload(BaseModel):
    """What is known of an uploaded video before it is analysed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    video_id: str
    name: str
    file: str
    sha256: str
    bytes: int
    uploaded_at: str
    facts: VideoFacts
    options: JobOptions
    job_id: str


class Incoming:
    """A file that is arriving: written, hashed and counted piece by piece."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bytes = 0
        self._hash = hashlib.sha256()
        self._stream: BinaryIO = path.open("xb")

    def write(self, piece: bytes) -> None:
        """Take the next piece."""
        self._hash.update(piece)
        self.bytes += self._stream.write(piece)

    @property
    def sha256(self) -> str:
        """Digest of what has arrived."""
        return self._hash.hexdigest()

    def close(self) -> None:
        """Finish writing; before this the last pieces may not be in the file yet."""
        self._stream.close()


class Uploads:
    """The folder of uploads and the folder of files that are arriving."""

    def __init__(self, folder: Path, incoming: Path) -> None:
        self._folder = folder
        self._incoming = incoming

    def prepare(self) -> None:
        """Make the folders and drop what a killed process left half-done."""
        shutil.rmtree(self._incoming, ignore_errors=True)
        self._incoming.mkdir(parents=True)
        self._folder.mkdir(parents=True, exist_ok=True)
        for left in self._folder.glob(f"{PARTIAL_PREFIX}*"):
            shutil.rmtree(left, ignore_errors=True)

    @contextmanager
    def arriving(self) -> Iterator[Incoming]:
        """A new file to write an upload to; it is gone after the block unless :meth:`publish` took it."""
        incoming = Incoming(self._incoming / uuid.uuid4().hex)
        try:
            yield incoming
        finally:
            incoming.close()
            incoming.path.unlink(missing_ok=True)

    def lock(self) -> HeldLock:
        """Held while an upload is looked up and published or erased, by all processes on this folder."""
        return wait_for_lock(self._folder)

    def publish(self, incoming: Incoming, *, name: str, facts: VideoFacts, options: JobOptions) -> Upload:
        """Keep what arrived (and is closed) as a new upload with a new job id; call it under :meth:`lock`."""
        video_id = make_video_id(name, incoming.sha256)
        upload = Upload(
            video_id=video_id,
            name=safe_name(name),
            file=video_id[: -DIGEST_DIGITS - 1] + EXTENSIONS[facts.container],
            sha256=incoming.sha256,
            bytes=incoming.bytes,
            uploaded_at=utc_now(),
            facts=facts,
            options=options,
            job_id=new_job_id(),
        )
        with publish_folder(self._folder / upload.video_id) as partial:
            incoming.path.rename(partial / upload.file)
            (partial / "upload.json").write_text(upload.model_dump_json(indent=1), encoding="utf-8")
        return upload

    def replace(self, upload: Upload) -> None:
        """Write a changed record (a new job for the same video)."""
        write_file(self._folder / upload.video_id / "upload.json", upload.model_dump_json(indent=1).encode())

    def get(self, video_id: str) -> Upload | None:
        """The upload with this id, or ``None``."""
        if not _ID.match(video_id):
            return None
        record = self._folder / video_id / "upload.json"
        try:
            return Upload.model_validate_json(record.read_bytes())
        except FileNotFoundError:
            return None

    def find(self, sha256: str) -> Upload | None:
        """The upload with these bytes, or ``None``."""
        candidates = (self.get(path.name) for path in self._folder.glob(f"*-{sha256[:DIGEST_DIGITS]}"))
        return next((upload for upload in candidates if upload and upload.sha256 == sha256), None)

    def all(self) -> list[Upload]:
        """All uploads, newest first."""
        found = [self.get(path.name) for path in self._folder.iterdir() if path.is_dir()]
        return sorted((u for u in found if u), key=lambda u: u.uploaded_at, reverse=True)

    def folder(self, upload: Upload) -> Path:
        """The folder of one upload."""
        return self._folder / upload.video_id

    def path(self, upload: Upload) -> Path:
        """The kept copy of the video."""
        return self._folder / upload.video_id / upload.file

    def erase(self, video_id: str) -> bool:
        """Delete the upload; returns whether there was one. Renamed first, so that it vanishes at once."""
        folder = self._folder / video_id
        if not _ID.match(video_id) or not folder.is_dir():
            return False
        doomed = self._folder / f"{PARTIAL_PREFIX}erased-{uuid.uuid4().hex[:8]}"
        folder.rename(doomed)
        shutil.rmtree(doomed)
        return True

    def free_bytes(self) -> int:
        """Free space where uploads are kept."""
        return shutil.disk_usage(self._folder).free


def safe_name(name: str) -> str:
    """The name of a file as sent, without folders and control characters, at most 120 characters."""
    base = re.split(r"[/\\]", name)[-1]
    return "".join(c for c in base if c.isprintable()).strip()[-120:] or "video"


def make_video_id(name: str, sha256: str) -> str:
    """A readable id: the file's stem in plain letters and the first digits of its digest."""
    stem = re.sub(r"[^A-Za-z0-9_]+", "-", Path(safe_name(name)).stem).strip("-_")[:40] or "video"
    return f"{stem}-{sha256[:DIGEST_DIGITS]}"


def new_job_id() -> str:
    """A fresh id for a job."""
    return f"job-{uuid.uuid4().hex[:20]}"
