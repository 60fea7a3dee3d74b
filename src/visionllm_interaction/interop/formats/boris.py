"""BORIS projects: a tier is a behaviour, its participant the subject, a label the event's comment.

State events come in pairs of start and stop; of a state without a stop the observation's end is taken. Times include
the observation's *time offset* (or the medium's creation time); BORIS takes it off before it seeks. Media of one player
follow each other, other players are displaced by their own offset.
"""

from __future__ import annotations

import gzip
import json
import math
import mimetypes
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any

from visionllm_interaction.core.intervals import TOLERANCE_S
from visionllm_interaction.interop.formats.safe_reading import MAX_BYTES, import_error, parse_json, read_bytes
from visionllm_interaction.interop.tiers import (
    Interval,
    Medium,
    RefusedRow,
    Tier,
    Timeline,
    sort_intervals,
    split_overlaps,
)
from visionllm_interaction.utils.path_type import StrPath

_POINT, _STATE = "Point event", "State event"
_ISO = "%Y-%m-%dT%H:%M:%S"


def boris_bytes(timelines: Mapping[str, Timeline], *, fps: Mapping[str, float | None] | None = None) -> bytes:
    """One project with an observation for each of ``timelines`` (by name)."""
    tiers = {name: split_overlaps(timeline.tiers) for name, timeline in timelines.items()}
    kinds: dict[str, str] = {}
    for tier in (tier for of_one in tiers.values() for tier in of_one):
        # A behaviour is of one kind throughout the project.
        kinds[tier.name] = _POINT if tier.is_point_tier and kinds.get(tier.name, _POINT) == _POINT else _STATE
    subjects = sorted({tier.participant for of_one in tiers.values() for tier in of_one if tier.participant})
    created = next((t.created_at for t in timelines.values() if t.created_at), datetime.now(UTC).strftime(_ISO))
    project = {
        "time_format": "s",
        "project_date": created[:19],
        "project_name": "VisionLLM Interaction Analysis",
        "project_description": "",
        "project_format_version": "7.0",
        "subjects_conf": {str(n): {"key": "", "name": s, "description": ""} for n, s in enumerate(subjects)},
        "behaviors_conf": {str(n): _behaviour(name, kind) for n, (name, kind) in enumerate(kinds.items())},
        "behavioral_categories": [],
        "independent_variables": {},
        "coding_map": {},
        "converters": {},
        "observations": {
            name: _observation(timeline, tiers[name], kinds, fps=(fps or {}).get(name))
            for name, timeline in timelines.items()
        },
    }
    return json.dumps(project, ensure_ascii=False, indent=1).encode() + b"\n"


def _behaviour(name: str, kind: str) -> dict[str, Any]:
    return {
        "type": kind,
        "key": "",
        "code": name,
        "description": "",
        "category": "",
        "modifiers": {},
        "excluded": "",
        "coding map": "",
    }


def _observation(
    timeline: Timeline, tiers: Iterable[Tier], kinds: Mapping[str, str], *, fps: float | None
) -> dict[str, Any]:
    events: list[tuple[float, int, list[Any]]] = []
    for order, tier in enumerate(tiers):
        for interval in tier.intervals:
            start = [interval.begin_s, tier.participant, tier.name, "", interval.label]
            events.append((interval.begin_s, order, start))
            if kinds[tier.name] == _STATE:
                events.append((interval.end_s, order, [interval.end_s, tier.participant, tier.name, "", ""]))
    players = _players(timeline)
    files = {str(number): [medium.name for medium in media] for number, media in enumerate(players, start=1)}
    offsets = {str(number): -media[0].offset_s for number, media in enumerate(players, start=1)}
    every = [medium for media in players for medium in media]
    sound = {medium.name: _is_sound(medium.name) for medium in every}
    info: dict[str, Any] = {
        "length": {medium.name: _length_s(medium, timeline) for medium in every},
        "offset": offsets or {"1": 0.0},
        "fps": {name: 0.0 if is_sound else fps or 0.0 for name, is_sound in sound.items()},
        "hasVideo": {name: not is_sound for name, is_sound in sound.items()},
        "hasAudio": sound,
    }
    return {
        "file": files or {"1": []},
        "type": "MEDIA" if every else "LIVE",
        "date": (timeline.created_at or datetime.now(UTC).strftime(_ISO))[:19],
        "description": "",
        "time offset": 0.0,
        "independent_variables": {},
        "close_behaviors_between_videos": False,
        "visualize_spectrogram": False,
        "media_info": info,
        # Sorting is stable: within one moment a state stops before it starts again.
        "events": [event for _, _, event in sorted(events, key=lambda e: (e[0], e[1]))],
    }


def _players(timeline: Timeline) -> list[list[Medium]]:
    """Media by player: those that follow each other without a pause share one, as BORIS plays them."""
    media = timeline.linked or ((Medium(timeline.media),) if timeline.media else ())
    players: list[list[Medium]] = []
    for medium in sorted(media, key=lambda one: -one.offset_s):
        queue = next((one for one in players if _follows(medium, one[-1])), None)
        if queue is None:
            players.append([medium])
        else:
            queue.append(medium)
    return players


def _follows(medium: Medium, former: Medium) -> bool:
    begins_with_file = medium.begin_s == -medium.offset_s
    return begins_with_file and former.end_s is not None and abs(-medium.offset_s - former.end_s) <= TOLERANCE_S


def _length_s(medium: Medium, timeline: Timeline) -> float:
    return timeline.end_s if medium.end_s is None else medium.end_s + medium.offset_s


def _is_sound(name: str) -> bool:
    return (mimetypes.guess_type(PurePath(name).name)[0] or "").startswith("audio/")


