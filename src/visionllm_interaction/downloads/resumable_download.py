"""One file from a server to disk: continued after every interruption, never put in place before it is right.

Bytes go to ``NAME.part``; ``NAME.part.json`` says which version of which file they belong to, so that another
process can continue. A try that brought new bytes is followed by the next at once; tries that bring none wait
longer each time, and there is a limit to them.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from visionllm_interaction.downloads.config import Advice, DownloadConfig
from visionllm_interaction.downloads.disk_space import Space, full_disk_reported
from visionllm_interaction.downloads.http_range import (
    PermanentHttpError,
    RangeResponse,
    TransientHttpError,
    read_response,
)
from visionllm_interaction.downloads.progress import Report
from visionllm_interaction.downloads.remote_file_info import Remote, digests_of
from visionllm_interaction.errors import DownloadFailed, InputDataError, VisionLLMError
from visionllm_interaction.utils.atomic_files import sync_folder, write_file
from visionllm_interaction.utils.logs import log

_UNKNOWN_STEP = 64 << 20
"""How much room is claimed at a time for a file whose length the server does not tell."""

_SAME_WRONG_FILE = 3
"""After so many times the same wrong file the server is taken at its word."""


class Stopped(Exception):
    """Another file failed or the user stopped; this one keeps what it has."""


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A complete file: where it is, where it came from, and what it is."""

    path: Path
    url: str
    bytes: int
    sha256: str
    validator: str | None


@dataclass(frozen=True, slots=True)
class BatchContext:
    """What the transfers of one batch share."""

    client: httpx.Client
    config: DownloadConfig
    space: Space
    report: Report
    stop: threading.Event
    advice: Advice


