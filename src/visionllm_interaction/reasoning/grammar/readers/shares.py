"""Shares: of the time, of the time in which something else holds, and of moments that something follows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.reasoning.grammar.clauses import Clause, NotUnderstood, read_clause
from visionllm_interaction.reasoning.grammar.meaning import (
    ANY_OBJECT,
    ANY_PERSON,
    Asked,
    AtLeast,
    Holds,
    Joined,
    Scope,
    Stream,
)
from visionllm_interaction.reasoning.grammar.modifiers import Marks, read_marks
from visionllm_interaction.reasoning.grammar.references import Part
from visionllm_interaction.reasoning.grammar.request import QuestionRequest, finish, plain_tags
from visionllm_interaction.reasoning.grammar.tagging import Tag

_TIMES = frozenset({"time", "tid", "tida", "tiden"})
_OF_TIME = frozenset({*_TIMES, "video", "videos", "recording", "recordings", "videoen", "opptaket"})
_AUXILIARIES = ("did", "does", "do", "was", "were", "is", "are", "var", "er", "hadde", "har")

_WHOLE = frozenset(
    {
        *(
            "recording",
            "recordings",
            "video",
            "videos",
            "session",
            "sessions",
            "clip",
            "clips",
            "footage",
            "film",
            "films",
        )
    }
    | {*("opptaket", "opptakene", "opptaka", "videoen", "videoene", "videoane", "klippet", "filmen", "økta")}
)
"""Words for the whole of what was recorded."""


def read_share(request: QuestionRequest) -> Asked:
    """Read "What share of the time was the child near the caregiver?", also "… of the time that the ball was in view".

    Args:
        request: with a share as its head.

    Returns:
        The share, or the share of what is followed by something.

    Raises:
        NotUnderstood: if it is a share of something else.
    """
    portion = _portion(request)
    if portion is not None:
        return portion
    opens_with_noun = bool(request.tags) and request.tags[0].is_("noun", "object", "person", "something", "nothing")
    if opens_with_noun and not (request.head and request.head.text.split()[-1] in _OF_TIME):
        # "What share of the toys …" counts toys, not time.
        raise NotUnderstood(f"share of {request.tags[0].text}")
    try:
        return _share(request)
    except NotUnderstood:
        of_clause = _share_of_clause(request)
        if of_clause is None:
            raise
        return of_clause


def _portion(request: QuestionRequest) -> Asked | None:
    """Read "What share of the hand-overs were by the caregiver?": how many of all of them; None if it is none."""
    main, limits = _before_limits(request.tags)
    whole, rest = _whole(request, main)
    if whole is None:
        return None
    part: Stream = whole
    if rest:
        try:
            part = read_clause(plain_tags([*main[: len(main) - len(rest)], *rest]), request.around()).stream
        except NotUnderstood:
            return None
    marks = read_marks(main)
    marks.check_used()
    _, _, scope, parts = request.with_tags([*_DUMMY, *limits]).read()
    if any(found.role == "followed" for found in parts.clauses) or request.head is None:
        return None
    is_limited = scope != Scope(video_id=scope.video_id)
    if (part == whole) != is_limited or not _is_part(part, whole):
        # Whether a limit is of the part or of both is not said.
        raise NotUnderstood(f"share of {main[0].text}" if main else "share")
    return Asked("portion", part, scope, other=whole)


_DUMMY = (Tag("name", "child", ""), Tag("word", "visible", "", ("visible",)))
"""A clause that is not read: only what limits it is."""


def _before_limits(tags: Sequence[Tag]) -> tuple[list[Tag], list[Tag]]:
    place = next(
        (i for i, t in enumerate(tags) if t.kind == "subordinator" or t.is_("modifier", "followed")), len(tags)
    )
    return list(tags[:place]), list(tags[place:])


def _whole(request: QuestionRequest, tags: Sequence[Tag]) -> tuple[Holds | None, Sequence[Tag]]:
    """The moments of which a share is asked for, as they are named before the verb, and the phrases after those."""
    if not any(tag.lemmas and any(tag.lemmas) for tag in tags[:_NAMED_BY]):
        return None, ()
    cut = next((i for i, tag in enumerate(tags) if tag.kind == "auxiliary" and i), len(tags))
    try:
        stream = read_clause(plain_tags(tags[:cut]), request.around()).stream
    except NotUnderstood:
        return None, ()
    rest = [tag for tag in tags[cut:] if tag.kind != "auxiliary"]
    return (stream, rest) if isinstance(stream, Holds) and stream.is_moment and not stream.negated else (None, ())


_NAMED_BY = 3
"""The word for what is counted stands among the first: "pick-ups by the child", "the child 's pick-ups"."""


def _is_part(part: Stream, whole: Holds) -> bool:
    """Whether ``part`` is ``whole`` with more of its names given."""
    if not isinstance(part, Holds) or replace(part, names=whole.names) != whole or len(part.names) != len(whole.names):
        return False
    return all(b in (a, ANY_PERSON, ANY_OBJECT) for a, b in zip(part.names, whole.names, strict=True))


def read_ratio(request: QuestionRequest) -> Asked:
    """Read "What is the ratio of the child's holding time to the caregiver's?".

    Args:
        request: with a ratio as its head.

    Returns:
        One number of times, or one sum of seconds, divided by another of the same kind.

    Raises:
        NotUnderstood: if it is not said of which two.
    """
    found = [ratio for first, second in _two_sides(request.tags) if (ratio := _ratio(request, first, second))]
    if len(found) != 1:
        raise NotUnderstood("ratio")
    return found[0]


def _two_sides(tags: Sequence[Tag]) -> Iterator[tuple[Sequence[Tag], Sequence[Tag]]]:
    """Every way to cut "X to Y" in two; names that stand behind both ("for the child") are of both."""
    ends = next((i for i, tag in enumerate(tags) if tag.is_("modifier", "for_both")), len(tags))
    both = tags[ends + 1 :]
    for place in range(1, ends - 1):
        if tags[place].is_("preposition", "to") or tags[place].is_("conjunction", "and"):
            first, second = list(tags[:place]), list(tags[place + 1 : ends])
            if [t.kind for t in second] == ["name", "possessive"]:
                # "… to the caregiver's": of the same.
                owners = [i for i, tag in enumerate(first) if tag.value in PERSON_CATEGORIES and tag.kind == "name"]
                second = [*first[: owners[0]], second[0], *first[owners[0] + 1 :]] if len(owners) == 1 else []
            yield [*both, *first], [*both, *second]


def _ratio(request: QuestionRequest, first: Sequence[Tag], second: Sequence[Tag]) -> Asked | None:
    sides = [_side_of_ratio(request, tags) for tags in (first, second)]
    if sides[0] is None or sides[1] is None or sides[0] == sides[1] or sides[0].is_moment != sides[1].is_moment:
        return None
    return Asked("ratio", sides[0], request.scope, other=sides[1])


def _side_of_ratio(request: QuestionRequest, tags: Sequence[Tag]) -> Stream | None:
    """Moments, or the time of a state: "holding time"; bouts of a state are neither."""
    is_of_time = any(tag.is_("noun", "time") or (tag.kind == "subordinator" and "time" in tag.text) for tag in tags)
    plain = [tag for tag in tags if not (tag.kind == "subordinator" and "time" in tag.text)]
    try:
        clause = read_clause(plain_tags(plain), request.around())
        read_marks(plain).check_used()
    except NotUnderstood:
        return None
    if clause.is_never or (not clause.stream.is_moment and not is_of_time):
        return None
    return clause.stream


def _share(request: QuestionRequest) -> Asked:
    clause, marks, scope, parts = request.read()
    followed = [part for part in parts.clauses if part.role == "followed"]
    if followed:
        return read_followed(request, clause, marks, scope, followed[0])
    if clause.stream.is_moment:
        raise NotUnderstood("share")
    other: Stream | None = None
    # "Near each other without touching" is one state, of which the share is asked.
    roles = {part.role for part in parts.clauses}
    of_whole = _is_of_whole(request) or roles == {"without"}
    if of_whole and scope.during and replace(scope, during=(), video_id=None) != Scope():
        raise NotUnderstood("share of which part")
    if not of_whole and "without" in roles:
        raise NotUnderstood("without")
    if len(scope.during) == 1 and not of_whole:
        other, scope = scope.during[0], replace(scope, during=())
    asked = Asked("share", clause.stream, scope, other=other, of_whole=of_whole and bool(scope.during))
    return finish(asked, marks, is_never=clause.is_never)


def _is_of_whole(request: QuestionRequest) -> bool:
    """Whether the share is said to be one of the recording; one "of the time … while …" is of that time."""
    return request.head is not None and bool(_WHOLE & set(request.head.text.split()))


def _share_of_clause(request: QuestionRequest) -> Asked | None:
    """Read "What percentage of the time that the ball was in view was it held?"; None where that is not certain."""
    if request.head is None or not _TIMES & set(request.head.text.split()):
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
