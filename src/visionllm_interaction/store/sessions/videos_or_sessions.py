"""Whether a store is asked about its videos or its sessions; loads without Arrow."""

from __future__ import annotations

from dataclasses import dataclass

from visionllm_interaction.store.reader import Store


@dataclass(frozen=True, slots=True)
class SessionChoice:
    """That sessions are asked about in place of their videos.

    Attributes:
        session: only this one; None: all, and videos that are in none.
        camera: only videos whose covariate ``camera`` is this; None: all.
    """

    session: str | None = None
    camera: str | None = None


def opened_as(store: Store, choice: SessionChoice | None) -> Store:
    """A store as it is asked about: its videos, or its sessions.

    Args:
        store: the open store.
        choice: which sessions; None: videos.

    Returns:
        The store itself, or its sessions.

    Raises:
        UsageError: if the session is not known, or no video is of the camera.
    """
    if choice is None:
        return store
    # Imported here: a question about videos needs no Arrow.
    from visionllm_interaction.store.sessions.sessions_as_videos import SessionStore

    return SessionStore(store, choice)
