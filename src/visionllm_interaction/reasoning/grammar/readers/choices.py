"""Questions for who, what and which, and how many of them: a choice among people, objects or videos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.reasoning.grammar.clauses import FOCUS, Clause, NotTold, NotUnderstood
from visionllm_interaction.reasoning.grammar.meaning import (
    ANY_OBJECT,
    ANY_PERSON,
    OBJECT_VARIABLE,
    PERSON_VARIABLE,
    VISIBLE,
    Asked,
    AtLeast,
    Holds,
    Joined,
    Scope,
    Stream,
)
from visionllm_interaction.reasoning.grammar.modifiers import Marks, compares_objects, compares_several_of_a_name
from visionllm_interaction.reasoning.grammar.readers.amounts import (
    is_relation_word,
    names_a_quantity,
    read_count,
    read_quantity,
)
from visionllm_interaction.reasoning.grammar.references import Parts, resolve
from visionllm_interaction.reasoning.grammar.request import (
    NUMBER_OF_A_NAME,
    Focus,
    QuestionRequest,
    compared_number,
    finish,
    kinds,
    variable_of,
)
from visionllm_interaction.reasoning.grammar.tagging import Tag


def read_who(request: QuestionRequest) -> Asked:
    """Read "Who held the ball longest?": a choice among people."""
    return _read_which(request, PERSON_VARIABLE, Tag("noun", FOCUS, "who"), request.tags)


def read_what(request: QuestionRequest) -> Asked:
    """Read "Which toy did the child hold first?": a choice among objects, or what the noun behind *what* asks for."""
    tags = list(request.tags)
    rest = [tag for tag in tags if tag.kind not in ("auxiliary", "modifier")]
    while len(rest) > 1 and rest[0].kind == "name" and rest[1].kind == "possessive":
        rest = rest[2:]
    if rest and (names_a_quantity(rest) or rest[0].kind == "aggregate" or rest[0].is_("noun", "distance")):
        return read_quantity(request)
    if rest and any("do" in tag.lemmas for tag in rest) and not any(is_relation_word(tag) for tag in tags):
        return _read_doing(request)
    tags = _superlative_last(tags)
    number = None
    if len(tags) > 1 and tags[0].kind == "auxiliary" and tags[1].number is not None:
        tags = tags[1:]
    if tags and tags[0].number is not None:
        number = int(tags[0].number or 1)
        tags = tags[1:]
    while tags and tags[0].is_("preposition", "of"):
        tags = tags[1:]
    noun = tags[0] if tags and tags[0].is_("noun", "object", "person", "something", "everything") else None
    tags = tags[1:] if noun else tags
    focus = variable_of(noun)
    return _read_which(request, focus, Tag("noun", FOCUS, noun.text if noun else "what"), tags, top=number)


def read_many(request: QuestionRequest) -> Asked:
    """Read "How many toys did the child hold?", which counts toys; "how many pick-ups" counts moments."""
    counted = request.tags[0] if request.tags else None
    if counted is None:
        raise NotUnderstood("how many")
    if counted.kind == "name" and not (len(request.tags) > 1 and request.tags[1].kind == "possessive"):
        # "How many balls appear?" asks for balls, not for how often they do.
        raise NotUnderstood(counted.text)
    if not counted.is_("noun", "object", "person", "something"):
        return read_count(request)
    focus = variable_of(counted)
    rest = request.with_tags([Tag("noun", FOCUS, counted.text), *request.tags[1:]])
    if any(tag.is_("conjunction", "but") for tag in rest.tags):
        return _but_not(rest, rest.tags, focus=focus, pick="number")
    clause, marks, scope, _ = rest.read(focus, at=True)
    if request.at is not None:
        if scope != request.scope or clause.stream.is_moment or clause.is_never:
            raise NotUnderstood("at that moment")
        return finish(Asked("holds", clause.stream, scope, at=request.at, variable=focus, pick="number"), marks)
    if isinstance(clause.stream, Holds) and clause.stream.relation == VISIBLE:
        raise NotUnderstood("how many in view")
    pick: Literal["number"] = "number"
    often = marks.take_more_often()
    if often is not None:
        return _more_often(clause, scope, marks, focus=focus, pick=pick, often=often)
    if marks.take("only"):
        return finish(Asked("exists", _only(clause, rest), scope, variable=focus, pick=pick), marks)
    if (
        clause.is_never
        and clause.stream.negated
        and not (isinstance(clause.stream, Holds) and clause.stream.names[0] == ANY_PERSON)
    ):
        raise NotUnderstood("never")
    return _number_of(clause, marks, scope, variable=focus)


def read_video(request: QuestionRequest) -> Asked:
    """Read "In which video did the child hold the ball longest?": a choice among videos."""
    if several := compares_several_of_a_name(request.tags):
        raise NotTold(NUMBER_OF_A_NAME.format(several))
    clause, marks, scope, _ = request.read()
    kind, pick = marks.take_pick(is_moment=clause.stream.is_moment)
    if compares_objects(request.tags):
        return finish(replace(kinds(clause, scope), variable="video", pick=pick), marks, is_never=clause.is_never)
    if pick in ("first", "last"):
        raise NotUnderstood("which video first")
    stream = clause.stream
    denied = clause.is_never or (pick == "any" and stream.negated)
    if clause.is_never and (pick != "any" or stream.negated):
        raise NotUnderstood("never")
    if denied:
        # "In which videos did she not hold it?": where she never did, and not where there was a moment without.
        return finish(Asked("exists", replace(stream, negated=False), scope, variable="video", pick="none"), marks)
    return finish(Asked(kind, stream, scope, variable="video", pick=pick), marks)


def read_videos(request: QuestionRequest) -> Asked:
    """Read "In how many videos did the child pick up the ball?"."""
    clause, marks, scope, _ = request.read()
    marks.take("ever")
    if scope.video_id is not None or (clause.is_never and clause.stream.negated):
        raise NotUnderstood("in how many videos")
    return _number_of(clause, marks, scope, variable="video")


def _number_of(clause: Clause, marks: Marks, scope: Scope, *, variable: Focus | Literal["video"]) -> Asked:
    """How many it holds of; "how many toys did nobody hold?" counts those never held, not those unheld at some time."""
    denied = clause.is_never or clause.stream.negated
    stream = replace(clause.stream, negated=False)
    return finish(Asked("exists", stream, scope, variable=variable, pick="number", is_denied=denied), marks)


def _superlative_last(tags: Sequence[Tag]) -> list[Tag]:
    """Read "What was the first toy that the child picked up?" as "What toy did the child pick up first?"."""
    place = next((i for i, tag in enumerate(tags) if tag.kind != "auxiliary"), len(tags))
    opens = tags[place : place + 2]
    if len(opens) == 2 and opens[0].is_("superlative", "first", "last") and opens[1].is_("noun", "object", "person"):
        rest = tags[place + 2 :]
        # Not into a clause behind it: "… before the caregiver left" is about her leaving.
        end = next((i for i, tag in enumerate(rest) if tag.kind == "subordinator"), len(rest))
        return [opens[1], *rest[:end], opens[0], *rest[end:]]
    return list(tags)


def _read_doing(request: QuestionRequest) -> Asked:
    names = [tag.value for tag in request.tags if tag.kind in ("name",)]
    others = [
        tag
        for tag in request.tags
        if tag.kind not in ("name", "auxiliary") and "do" not in tag.lemmas and not tag.is_("subordinator", "after")
    ]
    at = request.at if request.at is not None else request.scope.begin_s
    if len(names) != 1 or others or at is None or request.scope.end_s is not None:
        raise NotUnderstood("what somebody did, without a moment")
    stream = Holds(VISIBLE, (names[0],))
    return Asked("doing", stream, replace(request.scope, begin_s=None), at=at)


def _read_which(
    request: QuestionRequest, focus: Focus, noun: Tag, tags: Sequence[Tag], *, top: int | None = None
) -> Asked:
    tags = _focus_in_place(tags, noun)
    tags, _ = resolve(tags)
    if any(tag.is_("conjunction", "but") for tag in tags):
        return _but_not(request, tags, focus=focus, pick="any")
    asked = request.with_tags(tags)
    clause, marks, scope, parts = asked.read(focus, at=True)
    if focus not in _names_of(clause.stream) or isinstance(clause.stream, AtLeast):
        raise NotUnderstood(noun.text)
    return _read_pick(asked, clause, marks, scope, parts, focus=focus, top=top)


def _focus_in_place(tags: Sequence[Tag], noun: Tag) -> list[Tag]:
    """The phrase that is asked for stands first, or after the preposition that stood before the question word."""
    if tags and tags[0].kind == "preposition" and (len(tags) == 1 or tags[1].kind not in ("name", "noun")):
        return [tags[0], noun, *tags[1:]]
    return [noun, *tags]


def _names_of(stream: Stream) -> set[str]:
    if isinstance(stream, AtLeast):
        return set(stream.what.names)
    if isinstance(stream, Joined):
        return {name for part in stream.parts for name in part.names}
    return set(stream.names)


def _read_pick(
    request: QuestionRequest, clause: Clause, marks: Marks, scope: Scope, parts: Parts, *, focus: Focus, top: int | None
) -> Asked:
    """A question for who, what or which: which of the values are asked for."""
    if any(part.role == "followed" for part in parts.clauses):
        raise NotUnderstood("followed")
    marks.take("ever")
    if request.at is not None:
        if scope != request.scope or clause.stream.is_moment:
            raise NotUnderstood("at that moment")
        asked = Asked("holds", clause.stream, scope, at=request.at, variable=focus, pick="any")
        return finish(asked, marks, is_never=clause.is_never)
    follows = _follows_at_once(clause, scope)
    if several := compares_several_of_a_name(request.tags):
        raise NotTold(NUMBER_OF_A_NAME.format(several))
    if compares_objects(request.tags):
        if focus == OBJECT_VARIABLE:
            raise NotUnderstood("different")
        _, pick = marks.take_pick(is_moment=clause.stream.is_moment)
        asked = replace(compared_number(clause, scope), variable=focus, pick=pick, top=top or 1)
        return finish(asked, marks, is_never=clause.is_never)
    if marks.take("only"):
        asked = Asked("exists", _only(clause, request), scope, variable=focus, pick="any")
        return finish(asked, marks, is_never=clause.is_never)
    often = marks.take_more_often()
    if often is not None:
        return _more_often(clause, scope, marks, focus=focus, pick="any", often=often)
    nth = marks.take_ordinal()
    if nth is not None:
        return finish(_nth_of_all(clause, scope, focus=focus, nth=nth), marks, is_never=clause.is_never)
    kind, pick = marks.take_pick(is_moment=clause.stream.is_moment)
    if clause.is_never or (isinstance(clause.stream, Holds) and clause.stream.negated):
        if pick != "any":
            raise NotUnderstood("never")
        stream = replace(clause.stream, negated=False)
        return finish(Asked("exists", stream, scope, variable=focus, pick="none"), marks)
    if follows and pick == "any":
        return finish(Asked("next", clause.stream, scope, variable=focus, pick="first"), marks)
    ask = kind if pick != "any" else "exists"
    if pick in ("first", "last"):
        ask = "time"
    edge: Literal["start", "end"] = "end" if pick == "last" and not clause.stream.is_moment else "start"
    asked = Asked(ask, clause.stream, scope, variable=focus, pick=pick, top=top or 1, edge_of_time=edge)
    if top is not None and pick not in ("most", "least"):
        raise NotUnderstood(str(top))
    return finish(asked, marks)


def _nth_of_all(clause: Clause, scope: Scope, *, focus: Focus, nth: int) -> Asked:
    """Read "Which toy did the child pick up second?": what comes first from the second pick-up on."""
    stream = clause.stream
    plain = scope == Scope(video_id=scope.video_id)
    if not isinstance(stream, Holds) or not stream.is_moment or stream.edge or stream.negated or not plain:
        raise NotUnderstood("second")
    anything = ANY_PERSON if focus == PERSON_VARIABLE else ANY_OBJECT
    names = tuple(anything if name == focus else name for name in stream.names)
    after = replace(stream, names=names, occurrence=nth)
    return Asked("next", stream, replace(scope, after=after), variable=focus, pick="first")


def _but_not(request: QuestionRequest, tags: Sequence[Tag], *, focus: Focus, pick: Literal["any", "number"]) -> Asked:
    """Read "Which toys did the child touch but never hold?", "… hold but not the caregiver?": one and not the other."""
    place = next(i for i, tag in enumerate(tags) if tag.is_("conjunction", "but"))
    first, second = list(tags[:place]), [t for t in tags[place + 1 :] if not t.is_("noun", "it", FOCUS)]
    said = [tag for tag in second if tag.kind not in ("negation", "auxiliary") and "do" not in tag.lemmas]
    if sum(tag.kind == "negation" for tag in second) != 1 or not said or request.at is not None:
        raise NotUnderstood("but")
    if len(said) == 1 and said[0].kind == "name":
        is_person = said[0].value in PERSON_CATEGORIES
        names = [i for i, t in enumerate(first) if t.kind == "name" and (t.value in PERSON_CATEGORIES) == is_person]
        if len(names) != 1 or first[names[0]].value == said[0].value:
            raise NotUnderstood("but")
        denied = [said[0] if i == names[0] else tag for i, tag in enumerate(first)]
    else:
        focused = [tag for tag in first if tag.is_("noun", FOCUS)]
        people = [tag for tag in first if tag.kind == "name" and tag.value in PERSON_CATEGORIES]
        own = [tag for tag in said if tag.kind == "name"]
        if focus == PERSON_VARIABLE or any(tag.kind == "noun" for tag in said):
            raise NotUnderstood("but")
        denied = [*focused, *(own or people), *(tag for tag in said if tag.kind != "name")]
    parts = []
    for clause_tags in (first, denied):
        clause, marks, scope, _ = request.with_tags(clause_tags).read(focus)
        marks.take("ever")
        marks.check_used()
        stream = clause.stream
        if clause.is_never or not isinstance(stream, Holds) or stream.negated or scope != request.scope:
            raise NotUnderstood("but")
        if focus not in stream.names:
            raise NotUnderstood("but")
        parts.append(stream)
    both = Joined("&", (parts[0], replace(parts[1], negated=True)))
    return Asked("exists", both, request.scope, variable=focus, pick=pick)


def _more_often(
    clause: Clause, scope: Scope, marks: Marks, *, focus: Focus, pick: Literal["any", "number"], often: int
) -> Asked:
    """Read "Which toys did the child pick up more than once?": those that it was so of more often."""
    if clause.is_never or clause.stream.negated or not isinstance(clause.stream, Holds):
        raise NotUnderstood("more than")
    return finish(Asked("exists", clause.stream, scope, variable=focus, pick=pick, more_often_than=often), marks)


def _only(clause: Clause, request: QuestionRequest) -> Joined:
    """Read "Which toys did only the caregiver hold?": the caregiver did, and the other one did not."""
    stream = clause.stream
    place = next((i for i, tag in enumerate(request.tags) if tag.is_("modifier", "only")), None)
    following = request.tags[place + 1] if place is not None and place + 1 < len(request.tags) else None
    if following is None or following.kind != "name" or len(request.people) != 2 or not isinstance(stream, Holds):
        raise NotUnderstood("only")
    others = [name for name in request.people if name != following.value]
    if stream.negated or following.value not in stream.names or following.value not in request.people:
        raise NotUnderstood("only")
    names = tuple(others[0] if name == following.value else name for name in stream.names)
    return Joined("&", (stream, replace(stream, names=names, negated=True)))


def _follows_at_once(clause: Clause, scope: Scope) -> bool:
    """Whether what comes next is asked for: "What did the child pick up right after putting down the ball?"."""
    return clause.stream.is_moment and scope.after is not None and scope.around is None
