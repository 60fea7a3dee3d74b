"""The expressions of a question: its meaning in the language of quantities."""

from __future__ import annotations

from dataclasses import replace

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.reasoning.grammar.clauses import NotUnderstood
from visionllm_interaction.reasoning.grammar.meaning import (
    ANY_OBJECT,
    HOLDING,
    LEAST_AT_ONCE,
    OBJECT_VARIABLE,
    PERSON_VARIABLE,
    VISIBLE,
    Ask,
    Asked,
    AtLeast,
    Holds,
    Joined,
    Scope,
    Stream,
    bouts_text,
    quoted,
    stream_text,
    streams_of,
)

_OF_BOUTS = frozenset({"count", "rate", "mean", "median", "longest", "shortest", "sd", "pauses"})
_STATISTICS = {"any": "mean", "most": "max", "least": "min"}
_OF_ONE_KIND = frozenset({HOLDING, "picks_up", "puts_down", "hands_over", "names", "looks_at", "speaks"})
"""Relations with a place for people and one for what they handle."""


def expression_of(asked: Asked) -> str:
    """The expression of the value that ``asked`` is about; groups and the video are written behind it.

    Args:
        asked: what is asked.

    Returns:
        Its text.

    Raises:
        NotUnderstood: if its parts cannot be said together.
    """
    if any(stream.is_moment for stream in asked.scope.during) and (
        asked.ask != "exists" or asked.stream is None or asked.stream.is_moment
    ):
        # "What was the child holding when the caregiver came in?": whether it held at that moment, and nothing else.
        raise NotUnderstood("while")
    if asked.scope.is_at_once and not _is_of_the_next(asked):
        # How soon is that? "Within 3 seconds after" says it.
        raise NotUnderstood("right after")
    if asked.is_shared and asked.variable is None and asked.stream is not None and asked.stream.negated:
        # What does not hold of each toy is not added up.
        raise NotUnderstood("not")
    text = _core(asked)
    if asked.is_counted:
        return f"how_many({text} by {asked.variable}{_domain(asked)})"
    if asked.scope.video_id is not None:
        text += f' in video "{asked.scope.video_id}"'
    over = [OBJECT_VARIABLE] if (asked.variable is None and asked.is_shared) or _pools_objects(asked) else []
    over += [PERSON_VARIABLE] if _pools_people(asked) else []
    if not all(name in text for name in over):
        raise NotUnderstood("the same object")
    if over:
        text += f" over {', '.join(over)}"
    if asked.variable is not None:
        text += f" by {asked.variable}{_domain(asked)}"
    if asked.mean_over is not None:
        text += f" by {asked.mean_over}"
    return text


def _is_of_the_next(asked: Asked) -> bool:
    """Whether the first of what comes afterwards is asked for, however soon it comes."""
    return asked.scope.before is None and (
        asked.ask == "next" or (asked.ask == "time" and asked.occurrence in (None, 1))
    )


def _domain(asked: Asked) -> str:
    """Which names a variable stands for: those listed, or the kind where its place would take both kinds."""
    if asked.among:
        return f" in ({', '.join(quoted(name) for name in asked.among)})"
    of_both = any(
        part.relation not in _OF_ONE_KIND
        for stream in streams_of(asked)
        for part in (stream.parts if isinstance(stream, Joined) else (stream,))
        if isinstance(part, Holds)
    )
    kinds = {OBJECT_VARIABLE: " in thing", PERSON_VARIABLE: " in person"}
    return kinds.get(asked.variable or "", "") if of_both or _names_an_object_elsewhere(asked) else ""


