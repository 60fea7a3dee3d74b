"""The files of an export on their way here: piece by piece, so that a download that was cut goes on where it was."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import BaseModel

from visionllm_interaction.client import calls
from visionllm_interaction.client.calls import ApiCall
from visionllm_interaction.client.models import RemoteJob
from visionllm_interaction.client.problems import ServiceProblem

PIECE_BYTES = 8_000_000


class ExportedFile(BaseModel):
    """A file of an export, as the result of its job lists it."""

    name: str
    bytes: int
    sha256: str


def exported_files(job: RemoteJob) -> list[ExportedFile]:
    """The files of an export that is done.

    Args:
        job: the job.

    Returns:
        Its files.

    Raises:
        ServiceProblem: if the job is no export that is done.
    """
    if job.kind != "export" or job.status != "done" or job.result is None:
        detail = {"detail": "There is nothing to download.", "expected": "an export that is done"}
        raise ServiceProblem(0, {**detail, "found": f"{job.kind}, {job.status}", "code": "NOT-DONE"})
    return [ExportedFile.model_validate(one) for one in job.result["files"]]


class RemoteFile:
    """One file while it arrives.

    Args:
        job: the job of the export.
        file: what is known of the file.
        folder: where it is put.
    """

    def __init__(self, job: RemoteJob, file: ExportedFile, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._job = job
        self._file = file
        self._path = folder / Path(file.name).name
        self._part = self._path.with_name(f".{self._path.name}.{file.sha256[:12]}.part")
        self._part.touch()

    def next_piece(self) -> ApiCall[bytes] | None:
        """The request for the next piece; None once all bytes are here."""
        begin = self._part.stat().st_size
        if begin >= self._file.bytes:
            return None
        return calls.export_piece(self._job, self._file.name, begin, min(begin + PIECE_BYTES, self._file.bytes))

    def write(self, piece: bytes) -> None:
        """Write a piece that has arrived."""
        with self._part.open("ab") as stream:
            stream.write(piece)

    def finish(self) -> Path:
        """Give the file its name.

        Returns:
            Its path.

        Raises:
            ServiceProblem: if its content is not what the service said; what arrived is deleted.
        """
        with self._part.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != self._file.sha256:
            self._part.unlink()
            detail = {"detail": "A file has not arrived as it is.", "expected": f"sha256 {self._file.sha256}"}
            raise ServiceProblem(0, {**detail, "found": f"sha256 {found}", "code": "DIGEST", "fix": "download again"})
        self._part.replace(self._path)
        return self._path
