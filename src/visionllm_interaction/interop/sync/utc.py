"""How recordings lie by the dates in their files, and how far such dates can be trusted.

A date has whole seconds, a device's clock is right only so far, and not every device writes what the format asks for:
GoPro's cameras write local time as if it were UTC, Android writes the end of a recording.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from visionllm_interaction.errors import UsageError
from visionllm_interaction.interop.sync.sound_alignment import NoAlignmentError
from visionllm_interaction.utils.path_type import StrPath

WHOLE_SECOND_S = 1.0
"""Dates are cut to whole seconds: two of them are off by up to a second against each other."""
NETWORK_CLOCK_S = 1.0
"""A phone's clock is set by its network."""
CAMERA_CLOCK_S = 30.0
"""A camera's clock is set by hand and off by 20 millionths: half a minute after two weeks."""
_FIRST = datetime(1990, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class BeginStamp:
    """When a recording began, as its file says.

    Attributes:
        begin_utc: date and time in UTC, or local time as if it were UTC where ``is_local``.
        duration_s: length of the recording in seconds; None: not known.
        clock_error_s: how far the device's clock may be off.
        is_local: whether the file says local time without its zone.
        source: which entry of the file says it, and who wrote it.
    """

    begin_utc: datetime
    duration_s: float | None
    clock_error_s: float
    is_local: bool
    source: str


@dataclass(frozen=True, slots=True)
class StampAlignment:
    """How a recording lies on the clock of a reference by the dates of both.

    Attributes:
        offset_s: time of the reference at which the recording begins.
        residual_s: it may be off by this, if the clocks of both devices are as right as is assumed.
        notes: where the dates come from, and what was assumed.
    """

    offset_s: float
    residual_s: float
    notes: tuple[str, ...]


def begin_stamp(entries: dict[str, str], duration_s: float | None, *, zone: timezone | None = None) -> BeginStamp:
    """When a recording began.

    Args:
        entries: the dates of its file, as :func:`~visionllm_interaction.video.decoding.reader.read_stamps` gives them.
        duration_s: its length in seconds.
        zone: the zone of a device that writes local time as if it were UTC; None: the file is believed.

    Returns:
        Its begin and how far that is to be trusted.

    Raises:
        NoAlignmentError: if the file has no date, or one that cannot be.
    """
    apple = entries.get("com.apple.quicktime.creationdate")
    if apple is not None and (found := _date(apple)) is not None:
        return BeginStamp(found, duration_s, NETWORK_CLOCK_S, False, "its date with zone (Apple)")
    written = entries.get("creation_time")
    if written is None:
        raise NoAlignmentError("its file does not say when it was recorded")
    date = _date(written)
    if date is None or date < _FIRST:
        raise NoAlignmentError(f"its date is none: {written!r}")
    is_gopro = entries.get("maker") == "GoPro"
    if zone is not None:
        local = date.replace(tzinfo=zone).astimezone(UTC)
        return BeginStamp(local, duration_s, CAMERA_CLOCK_S, False, f"its date as local time of {zone}")
    if is_gopro:
        return BeginStamp(date, duration_s, CAMERA_CLOCK_S, True, "its date, which GoPro writes in local time")
    if "com.android.version" in entries:
        if duration_s is None:
            raise NoAlignmentError("its date is that of its end (Android), and its length is not known")
        begin = date - timedelta(seconds=duration_s)
        return BeginStamp(begin, duration_s, NETWORK_CLOCK_S, False, "its date less its length (Android)")
    return BeginStamp(date, duration_s, CAMERA_CLOCK_S, False, "its date, taken as its begin in UTC")


def align_stamps(reference: BeginStamp, other: BeginStamp) -> StampAlignment:
    """Where a recording lies on the clock of another by the dates of both.

    Args:
        reference: begin of the reference.
        other: begin of the recording.

    Returns:
        The offset and how far to trust it.

    Raises:
        NoAlignmentError: if only one of them says local time, or they have no time in common by their dates.
    """
    if reference.is_local != other.is_local:
        which = "video" if reference.is_local else "recording"
        raise NoAlignmentError(f"the date of the {which} is local time (GoPro), and its zone is not known")
    offset_s = (other.begin_utc - reference.begin_utc).total_seconds()
    residual_s = WHOLE_SECOND_S + reference.clock_error_s + other.clock_error_s
    if not _overlap(offset_s, reference.duration_s, other.duration_s, residual_s):
        raise NoAlignmentError(f"by their dates they have no time in common{_zone_hint(offset_s)}")
    notes = [f"video: {reference.source}", f"recording: {other.source}"]
    if reference.is_local:
        notes.append("both in local time, taken as of one zone")
    return StampAlignment(offset_s, residual_s, tuple(notes))


def _overlap(offset_s: float, reference_s: float | None, other_s: float | None, within_s: float) -> bool:
    """Whether two recordings may have time in common; unknown lengths count as without end."""
    begins_before_end = reference_s is None or offset_s - within_s < reference_s
    ends_after_begin = other_s is None or offset_s + other_s + within_s > 0
    return begins_before_end and ends_after_begin


def _zone_hint(offset_s: float) -> str:
    hint = "; one of them may say local time as if it were UTC" if 1800 <= abs(offset_s) <= 15 * 3600 else ""
    return f": they begin {abs(offset_s):.0f} s apart{hint}"


def _date(text: str) -> datetime | None:
    """A date with its zone; without one it is UTC, as the formats ask for."""
    try:
        # Apple writes the zone without a colon, which older versions of Python do not read.
        found = datetime.fromisoformat(re.sub(r"([+-]\d\d)(\d\d)\Z", r"\1:\2", text.strip()))
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def read_begin(path: StrPath, *, zone: timezone | None = None) -> BeginStamp:
    """When a video or a sound file was recorded, as its file says.

    Args:
        path: the file.
        zone: as in :func:`begin_stamp`.

    Returns:
        Its begin.

    Raises:
        NoAlignmentError: if the file has no date, or one that cannot be.
        VideoError: if it is in no supported format or damaged.
    """
    # Imported here: it needs the video libraries.
    from visionllm_interaction.video.decoding.reader import read_stamps

    stamps = read_stamps(path)
    return begin_stamp(stamps.entries, stamps.duration_s, zone=zone)


def parse_zone(text: str) -> timezone:
    """A zone such as ``+02:00``, ``-0330`` or ``Z``.

    Args:
        text: hours and minutes ahead of UTC.

    Returns:
        The zone.

    Raises:
        UsageError: if it is none.
    """
    match = re.fullmatch(r"([+-])(\d\d):?([0-5]\d)", text.strip())
    if text.strip().upper() in ("Z", "UTC"):
        return UTC
    if match is None or int(match[2]) > 14:
        raise UsageError("The zone cannot be read.", expected="hours ahead of UTC, for example +02:00", found=text)
    delta = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return timezone(-delta if match[1] == "-" else delta)
