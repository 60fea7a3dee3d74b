"""``Idempotency-Key``: a request that is sent again with the same key is answered as the first time, and done once.

The answer of a request that succeeded is kept for a day. The key belongs to the API key that sent it; with another
request under the same key, 422 is the answer, and 409 while the first is still in work. Not guaranteed: if the service
is killed between the deed and the keeping of its answer, the request is done again.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Header, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.concurrency import run_in_threadpool

from visionllm_interaction.errors import OutputError
from visionllm_interaction.server.auth.route_roles import RoleCheck, known_principal
from visionllm_interaction.server.problem_details import http_problem
from visionllm_interaction.utils.atomic_files import write_file
from visionllm_interaction.utils.file_locks import try_lock_file
from visionllm_interaction.utils.logs import log

KEPT_S = 24 * 3600.0
CLEAN_EVERY_S = 600.0
"""How often what is older is looked for: a busy day keeps many thousands."""
HEADER = "idempotency-key"
_FINGERPRINTED = ("content-type", "if-match", "upload-length", "upload-metadata")
"""Headers that are part of what is asked for."""
_KEPT_HEADERS = ("content-type", "location", "etag", "tus-resumable", "upload-offset", "upload-expires")


def _idempotency_key(
    _key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=200,
            pattern=r"^[!-~]+$",
            description="Names the request: sent again with the same key within a day, it is done only once.",
        ),
    ] = None,
) -> None:
    """Declares the header."""


IDEMPOTENT = Depends(_idempotency_key)
"""A dependency of routes of :class:`IdempotentRoute`."""
IDEMPOTENT_STREAM = Depends(_idempotency_key)
"""A dependency of routes with a body too large for :class:`IdempotentRoute`: they call :func:`answered_once`."""


class KeptAnswer(BaseModel):
    """The answer of a request that succeeded."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fingerprint: str
    status: int
    headers: dict[str, str]
    body: str
    about: str = ""

    def response(self) -> Response:
        """The answer, sent once more."""
        return Response(base64.b64decode(self.body), self.status, {**self.headers, "idempotency-replayed": "true"})


class KeptAnswers:
    """The folder of kept answers.

    Args:
        folder: where they lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._clean_at = 0.0

    @contextmanager
    def held(self, who: str, key: str) -> Iterator[Path]:
        """Hold a key while its request is in work.

        Args:
            who: id of the API key.
            key: the idempotency key.

        Yields:
            Path: the file of its answer.

        Raises:
            HTTPException: 409 if the first request of this key is still in work.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        if time.monotonic() >= self._clean_at:
            self._clean_at = time.monotonic() + CLEAN_EVERY_S
            self.clean()
        path = self._folder / f"{hashlib.sha256(f'{who} {key}'.encode()).hexdigest()}.json"
        with self._lock:  # the lock file of an old key is removed by clean
            lock = try_lock_file(path.with_suffix(".lock"))
        if lock is None:
            raise http_problem(
                409,
                "The first request with this Idempotency-Key is still in work.",
                code="IDEMPOTENCY-IN-WORK",
                fix="send it again in a moment",
                headers={"Retry-After": "1"},
            )
        with lock:
            yield path

    def find(self, path: Path, fingerprint: str) -> KeptAnswer | None:
        """The answer that was given to a request.

        Args:
            path: the file of its key.
            fingerprint: of what it asks for.

        Returns:
            The answer; None if there was none, or it is older than a day.

        Raises:
            HTTPException: 422 if the key was used for another request.
        """
        try:
            if time.time() - path.stat().st_mtime > KEPT_S:
                return None
            kept = KeptAnswer.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            return None
        if kept.fingerprint != fingerprint:
            raise http_problem(
                422,
                "The Idempotency-Key was used for another request.",
                code="IDEMPOTENCY-KEY",
                expected="the same request as the first time, or a new key",
            )
        return kept

    def keep(self, path: Path, fingerprint: str, response: Response, *, about: str) -> None:
        """Keep an answer.

        Args:
            path: the file of its key.
            fingerprint: of what was asked for.
            response: the answer.
            about: ids of what it is about; once that is erased, so is this.
        """
        headers = {name: value for name, value in response.headers.items() if name in _KEPT_HEADERS}
        body = base64.b64encode(bytes(response.body)).decode()
        kept = KeptAnswer(fingerprint=fingerprint, status=response.status_code, headers=headers, body=body, about=about)
        try:
            write_file(path, kept.model_dump_json().encode(), mode=0o600)
        except (OSError, OutputError) as error:  # a full disk: the deed is done, so that its answer is still given
            log.warning("an answer cannot be kept for its Idempotency-Key", error=type(error).__name__)

    def forget(self, *names: str) -> None:
        """Forget the answers that are about something that is erased, or name it."""
        for path in self._folder.glob("*.json"):
            with suppress(OSError, ValidationError):
                kept = KeptAnswer.model_validate_json(path.read_bytes())
                said = f"{kept.about} {kept.headers} {base64.b64decode(kept.body).decode('utf-8', 'replace')}"
                if any(name in said for name in names):
                    path.unlink()

    def clean(self) -> None:
        """Delete what is older than a day."""
        now = time.time()
        for path in self._folder.glob("*.*"):
            with suppress(OSError):
                if now - path.stat().st_mtime <= KEPT_S:
                    continue
                with self._lock:
                    lock = try_lock_file(path.with_suffix(".lock"))
                    if lock is not None:
                        with lock:
                            path.unlink(missing_ok=True)


