"""Values of the measures as they were when every measure was a query of its own: written once, compared ever since.

    python tests/support/measures_expected.py STORE OUT.json.gz

writes what the installed package computes for a store.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from visionllm_interaction.core.predicates import EVENT_KINDS
from visionllm_interaction.errors import UsageError
from visionllm_interaction.measures.api import BOUT_PREDICATES, MEASURES, Query, measures_table
from visionllm_interaction.measures.catalogue_query import QueryRunner
from visionllm_interaction.measures.turn_limits import LENA
from visionllm_interaction.store.reader import Store, open_store

ADDED_SINCE = ("hand_on",)
"""Predicates that came after the values were written."""
BIN_S = 3.0
WINDOWS = ((None, None), (2.05, 7.3), (5.0, None))


def queries(store: Store, *, every: int) -> Iterator[Query]:
    """One of ``every`` queries of all measures, names, predicates and windows."""
    names = [*store.known_names(), "thing"]
    whole = list(_all(names))
    yield from whole[::every]


def _all(names: list[str]) -> Iterator[Query]:
    for begin_s, end_s in WINDOWS:
        for measure in MEASURES.values():
            for subject in names:
                for query in _of_subject(measure.name, measure.inputs, subject, names):
                    yield Query(**{**query, "begin_s": begin_s, "end_s": end_s})
    for subject in names:
        for name in ("turn_count", "turn_lag"):
            yield Query(name, subject, "child", turns=LENA)


def _of_subject(measure: str, inputs: str, subject: str, names: list[str]) -> Iterator[dict[str, Any]]:
    base = {"measure": measure, "subject": subject}
    if inputs == "one":
        yield base
    elif inputs == "pair":
        yield from ({**base, "object": other} for other in names)
    else:
        for predicate in EVENT_KINDS if inputs == "event" else [p for p in BOUT_PREDICATES if p not in ADDED_SINCE]:
            yield {**base, "predicate": predicate}
            yield from ({**base, "predicate": predicate, "object": other} for other in names)


def values(store: Store, *, every: int) -> list[dict[str, Any]]:
    """Query and evidence (or the error's message), in order."""
    found: list[dict[str, Any]] = []
    runner = QueryRunner(store)
    for query in queries(store, every=every):
        about = {key: value for key, value in asdict(query).items() if value is not None}
        try:
            about["evidence"] = [_short(item.to_dict()) for item in runner.run(query)]
        except UsageError as error:
            about["error"] = error.message
        found.append(about)
    return found


def _short(item: dict[str, Any]) -> dict[str, Any]:
    left_out = ("id", "measure", "kind", "basis")
    return {key: value for key, value in item.items() if key not in left_out and value is not None}


def tables(store: Store) -> dict[str, list[dict[str, Any]]]:
    """The tidy table of whole videos, and of bins."""
    return {
        str(bin_s): [
            {k: v for k, v in row.items() if v is not None and k not in ("basis", "values")}
            for row in measures_table(store, bin_s=bin_s).to_pylist()
            if row["measure"] in MEASURES  # not those of docs/sequential-measures.md
        ]
        for bin_s in (None, BIN_S)
    }


def main() -> None:
    """Write the values of a store."""
    path, out = Path(sys.argv[1]), Path(sys.argv[2])
    every = int(sys.argv[3]) if len(sys.argv) > 3 else 17
    with open_store(path) as store:
        content = {"every": every, "queries": values(store, every=every), "tables": tables(store)}
    text = json.dumps(content, separators=(",", ":"), sort_keys=True)
    out.write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main()