def _names_an_object_elsewhere(asked: Asked) -> bool:
    """Whether a clause names an object that may be what is asked for, too: "… right after putting down the ball".

    What is held while the ball is held by the same person, or picked up after it was, is another object.
    """
    main, scope = asked.stream, asked.scope
    if asked.variable != OBJECT_VARIABLE or not isinstance(main, Holds):
        return False
    of_putting_down = main.relation in ("picks_up", HOLDING)
    after = [stream for stream in (scope.after, scope.before) if of_putting_down and _is_of(stream, "puts_down")]
    meanwhile = [stream for stream in scope.during if isinstance(stream, Holds) and stream.names[0] != main.names[0]]
    names = {name for stream in (*after, *meanwhile) if isinstance(stream, Holds) for name in stream.names}
    return bool(names - PERSON_CATEGORIES - {ANY_OBJECT, OBJECT_VARIABLE, PERSON_VARIABLE})


def _is_of(stream: Stream | None, relation: str) -> bool:
    return isinstance(stream, Holds) and stream.relation == relation


def _kind_of_objects(asked: Asked) -> str:
    """That objects alone are counted, where people would fit their place too: "touched the most toys"."""
    stream = asked.stream
    return "" if isinstance(stream, Holds) and stream.relation in _OF_ONE_KIND else " in thing"


def _core(asked: Asked) -> str:
    if asked.ask == "gap":
        return _gap(asked)
    if asked.ask == "handled":
        assert isinstance(asked.stream, Holds)
        return f"objects_handled({quoted(asked.stream.names[0])})"
    if asked.stream is None:
        raise ValueError(f"{asked.ask} has no expression")
    if asked.ask in ("latency", "prob"):
        return _of_two(asked)
    if asked.ask == "span":
        return _span(asked)
    if asked.ask == "most_at_once":
        return f"most_at_once({stream_text(asked.stream)}, {LEAST_AT_ONCE})"
    if asked.ask == "kinds":
        return f"how_many(exists({_touching(asked.stream, asked.scope)}) by {OBJECT_VARIABLE}{_kind_of_objects(asked)})"
    if asked.ask in ("portion", "ratio"):
        return _quotient(asked)
    if asked.more_often_than is not None:
        return f"count({_stream(replace(asked, ask='count'))}) > {asked.more_often_than}"
    if asked.ask == "holds":
        return f"holds({stream_text(asked.stream)}, at={moment_text(asked.at)})"
    if asked.ask == "next":
        return f"first_time({limited(asked.stream, asked.scope)})"
    if asked.ask == "exists":
        return f"!{_exists(asked)}" if asked.is_denied else _exists(asked)
    text = _stream(asked)
    if asked.ask in ("time", "delay"):
        return _time(asked, text)
    if asked.ask == "share":
        base = f", of={stream_text(asked.other)}" if asked.other else _window_base(asked.scope)
        base = "" if asked.of_whole else base
        return f"share({text}{base})"
    if asked.ask == "rate":
        return f"rate({text}{_window_base(asked.scope)})"
    if asked.ask == "pauses":
        return f"{_STATISTICS.get(asked.pick or '', 'median')}(pauses({text}))"
    return f"{asked.ask}({text})"


def _span(asked: Asked) -> str:
    """From one single moment to another: the first time that A did this, the last time that B did that."""
    assert asked.stream is not None and asked.other is not None
    first, second = (f"first_time({limited(stream, asked.scope)})" for stream in (asked.stream, asked.other))
    return f"{second} - {first}"


def _quotient(asked: Asked) -> str:
    """One number of times, or seconds, divided by another; the limits of a portion are those of its part."""
    assert asked.stream is not None
    assert asked.other is not None
    whole = replace(asked.scope, video_id=None) if asked.ask == "ratio" else Scope()
    terms = []
    for stream, scope in ((asked.stream, asked.scope), (asked.other, whole)):
        of: Ask = "count" if stream.is_moment else "total"
        terms.append(_core(Asked(of, stream, scope)))
    return " / ".join(terms)


