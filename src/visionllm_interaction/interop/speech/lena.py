"""LENA's ``.its`` files: who is heard when in a day-long recording, with words and vocalisations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from xml.etree.ElementTree import Element

from visionllm_interaction.interop.formats.safe_reading import import_error, read_xml
from visionllm_interaction.interop.tiers import Interval, RefusedRow, Tier, Timeline, sort_intervals
from visionllm_interaction.utils.path_type import StrPath

_SPEAKERS: Mapping[str, str] = MappingProxyType(
    {"CHN": "child", "FAN": "caregiver", "MAN": "caregiver", "CXN": "other child"}
)
"""Speakers that are heard clearly → role. Of segments whose name ends in F the speaker is too far to be sure."""
_TIME = re.compile(r"P(?:T(?:(?P<h>\d+)H)?(?:(?P<m>\d+)M)?(?P<s>\d+(?:\.\d+)?)S)\Z")
_COUNTS = (
    "childUttCnt",
    "childUttLen",
    "childCryVfxLen",
    "femaleAdultWordCnt",
    "maleAdultWordCnt",
)


def read_its(path: StrPath) -> Timeline:
    """Read a LENA file.

    Args:
        path: the file.

    Returns:
        Its timeline on the clock of the sound file: a tier per class of sound; the label holds the counts of words and
        utterances. What was recorded is coded.

    Raises:
        InputDataError: if it is no such file.
    """
    path = Path(path)
    root = read_xml(path)
    recordings = list(root.iter("Recording"))
    if not recordings:
        raise import_error(path, expected="a LENA file with recordings", found=f"<{root.tag}>")
    found: dict[str, list[Interval]] = {}
    refused: list[RefusedRow] = []
    coded: list[tuple[float, float]] = []
    for recording in recordings:
        try:
            coded.append(_span(recording))
        except ValueError as error:
            refused.append(RefusedRow(f"recording {recording.get('num', '?')}", str(error)))
        for number, segment in enumerate(recording.iter("Segment"), start=1):
            where = f"segment {number} of recording {recording.get('num', '?')}"
            speaker = segment.get("spkr", "")
            try:
                found.setdefault(speaker, []).append(Interval(*_span(segment), _label(segment), where))
            except ValueError as error:
                refused.append(RefusedRow(where, str(error), speaker))
    tiers = tuple(_tier(speaker, intervals) for speaker, intervals in found.items())
    return Timeline((*tiers, *_child_utterances(recordings)), refused=tuple(refused), coded=tuple(coded))


def _tier(speaker: str, intervals: list[Interval]) -> Tier:
    role = _SPEAKERS.get(speaker, "")
    return Tier(speaker, sort_intervals(intervals), role, kind="speech" if role else "code")


def _span(element: Element) -> tuple[float, float]:
    begin, end = (element.get(name, "") for name in ("startTime", "endTime"))
    return _seconds(begin), _seconds(end)


def _seconds(text: str) -> float:
    matched = _TIME.match(text)
    if matched is None:
        raise ValueError(f"{text!r} is no time")
    whole = int(matched["h"] or 0) * 3600 + int(matched["m"] or 0) * 60
    return whole + float(matched["s"])


def _label(segment: Element) -> str:
    counts = ((name, segment.get(name)) for name in _COUNTS)
    return ", ".join(f"{name}={text}" for name, text in counts if text and not _is_nothing(text))


def _is_nothing(text: str) -> bool:
    return bool(re.fullmatch(r"(P0S|0(\.0+)?|P?T?0+(\.0+)?S?)", text))


def _child_utterances(recordings: list[Element]) -> Iterator[Tier]:
    """Utterances of the key child, which are parts of segments: as elements or as numbered attributes."""
    utterances: list[Interval] = []
    cries: list[Interval] = []
    for segment in (segment for recording in recordings for segment in recording.iter("Segment")):
        for name, intervals in (("Utt", utterances), ("Cry", cries)):
            for number in range(1, 100):
                begin, end = segment.get(f"start{name}{number}"), segment.get(f"end{name}{number}")
                if begin is None or end is None:
                    break
                intervals.append(Interval(_seconds(begin), _seconds(end)))
        for element in segment.iter():
            if element.tag in ("UTT", "CRY") and element.get("startTime"):
                (utterances if element.tag == "UTT" else cries).append(Interval(*_span(element)))
    if utterances:
        yield Tier("CHN utterances", sort_intervals(utterances), "child", kind="code")
    if cries:
        yield Tier("CHN cries", sort_intervals(cries), "child", kind="code")
