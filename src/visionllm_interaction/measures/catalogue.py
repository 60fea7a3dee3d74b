"""The measures: name, definition, unit, source, and the expression in the language that each stands for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from visionllm_interaction.measures.language.syntax_tree import Call, NameTerm, Node, Quantity, substituted
from visionllm_interaction.measures.turn_limits import STANDARD

Inputs = Literal["none", "one", "pair", "bout", "event"]
Names = Literal["any", "people", "gazers", "speakers", "named"]

BOUT_GAP_S = 0.5
"""Intervals at most this far apart, in seconds, are one bout."""
MIN_TOGETHER_S = 0.5
"""Tracks count as visible at once when they are for at least this long in all, in seconds."""
NAMING_S = 3.0
"""Seconds before and after a naming in which the named object is measured."""

CODED_PREDICATES: Mapping[str, str] = MappingProxyType({"looks_at": "gaze", "speaks": "speech", "names": "naming"})
"""Predicates that people code (``visionllm import``) → the kind of code that they are read from."""


@dataclass(frozen=True)
class Measure:
    """One measure.

    Attributes:
        name: its name in queries and tables.
        definition: what it measures, in one sentence.
        unit: unit of its values.
        source: paper or standard.
        inputs: what it is about. ``none``: the video; ``one``: a subject; ``pair``: a subject and an object; ``bout``:
            a predicate, with an object unless it is *visible*; ``event``: a kind of event whose first actor is the
            subject.
        nothing: value of a video in which nothing was found.
        expression: what it stands for, with ``$subject`` and ``$object``; of bouts and events with ``$bouts`` or
            ``$events`` in the place of the stream.
        predicate: the predicate of a pair measure that is made from bouts.
        version: version of the definition; it stands beside each value, so that old and new ones are never mixed up.
        of: whose values the tidy table has: ``any`` names, ``people`` who are told apart, those whose gaze
            (``gazers``) or speech (``speakers``) is coded, or what is ``named``.
        both_ways: whether a pair of people has a value in each direction.
        checks_inputs: whether the functions of the expression tell which inputs are missing.
    """

    name: str
    definition: str
    unit: str
    source: str
    inputs: Inputs
    nothing: float | int | None
    expression: Node
    predicate: str | None = None
    version: int = 1
    of: Names = "any"
    both_ways: bool = False
    checks_inputs: bool = False

    @property
    def is_of_turns(self) -> bool:
        """Whether its value depends on the limits of a turn (:class:`.turns.TurnLimits`)."""
        return self.name in ("turn_count", "turn_lag", "turn_share")


SUBJECT, OBJECT = NameTerm("$subject"), NameTerm("$object")
EVENTS, BOUTS = NameTerm("$events"), NameTerm("$bouts")
_PAIR = (SUBJECT, OBJECT)


def _call(function: str, *arguments: Node, **keywords: Node) -> Call:
    return Call(function, arguments, tuple(keywords.items()))


# Expressions are made of parts here: reading text would load the parser before every table of measures.
_VISIBLE = _call("visible", SUBJECT)
_MERGED = _call("merged", BOUTS, Quantity(BOUT_GAP_S, "s"))

_OWN = "this project; see docs/measures.md"
_BOUTS = "Bakeman & Quera (2011), Sequential Analysis: bouts, events with onset and offset"
_FAUSEY = "Fausey, Jayaraman & Smith (2016), Cognition 152: proportion of frames in view"
_YU_SMITH = "Yu & Smith (2012), Cognition 125: sizes and places of objects in the head camera, around naming"
_SLONE = "Slone et al. (2018), Journal of Visualized Experiments 141: measures of head-camera views"
_TURNS = "limits of chattr: Casillas & Scaff (2021), CogSci 43; of LENA: Gilkerson & Richards (2008), LENA report 2"

_IN_VIEW = (
    Measure(
        "visible_duration",
        "Seconds of processed video in which at least one track of the subject is visible.",
        "s",
        f"{_FAUSEY}, here in seconds",
        "one",
        0.0,
        _call("total", _VISIBLE),
    ),
    Measure(
        "visible_share",
        "visible_duration over the seconds of processed video.",
        "share",
        _FAUSEY,
        "one",
        0.0,
        _call("share", _VISIBLE),
    ),
    Measure(
        "instance_count",
        f"Largest number of tracks of the subject visible at once for at least {MIN_TOGETHER_S} s in all.",
        "count",
        "MaxN, Ellis & DeMartini (1995), Fishery Bulletin 93: a lower bound that never counts one object twice",
        "one",
        0,
        _call("most_at_once", _VISIBLE, Quantity(MIN_TOGETHER_S, "s")),
    ),
    Measure(
        "mean_count",
        "Mean number of tracks of the subject in view; of `thing` it is the clutter, of `person` the people in view.",
        "count",
        _SLONE,
        "one",
        0.0,
        _call("mean_number", _VISIBLE),
    ),
    Measure(
        "first_seen",
        "Time stamp of the first processed frame in which the subject is visible.",
        "s",
        _OWN,
        "one",
        None,
        _call("first_seen", SUBJECT),
    ),
    Measure(
        "last_seen",
        "Time stamp of the last processed frame in which the subject is visible.",
        "s",
        _OWN,
        "one",
        None,
        _call("last_seen", SUBJECT),
    ),
)

_CHILD_VIEW = (
    Measure(
        "object_size",
        "Mean share of the image that the largest box of the subject covers while the subject is visible.",
        "share",
        _YU_SMITH,
        "one",
        None,
        _call("mean", _call("size", SUBJECT)),
    ),
    Measure(
        "centredness",
        "Mean of 1 less the distance of the largest box's centre from the image's, in half diagonals.",
        "share",
        _YU_SMITH,
        "one",
        None,
        _call("mean", _call("centredness", SUBJECT)),
    ),
    Measure(
        "competitor_count",
        "Mean number of other objects in view while the subject is visible.",
        "count",
        _YU_SMITH,
        "one",
        None,
        _call("mean_number", _call("visible", NameTerm("thing", ("$subject",))), of=_VISIBLE),
    ),
    Measure(
        "dominance",
        "Share of the subject's visible time in which its largest box covers as much as all other objects together.",
        "share",
        "after Smith, Yu & Pereira (2011), Developmental Science 14: one object dominates the view",
        "one",
        None,
        _call("mean", _call("dominance", SUBJECT)),
    ),
    Measure(
        "size_at_naming",
        f"Mean share of the image that the subject covers within {NAMING_S} s of its naming; 0 while not in view.",
        "share",
        _YU_SMITH,
        "one",
        None,
        _call(
            "mean",
            _call("view_share", SUBJECT),
            during=_call("around_naming", SUBJECT, Quantity(NAMING_S, "s")),
        ),
    ),
)

_PAIRS = (
    Measure(
        "co_presence_duration",
        "Seconds of processed video in which a track of the subject and another one of the object are visible.",
        "s",
        _OWN,
        "pair",
        0.0,
        _call("total", _call("visible", *_PAIR)),
    ),
    Measure(
        "near_duration",
        "Seconds in which subject and object are near (core.predicates), overlaps counted once.",
        "s",
        _OWN,
        "pair",
        0.0,
        _call("total", _call("near", *_PAIR)),
        "near",
    ),
    Measure(
        "contact_duration",
        "Seconds in which subject and object are in contact (core.predicates), overlaps counted once.",
        "s",
        _OWN,
        "pair",
        0.0,
        _call("total", _call("in_contact", *_PAIR)),
        "in_contact",
    ),
    Measure(
        "holding_duration",
        "Seconds in which the subject holds the object (core.predicates), overlaps counted once.",
        "s",
        "Yu & Smith (2012), Cognition 125: time that a child or parent holds an object",
        "pair",
        0.0,
        _call("total", _call("holding", *_PAIR)),
        "holding",
    ),
    Measure(
        "joint_handling_duration",
        "Seconds in which the subject and another person handle the object at once (events joint_handling).",
        "s",
        "Yu & Smith (2013), PLoS ONE 8: joint attention through hands; handling here from boxes",
        "pair",
        0.0,
        _call("total", _call("joint_handling", *_PAIR)),
    ),
    Measure(
        "mean_gap",
        "Mean gap between the nearest edges of subject and object while both are visible, in reference heights.",
        "heights",
        "proximity as in core.predicates",
        "pair",
        None,
        _call("mean", _call("gap", *_PAIR)),
    ),
    Measure(
        "turn_count",
        f"Utterances of the subject that the object answers: it begins at most {STANDARD.max_gap_s} s after their end"
        f" and at most {STANDARD.max_overlap_s} s before it; what lies wholly inside the other's utterance is no turn.",
        "count",
        _TURNS,
        "pair",
        0,
        _call("turns", *_PAIR),
        version=2,
    ),
    Measure(
        "turn_lag",
        "Median time from the end of an utterance to its answer, of the turns of turn_count; below 0 they overlap.",
        "s",
        f"{_TURNS}; lags after Heldner & Edlund (2010), Journal of Phonetics 38",
        "pair",
        None,
        _call("median", _call("turn_lags", *_PAIR)),
        version=2,
    ),
)

_OF_BOUTS = (
    Measure(
        "bout_count",
        f"Number of intervals in which the predicate holds; pauses up to {BOUT_GAP_S} s do not end one.",
        "count",
        _BOUTS,
        "bout",
        0,
        _call("count", _MERGED),
    ),
    Measure(
        "bout_rate",
        "Bouts, as counted by bout_count, per minute of processed video.",
        "per_min",
        _BOUTS,
        "bout",
        0.0,
        _call("rate", _MERGED),
    ),
    Measure(
        "longest_bout",
        "Length of the longest interval in which the predicate holds, as counted by bout_count.",
        "s",
        _BOUTS,
        "bout",
        0.0,
        _call("longest", _MERGED),
    ),
    Measure(
        "mean_bout",
        "Mean length of the intervals in which the predicate holds, as counted by bout_count.",
        "s",
        _BOUTS,
        "bout",
        None,
        _call("mean", _MERGED),
    ),
    Measure(
        "event_count",
        "Number of events of one kind whose first actor is the subject (and that the object takes part in).",
        "count",
        _BOUTS,
        "event",
        0,
        _call("count", EVENTS),
    ),
    Measure(
        "event_rate",
        "Events, as counted by event_count, per minute of processed video.",
        "per_min",
        _BOUTS,
        "event",
        0.0,
        _call("rate", EVENTS),
    ),
)


def _by_name(measures: Iterable[Measure]) -> Mapping[str, Measure]:
    return MappingProxyType({measure.name: measure for measure in measures})


MEASURES: Mapping[str, Measure] = _by_name((*_IN_VIEW, *_CHILD_VIEW, *_PAIRS, *_OF_BOUTS))
"""Every measure by name; :func:`expression_of` gives the whole expression."""

_QUESTION_MEASURES = (
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
CATALOGUE: Mapping[str, Measure] = _by_name(MEASURES[name] for name in _QUESTION_MEASURES)
"""The measures that have words in questions; queries and the tidy table know all of :data:`MEASURES`."""


def expression_of(measure: Measure, *, predicate: str, has_object: bool) -> Node:
    """The expression of ``measure``, with the stream of its predicate or kind of event written out.

    Args:
        measure: the measure.
        predicate: of measures of bouts, or the kind of event of measures of events.
        has_object: whether there is an object.

    Returns:
        An expression of the language with the variables ``$subject`` and, if there is an object, ``$object``.
    """
    names = _PAIR if has_object else (SUBJECT,)
    if measure.inputs == "event":
        return substituted(measure.expression, {"$events": _call("event", NameTerm(predicate), *names)})
    if measure.inputs == "bout":
        return substituted(measure.expression, {"$bouts": _call(predicate, *names)})
    return measure.expression
