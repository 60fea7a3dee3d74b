"""The time of a video that people coded, as far as their files say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from visionllm_interaction.core.intervals import Intervals, union
from visionllm_interaction.core.tracks_relations_events import Code

CODED = "coded"


def coded_time(codes: Sequence[Code], own: Sequence[Code], who: str, *, duration_s: float) -> Intervals:
    """The time that was coded of somebody.

    Args:
        codes: all codes of a video.
        own: the codes in question.
        who: their participant.
        duration_s: length of the video in seconds.

    Returns:
        (M, 2) disjoint intervals; the whole video where one of the files does not say what it coded.
    """
    whole = np.array([[0.0, duration_s]])
    spans: list[tuple[float, float]] = []
    for source in {code.source for code in own}:
        said = [code for code in codes if code.kind == CODED and code.source == source]
        if not said:
            return whole
        of_them = [code for code in said if code.participant in ("", who)]
        spans += [(code.begin_s, code.end_s) for code in of_them or said if code.end_s > code.begin_s]
    return union(np.array(spans, np.float64).reshape(-1, 2))
