"""BORIS projects: a tier is a behaviour, its participant the subject, a label the event's comment.

State events come in pairs of start and stop; of a state without a stop the observation's end is taken.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from visionllm_interaction.interop.safe_reading import import_error, read_json
from visionllm_interaction.interop.tiers import Interval, Tier, Timeline, sort_intervals, split_overlaps
from visionllm_interaction.utils.paths import StrPath

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
    media = [timeline.media] if timeline.media else []
    info: dict[str, Any] = {"length": dict.fromkeys(media, timeline.end_s), "offset": {"1": 0.0}}
    info |= {"fps": dict.fromkeys(media, fps or 0.0), "hasVideo": dict.fromkeys(media, True)}
    return {
        "file": {"1": media},
        "type": "MEDIA" if media else "LIVE",
        "date": (timeline.created_at or datetime.now(UTC).strftime(_ISO))[:19],
        "description": "",
        "time offset": 0.0,
        "independent_variables": {},
        "close_behaviors_between_videos": False,
        "visualize_spectrogram": False,
        "media_info": {**info, "hasAudio": dict.fromkeys(media, False)},
        # Sorting is stable: within one moment a state stops before it starts again.
        "events": [event for _, _, event in sorted(events, key=lambda e: (e[0], e[1]))],
    }


def read_boris(path: StrPath) -> dict[str, Timeline]:
    """Read a BORIS project.

    Args:
        path: the file.

    Returns:
        Name of the observation → its timeline.

    Raises:
        InputDataError: if the file is no BORIS project.
    """
    path = Path(path)
    project = read_json(path)
    try:
        kinds = {b["code"]: str(b["type"]) for b in project["behaviors_conf"].values()}
        return {str(name): _timeline(o, kinds) for name, o in project["observations"].items()}
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise import_error(path, expected="a BORIS project", found=f"{type(error).__name__}: {error}") from error


def _timeline(observation: Mapping[str, Any], kinds: Mapping[str, str]) -> Timeline:
    events = sorted(observation["events"], key=lambda event: float(event[0]))
    files = observation.get("file") or {}
    media = next((name for names in files.values() for name in names), None) if isinstance(files, dict) else None
    lengths = observation.get("media_info", {}).get("length", {})
    duration_s = float(lengths[media]) if media in lengths else None
    end_s = max([duration_s or 0.0, *(float(event[0]) for event in events)])
    found: dict[tuple[str, str], list[Interval]] = {}
    running: dict[tuple[str, str, str], tuple[float, str]] = {}
    for time, subject, code, modifiers, comment, *_ in events:
        intervals = found.setdefault((str(subject), str(code)), [])
        label, key = str(comment or modifiers or ""), (str(subject), str(code), str(modifiers))
        if not kinds.get(code, _POINT).casefold().startswith("state"):
            intervals.append(Interval(float(time), float(time), label))
        elif key in running:
            begin_s, first_label = running.pop(key)
            intervals.append(Interval(begin_s, float(time), first_label))
        else:
            running[key] = (float(time), label)
    for (subject, code, _), (begin_s, label) in running.items():
        found[subject, code].append(Interval(begin_s, end_s, label))
    tiers = _tiers_in_file_order(found)
    return Timeline(tiers, media, duration_s, observation.get("date"))


def _tiers_in_file_order(found: Mapping[tuple[str, str], Sequence[Interval]]) -> tuple[Tier, ...]:
    return tuple(Tier(code, sort_intervals(intervals), subject) for (subject, code), intervals in found.items())
