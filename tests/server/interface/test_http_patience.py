"""Requests that stall, and a service that is stopped while something is being sent."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from running_service import free_port, wait_for

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server.app import create_app
from visionllm_interaction.server.config import ServeConfig, ServeLimits
from visionllm_interaction.server.http import client_timeouts
from visionllm_interaction.server.http.client_timeouts import DrainingServer, patient_protocol

STALL_S = 0.6
DRAIN_S = 1
HEAD = b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nkey="
HEALTH = b"GET /v1/healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.fixture(params=["asyncio", "uvloop"])
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[DrainingServer]:
    config = ServeConfig(data_dir=tmp_path, page=False, insecure=True, limits=ServeLimits(stall_s=STALL_S))
    app = create_app(config, analysis=AnalysisConfig(), reason=ReasonConfig())
    settings = uvicorn.Config(
        app,
        port=free_port(),
        lifespan="off",
        loop=request.param,
        ws="none",
        log_level="error",
        http=patient_protocol(STALL_S),
        timeout_graceful_shutdown=DRAIN_S,
    )
    server = DrainingServer(settings, app.state.stopping)
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_for(lambda: server.started, seconds=30)
    yield server
    server.should_exit = True
    thread.join(timeout=30)
    assert not thread.is_alive()


def send(server: DrainingServer, content: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.config.port), timeout=20)
    connection.sendall(content)
    return connection


def read_health(connection: socket.socket) -> None:
    received = b""
    while b"alive" not in received:  # head and body may come in two pieces
        received += (piece := connection.recv(65536))
        assert piece, received


def answer_of(connection: socket.socket) -> tuple[int, dict[str, object]]:
    received = b""
    while piece := connection.recv(65536):  # until the service hangs up
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    return (int(head.split()[1]), json.loads(body)) if head else (0, {})


def test_a_body_that_stops_coming_is_given_up(server: DrainingServer) -> None:
    begin = time.monotonic()
    with send(server, HEAD) as connection:
        status, problem = answer_of(connection)
    assert (status, problem["code"]) == (408, "STALLED")
    assert STALL_S * 0.9 < time.monotonic() - begin < 10


@pytest.mark.parametrize("content", [b"", b"GET /v1/heal", b"GET /v1/healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"])
def test_a_head_that_does_not_end_is_given_up(server: DrainingServer, content: bytes) -> None:
    with send(server, content) as connection:
        assert connection.recv(100) == b""


def test_a_second_request_of_a_connection_may_not_stall_either(server: DrainingServer) -> None:
    with send(server, HEALTH) as connection:
        read_health(connection)
        connection.sendall(HEALTH)
        read_health(connection)
        connection.sendall(HEALTH[:20])
        assert connection.recv(100) == b""


def test_a_body_that_comes_slowly_is_waited_for(server: DrainingServer) -> None:
    body = b"key=wrong"
    head = HEAD.replace(b"100", str(len(body)).encode()).removesuffix(b"key=")
    with send(server, head) as connection:
        for n in range(len(body)):
            time.sleep(STALL_S / 4)
            connection.sendall(body[n : n + 1])
        assert b"401" in connection.recv(65536)


def test_an_upload_in_progress_is_told_that_the_service_stops(server: DrainingServer) -> None:
    with send(server, HEAD) as connection:
        time.sleep(STALL_S / 3)
        server.should_exit = True
        status, problem = answer_of(connection)
    assert (status, problem["code"]) == (503, "STOPPING")


@pytest.mark.parametrize(("takes_s", "expected"), [(0.4, 200), (DRAIN_S + 3.0, 503)])
def test_what_is_being_answered_is_waited_for_and_then_told_to_come_again(
    server: DrainingServer, monkeypatch: pytest.MonkeyPatch, takes_s: float, expected: int
) -> None:
    """Neither dropped nor answered 500, however long it takes."""
    asked = threading.Event()

    def slow(*_: object) -> list[object]:
        asked.set()
        time.sleep(takes_s)
        return []

    app = server.config.app
    monkeypatch.setattr(app.state.service.data_protection, "states", slow)  # type: ignore[union-attr]
    with send(server, b"GET /v1/projects HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n") as connection:
        assert asked.wait(10)
        server.should_exit = True
        status, problem = answer_of(connection)
    assert status == expected
    assert expected == 200 or problem["code"] == "STOPPING"


def test_a_connection_that_was_opened_before_the_stop_may_still_ask(
    server: DrainingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_timeouts, "LAST_REQUEST_S", 20.0)  # a busy machine takes its time
    server.config.timeout_graceful_shutdown = 30
    with send(server, b"") as fresh, send(server, HEALTH) as used:
        read_health(used)
        server.should_exit = True
        wait_for(lambda: server.config.app.state.stopping.has_begun, seconds=10)  # type: ignore[union-attr]
        time.sleep(0.1)
        for connection in (fresh, used):
            connection.sendall(HEALTH)
        assert [answer_of(connection)[0] for connection in (fresh, used)] == [200, 200]


def test_a_connection_that_only_the_system_has_accepted_at_the_stop_is_answered(server: DrainingServer) -> None:
    connected = threading.Event()

    def stop_before_accepting() -> None:
        assert connected.wait(10)  # the loop stands still, as under load
        loop.create_task(server.shutdown())

    loop = server.servers[0].get_loop()
    loop.call_soon_threadsafe(stop_before_accepting)
    with send(server, HEALTH) as connection:
        connected.set()
        assert answer_of(connection)[0] == 200
