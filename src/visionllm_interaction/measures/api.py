"""The measures of a store: the catalogue, typed queries and the tidy table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from visionllm_interaction.measures.catalogue import BOUT_GAP_S, CATALOGUE, MEASURES, MIN_TOGETHER_S, Measure
from visionllm_interaction.measures.catalogue_query import (
    ANY_PERSON,
    ANY_THING,
    BOUT_PREDICATES,
    Predicate,
    Query,
    run_query,
)
from visionllm_interaction.utils.lazy_attributes import lazy_attributes

if TYPE_CHECKING:
    from visionllm_interaction.measures.table import (
        TIDY_SCHEMA,
        MeasuresTable,
        WrittenMeasures,
        measures,
        measures_table,
        write_measures,
    )

__all__ = [
    "ANY_PERSON",
    "ANY_THING",
    "BOUT_GAP_S",
    "BOUT_PREDICATES",
    "CATALOGUE",
    "MEASURES",
    "MIN_TOGETHER_S",
    "TIDY_SCHEMA",
    "Measure",
    "MeasuresTable",
    "Predicate",
    "Query",
    "WrittenMeasures",
    "measures",
    "measures_table",
    "run_query",
    "write_measures",
]

# The tidy table is imported when it is used: single measures are computed without Arrow.
__getattr__ = lazy_attributes(
    "visionllm_interaction.measures",
    dict.fromkeys(
        ("TIDY_SCHEMA", "MeasuresTable", "WrittenMeasures", "measures", "measures_table", "write_measures"), "table"
    ),
)
