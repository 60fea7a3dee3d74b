"""The typed plan: what a question becomes before anything is computed."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from visionllm_interaction.measures.api import Predicate, Query
from visionllm_interaction.measures.catalogue import MEASURES
from visionllm_interaction.measures.turn_limits import TurnLimits
from visionllm_interaction.reasoning.planning.capabilities import SIGNATURES, StepPredicate

MAX_STEPS = 100
"""Most queries in one plan: one for each name of a large store."""

Combine = Literal[
    "each",
    "largest",
    "smallest",
    "difference",
    "share",
    "rate",
    "exists",
    "exceeds",
    "precedes",
    "which",
    "order",
    "videos",
    "mean",
]
TWO_STEPS: frozenset[str] = frozenset({"difference", "share", "rate", "precedes"})
ONE_MEASURE: frozenset[str] = frozenset({"largest", "smallest", "difference", "precedes", "which", "order"})


class _PlanModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Atom(_PlanModel):
    """A predicate that holds at some times and not at others.

    Without ``object``, *visible* is about the subject alone, and other predicates are about the subject and anything.
    """

    predicate: Predicate = "visible"
    subject: str
    object: str | None = None


class Condition(Atom):
    """*While* …: limits a step to the time in which the atom holds, or, negated, does not hold."""

    negated: bool = False


class Moment(Atom):
    """The begin or end of the first or last bout of an atom; it differs from video to video."""

    occurrence: Literal["first", "last"] = "first"
    edge: Literal["begin", "end"] = "begin"


class Step(_PlanModel):
    """One query over the measures; times are seconds, the window is ``[begin_s, end_s)``.

    ``predicate`` is for measures of bouts (none means *visible*); their ``object`` may be left open for *anything*.
    ``during`` limits it to the time in which something else holds; ``after`` and ``before`` to one side of a moment.
    ``turns`` are the limits of a turn, for measures of turns alone; None stands for the standard ones.
    ``subject`` is empty for measures of the video itself.
    """

    measure: str
    subject: str = ""
    object: str | None = None
    predicate: StepPredicate | None = None
    video_id: str | None = None
    begin_s: float | None = Field(default=None, ge=0)
    end_s: float | None = Field(default=None, gt=0)
    during: Condition | None = None
    after: Moment | None = None
    before: Moment | None = None
    turns: TurnLimits | None = None

    @model_validator(mode="after")
    def _fits_its_measure(self) -> Self:
        signature = SIGNATURES.get(self.measure)
        if signature is None:
            raise ValueError(f"measure must be one of {', '.join(SIGNATURES)}, found {self.measure!r}")
        if bool(self.subject) == (signature.inputs == "none"):
            raise ValueError(f"{self.measure} needs {'no subject' if self.subject else 'a subject'}")
        if signature.inputs == "pair" and self.object is None:
            raise ValueError(f"{self.measure} is about two things: object is missing")
        if signature.inputs in ("one", "none") and self.object is not None:
            raise ValueError(f"{self.measure} is about one thing: object must not be set")
        if signature.inputs != "bout" and self.predicate is not None:
            raise ValueError(f"{self.measure} takes no predicate")
        if self.begin_s is not None and self.end_s is not None and self.begin_s >= self.end_s:
            raise ValueError(f"the window must end after it begins, found {self.begin_s} to {self.end_s}")
        if self.during and not signature.supports_during:
            raise ValueError(f"{self.measure} cannot be limited to the time in which something else holds")
        if self.turns and not self.is_of_turns:
            raise ValueError(f"{self.measure} knows no turns")
        return self

    @property
    def is_of_turns(self) -> bool:
        """Whether the step counts or times turns."""
        return self.measure in MEASURES and MEASURES[self.measure].is_of_turns

    @property
    def atoms(self) -> tuple[Atom, ...]:
        """What the step depends on besides its own subject and object."""
        return tuple(atom for atom in (self.during, self.after, self.before) if atom)

    @property
    def names(self) -> frozenset[str]:
        """Every name that the step is about."""
        named = [self.subject, self.object, *(n for atom in self.atoms for n in (atom.subject, atom.object))]
        return frozenset(name for name in named if name)

    def to_query(self) -> Query:
        """The query that ``measures.catalogue_query.run_query`` executes; conditions and moments are the executor's."""
        return Query(**self.model_dump(exclude={"during", "after", "before", "turns"}), turns=self.turns)


