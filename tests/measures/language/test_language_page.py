"""docs/language.md is true: its examples run, and it lists every function."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from scenes_crowded import make_crowded_store

from visionllm_interaction.measures.config import MeasuresConfig
from visionllm_interaction.measures.language.functions import FUNCTIONS, SELECTIONS
from visionllm_interaction.measures.language.parser import parse
from visionllm_interaction.measures.language.run import query
from visionllm_interaction.measures.table import measures_table
from visionllm_interaction.store.reader import Store, open_store

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "language.md").read_text(encoding="utf-8")
EXAMPLES = [
    text.replace("\\|", "|")
    for text in re.findall(r"^\| .* \| `(.*)` \|$", PAGE.split("## Examples")[1], flags=re.MULTILINE)
]


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return open_store(make_crowded_store(tmp_path_factory.mktemp("page") / "store"))


def test_there_are_forty_examples() -> None:
    assert len(set(EXAMPLES)) >= 40


@pytest.mark.parametrize("expression", EXAMPLES)
def test_an_example_runs_and_its_text_runs_again(crowded: Store, expression: str) -> None:
    found = query(expression, crowded)
    assert parse(found.expression) == parse(parse(found.expression).to_text())
    assert query(found.expression, crowded).rows == found.rows
    # Somewhere there is a value; where there is none, a reason.
    assert any(row.value is not None for row in found) or not any(row.processed_s for row in found)
    assert all(row.value is not None or row.missing for row in found)


def test_the_page_has_every_function() -> None:
    lacking = [name for name in (*FUNCTIONS, *SELECTIONS) if f"`{name}" not in PAGE and f" {name}(" not in PAGE]
    assert not lacking


def test_own_measures_are_as_the_page_says(crowded: Store) -> None:
    text = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)[0]
    config = MeasuresConfig.model_validate(yaml.safe_load(text)["measures"])
    rows = measures_table(crowded, config=config).to_pylist()
    alone = {row["video_id"]: row for row in rows if row["measure"] == "time_alone" and row["subject"] == "child"}
    assert {row["unit"] for row in alone.values()} == {"share"} and len(alone) == 3
    by_query = {row.video_id: row.value for row in query("time_alone(child) by video", crowded, config=config)}
    assert {video: row["value"] for video, row in alone.items()} == {v: by_query[v] for v in alone}
    given = [row for row in rows if row["measure"] == "gives_to"]
    assert given and {row["unit"] for row in given} == {"count"}
