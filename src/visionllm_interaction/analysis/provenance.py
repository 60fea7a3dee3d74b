"""The inputs an analysis depends on, to decide whether and explain why a video has to be analysed again.

A record in the store (``video.json``) names all of it: the digests of the video, the detections and the heads, the
view, the roles, the settings, the versions of the algorithms and of the libraries. A record from before algorithms had
versions counts as made by the first ones, and a library whose version it does not name as unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from visionllm_interaction.analysis.config import AnalysisConfig
from visionllm_interaction.artifacts.algorithm_versions import FIRST_ALGORITHM_VERSION, library_changes
from visionllm_interaction.artifacts.staleness import changed_keys
from visionllm_interaction.store.video_record import VideoRecord
from visionllm_interaction.utils.hashing import sha256_value

ALGORITHM_VERSION = 7
"""Raised by whoever changes what an analysis makes of the same video, detections and settings: decoding, tracking,
relations, events. Videos analysed with another version are analysed again.

``tests/pipeline/test_algorithm_versions.py`` holds a small result of it and fails if that changes and this does not.

Version 2 takes square pixels, the stream that a player shows and all eight orientations for granted no more, and counts
in seconds where version 1 counted in usual steps. Version 3 adapts tracking to the rate of processed frames, lets bouts
begin between frames that are far apart, ends holding where an object is set down on a table, and finds who comes and
goes at the lower edge. Version 4 links with C-BIoU in place of ByteTrack, starts from weaker detections, and joins
tracks of people only where somebody else is unlikely to have come by. Version 5 estimates who is a child from faces,
proportions and looks, and notes the quality of each second. Version 6 gives somebody of another look who stands where
a lost person stood a track of their own, has no pick-up (put-down) of an object out of sight before (after) it, asks
how long objects are in sight by a setting of its own, and reads frames that come before the first time stamp. Version 7
begins tracks with the weak detections that lead to them, and notes who may have come back.
"""
ANALYSIS = "analysis"
"""Name of the analysis itself among ``VideoRecord.algorithms``; the others are runtimes of detectors."""

INDIFFERENT = frozenset(
    {
        "video.blur",
        "video.bodies.batch_size",
        "video.decode.ahead",
        "video.decode.cpu_s_per_s",
        "video.decode.max_memory_mb",
        "video.decode.stall_cpu_s",
        "video.decode.threads",
        "video.detect.batch_size",
    }
)
"""Settings and sections that affect the speed or resources of an analysis, but not its results."""


@dataclass(frozen=True)
class Provenance:
    """Everything an analysis depends on.

    Attributes:
        parts: display name → digest or value.
        config: all settings, as JSON.
        algorithms: ``"analysis"`` and the runtime of the detector, if there is one → version.
        libraries: those that decide the result → version.
    """

    parts: Mapping[str, Any]
    config: Mapping[str, Any]
    algorithms: Mapping[str, int]
    libraries: Mapping[str, str]

    def fingerprint(self) -> str:
        """One digest over all of it."""
        return sha256_value(asdict(self))

    def changes_since(self, record: VideoRecord) -> list[str]:
        """What changed since a record was made, such as ``torch 2.14.0 → 2.15.0``.

        Args:
            record: of the video in the store.

        Returns:
            The changes in words; empty if the video is up to date.
        """
        before = _parts_of(record)
        return [
            *(f"another {name}" for name in {**before, **self.parts} if before.get(name) != self.parts.get(name)),
            *_settings(record.config, self.config),
            *_algorithms(record.algorithms, self.algorithms),
            *library_changes(record.versions, self.libraries),
        ]


def parts_of(
    *,
    video: str,
    detections: str,
    kind: str,
    heads: str | None,
    view: str,
    roles: Mapping[str, str],
    bodies: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The inputs under the names shown to users; ``video``, ``detections``, ``heads`` and ``bodies`` are digests."""
    return {
        "video": video,
        "source of detections": kind,
        "detector or file of detections": detections,
        "file of heads": heads,
        "view": view,
        "roles": dict(roles),
        **({} if bodies is None else {"models of faces, hands and poses": dict(bodies)}),
    }


def _parts_of(record: VideoRecord) -> dict[str, Any]:
    return parts_of(
        video=record.source.sha256,
        detections=record.detector.digest,
        kind=record.detector.kind,
        heads=record.heads.sha256 if record.heads else None,
        view=record.view,
        roles=record.roles,
        bodies=record.bodies.models if record.bodies else None,
    )


def _settings(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterable[str]:
    defaults = AnalysisConfig().model_dump(mode="json")
    changed = changed_keys(before, now, defaults=defaults)
    return [f"setting {key}" for key in changed if not any(f"{key}.".startswith(f"{i}.") for i in INDIFFERENT)]


def _algorithms(before: Mapping[str, int], now: Mapping[str, int]) -> Iterable[str]:
    for name, version in now.items():
        former = before.get(name, FIRST_ALGORITHM_VERSION)
        if former != version:
            yield f"algorithm of {name}: version {former} → {version}"
