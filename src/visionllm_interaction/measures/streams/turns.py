"""Turns: when one person's utterance answers another's; the limits are those of :mod:`.turns` in ``measures``."""

from __future__ import annotations

import numpy as np

from visionllm_interaction.core.grouped_arrays import Floats, Ints
from visionllm_interaction.core.intervals import TOLERANCE_S
from visionllm_interaction.measures.streams.coded_time import KnownTime, coded_time
from visionllm_interaction.measures.streams.stream import Stream, TrackLists
from visionllm_interaction.measures.streams.stream_scopes import StreamGroups
from visionllm_interaction.measures.turn_limits import TurnLimits

Utterances = tuple[Floats, Floats]


def turns(groups: StreamGroups, subject: Ints, object_: Ints, limits: TurnLimits) -> tuple[Stream, Floats]:
    """The utterances of the subject that the object answers.

    From the end of what the subject says to the begin of what the object says next, the subject not having gone on in
    between. What lies wholly inside an utterance of the other one is no turn. A turn belongs to the window in which
    the subject's utterance begins; its answer may lie outside. Where the files say what was coded, all has to be coded
    from the begin of the utterance to its answer.

    Args:
        groups: what to compute it for.
        subject: (G,) who is answered.
        object_: (G,) who answers.
        limits: how late an answer may begin, and how early.

    Returns:
        One row per turn, from the begin of the utterance to the begin of the answer or the end of the utterance, and
        (N,) its lag in seconds.
    """
    one, two = groups.names.texts(subject), groups.names.texts(object_)
    known = speech_known(groups.unwindowed, subject, object_)
    found: dict[tuple[int, int, int], tuple[Floats, Floats, Floats]] = {}
    parts: list[tuple[Ints, Floats, Floats, Floats]] = []
    for group, key in enumerate(zip(groups.video.tolist(), one.tolist(), two.tolist(), strict=True)):
        if key not in found:
            found[key] = _turns_of(groups, *key, limits=limits)
        begin_s, end_s, reply_s = found[key]
        inside = (begin_s >= groups.begin_s[group]) & (begin_s < groups.end_s[group])
        if inside.any():
            parts.append((np.full(int(inside.sum()), group), begin_s[inside], end_s[inside], reply_s[inside]))
    if not parts:
        return Stream.empty(), np.zeros(0)
    group_, begin_s, end_s, reply_s = (np.concatenate(column) for column in zip(*parts, strict=True))
    # In time that was not coded there may have been an earlier answer, or a next utterance.
    kept = known.throughout(group_, begin_s, reply_s)
    group_, begin_s, end_s, reply_s = group_[kept], begin_s[kept], end_s[kept], reply_s[kept]
    rows = Stream(group_, begin_s, np.maximum(reply_s, end_s), TrackLists.none(len(group_)))
    return rows, reply_s - end_s


def speech_known(groups: StreamGroups, subject: Ints, object_: Ints) -> KnownTime:
    """The time in which the speech of both is known; names (G,) as in :func:`turns`."""
    one, two = (coded_time(groups, kind="speech", tier=None, participant=who) for who in (subject, object_))
    return one.and_(two)


def _turns_of(
    groups: StreamGroups, video: int, one: int, two: int, *, limits: TurnLimits
) -> tuple[Floats, Floats, Floats]:
    """Begin and end of the answered utterances, and begin of the answers."""
    own, others = _said(groups, video, one), _said(groups, video, two)
    if one != two:
        own, others = _not_inside(own, others), _not_inside(others, own)
    begin_s, end_s = own
    if not len(begin_s) or not len(others[0]):
        return np.zeros(0), np.zeros(0), np.zeros(0)
    next_own = np.append(begin_s[1:], np.inf)
    after_begin = np.searchsorted(others[0], begin_s, side="right")
    in_time = np.searchsorted(others[0], end_s - limits.max_overlap_s - TOLERANCE_S, side="left")
    place = np.maximum(after_begin, in_time)
    reply_s = np.append(others[0], np.inf)[place]
    answered = (reply_s <= end_s + limits.max_gap_s + TOLERANCE_S) & (reply_s <= next_own) & (place < len(others[0]))
    return begin_s[answered], end_s[answered], reply_s[answered]


def _said(groups: StreamGroups, video: int, who: int) -> Utterances:
    """Begins and ends of what somebody says in a video, by begin and end."""
    codes = groups.batch.codes
    first, after = np.searchsorted(codes.video, [video, video + 1])
    rows = slice(first, after)
    kept = (codes.participant[rows] == who) & (codes.kind[rows] == groups.batch.texts.known("speech"))
    return codes.begin_s[rows][kept], codes.end_s[rows][kept]


def _not_inside(said: Utterances, others: Utterances) -> Utterances:
    """Those of ``said`` that do not lie wholly inside one of ``others``."""
    begin_s, end_s = said
    if not len(others[0]):
        return said
    reached = np.maximum.accumulate(others[1])
    before = np.searchsorted(others[0], begin_s, side="right") - 1
    longest = np.where(before >= 0, reached[np.maximum(before, 0)], -np.inf)
    outside = ~((longest >= end_s) & (longest > begin_s))
    return begin_s[outside], end_s[outside]
