"""Shares: of the time, of the time in which something else holds, and of moments that something follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.reasoning.grammar.clauses import Clause, NotUnderstood, read_clause
from visionllm_interaction.reasoning.grammar.meaning import Asked, AtLeast, Joined, Scope, Stream
from visionllm_interaction.reasoning.grammar.modifiers import Marks, read_marks
from visionllm_interaction.reasoning.grammar.references import Part
from visionllm_interaction.reasoning.grammar.request import QuestionRequest, finish, plain_tags
from visionllm_interaction.reasoning.grammar.tagging import Tag

_AUXILIARIES = ("did", "does", "do", "was", "were", "is", "are", "var", "er", "hadde", "har")


def read_share(request: QuestionRequest) -> Asked:
    """Read "What share of the time was the child near the caregiver?", also "… of the time that the ball was in view".

    Args:
        request: with a share as its head.

    Returns:
        The share, or the share of what is followed by something.

    Raises:
        NotUnderstood: if it is a share of something else.
    """
    if request.tags and request.tags[0].is_("noun", "object", "person", "something", "nothing"):
        # "What share of the toys …" counts toys, not time.
        raise NotUnderstood(f"share of {request.tags[0].text}")
    try:
        return _share(request)
    except NotUnderstood:
        of_clause = _share_of_clause(request)
        if of_clause is None:
            raise
        return of_clause


def _share(request: QuestionRequest) -> Asked:
    clause, marks, scope, parts = request.read()
    followed = [part for part in parts.clauses if part.role == "followed"]
    if followed:
        return read_followed(request, clause, marks, scope, followed[0])
    if clause.stream.is_moment:
        raise NotUnderstood("share")
    other: Stream | None = None
    if len(scope.during) == 1:
        other, scope = scope.during[0], replace(scope, during=())
    return finish(Asked("share", clause.stream, scope, other=other), marks, is_never=clause.is_never)


def _share_of_clause(request: QuestionRequest) -> Asked | None:
    """Read "What percentage of the time that the ball was in view was it held?"; None where that is not certain."""
    if request.head is None or not {"time", "tid", "tida", "tiden"} & set(request.head.text.split()):
        return None
    # "… that the ball was in view" begins with its subject; "… was the ball in view" is no clause.
    if not request.tags or request.tags[0].kind == "auxiliary" or any(t.kind == "conjunction" for t in request.tags):
        return None
    found = []
    for place in range(1, len(request.tags) - 1):
        if request.tags[place].text in _AUXILIARIES:
            before = request.tags[:place]
            base = _plain_clause(request, before)
            main = _plain_clause(request, request.tags[place + 1 :], subject=_person(before))
            is_said = any(tag.kind in ("name", "noun") for tag in request.tags[place + 1 :])
            if base is not None and main is not None and is_said:
                found.append(Asked("share", main, request.scope, other=base, is_shared=request.is_shared))
    return found[0] if len(found) == 1 and not request.is_shared and request.scope == Scope() else None


def _person(tags: Sequence[Tag]) -> str | None:
    named = {tag.value for tag in tags if tag.kind == "name" and tag.value in PERSON_CATEGORIES}
    return named.pop() if len(named) == 1 else None


def _plain_clause(request: QuestionRequest, tags: Sequence[Tag], *, subject: str | None = None) -> Stream | None:
    """The stream of intervals of a clause without adverbs; None if it has any, or says something else."""
    try:
        clause = read_clause(plain_tags(tags), replace(request.around(), subject=subject))
        read_marks(tags).check_used()
    except NotUnderstood:
        return None
    return None if clause.is_never or clause.stream.is_moment else clause.stream


def read_followed(request: QuestionRequest, clause: Clause, marks: Marks, scope: Scope, part: Part) -> Asked:
    """Read "… were followed by the caregiver coming near within 5 seconds".

    Args:
        request: the question.
        clause: what is followed.
        marks: its adverbs.
        scope: its limits.
        part: what follows, with its seconds.

    Returns:
        The share of the one that the other follows.

    Raises:
        NotUnderstood: if it is not said within how many seconds.
    """
    within = part.within_s
    if within is None:
        raise NotUnderstood("followed, without within how many seconds")
    answer = request.read_part(part)
    read_marks(part.tags).check_used()
    asked = Asked(
        "prob",
        _moments_of_begin(clause.stream),
        scope,
        other=answer.stream,
        within_s=within,
        is_shared=request.is_shared,
    )
    return finish(asked, marks, is_never=clause.is_never)


def _moments_of_begin(stream: Stream) -> Stream:
    if isinstance(stream, (Joined, AtLeast)) or stream.negated:
        raise NotUnderstood("followed")
    return stream