def read_boris(path: StrPath) -> dict[str, Timeline]:
    """Read a BORIS project, plain or compressed (``.boris.gz``).

    Args:
        path: the file.

    Returns:
        Name of the observation → its timeline. Events without a time, as in observations of images, are among its
        refused rows.

    Raises:
        InputDataError: if the file is no BORIS project, or none of its events has a time.
    """
    path = Path(path)
    project = parse_json(path, _unpacked(path))
    try:
        kinds = {b["code"]: str(b["type"]) for b in project["behaviors_conf"].values()}
        timelines = {str(name): _timeline(o, kinds) for name, o in project["observations"].items()}
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise import_error(path, expected="a BORIS project", found=f"{type(error).__name__}: {error}") from error
    refused = [row for timeline in timelines.values() for row in timeline.refused]
    if refused and not any(timeline.count() for timeline in timelines.values()):
        raise import_error(
            path, expected="events with times", found=f"{len(refused)} without: {refused[0].where}, {refused[0].reason}"
        )
    return timelines


def _unpacked(path: Path) -> bytes:
    data = read_bytes(path)
    if data[:2] != b"\x1f\x8b":
        return data
    try:
        with gzip.open(path) as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise import_error(path, expected="a BORIS project packed by gzip", found=str(error)) from error
    if len(data) > MAX_BYTES:
        raise import_error(path, expected=f"at most {MAX_BYTES} bytes unpacked", found="more")
    return data


def _timeline(observation: Mapping[str, Any], kinds: Mapping[str, str]) -> Timeline:
    events, refused = _events(observation["events"])
    linked = tuple(_media(observation))
    offset_s = float(observation.get("time offset") or 0.0)
    ends = [medium.end_s for medium in linked if medium.end_s is not None]
    end_s = max([offset_s, *ends, *(time for time, _ in events)])
    found: dict[tuple[str, str], list[Interval]] = {}
    running: dict[tuple[str, str, str], tuple[float, str, str]] = {}
    for time, (number, (_, subject, code, modifiers, comment, *_rest)) in events:
        where = f"event {number}"
        intervals = found.setdefault((str(subject), str(code)), [])
        label, key = str(comment or modifiers or ""), (str(subject), str(code), str(modifiers))
        if not kinds.get(code, _POINT).casefold().startswith("state"):
            intervals.append(Interval(time, time, label, where))
        elif key in running:
            begin_s, begin_label, begin_where = running.pop(key)
            intervals.append(Interval(begin_s, time, begin_label, begin_where))
        else:
            running[key] = (time, label, where)
    for (subject, code, _), (begin_s, label, where) in running.items():
        found[subject, code].append(Interval(begin_s, end_s, label, where))
    notes = (f"{len(running)} state events without a stop end with the observation",) if running else ()
    first = linked[0] if linked else None
    length_s = first.end_s - first.begin_s if first and first.end_s is not None and first.begin_s is not None else None
    return Timeline(
        _tiers_in_file_order(found),
        first.name if first else None,
        length_s,
        observation.get("date"),
        linked=linked or (Medium("", -offset_s),),
        refused=tuple(refused),
        coded=_observed(observation, offset_s),
        notes=notes,
    )


_Event = tuple[float, tuple[int, Sequence[Any]]]


def _events(rows: Sequence[Sequence[Any]]) -> tuple[list[_Event], list[RefusedRow]]:
    """Events with times, sorted by time, and those without."""
    events, refused = [], []
    for number, row in enumerate(rows, start=1):
        try:
            time = float(row[0])
        except (TypeError, ValueError):
            time = math.nan
        if math.isfinite(time):
            events.append((time, (number, row)))
        else:
            refused.append(RefusedRow(f"event {number}", f"its time {row[0]!r} is no number", str(row[1:5])[:80]))
    return sorted(events, key=lambda event: event[0]), refused


def _media(observation: Mapping[str, Any]) -> Iterator[Medium]:
    """The media of each player; those of one player follow each other."""
    files = observation.get("file")
    if not isinstance(files, dict):
        return
    info = observation.get("media_info") or {}
    lengths, offsets = info.get("length") or {}, info.get("offset") or {}
    shift_s = float(observation.get("time offset") or 0.0)
    if observation.get("media_creation_date_as_offset"):
        shift_s += _creation_time(files, info)
    for player, names in files.items():
        begin_s: float | None = shift_s + float(offsets.get(player) or 0.0)
        for name in names:
            if begin_s is None:  # The length of the medium before it is not known.
                yield Medium(str(name), math.nan)
                continue
            length_s = lengths.get(name)
            end_s = begin_s + float(length_s) if length_s else None
            yield Medium(str(name), -begin_s, begin_s, end_s)
            begin_s = end_s


def _creation_time(files: Mapping[str, Any], info: Mapping[str, Any]) -> float:
    """Epoch seconds of the first medium, which BORIS adds to the times where its creation date is the offset."""
    first = next((name for names in files.values() for name in names), None)
    times = info.get("media_creation_time") or {}
    if first not in times:
        raise ValueError("times count from the medium's creation date, and the project does not hold that date")
    return float(times[first])


def _observed(observation: Mapping[str, Any], offset_s: float) -> tuple[tuple[float, float], ...]:
    """The interval to which the observation was limited."""
    begin_s, end_s = (float(value or 0.0) for value in (observation.get("observation time interval") or (0, 0))[:2])
    return ((begin_s + offset_s, end_s + offset_s),) if end_s > begin_s else ()


def _tiers_in_file_order(found: Mapping[tuple[str, str], Sequence[Interval]]) -> tuple[Tier, ...]:
    return tuple(Tier(code, sort_intervals(intervals), subject) for (subject, code), intervals in found.items())
