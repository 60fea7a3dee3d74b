"""What single functions and clauses mean, on timelines small enough to read."""

from __future__ import annotations

from typing import Any, cast

import pytest
from language_memory import MemoryStore, Timeline

from visionllm_interaction.measures.language.parser import parse
from visionllm_interaction.measures.language.run import evaluate
from visionllm_interaction.store.reader import Store


def value(expression: str, timeline: Timeline) -> float | None:
    [row] = evaluate(parse(expression), cast(Store, MemoryStore({"a": timeline}))).rows
    return row.value


PICKS = Timeline(
    [(0, 10_000)],
    seen={1: [(0, 10_000)], 3: [(0, 10_000)]},
    events=[("picks_up", (1, 3), at) for at in (1_000, 2_000, 6_000)] + [("puts_down", (1, 3), 2_000)],
)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("count(then(picks_up(child), picks_up(child), 3s))", 1.0),  # 1 s to 2 s; none follows itself
        ("count(then(picks_up(child), puts_down(child), 3s))", 1.0),  # at 2 s both happen at once
        ("mean(latency(picks_up(child) -> puts_down(child)))", None),  # 2 s is not before the next pick-up at 2 s
        ("total(then(picks_up(child), picks_up(child), 3s))", 1.0),
    ],
)
def test_moments_at_the_same_time_do_not_follow_each_other(expression: str, expected: float | None) -> None:
    assert value(expression, PICKS) == expected


@pytest.mark.parametrize(
    "text",
    [
        'total(holding(child, $o)) in video "visit 1" by $o',
        'total(holding($p, $o)) in video v1 over $p by video, $o in (ball, "teddy bear")',
    ],
)
def test_a_video_and_names_can_be_written_and_read_again(text: str) -> None:
    assert parse(text).to_text() == text
    assert parse(parse(text).to_text()) == parse(text)


class TwoChildren(MemoryStore):
    """As the store in memory, but the second track is a child too."""

    def _tracks(self, video: Timeline) -> list[dict[str, Any]]:
        return [{**row, "category": "child"} if row["track_id"] == 2 else row for row in super()._tracks(video)]


def test_of_two_children_in_view_neither_is_alone() -> None:
    timeline = Timeline([(0, 10_000)], seen={1: [(0, 6_000)], 2: [(4_000, 9_000)]})
    store = cast(Store, TwoChildren({"a": timeline}))
    [row] = evaluate(parse("total(alone(child))"), store).rows
    assert row.value == pytest.approx(4.0 + 3.0)
