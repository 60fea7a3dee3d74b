"""A real MLflow server with basic authentication on loopback, and what the tests ask it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from visionllm_interaction.detection.training.config import TrackingConfig

USER, PASSWORD = "lab", "long-password-1"


class Server:
    """A real MLflow server with basic authentication on loopback."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.process: subprocess.Popen[bytes] | None = None
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        (folder / "auth.ini").write_text(
            "[mlflow]\ndefault_permission = READ\n"
            f"database_uri = sqlite:///{folder}/auth.db\nadmin_username = {USER}\nadmin_password = {PASSWORD}\n"
            "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
        )

    def config(self, **changes: Any) -> TrackingConfig:
        """Settings of a client; user and password are in LAB_USER and LAB_PASSWORD."""
        names = {"username_env": "LAB_USER", "password_env": "LAB_PASSWORD"}
        return TrackingConfig.model_validate({"kind": "mlflow", "uri": self.uri, "timeout_s": 30, **names, **changes})

    def start(self) -> None:
        environment = {
            **os.environ,
            "MLFLOW_AUTH_CONFIG_PATH": str(self.folder / "auth.ini"),
            "MLFLOW_FLASK_SERVER_SECRET_KEY": "test",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # nine more processes, which no test needs
            "PYTHONWARNINGS": "ignore",
        }
        command = [
            sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth", "--host", "127.0.0.1",
            "--port", str(self.port), "--workers", "1", "--backend-store-uri", f"sqlite:///{self.folder}/runs.db",
            "--artifacts-destination", str(self.folder / "files"),
        ]  # fmt: skip
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        end = time.monotonic() + 120
        while time.monotonic() < end:
            try:
                with urllib.request.urlopen(f"{self.uri}/health", timeout=2):
                    return
            except OSError:
                time.sleep(0.5)
        raise RuntimeError((self.folder / "log").read_text()[-3000:])

    def kill(self) -> None:
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def client(uri: str) -> Any:
    from mlflow.tracking import MlflowClient

    return MlflowClient(uri, registry_uri=uri)


def all_runs(uri: str, name: str = "visionllm-interaction") -> dict[str, Any]:
    """Runs by name; two of one name are an error."""
    (experiment,) = [e for e in client(uri).search_experiments() if e.name == name]
    runs = list(client(uri).search_runs([experiment.experiment_id]))
    found = {run.info.run_name: run for run in runs}
    assert len(found) == len(runs), "two runs have the same name"
    return found


def curve(uri: str, run: Any, key: str) -> list[tuple[int, float]]:
    return [(m.step, m.value) for m in client(uri).get_metric_history(run.info.run_id, key)]


def files(uri: str, run: Any) -> list[str]:
    return [f.path for f in client(uri).list_artifacts(run.info.run_id)]
