"""Run the service until it is stopped."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path

import uvicorn

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.detection.promotion.config import PromoteConfig
from visionllm_interaction.detection.registry.defaults import find_default, named_or_path
from visionllm_interaction.detection.registry.served_version import fetch_served, is_alias_reference
from visionllm_interaction.errors import UsageError
from visionllm_interaction.measures.config import MeasuresConfig
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server.app import create_app
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.http.client_timeouts import DrainingServer, patient_protocol
from visionllm_interaction.server.jobs.data_folder import lock_data_dir
from visionllm_interaction.utils.logs import log

PRIVATE_UMASK, GROUP_UMASK = 0o077, 0o027


def serve(
    config: ServeConfig,
    analysis: AnalysisConfig,
    reason: ReasonConfig,
    measures: MeasuresConfig = MeasuresConfig(),
    promote: PromoteConfig = PromoteConfig(),
) -> None:
    """Run the service on ``config.host``:``config.port`` until SIGINT or SIGTERM.

    Args:
        config: the section ``serve``.
        analysis: how uploaded videos are analysed.
        reason: how questions are answered.
        measures: definitions of measures.
        promote: what a detector must show before it may serve.

    Raises:
        UsageError: if others could use it without a key, or the data folder or the port is in use.
        ModelMissing: if ``serve.detector`` names a ready-made model that is not on this machine.
        CheckpointError: if the registry's checkpoint is not the one that was registered.
        ServiceError: if ``serve.detector`` is an alias of a registry that is unreachable.
    """
    config = _with_detector(config)
    os.umask(GROUP_UMASK if config.group_readable else PRIVATE_UMASK)
    app = create_app(config, analysis=analysis, reason=reason, measures=measures, promote=promote)
    with lock_data_dir(config):
        pass  # checked here, so that the command ends with a message; the application holds it from its start on
    with _bind_socket(config.host, config.port) as listener:
        bound = log.bind(data_dir=str(config.data_dir), store=str(config.store_dir))
        bound.info("serving", address=f"http://{config.host}:{config.port}", keys=not config.insecure)
        # No access log: it would record the names of videos and who watched them.
        settings = uvicorn.Config(
            app,
            http=patient_protocol(config.limits.stall_s),
            ws="none",
            access_log=False,
            log_level="warning",
            log_config=None,  # its own would leave out the ids of requests
            server_header=False,
            timeout_graceful_shutdown=config.limits.drain_s,
        )
        with suppress(KeyboardInterrupt):  # the server has stopped cleanly and passes Ctrl-C on
            DrainingServer(settings, app.state.stopping).run(sockets=[listener])


def _with_detector(config: ServeConfig) -> ServeConfig:
    """The settings with the detector's file: as set or promoted, else the best ready-made model here, if any."""
    if config.detector is not None and is_alias_reference(config.detector):
        detector: Path | None = fetch_served(str(config.detector), config.model_registry, config.models_dir)
    else:
        detector = find_default("people") if config.detector is None else named_or_path(config.detector)
    if detector is None:
        log.info("no detector: videos cannot be analysed", fix="visionllm models list, then visionllm models get NAME")
    return config.model_copy(update={"detector": detector})


def _bind_socket(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise UsageError(
            "The service cannot listen here.",
            found=error.strerror,
            where=f"{host}:{port}",
            fix="choose another address with -o serve.port=PORT or -o serve.host=ADDRESS",
        ) from error
    return listener
