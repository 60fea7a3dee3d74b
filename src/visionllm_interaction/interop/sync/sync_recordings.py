"""Find or set the clock of a recording beside a video of a store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from visionllm_interaction.errors import InputDataError, UsageError
from visionllm_interaction.interop.gaze.import_gaze import rederive_looks
from visionllm_interaction.interop.sync.sound import Alignment, NoAlignmentError, align
from visionllm_interaction.interop.sync.sound_files import read_loudness
from visionllm_interaction.store.reader import open_store
from visionllm_interaction.store.recordings.clocks import Clock, KnownBy, Misplaced, Recording
from visionllm_interaction.store.recordings.files import read_recordings, write_recording
from visionllm_interaction.store.sessions.chapters import read_session
from visionllm_interaction.utils.paths import StrPath

_SOUND_ONLY = frozenset({".wav", ".mp3", ".m4a", ".flac", ".ogg"})


@dataclass(frozen=True)
class RecordingSync:
    """The clock of a recording.

    Attributes:
        recording: the recording with its clock.
        alignment: how its sound fits; None where the clock was set by hand.
        outside: codes that now lie outside the video.
    """

    recording: Recording
    alignment: Alignment | None
    outside: Sequence[Misplaced] = ()

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``visionllm sync``."""
        found = self.alignment
        return {
            **self.recording.to_dict(),
            "windows": found.windows if found else None,
            "agreeing": found.agreeing if found else None,
            "outside": [{"code_id": item.code.code_id, "reason": item.reason} for item in self.outside],
        }


def align_files(reference: StrPath, other: StrPath) -> Alignment:
    """Find from the sound how one recording lies on the clock of another.

    Args:
        reference: a video with sound or a WAV file.
        other: another one of the same scene.

    Returns:
        The clock of ``other`` and how far to trust it.

    Raises:
        InputDataError: if one has no sound or cannot be read, or the sound does not show how they lie.
        VideoError: if a video cannot be read.
    """
    loud = read_loudness(reference), read_loudness(other)
    try:
        return align(*loud)
    except NoAlignmentError as error:
        raise InputDataError(
            "The sound does not show how the recordings lie.",
            expected="recordings of one scene with sound in common",
            found=str(error),
            where=f"{reference} and {other}",
            fix="say it by hand with --offset-s, for example from a clap that both show",
        ) from error


def sync_by_sound(store: StrPath, *, video_id: str, other: StrPath, reference: StrPath | None = None) -> RecordingSync:
    """Find the clock of a recording from its sound and keep it in the store.

    Args:
        store: the store's folder.
        video_id: the video.
        other: the recording's file.
        reference: the video's file, if it is no longer where it was analysed.

    Returns:
        The clock, and codes that it moves out of the video.

    Raises:
        InputDataError: as :func:`align_files`.
        StoreError: if the store or the video is not there.
    """
    with open_store(store) as opened:
        record = opened.record(video_id)
    found = align_files(reference or record.source.path, other)
    path = Path(other)
    kind = "audio" if path.suffix.lower() in _SOUND_ONLY else "video"
    recording = Recording(
        path.name, "audio" if kind == "audio" else "video", found.clock.offset_s, found.clock.drift_ppm, "sound"
    )
    recording = replace(recording, residual_s=found.residual_s)
    return RecordingSync(recording, found, _keep(store, video_id, recording))


def sync_by_hand(
    store: StrPath, *, video_id: str, recording: str, clock: Clock, residual_s: float | None = None
) -> RecordingSync:
    """Set the clock of a recording, a tracker or a coded file.

    Args:
        store: the store's folder.
        video_id: the video.
        recording: name of one that was imported, or of a new one.
        clock: from its own times to the video's.
        residual_s: how far a time may be off.

    Returns:
        The clock, and codes that it moves out of the video.

    Raises:
        UsageError: if the recording follows itself.
        StoreError: if the store or the video is not there.
    """
    with open_store(store) as opened:
        opened.record(video_id)
    known = read_recordings(Path(store) / "videos" / video_id).get(recording)
    kind = known.kind if known else "audio" if Path(recording).suffix.lower() in _SOUND_ONLY else "video"
    follows = known.follows if known else None
    new = Recording(recording, kind, clock.offset_s, clock.drift_ppm, "hand", residual_s, follows)
    if not recording.strip():
        raise UsageError("The recording has no name.", expected="a name", found=repr(recording))
    return RecordingSync(new, None, _keep(store, video_id, new))


def sync_with_session(
    store: StrPath,
    *,
    session: str,
    recording: StrPath,
    clock: Clock | None = None,
    video_id: str | None = None,
    reference: StrPath | None = None,
) -> RecordingSync:
    """Find or set the clock of a recording that runs through a session, on the session's clock.

    Args:
        store: the store's folder.
        session: name of the session.
        recording: the recording's file; with ``clock`` also just its name.
        clock: from its own times to the session's; None: it is found from the sound of one video.
        video_id: that video; None: the first of the session.
        reference: the video's file, if it is no longer where it was analysed.

    Returns:
        The clock, and codes that it moves out of the session.

    Raises:
        InputDataError: as :func:`align_files`.
        UsageError: if the session is not known, or the video is not in it.
        StoreError: if the store is not there.
    """
    found = read_session(store, session)
    path = Path(recording)
    alignment: Alignment | None = None
    residual_s: float | None = None
    if clock is None:
        chapter = next((one for one in found.chapters if video_id in (None, one.video_id)), None)
        if chapter is None:
            members = ", ".join(one.video_id for one in found.chapters)
            raise UsageError("The video is not in the session.", expected=f"one of: {members}", found=str(video_id))
        with open_store(store) as opened:
            record = opened.record(chapter.video_id)
        alignment = align_files(reference or record.source.path, path)
        clock, residual_s = alignment.clock.then(Clock(chapter.offset_s)), alignment.residual_s
    name = path.name if alignment is not None else str(recording)
    known = read_recordings(Path(store) / "videos" / found.chapters[0].video_id).get(name)
    kind = known.kind if known else "audio" if Path(name).suffix.lower() in _SOUND_ONLY else "video"
    known_by: KnownBy = "sound" if alignment is not None else "hand"
    new = Recording(name, kind, clock.offset_s, clock.drift_ppm, known_by, residual_s, session)
    outside = [item for chapter in found.chapters for item in _keep(store, chapter.video_id, new)]
    return RecordingSync(new, alignment, outside)


def _keep(store: StrPath, video_id: str, recording: Recording) -> Sequence[Misplaced]:
    outside = write_recording(store, video_id, recording)
    rederive_looks(store, video_id, recording.recording)
    return outside
