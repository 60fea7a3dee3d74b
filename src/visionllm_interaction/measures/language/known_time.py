"""When it is known whether the parts of an expression hold: coded time for codes, processed time for frames."""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace

from visionllm_interaction.core.grouped_arrays import Floats
from visionllm_interaction.core.intervals import TOLERANCE_S
from visionllm_interaction.measures.language.evaluate import Arguments, Evaluator
from visionllm_interaction.measures.language.syntax_tree import Call, NameTerm, Node, children
from visionllm_interaction.measures.language.types import STREAM, Kind
from visionllm_interaction.measures.streams import stream as algebra
from visionllm_interaction.measures.streams.coded_time import KnownTime, coded_time

_AT_ALL_TIMES = frozenset({"processed", "between"})
_EYES_AND_HANDS = frozenset({"hand_eye", "eye_leads"})
_READ = frozenset({Kind.BOX, *STREAM})


def known_time(evaluator: Evaluator, node: Node) -> KnownTime:
    """The time in which a part is known: that in which all its parts are.

    Args:
        evaluator: evaluates the expression.
        node: a part of it.

    Returns:
        Its known time in each group.
    """
    found = _own_time(evaluator, node) if isinstance(node, Call) else KnownTime.always(len(evaluator.groups))
    for child in children(node):
        if not isinstance(child, NameTerm):
            found = found.and_(evaluator.known_time(child))
    return found


def _own_time(evaluator: Evaluator, node: Call) -> KnownTime:
    """The time in which what a function itself reads is known."""
    groups, function = evaluator.groups, evaluator.functions[node.function]
    arguments = Arguments(evaluator, function, node)
    if function.name in _AT_ALL_TIMES:
        return KnownTime.always(len(groups))
    if function.name == "coded":
        return coded_time(groups, kind=None, tier=arguments.text("tier"), participant=arguments.given_name("y"))
    if function.name == "around_naming":
        return _around_naming(arguments)
    kinds = {parameter.coded for parameter in function.parameters if parameter.coded is not None}
    if not kinds:
        takes_streams = any(_READ & set(parameter.kinds) for parameter in function.parameters)
        is_read = function.result is not None and function.result.kind in _READ and not takes_streams
        return KnownTime.processed(len(groups)) if is_read else KnownTime.always(len(groups))
    found = KnownTime.processed(len(groups)) if function.name in _EYES_AND_HANDS else KnownTime.always(len(groups))
    people = [
        p for p in function.parameters if p.coded is not None and p.fits == "person" and p.name in arguments.given
    ]
    for parameter in people:
        who = arguments.required_name(parameter.name)
        found = found.and_(coded_time(groups, kind=parameter.coded, tier=None, participant=who))
    if not people:
        found = found.and_(coded_time(groups, kind=kinds.pop(), tier=None, participant=None))
    return found


def _around_naming(arguments: Arguments) -> KnownTime:
    """What was coded, in or outside the window, tells about the time around it."""
    groups, each_side = arguments.groups, arguments.seconds("each_side")
    time = coded_time(groups.unwindowed, kind="naming", tier=None, participant=None)
    longer = algebra.padded(time.coded, each_side, each_side)
    return replace(time, coded=algebra.clipped(longer, groups.begin_s, groups.end_s))


def known_seconds(evaluator: Evaluator, time: KnownTime) -> Floats:
    """(G,) seconds of known time: coded ones where that is told, else processed ones."""
    groups = evaluator.groups
    seconds = groups.processed.seconds[groups.scope]
    if not time.limited.any():
        return np.asarray(seconds)
    rows = time.rows(evaluator.processed())
    return np.where(time.limited, np.bincount(rows.group, rows.length_s, len(groups)), seconds)


def known_centres(evaluator: Evaluator, time: KnownTime) -> Floats:
    """(G,) the mean moment of coded time; NaN where that is not told. Equal times have equal ones."""
    n = len(evaluator.groups)
    if not time.limited.any():
        return np.full(n, np.nan)
    rows = time.rows(evaluator.processed())
    weighted = np.bincount(rows.group, rows.length_s * (rows.begin_s + rows.end_s) / 2, n)
    seconds = np.bincount(rows.group, rows.length_s, n)
    return np.where(seconds > 0, weighted / np.maximum(seconds, TOLERANCE_S), np.nan)