Reading = Literal[
    "value",
    "yes_no",
    "exceeds",
    "holds",
    "delay",
    "doing",
    "describe",
    "most",
    "least",
    "first",
    "last",
    "next",
    "list",
    "none",
    "number",
    "each",
    "difference",
    "more",
    "less",
    "mean",
    "portion",
    "ratio",
]


class ExpressionStep(_PlanModel):
    """One expression of the language of quantities (docs/language.md), and how its result answers the question.

    ``reading``: ``value`` reports it; ``yes_no`` says whether there is any; ``exceeds`` whether it is more than
    ``threshold``; ``holds`` whether it holds at a moment; ``delay`` is a time from the start; ``most``, ``least``,
    ``first``, ``last``, ``next``, ``list``, ``none``, ``number`` and ``each`` choose among the names that a variable
    stands for, ``top`` of them; ``difference``, ``more`` and ``less`` compare it with the expression ``than``;
    ``mean`` averages the values of single videos or children; ``portion`` and ``ratio`` divide one number by another
    and say both; ``doing`` and ``describe`` tell what went on.
    """

    expression: str
    reading: Reading = "value"
    than: str | None = None
    top: int = Field(default=1, ge=1)
    threshold: float | None = None
    language: Literal["en", "nb", "nn"] = "en"


class Plan(_PlanModel):
    """A short list of queries and how their results are read, or the reason why there is none.

    ``combine``: ``each`` reports every step; ``largest``/``smallest`` compare all of them; ``difference`` is the first
    minus the second; ``share`` the first as per cent of the second; ``rate`` the first per minute of the second;
    ``exists`` whether there is any; ``exceeds`` whether it is more than ``threshold``; ``precedes`` whether the first
    time comes before the second; ``which`` lists those that are not zero; ``order`` sorts by time; ``videos`` counts
    the videos in which there is any; ``mean`` averages over videos. ``also`` is the next part of a question in parts.

    A plan of ``expressions`` has no steps: each is a line of the language of quantities that can be run by itself.
    """

    steps: tuple[Step, ...] = Field(default=(), max_length=MAX_STEPS)
    expressions: tuple[ExpressionStep, ...] = Field(default=(), max_length=MAX_STEPS)
    combine: Combine = "each"
    threshold: float | None = None
    unanswerable: str | None = None
    also: Plan | None = None

    @model_validator(mode="after")
    def _is_one_or_the_other(self) -> Self:
        if (bool(self.steps), bool(self.expressions), bool(self.unanswerable)).count(True) != 1:
            raise ValueError("a plan has steps, or expressions, or a reason why it has none")
        if self.expressions and (self.combine != "each" or self.also):
            raise ValueError("expressions are not combined: each says by itself how it is read")
        if self.combine in ONE_MEASURE and len({step.measure for step in self.steps}) != 1:
            raise ValueError("only results of one measure can be compared")
        if self.combine in ("largest", "smallest", "order") and len(self.steps) < 2:
            raise ValueError("a comparison needs two steps or more")
        if self.combine in TWO_STEPS and len(self.steps) != 2:
            raise ValueError(f"{self.combine} takes two steps")
        if (self.combine == "exceeds") != (self.threshold is not None):
            raise ValueError("a threshold belongs to `exceeds`")
        if self.combine in ("exists", "exceeds", "videos", "mean") and len(self.steps) != 1:
            raise ValueError(f"{self.combine} takes one step")
        if len(set(self.steps)) != len(self.steps):
            raise ValueError("the same step stands twice in the plan")
        return self

    @property
    def parts(self) -> tuple[Plan, ...]:
        """This part and the ones after it."""
        return (self, *(self.also.parts if self.also else ()))

    @property
    def expression_texts(self) -> tuple[str, ...]:
        """The expressions as they can be run one by one; of a comparison both sides."""
        both = ((step.expression, step.than) for step in self.expressions)
        return tuple(text for pair in both for text in pair if text)

    def with_turns(self, limits: TurnLimits) -> Plan:
        """The plan with ``limits`` in every step about turns, so that it says by which limits it was run."""
        steps = (step.model_copy(update={"turns": limits}) if step.is_of_turns else step for step in self.steps)
        also = self.also.with_turns(limits) if self.also else None
        return self.model_copy(update={"steps": tuple(steps), "also": also})

    @classmethod
    def refuse(cls, reason: str) -> Plan:
        """A plan that says why the question has none."""
        return cls(unanswerable=reason)
