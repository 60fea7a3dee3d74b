"""The client has models of its own, so that it needs no part of the service and reads other versions of it.

That is why they stand beside the service's, and why they are held against them here: a field that the service renames
or gives another type would be missed only by whoever reads it.
"""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from visionllm_interaction.client import models
from visionllm_interaction.server.routes.corrections import CorrectionList, CorrectionRow
from visionllm_interaction.server.routes.projects import ConsentOfVideo, Project, ProjectConsents
from visionllm_interaction.server.schemas.detections import DetectedObject, DetectResult
from visionllm_interaction.server.schemas.jobs import VideoJob
from visionllm_interaction.server.schemas.questions import MeasureRow, MeasureTable
from visionllm_interaction.server.schemas.timelines import RelationBout, VideoEvent, VideoTimeline, VisibleTrack
from visionllm_interaction.server.schemas.videos import FileRefused, Registered, Video

SERVED: dict[type[BaseModel], type[BaseModel]] = {
    models.RemoteConsent: ConsentOfVideo,
    models.RemoteConsents: ProjectConsents,
    models.RemoteCorrection: CorrectionRow,
    models.RemoteCorrections: CorrectionList,
    models.RemoteDetection: DetectedObject,
    models.RemoteDetections: DetectResult,
    models.RemoteEvent: VideoEvent,
    models.RemoteJob: VideoJob,
    models.RemoteMeasures: MeasureTable,
    models.RemoteProject: Project,
    models.RemoteRefusal: FileRefused,
    models.RemoteRegistration: Registered,
    models.RemoteRelation: RelationBout,
    models.RemoteTimeline: VideoTimeline,
    models.RemoteTrack: VisibleTrack,
    models.RemoteValue: MeasureRow,
    models.RemoteVideo: Video,
}
ANYTHING = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})


def kinds(schema: dict[str, Any], definitions: dict[str, Any]) -> frozenset[str]:
    """What a value may be in JSON."""
    if "$ref" in schema:
        return kinds(definitions[schema["$ref"].rsplit("/", 1)[-1]], definitions)
    if "anyOf" in schema:
        return frozenset().union(*(kinds(one, definitions) for one in schema["anyOf"]))
    if "type" not in schema:
        return ANYTHING
    return frozenset({"integer", "number"}) if schema["type"] == "number" else frozenset({schema["type"]})


def fields(model: type[BaseModel], mode: str) -> tuple[dict[str, frozenset[str]], set[str]]:
    """What each field of a model may be, and which fields are always there."""
    schema = model.model_json_schema(mode=mode)  # type: ignore[arg-type]
    found = {name: kinds(one, schema.get("$defs", {})) for name, one in schema["properties"].items()}
    return found, set(schema.get("required", ()))


def test_every_model_of_the_client_is_held_against_the_service() -> None:
    named = {one for name, one in vars(models).items() if name.startswith("Remote")}
    assert named == SERVED.keys()


@pytest.mark.parametrize(("remote", "served"), SERVED.items(), ids=[one.__name__ for one in SERVED])
def test_the_client_reads_whatever_the_service_sends(remote: type[BaseModel], served: type[BaseModel]) -> None:
    read, needed = fields(remote, "validation")
    sent, always = fields(served, "serialization")
    assert read.keys() <= sent.keys(), "the client reads what the service never sends"
    assert needed <= always, "the client needs what the service may leave out"
    assert {name: sorted(sent[name] - read[name]) for name in read if sent[name] - read[name]} == {}
