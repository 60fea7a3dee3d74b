"""From groups to time lines: the functions of :mod:`visionllm_interaction.measures.sequential` in expressions.

An output is computed from one or several groups (videos, names). Its time line has them one after another, with time
in between that was not observed, so that nothing reaches from one into the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from msgspec import Struct

from visionllm_interaction.core.grouped_arrays import Floats, Ints
from visionllm_interaction.core.intervals import Intervals
from visionllm_interaction.measures.language.evaluate import Arguments
from visionllm_interaction.measures.language.values import Values
from visionllm_interaction.measures.sequential.value_or_reason import Statistic
from visionllm_interaction.measures.streams import stream as algebra
from visionllm_interaction.measures.streams.coded_time import KnownTime
from visionllm_interaction.measures.streams.stream import Stream, merged

_BETWEEN_S = 10.0
"""Seconds between two groups on a time line."""


class OutputTimeline(Struct, frozen=True, eq=False):
    """What happened in the groups of one output.

    Attributes:
        observed: (P, 2) seconds.
        parts: one (N, 2) for each stream.
    """

    observed: Intervals
    parts: tuple[Intervals, ...]

    @property
    def begins(self) -> tuple[Floats, ...]:
        """(N,) the begins of each stream's rows."""
        return tuple(part[:, 0] for part in self.parts)


def timelines(arguments: Arguments, *streams: Stream, spans: bool = False) -> list[OutputTimeline]:
    """A time line for each output.

    Args:
        arguments: of the call.
        *streams: what happened; rows of groups that lack an input are left out.
        spans: what was observed is the whole processed span, not only the processed frames: for what people coded.
            Where the files say what was coded, that was observed.

    Returns:
        One for each output; without groups that have all inputs, nothing is observed.
    """
    groups, outputs, known = arguments.groups, arguments.outputs, arguments.evaluator.known
    time = arguments.known_time()
    begin_s, end_s = _ends_of_known(arguments, time)
    shift_s = _shifts(outputs.of_group, begin_s, end_s)
    if spans:
        there = np.flatnonzero(known & groups.processed.any[groups.scope] & ~time.limited)
        coded = time.rows(arguments.evaluator.processed())
        coded = coded.take(known[coded.group])
        seen = (
            np.concatenate([there, coded.group]),
            np.concatenate([begin_s[there], coded.begin_s]),
            np.concatenate([end_s[there], coded.end_s]),
        )
    else:
        done = merged(arguments.evaluator.known_stream(arguments.node))
        done = done.take(known[done.group])
        seen = done.group, done.begin_s, done.end_s
    columns = [_cut(outputs.of_group, outputs.count, shift_s, *seen)]
    for stream in streams:
        rows = stream.take(known[stream.group])
        columns.append(_cut(outputs.of_group, outputs.count, shift_s, rows.group, *_ends(rows)))
    return [OutputTimeline(observed, tuple(parts)) for observed, *parts in zip(*columns, strict=True)]


def _ends_of_known(arguments: Arguments, time: KnownTime) -> tuple[Floats, Floats]:
    """(G,) begin and end of the processed span and of coded time; 0 where there is neither."""
    groups = arguments.groups
    begin_s, end_s = (np.array(at[groups.scope]) for at in (groups.processed.begin_s, groups.processed.end_s))
    np.fmin.at(begin_s, time.coded.group, time.coded.begin_s)
    np.fmax.at(end_s, time.coded.group, time.coded.end_s)
    return np.nan_to_num(begin_s), np.nan_to_num(end_s)


def _shifts(output: Ints, begin_s: Floats, end_s: Floats) -> Floats:
    """(G,) how much later each group is on its output's time line."""
    order = np.argsort(output, kind="stable")
    lengths = (end_s - begin_s + _BETWEEN_S)[order]
    before = np.cumsum(lengths) - lengths
    first = np.searchsorted(output[order], output[order], side="left")
    shift_s = np.empty(len(output))
    shift_s[order] = before - before[first] if len(order) else before
    return shift_s - begin_s


def _ends(rows: Stream) -> tuple[Floats, Floats]:
    return algebra.points(rows)


def _cut(of_group: Ints, outputs: int, shift_s: Floats, group: Ints, begin_s: Floats, end_s: Floats) -> list[Intervals]:
    output, shift = of_group[group], shift_s[group]
    rows = np.stack([begin_s + shift, end_s + shift], axis=1).reshape(-1, 2)
    order = np.lexsort((rows[:, 1], rows[:, 0], output))
    bounds = np.searchsorted(output[order], np.arange(outputs + 1))
    return [rows[order[low:high]] for low, high in pairwise(bounds.tolist())]


def values_of(arguments: Arguments, statistics: Sequence[Statistic], proof: Stream) -> Values:
    """Statistics, one for each output, as values; what is undefined has its reason."""
    value = np.array([np.nan if one.value is None else float(one.value) for one in statistics])
    found = np.zeros(arguments.outputs.count, np.bool_)
    found[arguments.outputs.of_group[proof.group]] = True
    return Values(value, proof, found & ~np.isnan(value), why=tuple(one.reason for one in statistics))


def computed(
    arguments: Arguments, compute: Callable[[OutputTimeline], Statistic], *streams: Stream, spans: bool = False
) -> Values:
    """A statistic of each output's time line.

    Args:
        arguments: of the call.
        compute: gives the statistic.
        *streams: what it is about; its rows prove it.
        spans: as in :func:`timelines`.

    Returns:
        The values.
    """
    statistics = [compute(timeline) for timeline in timelines(arguments, *streams, spans=spans)]
    proof = streams[0]
    for stream in streams[1:]:
        proof = algebra.all_rows(proof, stream)
    proof = Stream.sorted(proof.group, proof.begin_s, proof.end_s, proof.tracks, moments=proof.moments)
    return values_of(arguments, statistics, proof.take(arguments.evaluator.known[proof.group]))
