"""What values rest on: the detector, people's codes, both, or the processed time alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from scenes_builders import make_store

from visionllm_interaction.measures.api import Query, measures, run_query
from visionllm_interaction.measures.language.basis import expression_basis
from visionllm_interaction.measures.language.parser import parse
from visionllm_interaction.store.reader import open_store


@pytest.mark.parametrize(
    ("expression", "basis"),
    [
        ("total(near(child, caregiver))", "as detected"),
        ("count(starts(merged(holding(child, ball), 2s)))", "as detected"),
        ("mean(gap(child, caregiver))", "as detected"),
        ('count(event("enters", child))', "as detected"),
        ("total(speaks(child))", "coded"),
        ('total(coded("play") & between(0s, 10s))', "coded"),
        ("count(turns(child, caregiver))", "coded"),
        ("total(speaks(child) & near(child, caregiver))", "detected and coded"),
        ("total(visible(ball) & around_naming(ball))", "detected and coded"),
        ("total(processed() & between(0s, 50%))", "processed time"),
    ],
)
def test_an_expression_says_what_it_reads(expression: str, basis: str) -> None:
    assert expression_basis(parse(expression).value) == basis


def test_measures_of_codes_and_of_detections_are_told_apart(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store")
    rows = measures(store).to_arrow().to_pylist()
    assert {row["basis"] for row in rows if row["measure"] == "near_duration"} == {"as detected"}
    assert {row["basis"] for row in rows if row["predicate"] == "speaks"} <= {"coded"}
    with open_store(store) as opened:
        query = Query("bout_count", "child", predicate="looks_at")
        assert {item.basis for item in run_query(opened, query)} == {"coded"}
