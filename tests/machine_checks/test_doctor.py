"""What `visionllm doctor` says in the situations that people ask for help with, and what it costs."""

from __future__ import annotations

import json
import resource
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import pytest

from visionllm_interaction.cli.application import app
from visionllm_interaction.cli.output import run_app
from visionllm_interaction.machine_checks import hardware

Doctor = Callable[..., tuple[int, dict[str, dict[str, Any]]]]


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """Calls `visionllm doctor` in an empty folder; gives its exit code and the checks by name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VISIONLLM_MODELS", str(tmp_path / "models"))

    def call(*overrides: str) -> tuple[int, dict[str, dict[str, Any]]]:
        settings = (f"serve.port={_closed_port()}", "reason.endpoint.model=any", *overrides)
        code = run_app(app, ["doctor", "--json", *(part for key in settings for part in ("-o", key))])
        return code, {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}

    return call


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def http_server(status: int, *, date: str | None = None) -> Iterator[str]:
    """A server that answers every request with one status, and with a time of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response_only(status)
            self.send_header("Date", date or formatdate(usegmt=True))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_machine_without_a_gpu_is_told_what_runs_all_the_same(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "_cuda_driver", lambda: None)
    code, checks = doctor()
    assert code == 0 and checks["gpu"]["ok"]
    assert "CPU" in checks["gpu"]["found"] and "OpenVINO" in checks["gpu"]["fix"]


@pytest.mark.parametrize(
    ("driver", "torch", "found", "fix"),
    [
        ((["NVIDIA H200"], (12, 8)), (13, 2), "driver for CUDA 12.8, torch for 13.2", "upgrade NVIDIA's driver"),
        ((["NVIDIA H200"], (13, 0)), None, "no torch that uses it", "[models]"),
        (([], (13, 0)), (13, 2), "driver without a GPU", "--gpus all"),
    ],
)
def test_a_gpu_that_cannot_be_used_is_a_fault(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, driver: Any, torch: Any, found: str, fix: str
) -> None:
    monkeypatch.setattr(hardware, "_cuda_driver", lambda: driver)
    monkeypatch.setattr(hardware, "_cuda_of_torch", lambda: torch)
    code, checks = doctor()
    assert code == 1 and not checks["gpu"]["ok"]
    assert found in checks["gpu"]["found"] and fix in checks["gpu"]["fix"]


def test_a_newer_driver_runs_an_older_torch(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "_cuda_driver", lambda: (["NVIDIA H200"], (13, 0)))
    monkeypatch.setattr(hardware, "_cuda_of_torch", lambda: (13, 2))
    code, checks = doctor()
    assert code == 0 and checks["gpu"]["ok"] and checks["gpu"]["fix"] is None


def test_the_cuda_version_of_torch_is_read_without_importing_it() -> None:
    import torch

    built = torch.version.cuda
    assert hardware._cuda_of_torch() == (None if built is None else tuple(map(int, built.split("."))))


