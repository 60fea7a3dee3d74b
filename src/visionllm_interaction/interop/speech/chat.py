"""CHAT transcripts (``.cha``) of CHILDES: utterances with their times, and words where they have any."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from visionllm_interaction.interop.formats.safe_reading import import_error, read_text
from visionllm_interaction.interop.tiers import Interval, Medium, RefusedRow, Tier, Timeline, sort_intervals
from visionllm_interaction.utils.path_type import StrPath

_BULLET = re.compile(r"[\x15\u2022•]?\s*(?<![\d_])(\d+)_(\d+)(?![\d_])\s*[\x15\u2022•]?")
_MARKED_BULLET = re.compile(r'[\x15\u2022]\s*(?:%(?:snd|mov):\s*"[^"]*"_)?(\d+)_(\d+)\s*[\x15\u2022]?')
"""A bullet; in transcripts of before 2010 it names the file: ``%snd:"a"_1500_2250``."""
_ROLES = {
    "target_child": "child",
    "child": "other child",
    "mother": "caregiver",
    "father": "caregiver",
    "caretaker": "caregiver",
    "grandmother": "caregiver",
    "grandfather": "caregiver",
    "sister": "other child",
    "brother": "other child",
    "sibling": "other child",
    "playmate": "other child",
}


@dataclass(frozen=True, slots=True)
class _Utterance:
    speaker: str
    text: str
    line: int
    tiers: tuple[tuple[str, str], ...]


def read_chat(path: StrPath) -> Timeline:
    """Read a CHAT transcript.

    Args:
        path: the file.

    Returns:
        Its timeline: a tier ``CHI`` … per speaker, and one of single words where ``%wor`` lines have times. Utterances
        without a media bullet have no time and are counted in its notes.

    Raises:
        InputDataError: if it is no CHAT transcript.
    """
    path = Path(path)
    text = read_text(path)
    lines = list(_joined(text))
    if not any(line.startswith("@Begin") for _, line in lines):
        raise import_error(path, expected="a CHAT transcript with @Begin", found=text[:40])
    roles = _participants(line for _, line in lines)
    found: dict[str, list[Interval]] = {}
    words: dict[str, list[Interval]] = {}
    refused: list[RefusedRow] = []
    untimed = 0
    for utterance in _utterances(lines):
        bullets = list(_bullets(utterance.text))
        if not bullets:
            untimed += 1
            continue
        begin_s, end_s = bullets[0][0] / 1000, bullets[-1][1] / 1000
        where = f"line {utterance.line}"
        label = _clean(utterance.text)
        if end_s < begin_s:
            refused.append(RefusedRow(where, f"it ends at {end_s} s, before it begins at {begin_s} s", label[:80]))
            continue
        found.setdefault(utterance.speaker, []).append(Interval(begin_s, end_s, label, where))
        for name, content in utterance.tiers:
            if name == "wor":
                words.setdefault(utterance.speaker, []).extend(_words(content, where))
    notes = (f"{untimed} utterances without a media bullet have no time and were left out",) if untimed else ()
    tiers = [Tier(who, sort_intervals(i), roles.get(who, who), kind="speech") for who, i in found.items()]
    tiers += [Tier(f"{who} words", sort_intervals(i), roles.get(who, who), kind="word") for who, i in words.items()]
    media = next((line.partition(":")[2].split(",")[0].strip() for _, line in lines if line.startswith("@Media")), None)
    linked = (Medium(media),) if media else ()
    return Timeline(tuple(tiers), media, linked=linked, refused=tuple(refused), notes=notes)


def _joined(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their numbers; one that begins with a tab goes on the one before it."""
    number, current = 0, ""
    for at, line in enumerate(text.splitlines(), start=1):
        if line.startswith(("\t", "   ")) and current:
            current += " " + line.strip()
            continue
        if current:
            yield number, current
        number, current = at, line
    if current:
        yield number, current


def _participants(lines: Iterator[str]) -> dict[str, str]:
    """Speaker's code → role, by the role in the header; codes that say more than the role stay themselves."""
    roles: dict[str, str] = {}
    for line in lines:
        if line.startswith("@Participants:"):
            for person in line.partition(":")[2].split(","):
                parts = person.split()
                if len(parts) > 1 and parts[-1].casefold() in _ROLES:
                    roles[parts[0]] = _ROLES[parts[-1].casefold()]
    return roles


def _utterances(lines: list[tuple[int, str]]) -> Iterator[_Utterance]:
    current: tuple[str, str, int] | None = None
    tiers: list[tuple[str, str]] = []
    for number, line in lines:
        if line.startswith("*"):
            if current:
                yield _Utterance(*current, tuple(tiers))
            speaker, _, text = line[1:].partition(":")
            current, tiers = (speaker.strip(), text.strip(), number), []
        elif line.startswith("%"):
            name, _, text = line[1:].partition(":")
            tiers.append((name.strip(), text.strip()))
    if current:
        yield _Utterance(*current, tuple(tiers))


def _bullets(text: str) -> Iterator[tuple[int, int]]:
    marked = list(_MARKED_BULLET.finditer(text))
    # Without the control character around it a bullet stands at the very end of the line.
    found = marked or [m for m in _BULLET.finditer(text) if not text[m.end() :].strip()]
    return ((int(m[1]), int(m[2])) for m in found)


def _words(content: str, where: str) -> Iterator[Interval]:
    """Words of a ``%wor`` line, each before its own bullet."""
    at = 0
    for bullet in _MARKED_BULLET.finditer(content):
        word = _clean(content[at : bullet.start()])
        at = bullet.end()
        begin_s, end_s = int(bullet[1]) / 1000, int(bullet[2]) / 1000
        if word and end_s >= begin_s:
            yield Interval(begin_s, end_s, word.split()[-1], where)


def _clean(text: str) -> str:
    """What was said, without CHAT's codes."""
    text = _MARKED_BULLET.sub(" ", text)
    text = re.sub(r"\s\d+_\d+\s*\Z", " ", text)
    text = re.sub(r"<([^<>]*)>\s*\[/+\]|\S+\s*\[/+\]", " ", text)  # what was said again or differently
    text = re.sub(r"\[(?!:)[^\]]*\]", " ", text)
    text = re.sub(r"\S+\s*\[::?\s*([^\]]*)\]", r"\1", text)  # replaced by what was meant
    text = re.sub(r"\[[^\]]*\]", " ", text)
    text = re.sub(r"(?<!\S)&\S+|(?<!\S)0\w+|(?<!\S)(xxx|yyy|www)(?!\S)", " ", text)
    text = re.sub(r"\([\d:]*\.+\d*\)", " ", text)  # pauses
    text = re.sub(r"\(([^)\s]*)\)", r"\1", text)
    text = re.sub(r"@\S+|[<>+^„‡↑↓]|\+\S*", " ", text)
    return " ".join(text.split())
