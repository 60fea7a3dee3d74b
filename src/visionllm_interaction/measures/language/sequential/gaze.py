"""The functions of gaze: looks with their targets, joint and sustained attention, shifts, hand-eye coordination.

Their definitions are those of :mod:`visionllm_interaction.measures.sequential`, here for all groups at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from visionllm_interaction.core.grouped_arrays import Floats, Ints, bisect, distinct, running_max
from visionllm_interaction.core.grouped_intervals import row_order
from visionllm_interaction.core.intervals import TOLERANCE_S
from visionllm_interaction.measures.language.evaluate import Arguments
from visionllm_interaction.measures.language.sequential.timelines import values_of
from visionllm_interaction.measures.language.values import Samples, Values
from visionllm_interaction.measures.sequential.looks import TransitionTable, transition_table
from visionllm_interaction.measures.sequential.value_or_reason import Statistic
from visionllm_interaction.measures.streams import stream as algebra
from visionllm_interaction.measures.streams import table_streams as atoms
from visionllm_interaction.measures.streams.stream import Stream, merged
from visionllm_interaction.measures.streams.stream_scopes import Name


def looks_of(arguments: Arguments, who: str, *, gap_s: float = 0.0) -> tuple[Stream, int]:
    """The coded looks of a person, apart by target.

    Args:
        arguments: of the call; where no gaze was imported, groups are noted as unknown.
        who: the argument with the person's name.
        gap_s: longest pause between two looks at a target that are one.

    Returns:
        The looks as intervals of finer groups, and how many of these a group has: group × number + target.
    """
    groups, missing, name = arguments.groups, arguments.evaluator.missing, arguments.required_name(who)
    found, width = atoms.coded_by_label(groups, kind="gaze", participant=name)
    if missing is not None:
        arguments.evaluator.lacks(missing.uncoded("gaze", (name,), groups.video), found.group // width)
    return merged(found, max_gap_s=gap_s), width


def _pooled(stream: Stream, width: int) -> Stream:
    """Rows of finer groups as rows of their groups; those of several targets stay apart unless they overlap."""
    rows = stream.take(row_order(stream.group // width, stream.begin_s, stream.end_s))
    group = rows.group // width
    reached = running_max(group, rows.end_s)
    apart = (group[1:] != group[:-1]) | (rows.begin_s[1:] >= reached[:-1] - TOLERANCE_S)
    return replace(rows, group=group, merged=bool(apart.all()))


def _lasting(stream: Stream, length_s: float) -> Stream:
    return stream.take(stream.length_s >= length_s - TOLERANCE_S)


def _at(stream: Stream, width: int, target: Ints | None, arguments: Arguments) -> Stream:
    """The rows about a target (G,); None: all."""
    if target is None:
        return stream
    wanted = arguments.groups.names.texts(target)[stream.group // width]
    return stream.take((stream.group % width - 1 == wanted) | (wanted == -1))


def joint_attention(arguments: Arguments) -> Stream:
    """``joint_attention``."""
    bouts, width, _ = _joint(arguments)
    return _pooled(bouts, width)


def _joint(arguments: Arguments) -> tuple[Stream, int, tuple[Stream, Stream]]:
    """Bouts of both looking at one target, and the looks of both, by finer groups."""
    gap_s = arguments.seconds("gap")
    (one, width), (two, _) = looks_of(arguments, "x"), looks_of(arguments, "y")
    together = merged(algebra.both(one, two), max_gap_s=gap_s)
    bouts = _at(_lasting(together, arguments.seconds("length")), width, arguments.name("z"), arguments)
    return bouts, width, (merged(one, max_gap_s=gap_s), merged(two, max_gap_s=gap_s))


def leads(arguments: Arguments) -> Samples:
    """``leads``."""
    bouts, width, (one, two) = _joint(arguments)
    ahead_s = _begin_of_look(two, bouts) - _begin_of_look(one, bouts)
    order = row_order(bouts.group // width, bouts.begin_s, bouts.end_s)
    rows = bouts.take(order)
    return Samples(replace(rows, group=rows.group // width, merged=False), ahead_s[order])


def _begin_of_look(looks: Stream, bouts: Stream) -> Floats:
    """(N,) begin of the look that each bout begins in."""
    low = np.searchsorted(looks.group, bouts.group, side="left")
    high = np.searchsorted(looks.group, bouts.group, side="right")
    return np.asarray(looks.begin_s[bisect(looks.begin_s, low, high, bouts.begin_s + TOLERANCE_S, "right") - 1])


def led(arguments: Arguments) -> Values:
    """``led``."""
    samples = leads(arguments)
    known = arguments.evaluator.known[samples.rows.group] & (np.abs(samples.value) > TOLERANCE_S)
    rows, ahead = samples.rows.take(known), samples.value[known] > 0
    outputs = arguments.outputs
    output = outputs.of_group[rows.group]
    n = np.bincount(output, minlength=outputs.count)
    first = np.bincount(output, ahead, outputs.count)
    statistics = [
        Statistic(float(one / all_), "share") if all_ else Statistic(None, "share", "nobody led into a bout")
        for one, all_ in zip(first, n, strict=True)
    ]
    return replace(values_of(arguments, statistics, rows), n=n)


def mutual_gaze(arguments: Arguments) -> Stream:
    """``mutual_gaze``."""
    one, two = arguments.required_name("x"), arguments.required_name("y")
    groups, missing = arguments.groups, arguments.evaluator.missing
    first, second = (
        atoms.coded(groups, kind="gaze", participant=who, label=whom) for who, whom in ((one, two), (two, one))
    )
    if missing is not None:
        for who, found in ((one, first), (two, second)):
            arguments.evaluator.lacks(missing.uncoded("gaze", (who,), groups.video), found.group)
    return algebra.both(first, second)


def sustained_attention(arguments: Arguments) -> Stream:
    """``sustained_attention``."""
    looks, width = looks_of(arguments, "x", gap_s=arguments.seconds("gap"))
    return _pooled(_at(_lasting(looks, arguments.seconds("length")), width, arguments.name("y"), arguments), width)


def dwells(arguments: Arguments) -> Samples:
    """``dwells``."""
    looks, width = looks_of(arguments, "x")
    rows = replace(_pooled(looks, width), merged=False)
    return Samples(rows, rows.length_s)


def shifts(arguments: Arguments) -> Stream:
    """``shifts``."""
    rows, target = _in_order(arguments)
    other = np.concatenate([[False], _shifted(arguments, rows, target)])
    return replace(rows.take(other[: len(rows)]), moments=True, merged=False)


def _shifted(arguments: Arguments, rows: Stream, target: Ints) -> NDArray[np.bool_]:
    """(N - 1,) whether each look but the first follows one at another target, with no time in between not coded."""
    last_s, begin_s = np.minimum(rows.end_s[:-1], rows.begin_s[1:]), rows.begin_s[1:]
    other = (rows.group[1:] == rows.group[:-1]) & (target[1:] != target[:-1])
    return np.asarray(other & arguments.known_time().throughout(rows.group[1:], last_s, begin_s))


def _in_order(arguments: Arguments) -> tuple[Stream, Ints]:
    """The looks of x by group and begin, and the target of each."""
    looks, width = looks_of(arguments, "x")
    order = row_order(looks.group // width, looks.begin_s, looks.end_s)
    rows = looks.take(order)
    return replace(rows, group=rows.group // width, merged=False), rows.group % width


def transition_entropy(arguments: Arguments) -> Values:
    """``transition_entropy``."""
    return _entropy(arguments, [table.transition_entropy for table in _tables(arguments)])


def stationary_entropy(arguments: Arguments) -> Values:
    """``stationary_entropy``."""
    return _entropy(arguments, [table.stationary_entropy for table in _tables(arguments)])


def prepare_looks(arguments: Arguments) -> None:
    """Note where gaze is not known."""
    for parameter in arguments.function.parameters[:2]:
        if parameter.name in ("x", "y") and parameter.name in arguments.given:
            looks_of(arguments, parameter.name)


def _tables(arguments: Arguments) -> list[TransitionTable]:
    rows, target = _in_order(arguments)
    outputs, known = arguments.outputs, arguments.evaluator.known
    follows = _shifted(arguments, rows, target) & known[rows.group[1:]]
    output = outputs.of_group[rows.group[1:][follows]]
    steps = np.stack([target[:-1][follows], target[1:][follows]], axis=1)
    order = np.argsort(output, kind="stable")
    bounds = np.searchsorted(output[order], np.arange(outputs.count + 1))
    return [
        transition_table([(str(a), str(b)) for a, b in steps[order[low:high]].tolist()])
        for low, high in pairwise(bounds.tolist())
    ]


def _entropy(arguments: Arguments, statistics: Sequence[Statistic]) -> Values:
    rows, _ = _in_order(arguments)
    return values_of(arguments, statistics, rows.take(arguments.evaluator.known[rows.group]))


def hand_eye(arguments: Arguments) -> Stream:
    """``hand_eye``."""
    looks, held, width = _eyes_and_hands(arguments)
    return _pooled(algebra.both(looks, held), width)


def eye_leads(arguments: Arguments) -> Samples:
    """``eye_leads``."""
    looks, held, width = _eyes_and_hands(arguments)
    # The first look at an object that has time in common with its handling.
    i, j = looks.index.overlapping(held.group, held.begin_s + TOLERANCE_S, held.end_s - TOLERANCE_S)
    first = np.concatenate([[True], i[1:] != i[:-1]]) if len(i) else np.zeros(0, np.bool_)
    rows, lead_s = held.take(i[first]), held.begin_s[i[first]] - looks.begin_s[j[first]]
    order = row_order(rows.group // width, rows.begin_s, rows.end_s)
    rows = rows.take(order)
    return Samples(replace(rows, group=rows.group // width, merged=False), lead_s[order])


def _eyes_and_hands(arguments: Arguments) -> tuple[Stream, Stream, int]:
    """Looks of x and handling by y (by default x), by finer groups: one for each target of a look."""
    groups, missing = arguments.groups, arguments.evaluator.missing
    looks, width = looks_of(arguments, "x")
    hands = arguments.required_name("y" if "y" in arguments.given else "x")
    parts = [Stream.empty()]
    for target in distinct(looks.group % width).tolist():
        for name in _track_names(arguments, groups.batch.texts.words[target - 1] if target else ""):
            code = groups.names.code(Name(name))
            held = atoms.related(groups, "holding", hands, np.full(len(groups), code))
            parts.append(replace(held, group=held.group * width + target))
    joined = parts[0]
    for part in parts[1:]:
        joined = algebra.all_rows(joined, part)
    held = Stream.sorted(joined.group, joined.begin_s, joined.end_s, joined.tracks)
    if missing is not None:
        reasons = missing.of_predicate("holding", hands, None, groups.windows)
        reasons = np.where(reasons >= 0, reasons, missing.not_processed(groups))
        arguments.evaluator.lacks(reasons, held.group // width)
    return looks, merged(held), width


def _track_names(arguments: Arguments, label: str) -> list[str]:
    """The categories and roles that a coded label, in lower case, is about; blanks may be coded as underscores."""
    tracks, words = arguments.groups.batch.tracks, arguments.groups.batch.texts.words
    present = {
        words[code] for column in (tracks.category, tracks.role) for code in distinct(column).tolist() if code >= 0
    }
    return sorted(name for name in present if name and name.lower() in (label, label.replace("_", " ")))
