"""Files of the data folder as answers, which somebody may erase while they are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi.responses import FileResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from visionllm_interaction.server.problem_details import not_found


class StoredFileResponse(FileResponse):
    """A file, or 404 if it was erased since it was found; no log names it.

    If it is erased after the answer has begun, the connection is closed.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        has_begun = False

        async def noting(message: Any) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            self.stat_result = await run_in_threadpool(Path(self.path).stat)
            self.set_stat_headers(self.stat_result)
            await super().__call__(scope, receive, noting)
        except FileNotFoundError:
            if has_begun:
                raise ClientDisconnect from None
            raise not_found("file", scope["path"].rsplit("/", 1)[-1]) from None
