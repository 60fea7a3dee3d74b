"""Read a whole question: its head, its clauses and its limits become one :class:`Asked`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from visionllm_interaction.reasoning.grammar.clauses import SAME, NotUnderstood
from visionllm_interaction.reasoning.grammar.meaning import (
    ANY_OBJECT,
    OBJECT_VARIABLE,
    Asked,
    AtLeast,
    Holds,
    Joined,
    Scope,
)
from visionllm_interaction.reasoning.grammar.modifiers import read_mean_over, takes_mean_over
from visionllm_interaction.reasoning.grammar.readers.amounts import (
    names_a_quantity,
    read_count,
    read_duration,
    read_most_at_once,
)
from visionllm_interaction.reasoning.grammar.readers.choices import (
    read_many,
    read_video,
    read_videos,
    read_what,
    read_who,
)
from visionllm_interaction.reasoning.grammar.readers.comparisons import read_comparison, read_difference
from visionllm_interaction.reasoning.grammar.readers.latencies import (
    read_distance,
    read_lag,
)
from visionllm_interaction.reasoning.grammar.readers.shares import read_followed, read_ratio, read_share
from visionllm_interaction.reasoning.grammar.references import cut_alternatives, cut_tail, name_nobody, resolve
from visionllm_interaction.reasoning.grammar.request import QuestionRequest, finish
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
        of_different = any(tag.is_("modifier", "different") for tag in tagged.tags)
        asked = read_mean_over(asked, mean_over, of_different=of_different)
    if (versus_video is not None or scope.versus is not None) and asked.than is None:
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
    if request.head is None and names_a_quantity(request.tags):
        raise NotUnderstood("time")
    compares = any(tag.is_("modifier", "than") for tag in request.tags)
    compares = compares or sum(tag.kind == "half" for tag in request.tags) > 1
    of_distance = any(tag.is_("noun", "distance") for tag in request.tags) and not compares
    return read_distance if of_distance and kind in ("exists", "what", "duration", "many") else _READERS[kind]


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
    is_unbroken = bool(marks.take("unbroken"))
    is_of_one = is_unbroken or any(tag.is_("modifier", "ever") for tag in request.tags)
    denied = clause.stream.negated and not is_unbroken
    if marks.at_least_s is not None and is_of_one and not denied and not clause.stream.is_moment:
        asked = Asked("exists", clause.stream, scope, at_least_s=marks.at_least_s, is_shared=request.is_shared)
        return finish(asked, marks.without_numbers(), is_never=clause.is_never)
    if marks.longer_s is not None and is_of_one and not denied:
        asked = Asked("exists", clause.stream, scope, longer_s=marks.longer_s, is_shared=request.is_shared)
        return finish(asked, marks.without_numbers(), is_never=clause.is_never)
    if marks.more_than is not None and not denied:
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


def _read_describe(request: QuestionRequest) -> Asked:
    more = [tag for tag in request.tags if "visible" not in tag.lemmas]  # "in the video"
    if more or request.at is not None or request.scope.half:
        raise NotUnderstood(more[0].text if more else "what happens then")
    return Asked("describe", None, request.scope)


_READERS: Mapping[str, Callable[[QuestionRequest], Asked]] = {
    "duration": read_duration,
    "share": read_share,
    "rate": read_count,
    "count": read_count,
    "many": read_many,
    "when": _read_when,
    "onset_delay": _read_delay,
    "lag": read_lag,
    "difference": read_difference,
    "who": read_who,
    "what": read_what,
    "video": read_video,
    "videos": read_videos,
    "compare": read_comparison,
    "ratio": read_ratio,
    "exists": _read_exists,
    "describe": _read_describe,
    "most_at_once": read_most_at_once,
}
