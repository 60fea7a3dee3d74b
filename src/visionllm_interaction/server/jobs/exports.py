"""Exports of videos: one folder each below ``<data_dir>/exports/VIDEO_ID``, with its record, its outcome and its files.

Like an upload, an export lies apart from the database of jobs, which knows its random id only.
"""

from __future__ import annotations

import json
import re
import shutil
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from visionllm_interaction.artifacts.manifest import utc_now
from visionllm_interaction.core.evidence import ValuesUsed
from visionllm_interaction.errors import OutputError
from visionllm_interaction.server.jobs.worker import JobOutcome, wait_for_worker
from visionllm_interaction.utils.atomic_files import PARTIAL_PREFIX, publish_folder, write_file
from visionllm_interaction.utils.logs import log
from visionllm_interaction.utils.schema_from_docstrings import DescribedModel

ExportFormat = Literal[
    "eaf", "boris", "datavyu", "textgrid", "bids", "csv", "parquet", "coco", "json", "rrd", "mp4", "blurred"
]
"""The formats of ``visionllm export`` that are built in, and ``blurred``: the copy of ``visionllm blur``."""
FROM_IMAGES = frozenset({"mp4", "blurred"})
"""Formats that are made from the file of the video."""
FILES = "files"
CLEAN_EVERY_S = 600.0
_RECORD, _OUTCOME = "export.json", "outcome.json"
_PREFIX = "export-"
_ID = re.compile(r"^export-[0-9a-f]{20}\Z")
_VIDEO_ID = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}\Z")
Moment = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
Interval = tuple[Moment, Moment]


class ExportOptions(DescribedModel):
    """What is exported, and how."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"examples": [{"format": "eaf"}, {"format": "blurred", "blur": "faces", "mute": [[12, 15]]}]},
    )

    format: ExportFormat
    """ELAN (`eaf`), BORIS, Datavyu, Praat (`textgrid`), BIDS, CSV, Parquet, COCO, the timeline as JSON, Rerun (`rrd`),
    the annotated video (`mp4`), or a copy in which nobody can be recognised (`blurred`)."""
    values: ValuesUsed = "corrected"
    """Of a video that people have corrected: the corrected values, or those as detected."""
    blur: Literal["faces", "people"] | None = None
    """Of a blurred copy: what is blurred; null: faces, or nothing where intervals are listed."""
    blackout: tuple[Interval, ...] = Field(default=(), max_length=1000)
    """Of a blurred copy: intervals in seconds that are black and silent."""
    mute: tuple[Interval, ...] = Field(default=(), max_length=1000)
    """Of a blurred copy: intervals in seconds that are silent."""

    @model_validator(mode="after")
    def _of_a_blurred_copy(self) -> ExportOptions:
        if self.format != "blurred" and (self.blur or self.blackout or self.mute):
            raise ValueError("blur, blackout and mute are for the format blurred")
        if any(end_s < begin_s for begin_s, end_s in (*self.blackout, *self.mute)):
            raise ValueError("an interval ends before it begins")
        return self

    @property
    def blurs(self) -> Literal["faces", "people"] | None:
        """What is blurred."""
        if self.format != "blurred":
            return None
        return self.blur or (None if self.blackout or self.mute else "faces")


def detector_that_blurs(options: ExportOptions) -> Path | None:
    """The model that finds what an export blurs.

    Args:
        options: what is exported.

    Returns:
        Its file; None where nothing is blurred.

    Raises:
        ModelMissing: if no model on this machine finds it.
    """
    if options.blurs is None:
        return None
    # Imported here: only this format needs it.
    from visionllm_interaction.detection.registry.defaults import resolve_kind

    return resolve_kind(options.blurs, parts=["detector"])["detector"]


class Export(BaseModel):
    """The record of an export, ``export.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    job_id: str
    video_id: str
    options: ExportOptions
    created_at: str


