"""Traces of requests and jobs, received by a real collector; and a collector that is away, or hangs."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from otlp_receiver import attributes_of, collector
from running_service import free_port
from starlette.testclient import TestClient

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.errors import UsageError
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server.app import create_app
from visionllm_interaction.server.auth.api_keys import create_key
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.http.known_methods import method_label
from visionllm_interaction.server.monitoring import traces as traces_module
from visionllm_interaction.server.monitoring.job_runs import JobRun
from visionllm_interaction.server.monitoring.monitor import Monitor
from visionllm_interaction.server.monitoring.traces import Traces

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SECRETS = ("play room", "mia", "hunter2", "anna-video")


def client_of(folder: Path, traces: str | None) -> tuple[TestClient, Traces | None]:
    """A client of a service that is not started, but for its traces."""
    config = ServeConfig(data_dir=folder, traces=traces)
    key = create_key(config.keys_path, name="mia", role="admin")
    app = create_app(config, analysis=AnalysisConfig(), reason=ReasonConfig())
    return TestClient(app, headers={"X-API-Key": key}, raise_server_exceptions=False), app.state.service.traces


def test_a_request_is_a_span_of_its_route_in_the_trace_of_its_client(tmp_path: Path) -> None:
    with collector() as received:
        client, traces = client_of(tmp_path, received.address)
        assert traces is not None
        traces.start()
        headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "X-Request-ID": "lab-7", "Authorization": "Bearer hunter2"}
        began = time.time_ns()
        assert client.get("/v1/runs/anna-video?code=play%20room", headers=headers).status_code in (401, 404)
        client.get("/v1/healthz", headers={"traceparent": "hunter2"})
        client.request("MIA", "/v1/healthz")
        client.get("/v1/jobs/mia")  # the queue does not run: 500
        traces.job("analysis", "failed", begin_ns=began)
        traces.stop()
    assert set(received.paths) == {"/v1/traces"}
    assert {"service.name": "visionllm", "service.instance.id": "service"}.items() <= received.resource.items()
    [run] = [span for span in received.spans if span.trace_id.hex() == TRACE]
    assert run.parent_span_id.hex() == PARENT and run.kind == run.SPAN_KIND_SERVER
    assert attributes_of(run)["visionllm.request_id"] == "lab-7"
    assert began <= run.start_time_unix_nano <= run.end_time_unix_nano <= time.time_ns()
    [health] = received.named("GET /v1/healthz")
    assert health.parent_span_id == b"" and attributes_of(health) == {
        "http.request.method": "GET",
        "http.route": "/v1/healthz",
        "http.response.status_code": 200,
        "visionllm.request_id": attributes_of(health)["visionllm.request_id"],
    }
    assert len([span for span in received.spans if span.name.startswith("_OTHER ")]) == 1
    [failed] = received.named("GET /v1/jobs/{job_id}")
    assert failed.status.code == failed.status.STATUS_CODE_ERROR
    assert attributes_of(failed)["http.response.status_code"] == 500
    [job] = received.named("job analysis")
    assert attributes_of(job) == {"visionllm.job.kind": "analysis", "visionllm.job.ended": "failed"}
    assert not [word for word in SECRETS for body in received.raw if word.encode() in body.lower()]


def test_a_client_that_samples_nothing_gets_no_span(tmp_path: Path) -> None:
    with collector() as received:
        client, traces = client_of(tmp_path, received.address)
        assert traces is not None
        traces.start()
        client.get("/v1/healthz", headers={"traceparent": f"00-{TRACE}-{PARENT}-00"})
        traces.stop()
    assert not received.spans


def refused() -> str:
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture
def black_hole() -> Iterator[str]:
    """A collector that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("kind", ["refused", "black_hole"])
