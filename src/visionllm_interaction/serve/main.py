"""Run the service until it is told to stop."""

from __future__ import annotations

import uvicorn

from visionllm_interaction.analyze import AnalysisConfig
from visionllm_interaction.reason.config import ReasonConfig
from visionllm_interaction.serve.app import create_app
from visionllm_interaction.serve.config import ServeConfig

SHUTDOWN_S = 5


def serve(config: ServeConfig, analysis: AnalysisConfig, reason: ReasonConfig) -> None:
    """Listen on ``config.host``:``config.port`` until SIGINT or SIGTERM.

    Raises:
        UsageError: if it would be open to others without a key, or the data folder is taken.
    """
    app = create_app(config, analysis=analysis, reason=reason)
    # No access log: it would keep the names of videos and who looked at them.
    uvicorn.run(
        app,
        host=config.host,
        port=config.port,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_S,
    )
