"""The running service of a request. It travels with the request, so that no module holds state."""

from __future__ import annotations

from typing import NamedTuple

from starlette.requests import HTTPConnection

from visionllm_interaction.server.metrics import Metrics
from visionllm_interaction.server.service import Service


class Context(NamedTuple):
    """The service and its instruments."""

    service: Service
    metrics: Metrics


def current(request: HTTPConnection) -> Context:
    """The context of a request, put there by the guard."""
    context: Context = request.scope["state"]["context"]
    return context