def test_a_collector_that_is_away_slows_no_answer_and_no_end(
    kind: str, tmp_path: Path, black_hole: str, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    client, traces = client_of(tmp_path, refused() if kind == "refused" else black_hole)
    plain, _ = client_of(tmp_path / "plain", None)
    assert traces is not None
    traces.start()

    def seconds(one: TestClient) -> float:
        begin = time.perf_counter()
        for _ in range(300):
            assert one.get("/v1/healthz").status_code == 200
        return time.perf_counter() - begin

    with caplog.at_level(logging.WARNING):
        plain_s, traced_s = seconds(plain), seconds(client)
        begin = time.monotonic()
        traces.stop()
        stop_s = time.monotonic() - begin
    assert traced_s < 3 * plain_s + 1
    assert stop_s < traces_module.STOP_S + 1
    assert len([one for one in caplog.records if one.name.startswith("opentelemetry")]) <= 1


def test_the_framework_sends_nothing_of_its_own(tmp_path: Path) -> None:
    """FastAPI's own telemetry is switched on by the environment, and holds paths and queries."""
    check = (
        "import sys; from pathlib import Path\n"
        "from starlette.testclient import TestClient\n"
        "from visionllm_interaction.server.app import create_app\n"
        "from visionllm_interaction.server.config import ServeConfig\n"
        "from visionllm_interaction.analysis import AnalysisConfig\n"
        "from visionllm_interaction.reasoning.config import ReasonConfig\n"
        "app = create_app(ServeConfig(data_dir=Path(sys.argv[1]), insecure=True, page=False), "
        "analysis=AnalysisConfig(), reason=ReasonConfig())\n"
        "with TestClient(app, base_url='http://localhost') as client:\n"
        "    assert client.get('/v1/healthz?name=mia').status_code < 500\n"
    )
    with collector() as received:
        on = {"FASTAPI_OTEL_AUTO_CONFIGURE": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": received.address}
        command = [sys.executable, "-c", check, str(tmp_path)]
        done = subprocess.run(command, env={**os.environ, **on}, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr
    assert received.paths == []


def test_nothing_of_it_is_loaded_or_sent_unless_it_is_set(tmp_path: Path) -> None:
    check = (
        "import sys; from pathlib import Path\n"
        "from visionllm_interaction.server.app import create_app\n"
        "from visionllm_interaction.server.config import ServeConfig\n"
        "from visionllm_interaction.analysis import AnalysisConfig\n"
        "from visionllm_interaction.reasoning.config import ReasonConfig\n"
        "create_app(ServeConfig(data_dir=Path(sys.argv[1]), insecure=True), analysis=AnalysisConfig(), "
        "reason=ReasonConfig())\n"
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))])"
    )
    done = subprocess.run([sys.executable, "-c", check, str(tmp_path)], capture_output=True, text=True, timeout=240)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(UsageError) as caught:
        client_of(tmp_path, "http://127.0.0.1:4318")
    assert caught.value.exit_code == 2 and "visionllm-interaction[otel]" in (caught.value.fix or "")


@pytest.mark.parametrize("address", ["127.0.0.1:4318", "file:///tmp/x", "http://anna:hunter2@host", "http://h/?q"])
def test_what_is_no_address_of_a_collector_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="traces"):
        ServeConfig(traces=address)


def observed(monitor: Monitor) -> dict[tuple[str, str], float]:
    [family] = monitor._jobs.collect()
    return {
        (one.labels["kind"], one.labels["ended"]): one.value for one in family.samples if one.name.endswith("_count")
    }


def run_of(monitor: Monitor, work: Callable[[JobRun], None]) -> None:
    run = JobRun("analysis")
    with run.reported(monitor, None):
        work(run)


def test_a_job_is_counted_once_by_the_host_that_ran_it() -> None:
    monitor = Monitor(lambda: None, None)

    def ran(how: str) -> Callable[[JobRun], None]:
        def work(run: JobRun) -> None:
            run.begin()
            run.end(how)

        return work

    def cancelled(run: JobRun) -> None:
        run.begin()
        run.end("cancelled")
        raise SystemExit

    def interrupted(run: JobRun) -> None:  # the service stops: the job begins anew
        run.begin()
        raise SystemExit

    def not_kept(run: JobRun) -> None:  # its end did not reach the database: it is done again
        run.begin()
        run.end("done")
        raise OSError

    def recorded(_: JobRun) -> None:  # resumed after its end was recorded: nothing ran here
        return

    for work in (ran("done"), ran("failed"), recorded):
        run_of(monitor, work)
    for work, error in ((cancelled, SystemExit), (interrupted, SystemExit), (not_kept, OSError)):
        with pytest.raises(error):
            run_of(monitor, work)
    assert observed(monitor) == {("analysis", one): 1.0 for one in ("done", "failed", "cancelled")}


def test_methods_that_a_client_makes_up_are_counted_as_one() -> None:
    assert [method_label(method) for method in ("GET", "BREW", "get", "X" * 99)] == ["GET", "other", "other", "other"]