def test_a_missing_codec_is_named(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(av, "codecs_available", av.codecs_available - {"libx264", "hevc"})
    code, checks = doctor()
    assert code == 1 and checks["codecs"]["found"] == "missing: hevc, libx264"
    assert "pip install --force-reinstall" in checks["codecs"]["fix"]


def test_an_endpoint_that_is_down(doctor: Doctor) -> None:
    where = f"http://127.0.0.1:{_closed_port()}"
    tracking = ("tracking.kind=mlflow", f"tracking.uri={where}")
    code, checks = doctor(
        f"reason.endpoint.base_url={where}/v1", *tracking, f"serve.database_url=postgresql://a@{where[7:]}/b"
    )
    assert code == 1
    for name, remedy in (
        ("language model", "--planner rules"),
        ("tracking server", "sync-tracking"),
        ("database", "serve.database_url"),
    ):
        assert not checks[name]["ok"] and "refused" in checks[name]["found"].lower()
        assert remedy in checks[name]["fix"]


def test_an_endpoint_that_is_up_or_ill(doctor: Doctor) -> None:
    with http_server(401) as up:
        code, checks = doctor(f"reason.endpoint.base_url=http://{up}/v1")
    assert code == 0 and checks["language model"]["found"] == f"http://{up}/v1: HTTP 401"
    with http_server(503) as ill:
        code, checks = doctor(f"reason.endpoint.base_url=http://{ill}/v1")
    assert code == 1 and "log" in checks["language model"]["fix"]


def test_a_disk_that_is_nearly_full(doctor: Doctor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    usage = SimpleNamespace(total=200 * 2**30, used=199 * 2**30, free=2**30)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    code, checks = doctor("artifacts_dir=not/made/yet")
    assert code == 1 and not checks["disk"]["ok"]
    assert checks["disk"]["found"].startswith(f"1.0 of 200.0 GiB free at {tmp_path} (runs, service")
    assert "free 5 GiB or more" in checks["disk"]["fix"] and "artifacts_dir=" in checks["disk"]["fix"]


def test_a_port_that_another_program_has(doctor: Doctor) -> None:
    with http_server(404) as other:
        port = other.rpartition(":")[2]
        code, checks = doctor(f"serve.port={port}")
        assert code == 1 and checks["port"]["found"] == f"127.0.0.1:{port} is taken by another program"
        advised = int(checks["port"]["fix"].rpartition("serve.port=")[2])
    assert doctor(f"serve.port={advised}")[1]["port"]["ok"]


def test_the_port_of_a_running_service_is_no_fault(doctor: Doctor) -> None:
    with http_server(200) as service:
        code, checks = doctor(f"serve.port={service.rpartition(':')[2]}")
    assert code == 0 and "the service is running there" in checks["port"]["found"]


def test_an_address_that_is_not_this_machines(doctor: Doctor) -> None:
    code, checks = doctor("serve.host=192.0.2.1")
    assert code == 1 and "serve.host=127.0.0.1" in checks["port"]["fix"]


@pytest.mark.parametrize("chosen", ["yolox_s", "lost.pt"])
def test_a_model_that_is_missing(doctor: Doctor, chosen: str) -> None:
    code, checks = doctor()
    assert code == 0 and "none in" in checks["models"]["found"], "a detector can be named for each command"
    assert "visionllm models get yolox_s" in checks["models"]["fix"]
    code, checks = doctor(f"serve.detector={chosen}")
    assert code == 1 and chosen in checks["models"]["found"]
    assert "visionllm models get yolox_s" in checks["models"]["fix"]


def test_a_clock_that_is_before_a_run_of_this_machine(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "artifacts/20240102T030405_123456Z").mkdir(parents=True)
    assert doctor()[1]["clock"]["ok"]
    (tmp_path / "artifacts/20991231T235958_123456Z").mkdir()
    (tmp_path / "artifacts/20991331T995958_123456Z").mkdir()
    code, checks = doctor()
    assert code == 1 and "before a run in artifacts began (2099-12-31" in checks["clock"]["found"]
    assert "timedatectl set-ntp true" in checks["clock"]["fix"]


def test_a_clock_that_an_endpoint_contradicts(doctor: Doctor) -> None:
    with http_server(200, date="Fri, 02 Jan 2026 03:04:05 GMT") as endpoint:
        code, checks = doctor(f"reason.endpoint.base_url=http://{endpoint}")
    assert code == 1 and f"ahead of the clock of http://{endpoint}" in checks["clock"]["found"]
    with http_server(200, date="yesterday") as endpoint:
        assert doctor(f"reason.endpoint.base_url=http://{endpoint}")[1]["clock"]["ok"]


def test_it_takes_three_seconds_of_one_core_at_most(tmp_path: Path) -> None:
    """Without torch, whose import alone would take as long."""
    program = (
        "import sys; from visionllm_interaction.cli.application import app; "
        "from visionllm_interaction.cli.output import run_app; run_app(app, ['doctor', '--json']); "
        "sys.exit(int('torch' in sys.modules))"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 3.0
