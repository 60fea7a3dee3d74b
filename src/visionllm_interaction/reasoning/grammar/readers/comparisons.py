"""Comparisons of two values: "longer than", "in the first half than in the second", "compared with"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.reasoning.grammar.clauses import NotTold, NotUnderstood
from visionllm_interaction.reasoning.grammar.meaning import Asked, Scope
from visionllm_interaction.reasoning.grammar.modifiers import compares_objects, compares_several_of_a_name
from visionllm_interaction.reasoning.grammar.readers.latencies import read_distance
from visionllm_interaction.reasoning.grammar.request import NUMBER_OF_A_NAME, QuestionRequest, compared_number, finish
from visionllm_interaction.reasoning.grammar.tagging import Tag

_NEARER = ("nearest", "farther")


def read_comparison(request: QuestionRequest) -> Asked:
    """A question that compares two values and asks which is larger, or how they differ.

    Args:
        request: with "than", "compared with", or two halves of the video.

    Returns:
        The first value, with the second in ``than``.

    Raises:
        NotUnderstood: if there are not exactly two values that differ in one name or one half.
    """
    if request.at is not None:
        raise NotUnderstood("at that moment")
    tags, others = _cut(request.tags)
    if request.scope.last_s is not None and (request.scope.begin_s, request.scope.end_s) != (None, None):
        # "… in the first 5 s than the caregiver in the last 5 s": the windows are not of one value.
        raise NotUnderstood("than")
    if request.versus_video is not None:
        if any(not _is_empty(tag) or tag.kind == "half" for tag in others):
            raise NotUnderstood("than")
        other = replace(request.scope, video_id=request.versus_video)
        return _compared(request, tags, tags, scopes=(request.scope, other))
    if request.scope.versus is not None:
        if any(not _is_empty(tag) or tag.kind == "half" for tag in others) or request.scope.half:
            raise NotUnderstood("than")
        return _compared(request, tags, tags, scopes=(replace(request.scope, versus=None), request.scope.versus))
    halves = [tag.value for tag in (*tags, *others) if tag.kind == "half"]
    plain = [tag for tag in tags if tag.kind != "half"]
    if len(halves) == 2 and halves[0] != halves[1] and all(_is_empty(tag) for tag in others):
        first, second = (_in_half(request.scope, half) for half in halves)
        return _compared(request, plain, plain, scopes=(first, second))
    if halves or request.scope.half:
        raise NotUnderstood("half")
    if any(any(lemma not in ("", "do") for lemma in tag.lemmas) for tag in others):
        return _compared(request, plain, _compared_clause(plain, others), scopes=(request.scope, request.scope))
    named = [tag for tag in others if tag.kind == "name"]
    rest = [tag for tag in others if tag.kind != "name" and not _is_empty(tag)]
    if len(named) != 1 or rest:
        raise NotUnderstood("than")
    return _compared(request, plain, _replaced(plain, named[0]), scopes=(request.scope, request.scope))


def read_difference(request: QuestionRequest) -> Asked:
    """Read "How much longer did the child hold the ball than the caregiver did?"."""
    words = (request.head.text if request.head else "").split()
    amount = "most" if not {"often", "times", "ganger", "gonger"} & set(words) else "most_often"
    if {"less", "fewer", "shorter", "mindre"} & set(words):
        raise NotUnderstood("less")
    asked = read_comparison(
        request.with_tags([*_before_than(request.tags), Tag("superlative", amount, "more"), *_from_than(request.tags)])
    )
    return replace(asked, comparison=None)


def _before_than(tags: Sequence[Tag]) -> Sequence[Tag]:
    return tags[: _than(tags)]


def _from_than(tags: Sequence[Tag]) -> Sequence[Tag]:
    return tags[_than(tags) :]


def _than(tags: Sequence[Tag]) -> int:
    return next((i for i, tag in enumerate(tags) if tag.is_("modifier", "than", "compare_with")), len(tags))


def _cut(tags: Sequence[Tag]) -> tuple[list[Tag], list[Tag]]:
    cut = _than(tags)
    if cut == len(tags) and sum(tag.kind == "half" for tag in tags) < 2:
        raise NotUnderstood("than")
    return list(tags[:cut]), list(tags[cut + 1 :])


def _is_empty(tag: Tag) -> bool:
    return tag.kind in ("half", "possessive", "auxiliary") or tag.text in ("did", "does", "do")


def _in_half(scope: Scope, half: str) -> Scope:
    return replace(scope, half="first" if half == "first" else "second")


def _replaced(tags: Sequence[Tag], other: Tag) -> list[Tag]:
    """``tags`` with ``other`` in the place of the name of its own kind."""
    is_person = other.value in PERSON_CATEGORIES
    places = [i for i, t in enumerate(tags) if t.kind == "name" and (t.value in PERSON_CATEGORIES) == is_person]
    if len(places) != 1 or tags[places[0]].value == other.value:
        raise NotUnderstood("than")
    out = list(tags)
    out[places[0]] = other
    return out


def _compared_clause(first: Sequence[Tag], second: Sequence[Tag]) -> list[Tag]:
    """A whole clause after "than", with the word that compares: "… longer than the caregiver held the book"."""
    if any(tag.kind in ("superlative", "subordinator", "head") for tag in second):
        raise NotUnderstood("than")
    return [*second, *(tag for tag in first if tag.kind == "superlative")]


def _compared(
    request: QuestionRequest, first: Sequence[Tag], second: Sequence[Tag], *, scopes: tuple[Scope, Scope]
) -> Asked:
    values = [_value(replace(request, scope=scope), tags) for tags, scope in zip((first, second), scopes, strict=True)]
    if values[0].ask != values[1].ask:
        raise NotUnderstood("than")
    denies = any(value.stream is not None and value.stream.negated for value in values)
    if request.head is None and denies:
        # What is denied is the comparison, not what is compared.
        raise NotUnderstood("not")
    comparison = None if request.head and request.head.value == "compare" else _direction(first)
    return replace(values[0], than=values[1], comparison=comparison)


def _direction(tags: Sequence[Tag]) -> Literal["more", "less"] | None:
    found = next((tag.value for tag in tags if tag.kind == "superlative"), None)
    if found is None:
        return None
    return "less" if found in ("least", "least_often", "nearest", "first") else "more"


def _value(request: QuestionRequest, tags: Sequence[Tag]) -> Asked:
    """One of the two values: without the word that compares."""
    compared = next((tag for tag in tags if tag.kind == "superlative"), None)
    of_distance = any(tag.is_("noun", "distance") for tag in tags)
    if compared and (compared.value in _NEARER or of_distance):
        names = [tag for tag in tags if tag.kind in ("name", "noun", "aggregate") and not tag.is_("noun", "distance")]
        rest = [
            t
            for t in tags
            if t not in names
            and t is not compared
            and t.kind not in ("auxiliary", "preposition", "conjunction")
            and not t.is_("noun", "distance")
        ]
        words = [tag for tag in rest if any(lemma not in ("", "do") for lemma in tag.lemmas)]
        if words or any(tag.kind in ("subordinator",) for tag in rest):
            raise NotUnderstood(rest[0].text)
        return read_distance(request.with_tags([Tag("noun", "distance", ""), *names]))
    clause, marks, scope, _ = request.with_tags(tags).read()
    if several := compares_several_of_a_name(tags):
        raise NotTold(NUMBER_OF_A_NAME.format(several))
    if compares_objects(tags):
        marks.take_pick(is_moment=clause.stream.is_moment)
        return finish(compared_number(clause, scope), marks, is_never=clause.is_never)
    if compared is None:
        asked = Asked("count" if clause.stream.is_moment else "total", clause.stream, scope)
        return finish(asked, marks, is_never=clause.is_never)
    length = None if clause.stream.is_moment else marks.take_length()
    kind, pick = marks.take_pick(is_moment=clause.stream.is_moment)
    if length is not None:
        if kind != "total" or pick not in ("most", "least"):
            raise NotUnderstood("than")
        return finish(Asked(length, clause.stream, scope), marks, is_never=clause.is_never)
    if pick in ("first", "last"):
        edge: Literal["start", "end"] = "end" if pick == "last" and not clause.stream.is_moment else "start"
        asked = Asked("time", clause.stream, scope, occurrence=1 if pick == "first" else -1, edge_of_time=edge)
        return finish(asked, marks, is_never=clause.is_never)
    return finish(Asked(kind, clause.stream, scope), marks, is_never=clause.is_never)
