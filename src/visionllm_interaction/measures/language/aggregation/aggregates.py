"""The functions that make values of streams: totals, shares, counts, spreads, lags, probabilities."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from visionllm_interaction.core.grouped_arrays import Floats, Ints, bisect, sums
from visionllm_interaction.core.intervals import TOLERANCE_S
from visionllm_interaction.measures.language.aggregation.latencies_and_pauses import turn_lags
from visionllm_interaction.measures.language.aggregation.spreads import SPREADS, cumulated, divided
from visionllm_interaction.measures.language.evaluate import Arguments
from visionllm_interaction.measures.language.known_time import known_centres, known_seconds
from visionllm_interaction.measures.language.types import STREAM, Kind
from visionllm_interaction.measures.language.values import Evaluated, Samples, Values
from visionllm_interaction.measures.missing_inputs import NOT_ALIKE, NOT_CODED
from visionllm_interaction.measures.streams import stream as algebra
from visionllm_interaction.measures.streams import table_streams as atoms
from visionllm_interaction.measures.streams.boxes import BoxQuantity
from visionllm_interaction.measures.streams.coded_time import KnownTime
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
    rows = _known(arguments, _bouts(arguments.stream("a")))
    value = _sums(arguments, rows.group, rows.length_s)
    return _values(arguments, value, rows)


def share(arguments: Arguments) -> Values:
    """``share``."""
    time = arguments.known_time()
    if "of" in arguments.given:
        within = _known(arguments, merged(arguments.stream("of")))
        known = time.cut(within)
        rows = algebra.both(_known(arguments, arguments.stream("a")), known)
        whole = _sums(arguments, known.group, known.length_s)
        return _of_known(arguments, divided(_sums(arguments, rows.group, rows.length_s), whole), rows, whole, within)
    rows = time.cut(_known(arguments, _bouts(arguments.stream("a"))))
    whole, why = _known_s(arguments)
    value = divided(_sums(arguments, rows.group, rows.length_s), whole)
    return replace(_values(arguments, value, rows, defined=whole > 0), why=why)


def _of_known(arguments: Arguments, value: Floats, rows: Stream, whole: Floats, within: Stream) -> Values:
    """Values per known time of a stream; that none of its time is known is not the same as *nothing found*."""
    there = _sums(arguments, within.group, within.length_s) > 0
    why = tuple(NOT_CODED if lost else None for lost in (there & (whole <= 0)).tolist())
    return replace(_values(arguments, value, rows, defined=whole > 0), why=why)


def count(arguments: Arguments) -> Values:
    """``count``."""
    part = arguments.part("a")
    assert not isinstance(part, BoxQuantity)
    assert part is not None
    rows = _known(arguments, part.rows if isinstance(part, Samples) else _units(part))
    return _values(arguments, _sums(arguments, rows.group, None), rows)


def rate(arguments: Arguments) -> Values:
    """``rate``."""
    rows, time = _known(arguments, _units(arguments.stream("a"))), arguments.known_time()
    if "of" in arguments.given:
        within = _known(arguments, merged(arguments.stream("of")))
        known = time.cut(within)
        rows = algebra.both(replace(rows, end_s=rows.begin_s, moments=True), known)
        whole = _sums(arguments, known.group, known.length_s)
        return _of_known(arguments, divided(60.0 * _sums(arguments, rows.group, None), whole), rows, whole, within)
    rows = rows.take(time.meets(rows))
    whole, why = _known_s(arguments)
    value = divided(60.0 * _sums(arguments, rows.group, None), whole)
    return replace(_values(arguments, value, rows, defined=whole > 0), why=why)


def shortest(arguments: Arguments) -> Values:
    """``shortest``."""
    rows = _known(arguments, merged(arguments.stream("a")))
    return _extreme(arguments, rows, -rows.length_s, rows.length_s)


def longest(arguments: Arguments) -> Values:
    """``longest``: of bouts that are as long to a microsecond the earliest."""
    rows = _known(arguments, merged(arguments.stream("a")))
    return _extreme(arguments, rows, rows.length_s, rows.length_s)


def first_time(arguments: Arguments) -> Values:
    """``first_time``."""
    rows = _known(arguments, algebra.nth(arguments.stream("a"), 1))
    return _extreme(arguments, rows, -rows.begin_s, rows.begin_s)


def last_time(arguments: Arguments) -> Values:
    """``last_time``."""
    stream = arguments.stream("a")
    if not stream.moments:
        stream = merged(stream)
    rows = _known(arguments, algebra.nth(stream, -1))
    at = algebra.points(rows)[1]
    return _extreme(arguments, rows, at, at)


def first_seen(arguments: Arguments) -> Values:
    """``first_seen``."""
    return _end_frame(arguments, last=False)


def last_seen(arguments: Arguments) -> Values:
    """``last_seen``."""
    return _end_frame(arguments, last=True)


def _end_frame(arguments: Arguments, *, last: bool) -> Values:
    """The frame in which the name is seen first (last), cut to the window, and who is seen in it."""
    groups = arguments.groups
    seen = _known(arguments, _seen(arguments))
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
    return _extreme(arguments, frame, begin_s if last else -begin_s, begin_s)


def _seen(arguments: Arguments) -> Stream:
    """The sightings of the name, and where it cannot be known."""
    subject, evaluator, groups = arguments.required_name("x"), arguments.evaluator, arguments.groups
    found = atoms.visible(groups, subject)
    if evaluator.missing is not None:
        reasons = evaluator.missing.of_predicate("visible", subject, None, groups.video)
        evaluator.lacks(np.where(reasons >= 0, reasons, evaluator.missing.not_processed(groups)), found.group)
    return found


def exists(arguments: Arguments) -> Values:
    """``exists``."""
    rows = _known(arguments, _units(arguments.stream("a")))
    value = (_sums(arguments, rows.group, None) > 0).astype(np.float64)
    return _values(arguments, value, rows)


def holds(arguments: Arguments) -> Values:
    """``holds``."""
    groups, rows = arguments.groups, merged(arguments.stream("a"))
    at = arguments.moment("at")
    if (quantity := arguments.quantity("at")) is not None and quantity.unit == "%":
        # The end of the video is the last moment that was processed, not the first that was not.
        at = np.minimum(at, np.nextafter(groups.processed.end_s[groups.scope], -np.inf) - TOLERANCE_S)
    rows = _known(arguments, rows)
    inside = (rows.begin_s <= at[rows.group] + _EDGE_S) & (rows.end_s > at[rows.group] + _EDGE_S)
    rows = rows.take(inside)
    value = (_sums(arguments, rows.group, None) > 0).astype(np.float64)
    return _values(arguments, value, rows)


def _prepare_holds(arguments: Arguments) -> None:
    """A moment that was not processed is unknown, unless the stream holds there all the same."""
    evaluator, groups = arguments.evaluator, arguments.groups
    if evaluator.missing is None:
        return
    at = arguments.moment("at")
    if (quantity := arguments.quantity("at")) is not None and quantity.unit == "%":
        at = np.minimum(at, np.nextafter(groups.processed.end_s[groups.scope], -np.inf) - TOLERANCE_S)
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
    rows = _known(arguments, turn_lags(arguments).rows)
    return _values(arguments, _sums(arguments, rows.group, None), rows)


def mean_number(arguments: Arguments) -> Values:
    """``mean_number``."""
    rows, time = arguments.stream("a"), arguments.known_time()
    if "of" not in arguments.given:
        rows = time.cut(_known(arguments, rows))
        whole, why = _known_s(arguments)
        value = divided(_sums(arguments, rows.group, rows.length_s), whole)
        return replace(_values(arguments, value, rows, defined=whole > 0), why=why)
    within = time.cut(_known(arguments, merged(arguments.stream("of"))))
    i, j = within.index.overlapping(rows.group, rows.begin_s, rows.end_s)
    common = np.minimum(rows.end_s[i], within.end_s[j]) - np.maximum(rows.begin_s[i], within.begin_s[j])
    whole = _sums(arguments, within.group, within.length_s)
    value = divided(_sums(arguments, within.group[j], common), whole)
    order = np.argsort(j, kind="stable")
    proof = rows.tracks.take(i[order])
    owner = np.repeat(j[order], np.diff(proof.offsets))
    proved = replace(within, tracks=TrackLists.of_pairs(owner, proof.ids, rows=len(within)))
    return _values(arguments, value, proved, defined=whole > 0)


def most_at_once(arguments: Arguments) -> Values:
    """``most_at_once``."""
    seen = _known(arguments, arguments.stream("a"))
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
    return _values(arguments, best, moments.with_tracks_of(seen))


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


def prob(arguments: Arguments) -> Values:
    """``prob``."""
    after, time = arguments.stream("after"), arguments.known_time()
    targets = _known(arguments, _units(arguments.stream("b")))
    rows = _known(arguments, _units(after))
    rows = rows.take(time.throughout(rows.group, rows.begin_s, rows.begin_s))
    judged = _judged(arguments, time, rows.group, rows.begin_s)
    rows, outputs = rows.take(judged), arguments.outputs
    output = outputs.of_group[rows.group]
    n = np.bincount(output, minlength=outputs.count)
    hits = _followed(rows.group, rows.begin_s, targets, arguments.seconds("within"))
    value = divided(np.bincount(output[hits], minlength=outputs.count), n)
    expected, p = _by_chance(arguments, rows, targets, value)
    found = _values(arguments, value, rows, defined=n > 0)
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


def spread(arguments: Arguments) -> Values:
    """``mean``, ``median``, ``sd``, ``min``, ``max``."""
    part = arguments.part("a")
    assert part is not None
    rows, value, weight = _sampled(arguments, part)
    output, count = arguments.outputs.of_group[rows.group], arguments.outputs.count
    found = SPREADS[arguments.function.name](output, value, weight, count)
    n = np.bincount(output, minlength=count)
    values = _values(arguments, found, rows, defined=~np.isnan(found))
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
    rows = _known(arguments, merged(part))
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


def _bouts(stream: Stream) -> Stream:
    """Intervals apart from each other; moments have no length."""
    return replace(stream, end_s=stream.begin_s) if stream.moments else merged(stream)


def _units(stream: Stream) -> Stream:
    """What is counted: intervals apart from each other, or single moments."""
    return stream if stream.moments else merged(stream)


def _known(arguments: Arguments, stream: Stream) -> Stream:
    """The rows of groups that have all inputs."""
    known = arguments.evaluator.known
    return stream if known.all() else stream.take(known[stream.group])


def _sums(arguments: Arguments, group: Ints, weight: Floats | None) -> Floats:
    outputs = arguments.outputs
    return sums(outputs.of_group[group], weight, outputs.count)


def _known_s(arguments: Arguments) -> tuple[Floats, tuple[str | None, ...]]:
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


def _values(arguments: Arguments, value: Floats, proof: Stream, *, defined: NDArray[np.bool_] | None = None) -> Values:
    """Values with what proves them; where nothing was found they are what the function gives for nothing."""
    outputs, nothing = arguments.outputs, arguments.function.nothing
    found = np.zeros(outputs.count, np.bool_)
    found[outputs.of_group[proof.group]] = True
    if defined is not None:
        found &= defined
    empty = np.nan if nothing is None else float(nothing)
    value = np.where(found, value, empty if defined is None else np.where(defined, empty, np.nan))
    return Values(value, proof, found)


def _extreme(arguments: Arguments, rows: Stream, key: Floats, value: Floats) -> Values:
    """The row of each output with the largest key to a microsecond, the earliest of equals, and its value."""
    output = arguments.outputs.of_group[rows.group]
    order = np.lexsort((rows.begin_s, -np.round(key, 6), output))
    first = np.concatenate([[True], output[order][1:] != output[order][:-1]]) if len(order) else order
    chosen = np.sort(order[first])
    found = np.full(arguments.outputs.count, np.nan)
    found[output[chosen]] = value[chosen]
    return _values(arguments, found, rows.take(chosen))
