"""Subtitles: SubRip (``.srt``) and WebVTT (``.vtt``), with speakers where they are marked."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

from visionllm_interaction.interop.formats.clock_times import parse_seconds
from visionllm_interaction.interop.formats.safe_reading import import_error, read_text
from visionllm_interaction.interop.tiers import Interval, RefusedRow, Tier, Timeline, sort_intervals
from visionllm_interaction.utils.path_type import StrPath

_ARROW = re.compile(r"\s*(?P<begin>[\d:.,]+)\s*-->\s*(?P<end>[\d:.,]+)(?:\s.*)?\Z")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+(?P<who>[^>]+)>")
_SPEAKER = re.compile(r"(?:\[(?P<square>[^\]]{1,30})\]|(?P<plain>[A-ZÆØÅ][\w .-]{0,20})):\s+")


def read_subtitles(path: StrPath) -> Timeline:
    """Read subtitles.

    Args:
        path: a ``.srt`` or ``.vtt`` file.

    Returns:
        Its timeline: a tier per speaker. Speakers are marked by ``<v NAME>``, ``[NAME]: `` or ``NAME: ``.

    Raises:
        InputDataError: if it has no cue, and is not empty: a file that was emptied replaces what it brought before.
    """
    path = Path(path)
    found: dict[str, list[Interval]] = {}
    refused: list[RefusedRow] = []
    whole = read_text(path)
    for number, begin, end, text in _cues(whole, numbered=path.suffix.lower() == ".srt"):
        where = f"line {number}"
        try:
            span = parse_seconds(begin, decimal_comma=True), parse_seconds(end, decimal_comma=True)
        except ValueError as error:
            refused.append(RefusedRow(where, str(error), text[:80]))
            continue
        who, label = _spoken(text)
        found.setdefault(who, []).append(Interval(*span, label, where))
    if not found and (refused or _says_something(whole)):
        raise import_error(path, expected="cues with times (00:00:01.000 --> 00:00:02.000)", found="none")
    tiers = (
        Tier(f"{who} speech".strip(), sort_intervals(intervals), who, kind="speech") for who, intervals in found.items()
    )
    return Timeline(tuple(tiers), refused=tuple(refused))


def _says_something(text: str) -> bool:
    """Whether there is more than WebVTT's heading."""
    return bool(text.strip()) and not re.fullmatch(r"WEBVTT[^\n]*\s*", text.strip())


def _cues(text: str, *, numbered: bool) -> Iterator[tuple[int, str, str, str]]:
    """Line, begin, end and text of each cue.

    A cue of WebVTT ends at a blank line, for notes and styles may follow. One of SubRip ends at the next one, whose
    number does not count: digits right before its times, after a blank line or in their turn. In a file whose first cue
    has a number, they may also stand between blank lines.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    starts = [(at, matched) for at, line in enumerate(lines) if (matched := _ARROW.match(line))]
    is_numbered = bool(starts) and any(line.strip().isdecimal() for line in lines[: starts[0][0]])
    nexts = [*(at for at, _ in starts[1:]), len(lines)]
    for turn, ((at, matched), after) in enumerate(zip(starts, nexts, strict=False), start=1):
        content = [line.strip() for line in lines[at + 1 : after]]
        if not numbered:
            content = content[: content.index("")] if "" in content else content
        elif after < len(lines):
            content = _without_number(content, turn + 1, between_blanks=is_numbered)
        yield at + 1, matched["begin"], matched["end"], "\n".join(filter(None, content))


def _without_number(content: list[str], turn: int, *, between_blanks: bool) -> list[str]:
    """The lines of a cue without the number of the next one, which is the cue of that turn."""
    last = len(content)
    while last and not content[last - 1]:
        last -= 1
    if not last or not content[last - 1].isdecimal():
        return content
    if last < len(content):
        is_number = between_blanks and last > 1 and not content[last - 2]
    else:
        is_number = last < 2 or not content[last - 2] or content[last - 1].lstrip("0") == str(turn)
    return content[: last - 1] if is_number else content


def _spoken(text: str) -> tuple[str, str]:
    """Speaker and words of a cue."""
    voice = _VOICE.search(text)
    plain = html.unescape(re.sub(r"<[^>]*>|\{\\[^}]*\}", "", text)).strip()
    marked = _SPEAKER.match(plain)
    if voice is None and marked:
        return (marked["square"] or marked["plain"]).strip(), " ".join(plain[marked.end() :].split())
    return (voice["who"].strip() if voice else ""), " ".join(plain.split())
