"""Build the steps of a plan from a matched question form."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field
from msgspec.structs import replace
from pydantic import ValidationError

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.measures.catalogue import CODED_PREDICATES
from visionllm_interaction.reasoning.language.patterns import ABSENT, Form, Row
from visionllm_interaction.reasoning.language.subordinate_clauses import ClauseLimits
from visionllm_interaction.reasoning.language.time_expressions import Window, in_seconds
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary, strip_determiners
from visionllm_interaction.reasoning.planning.capabilities import PREDICATE_OF, PROCESSED_DURATION, SIGNATURES
from visionllm_interaction.reasoning.planning.plan import Condition, Plan, Step

_ANYTHING = frozenset({"anything", "something", "object", "objects", "thing", "things", "toy", "toys", "noe"})
_EVERY = frozenset({"all", "every", "each", "both", "alle", "alt", "hver", "kvar", "begge"})
"""Words that ask it of every one, which is not said by "any"."""
Spoken = Mapping[str, str | None]


class QuestionScope(Struct, frozen=True):
    """The video, the time window and the clauses that limit a question."""

    video_id: str | None = None
    window: Window = field(default_factory=Window)
    limits: ClauseLimits = field(default_factory=ClauseLimits)

    def within(self, limits: ClauseLimits) -> QuestionScope:
        """This scope limited by another clause; a second clause of the same kind is ignored."""
        merged = ClauseLimits(
            self.limits.during or limits.during,
            self.limits.after or limits.after,
            self.limits.before or limits.before,
        )
        return replace(self, limits=merged)

    def step(self, row: Row, subject: str, target: str | None) -> Step:
        """The step for ``row`` about these names, within this scope."""
        absent = row.measure == ABSENT
        if _object_holds_person(row, subject, target):
            subject, target = target or "", subject
        return Step(
            measure=PROCESSED_DURATION if absent else row.measure,
            subject="" if absent else subject,
            object=target,
            predicate=row.predicate,
            video_id=self.video_id,
            begin_s=self.window.begin_s,
            end_s=self.window.end_s,
            during=Condition(subject=subject, negated=True) if absent else self.limits.during,
            after=self.limits.after,
            before=self.limits.before,
        )

    def processed_time(self) -> Step:
        """The step for the processed time within this scope; a condition limits it as well."""
        return self.step(Row(PROCESSED_DURATION, ()), "", None)


def plan_of(form: Form, spoken: Spoken, scope: QuestionScope, vocabulary: Vocabulary) -> Plan | None:
    """The plan of ``form`` with these words in its slots; None if one of them names nothing in the store."""
    row = form.row
    if _kind_of_code(row) not in (None, *vocabulary.coded):
        return None
    if row.measure == ABSENT and scope.limits.during:
        return None
    names = _names(row, spoken, vocabulary)
    if names is None:
        return None
    try:
        return steps_of(row, names, scope, vocabulary, threshold=_threshold(row, spoken))
    except ValidationError:
        return None


def _kind_of_code(row: Row) -> str | None:
    """The kind of code that a form reads; None if it reads none."""
    if row.measure in ("turn_count", "turn_lag"):
        return "speech"
    return CODED_PREDICATES.get(row.predicate) if row.predicate else None


def _object_holds_person(row: Row, subject: str, target: str | None) -> bool:
    """Whether an object would hold a person: then the relation is the other way round, whatever the question says."""
    holding = "holding" in (row.predicate, PREDICATE_OF.get(row.measure))
    return holding and target in PERSON_CATEGORIES and subject not in PERSON_CATEGORIES


def _names(row: Row, spoken: Spoken, vocabulary: Vocabulary) -> dict[str, str | None] | None:
    """Slot of the form → the store's name, None for *anything*; None as a whole if a name is unknown."""
    names: dict[str, str | None] = {}
    for place in ("a", "b", "c"):
        text = spoken.get(place)
        if text is None:
            continue
        name = vocabulary.resolve(text)
        anything = place == "b" and SIGNATURES.get(row.measure, SIGNATURES[PROCESSED_DURATION]).inputs == "bout"
        every = text.casefold().split()[0] in _EVERY
        if name is None and (every or not (anything and strip_determiners(text) in _ANYTHING)):
            return None
        names[place] = name
    known = [name for name in names.values() if name is not None]
    if "c" in names and len({name in PERSON_CATEGORIES for name in (names.get("a"), names.get("b"))}) > 1:
        # "How much longer did the child hold the ball than the book?": the book holds nothing.
        return None
    return names if len(set(known)) == len(known) else None


def steps_of(
    row: Row, names: Mapping[str, str | None], scope: QuestionScope, vocabulary: Vocabulary, *, threshold: float | None
) -> Plan | None:
    """Build the plan for one row of a forms table.

    Args:
        row: what is asked for.
        names: slot (``a``, ``b``, ``c``) → name of the store; None stands for *anything*.
        scope: the video, window and limits.
        vocabulary: the names of the store.
        threshold: what *more than* compares with, in the unit of the measure; None without a comparison.

    Returns:
        The plan; None if the row ranges over people or objects and the store has none.

    Raises:
        ValidationError: if the parts do not fit the measure.
    """
    a, b, c = names.get("a"), names.get("b"), names.get("c")
    if row.combine is None:
        return Plan(steps=(scope.step(row, a or "", b),))
    if row.against:
        return Plan(steps=(scope.step(row, a or "", b), scope.processed_time()), combine=row.combine)
    if row.over:
        return _over_all(row, a if row.slot == "object" else b, scope, vocabulary)
    if row.combine in ("exists", "exceeds", "videos", "mean"):
        return Plan(steps=(scope.step(row, a or "", b),), combine=row.combine, threshold=threshold)
    pairs = [(name, c) if row.slot == "subject" else (c, name) for name in (a, b)]
    return Plan(steps=tuple(scope.step(row, left or "", right) for left, right in pairs), combine=row.combine)


def _over_all(row: Row, fixed: str | None, scope: QuestionScope, vocabulary: Vocabulary) -> Plan | None:
    """One step for each object, or for each person."""
    everyone = vocabulary.objects if row.over == "objects" else vocabulary.people
    others = [name for name in everyone if name != fixed]
    pairs = [(name, fixed) if row.slot == "subject" else (fixed, name) for name in others]
    steps = tuple(scope.step(row, left or "", right) for left, right in pairs)
    return Plan(steps=steps, combine=row.combine or "each") if steps else None


def _threshold(row: Row, spoken: Spoken) -> float | None:
    number = spoken.get("n")
    if number is None:
        return None
    is_time = SIGNATURES[row.measure].unit == "s"
    return in_seconds(number, spoken.get("unit")) if is_time else float(number.replace(",", "."))
