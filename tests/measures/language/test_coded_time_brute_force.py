"""Random codes in random coded time, against an evaluator that goes millisecond by millisecond."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from language_memory import MemoryStore, Span, Timeline

from visionllm_interaction.measures.language.parser import parse
from visionllm_interaction.measures.language.run import evaluate
from visionllm_interaction.store.reader import Store

END = 1000
Grid = list[bool]
Expression = tuple[Any, ...]
CODED, SEEN = ("speaks", "child"), ("visible", "ball")


@st.composite
def spans(draw: st.DrawFn) -> list[Span]:
    edges = sorted(draw(st.lists(st.integers(0, END), min_size=2, max_size=6, unique=True)))
    return list(zip(edges[::2], edges[1::2], strict=False))


EXPRESSIONS: st.SearchStrategy[Expression] = st.recursive(
    st.sampled_from([CODED, SEEN]),
    lambda inner: st.one_of(
        st.tuples(st.just("!"), inner),
        st.tuples(st.sampled_from(["&", "|"]), inner, inner),
    ),
    max_leaves=4,
)


def grid_of(intervals: list[Span]) -> Grid:
    return [any(begin <= ms < end for begin, end in intervals) for ms in range(END)]


def both(one: Grid, other: Grid) -> Grid:
    return [a and b for a, b in zip(one, other, strict=True)]


def holds(e: Expression, video: Timeline) -> tuple[Grid, Grid]:
    """Where an expression holds, and where that is known."""
    if e == CODED:
        known = grid_of(video.coded)
        return both(grid_of([(b, end) for _, b, end in video.speech]), known), known
    if e == SEEN:
        return grid_of(video.seen[3]), [True] * END
    parts = [holds(part, video) for part in e[1:]]
    known = parts[0][1]
    for _, other in parts[1:]:
        known = both(known, other)
    if e[0] == "!":
        return [k and not h for h, k in zip(parts[0][0], known, strict=True)], known
    if e[0] == "&":
        return both(parts[0][0], parts[1][0]), known
    return both([a or b for a, b in zip(parts[0][0], parts[1][0], strict=True)], known), known


def runs(grid: Grid) -> int:
    return sum(on and not before for before, on in zip([False, *grid], grid, strict=False))


def text_of(e: Expression) -> str:
    if e in (CODED, SEEN):
        return f"{e[0]}({e[1]})"
    return f"!({text_of(e[1])})" if e[0] == "!" else f"({text_of(e[1])} {e[0]} {text_of(e[2])})"


def value(text: str, video: Timeline) -> float | None:
    [row] = evaluate(parse(text), cast(Store, MemoryStore({"a": video}))).rows
    return None if row.value is None else float(row.value)


@settings(deadline=None, max_examples=40, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(spans(), spans(), spans(), EXPRESSIONS, EXPRESSIONS)
def test_coded_time_has_the_values_of_brute_force(
    coded: list[Span], said: list[Span], seen: list[Span], a: Expression, b: Expression
) -> None:
    speech = [("child", begin, end) for begin, end in said]
    video = Timeline([(0, END)], seen={3: seen}, speech=speech, coded=coded)
    held, known = holds(a, video)
    seconds, known_s = sum(held) / 1000, sum(known) / 1000
    assert value(f"total({text_of(a)})", video) == pytest.approx(seconds, abs=1e-9)
    assert value(f"share({text_of(a)})", video) == pytest.approx(seconds / known_s, abs=1e-9)
    assert value(f"count({text_of(a)})", video) == runs(held)
    assert value(f"rate({text_of(a)})", video) == pytest.approx(60 * runs(held) / known_s, abs=1e-6)
    assert value(f"total(!({text_of(a)}))", video) == pytest.approx(known_s - seconds, abs=1e-9)
    within, also_known = holds(b, video)
    within = both(within, both(known, also_known))
    share = sum(both(held, within)) / sum(within) if any(within) else None
    found = value(f"share({text_of(a)}, of={text_of(b)})", video)
    assert found == (None if share is None else pytest.approx(share, abs=1e-9))
