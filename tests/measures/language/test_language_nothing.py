"""Where there is nothing, every function gives 0 or no value with a reason: no error, and no number out of nothing."""

from __future__ import annotations

from typing import cast

import pytest
from language_memory import MemoryStore, Timeline

from visionllm_interaction.errors import ExpressionError
from visionllm_interaction.measures.catalogue import MEASURES, expression_of
from visionllm_interaction.measures.language.functions import FUNCTIONS
from visionllm_interaction.measures.language.parser import parse
from visionllm_interaction.measures.language.run import evaluate
from visionllm_interaction.measures.language.syntax_tree import NameTerm, substituted
from visionllm_interaction.measures.language.types import Kind
from visionllm_interaction.measures.table import measures_table
from visionllm_interaction.store.reader import Store

ARGUMENTS = {
    Kind.NAME: "child",
    Kind.TEXT: '"words"',
    Kind.INTERVALS: "visible(child)",
    Kind.MOMENTS: "picks_up(child)",
    Kind.SAMPLES: "pauses(visible(child))",
    Kind.SECONDS: "1s",
    Kind.TIME: "10%",
    Kind.NUMBER: "2",
    Kind.ARROW: "picks_up(child) -> puts_down(child)",
    Kind.BOX: "size(child)",
}
NAMED = {"event.kind": "picks_up", "posture.name": '"sitting"'}
"""Arguments that take some words only."""
STORES = {
    "nothing": MemoryStore({}),
    "unprocessed": MemoryStore({"a": Timeline([])}),
    "empty": MemoryStore({"a": Timeline([(0, 500), (500, 900)])}),
}


def written(name: str) -> str:
    parts = []
    for parameter in FUNCTIONS[name].parameters:
        shown = NAMED.get(f"{name}.{parameter.name}") or ARGUMENTS[parameter.kinds[0]]
        if not parameter.optional:
            parts.append(f"{parameter.name}={shown}" if parameter.keyword else shown)
    return f"{name}({', '.join(parts)})"


@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_of_nothing(name: str, kind: str) -> None:
    found = evaluate(parse(written(name)), cast(Store, STORES[kind]))
    for row in found:
        assert row.value is not None or row.missing
        spread = FUNCTIONS[name].computed_by.endswith((":spread", ":box", ":latency", ":pauses", ":turn_lags"))
        if spread and name not in ("number", "view_share"):  # 0 while nothing is in view
            assert row.value is None
    if kind == "unprocessed" and found.kind != "stream" and name not in ("total", "count"):
        assert [row.value for row in found if row.value] == []


@pytest.mark.parametrize("kind", STORES)
def test_the_table_of_nothing(kind: str) -> None:
    rows = measures_table(cast(Store, STORES[kind])).to_pylist()
    assert [row for row in rows if row["value"]] == []


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_a_measure_of_nothing(measure) -> None:  # type: ignore[no-untyped-def]
    predicate = "picks_up" if measure.inputs == "event" else "holding"
    names = {"$subject": NameTerm("child"), "$object": NameTerm("ball")}
    expression = substituted(expression_of(measure, predicate=predicate, has_object=measure.inputs == "pair"), names)
    [row] = evaluate(parse(expression.to_text()), cast(Store, STORES["empty"])).rows
    assert not row.value and (row.value is not None or row.missing)


@pytest.mark.parametrize(
    "expression",
    [
        "looks_at(child)",
        "joint_attention(child, caregiver)",
        "which(exists(looks_at(child, $o)) by $o)",
        "top(1, total(looks_at(child, $o)) by $o)",
    ],
)
def test_what_is_not_known_is_not_nothing(expression: str) -> None:
    rows = evaluate(parse(expression), cast(Store, STORES["empty"])).rows
    assert [(row.value, row.missing) for row in rows] == [(None, "no gaze was imported")]


@pytest.mark.parametrize("expression", ["holding(child)", "which(exists(holding(child, $o)) by $o)"])
def test_what_never_holds_has_no_row(expression: str) -> None:
    assert not evaluate(parse(expression), cast(Store, STORES["empty"])).rows


class _OnlyWhatIsSeen(MemoryStore):
    """Videos of a detector that says of nothing what it looks for."""

    def video(self, video_id: str) -> dict[str, object]:
        return super().video(video_id) | {"detector": {"kind": "truth", "categories": []}}

    def _tracks(self, video: Timeline) -> list[dict[str, object]]:
        return [row for row in super()._tracks(video) if row["track_id"] in video.seen]


def test_a_name_of_another_video_is_known() -> None:
    seen = {1: [(0, 500)]}
    store = _OnlyWhatIsSeen({"a": Timeline([(0, 500)], seen | {3: [(0, 200)]}), "b": Timeline([(0, 500)], seen)})
    for video, expected in (("a", 0.2), ("b", 0.0)):
        found = evaluate(parse(f'total(visible(ball)) in video "{video}"'), cast(Store, store))
        assert found.rows[0].value == pytest.approx(expected)
    with pytest.raises(ExpressionError, match="'cup' is not known"):
        evaluate(parse('total(visible(cup)) in video "b"'), cast(Store, store))
