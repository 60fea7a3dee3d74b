"""From rows of groups to values of outputs: which rows count, their sums, and what proves a value."""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from visionllm_interaction.core.grouped_arrays import Floats, Ints, sums
from visionllm_interaction.core.intervals import TOLERANCE_S
from visionllm_interaction.measures.language.evaluate import Arguments
from visionllm_interaction.measures.language.known_time import known_centres, known_seconds
from visionllm_interaction.measures.language.values import Values
from visionllm_interaction.measures.missing_inputs import NOT_ALIKE
from visionllm_interaction.measures.streams.stream import Stream, merged


def bouts(stream: Stream) -> Stream:
    """Intervals apart from each other; moments have no length."""
    return replace(stream, end_s=stream.begin_s) if stream.moments else merged(stream)


def units(stream: Stream) -> Stream:
    """What is counted: intervals apart from each other, or single moments."""
    return stream if stream.moments else merged(stream)


def known_rows(arguments: Arguments, stream: Stream) -> Stream:
    """The rows of groups that have all inputs: what is not known of a group counts neither as much nor as little."""
    known = arguments.evaluator.known
    return stream if known.all() else stream.take(known[stream.group])


def sums_of(arguments: Arguments, group: Ints, weight: Floats | None) -> Floats:
    """(O,) the sums of ``weight``, or the numbers of rows, of each output; ``group`` names the group of each row."""
    outputs = arguments.outputs
    return sums(outputs.of_group[group], weight, outputs.count)


def known_seconds_of(arguments: Arguments) -> tuple[Floats, tuple[str | None, ...]]:
    """Seconds of known time of each output: every scope of which a group has all inputs counts once.

    Names whose codes are pooled in one output have to be coded in the same time; where they are not there are no
    seconds, and the reason.
    """
    groups, outputs = arguments.groups, arguments.outputs
    seconds = known_seconds(arguments.evaluator, arguments.known_time())
    known = np.flatnonzero(arguments.evaluator.known)
    scopes = max(len(groups.scopes), 1)
    key, first, place = np.unique(
        outputs.of_group[known] * scopes + groups.scope[known], return_index=True, return_inverse=True
    )
    output = key // scopes
    found = sums(output, seconds[known[first]], outputs.count)
    differs = np.zeros(outputs.count, np.bool_)
    for number in (seconds, known_centres(arguments.evaluator, arguments.known_time())):
        apart = np.abs(number[known] - number[known[first]][place]) > TOLERANCE_S
        differs[output[place[apart]]] = True
    return np.where(differs, np.nan, found), tuple(NOT_ALIKE if one else None for one in differs.tolist())


def values_of(
    arguments: Arguments, value: Floats, proof: Stream, *, defined: NDArray[np.bool_] | None = None
) -> Values:
    """Values with what proves them; where nothing was found they are what the function gives for nothing."""
    outputs, nothing = arguments.outputs, arguments.function.nothing
    found = np.zeros(outputs.count, np.bool_)
    found[outputs.of_group[proof.group]] = True
    if defined is not None:
        found &= defined
    empty = np.nan if nothing is None else float(nothing)
    value = np.where(found, value, empty if defined is None else np.where(defined, empty, np.nan))
    return Values(value, proof, found)


def extreme_of(arguments: Arguments, rows: Stream, key: Floats, value: Floats) -> Values:
    """The row of each output with the largest key to a microsecond, the earliest of equals, and its value."""
    output = arguments.outputs.of_group[rows.group]
    order = np.lexsort((rows.begin_s, -np.round(key, 6), output))
    first = np.concatenate([[True], output[order][1:] != output[order][:-1]]) if len(order) else order
    chosen = np.sort(order[first])
    found = np.full(arguments.outputs.count, np.nan)
    found[output[chosen]] = value[chosen]
    return values_of(arguments, found, rows.take(chosen))
