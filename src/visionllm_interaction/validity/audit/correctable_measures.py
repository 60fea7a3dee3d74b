"""Which measures an audit can correct, what it has to consist of, and why others cannot be corrected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from visionllm_interaction.core.categories import nearest_names
from visionllm_interaction.errors import UsageError
from visionllm_interaction.validity.audit.states import STATES, TOGETHER, VISIBLE, StateOfPair
from visionllm_interaction.validity.estimation.audited_units import UnitKind

Quantity = Literal["share", "count"]


@dataclass(frozen=True, slots=True)
class CorrectableMeasure:
    """A measure that an audit can correct.

    Attributes:
        name: as in the tidy table.
        quantity: what people judge: the ``"share"`` of time in which a state holds, or the ``"count"`` of its bouts.
        units: the kinds of units that tell it. A bout is seen in a clip only; a share in scattered frames as well.
        unit: of the result for these recordings.
        rate_unit: of the result per group, of differences and slopes, and for children in general.
        predicate: the state that it is about; None: any.
    """

    name: str
    quantity: Quantity
    units: tuple[UnitKind, ...]
    unit: str
    rate_unit: str
    predicate: str | None


_DURATIONS = {
    "visible_duration": VISIBLE,
    "co_presence_duration": TOGETHER,
    "near_duration": "near",
    "contact_duration": "in_contact",
    "holding_duration": "holding",
}
MEASURES: Mapping[str, CorrectableMeasure] = MappingProxyType(
    {
        "visible_share": CorrectableMeasure("visible_share", "share", ("frame", "clip"), "share", "share", VISIBLE),
        **{
            name: CorrectableMeasure(name, "share", ("frame", "clip"), "s", "s per min", predicate)
            for name, predicate in _DURATIONS.items()
        },
        "bout_count": CorrectableMeasure("bout_count", "count", ("clip",), "count", "per min", None),
        "bout_rate": CorrectableMeasure("bout_rate", "count", ("clip",), "per min", "per min", None),
    }
)
"""Every measure that can be corrected, by name."""

_NOT_CORRECTABLE = {
    "longest_bout": "a longest bout has no unbiased correction from a sample",
    "mean_bout": "one missed moment splits a bout in two, so errors of frames do not carry over to its length",
    "first_seen": "the first moment is a single one, which a sample seldom holds",
    "last_seen": "the last moment is a single one, which a sample seldom holds",
}


def correctable(name: str) -> CorrectableMeasure:
    """A measure that can be corrected.

    Args:
        name: as in the tidy table.

    Returns:
        What its audit needs.

    Raises:
        UsageError: if it cannot be corrected, with the reason.
    """
    if name in MEASURES:
        return MEASURES[name]
    near = nearest_names(name, list(MEASURES))
    reason = _NOT_CORRECTABLE.get(name)
    raise UsageError(
        f"The measure {name!r} cannot be corrected" + (f": {reason}." if reason else "."),
        expected=f"one of: {', '.join(MEASURES)}",
        found=name,
        fix=f"did you mean {' or '.join(map(repr, near))}?"
        if near and not reason
        else "report how well people and detector agree on it instead: `visionllm agree`",
    )


def state_of(
    measure: CorrectableMeasure, *, subject: str, object: str | None = None, predicate: str | None = None
) -> StateOfPair:
    """The state that a measure is about.

    Args:
        measure: the measure.
        subject: role or category.
        object: role or category; None for *visible*.
        predicate: for measures of bouts.

    Returns:
        The state.

    Raises:
        UsageError: if the predicate is missing, another one, or an object is missing.
    """
    if measure.predicate is None and predicate is None:
        raise UsageError(
            f"{measure.name} needs a predicate.",
            expected=f"one of: {', '.join(STATES)}",
            found="none",
            where="--predicate",
        )
    if measure.predicate is not None and predicate not in (None, measure.predicate):
        raise UsageError(f"{measure.name} is about {measure.predicate}.", expected=measure.predicate, found=predicate)
    return StateOfPair(measure.predicate or predicate or "", subject, object)


def check_units(measure: CorrectableMeasure, kind: UnitKind) -> None:
    """Refuse an audit whose units cannot tell a measure.

    Args:
        measure: the measure.
        kind: what was audited.

    Raises:
        UsageError: for bouts and an audit of frames.
    """
    if kind not in measure.units:
        raise UsageError(
            f"{measure.name} cannot be corrected by an audit of frames: no single frame shows where a bout begins.",
            expected="an audit of whole clips, at least two of every child",
            found="frames",
            fix=f"visionllm audit plan {measure.name} --clip-s 30 …",
        )
