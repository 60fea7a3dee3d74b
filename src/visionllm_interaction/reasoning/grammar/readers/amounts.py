"""Questions for how long and how often: the words after the head become a duration, a number or a rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Literal

from visionllm_interaction.reasoning.grammar.clauses import FOCUS, NotUnderstood
from visionllm_interaction.reasoning.grammar.meaning import (
    ANY_OBJECT,
    ANY_PERSON,
    HOLDING,
    PERSON_VARIABLE,
    Asked,
    Holds,
    Scope,
)
from visionllm_interaction.reasoning.grammar.readers.comparisons import read_comparison
from visionllm_interaction.reasoning.grammar.readers.latencies import (
    read_elapsed,
    read_latency,
    read_pauses,
)
from visionllm_interaction.reasoning.grammar.readers.shares import read_followed
from visionllm_interaction.reasoning.grammar.request import QuestionRequest, finish, variable_of
from visionllm_interaction.reasoning.grammar.tagging import Tag


def read_duration(request: QuestionRequest) -> Asked:
    """Read "How long did the child hold the ball?": seconds, or a statistic of bouts."""
    if any(tag.is_("superlative", "nearest", "farther") for tag in request.tags):
        # "How long was it nearer to A than to B?" asks for time, not for distances.
        raise NotUnderstood("nearer")
    compared = _compared(request)
    if compared:
        return compared
    spread = _each(request) or read_elapsed(request) or read_pauses(request)
    if spread:
        return spread
    clause, marks, scope, _ = request.read()
    kind = marks.take_length() or "total"
    if clause.stream.is_moment:
        raise NotUnderstood("how long")
    limited = any(s is not None for s in (marks.longer_s, marks.shorter_s, marks.at_least_s, marks.at_most_s))
    if limited and (kind == "total" or marks.at_least_s is not None or marks.at_most_s is not None):
        raise NotUnderstood("how long, for longer than")
    asked = Asked(kind, clause.stream, scope, is_shared=request.is_shared)
    asked = replace(asked, longer_s=marks.longer_s, shorter_s=marks.shorter_s) if kind != "total" else asked
    return finish(asked, marks.without_numbers(), is_never=clause.is_never)


def read_quantity(request: QuestionRequest) -> Asked:
    """Read "What is the average distance …", "… the longest time that …", "… the median time from … to …"."""
    latency = read_pauses(request) or read_latency(request)
    if latency:
        return latency
    return read_duration(request)


def names_a_quantity(tags: Sequence[Tag]) -> bool:
    """Whether a text without question words begins as "total holding time …": whatever it asks, it is no yes or no."""
    before = next((i for i, tag in enumerate(tags) if tag.is_("noun", "time", "bouts", "sum")), None)
    if before is None:
        return bool(tags) and tags[0].kind == "unit"
    return all(
        is_relation_word(tag)
        or tag.kind in ("possessive", "half", "point")
        or (tag.kind == "name" and following.kind == "possessive")
        for tag, following in pairwise(tags[: before + 1])
    )


def is_relation_word(tag: Tag) -> bool:
    """Whether a word may say what holds: a verb of a relation or an event, and not only "do"."""
    return any(lemma not in ("", "do") for lemma in tag.lemmas)


def _compared(request: QuestionRequest) -> Asked | None:
    """Read "How much longer did the child hold the ball than the book?": both values, and their difference."""
    if any(tag.is_("modifier", "than", "compare_with") for tag in request.tags):
        return replace(read_comparison(request), comparison=None)
    return None


def _is_each(tag: Tag) -> bool:
    """Whether "each of them" is said, and not "both": in numbers it is one for each."""
    return tag.text.split()[0] in ("each", "hver", "kvar")


def _each(request: QuestionRequest) -> Asked | None:
    """Read "How long did the child hold each toy?": a value for each."""
    who = next((i for i, tag in enumerate(request.tags) if tag.is_("noun", "both") and _is_each(tag)), None)
    if who is not None:
        tags = [*request.tags[:who], Tag("modifier", "each", ""), Tag("noun", "person", ""), *request.tags[who + 1 :]]
        request = request.with_tags(tags)
    place = next((i for i, tag in enumerate(request.tags) if tag.is_("modifier", "each")), None)
    if place is None or place + 1 >= len(request.tags):
        return None
    noun = request.tags[place + 1]
    if not noun.is_("noun", "object", "person"):
        return None
    focus = variable_of(noun)
    tags = [*request.tags[:place], Tag("noun", FOCUS, noun.text), *request.tags[place + 2 :]]
    clause, marks, scope, _ = request.with_tags(tags).read(focus)
    ask: Literal["total", "count"] = "count" if request.head and request.head.value == "count" else "total"
    if clause.stream.is_moment and ask == "total":
        raise NotUnderstood("how long")
    return finish(Asked(ask, clause.stream, scope, variable=focus, pick="each"), marks, is_never=clause.is_never)


def read_count(request: QuestionRequest) -> Asked:
    """Read "How often did the child hold the ball?", also per minute."""
    compared = _compared(request)
    if compared:
        return compared
    spread = _each(request)
    if spread:
        return spread
    clause, marks, scope, parts = request.read()
    followed = [part for part in parts.clauses if part.role == "followed"]
    if followed:
        return read_followed(request, clause, marks, scope, followed[0])
    kind: Literal["rate", "count"] = "rate" if marks.take("per_minute") or _is_rate(request) else "count"
    asked = Asked(
        kind,
        clause.stream,
        scope,
        longer_s=marks.longer_s,
        shorter_s=marks.shorter_s,
        at_least_s=marks.at_least_s,
        at_most_s=marks.at_most_s,
        is_shared=request.is_shared,
    )
    if clause.stream.is_moment and any((marks.longer_s, marks.shorter_s, marks.at_least_s, marks.at_most_s)):
        raise NotUnderstood("how long a moment lasts")
    return finish(asked, marks.without_numbers(), is_never=clause.is_never)


def _is_rate(request: QuestionRequest) -> bool:
    return request.head is not None and request.head.value == "rate"


def read_most_at_once(request: QuestionRequest) -> Asked:
    """Read "At most how many toys were in view?": the largest number at one time."""
    clause, marks, scope, _ = request.read()
    marks.take("at_once")
    stream = clause.stream
    if not isinstance(stream, Holds) or stream.is_moment or stream.negated or scope != Scope(video_id=scope.video_id):
        raise NotUnderstood("at most how many")
    return finish(Asked("most_at_once", _of_one_person(stream, clause.named), scope), marks, is_never=clause.is_never)


def _of_one_person(stream: Holds, named: Sequence[str]) -> Holds:
    """What is counted at once, of each person by themselves where "anyone" is said to have it.

    "Toys that were held" are those of all people together. Where people are counted by what they have, or objects by
    who is near them, one of them makes several bouts.
    """
    if not {ANY_PERSON, ANY_OBJECT} <= set(stream.names):
        return stream
    if named[:1] != (ANY_OBJECT,) or stream.relation != HOLDING:
        raise NotUnderstood("at most how many")
    return replace(stream, names=(PERSON_VARIABLE, ANY_OBJECT)) if ANY_PERSON in named else stream
