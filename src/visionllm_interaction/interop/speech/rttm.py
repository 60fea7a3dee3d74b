"""RTTM files: who speaks when, as VTC (both versions), pyannote and VCM write it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from visionllm_interaction.interop.formats.clock_times import parse_seconds
from visionllm_interaction.interop.formats.safe_reading import import_error, read_text
from visionllm_interaction.interop.tiers import Interval, RefusedRow, Tier, Timeline, sort_intervals
from visionllm_interaction.utils.path_type import StrPath

_VOCALISATIONS: Mapping[str, str] = MappingProxyType(
    {"CRY": "cry", "NCS": "non-canonical", "CNS": "canonical", "OTH": "other"}
)
"""Classes of VCM: kinds of the key child's vocalisations."""


def read_rttm(path: StrPath) -> dict[str, Timeline]:
    """Read an RTTM file.

    ``KCHI`` is the key child. Where it or ``SPEECH`` occurs, the file is one of VTC 1 and ``CHI`` is *another* child.
    ``SPEECH`` is anybody's and is no speaker.

    Args:
        path: the file.

    Returns:
        Name of the recording → its timeline; a tier per speaker.

    Raises:
        InputDataError: if no line of it is one of RTTM.
    """
    path = Path(path)
    found: dict[str, dict[str, list[Interval]]] = {}
    refused: dict[str, list[RefusedRow]] = {}
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        fields = line.split()
        if not fields or fields[0].startswith(";"):
            continue
        where = f"line {number}"
        if len(fields) < 8:
            refused.setdefault(fields[1] if len(fields) > 1 else "", []).append(
                RefusedRow(where, f"it has {len(fields)} fields, RTTM 8 or more", line[:80])
            )
            continue
        if fields[0] != "SPEAKER":
            continue
        name, speaker = fields[1], fields[7]
        try:
            begin_s, length_s = parse_seconds(fields[3]), parse_seconds(fields[4])
        except ValueError as error:
            refused.setdefault(name, []).append(RefusedRow(where, str(error), line[:80]))
            continue
        label = _VOCALISATIONS.get(speaker, "")
        found.setdefault(name, {}).setdefault(speaker, []).append(Interval(begin_s, begin_s + length_s, label, where))
    if not found and refused:
        row = next(iter(refused.values()))[0]
        raise import_error(path, expected="lines of RTTM", found=f"{row.where}: {row.reason}")
    speakers = {speaker for tiers in found.values() for speaker in tiers}
    has_key_child = bool(speakers & {"KCHI", "SPEECH"})
    return {
        name: Timeline(
            tuple(_tier(speaker, intervals, has_key_child=has_key_child) for speaker, intervals in tiers.items()),
            refused=tuple(refused.get(name, ())),
        )
        for name, tiers in (found or {path.stem: {}}).items()
    }


def _tier(speaker: str, intervals: list[Interval], *, has_key_child: bool) -> Tier:
    ordered = sort_intervals(intervals)
    if speaker == "SPEECH":
        return Tier(speaker, ordered, kind="code")
    if speaker in _VOCALISATIONS:
        return Tier(speaker, ordered, "KCHI", kind="code")
    who = "other child" if speaker == "CHI" and has_key_child else speaker
    return Tier(speaker, ordered, who, kind="speech")
