"""Times from one event to another, and average distances."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.reasoning.grammar.clauses import NotUnderstood, read_clause
from visionllm_interaction.reasoning.grammar.meaning import Asked, AtLeast, Holds, Joined, Pick, Scope, Stream
from visionllm_interaction.reasoning.grammar.modifiers import read_marks
from visionllm_interaction.reasoning.grammar.request import QuestionRequest, plain_tags
from visionllm_interaction.reasoning.grammar.tagging import Tag

_TWO = 2
_SIMPLE = frozenset({"noun", "name", "preposition", "conjunction", "aggregate", "auxiliary", "possessive"})


def read_distance(request: QuestionRequest) -> Asked:
    """Read "What is the average distance between child and caregiver?", also within limits."""
    place = next(i for i, tag in enumerate(request.tags) if tag.is_("noun", "distance"))
    main, clauses = _before_clause(request.tags)
    if request.at is not None or any(tag.kind not in _SIMPLE for tag in main) or place >= len(main):
        raise NotUnderstood("distance")
    names = [tag.value for tag in main if tag.kind == "name"]
    if any(tag.is_("noun", "both") for tag in main):
        names = list(request.people)
    if len(names) != 2 or names[0] == names[1]:
        raise NotUnderstood("distance")
    scope = _scope_of(request, clauses)
    statistics: dict[str, Pick] = {"shortest": "least", "longest": "most", "median": "median", "sd": "sd"}
    if sum(tag.kind == "aggregate" for tag in main) > 1:
        raise NotUnderstood("distance")
    pick = next((statistics[tag.value] for tag in main if tag.is_("aggregate", *statistics)), None)
    return Asked("gap", None, scope, gap_names=(names[0], names[1]), pick=pick)


def _before_clause(tags: Sequence[Tag]) -> tuple[list[Tag], list[Tag]]:
    place = next((i for i, tag in enumerate(tags) if tag.kind == "subordinator"), len(tags))
    return list(tags[:place]), list(tags[place:])


def _scope_of(request: QuestionRequest, clauses: Sequence[Tag]) -> Scope:
    """The scope with the limits of clauses that follow a main part that is no clause itself."""
    if not clauses:
        return request.scope
    if not request.people:
        raise NotUnderstood("distance")
    dummy = (Tag("name", request.people[0], ""), Tag("word", "visible", "", ("visible",)))
    _, marks, scope, _ = request.with_tags((*dummy, *clauses)).read()
    marks.check_used()
    return scope


def read_elapsed(request: QuestionRequest) -> Asked | None:
    """Read "How many seconds passed between A doing this and B doing that?"; None if it is no such question."""
    tags = [tag for tag in request.tags if "elapse" not in tag.lemmas]
    if len(tags) == len(request.tags) or not any(tag.is_("preposition", "from", "between") for tag in tags):
        return None
    return read_latency(request.with_tags([Tag("noun", "time", ""), *tags]))


def read_pauses(request: QuestionRequest) -> Asked | None:
    """Read "the shortest time between two pick-ups by the child"; None if it is no such question."""
    place = next((i for i, tag in enumerate(request.tags) if tag.is_("preposition", "between")), None)
    if place is None or request.at is not None:
        return None
    before, after = request.tags[:place], request.tags[place + 1 :]
    is_two = bool(after) and (after[0].number == _TWO or after[0].is_("modifier", "successive"))
    if not is_two or not any(tag.is_("noun", "time", "bouts") for tag in before):
        return None
    if any(tag.kind not in ("aggregate", "noun", "auxiliary") for tag in before):
        raise NotUnderstood("the time between two")
    kind = read_marks(before).take_length() or "median"
    main, clauses = _before_clause(after[1:])
    clause = read_clause(plain_tags(main), request.around())
    read_marks(main).check_used()
    if clause.is_never or clause.stream.negated or isinstance(clause.stream, (Joined, AtLeast)) or kind == "sd":
        raise NotUnderstood("the time between two")
    picks: dict[str, Pick | None] = {"mean": "any", "median": None, "longest": "most", "shortest": "least"}
    return Asked("pauses", clause.stream, _scope_of(request, clauses), pick=picks[kind])


def read_latency(request: QuestionRequest) -> Asked | None:
    """Read "the median time from A putting something down to B picking it up"; None if it is no such question."""
    openings = [i for i, tag in enumerate(request.tags) if tag.is_("preposition", "from", "between")]
    if not openings or request.at is not None:
        return None
    start = openings[0]
    before = request.tags[:start]
    if not any(tag.is_("noun", "time", "bouts") for tag in before) or any(
        tag.kind not in ("aggregate", "noun", "auxiliary", "modifier") for tag in before
    ):
        return None
    marks = read_marks(before)
    statistic = marks.take_length()
    marks.check_used()
    names: dict[str | None, Literal["mean", "median", "longest", "shortest"]] = {None: "median"}
    kind = names.get(statistic, statistic or "median")
    for first, second in _splits(request.tags[start + 1 :]):
        asked = _between(request, first, second)
        if asked:
            return replace(asked, pick={"mean": "any", "median": None, "longest": "most", "shortest": "least"}[kind])
    raise NotUnderstood("the time from one to the other")


def _splits(tags: Sequence[Tag]) -> Iterator[tuple[Sequence[Tag], Sequence[Tag]]]:
    """Every way to cut "A doing this to B doing that" in two; "to" and "until" may also open a clause."""
    for place, tag in enumerate(tags):
        opens = tag.is_("preposition", "to") or tag.is_("conjunction", "and") or tag.is_("subordinator", "before")
        if opens and 0 < place < len(tags) - 1:
            yield tags[:place], tags[place + 1 :]


def _between(request: QuestionRequest, first: Sequence[Tag], second: Sequence[Tag]) -> Asked | None:
    streams: list[Holds] = []
    occurrences: list[int | None] = []
    for tags in (first, second):
        spoken_of = _only_person(first) if tags is second else None
        try:
            clause = read_clause(plain_tags(tags), replace(request.around(), subject=spoken_of))
            marks = read_marks(tags)
            occurrences.append(marks.take_occurrence())
            if tags is second:
                marks.take("again")
            marks.check_used()
        except NotUnderstood:
            return None
        if clause.is_never:
            return None
        streams.append(_as_moment(clause.stream))
    return _from_one_to_other(request, streams, occurrences)


def _from_one_to_other(request: QuestionRequest, streams: Sequence[Holds], places: Sequence[int | None]) -> Asked:
    """From each to the next; from one single time to another where both are said: "the first …", "the last …"."""
    first, second = streams
    if all(place is not None for place in places):
        if request.is_shared or any(p != 1 and not s.is_moment for p, s in zip(places, streams, strict=True)):
            raise NotUnderstood("the time from one to the other")
        one, other = (replace(s, occurrence=p) for p, s in zip(places, streams, strict=True))
        return Asked("span", one, request.scope, other=other)
    if any(place not in (None, 1) for place in places):
        raise NotUnderstood("the time from one to the other")
    if any(places):
        # "From A until the first B": what follows the first A.
        first = replace(first, occurrence=1)
    return Asked("latency", first, request.scope, other=second, is_shared=request.is_shared)


def _only_person(tags: Sequence[Tag]) -> str | None:
    """The one of whom the first clause speaks: "after the child did this the caregiver came near"."""
    named = {tag.value for tag in tags if tag.kind == "name" and tag.value in PERSON_CATEGORIES}
    return named.pop() if len(named) == 1 else None


def _as_moment(stream: Stream) -> Holds:
    if isinstance(stream, (Joined, AtLeast)) or stream.negated:
        raise NotUnderstood("the time from one to the other")
    return stream


def read_lag(request: QuestionRequest) -> Asked:
    """Read "How long after the caregiver put down the book did the child pick it up?"."""
    cuts = [i for i, tag in enumerate(request.tags) if tag.text in ("did", "do", "does") and i]
    for cut in cuts:
        asked = _between(request, request.tags[:cut], request.tags[cut + 1 :])
        if asked:
            return asked
    raise NotUnderstood("how long after")