def _exists(asked: Asked) -> str:
    """Whether it ever is so. *Both held the ball* needs no common moment; *touched* is said of what was held, too."""
    stream = asked.stream
    if isinstance(stream, Joined) and stream.operator == "&" and not stream.negated and not stream.needs_at_once:
        return " & ".join(_negated(part, f"exists({_touching(_plain(part), asked.scope)})") for part in stream.parts)
    assert stream is not None
    if asked.longer_s is not None or asked.at_least_s is not None:
        return f"exists({_stream(replace(asked, ask='count'))})"
    stream = _with_variable(stream) if _pools_objects(asked) else stream
    return f"exists({_touching(stream, asked.scope)})"


def _plain(part: Holds) -> Holds:
    return replace(part, negated=False)


def _negated(part: Holds, text: str) -> str:
    """Whether it is never so: "only the child held it" denies it of everybody else."""
    return f"!{text}" if part.negated else text


def _touching(stream: Stream, scope: Scope) -> str:
    is_touch = isinstance(stream, Holds) and stream.relation == "in_contact" and stream.edge is None
    if not is_touch or not isinstance(stream, Holds) or stream.negated or stream.names[-1] in PERSON_CATEGORIES:
        return limited(stream, scope)
    held = replace(stream, relation=HOLDING)
    either = f"({stream_text(stream)} | {stream_text(held)})"
    return limited_text(either, scope)


def _stream(asked: Asked) -> str:
    """The stream of a question within its limits; bouts where they are counted or their lengths are."""
    assert asked.stream is not None
    stream = asked.stream
    if _pools_objects(asked):
        stream = _with_variable(stream)
    text = stream_text(stream)
    of_bouts = asked.ask in (*_OF_BOUTS, "time") and not stream.is_moment
    if asked.scope.overlapped is not None:
        if not of_bouts or asked.scope.around is not None or (isinstance(stream, Holds) and stream.occurrence):
            raise NotUnderstood("during how many of")
        return f"overlapping({limited_text(bouts_text(text), asked.scope)}, {stream_text(asked.scope.overlapped)})"
    if of_bouts and not (isinstance(stream, Holds) and stream.occurrence):
        if asked.scope.around is not None:
            return limited_text(f"starts({bouts_text(text)})", asked.scope)
        text = bouts_text(limited_text(text, asked.scope))
        if asked.longer_s is not None:
            text = f"longer_than({text}, {asked.longer_s:g}s)"
        if asked.shorter_s is not None:
            text = f"shorter_than({text}, {asked.shorter_s:g}s)"
        if asked.at_least_s is not None:
            text = f"({text} & !shorter_than({text}, {asked.at_least_s:g}s))"
        if asked.at_most_s is not None:
            text = f"({text} & !longer_than({text}, {asked.at_most_s:g}s))"
        return text
    return limited_text(text, asked.scope)


def _pools_objects(asked: Asked) -> bool:
    """Whether bouts of holding *anything*, or their ends, are asked for: each is of one object; two toys are two."""
    stream = asked.stream
    if not isinstance(stream, Holds) or stream.relation != HOLDING or stream.names[-1] != ANY_OBJECT or stream.negated:
        return False
    of_bouts = asked.ask in _OF_BOUTS
    of_moments = stream.edge is not None and asked.ask in ("count", "rate", "time", "delay", "exists")
    return (of_moments or (of_bouts and stream.edge is None)) and asked.variable in (None, "video", PERSON_VARIABLE)


def _pools_people(asked: Asked) -> bool:
    """Whether a number is of each person by themselves: two toys that *anybody* held at once."""
    stream = asked.stream
    of_each = isinstance(stream, AtLeast) and stream.of_each_person
    most_of_each = asked.ask == "most_at_once" and isinstance(stream, Holds) and PERSON_VARIABLE in stream.names
    return asked.variable in (None, "video") and (of_each or most_of_each)


def _with_variable(stream: Stream) -> Stream:
    if not isinstance(stream, Holds):
        return stream
    if stream.edge is not None and stream.occurrence not in (None, 1, -1):
        raise NotUnderstood("time")
    return replace(stream, names=(*stream.names[:-1], OBJECT_VARIABLE))