class Exports:
    """The folder of exports.

    Args:
        folder: where they lie.
        expiry_s: seconds after which one is deleted.
    """

    def __init__(self, folder: Path, *, expiry_s: float) -> None:
        self._folder = folder
        self._expiry_s = expiry_s
        self._stop = threading.Event()

    def start(self) -> None:
        """Delete the exports that have expired, now and every few minutes."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._stop.clear()
        threading.Thread(target=self._clean_until_stopped, name="clean-exports", daemon=True).start()

    def stop(self) -> None:
        """Stop deleting."""
        self._stop.set()

    def create(self, video_id: str, options: ExportOptions) -> Export:
        """Make the record of a new export; its files are made by its job.

        Args:
            video_id: the video.
            options: what is exported.

        Returns:
            The record.
        """
        export = Export(
            job_id=f"{_PREFIX}{uuid.uuid4().hex[:20]}", video_id=video_id, options=options, created_at=utc_now()
        )
        (self._folder / video_id).mkdir(parents=True, exist_ok=True)
        with publish_folder(self.folder(export)) as partial:
            (partial / _RECORD).write_text(export.model_dump_json(), encoding="utf-8")
        return export

    def get(self, job_id: str) -> Export | None:
        """The export of a job, or ``None``."""
        if not _ID.match(job_id) or not self._folder.is_dir():
            return None
        return next((_read(path) for path in self._folder.glob(f"*/{job_id}")), None)

    def of_video(self, video_id: str) -> list[Export]:
        """The exports of one video, newest first."""
        return self._newest(self._folder / video_id) if _VIDEO_ID.match(video_id) else []

    def all(self) -> list[Export]:
        """All exports, newest first."""
        folders = [path for path in self._folder.iterdir() if path.is_dir()] if self._folder.is_dir() else []
        return sorted(
            (one for folder in folders for one in self._newest(folder)), key=lambda one: one.created_at, reverse=True
        )

    def folder(self, export: Export) -> Path:
        """The folder of one export."""
        return self._folder / export.video_id / export.job_id

    def file(self, export: Export, name: str) -> Path | None:
        """A file of an export that is done.

        Args:
            export: the export.
            name: name of the file, as the result of the job lists it.

        Returns:
            Its path; None if there is no such file.
        """
        outcome = self.outcome(export)
        listed = (outcome["result"] or {}).get("files", []) if outcome else []
        path = self.folder(export) / FILES / name
        return path if any(one["name"] == name for one in listed) and path.is_file() else None

    def keep_outcome(self, export: Export, outcome: JobOutcome, *, replace: bool = True) -> None:
        """Keep how the job of an export ended.

        Args:
            export: the export.
            outcome: how it ended.
            replace: whether an outcome that is kept already is replaced.
        """
        try:
            path = self.folder(export) / _OUTCOME
            write_file(path, json.dumps(outcome).encode(), replace=replace, parents=False)
        except (OSError, OutputError) as error:  # the video was erased, or the disk is full
            log.warning("the outcome of an export cannot be kept", job_id=export.job_id, error=type(error).__name__)

    def outcome(self, export: Export) -> JobOutcome | None:
        """How the job of an export ended; None while it has not."""
        try:
            kept = json.loads((self.folder(export) / _OUTCOME).read_bytes())
            return JobOutcome(status=kept["status"], result=kept["result"], error=kept["error"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def delete(self, export: Export) -> None:
        """Delete an export and its files."""
        gone = self._folder / f"{PARTIAL_PREFIX}{uuid.uuid4().hex}"
        with suppress(FileNotFoundError):  # another request was faster
            self.folder(export).rename(gone)
            wait_for_worker(gone)
            shutil.rmtree(gone, ignore_errors=True)

    def erase(self, video_id: str) -> None:
        """Delete all exports of a video."""
        if _VIDEO_ID.match(video_id):
            shutil.rmtree(self._folder / video_id, ignore_errors=True)

    def clean(self) -> None:
        """Delete the exports that have expired, and what killed processes left."""
        now = time.time()
        for left in self._folder.glob(f"{PARTIAL_PREFIX}*"):
            shutil.rmtree(left, ignore_errors=True)
        for export in self.all():
            with suppress(FileNotFoundError):
                if now - (self.folder(export) / _OUTCOME).stat().st_mtime > self._expiry_s:
                    self.delete(export)

    def _newest(self, folder: Path) -> list[Export]:
        found = [_read(path) for path in folder.glob(f"{_PREFIX}*")]
        return sorted((one for one in found if one), key=lambda one: one.created_at, reverse=True)

    def _clean_until_stopped(self) -> None:
        while not self._stop.is_set():
            with suppress(OSError):
                self.clean()
            self._stop.wait(CLEAN_EVERY_S)


def is_export(job_id: str) -> bool:
    """Whether the id of a job is that of an export."""
    return job_id.startswith(_PREFIX)


def _read(folder: Path) -> Export | None:
    try:
        return Export.model_validate_json((folder / _RECORD).read_bytes())
    except (OSError, ValidationError):
        return None
