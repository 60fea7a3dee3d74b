"""A typed client of the HTTP service, to be used from another program or machine; needs the extra ``client``.

Example:
    >>> from visionllm_interaction.client import Client
    >>> with Client("http://127.0.0.1:8000", key="vli_…") as client:       # doctest: +SKIP
    ...     job = client.wait(client.upload("visit1.mp4"))
    ...     print(client.ask("How long is the child visible?", video_id=job.video_id))
"""

from __future__ import annotations

from visionllm_interaction.client.async_client import AsyncClient
from visionllm_interaction.client.blocking_client import Client
from visionllm_interaction.client.models import (
    RemoteConsent,
    RemoteConsents,
    RemoteCorrections,
    RemoteDetection,
    RemoteDetections,
    RemoteEvent,
    RemoteJob,
    RemoteMeasures,
    RemoteProject,
    RemoteRefusal,
    RemoteRegistration,
    RemoteRelation,
    RemoteTimeline,
    RemoteTrack,
    RemoteValue,
    RemoteVideo,
)
from visionllm_interaction.client.problems import ServiceProblem
from visionllm_interaction.reasoning.answers import Answer, AnswerStage, Claim

__all__ = [
    "Answer",
    "AnswerStage",
    "AsyncClient",
    "Claim",
    "Client",
    "RemoteConsent",
    "RemoteConsents",
    "RemoteCorrections",
    "RemoteDetection",
    "RemoteDetections",
    "RemoteEvent",
    "RemoteJob",
    "RemoteMeasures",
    "RemoteProject",
    "RemoteRefusal",
    "RemoteRegistration",
    "RemoteRelation",
    "RemoteTimeline",
    "RemoteTrack",
    "RemoteValue",
    "RemoteVideo",
    "ServiceProblem",
]
