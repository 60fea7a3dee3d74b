"""Uploaded videos: one folder each below ``<data_dir>/uploads``, published atomically.

The id of a video ends with the first digits of its SHA-256, so that a file that is sent twice is stored once.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from visionllm_interaction.artifacts.manifest import utc_now
from visionllm_interaction.errors import OutputError
from visionllm_interaction.server.auth.roles import DEFAULT_PROJECT
from visionllm_interaction.server.intake.video_probe import EXTENSIONS, VideoMetadata
from visionllm_interaction.server.jobs.worker import JobOutcome, wait_for_worker
from visionllm_interaction.utils.atomic_files import PARTIAL_PREFIX, publish_folder, write_file
from visionllm_interaction.utils.file_locks import HeldLock, wait_for_lock
from visionllm_interaction.utils.logs import log
from visionllm_interaction.utils.schema_from_docstrings import DescribedModel

DIGEST_DIGITS = 12
OUTCOME_FILE = "outcome.json"
_ID = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,80}$")


class JobOptions(DescribedModel):
    """Options of the analysis of an upload."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    view: Literal["room", "ego"] = Field(default="room", description="room camera, or head camera (ego)")
    sample_fps: float | None = Field(
        default=None, gt=0, le=240, description="frames processed per second; default: the service's configuration"
    )


class Upload(BaseModel):
    """The record of an uploaded video, ``upload.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    video_id: str
    name: str
    file: str
    sha256: str
    bytes: int
    uploaded_at: str
    facts: VideoMetadata
    options: JobOptions
    job_id: str
    project: str = DEFAULT_PROJECT
    registered: str | None = None
    """Path of a file of this machine that was registered in its place; None: the file was uploaded."""


@dataclass(frozen=True)
class ReceivedVideo:
    """A file that has arrived whole: where it lies, its digest and its size."""

    path: Path
    sha256: str
    bytes: int


class IncomingFile:
    """An upload in progress: each chunk is written, hashed and counted."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bytes = 0
        self._hash = hashlib.sha256()
        self._stream: BinaryIO = path.open("xb")

    def write(self, chunk: bytes) -> None:
        """Write the next chunk."""
        self._hash.update(chunk)
        self.bytes += self._stream.write(chunk)

    @property
    def sha256(self) -> str:
        """Hex digest of the bytes received so far."""
        return self._hash.hexdigest()

    def close(self) -> None:
        """Finish writing; before that the last chunks may not be in the file."""
        self._stream.close()

    def received(self) -> ReceivedVideo:
        """Finish writing; the file as it has arrived."""
        self.close()
        return ReceivedVideo(self.path, self.sha256, self.bytes)