class Transfer:
    """The state of one download; call :meth:`run` once."""

    def __init__(self, remote: Remote, folder: Path, around: BatchContext) -> None:
        self.remote = remote
        self.target = folder / remote.name
        self.part = folder / f"{remote.name}.part"
        self._around = around
        self._highest = self._have()
        self._discards = 0
        self._wrong_digests: list[str] = []
        self._validator, self._total = self._read_note()

    def run(self) -> Downloaded:
        """Download what is missing of the file.

        Returns:
            The complete file.

        Raises:
            DownloadFailed: if the server refuses, or keeps failing.
            InputDataError: if what it sends is not what the checksum says, each time.
            SpaceError: if it does not fit on the disk.
        """
        kept = self._finished_before()
        if kept:
            return kept
        config = self._around.config
        retrying = Retrying(
            retry=retry_if_exception_type(TransientHttpError),
            stop=stop_after_attempt(config.retries + 1),
            wait=_wait(wait_random_exponential(multiplier=config.first_pause_s, max=config.longest_pause_s)),
            sleep=self._sleep,
            before_sleep=self._tell,
            reraise=True,
        )
        try:
            while not retrying.copy()(self._try):
                pass
            return self._put_in_place()
        except TransientHttpError as fault:
            raise self._failed(fault.reason) from fault
        except PermanentHttpError as refusal:
            raise self._failed(str(refusal)) from refusal
        finally:
            self._around.space.release(self.part)

    def _try(self) -> bool:
        """One request; whether the file is complete and right. A fault in a try that brought bytes is no fault."""
        try:
            self._receive(self._have())
            self._check_length()
        except (httpx.TransportError, TransientHttpError) as error:
            fault = (
                error
                if isinstance(error, TransientHttpError)
                else TransientHttpError(f"{type(error).__name__}: {error}")
            )
            if fault.discard:
                self._discard(fault)
            if self._gained():
                return False
            raise fault from error
        self._check_content()
        return True

    def _gained(self) -> bool:
        have, before = self._have(), self._highest
        self._highest = max(have, before)
        return have > before

    def _receive(self, have: int) -> None:
        if have and not (self._validator or self.remote.checksum):
            have = 0  # nothing would tell whether the rest belongs to what is here
        headers = {"Accept-Encoding": "identity", "Range": f"bytes={have}-"}
        if have and self._validator:
            headers["If-Range"] = self._validator
        with self._around.client.stream("GET", self.remote.url, headers=headers) as response:
            answer = read_response(response.status_code, response.headers, have)
            if answer.nothing_left:
                self._total = answer.total
                self.part.touch()
                return
            self._accept(answer)
            with full_disk_reported(self.part.parent, advice=self._around.advice.space):
                self._write(response, answer.begin)

    def _accept(self, answer: RangeResponse) -> None:
        """Take note of the version that is coming, unless it is not the one that is here."""
        expected = self.remote.bytes or (self._total if answer.begin else None)
        if None not in (expected, answer.total) and expected != answer.total:
            raise TransientHttpError(f"says {answer.total} bytes, expected {expected}", discard=bool(answer.begin))
        if answer.begin and answer.validator != self._validator:
            raise TransientHttpError("has another version of the file now", discard=True)
        self._validator, self._total = answer.validator, answer.total
        if self._total is not None:
            self._around.space.claim(self.part, self._total)
        note = {"url": self.remote.public_url, "validator": self._validator, "total": self._total}
        write_file(self._note, json.dumps(note).encode())

    def _write(self, response: httpx.Response, begin: int) -> None:
        with self.part.open("r+b" if self.part.exists() else "wb") as stream:
            stream.truncate(begin)
            stream.seek(begin)
            done = begin
            try:
                # No chunk size: to fill one httpx holds bytes back, and they would be lost with the connection.
                for chunk in response.iter_raw():
                    self._before_chunk(done, len(chunk))
                    stream.write(chunk)
                    done += len(chunk)
                    self._around.report(self.remote.name, done, self._total)
            finally:
                _sync(stream)

    def _before_chunk(self, done: int, size: int) -> None:
        if self._around.stop.is_set():
            raise Stopped
        if self._total is not None and done + size > self._total:
            raise TransientHttpError(f"sends more than the {self._total} bytes it told of", discard=True)
        if self._total is None and done % _UNKNOWN_STEP < size:
            self._around.space.claim(self.part, done + _UNKNOWN_STEP)

    def _check_length(self) -> None:
        have = self._have()
        if self._total is not None and have < self._total:
            raise TransientHttpError(f"sent {have} of {self._total} bytes")
        if self.remote.bytes is None and self.remote.checksum is None:
            self._confirm_length(have)

    def _confirm_length(self, have: int) -> None:
        """Ask for the last byte alone: a wrong length, told once, must not cut the file."""
        headers = {"Accept-Encoding": "identity", "Range": f"bytes={max(have - 1, 0)}-"}
        with self._around.client.stream("GET", self.remote.url, headers=headers) as response:
            answer = read_response(response.status_code, response.headers, max(have - 1, 0))
        if answer.total is not None and answer.total != have:
            raise TransientHttpError(f"told of {have} bytes first and of {answer.total} later", discard=True)

    def _check_content(self) -> None:
        checksum, size = self.remote.checksum, self.remote.bytes
        if size is not None and self._have() != size:
            raise self._discard(TransientHttpError(f"sent {self._have()} bytes, expected {size}"))
        if checksum is None:
            return
        found = digests_of(self.part, [checksum.algorithm])[checksum.algorithm]
        if found != checksum.value:
            self._wrong_digests.append(found)
            if self._wrong_digests.count(found) == _SAME_WRONG_FILE:
                self._discards = self._around.config.retries  # it is the file that the server has
            raise self._discard(TransientHttpError(f"sent a file of {checksum.algorithm} {found}"))

    def _discard(self, fault: TransientHttpError) -> TransientHttpError:
        self.part.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)
        self._validator = self._total = None
        self._highest = 0
        self._discards += 1
        if self._discards > self._around.config.retries:
            raise InputDataError(
                "A download is wrong each time.",
                expected=str(self.remote.checksum) if self.remote.checksum else "the same file each time",
                found=f"the server {fault.reason}",
                where=self.remote.public_url,
                fix=self._around.advice.checksum,
            )
        return fault

    def _put_in_place(self) -> Downloaded:
        sha256 = digests_of(self.part, ["sha256"])["sha256"]
        result = Downloaded(self.target, self.remote.public_url, self._have(), sha256, self._validator)
        content = {"url": result.url, "bytes": result.bytes, "sha256": sha256, "validator": self._validator}
        self.part.replace(self.target)
        write_file(self._receipt, json.dumps(content).encode())
        self._note.unlink(missing_ok=True)
        sync_folder(self.target.parent)
        return result

    def _finished_before(self) -> Downloaded | None:
        """The file as an earlier call left it, if it still is what that call wrote down and what is asked for."""
        content = _read_json(self._receipt)
        if content.get("url") != self.remote.public_url or not self.target.is_file():
            return None
        checksum = self.remote.checksum
        digests = digests_of(self.target, ["sha256", *([checksum.algorithm] if checksum else [])])
        if digests["sha256"] != content.get("sha256") or (checksum and digests[checksum.algorithm] != checksum.value):
            return None
        size = self.target.stat().st_size
        self._around.report(self.remote.name, size, size)
        return Downloaded(self.target, self.remote.public_url, size, digests["sha256"], content.get("validator"))

    @property
    def _note(self) -> Path:
        return self.part.with_name(f"{self.part.name}.json")

    @property
    def _receipt(self) -> Path:
        return self.target.with_name(f"{self.target.name}.json")

    def _have(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _read_note(self) -> tuple[str | None, int | None]:
        content = _read_json(self._note)
        if content.get("url") != self.remote.public_url:
            self.part.unlink(missing_ok=True)
            self._highest = 0
            return None, None
        return content.get("validator"), content.get("total")

    def _sleep(self, seconds: float) -> None:
        if self._around.stop.wait(seconds):
            raise Stopped

    def _tell(self, state: RetryCallState) -> None:
        reason = str(state.outcome.exception()) if state.outcome else ""
        log.warning("download interrupted, trying again", file=self.remote.name, reason=reason)

    def _failed(self, reason: str) -> VisionLLMError:
        return DownloadFailed(
            "A file cannot be downloaded.",
            expected=self.remote.name,
            found=f"the server {reason}" if not reason[:1].isupper() else reason,
            where=self.remote.public_url,
            fix="the same command continues from what has arrived; check the address and the connection",
        )


def _wait(growing: Callable[[RetryCallState], float]) -> Callable[[RetryCallState], float]:
    """A growing pause, or longer where the server asked for it."""

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        return max(growing(state), error.retry_after_s if isinstance(error, TransientHttpError) else 0.0)

    return wait


def _sync(stream: BinaryIO) -> None:
    stream.flush()
    os.fsync(stream.fileno())


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
