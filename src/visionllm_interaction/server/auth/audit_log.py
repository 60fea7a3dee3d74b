"""The audit log: who saw, uploaded, exported, erased or changed what, and when. Rows are only ever added.

Each row holds the digest of the row before it, and the digest of the last row lies beside the log, so that a row that
was changed or removed shows (:meth:`AuditLog.verify`). That protects against mistakes and against whoever can write the
log only; somebody who owns the whole data folder can write another history.

A row never names a video. It holds a random token, and a file beside the log says which video the token stands for.
Erasing the video removes that file: what stays is that something was uploaded, seen and erased, not what.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from visionllm_interaction.errors import OutputError
from visionllm_interaction.server.auth.roles import Principal
from visionllm_interaction.utils.atomic_files import write_file
from visionllm_interaction.utils.logs import log

READS = frozenset({"view", "ask"})
"""What is done again and again while somebody looks: logged once in :data:`READ_EVERY_S` for each key and video."""
READ_EVERY_S = 600.0
FIRST = "0" * 64
"""What the first row has in place of the digest of a row before it."""


class AuditRow(BaseModel):
    """One row.

    Attributes:
        seq: its number, from 1.
        at: when, ISO 8601, UTC.
        who: name of the key.
        key_id: id of the key.
        action: what was done, for example ``upload``.
        route: the address, as a template.
        subject: the token of a video; None: it was about none.
        project: the project of the video, or the one that was changed.
        missed: number of rows before this one that could not be written.
        previous: digest of the row before it.
        digest: SHA-256 of all this.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seq: int
    at: str
    who: str
    key_id: str
    action: str
    route: str
    subject: str | None = None
    project: str | None = None
    missed: int = 0
    previous: str
    digest: str

    def expected_digest(self) -> str:
        """The digest that the content of this row has."""
        return _digest(self.model_dump(exclude={"digest"}))