def _time(asked: Asked, text: str) -> str:
    number = asked.occurrence
    if asked.variable:
        number = -1 if asked.pick == "last" else 1
    if _pools_objects(asked) and number not in (None, 1, -1):
        raise NotUnderstood(str(number))
    stream = asked.stream
    if (
        number == -1
        and isinstance(stream, Holds)
        and stream == Holds(VISIBLE, stream.names[:1])
        and not scope_texts(asked.scope)
    ):
        # The last frame, as the measure says it: the end of its interval is one frame later.
        return f"last_seen({quoted(stream.names[0])})"
    if number == -1:
        return f"last_time({text})"
    if number in (None, 1):
        return f"first_time({text})"
    return f"first_time(nth({text}, {number}))"


def _of_two(asked: Asked) -> str:
    assert asked.stream is not None and asked.other is not None
    first, second = (_moments(stream) for stream in (asked.stream, asked.other))
    if asked.ask == "prob":
        first = limited_text(first, asked.scope)
        return f"prob({second}, within={asked.within_s:g}s, after={first})"
    first = limited_text(first, asked.scope)
    lag = f"latency({first} -> {second})"
    statistic = _STATISTICS.get(asked.pick or "", "median")
    return f"{statistic}({lag})"


def _moments(stream: Stream) -> str:
    """What is followed, or follows: bouts of a state with short pauses bridged."""
    text = stream_text(stream)
    return text if stream.is_moment else bouts_text(text)


def _gap(asked: Asked) -> str:
    assert asked.gap_names is not None
    first, second = (quoted(name) for name in asked.gap_names)
    limits = scope_texts(asked.scope)
    during = f", during={' & '.join(limits)}" if limits else ""
    statistic = {"least": "min", "most": "max", "median": "median", "sd": "sd"}.get(asked.pick or "", "mean")
    return f"{statistic}(gap({first}, {second}){during})"


def _window_base(scope: Scope) -> str:
    limits = scope_texts(scope)
    return f", of={' & '.join(limits)}" if limits else ""


def limited(stream: Stream, scope: Scope) -> str:
    """A stream within the limits of a scope."""
    return limited_text(stream_text(stream), scope)


def limited_text(text: str, scope: Scope) -> str:
    """The text of a stream within the limits of a scope."""
    parts = [text, *scope_texts(scope)]
    return " & ".join(parts)


def scope_texts(scope: Scope) -> list[str]:
    """The limits of a scope as streams."""
    found = []
    if scope.half:
        found.append("between(0%, 50%)" if scope.half == "first" else "between(50%, 100%)")
    window = _window(scope)
    if window:
        found.append(window)
    if scope.last_s is not None:
        found.append(f"padded(ends(between(0%, 100%)), {scope.last_s:g}s, 0s)")
    found += [stream_text(stream) for stream in scope.during]
    if scope.after is not None:
        found.append(f"since({stream_text(scope.after)})")
    if scope.before is not None:
        found.append(f"before({stream_text(scope.before)})")
    if scope.around is not None:
        found.append(_near_in_time(scope))
    if scope.not_since is not None:
        found.append(f"!since({stream_text(scope.not_since)})")
    return found


def _near_in_time(scope: Scope) -> str:
    assert scope.around is not None
    before = 0.0 if scope.side == "after" else scope.around_s
    after = 0.0 if scope.side == "before" else scope.around_s
    return f"padded({stream_text(scope.around)}, {before:g}s, {after:g}s)"


def _window(scope: Scope) -> str | None:
    if scope.begin_s is None and scope.end_s is None:
        return None
    end = "100%" if scope.end_s is None else f"{scope.end_s:g}s"
    return f"between({scope.begin_s or 0:g}s, {end})"


def moment_text(at: float | str | None) -> str:
    """A moment as an argument: "12.5s", "100%"."""
    return at if isinstance(at, str) else f"{at or 0:g}s"
