"""Checks of what this program talks to or offers: models, its port, the endpoints in the settings."""

from __future__ import annotations

import errno
import http.client
import socket
import time
import urllib.error
import urllib.request
from contextlib import suppress
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from visionllm_interaction.config import Settings
from visionllm_interaction.detection.registry.acquire import list_models
from visionllm_interaction.detection.registry.cache import models_folder
from visionllm_interaction.detection.registry.defaults import named_or_path
from visionllm_interaction.detection.registry.served_version import is_alias_reference
from visionllm_interaction.errors import VisionLLMError
from visionllm_interaction.machine_checks.check import DiagnosticCheck, result

TIMEOUT_S = 2.0
_GET = "visionllm models get yolox_s (or, without a network: visionllm models add FILE)"


def check_models(settings: Settings) -> DiagnosticCheck:
    """The ready-made models on this machine, and the detector that the service is to use.

    No model is no fault, as a detector can be named for each command: it says how to get one.
    """
    chosen = settings.serve.detector
    if chosen is not None and not is_alias_reference(chosen):
        try:
            found = named_or_path(chosen)
        except VisionLLMError as error:
            return DiagnosticCheck("models", False, f"serve.detector={chosen}: {error.message}", error.fix)
        if not found.exists():
            fix = f"correct serve.detector, or: {_GET}"
            return DiagnosticCheck("models", False, f"serve.detector={chosen}: no such file", fix)
    here = [f"{entry.name} ({entry.kind})" for entry, cached in list_models() if cached]
    if here:
        return DiagnosticCheck("models", True, ", ".join(here))
    return DiagnosticCheck("models", True, f"none in {models_folder()}", f"to analyse videos: {_GET}")


def check_port(host: str, port: int) -> DiagnosticCheck:
    """Whether the service could listen where it is to, or runs there already.

    Args:
        host: address to listen on.
        port: port to listen on.

    Returns:
        The check.
    """
    where = f"{host}:{port}"
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return _taken(host, port)
        reason = error.strerror or str(error)
        return DiagnosticCheck(
            "port", False, f"{where}: {reason}", "choose another: -o serve.host=127.0.0.1 -o serve.port=8000"
        )
    return DiagnosticCheck("port", True, f"{where} is free")


def _taken(host: str, port: int) -> DiagnosticCheck:
    reached = "127.0.0.1" if host in ("0.0.0.0", "") else host  # noqa: S104 (compared, not bound)
    connection = http.client.HTTPConnection(reached, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/v1/healthz")
        if connection.getresponse().status == 200:
            return DiagnosticCheck("port", True, f"{host}:{port}: the service is running there")
    except (OSError, http.client.HTTPException):
        pass
    finally:
        connection.close()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    fix = f"stop the other program (`ss -ltnp sport = :{port}` names it), or choose another port: -o serve.port={free}"
    return DiagnosticCheck("port", False, f"{host}:{port} is taken by another program", fix)


def check_endpoints(settings: Settings) -> tuple[tuple[DiagnosticCheck, ...], dict[str, float]]:
    """The language model, the tracking server and the database of the settings.

    Args:
        settings: with the addresses of the endpoints.

    Returns:
        A check for each, and by how many seconds this machine's clock is ahead of the clocks of those that say theirs.
    """
    clocks: dict[str, float] = {}
    model = settings.reason.endpoint.base_url
    checks = [DiagnosticCheck("language model", True, "none configured: questions are planned by rules")]
    if model:
        fix = "start the endpoint, correct reason.endpoint.base_url, or ask with --planner rules"
        checks = [_check_http("language model", model, f"{model.rstrip('/')}/models", fix, clocks)]
    if settings.tracking.kind == "mlflow" and (uri := settings.tracking.uri) and uri.startswith("http"):
        fix = "start the server or correct tracking.uri; what it misses is sent by `visionllm sync-tracking` later"
        checks.append(_check_http("tracking server", uri, f"{uri.rstrip('/')}/health", fix, clocks))
    if database := settings.serve.database_url:
        checks.append(_check_tcp("database", database, default_port=5432))
    return tuple(checks), clocks


def _check_http(name: str, shown: str, url: str, fix: str, clocks: dict[str, float]) -> DiagnosticCheck:
    if urlsplit(url).scheme not in ("http", "https"):
        return DiagnosticCheck(name, False, f"{shown}: no http address", fix)
    begin = time.time()
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310 (http or https, see above)
            status, headers = answer.status, answer.headers
    except urllib.error.HTTPError as error:
        status, headers = error.code, error.headers
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        return DiagnosticCheck(name, False, f"{shown}: {reason}", fix)
    with suppress(TypeError, ValueError):  # no time, or none that can be read
        clocks[shown] = (begin + time.time()) / 2 - parsedate_to_datetime(headers["Date"]).timestamp()
    return result(name, status < 500, f"{shown}: HTTP {status}", fix="read the log of the endpoint")


def _check_tcp(name: str, url: str, *, default_port: int) -> DiagnosticCheck:
    address = urlsplit(url)
    host, port = address.hostname, address.port or default_port
    if host is None:  # a socket of this machine, or a file
        return DiagnosticCheck(name, True, f"{address.scheme}, on this machine")
    try:
        socket.create_connection((host, port), timeout=TIMEOUT_S).close()
    except OSError as error:
        fix = "start the database, or correct serve.database_url"
        return DiagnosticCheck(name, False, f"{host}:{port}: {error.strerror or error}", fix)
    return DiagnosticCheck(name, True, f"{host}:{port} answers")
