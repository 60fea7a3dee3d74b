"""Which videos have been kept for as long as they may."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

from visionllm_interaction.errors import UsageError
from visionllm_interaction.store.data_protection.register import WHOLE_STORE, read_data_protection
from visionllm_interaction.store.layout import check_store, list_videos
from visionllm_interaction.utils.path_type import StrPath


@dataclass(frozen=True, slots=True)
class DueVideos:
    """The videos of a store that should have been erased.

    Attributes:
        retain_until: the last day on which they might be kept; None: no day is set.
        video_ids: the videos; none before the day after.
    """

    retain_until: date | None
    video_ids: tuple[str, ...]


def today() -> date:
    """The day that it is now, UTC."""
    return datetime.now(UTC).date()


def is_due(retain_until: date | None, *, on: date | None = None) -> bool:
    """Whether videos should have been erased.

    Args:
        retain_until: the last day on which they may be kept; None: for ever.
        on: the day that is asked about; None: today.

    Returns:
        True from the day after.
    """
    return retain_until is not None and (on or today()) > retain_until


def due_videos(store: StrPath) -> DueVideos:
    """The videos of a store that should have been erased, by the rules of the whole store.

    Where the store's file has rules of single projects, the store is a service's, which alone knows the project of each
    video, and the files and jobs that go with it.

    Args:
        store: the store's folder.

    Returns:
        The day, and the videos.

    Raises:
        StoreError: if there is no store, or its rules cannot be read.
        UsageError: if there are rules of single projects.
    """
    check_store(store)
    known = read_data_protection(store)
    projects = sorted(set(known.projects) - {WHOLE_STORE})
    if projects:
        raise UsageError(
            "Single projects have rules of their own, and only the service knows which video is of which project.",
            expected="a store with rules of the whole store only",
            found=f"rules of {', '.join(projects[:5])}{' …' if len(projects) > 5 else ''}",
            where=str(store),
            fix=f"ask the service: GET /v1/projects/{projects[0]}/due, then POST /v1/projects/{projects[0]}/erase-due",
        )
    until = known.rules_of(WHOLE_STORE).retain_until
    return DueVideos(until, tuple(list_videos(store)) if is_due(until) else ())
