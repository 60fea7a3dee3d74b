"""The running service of a request, passed on in the request so that no module holds state."""

from __future__ import annotations

from typing import NamedTuple

from starlette.requests import HTTPConnection

from visionllm_interaction.server.http.client_timeouts import Stopping
from visionllm_interaction.server.metrics import Metrics
from visionllm_interaction.server.service import Service


class ServiceContext(NamedTuple):
    """The service, its metrics, and whether it is being stopped."""

    service: Service
    metrics: Metrics
    stopping: Stopping


def context_of(request: HTTPConnection) -> ServiceContext:
    """The context of a request, set by :class:`~visionllm_interaction.server.auth.middleware.AccessMiddleware`."""
    context: ServiceContext = request.scope["state"]["context"]
    return context
