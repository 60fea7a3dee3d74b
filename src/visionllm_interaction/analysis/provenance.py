"""The inputs an analysis depends on, to decide whether and explain why a video has to be analysed again.

A record in the store (``video.json``) names all of it: the digests of the video, the detections and the heads, the
view, the roles, the settings, the versions of the algorithms and of the libraries. A record from before algorithms had
versions counts as made by the first ones, and a library whose version it does not name as unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.analysis.config import AnalysisConfig
from visionllm_interaction.artifacts.staleness import changed_keys
from visionllm_interaction.artifacts.versions import FIRST_ALGORITHM_VERSION, library_changes
from visionllm_interaction.store.video_record import VideoRecord
from visionllm_interaction.utils.hashing import sha256_value

if TYPE_CHECKING:
    from visionllm_interaction.video.decoding.containers import VideoInfo

ALGORITHM_VERSION = 2
"""Raised by whoever changes what an analysis makes of the same video, detections and settings: decoding, tracking,
relations, events. Videos analysed with another version are analysed again.

``tests/pipeline/test_algorithm_versions.py`` holds a small result of it and fails if that changes and this does not.

Version 2 takes square pixels, the stream that a player shows and all eight orientations for granted no more, and counts
in seconds where version 1 counted in usual steps. On other videos both find the same: :func:`same_in_version_2`.
"""
MAX_UNEVEN_SHARE = 0.1
"""Steps between frames that differ by no more than this share of the usual one count as even."""
ANALYSIS = "analysis"
"""Name of the analysis itself among ``VideoRecord.algorithms``; the others are runtimes of detectors."""

INDIFFERENT = frozenset(
    {
        "video.blur",
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

    def changes_since(self, record: VideoRecord, *, same_in_version_2: Callable[[], bool]) -> list[str]:
        """What changed since a record was made, such as ``torch 2.14.0 → 2.15.0``.

        Args:
            record: of the video in the store.
            same_in_version_2: asked for records of the analysis' version 1 only: whether version 2 finds the same.

        Returns:
            The changes in words; empty if the video is up to date.
        """
        before, algorithms = _parts_of(record), dict(record.algorithms)
        if (
            algorithms.get(ANALYSIS, FIRST_ALGORITHM_VERSION) == 1
            and self.algorithms[ANALYSIS] == 2
            and same_in_version_2()
        ):
            algorithms[ANALYSIS] = 2
        return [
            *(f"another {name}" for name, value in self.parts.items() if before[name] != value),
            *_settings(record.config, self.config),
            *_algorithms(algorithms, self.algorithms),
            *library_changes(record.versions, self.libraries),
        ]


def same_in_version_2(info: VideoInfo, timestamps_s: NDArray[np.float64], *, size_px: tuple[int, int]) -> bool:
    """Whether the second version of the analysis finds in a video what the first one found.

    Args:
        info: the video's header.
        timestamps_s: (n,) times of its frames.
        size_px: width and height that the first one saw.

    Returns:
        True for one stream of square pixels, not mirrored, whose frames are evenly spaced.
    """
    if info.pixel_aspect != "1" or info.mirrored or len(info.streams) > 1 or (info.width, info.height) != size_px:
        return False
    steps_s = np.diff(timestamps_s)
    if not len(steps_s):
        return True
    usual_s = float(np.median(steps_s))
    return bool(np.abs(steps_s - usual_s).max() <= MAX_UNEVEN_SHARE * usual_s)


def parts_of(
    *, video: str, detections: str, kind: str, heads: str | None, view: str, roles: Mapping[str, str]
) -> dict[str, Any]:
    """The inputs under the names shown to users; ``video``, ``detections`` and ``heads`` are digests."""
    return {
        "video": video,
        "source of detections": kind,
        "detector or file of detections": detections,
        "file of heads": heads,
        "view": view,
        "roles": dict(roles),
    }


def _parts_of(record: VideoRecord) -> dict[str, Any]:
    return parts_of(
        video=record.source.sha256,
        detections=record.detector.digest,
        kind=record.detector.kind,
        heads=record.heads.sha256 if record.heads else None,
        view=record.view,
        roles=record.roles,
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
