"""ALICE's counts of adult words, syllables and phonemes: one line per utterance, its times in the name of its file."""

from __future__ import annotations

import re
from pathlib import Path

from visionllm_interaction.interop.formats.safe_reading import import_error, read_text
from visionllm_interaction.interop.tiers import Interval, Tier, Timeline, sort_intervals
from visionllm_interaction.utils.path_type import StrPath

_LINE = re.compile(r"(?P<name>\S+)_(?P<on>\d+)_(?P<off>\d+)(?:\.wav)?\s+(?P<counts>[\d.]+\s+[\d.]+\s+[\d.]+)\s*\Z")
_PER_SECOND = 10_000
"""Onsets and offsets are in tenths of a millisecond."""


def is_alice(text: str) -> bool:
    """Whether a text is one of ALICE's, by its first line."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return bool(_LINE.match(first))


def read_alice(path: StrPath) -> dict[str, Timeline]:
    """Read ALICE's counts per utterance.

    Args:
        path: the file.

    Returns:
        Name of the recording → its timeline: a tier of kind ``code``, whose labels hold the fractional counts.

    Raises:
        InputDataError: if a line is not ALICE's.
    """
    path = Path(path)
    found: dict[str, list[Interval]] = {}
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        matched = _LINE.match(line)
        if matched is None:
            raise import_error(path, expected="REC_onset_offset.wav phonemes syllables words", found=line[:80])
        phonemes, syllables, words = matched["counts"].split()
        label = f"words={words}, syllables={syllables}, phonemes={phonemes}"
        span = int(matched["on"]) / _PER_SECOND, int(matched["off"]) / _PER_SECOND
        found.setdefault(matched["name"], []).append(Interval(*span, label, f"line {number}"))
    return {
        name: Timeline((Tier("adult words", sort_intervals(intervals), "caregiver", kind="code"),))
        for name, intervals in found.items()
    }
