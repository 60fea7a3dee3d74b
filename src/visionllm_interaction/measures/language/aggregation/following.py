"""How often something follows, and how often it would by chance."""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from visionllm_interaction.core.grouped_arrays import Floats, Ints, bisect
from visionllm_interaction.core.intervals import TOLERANCE_S
from visionllm_interaction.measures.language.aggregation.outputs import known_rows, units, values_of
from visionllm_interaction.measures.language.aggregation.spreads import divided
from visionllm_interaction.measures.language.evaluate import Arguments
from visionllm_interaction.measures.language.values import Values
from visionllm_interaction.measures.streams.coded_time import KnownTime
from visionllm_interaction.measures.streams.stream import Stream


def prob(arguments: Arguments) -> Values:
    """``prob``."""
    after, time = arguments.stream("after"), arguments.known_time()
    targets = known_rows(arguments, units(arguments.stream("b")))
    rows = known_rows(arguments, units(after))
    rows = rows.take(time.throughout(rows.group, rows.begin_s, rows.begin_s))
    judged = _judged(arguments, time, rows.group, rows.begin_s)
    rows, outputs = rows.take(judged), arguments.outputs
    output = outputs.of_group[rows.group]
    n = np.bincount(output, minlength=outputs.count)
    hits = _followed(rows.group, rows.begin_s, targets, arguments.seconds("within"))
    value = divided(np.bincount(output[hits], minlength=outputs.count), n)
    expected, p = _by_chance(arguments, rows, targets, value)
    found = values_of(arguments, value, rows, defined=n > 0)
    return replace(found, n=n, expected=expected, p=p)


def _judged(arguments: Arguments, time: KnownTime, group: Ints, at: Floats) -> NDArray[np.bool_]:
    """(N,) whether all was coded from each time to the end of what is asked about, or of the processed span."""
    groups = arguments.groups
    last_s = np.fmin(groups.processed.end_s[groups.scope], groups.end_s)[group]
    return time.throughout(group, at, np.maximum(np.minimum(at + arguments.seconds("within"), last_s), at))


def _followed(group: Ints, at: Floats, targets: Stream, within_s: float) -> NDArray[np.bool_]:
    """Whether a target holds within some seconds after each time; of moments after it, not at it."""
    low = np.searchsorted(targets.group, group, side="left")
    high = np.searchsorted(targets.group, group, side="right")
    after = bisect(targets.begin_s, low, high, at + within_s + TOLERANCE_S, "right")
    if targets.moments:
        first = bisect(targets.begin_s, low, high, at + TOLERANCE_S, "right")
    else:
        first = bisect(targets.index.reached_s, low, high, at + TOLERANCE_S, "right")
    return np.asarray(first < after)


def _by_chance(arguments: Arguments, rows: Stream, targets: Stream, value: Floats) -> tuple[Floats, Floats]:
    """The share under random circular shifts within the processed span of each group, and how often it is as large."""
    shuffles = arguments.number("shuffles") if arguments.evaluator.by_chance else 0
    outputs, groups = arguments.outputs, arguments.groups
    done = groups.processed
    begin_s, span_s = done.begin_s[groups.scope], (done.end_s - done.begin_s)[groups.scope]
    output = outputs.of_group[rows.group]
    if not len(rows) or shuffles < 1 or not np.isfinite(span_s[rows.group]).all():
        return np.full(outputs.count, np.nan), np.full(outputs.count, np.nan)
    rng, time, within_s = (
        np.random.default_rng(arguments.number("seed")),
        arguments.known_time(),
        arguments.seconds("within"),
    )
    coded = time.limited[rows.group]
    total, as_large, valid = np.zeros(outputs.count), np.zeros(outputs.count), np.zeros(outputs.count)
    for _ in range(shuffles):
        turned = rng.random(len(groups))
        shift = turned * span_s
        moved = begin_s[rows.group] + (rows.begin_s - begin_s[rows.group] + shift[rows.group]) % span_s[rows.group]
        moved[coded] = time.shifted(rows.group[coded], rows.begin_s[coded], turned[rows.group[coded]])
        judged = _judged(arguments, time, rows.group, moved)
        n = np.bincount(output[judged], minlength=outputs.count)
        hits = _followed(rows.group, moved, targets, within_s) & judged
        found = divided(np.bincount(output[hits], minlength=outputs.count), n)
        total += np.nan_to_num(found)
        valid += n > 0
        as_large += found >= value - TOLERANCE_S
    return divided(total, valid), (1 + as_large) / (1 + valid)
