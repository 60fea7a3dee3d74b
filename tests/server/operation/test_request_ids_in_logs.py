"""What is logged while a request is answered names the request: a traceback too, whoever logs it."""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import structlog
import uvicorn
from fastapi import APIRouter
from running_service import free_port, wait_for

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.errors import VisionLLMError
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server.app import create_app
from visionllm_interaction.server.auth.route_roles import add_routes, requires
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.utils.logs import RequestIdFilter, add_request_id, log

router = APIRouter(dependencies=[requires("anyone")])


@router.get("/unexpected")
def unexpected() -> None:
    raise RuntimeError("nobody expects this")


@router.get("/of-ours")
def of_ours() -> None:
    raise VisionLLMError("The store is damaged.")


@router.get("/told")
async def told() -> None:
    log.warning("something odd")


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What the command line's handlers write, whatever servers of other tests in this process have set up."""
    for name in ("uvicorn", "uvicorn.error"):
        monkeypatch.setattr(logging.getLogger(name), "handlers", [])
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)
    monkeypatch.setattr(log, "_set_up", None)
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RequestIdFilter())
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s%(request)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    known = structlog.get_config()
    structlog.configure(
        processors=[add_request_id, structlog.processors.LogfmtRenderer()],
        logger_factory=structlog.WriteLoggerFactory(stream),
    )
    yield stream
    logging.getLogger().removeHandler(handler)
    structlog.configure(**known)


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    app = create_app(
        ServeConfig(data_dir=tmp_path, page=False, insecure=True), analysis=AnalysisConfig(), reason=ReasonConfig()
    )
    add_routes(app, router)
    settings = uvicorn.Config(app, port=free_port(), lifespan="off", log_level="warning", log_config=None)
    server = uvicorn.Server(settings)
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_for(lambda: server.started, seconds=30)
    yield f"http://127.0.0.1:{settings.port}"
    server.should_exit = True
    thread.join(timeout=30)


def test_tracebacks_and_messages_name_their_request(address: str, logged: io.StringIO) -> None:
    for n, path in enumerate(("/unexpected", "/of-ours", "/told", "/unexpected")):
        httpx.get(address + path, headers={"X-Request-ID": f"request-{n}"})

    def heads_now() -> list[str]:
        return [line for line in logged.getvalue().splitlines() if line.startswith(("ERROR", "event="))]

    wait_for(lambda: len(heads_now()) == 4, seconds=30)  # the server logs once it has answered
    heads, lines = heads_now(), logged.getvalue().splitlines()
    for n, (head, begin) in enumerate(zip(heads, ("ERROR uvicorn", "ERROR vision", "event=", "ERROR"), strict=True)):
        assert head.startswith(begin) and f"request-{n}" in head, head
    assert sum(line.startswith("Traceback") for line in lines) >= 3
    logging.getLogger("after").error("nothing is asked")
    assert logged.getvalue().splitlines()[-1] == "ERROR after: nothing is asked"