class AuditLog:
    """The log of one data folder.

    Args:
        folder: its folder.
        writer: name of this process among several; each writes a file of its own.
    """

    def __init__(self, folder: Path, *, writer: str) -> None:
        self._folder = folder
        self._file = folder / f"{writer}.jsonl"
        self._head = folder / f"{writer}.head"
        self._subjects = folder / "subjects"
        self._lock = threading.Lock()
        self._last: AuditRow | None = None
        self._opened = False
        self._missed = 0
        self._seen: dict[tuple[str, str, str | None], float] = {}

    def record(
        self, action: str, *, who: Principal, route: str, subject: str | None = None, project: str | None = None
    ) -> None:
        """Add a row. Where it cannot be written (a full disk), the next row says how many are missing.

        Args:
            action: what was done.
            who: who did it.
            route: the address, as a template.
            subject: the token of a video, from :meth:`subject_of`.
            project: the project of the video.
        """
        with self._lock:
            if self._is_repeated(who.key_id, action, subject):
                return
            try:
                self._append(action, who, route, subject, project)
            except OSError as error:
                self._missed += 1
                log.error("the audit log cannot be written", error=error.strerror)

    def subject_of(self, video_id: str, *, make: bool = True) -> str | None:
        """The token that stands for a video.

        Args:
            video_id: the video.
            make: whether it is made where there is none.

        Returns:
            The token; None if there is none and none was made.
        """
        path = self._subjects / video_id
        try:
            return path.read_text(encoding="ascii")
        except FileNotFoundError:
            if not make:
                return None
        token = f"video-{secrets.token_hex(8)}"
        try:
            write_file(path, token.encode(), mode=0o600, replace=False)
            return path.read_text(encoding="ascii")
        except (OSError, OutputError):
            return token  # on a full disk the row tells at least that there was one

    def forget(self, video_id: str) -> None:
        """Forget which video a token stands for: the video is erased."""
        (self._subjects / video_id).unlink(missing_ok=True)

    def names(self) -> dict[str, str]:
        """The videos that tokens stand for: token → video id."""
        if not self._subjects.is_dir():
            return {}
        found: dict[str, str] = {}
        for path in self._subjects.iterdir():
            if not path.name.startswith("."):
                with suppress(FileNotFoundError):  # erased meanwhile
                    found[path.read_text(encoding="ascii")] = path.name
        return found

    def rows(self) -> list[AuditRow]:
        """The rows of all processes, newest first."""
        found = [row for file in self._files() for row in _read_rows(file)]
        return sorted(found, key=lambda row: (row.at, row.seq, row.digest), reverse=True)

    def verify(self) -> list[str]:
        """Check that no row was changed or removed.

        Returns:
            What is wrong, one sentence each; none if nothing is.
        """
        return [fault for file in self._files() for fault in _faults_of(file)]

    def latest(self) -> datetime | None:
        """When this process, or an earlier one of its name, wrote its last row; None if there is none."""
        with self._lock, suppress(OSError):
            if not self._opened:
                self._open()
        return datetime.fromisoformat(self._last.at) if self._last else None

    def _is_repeated(self, key_id: str, action: str, subject: str | None) -> bool:
        if action not in READS:
            return False
        now, seen = time.monotonic(), (key_id, action, subject)
        if now - self._seen.get(seen, -READ_EVERY_S) < READ_EVERY_S:
            return True
        self._seen = {one: at for one, at in self._seen.items() if now - at < READ_EVERY_S}
        self._seen[seen] = now
        return False

    def _append(self, action: str, who: Principal, route: str, subject: str | None, project: str | None) -> None:
        if not self._opened:
            self._open()
        content = {
            "seq": self._last.seq + 1 if self._last else 1,
            "at": datetime.now(UTC).isoformat(timespec="microseconds"),
            "who": who.name,
            "key_id": who.key_id,
            "action": action,
            "route": route,
            "subject": subject,
            "project": project,
            "missed": self._missed,
            "previous": self._last.digest if self._last else FIRST,
        }
        row = AuditRow.model_validate({**content, "digest": _digest(content)})
        line = (row.model_dump_json() + "\n").encode()
        before = self._file.stat().st_size if self._file.exists() else 0
        descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            if os.write(descriptor, line) != len(line):
                os.ftruncate(descriptor, before)
                raise OSError(28, "No space left on device")
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
        self._last, self._missed = row, 0
        with suppress(OSError, OutputError):  # one that is behind hides the removal of the last rows only
            write_file(self._head, f"{row.seq} {row.digest}\n".encode(), mode=0o600)

    def _open(self) -> None:
        """Go on after the last row; a line that a killed process did not finish was never acted on, and goes."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if self._file.exists():
            content = self._file.read_bytes()
            whole = content[: content.rfind(b"\n") + 1]
            if len(whole) < len(content):
                os.truncate(self._file, len(whole))
            if whole:
                self._last = _parsed(whole.splitlines()[-1])
        self._opened = True

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("*.jsonl"))


def _digest(content: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _parsed(line: bytes) -> AuditRow | None:
    try:
        return AuditRow.model_validate_json(line)
    except ValidationError:
        return None


def _read_rows(file: Path) -> Iterator[AuditRow]:
    for line in file.read_bytes().splitlines():
        row = _parsed(line)
        if row is not None:
            yield row


def _faults_of(file: Path) -> Iterator[str]:
    previous, seq = FIRST, 0
    digests = {0: FIRST}
    last = _last_row_of(file)  # read first: a process may be adding rows, and each is in the log before it is here
    content = file.read_bytes()
    for number, line in enumerate(content[: content.rfind(b"\n") + 1].splitlines(), 1):  # the rest is being written
        row = _parsed(line)
        if row is None:
            yield f"{file.name}: line {number} is no row"
            return
        if row.digest != row.expected_digest():
            yield f"{file.name}: row {row.seq} was changed"
        if row.previous != previous or row.seq != seq + 1:
            yield f"{file.name}: rows are missing or changed before row {row.seq}"
        previous, seq = row.digest, row.seq
        digests[seq] = row.digest
    if last is not None and digests.get(last[0]) != last[1]:
        yield f"{file.name}: rows are missing or changed at the end: the last one had the number {last[0]}"


def _last_row_of(file: Path) -> tuple[int, str] | None:
    """Number and digest of the last row, as kept beside the log; None: they are not there."""
    with suppress(FileNotFoundError, ValueError):
        seq, digest = file.with_suffix(".head").read_text(encoding="ascii").split()
        return int(seq), digest
    return None
