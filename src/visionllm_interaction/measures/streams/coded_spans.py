"""Which time the files of codes say was coded of somebody: one rule for streams and for codes one by one.

People are told apart by more than case, as in the language: ``Child`` in one file is ``child`` in another.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.intervals import Intervals, union
from visionllm_interaction.core.tracks_relations_events import Code
from visionllm_interaction.measures.streams.batch import CODED_KIND, person_key


def spans_of_file(spans: Intervals, is_of_them: NDArray[np.bool_]) -> Intervals:
    """The time that one file says was coded of somebody.

    Args:
        spans: (N, 2) what the file says was coded, seconds; at least one.
        is_of_them: (N,) whether it says so of them, or of nobody in particular.

    Returns:
        (M, 2) those of them; all where the file only tells of others, since it then means everybody.
    """
    used = spans[is_of_them] if is_of_them.any() else spans
    return used[used[:, 1] > used[:, 0]]


def coded_time_of(codes: Sequence[Code], own: Sequence[Code], who: str, *, duration_s: float) -> Intervals:
    """The time that was coded of somebody.

    Args:
        codes: all codes of a video.
        own: the codes in question.
        who: their participant.
        duration_s: length of the video in seconds.

    Returns:
        (M, 2) disjoint intervals; the whole video where one of the files does not say what it coded.
    """
    parts: list[Intervals] = []
    for source in {code.source for code in own}:
        said = [code for code in codes if code.kind == CODED_KIND and code.source == source]
        if not said:
            return np.array([[0.0, duration_s]])
        spans = np.array([(code.begin_s, code.end_s) for code in said], np.float64)
        keys = ("", person_key(who))
        parts.append(spans_of_file(spans, np.array([person_key(code.participant) in keys for code in said])))
    return union(np.concatenate(parts)) if parts else np.zeros((0, 2))
