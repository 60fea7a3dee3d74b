"""The functions that give a length of time each: latencies, pauses, lags of turns."""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace

from visionllm_interaction.measures.language.evaluate import Arguments
from visionllm_interaction.measures.language.values import Samples
from visionllm_interaction.measures.streams import stream as algebra
from visionllm_interaction.measures.streams import turns as spoken
from visionllm_interaction.measures.streams.coded_time import KnownTime
from visionllm_interaction.measures.streams.stream import Stream, merged


def latency(arguments: Arguments) -> Samples:
    """``latency``."""
    first, second = (s if s.moments else merged(s) for s in arguments.arrow("a"))
    return _lags(first, second, arguments.seconds("within"), arguments.known_time())


def _lags(first: Stream, second: Stream, within_s: float, time: KnownTime) -> Samples:
    end_s = algebra.points(first)[1]
    i, j = algebra.next_after(first.group, end_s, second, within_s, strictly=first.moments and second.moments)
    following = np.full(len(first), np.inf)
    same = first.group[1:] == first.group[:-1]
    following[:-1][same] = first.begin_s[1:][same]
    # In time that was not coded there may have been an earlier answer.
    kept = (second.begin_s[j] < following[i]) & time.throughout(first.group[i], end_s[i], second.begin_s[j])
    i, j = i[kept], j[kept]
    proof = first.take(i)
    rows = Stream(
        proof.group,
        proof.begin_s,
        np.maximum(second.end_s[j], proof.end_s),
        proof.tracks.followed_by(second.tracks.take(j)),
    )
    return Samples(rows, np.maximum(second.begin_s[j] - end_s[i], 0.0))


def pauses(arguments: Arguments) -> Samples:
    """``pauses``."""
    stream = arguments.stream("a")
    rows = stream if stream.moments else merged(stream)
    end_s = algebra.points(rows)[1]
    before = np.flatnonzero(rows.group[1:] == rows.group[:-1])
    time = arguments.known_time()
    before = before[time.throughout(rows.group[before], end_s[before], rows.begin_s[before + 1])]
    proof = replace(
        rows.take(before), begin_s=end_s[before], end_s=rows.begin_s[before + 1], moments=False, merged=False
    )
    return Samples(proof, rows.begin_s[before + 1] - end_s[before])


def turn_lags(arguments: Arguments) -> Samples:
    """``turn_lags``."""
    subject, object_ = arguments.required_name("x"), arguments.required_name("y")
    evaluator, groups = arguments.evaluator, arguments.groups
    rows, lags = spoken.turns(groups, subject, object_, evaluator.limits)
    if evaluator.missing is not None:
        evaluator.lacks(evaluator.missing.uncoded("speech", (subject, object_), groups.video), rows.group)
    return Samples(rows, lags)
