"""When one person's utterance answers another's: the limits of a turn, and the presets of the field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class TurnLimits:
    """How late an answer may begin, and how early.

    Attributes:
        max_gap_s: longest silence between the end of an utterance and the begin of its answer, in seconds.
        max_overlap_s: longest time, in seconds, by which the answer may begin before the utterance has ended.
    """

    max_gap_s: float
    max_overlap_s: float

    def __str__(self) -> str:
        return f"max_gap_s={self.max_gap_s:g} max_overlap_s={self.max_overlap_s:g}"


STANDARD = TurnLimits(max_gap_s=2.0, max_overlap_s=1.0)
"""Defaults of the R package chattr: Casillas & Scaff (2021), Proceedings of the Cognitive Science Society 43."""
LENA = TurnLimits(max_gap_s=5.0, max_overlap_s=0.0)
"""Answers within 5 s and never in overlap, as LENA's conversational turns: Gilkerson & Richards (2008), LTR-02."""

PRESETS: Mapping[str, TurnLimits] = MappingProxyType({"standard": STANDARD, "lena": LENA})
"""Limits by the name that `measures.turns.preset` takes."""
