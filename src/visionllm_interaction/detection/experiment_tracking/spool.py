"""Messages of a training to a tracking server, on disk first: nothing is lost while the server is unreachable.

A spool is a file of lines, one message each, and a cursor beside it: how many were delivered, and to which run.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visionllm_interaction.utils.atomic_files import write_file

SPOOL_NAME = "tracking.jsonl"
CURSOR_NAME = "tracking.cursor.json"
Message = dict[str, Any]


@dataclass
class Spool:
    """Messages of one training, oldest first. One process writes to it and delivers from it."""

    path: Path

    @classmethod
    def find_all(cls, folder: Path) -> list[Spool]:
        """Every spool in ``folder`` and below it, those of unfinished trainings too."""
        return [cls(path) for path in sorted(folder.rglob(SPOOL_NAME))]

    @property
    def cursor_path(self) -> Path:
        """The file with the number of delivered messages."""
        return self.path.with_name(CURSOR_NAME)

    def append(self, message: Mapping[str, Any]) -> None:
        """Add a message; it is on the disk when this returns."""
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(message) + "\n")
            stream.flush()
            os.fsync(stream.fileno())

    def messages(self) -> Iterator[Message]:
        """All messages; a last line that a power cut left incomplete is not one."""
        if self.path.is_file():
            for line in self.path.read_text(encoding="utf-8").splitlines(keepends=True):
                if line.endswith("\n"):
                    yield json.loads(line)

    @property
    def run_id(self) -> str | None:
        """The server's name of the run, once it is known."""
        run_id: str | None = self._cursor()["run_id"]
        return run_id

    def pending(self) -> list[Message]:
        """What was not delivered yet."""
        return list(self.messages())[self._cursor()["delivered"] :]

    def delivered(self, count: int, *, run_id: str | None) -> None:
        """Note that ``count`` more messages have arrived."""
        cursor = {"delivered": self._cursor()["delivered"] + count, "run_id": run_id}
        write_file(self.cursor_path, json.dumps(cursor).encode())

    def _cursor(self) -> dict[str, Any]:
        if not self.cursor_path.is_file():
            return {"delivered": 0, "run_id": None}
        cursor: dict[str, Any] = json.loads(self.cursor_path.read_bytes())
        return cursor

    def remove(self) -> None:
        """Delete both files."""
        self.path.unlink(missing_ok=True)
        self.cursor_path.unlink(missing_ok=True)

    def remove_with_folder(self) -> None:
        """Delete both files, and their folder if it is empty then."""
        self.remove()
        with contextlib.suppress(OSError):
            self.path.parent.rmdir()
