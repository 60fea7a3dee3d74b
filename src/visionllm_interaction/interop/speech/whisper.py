"""Transcripts of Whisper and its relatives (JSON): segments, speakers and words with times.

Read are OpenAI's program and service, WhisperX, whisper-timestamped, faster-whisper (a list of segments), whisper.cpp
(``transcription`` with offsets in milliseconds) and the pipelines of transformers (``chunks`` with ``timestamp``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from visionllm_interaction.interop.formats.safe_reading import import_error, read_json
from visionllm_interaction.interop.tiers import Interval, RefusedRow, Tier, Timeline, sort_intervals
from visionllm_interaction.utils.path_type import StrPath


def read_whisper(path: StrPath) -> Timeline:
    """Read a transcript of Whisper, in any of the forms above.

    A word without times, as WhisperX leaves words with digits, gets the time between its neighbours in the segment.

    Args:
        path: the file.

    Returns:
        Its timeline: a tier of utterances and one of words per speaker.

    Raises:
        InputDataError: if it is no such transcript, or no segment has a time.
    """
    path = Path(path)
    segments = _segments(path)
    said: dict[str, list[Interval]] = {}
    words: dict[str, list[Interval]] = {}
    refused: list[RefusedRow] = []
    between = 0
    for number, segment in enumerate(segments, start=1):
        where = f"segment {number}"
        span = _span(segment)
        if span is None:
            refused.append(RefusedRow(where, "it has no times", str(segment)[:80]))
            continue
        speaker = str(segment.get("speaker") or "")
        said.setdefault(speaker, []).append(Interval(*span, str(segment.get("text") or "").strip(), where))
        for word, who, is_between in _words(segment, span, speaker, where):
            words.setdefault(who, []).append(word)
            between += is_between
    if refused and not said:
        raise import_error(path, expected="segments with times", found=f"{len(refused)} without")
    notes = (f"{between} words without times of their own lie between their neighbours",) if between else ()
    tiers = [Tier(f"{who} speech".strip(), sort_intervals(i), who, kind="speech") for who, i in said.items()]
    tiers += [Tier(f"{who} words".strip(), sort_intervals(i), who, kind="word") for who, i in words.items()]
    return Timeline(tuple(tiers), refused=tuple(refused), notes=notes)


def _segments(path: Path) -> list[Any]:
    content = read_json(path)
    if isinstance(content, list):
        return content
    if isinstance(listed := content.get("segments"), list):
        return listed
    if isinstance(listed := content.get("transcription"), list):
        return [_of_offsets(item) for item in listed]
    if isinstance(listed := content.get("chunks"), list):
        return [_of_pair(item) for item in listed]
    raise import_error(path, expected="a transcript with segments", found=", ".join(list(content)[:8]) or "nothing")


def _of_offsets(item: Any) -> Any:
    """A segment of whisper.cpp, whose offsets are milliseconds."""
    try:
        begin_ms, end_ms = item["offsets"]["from"], item["offsets"]["to"]
        return {**item, "start": begin_ms / 1000, "end": end_ms / 1000}
    except (KeyError, TypeError, OverflowError):
        return item


def _of_pair(item: Any) -> Any:
    """A chunk of a pipeline, whose times are a pair."""
    pair = item.get("timestamp") if isinstance(item, dict) else None
    return {**item, "start": pair[0], "end": pair[1]} if isinstance(pair, list) and len(pair) == 2 else item


def _span(item: object) -> tuple[float, float] | None:
    if not isinstance(item, dict):
        return None
    try:
        begin_s, end_s = float(item["start"]), float(item["end"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return (begin_s, end_s) if math.isfinite(begin_s) and math.isfinite(end_s) else None


def _words(
    segment: Mapping[str, Any], span: tuple[float, float], speaker: str, where: str
) -> Iterator[tuple[Interval, str, bool]]:
    """Words, their speakers, and whether their time is only that between their neighbours."""
    words = segment.get("words")
    listed: Sequence[Any] = words if isinstance(words, list) else ()
    spans = [_span(word) for word in listed]
    for at, word in enumerate(listed):
        if not isinstance(word, dict):
            continue
        text = str(word.get("word") or word.get("text") or "").strip()
        own = spans[at]
        begin_s, end_s = own or _gap(spans, at, span)
        yield Interval(begin_s, max(end_s, begin_s), text, where), str(word.get("speaker") or speaker), own is None


def _gap(spans: Sequence[tuple[float, float] | None], at: int, span: tuple[float, float]) -> tuple[float, float]:
    """The time between the nearest words before and after that have times."""
    before = next((one[1] for one in reversed(spans[:at]) if one), span[0])
    after = next((one[0] for one in spans[at + 1 :] if one), span[1])
    return before, max(after, before)
