"""Random expressions over random timelines, against an evaluator that goes millisecond by millisecond."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from language_grid import END, is_moments, to_text, value
from language_memory import MemoryStore, Timeline

from visionllm_interaction.measures.language.parser import parse
from visionllm_interaction.measures.language.run import evaluate
from visionllm_interaction.store.reader import Store

times = st.integers(0, END - 100)


@st.composite
def spans(draw: st.DrawFn, *, most: int = 3) -> list[tuple[int, int]]:
    edges = sorted(draw(st.lists(times, max_size=2 * most, unique=True)))
    return list(zip(edges[::2], edges[1::2], strict=False))


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    cuts = sorted(draw(st.sets(st.sampled_from(range(0, END, 200)), min_size=2, max_size=8)))
    processed = [(cut, cut + 200) for cut in cuts]
    pairs = [("near", 1, 2), ("near", 1, 3), ("near", 2, 3), ("holding", 1, 3), ("holding", 1, 4), ("holding", 2, 3)]
    events = st.tuples(st.sampled_from(["picks_up", "puts_down"]), st.sampled_from([(1, 3), (1, 4), (2, 3)]), times)
    said = st.tuples(st.sampled_from(["child", "caregiver"]), times, st.integers(1, 99))
    return Timeline(
        processed,
        seen={track: draw(spans()) for track in (1, 2, 3, 4)},
        related={pair: draw(spans(most=2)) for pair in pairs},
        events=draw(st.lists(events, max_size=6, unique_by=lambda e: e[2])),
        # Both speak, so that their speech is nowhere unknown.
        speech=[("child", 10, 60), ("caregiver", 1500, 1550)]
        + [(who, at, at + length) for who, at, length in draw(st.lists(said, max_size=4))],
    )


names = st.sampled_from(["child", "caregiver", "ball", "cup"])
people = st.sampled_from(["child", "caregiver"])
things = st.sampled_from(["ball", "cup"])
short = st.integers(1, 400)
READ = st.one_of(
    st.tuples(st.just("visible"), names),
    st.tuples(st.just("near"), people),
    st.tuples(st.just("near"), st.just("child"), st.sampled_from(["caregiver", "ball"])),
    st.tuples(st.just("holding"), people, things),
    st.tuples(st.just("holding"), people),
    st.tuples(st.just("speaks"), people),
)
EVENTS = st.one_of(
    st.tuples(st.sampled_from(["picks_up", "puts_down"]), people),
    st.tuples(st.sampled_from(["picks_up", "puts_down"]), people, things),
)
Expression = tuple[Any, ...]


@st.composite
def intervals(draw: st.DrawFn, depth: int) -> Expression:
    if depth == 0:
        return draw(READ)
    kind = draw(st.sampled_from(["read", "both", "either", "not", "unary", "time", "chosen", "edge", "then", "least"]))
    inner = intervals(depth - 1)
    match kind:
        case "both" | "either":
            return ("&" if kind == "both" else "|", draw(inner), draw(inner))
        case "not":
            return ("!", draw(inner))
        case "unary":
            return (draw(st.sampled_from(["merged", "longer_than", "shorter_than"])), draw(inner), draw(short))
        case "time":
            return ("padded", draw(streams(depth - 1)), draw(short), draw(short))
        case "chosen":
            return draw(selected(inner, depth))
        case "edge":
            return (draw(st.sampled_from(["since", "after", "until", "before"])), draw(streams(depth - 1)))
        case "then":
            return ("then", draw(streams(depth - 1)), draw(streams(depth - 1)), draw(short))
        case "least":
            return ("at_least", draw(st.integers(1, 3)), draw(READ))
    return draw(st.one_of(READ, st.just(("processed",)), st.just(("between", 200, 900))))


def selected(inner: st.SearchStrategy[Expression], depth: int) -> st.SearchStrategy[Expression]:
    return st.one_of(
        st.tuples(st.sampled_from(["first", "last"]), inner),
        st.tuples(st.just("nth"), inner, st.integers(1, 3)),
        st.tuples(st.sampled_from(["during", "overlapping"]), inner, intervals(depth - 1)),
        st.tuples(st.just("within"), inner, streams(depth - 1), short),
        st.tuples(st.just("nearest"), streams(depth - 1), inner),
    )


def moments(depth: int) -> st.SearchStrategy[Expression]:
    if depth == 0:
        return EVENTS
    inner = moments(depth - 1)
    return st.one_of(
        EVENTS,
        st.tuples(st.sampled_from(["starts", "ends"]), intervals(depth - 1)),
        st.tuples(st.just("&"), inner, intervals(depth - 1)),
        st.tuples(st.just("|"), inner, inner),
        selected(inner, depth),
    )


def streams(depth: int) -> st.SearchStrategy[Expression]:
    return st.one_of(intervals(depth), moments(depth))


SPREADS = st.sampled_from(["mean", "median", "sd", "min", "max"])
VALUES = st.one_of(
    st.tuples(st.sampled_from(["total", "share", "mean", "median", "sd", "shortest", "longest"]), intervals(2)),
    st.tuples(st.sampled_from(["count", "rate", "exists"]), streams(2)),
    st.tuples(st.just("share"), intervals(2), intervals(1)),
    st.tuples(st.just("pauses"), intervals(2), SPREADS),
    st.tuples(st.just("latency"), streams(1), streams(1), SPREADS),
    st.tuples(st.just("prob"), streams(1), short, streams(1)),
)


def values_of(text: str, videos: dict[str, Timeline]) -> dict[str | None, float | None]:
    store = cast(Store, MemoryStore(videos))
    rows = evaluate(parse(text), store).rows
    return {row.video_id: None if row.value is None else float(row.value) for row in rows}


@settings(
    deadline=None,
    max_examples=200,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.tuples(timelines(), timelines()), VALUES)
def test_random_expressions_have_the_value_of_brute_force(videos: tuple[Timeline, Timeline], e: Expression) -> None:
    if e[0] == "latency" and e[1] == e[2]:
        return
    text = to_text(e)
    named = dict(zip(("a", "b"), videos, strict=True))
    assert parse(text).to_text() == parse(parse(text).to_text()).to_text()
    together = values_of(text, named)
    apart = values_of(f"{text} by video", named)
    expected = {None: value(e, list(videos)), **{name: value(e, [video]) for name, video in named.items()}}
    assert {**together, **apart} == {
        name: None if wanted is None else pytest.approx(wanted, abs=1e-9) for name, wanted in expected.items()
    }, text


def test_moments_are_told_from_intervals() -> None:
    assert is_moments(("first", ("picks_up", "child"))) and not is_moments(("starts_not", ("visible", "child")))
