"""Every measure has the value, evidence and reason that it had when each was a query of its own.

Bouts of the predicates in ``CONVERSES`` were read from one side then. Their values were written anew when both sides
were; test_measures_closed_form.py shows that the sides agree.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import measures_expected
import pytest
from scenes_builders import make_store
from scenes_crowded import make_crowded_store

from visionllm_interaction.store.reader import open_store

EXPECTED = Path(__file__).parent / "expected"
STORES: dict[str, Callable[[Path], Path]] = {"small": make_store, "crowded": make_crowded_store}


def expected(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(gzip.decompress((EXPECTED / f"{name}.json.gz").read_bytes()))
    return content


def same(found: object, wanted: object) -> bool:
    """Equal; numbers to 1e-9 of themselves."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return found.keys() == wanted.keys() and all(same(found[key], value) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(found, (list, tuple)):
        return len(found) == len(wanted) and all(map(same, found, wanted))
    if isinstance(wanted, float) and isinstance(found, float):
        return found == pytest.approx(wanted, rel=1e-9, abs=1e-9)
    return type(found) is type(wanted) and found == wanted


@pytest.mark.parametrize("name", STORES)
def test_queries_give_what_they_gave(name: str, tmp_path: Path) -> None:
    wanted = expected(name)
    with open_store(STORES[name](tmp_path / "store")) as store:
        found = measures_expected.values(store, every=wanted["every"])
    assert len(found) == len(wanted["queries"]) > 100
    wrong = [(a, b) for a, b in zip(found, wanted["queries"], strict=True) if not same(a, b)]
    assert not wrong, f"{len(wrong)} of {len(found)}: {wrong[0]}"


@pytest.mark.parametrize("name", STORES)
def test_tidy_tables_have_the_rows_they_had(name: str, tmp_path: Path) -> None:
    wanted = expected(name)["tables"]
    with open_store(STORES[name](tmp_path / "store")) as store:
        tables = measures_expected.tables(store)
    for bins, rows in wanted.items():
        # Whoever is coded and in no image had no rows.
        table = [row for row in tables[bins] if row.get("predicate") not in measures_expected.ADDED_SINCE]
        found = [row for row in table if "grandma" not in (row.get("subject"), row.get("object"))]
        assert (len(found) < len(table)) == (name == "crowded")
        wrong = [(a, b) for a, b in zip(found, rows, strict=False) if not same(a, b)]
        assert not wrong, f"{len(wrong)} of {len(rows)}: {wrong[0]}"
        assert len(found) == len(rows) > 100
