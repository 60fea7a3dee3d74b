"""One video as the service knows it: its upload, its job, its results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from visionllm_interaction.server.intake.uploads import Upload
from visionllm_interaction.server.jobs.queue import JobRecord
from visionllm_interaction.server.results.video_list_facts import StoredVideo


@dataclass(frozen=True)
class VideoState:
    """A video: an upload with its job, an entry of the store, or both.

    Attributes:
        video_id: its id.
        upload: the upload, if it came over HTTP.
        job: its analysis.
        stored: what the store says of it; None while it is not analysed, or where its record is damaged.
        analysed: whether it is in the store and can be read.
        media: the file to play; None: no copy is here, or its folder is not one of ``serve.media_dirs``.
        project: its project; None where a damaged record keeps it.
        covariates: what is known beside the images, by name.
        damaged: why it cannot be read from the store; None: it can, or is not there.
    """

    video_id: str
    upload: Upload | None
    job: JobRecord | None
    stored: StoredVideo | None
    analysed: bool
    media: Path | None
    project: str | None = None
    damaged: str | None = None
    covariates: Mapping[str, float | str] = field(default_factory=dict)
