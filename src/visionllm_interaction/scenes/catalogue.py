"""The measures: name, definition, unit, source and one SQL each.

Every SQL is a constant. It gives one row per video: ``video_id, value, begin_s, end_s, track_ids``; a video without a
row has the measure's value for *nothing found*. Parameters are bound, never pasted in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Literal

from visionllm_interaction.scenes import sql

Unit = Literal["s", "count"]

BOUT_GAP_S = 0.5
"""Stretches of time closer than this are one bout."""
MIN_TOGETHER_S = 0.5
"""Things count as there at once when they were, for this long in all."""


@dataclass(frozen=True)
class Measure:
    """One measure.

    ``inputs`` says what it is about: ``one`` a subject, ``pair`` a subject and an object, ``bout`` a predicate, with an
    object unless the predicate is *visible*. ``nothing`` is the value of a video in which nothing was found.
    """

    name: str
    definition: str
    unit: Unit
    source: str
    inputs: Literal["one", "pair", "bout"]
    nothing: float | int | None
    sql: str

    @cached_property
    def parameters(self) -> frozenset[str]:
        """Names of the parameters that the SQL takes."""
        return frozenset(re.findall(r"\$(\w+)", self.sql))


_OWN = "this project; see docs/measures.md"
_BOUT_SOURCE = "Bakeman & Quera (2011), Sequential Analysis: bouts, events with onset and offset"

MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        m.name: m
        for m in (
            Measure(
                "visible_duration",
                "Seconds of processed video in which at least one track of the subject is visible.",
                "s",
                "Fausey, Jayaraman & Smith (2016), Cognition 152: proportion of frames in view, here in seconds",
                "one",
                0.0,
                sql.VISIBLE_DURATION,
            ),
            Measure(
                "instance_count",
                f"Largest number of tracks of the subject visible at once for at least {MIN_TOGETHER_S} s in all.",
                "count",
                "MaxN, Ellis & DeMartini (1995), Fishery Bulletin 93: a lower bound that never counts one thing twice",
                "one",
                0,
                sql.INSTANCE_COUNT,
            ),
            Measure(
                "first_seen",
                "Time stamp of the first processed frame in which the subject is visible.",
                "s",
                _OWN,
                "one",
                None,
                sql.FIRST_SEEN,
            ),
            Measure(
                "last_seen",
                "Time stamp of the last processed frame in which the subject is visible.",
                "s",
                _OWN,
                "one",
                None,
                sql.LAST_SEEN,
            ),
            Measure(
                "co_presence_duration",
                "Seconds of processed video in which a track of the subject and another one of the object are visible.",
                "s",
                _OWN,
                "pair",
                0.0,
                sql.CO_PRESENCE,
            ),
            Measure(
                "near_duration",
                "Seconds in which subject and object are near (core.definitions), overlaps counted once.",
                "s",
                _OWN,
                "pair",
                0.0,
                sql.RELATION_DURATION,
            ),
            Measure(
                "contact_duration",
                "Seconds in which subject and object are in contact (core.definitions), overlaps counted once.",
                "s",
                _OWN,
                "pair",
                0.0,
                sql.RELATION_DURATION,
            ),
            Measure(
                "holding_duration",
                "Seconds in which the subject holds the object (core.definitions), overlaps counted once.",
                "s",
                "Yu & Smith (2012), Cognition 125: time that a child or parent holds an object",
                "pair",
                0.0,
                sql.RELATION_DURATION,
            ),
            Measure(
                "bout_count",
                f"Number of stretches in which the predicate holds; pauses up to {BOUT_GAP_S} s do not end one.",
                "count",
                _BOUT_SOURCE,
                "bout",
                0,
                sql.BOUT_COUNT,
            ),
            Measure(
                "longest_bout",
                "Length of the longest stretch in which the predicate holds, as counted by bout_count.",
                "s",
                _BOUT_SOURCE,
                "bout",
                0.0,
                sql.LONGEST_BOUT,
            ),
        )
    }
)
"""Every measure by name. Measures of bouts are written here for relations; :func:`sql_for` gives the visible ones."""

_ASKED = (
    "visible_duration",
    "instance_count",
    "first_seen",
    "last_seen",
    "co_presence_duration",
    "near_duration",
    "contact_duration",
    "bout_count",
    "longest_bout",
)
CATALOGUE: Mapping[str, Measure] = MappingProxyType({name: MEASURES[name] for name in _ASKED})
"""The measures that a question in plain words may be about (a name goes into ``_ASKED`` once ``reason`` has its words);
queries and the tidy table know all of :data:`MEASURES`."""


def sql_for(measure: Measure, *, predicate: str, has_object: bool) -> str:
    """The SQL of ``measure``; bouts of *visible* are made from frames instead of relations."""
    if measure.inputs != "bout" or predicate != "visible":
        return measure.sql
    return sql.bouts_of(measure.sql, "together" if has_object else "visible")