class Uploads:
    """The folder of complete uploads and the folder of uploads in progress."""

    def __init__(self, folder: Path, incoming: Path) -> None:
        self._folder = folder
        self._incoming = incoming
        self._of_jobs: dict[str, str] = {}
        self._known: dict[str, tuple[tuple[int, int, int], Upload]] = {}

    def prepare(self) -> None:
        """Create the folders and delete unfinished uploads of a killed process."""
        shutil.rmtree(self._incoming, ignore_errors=True)
        self._incoming.mkdir(parents=True)
        self._folder.mkdir(parents=True, exist_ok=True)
        with self.lock():  # another service may be keeping a video
            for left in self._folder.glob(f"{PARTIAL_PREFIX}*"):
                shutil.rmtree(left, ignore_errors=True)

    @contextmanager
    def receiving(self) -> Iterator[IncomingFile]:
        """A new file for an upload; it is deleted after the block unless :meth:`publish` moved it."""
        incoming = IncomingFile(self._incoming / uuid.uuid4().hex)
        try:
            yield incoming
        finally:
            incoming.close()
            incoming.path.unlink(missing_ok=True)

    def lock(self) -> HeldLock:
        """The lock of the folder, held while an upload is looked up and published or erased."""
        return wait_for_lock(self._folder)

    def publish(
        self,
        incoming: ReceivedVideo,
        *,
        name: str,
        facts: VideoMetadata,
        options: JobOptions,
        project: str = DEFAULT_PROJECT,
    ) -> Upload:
        """Store a complete file as a new upload with a new job id. Call it under :meth:`lock`."""
        upload = self._new(incoming, name, facts, options, project)
        with publish_folder(self._folder / upload.video_id) as partial:
            incoming.path.rename(partial / upload.file)
            (partial / "upload.json").write_text(upload.model_dump_json(indent=1), encoding="utf-8")
        return upload

    def register(
        self,
        there: ReceivedVideo,
        *,
        facts: VideoMetadata,
        options: JobOptions,
        project: str = DEFAULT_PROJECT,
    ) -> Upload:
        """Like :meth:`publish`, for a file of this machine that stays where it is. Call it under :meth:`lock`."""
        new = self._new(there, there.path.name, facts, options, project)
        upload = new.model_copy(update={"registered": str(there.path)})
        with publish_folder(self._folder / upload.video_id) as partial:
            (partial / "upload.json").write_text(upload.model_dump_json(indent=1), encoding="utf-8")
        return upload

    def _new(self, video: ReceivedVideo, name: str, facts: VideoMetadata, options: JobOptions, project: str) -> Upload:
        video_id = make_video_id(name, video.sha256, project)
        if self.get(video_id) is not None:  # the video of this id has moved to another project and kept its id
            video_id = make_video_id(name, video.sha256, f"{project}\n{uuid.uuid4().hex}")
        return Upload(
            video_id=video_id,
            name=safe_name(name),
            file=video_id[: -DIGEST_DIGITS - 1] + EXTENSIONS[facts.container],
            sha256=video.sha256,
            bytes=video.bytes,
            uploaded_at=utc_now(),
            facts=facts,
            options=options,
            job_id=new_job_id(),
            project=project,
        )

    def replace(self, upload: Upload) -> None:
        """Write a changed record, for example with a new job for the same video."""
        content = upload.model_dump_json(indent=1).encode()
        write_file(self._folder / upload.video_id / "upload.json", content, parents=False)

    def get(self, video_id: str) -> Upload | None:
        """The upload with this id, or ``None``."""
        if not _ID.match(video_id):
            return None
        record = self._folder / video_id / "upload.json"
        try:
            stat = record.stat()
            written = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            known = self._known.get(video_id)
            if known is None or known[0] != written:
                known = (written, Upload.model_validate_json(record.read_bytes()))
                self._known[video_id] = known
            return known[1]
        except FileNotFoundError:
            self._known.pop(video_id, None)
            return None
        except (OSError, ValidationError) as error:
            log.error(
                "the record of an upload is damaged: erase it, and upload the video again", error=str(error)[:300]
            )
            return None

    def has_folder(self, video_id: str) -> bool:
        """Whether there is anything of an upload with this id, be its record damaged."""
        return bool(_ID.match(video_id)) and (self._folder / video_id).is_dir()

    def find(self, sha256: str, project: str = DEFAULT_PROJECT) -> Upload | None:
        """The upload with these bytes in a project, or ``None``."""
        # By what the records say: a video that was moved to another project has kept its id.
        return next((one for one in self.all() if one.sha256 == sha256 and one.project == project), None)

    def of_job(self, job_id: str) -> Upload | None:
        """The upload that a job analyses, or ``None``."""
        known = self.get(self._of_jobs.get(job_id, ""))
        if known is None or known.job_id != job_id:
            self._of_jobs = {upload.job_id: upload.video_id for upload in self.all()}
            known = self.get(self._of_jobs.get(job_id, ""))
        return known

    def keep_outcome(self, upload: Upload, outcome: JobOutcome) -> None:
        """Keep how a job ended, beside its video: it is erased with the video, and no database knows of it."""
        content = json.dumps({"job_id": upload.job_id, **outcome}).encode()
        try:
            write_file(self.folder(upload) / OUTCOME_FILE, content, parents=False)
        except (OSError, OutputError) as error:  # the video was erased, or the disk is full
            log.warning("the outcome of a job cannot be kept", job_id=upload.job_id, error=type(error).__name__)

    def outcome(self, upload: Upload) -> JobOutcome | None:
        """How the job of an upload ended; None while it has not, or where that could not be kept."""
        try:
            kept = json.loads((self.folder(upload) / OUTCOME_FILE).read_bytes())
            if kept.pop("job_id") != upload.job_id:
                return None
            return JobOutcome(status=kept["status"], result=kept["result"], error=kept["error"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def all(self) -> list[Upload]:
        """All uploads, newest first."""
        found = [self.get(path.name) for path in self._folder.iterdir() if path.is_dir()]
        return sorted((u for u in found if u), key=lambda u: (u.uploaded_at, u.video_id), reverse=True)

    def folder_names(self) -> list[str]:
        """Ids of all uploads, also those whose record is damaged; none before the first start of the service."""
        if not self._folder.is_dir():
            return []
        return sorted(path.name for path in self._folder.iterdir() if path.is_dir() and _ID.match(path.name))

    def folder(self, upload: Upload) -> Path:
        """The folder of one upload."""
        return self._folder / upload.video_id

    def path(self, upload: Upload) -> Path:
        """The video file: uploaded, or registered where it lies."""
        if upload.registered is not None:
            return Path(upload.registered)
        return self._folder / upload.video_id / upload.file

    def erase(self, video_id: str) -> bool:
        """Delete an upload, atomically, and wait until no worker is at it any more; returns whether there was one."""
        folder = self._folder / video_id
        if not _ID.match(video_id) or not folder.is_dir():
            return False
        erased = self._folder / f"{PARTIAL_PREFIX}erased-{uuid.uuid4().hex[:8]}"
        folder.rename(erased)
        wait_for_worker(erased)
        shutil.rmtree(erased)
        return True


def safe_name(name: str) -> str:
    """The file name sent by the client, without folders and control characters, at most 120 characters."""
    base = re.split(r"[/\\]", name)[-1]
    return "".join(c for c in base if c.isprintable()).strip()[-120:] or "video"


def make_video_id(name: str, sha256: str, project: str = DEFAULT_PROJECT) -> str:
    """A readable id: the stem of the file name in plain letters, and digits of the digest."""
    stem = re.sub(r"[^A-Za-z0-9_]+", "-", Path(safe_name(name)).stem).strip("-_")[:40] or "video"
    return f"{stem}-{_digits(sha256, project)}"


def _digits(sha256: str, project: str) -> str:
    """What an id ends with: two projects with the same file have two videos, and neither tells of the other."""
    own = sha256 if project == DEFAULT_PROJECT else hashlib.sha256(f"{project}\n{sha256}".encode()).hexdigest()
    return own[:DIGEST_DIGITS]


def new_job_id() -> str:
    """A new, unique job id."""
    return f"job-{uuid.uuid4().hex[:20]}"
