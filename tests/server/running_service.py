"""``visionllm serve`` in a process of its own, and waiting for what it does."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from visionllm_interaction.server.auth.api_keys import create_key
from visionllm_interaction.server.auth.roles import Role

REPO = Path(__file__).resolve().parents[2]
CLI = [sys.executable, "-c", "import sys; from visionllm_interaction.cli import main; sys.exit(main())"]
START_S = 240.0
JOB_S = 420.0


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class RunningService:
    """``visionllm serve`` in a process of its own."""

    folder: Path
    options: list[str]
    port: int = field(default_factory=free_port)
    key: str = ""
    process: subprocess.Popen[bytes] | None = None
    start_s: float = 0.0
    """How long the last start took until it was ready, in seconds."""
    threads: int | None = 1
    """Threads of the detector; None: as many as the machine has cores. Tests share the machine with each other."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def store(self) -> Path:
        return self.folder / "service" / "store"

    @property
    def log(self) -> str:
        return (self.folder / "service.log").read_text(encoding="utf-8", errors="replace")

    def start(self, *, until: str = "readyz") -> None:
        """Start and wait until it is ready, or, with ``healthz``, until it answers."""
        if not self.key:
            self.key = create_key(self.folder / "service" / "keys.yaml", name="test", role="admin")
        overrides = [f"serve.port={self.port}", *self.options]
        command = [*CLI, "serve", *(part for text in overrides for part in ("-o", text))]
        environment = {**os.environ} if self.threads is None else {**os.environ, "OMP_NUM_THREADS": str(self.threads)}
        with (self.folder / "service.log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, env=environment)
        self._wait_until(until)

    def _wait_until(self, state: str) -> None:
        assert self.process is not None
        begin = time.monotonic()
        end = begin + START_S
        with httpx.Client(timeout=10) as client:  # one: each reads the certificates of the machine anew
            while time.monotonic() < end:
                assert self.process.poll() is None, self.log
                with suppress(httpx.TransportError):
                    if client.get(f"{self.url}/v1/{state}").status_code == 200:
                        self.start_s = time.monotonic() - begin
                        return
                time.sleep(0.2)
        raise AssertionError(f"no {state} after {START_S} s\n{self.log}")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the process and wait for it."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(timeout=60)
            self.process = None

    def new_key(self, name: str, *, role: Role = "admin", projects: Sequence[str] | None = None) -> str:
        """One more key."""
        return create_key(self.folder / "service" / "keys.yaml", name=name, role=role, projects=projects)

    def client(self, key: str | None = None) -> httpx.Client:
        """A client with the key, or with another one."""
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {key or self.key}"}, timeout=120)


def wait_for(look: Callable[[], Any], *, seconds: float = JOB_S, every: float = 0.2) -> Any:
    """Call ``look`` until it gives something true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(every)
    raise AssertionError(f"nothing within {seconds} s")


def finished_job(client: Any, job_id: str) -> dict[str, Any]:
    """Wait for a job to end and return it."""

    def look() -> dict[str, Any] | None:
        job: dict[str, Any] = client.get(f"/v1/jobs/{job_id}").raise_for_status().json()
        return job if job["status"] not in ("queued", "running") else None

    found: dict[str, Any] = wait_for(look)
    return found
