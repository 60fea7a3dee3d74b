"""docs/measures.md lists the measures as the code defines them."""

from __future__ import annotations

from pathlib import Path

from visionllm_interaction.core.predicates import DIRECTED_PREDICATES, EVENT_KINDS, PREDICATES
from visionllm_interaction.measures.api import MEASURES

PAGE = (Path(__file__).parents[2] / "docs" / "measures.md").read_text(encoding="utf-8")


def test_every_measure_stands_with_unit_definition_and_source() -> None:
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.splitlines() if line.startswith("| `")]
    listed = {row[0].strip("`"): row[2:] for row in rows if len(row) == 5}
    assert listed == {m.name: [m.unit, m.definition, m.source] for m in MEASURES.values()}


def test_every_predicate_and_event_is_explained() -> None:
    assert [name for name in (*PREDICATES, *DIRECTED_PREDICATES, *EVENT_KINDS) if f"`{name}`" not in PAGE] == []


def test_every_measure_stands_with_its_expression() -> None:
    assert [m.name for m in MEASURES.values() if f"| `{m.name}` | `{m.expression.to_text()}` |" not in PAGE] == []
