"""Read a whole question: its head, its clauses and its limits become one :class:`Asked`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Literal

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.reasoning.grammar.clauses import FOCUS, SAME, Clause, NotUnderstood
from visionllm_interaction.reasoning.grammar.comparisons import read_comparison, read_difference
from visionllm_interaction.reasoning.grammar.latencies import (
    read_distance,
    read_elapsed,
    read_lag,
    read_latency,
    read_pauses,
)
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
from visionllm_interaction.reasoning.grammar.modifiers import Marks, compares_objects, read_mean_over, takes_mean_over
from visionllm_interaction.reasoning.grammar.references import Parts, cut_alternatives, cut_tail, name_nobody, resolve
from visionllm_interaction.reasoning.grammar.request import Focus, QuestionRequest, finish, handled
from visionllm_interaction.reasoning.grammar.shares import read_followed, read_ratio, read_share
from visionllm_interaction.reasoning.grammar.tagging import Tag, Tagged

_FOR_EACH_VIDEO = ("time", "holds", "next")
"""What is always said of each video by itself, also of names."""
_OF_LENGTHS = ("mean", "median")
_POINTS: Mapping[str, str] = {"begin": "0%", "middle": "50%", "end": "100%"}


def read_question(
    tagged: Tagged,
    scope: Scope,
    people: tuple[str, ...],
    *,
    at: float | None = None,
    versus_video: str | None = None,
) -> Asked:
    """What a tagged question asks.

    Args:
        tagged: the question; its words are all known.
        scope: the video and the window that were cut out of it before.
        people: names of people in the store.
        at: the moment that was cut out of it before, in seconds.
        versus_video: the second of two videos that it compares.

    Returns:
        What is asked.

    Raises:
        NotUnderstood: if the words are known but do not make a question of a known kind.
    """
    tags, names_it, asks_length = cut_tail(tagged.tags)
    head, tags = _take_head(tags)
    mean_over, tags = takes_mean_over(tags)
    each_video = any(tag.is_("modifier", "each_video") for tag in tags)
    tags = name_nobody([tag for tag in tags if not tag.is_("modifier", "each_video")], people)
    if tags and tags[0].is_("modifier", "different"):
        tags = tags[1:]
    tags, point = _take_point(tags)
    moment = at if at is not None else point
    tags, half = _take_half(tags)
    tags, among = cut_alternatives(tags, head)
    tags, shared = resolve(tags)
    shared = shared or any(tag.is_("noun", SAME) for tag in tags)
    request = QuestionRequest(head, tuple(tags), replace(scope, half=half), people, moment, shared, versus_video)
    asked = _reader_of(request)(request)
    if mean_over is not None:
        asked = read_mean_over(asked, mean_over)
    if versus_video is not None and asked.than is None:
        raise NotUnderstood("than")
    if each_video and asked.variable is not None and asked.pick == "number" and asked.ask not in _FOR_EACH_VIDEO:
        asked = replace(asked, is_counted=True)
    elif each_video and asked.variable is not None and asked.ask not in _FOR_EACH_VIDEO:
        raise NotUnderstood("in each video")
    if each_video and (asked.ask in _OF_LENGTHS or (asked.pick is not None and asked.ask in ("gap", "latency"))):
        # "On average per video" is a mean over videos, "the average in each video" one for each.
        raise NotUnderstood("in each video")
    also = tuple(replace(more, language=tagged.language) for more in asked.also)
    asked = replace(asked, language=tagged.language, also=also)
    if among and asked.variable is None:
        raise NotUnderstood("or")
    asked = replace(asked, among=among)
    if names_it:
        asked = _which_was_it(asked)
    if asks_length:
        asked = replace(asked, also=(_total_of(asked),))
    return asked


def _take_head(tags: Sequence[Tag]) -> tuple[Tag | None, list[Tag]]:
    place = next((i for i, tag in enumerate(tags) if tag.kind == "head"), None)
    if place is None:
        return None, list(tags)
    before = tags[:place]
    if any(
        tag.kind not in ("preposition", "auxiliary", "conjunction", "half", "point", "aggregate")
        and not tag.is_("modifier", "each_video")
        for tag in before
    ):
        raise NotUnderstood(tags[place].text)
    kept = [tag for tag in before if tag.kind in ("preposition", "half", "point", "aggregate", "modifier")]
    return tags[place], [*kept, *tags[place + 1 :]]


def _take_point(tags: Sequence[Tag]) -> tuple[list[Tag], str | None]:
    points = [tag for tag in tags if tag.kind == "point"]
    if len(points) > 1:
        raise NotUnderstood(points[1].text)
    return [tag for tag in tags if tag.kind != "point"], _POINTS[points[0].value] if points else None


def _take_half(tags: Sequence[Tag]) -> tuple[list[Tag], Literal["first", "second"] | None]:
    halves = [tag for tag in tags if tag.kind == "half"]
    if len(halves) != 1:
        return list(tags), None
    rest = [tag for tag in tags if tag.kind != "half"]
    return rest, "first" if halves[0].value == "first" else "second"


def _reader_of(request: QuestionRequest) -> Callable[[QuestionRequest], Asked]:
    kind = request.head.value if request.head else "exists"
    if request.head is None and _names_a_quantity(request.tags):
        raise NotUnderstood("time")
    compares = any(tag.is_("modifier", "than") for tag in request.tags)
    compares = compares or sum(tag.kind == "half" for tag in request.tags) > 1
    of_distance = any(tag.is_("noun", "distance") for tag in request.tags) and not compares
    return read_distance if of_distance and kind in ("exists", "what", "duration", "many") else _READERS[kind]


def _names_a_quantity(tags: Sequence[Tag]) -> bool:
    """Whether a text without question words begins as "total holding time …": whatever it asks, it is no yes or no."""
    before = next((i for i, tag in enumerate(tags) if tag.is_("noun", "time", "bouts", "sum")), None)
    if before is None:
        return bool(tags) and tags[0].kind == "unit"
    return all(
        _is_relation_word(tag)
        or tag.kind in ("possessive", "half", "point")
        or (tag.kind == "name" and following.kind == "possessive")
        for tag, following in pairwise(tags[: before + 1])
    )


def _which_was_it(asked: Asked) -> Asked:
    """Read "… and which toy was it?": the value of each toy, of which the largest or smallest is asked for."""
    stream = asked.stream
    if asked.ask not in ("longest", "shortest") or not isinstance(stream, Holds) or stream.names[-1] != ANY_OBJECT:
        raise NotUnderstood("which was it")
    named = replace(stream, names=(*stream.names[:-1], OBJECT_VARIABLE))
    return replace(asked, stream=named, variable=OBJECT_VARIABLE, pick="most" if asked.ask == "longest" else "least")


def _total_of(asked: Asked) -> Asked:
    if asked.stream is None or asked.stream.is_moment:
        raise NotUnderstood("for how long")
    if asked.variable is not None:
        # "Who held it first, and for how long?": for each of them.
        return Asked("total", asked.stream, asked.scope, asked.language, variable=asked.variable, pick="each")
    return Asked("total", asked.stream, asked.scope, asked.language)


def _read_duration(request: QuestionRequest) -> Asked:
    if any(tag.is_("superlative", "nearest", "farther") for tag in request.tags):
        # "How long was it nearer to A than to B?" asks for time, not for distances.
        raise NotUnderstood("nearer")
    if any(tag.is_("modifier", "than", "compare_with") for tag in request.tags):
        return replace(read_comparison(request), comparison=None)
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
    focus: Focus = PERSON_VARIABLE if noun.value == "person" else OBJECT_VARIABLE
    tags = [*request.tags[:place], Tag("noun", FOCUS, noun.text), *request.tags[place + 2 :]]
    clause, marks, scope, _ = request.with_tags(tags).read(focus)
    ask: Literal["total", "count"] = "count" if request.head and request.head.value == "count" else "total"
    if clause.stream.is_moment and ask == "total":
        raise NotUnderstood("how long")
    return finish(Asked(ask, clause.stream, scope, variable=focus, pick="each"), marks, is_never=clause.is_never)


def _read_count(request: QuestionRequest) -> Asked:
    if any(tag.is_("modifier", "than", "compare_with") for tag in request.tags):
        return replace(read_comparison(request), comparison=None)
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


def _read_many(request: QuestionRequest) -> Asked:
    """Read "How many toys did the child hold?" counts toys; "how many pick-ups" counts moments."""
    counted = request.tags[0] if request.tags else None
    if counted is None:
        raise NotUnderstood("how many")
    if counted.kind == "name" and not (len(request.tags) > 1 and request.tags[1].kind == "possessive"):
        # "How many balls appear?" asks for balls, not for how often they do.
        raise NotUnderstood(counted.text)
    if not counted.is_("noun", "object", "person", "something"):
        return _read_count(request)
    focus: Focus = PERSON_VARIABLE if counted.value == "person" else OBJECT_VARIABLE
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
    # "How many toys did nobody hold?" counts those that were never held, not those that were not held at some time.
    denied = clause.is_never or clause.stream.negated
    if (
        clause.is_never
        and clause.stream.negated
        and not (isinstance(clause.stream, Holds) and clause.stream.names[0] == ANY_PERSON)
    ):
        raise NotUnderstood("never")
    stream = replace(clause.stream, negated=False)
    return finish(Asked("exists", stream, scope, variable=focus, pick=pick, is_denied=denied), marks)


def _read_most_at_once(request: QuestionRequest) -> Asked:
    """Read "At most how many toys were in view?": the largest number at one time."""
    clause, marks, scope, _ = request.read()
    marks.take("at_once")
    stream = clause.stream
    if not isinstance(stream, Holds) or stream.is_moment or stream.negated or scope != Scope(video_id=scope.video_id):
        raise NotUnderstood("at most how many")
    return finish(Asked("most_at_once", stream, scope), marks, is_never=clause.is_never)


def _read_when(request: QuestionRequest) -> Asked:
    clause, marks, scope, _ = request.read()
    if clause.stream.negated:
        raise NotUnderstood("when not")
    occurrence = marks.take_occurrence()
    if isinstance(clause.stream, (Joined, AtLeast)) and occurrence not in (None, 1, -1):
        raise NotUnderstood("when")
    ends = occurrence == -1 and not clause.stream.is_moment
    asked = Asked("time", clause.stream, scope, occurrence=occurrence, edge_of_time="end" if ends else "start")
    return finish(asked, marks, is_never=clause.is_never)


def _read_delay(request: QuestionRequest) -> Asked:
    clause, marks, scope, _ = request.read()
    marks.take_occurrence()
    if not isinstance(clause.stream, Holds) or clause.stream.negated or scope.during:
        raise NotUnderstood("how long until")
    stream = clause.stream
    if stream.edge == "start":
        stream = replace(stream, edge=None)
    return finish(Asked("delay", stream, scope), marks, is_never=clause.is_never)


def _read_exists(request: QuestionRequest) -> Asked:
    if any(tag.is_("modifier", "than") or tag.kind == "half" for tag in request.tags):
        return read_comparison(request)
    if any(tag.is_("superlative", "nearest", "farther") for tag in request.tags):
        raise NotUnderstood("nearer")
    clause, marks, scope, parts = request.read(at=True)
    followed = [part for part in parts.clauses if part.role == "followed"]
    if followed:
        return read_followed(request, clause, marks, scope, followed[0])
    marks.take("ever")
    marks.take("again")
    if request.at is not None:
        if scope.during or scope.after or scope.before or scope.around or clause.stream.is_moment:
            raise NotUnderstood("at that moment")
        return finish(Asked("holds", clause.stream, scope, at=request.at), marks, is_never=clause.is_never)
    over_half = marks.take("more_than_half") is not None
    if (over_half or _says_most_of_the_time(request.tags)) and not clause.stream.is_moment and not clause.is_never:
        if not over_half:
            marks.take_pick(is_moment=False)
        return finish(Asked("share", clause.stream, scope, threshold=0.5), marks)
    is_of_one = bool(marks.take("unbroken")) or any(tag.is_("modifier", "ever") for tag in request.tags)
    if marks.at_least_s is not None and is_of_one and not clause.stream.is_moment:
        asked = Asked("exists", clause.stream, scope, at_least_s=marks.at_least_s, is_shared=request.is_shared)
        return finish(asked, marks.without_numbers(), is_never=clause.is_never)
    if marks.longer_s is not None and is_of_one:
        asked = Asked("exists", clause.stream, scope, longer_s=marks.longer_s, is_shared=request.is_shared)
        return finish(asked, marks.without_numbers(), is_never=clause.is_never)
    if marks.more_than is not None:
        ask: Literal["total", "count"] = "total" if marks.longer_s is not None else "count"
        value = marks.longer_s if ask == "total" else marks.more_than
        asked = Asked(ask, clause.stream, scope, threshold=value, is_shared=request.is_shared)
        return finish(asked, marks.without_numbers(), is_never=clause.is_never)
    stream = replace(clause.stream, negated=not clause.stream.negated) if clause.is_never else clause.stream
    if clause.is_never or stream.negated:
        # "Was the ball never touched?" asks whether it was: yes and no change places.
        raise NotUnderstood("never")
    asked = finish(Asked("exists", stream, scope, is_shared=request.is_shared), marks)
    return _then_or_later(asked) if scope == request.scope else asked


def _says_most_of_the_time(tags: Sequence[Tag]) -> bool:
    return any(
        tag.kind == "superlative" and tag.text in ("most of the time", "det meste av tiden", "det meste av tida")
        for tag in tags
    )


def _then_or_later(asked: Asked) -> Asked:
    """Read "Var de nær hverandre etter 10 sekunder?", which may mean that moment or the time from then on: both."""
    stream, scope = asked.stream, asked.scope
    only_begin = scope.begin_s is not None and scope == Scope(video_id=scope.video_id, begin_s=scope.begin_s)
    if not only_begin or stream is None or stream.is_moment:
        return asked
    return Asked("holds", stream, replace(scope, begin_s=None), at=scope.begin_s, also=(asked,))


def _read_who(request: QuestionRequest) -> Asked:
    return _read_which(request, PERSON_VARIABLE, Tag("noun", FOCUS, "who"), request.tags)


def _read_what(request: QuestionRequest) -> Asked:
    tags = list(request.tags)
    rest = [tag for tag in tags if tag.kind not in ("auxiliary", "modifier")]
    while len(rest) > 1 and rest[0].kind == "name" and rest[1].kind == "possessive":
        rest = rest[2:]
    if rest and (_names_a_quantity(rest) or rest[0].kind == "aggregate" or rest[0].is_("noun", "distance")):
        return _read_quantity(request)
    if rest and any("do" in tag.lemmas for tag in rest) and not any(_is_relation_word(tag) for tag in tags):
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
    focus: Focus = PERSON_VARIABLE if noun and noun.value == "person" else OBJECT_VARIABLE
    return _read_which(request, focus, Tag("noun", FOCUS, noun.text if noun else "what"), tags, top=number)


def _superlative_last(tags: Sequence[Tag]) -> list[Tag]:
    """Read "What was the first toy that the child picked up?" as "What toy did the child pick up first?"."""
    place = next((i for i, tag in enumerate(tags) if tag.kind != "auxiliary"), len(tags))
    opens = tags[place : place + 2]
    if len(opens) == 2 and opens[0].is_("superlative", "first", "last") and opens[1].is_("noun", "object", "person"):
        return [opens[1], *tags[place + 2 :], opens[0]]
    return list(tags)


def _is_relation_word(tag: Tag) -> bool:
    return any(lemma not in ("", "do") for lemma in tag.lemmas)


def _read_quantity(request: QuestionRequest) -> Asked:
    """Read "What is the average distance …", "… the longest time that …", "… the median time from … to …"."""
    latency = read_pauses(request) or read_latency(request)
    if latency:
        return latency
    return _read_duration(request)


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
    return read_pick(asked, clause, marks, scope, parts, focus=focus, top=top)


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


def _read_describe(request: QuestionRequest) -> Asked:
    more = [tag for tag in request.tags if "visible" not in tag.lemmas]  # "in the video"
    if more or request.at is not None or request.scope.half:
        raise NotUnderstood(more[0].text if more else "what happens then")
    return Asked("describe", None, request.scope)


def _read_video(request: QuestionRequest) -> Asked:
    clause, marks, scope, _ = request.read()
    kind, pick = marks.take_pick(is_moment=clause.stream.is_moment)
    if clause.is_never:
        pick = "none"
    if pick in ("first", "last"):
        raise NotUnderstood("which video first")
    return finish(Asked(kind, clause.stream, scope, variable="video", pick=pick), marks)


def _read_videos(request: QuestionRequest) -> Asked:
    """Read "In how many videos did the child pick up the ball?"."""
    clause, marks, scope, _ = request.read()
    marks.take("ever")
    if scope.video_id is not None or (clause.is_never and clause.stream.negated):
        raise NotUnderstood("in how many videos")
    denied = clause.is_never or clause.stream.negated
    stream = replace(clause.stream, negated=False)
    return finish(Asked("exists", stream, scope, variable="video", pick="number", is_denied=denied), marks)


def read_pick(
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
    if compares_objects(request.tags) and not clause.stream.is_moment:
        _, pick = marks.take_pick(is_moment=False)
        asked = replace(handled(clause, scope), variable=focus, pick=pick, top=top or 1)
        return finish(asked, marks, is_never=clause.is_never)
    if marks.take("only"):
        asked = Asked("exists", _only(clause, request), scope, variable=focus, pick="any")
        return finish(asked, marks, is_never=clause.is_never)
    often = marks.take_more_often()
    if often is not None:
        return _more_often(clause, scope, marks, focus=focus, pick="any", often=often)
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


_READERS: Mapping[str, Callable[[QuestionRequest], Asked]] = {
    "duration": _read_duration,
    "share": read_share,
    "rate": _read_count,
    "count": _read_count,
    "many": _read_many,
    "when": _read_when,
    "onset_delay": _read_delay,
    "lag": read_lag,
    "difference": read_difference,
    "who": _read_who,
    "what": _read_what,
    "video": _read_video,
    "videos": _read_videos,
    "compare": read_comparison,
    "ratio": read_ratio,
    "exists": _read_exists,
    "describe": _read_describe,
    "most_at_once": _read_most_at_once,
}
