"""Find or set the clock of a recording beside a video of a store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timezone
from pathlib import Path
from typing import Any, Literal

from visionllm_interaction.errors import InputDataError, UsageError
from visionllm_interaction.interop.gaze.import_gaze import rederive_looks
from visionllm_interaction.interop.sync.clap import MICROPHONES_APART_S, claps
from visionllm_interaction.interop.sync.flash import flashes, read_brightness
from visionllm_interaction.interop.sync.loudness_reading import read_loudness, read_sound
from visionllm_interaction.interop.sync.moments import SyncMoment, align_moments
from visionllm_interaction.interop.sync.sound_alignment import RATE_HZ, Alignment, NoAlignmentError, align
from visionllm_interaction.interop.sync.utc import BeginStamp, align_stamps, parse_zone, read_begin
from visionllm_interaction.store.reader import open_store
from visionllm_interaction.store.recordings.clocks import Clock, KnownBy, Misplaced, Recording, RecordingKind
from visionllm_interaction.store.recordings.imported_data import read_recordings, write_recording
from visionllm_interaction.store.sessions.chapters import read_session
from visionllm_interaction.utils.path_type import StrPath

_SOUND_ONLY = frozenset({".wav", ".mp3", ".m4a", ".flac", ".ogg"})


@dataclass(frozen=True)
class RecordingSync:
    """The clock of a recording.

    Attributes:
        recording: the recording with its clock.
        alignment: how its sound fits; None where the clock was found in another way.
        outside: codes that now lie outside the video.
        notes: what the clock was found from.
    """

    recording: Recording
    alignment: Alignment | None
    outside: Sequence[Misplaced] = ()
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``visionllm sync``."""
        found = self.alignment
        return {
            **self.recording.to_dict(),
            "windows": found.windows if found else None,
            "agreeing": found.agreeing if found else None,
            "notes": list(self.notes),
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
            fix="look for a clap or a flash with --by clap or --by flash, or say it by hand with --offset-s",
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
    found = align_files(reference or _source(store, video_id), other)
    return _found(store, video_id, other, found.clock, found.residual_s, known_by="sound", alignment=found)


def sync_by_flash(store: StrPath, *, video_id: str, other: StrPath, reference: StrPath | None = None) -> RecordingSync:
    """Find the clock of a second video from flashes of light that both cameras recorded, and keep it in the store.

    Args:
        store: the store's folder.
        video_id: the video.
        other: the other video's file.
        reference: the video's file, if it is no longer where it was analysed.

    Returns:
        The clock, and codes that it moves out of the video.

    Raises:
        InputDataError: if there is no sudden flash in both, or it is not clear which is which.
        StoreError: if the store or the video is not there.
        VideoError: if a video cannot be read.
    """
    bright = read_brightness(reference or _source(store, video_id)), read_brightness(other)
    lengths = (bright[0].duration_s, bright[1].duration_s)
    moments = flashes(bright[0]), flashes(bright[1])
    return _by_moments(store, video_id, other, moments, lengths, known_by="flash", noun="flash", floor_s=0.0)


def sync_by_clap(store: StrPath, *, video_id: str, other: StrPath, reference: StrPath | None = None) -> RecordingSync:
    """Find the clock of a recording from claps that both microphones recorded, and keep it in the store.

    For recordings whose sound has little else in common; otherwise :func:`sync_by_sound` is better.

    Args:
        store: the store's folder.
        video_id: the video.
        other: the recording's file, a WAV file or a video with sound.
        reference: the video's file, if it is no longer where it was analysed.

    Returns:
        The clock, and codes that it moves out of the video.

    Raises:
        InputDataError: if there is no sharp clap in both, or it is not clear which is which.
        StoreError: if the store or the video is not there.
        VideoError: if a video cannot be read.
    """
    sounds = read_sound(reference or _source(store, video_id)), read_sound(other)
    lengths = (len(sounds[0]) / RATE_HZ, len(sounds[1]) / RATE_HZ)
    moments = claps(sounds[0]), claps(sounds[1])
    return _by_moments(
        store, video_id, other, moments, lengths, known_by="clap", noun="clap", floor_s=MICROPHONES_APART_S
    )


def _by_moments(
    store: StrPath,
    video_id: str,
    other: StrPath,
    moments: tuple[Sequence[SyncMoment], Sequence[SyncMoment]],
    lengths_s: tuple[float, float],
    *,
    known_by: Literal["flash", "clap"],
    noun: str,
    floor_s: float,
) -> RecordingSync:
    try:
        found = align_moments(
            moments[0], moments[1], reference_s=lengths_s[0], other_s=lengths_s[1], noun=noun, floor_s=floor_s
        )
    except NoAlignmentError as error:
        raise InputDataError(
            f"No {noun} shows how the recordings lie.",
            expected=f"a sharp {noun} that both recorded",
            found=str(error),
            where=f"{video_id} and {other}",
            fix="say it by hand with --offset-s, or find it another way with --by",
        ) from error
    notes = [f"{noun} at {theirs:.3f} s of the video and {own:.3f} s of the recording" for own, theirs in found.pairs]
    return _found(store, video_id, other, found.clock, found.residual_s, known_by=known_by, notes=notes)


def sync_by_dates(
    store: StrPath,
    *,
    video_id: str,
    other: StrPath,
    reference: StrPath | None = None,
    video_zone: str | None = None,
    recording_zone: str | None = None,
) -> RecordingSync:
    """Find about where a recording lies from the dates in both files, and keep it in the store.

    Args:
        store: the store's folder.
        video_id: the video.
        other: the recording's file.
        reference: the video's file, if it is no longer where it was analysed.
        video_zone: zone such as ``+02:00`` of the video's date, where it is local time as if it were UTC.
        recording_zone: the same for the recording.

    Returns:
        The clock, and codes that it moves out of the video.

    Raises:
        InputDataError: if a file has no date, says local time of a zone that is not known, or the recordings have no
            time in common by their dates.
        StoreError: if the store or the video is not there.
        UsageError: if a zone cannot be read.
        VideoError: if a file is in no supported format.
    """
    zones = [None if text is None else parse_zone(text) for text in (video_zone, recording_zone)]
    paths = (Path(reference or _source(store, video_id)), Path(other))
    begins = []
    try:
        for path, zone in zip(paths, zones, strict=True):
            begins.append(_begin(path, zone))
        found = align_stamps(begins[0], begins[1])
    except NoAlignmentError as error:
        raise InputDataError(
            "The dates in the files do not show how the recordings lie.",
            expected="a date in both files, in UTC or of a known zone, and time in common",
            found=str(error),
            where=f"{paths[0]} and {paths[1]}",
            fix="where a camera writes local time, say its zone: --video-zone +02:00 or --recording-zone +02:00",
        ) from error
    return _found(store, video_id, other, Clock(found.offset_s), found.residual_s, known_by="utc", notes=found.notes)


def _begin(path: Path, zone: timezone | None) -> BeginStamp:
    try:
        return read_begin(path, zone=zone)
    except NoAlignmentError as error:
        raise NoAlignmentError(f"{path.name}: {error}") from error


def _source(store: StrPath, video_id: str) -> str:
    with open_store(store) as opened:
        return opened.record(video_id).source.path


def _found(
    store: StrPath,
    video_id: str,
    other: StrPath,
    clock: Clock,
    residual_s: float,
    *,
    known_by: KnownBy,
    alignment: Alignment | None = None,
    notes: Sequence[str] = (),
) -> RecordingSync:
    """Keep a clock that was found, and say so."""
    name = Path(other).name
    recording = Recording(name, _kind(name), clock.offset_s, clock.drift_ppm, known_by, residual_s)
    return RecordingSync(recording, alignment, _keep(store, video_id, recording), tuple(notes))


def _kind(name: str) -> RecordingKind:
    return "audio" if Path(name).suffix.lower() in _SOUND_ONLY else "video"


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
    kind = known.kind if known else _kind(recording)
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