class IdempotentRoute(APIRoute):
    """A route whose requests may bring an ``Idempotency-Key``; their bodies are read whole, so that they are small."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler that answers from what is kept, where there is something.

        Returns:
            The handler.
        """
        handle = super().get_route_handler()
        if not any(one is IDEMPOTENT for one in self.dependencies):
            return handle

        async def answer(request: Request) -> Response:
            key = request.headers.get(HEADER)
            if key is None or not 1 <= len(key) <= 200:  # a key that is too long is refused with the other parameters
                return await handle(request)
            for one in self.dependencies:  # what was kept is shown only to whom the route would answer
                if isinstance(one.dependency, RoleCheck):
                    await run_in_threadpool(one.dependency, request)
            return await answered_once(request, key, await request.body(), lambda: handle(request))

        return answer


async def answered_once(
    request: Request, key: str, body: bytes, handle: Callable[[], Coroutine[Any, Any, Response]]
) -> Response:
    """Answer a request from what is kept, or do what it asks for and keep the answer.

    Args:
        request: the request.
        key: its idempotency key.
        body: its body, or what stands for it.
        handle: does what it asks for.

    Returns:
        The answer.

    Raises:
        HTTPException: 409 while the first request of the key is in work, 422 if that was another request.
    """
    kept_answers: KeptAnswers = request.scope["state"]["context"].service.kept_answers
    fingerprint = _fingerprint(request, body)
    holding = kept_answers.held(known_principal(request).key_id, key)
    path = await run_in_threadpool(holding.__enter__)
    try:
        kept = await run_in_threadpool(kept_answers.find, path, fingerprint)
        if kept is not None:
            request.state.audit_action = None  # nothing is done
            return kept.response()
        response = await handle()
        if response.status_code < 300:
            about = f"{request.url.path} {getattr(request.state, 'audit_video', None) or ''}"
            await run_in_threadpool(kept_answers.keep, path, fingerprint, response, about=about)
        return response
    finally:
        holding.__exit__(None, None, None)


def _fingerprint(request: Request, body: bytes) -> str:
    headers: Mapping[str, str] = request.headers
    said = [headers.get(name, "") for name in _FINGERPRINTED]
    if said[0].startswith("multipart/"):
        said[0] = ""  # its boundary is another one each time
    asked = [request.method, request.url.path, sorted(request.query_params.multi_items()), said]
    return hashlib.sha256(json.dumps(asked).encode() + b"\n" + body).hexdigest()
