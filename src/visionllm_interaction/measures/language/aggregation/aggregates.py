"""The functions that make values of streams: totals, shares, counts, extremes, spreads."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from msgspec.structs import replace

from visionllm_interaction.core.grouped_arrays import Floats, Ints, sums
from visionllm_interaction.core.intervals import TOLERANCE_S
from visionllm_interaction.measures.language.aggregation.latencies_and_pauses import turn_lags
from visionllm_interaction.measures.language.aggregation.outputs import (
    bouts,
    extreme_of,
    known_rows,
    known_seconds_of,
    sums_of,
    units,
    values_of,
)
from visionllm_interaction.measures.language.aggregation.spreads import SPREADS, cumulated, divided
from visionllm_interaction.measures.language.evaluate import Arguments
from visionllm_interaction.measures.language.types import STREAM, Kind
from visionllm_interaction.measures.language.values import Evaluated, Samples, Values
from visionllm_interaction.measures.missing_inputs import NOT_CODED
from visionllm_interaction.measures.streams import stream as algebra
from visionllm_interaction.measures.streams import table_streams as atoms
from visionllm_interaction.measures.streams.boxes import BoxQuantity
from visionllm_interaction.measures.streams.stream import Stream, TrackLists, merged
from visionllm_interaction.measures.streams.stream_scopes import frames_in

_EDGE_S = 1e-7
"""How far the ends of sightings and frames that meet may be apart, in seconds."""
_READ = frozenset({Kind.SAMPLES, Kind.BOX, *STREAM})


def prepare(arguments: Arguments) -> None:
    """Evaluate the streams that a call sums up."""
    evaluator = arguments.evaluator
    for parameter in arguments.function.parameters:
        if _READ & set(parameter.kinds):
            arguments.part(parameter.name)
        elif Kind.ARROW in parameter.kinds:
            arguments.arrow(parameter.name)
    if arguments.function.name in _PREPARED:
        _PREPARED[arguments.function.name](arguments)
    if evaluator.missing is not None and _needs_processed_time(arguments):
        evaluator.lacks_frames(arguments.node)


def _needs_processed_time(arguments: Arguments) -> bool:
    names = [parameter.name for parameter in arguments.function.parameters]
    return "of" in names and "of" not in arguments.given


def total(arguments: Arguments) -> Values:
    """``total``."""
    rows = known_rows(arguments, bouts(arguments.stream("a")))
    value = sums_of(arguments, rows.group, rows.length_s)
    return values_of(arguments, value, rows)


def share(arguments: Arguments) -> Values:
    """``share``."""
    time = arguments.known_time()
    if "of" in arguments.given:
        within = known_rows(arguments, merged(arguments.stream("of")))
        known = time.cut(within)
        rows = algebra.both(known_rows(arguments, arguments.stream("a")), known)
        whole = sums_of(arguments, known.group, known.length_s)
        return _of_known(arguments, divided(sums_of(arguments, rows.group, rows.length_s), whole), rows, whole, within)
    rows = time.cut(known_rows(arguments, bouts(arguments.stream("a"))))
    whole, why = known_seconds_of(arguments)
    value = divided(sums_of(arguments, rows.group, rows.length_s), whole)
    return replace(values_of(arguments, value, rows, defined=whole > 0), why=why)


def _of_known(arguments: Arguments, value: Floats, rows: Stream, whole: Floats, within: Stream) -> Values:
    """Values per known time of a stream; that none of its time is known is not the same as *nothing found*."""
    there = sums_of(arguments, within.group, within.length_s) > 0
    why = tuple(NOT_CODED if lost else None for lost in (there & (whole <= 0)).tolist())
    return replace(values_of(arguments, value, rows, defined=whole > 0), why=why)


def count(arguments: Arguments) -> Values:
    """``count``."""
    part = arguments.part("a")
    assert not isinstance(part, BoxQuantity)
    assert part is not None
    rows = known_rows(arguments, part.rows if isinstance(part, Samples) else units(part))
    return values_of(arguments, sums_of(arguments, rows.group, None), rows)


def rate(arguments: Arguments) -> Values:
    """``rate``."""
    rows, time = known_rows(arguments, units(arguments.stream("a"))), arguments.known_time()
    if "of" in arguments.given:
        within = known_rows(arguments, merged(arguments.stream("of")))
        known = time.cut(within)
        rows = algebra.both(replace(rows, end_s=rows.begin_s, moments=True), known)
        whole = sums_of(arguments, known.group, known.length_s)
        return _of_known(arguments, divided(60.0 * sums_of(arguments, rows.group, None), whole), rows, whole, within)
    rows = rows.take(time.meets(rows))
    whole, why = known_seconds_of(arguments)
    value = divided(60.0 * sums_of(arguments, rows.group, None), whole)
    return replace(values_of(arguments, value, rows, defined=whole > 0), why=why)


def shortest(arguments: Arguments) -> Values:
    """``shortest``."""
    rows = known_rows(arguments, merged(arguments.stream("a")))
    return extreme_of(arguments, rows, -rows.length_s, rows.length_s)


def longest(arguments: Arguments) -> Values:
    """``longest``: of bouts that are as long to a microsecond the earliest."""
    rows = known_rows(arguments, merged(arguments.stream("a")))
    return extreme_of(arguments, rows, rows.length_s, rows.length_s)


def first_time(arguments: Arguments) -> Values:
    """``first_time``."""
    rows = known_rows(arguments, algebra.nth(arguments.stream("a"), 1))
    return extreme_of(arguments, rows, -rows.begin_s, rows.begin_s)


def last_time(arguments: Arguments) -> Values:
    """``last_time``."""
    stream = arguments.stream("a")
    if not stream.moments:
        stream = merged(stream)
    rows = known_rows(arguments, algebra.nth(stream, -1))
    at = algebra.points(rows)[1]
    return extreme_of(arguments, rows, at, at)


def first_seen(arguments: Arguments) -> Values:
    """``first_seen``."""
    return _end_frame(arguments, last=False)


def last_seen(arguments: Arguments) -> Values:
    """``last_seen``."""
    return _end_frame(arguments, last=True)


def _end_frame(arguments: Arguments, *, last: bool) -> Values:
    """The frame in which the name is seen first (last), cut to the window, and who is seen in it."""
    groups = arguments.groups
    seen = known_rows(arguments, _seen(arguments))
    end = algebra.nth(merged(seen), -1 if last else 1)
    at = end.end_s if last else end.begin_s
    query, _, begin_s, end_s = frames_in(groups.batch, groups.scopes, groups.scope[end.group])
    # The last frame before the end; the first frame that has not ended at the begin.
    inside = (begin_s < at[query] - _EDGE_S) & (end_s >= at[query] - _EDGE_S)
    if not last:
        inside = (begin_s <= at[query] + _EDGE_S) & (end_s > at[query] + _EDGE_S)
    group, begin_s, end_s = end.group[query[inside]], begin_s[inside], end_s[inside]
    frame = Stream(group, begin_s, end_s, TrackLists.none(len(group)))
    i, j = seen.index.overlapping(group, begin_s + _EDGE_S, end_s - _EDGE_S)
    proof = seen.tracks.take(j)
    frame = replace(frame, tracks=TrackLists.of_pairs(np.repeat(i, np.diff(proof.offsets)), proof.ids, rows=len(group)))
    return extreme_of(arguments, frame, begin_s if last else -begin_s, begin_s)


def _seen(arguments: Arguments) -> Stream:
    """The sightings of the name, and where it cannot be known."""
    subject, evaluator, groups = arguments.required_name("x"), arguments.evaluator, arguments.groups
    found = atoms.visible(groups, subject)
    if evaluator.missing is not None:
        reasons = evaluator.missing.of_predicate("visible", subject, None, groups.windows)
        evaluator.lacks(np.where(reasons >= 0, reasons, evaluator.missing.not_processed(groups)), found.group)
    return found


def exists(arguments: Arguments) -> Values:
    """``exists``."""
    rows = known_rows(arguments, units(arguments.stream("a")))
    value = (sums_of(arguments, rows.group, None) > 0).astype(np.float64)
    return values_of(arguments, value, rows)


def holds(arguments: Arguments) -> Values:
    """``holds``."""
    at, rows = _moment_asked(arguments), known_rows(arguments, merged(arguments.stream("a")))
    inside = (rows.begin_s <= at[rows.group] + _EDGE_S) & (rows.end_s > at[rows.group] + _EDGE_S)
    rows = rows.take(inside)
    value = (sums_of(arguments, rows.group, None) > 0).astype(np.float64)
    return values_of(arguments, value, rows)


def _moment_asked(arguments: Arguments) -> Floats:
    """(G,) the moment that ``holds`` asks about, in seconds of each group."""
    groups, at = arguments.groups, arguments.moment("at")
    if (quantity := arguments.quantity("at")) is not None and quantity.unit == "%":
        # The end of the video is the last moment that was processed, not the first that was not.
        at = np.minimum(at, np.nextafter(groups.processed.end_s[groups.scope], -np.inf) - TOLERANCE_S)
    return at


def _prepare_holds(arguments: Arguments) -> None:
    """A moment that was not processed is unknown, unless the stream holds there all the same."""
    evaluator = arguments.evaluator
    if evaluator.missing is None:
        return
    at = _moment_asked(arguments)
    done = evaluator.known_stream(arguments.node)
    inside = (done.begin_s <= at[done.group] + _EDGE_S) & (done.end_s > at[done.group] + _EDGE_S)
    rows = merged(arguments.stream("a"))
    held = (rows.begin_s <= at[rows.group] + _EDGE_S) & (rows.end_s > at[rows.group] + _EDGE_S)
    processed = evaluator.missing.reasons.code("no frame was processed at that moment")
    uncoded = evaluator.missing.reasons.code(NOT_CODED)
    reason = np.where(arguments.known_time().limited, uncoded, processed)
    evaluator.lacks(reason, np.concatenate([done.group[inside], rows.group[held]]))


def turns(arguments: Arguments) -> Values:
    """``turns``."""
    rows = known_rows(arguments, turn_lags(arguments).rows)
    return values_of(arguments, sums_of(arguments, rows.group, None), rows)


def mean_number(arguments: Arguments) -> Values:
    """``mean_number``."""
    rows, time = arguments.stream("a"), arguments.known_time()
    if "of" not in arguments.given:
        rows = time.cut(known_rows(arguments, rows))
        whole, why = known_seconds_of(arguments)
        value = divided(sums_of(arguments, rows.group, rows.length_s), whole)
        return replace(values_of(arguments, value, rows, defined=whole > 0), why=why)
    within = time.cut(known_rows(arguments, merged(arguments.stream("of"))))
    i, j = within.index.overlapping(rows.group, rows.begin_s, rows.end_s)
    common = np.minimum(rows.end_s[i], within.end_s[j]) - np.maximum(rows.begin_s[i], within.begin_s[j])
    whole = sums_of(arguments, within.group, within.length_s)
    value = divided(sums_of(arguments, within.group[j], common), whole)
    order = np.argsort(j, kind="stable")
    proof = rows.tracks.take(i[order])
    owner = np.repeat(j[order], np.diff(proof.offsets))
    proved = replace(within, tracks=TrackLists.of_pairs(owner, proof.ids, rows=len(within)))
    return values_of(arguments, value, proved, defined=whole > 0)


def most_at_once(arguments: Arguments) -> Values:
    """``most_at_once``."""
    seen = known_rows(arguments, arguments.stream("a"))
    group, begin_s, end_s, level = _levels(seen)
    output = arguments.outputs.of_group[group]
    length_s = end_s - begin_s
    # Seconds in which at least so many hold, the highest number first.
    order = np.lexsort((-level, output))
    starts = (
        np.flatnonzero(
            np.concatenate(
                [[True], (output[order][1:] != output[order][:-1]) | (level[order][1:] != level[order][:-1])]
            )
        )
        if len(order)
        else order
    )
    seconds = np.add.reduceat(length_s[order], starts) if len(starts) else np.zeros(0)
    at, number = output[order][starts], level[order][starts]
    all_s = sums(at, seconds, arguments.outputs.count)
    at_least_s = cumulated(at, seconds)
    enough = at_least_s >= np.minimum(arguments.seconds("together"), all_s[at] / 2) - TOLERANCE_S
    best = np.zeros(arguments.outputs.count)
    np.maximum.at(best, at[enough], number[enough])
    chosen = (level == best[output]) & (best[output] > 0)
    moments = Stream(group[chosen], begin_s[chosen], end_s[chosen], TrackLists.none(int(chosen.sum())))
    return values_of(arguments, best, moments.with_tracks_of(seen))


def _levels(rows: Stream) -> tuple[Ints, Floats, Floats, Ints]:
    """Group, begin, end and number of rows that hold, wherever at least one does."""
    group = np.concatenate([rows.group, rows.group])
    at = np.concatenate([rows.begin_s, rows.end_s])
    step = np.repeat([1, -1], len(rows))
    order = np.lexsort((at, group))
    group, at = group[order], at[order]
    level = np.cumsum(step[order])
    if not len(group):
        return group, at, at, level
    last_at = np.flatnonzero(np.concatenate([(group[1:] != group[:-1]) | (at[1:] != at[:-1]), [True]]))
    group, at, level = group[last_at], at[last_at], level[last_at]
    some = level[:-1] > 0
    return group[:-1][some], at[:-1][some], at[1:][some], level[:-1][some]


def spread(arguments: Arguments) -> Values:
    """``mean``, ``median``, ``sd``, ``min``, ``max``."""
    part = arguments.part("a")
    assert part is not None
    rows, value, weight = _sampled(arguments, part)
    output, count = arguments.outputs.of_group[rows.group], arguments.outputs.count
    found = SPREADS[arguments.function.name](output, value, weight, count)
    n = np.bincount(output, minlength=count)
    values = values_of(arguments, found, rows, defined=~np.isnan(found))
    return values if weight is not None else replace(values, n=n)


def _sampled(arguments: Arguments, part: Evaluated) -> tuple[Stream, Floats, Floats | None]:
    """The rows, their values and the seconds that each counts for; None: each counts once."""
    if isinstance(part, BoxQuantity):
        if "during" in arguments.given:
            part = part.within(_intervals(arguments.stream("during")))
        rows, value = _known_samples(arguments, part)
        return rows, value, rows.length_s
    if isinstance(part, Samples):
        return *_known_samples(arguments, part), None
    rows = known_rows(arguments, merged(part))
    return rows, rows.length_s, None


def _known_samples(arguments: Arguments, part: BoxQuantity | Samples) -> tuple[Stream, Floats]:
    """The rows and values of groups that have all inputs."""
    known = arguments.evaluator.known
    if known.all():
        return part.rows, part.value
    kept = known[part.rows.group]
    return part.rows.take(kept), part.value[kept]


def _intervals(stream: Stream) -> Stream:
    return merged(stream)


_PREPARED: dict[str, Callable[[Arguments], object]] = {
    "first_seen": _seen,
    "last_seen": _seen,
    "holds": _prepare_holds,
    "turns": turn_lags,
}
