"""The measures of the catalogue whose definitions are those of :mod:`visionllm_interaction.measures.sequential`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from visionllm_interaction.measures.catalogue import EVENTS, MEASURES, OBJECT, SUBJECT, Inputs, Measure, Names
from visionllm_interaction.measures.language.syntax_tree import Call, NameTerm, Node, Operation, Prefix, Quantity
from visionllm_interaction.measures.turn_limits import STANDARD

_OWN = "this project; see docs/sequential-measures.md"
_JOINT = "Yu & Smith (2013), PLoS ONE 8; (2016), Current Biology 26"
_HANDS = "Yu & Smith (2013), PLoS ONE 8; (2017), Child Development 88"
_NAMING = "Yu & Smith (2012), Cognition 125: what is in view when it is named"
_MUTUAL = "Kaye & Fogel (1980), Developmental Psychology 16"
_SUSTAINED = "Ruff & Lawson (1990), Developmental Psychology 26; the limit of Yu & Smith (2016), Current Biology 26"
_ENTROPY = "Krejtz et al. (2015), ACM Transactions on Applied Perception 13"
_CRQA = "Dale, Warlaumont & Richardson (2011), International Journal of Bifurcation and Chaos 21"
_TURNS = "limits of chattr: Casillas & Scaff (2021), CogSci 43"
_WINDOWS = "Van Egeren, Barratt & Roach (2001), Developmental Psychology 37: responses within seconds"
_BOUT = "looking at the same target for at least 0.5 s, pauses up to 1 s included"

WINDOWS_S = (1, 2, 5)
"""Seconds after the end of an utterance in which another one is a response."""


def _call(function: str, *arguments: Node, **keywords: Node) -> Call:
    return Call(function, arguments, tuple(keywords.items()))


def _pair(function: str) -> Call:
    return _call(function, SUBJECT, OBJECT)


_APART_FOR = _call(
    "longer_than", Operation("&", _pair("visible"), Prefix("!", _pair("in_contact"))), Quantity(0.5, "s")
)
_UNTIL_APPROACH = Operation(
    "-",
    _call("first_time", Operation("&", _pair("approaches"), _call("since", _pair("visible")))),
    _call("first_time", _pair("visible")),
)
_JOINT_BOUTS, _MUTUAL_GAZE = _pair("joint_attention"), _pair("mutual_gaze")


def _measures(
    inputs: Inputs,
    of: Names,
    rows: Iterable[tuple[str, str, Node, str, float | int | None, str]],
    *,
    both_ways: bool = False,
) -> Iterable[Measure]:
    """Measures of the same inputs: name, unit, expression, definition, value where nothing was found, source."""
    for name, unit, expression, definition, nothing, source in rows:
        yield Measure(
            name, definition, unit, source, inputs, nothing, expression, of=of, both_ways=both_ways, checks_inputs=True
        )


_GAZE = _measures(
    "one",
    "gazers",
    (
        (
            "sustained_attention_count",
            "count",
            _call("count", _call("sustained_attention", SUBJECT)),
            "Looks of the subject at one target of at least 3 s.",
            0,
            _SUSTAINED,
        ),
        (
            "sustained_attention_duration",
            "s",
            _call("total", _call("sustained_attention", SUBJECT)),
            "Seconds of looks of the subject at one target of at least 3 s.",
            0.0,
            _SUSTAINED,
        ),
        (
            "mean_dwell",
            "s",
            _call("mean", _call("dwells", SUBJECT)),
            "Mean length of the looks of the subject, each at one target.",
            None,
            "Holmqvist et al. (2011), Eye Tracking",
        ),
        (
            "shift_rate",
            "per_min",
            _call("rate", _call("shifts", SUBJECT)),
            "Looks of the subject that follow a look at another target, per minute of processed video.",
            0.0,
            "Ruff & Rothbart (1996), Attention in Early Development",
        ),
        (
            "gaze_transition_entropy",
            "bits",
            _call("transition_entropy", SUBJECT),
            "Mean entropy of the target that the subject looks at next, given the one that is looked at.",
            None,
            _ENTROPY,
        ),
        (
            "gaze_stationary_entropy",
            "bits",
            _call("stationary_entropy", SUBJECT),
            "Entropy of the targets that the subject looks at, over the looks that another follows.",
            None,
            _ENTROPY,
        ),
        (
            "hand_eye_duration",
            "s",
            _call("total", _call("hand_eye", SUBJECT)),
            "Seconds in which the subject looks at the object that it holds.",
            0.0,
            _HANDS,
        ),
        (
            "eye_lead",
            "s",
            _call("median", _call("eye_leads", SUBJECT)),
            "Median time by which a look at an object began before the subject held it, of holdings with a look.",
            None,
            _HANDS,
        ),
    ),
)
_NAMED = _measures(
    "one",
    "named",
    (
        (
            "named_in_view",
            "share",
            _call("named_while", SUBJECT, _call("visible", SUBJECT)),
            "Share of the namings of the subject, in processed video, with the subject in view.",
            None,
            _NAMING,
        ),
        (
            "named_in_hand",
            "share",
            _call("named_while", SUBJECT, _call("holding", NameTerm("person"), SUBJECT)),
            "Share of the namings of the subject, in processed video, in which somebody holds it.",
            None,
            _NAMING,
        ),
        (
            "named_looked_at",
            "share",
            _call("named_while", SUBJECT, _call("looks_at", NameTerm("anything"), SUBJECT)),
            "Share of the namings of the subject, in processed video, in which somebody looks at it.",
            None,
            _NAMING,
        ),
        (
            "naming_size_rank",
            "rank",
            _call("mean", _call("naming_ranks", SUBJECT)),
            "Mean rank of the subject's size among all objects while it is named and in view: 1 is the largest.",
            None,
            _NAMING,
        ),
    ),
)
_ALONE = _measures(
    "one",
    "people",
    (
        (
            "alone_duration",
            "s",
            _call("total", _call("alone", SUBJECT)),
            "Seconds in which the subject is visible and no other person is.",
            0.0,
            _OWN,
        ),
        (
            "objects_handled",
            "count",
            _call("objects_handled", SUBJECT),
            "How many different categories of objects the subject holds.",
            0,
            _OWN,
        ),
    ),
)
_TOGETHER = _measures(
    "pair",
    "gazers",
    (
        (
            "joint_attention_count",
            "count",
            _call("count", _JOINT_BOUTS),
            f"Bouts of joint attention of subject and object: {_BOUT}.",
            0,
            _JOINT,
        ),
        (
            "joint_attention_rate",
            "per_min",
            _call("rate", _JOINT_BOUTS),
            "Bouts of joint attention, as counted by joint_attention_count, per minute of processed video.",
            0.0,
            _JOINT,
        ),
        (
            "joint_attention_duration",
            "s",
            _call("total", _JOINT_BOUTS),
            "Seconds in bouts of joint attention, as counted by joint_attention_count.",
            0.0,
            _JOINT,
        ),
        (
            "mutual_gaze_count",
            "count",
            _call("count", _MUTUAL_GAZE),
            "Number of intervals in which subject and object look at each other.",
            0,
            _MUTUAL,
        ),
        (
            "mutual_gaze_duration",
            "s",
            _call("total", _MUTUAL_GAZE),
            "Seconds in which subject and object look at each other.",
            0.0,
            _MUTUAL,
        ),
        (
            "gaze_recurrence",
            "share",
            _pair("recurrence_rate"),
            "Share of all pairs of samples, one a second of each, in which subject and object look at the same target.",
            None,
            _CRQA,
        ),
    ),
)
_LEADING = _measures(
    "pair",
    "gazers",
    (
        (
            "joint_attention_led",
            "share",
            _pair("led"),
            "Share of the bouts of joint attention with a leader that the subject led: its look began earlier.",
            None,
            _JOINT,
        ),
        (
            "joint_attention_lead",
            "s",
            _call("median", _pair("leads")),
            "Median time by which the subject's look began before the object's, of bouts of joint attention.",
            None,
            _JOINT,
        ),
        (
            "hand_following_duration",
            "s",
            _call("total", _pair("hand_eye")),
            "Seconds in which the subject looks at what the object (a person) holds.",
            0.0,
            _HANDS,
        ),
        (
            "gaze_recurrence_lag",
            "s",
            _pair("recurrence_lag"),
            "Lag up to 10 s at which both most often look at the same target; above 0 the subject leads.",
            None,
            _CRQA,
        ),
    ),
    both_ways=True,
)
_SPEAKING = _measures(
    "pair",
    "speakers",
    (
        (
            "turn_share",
            "share",
            _pair("answered"),
            "Share of the utterances of the subject that the object answers, as in turn_count"
            f" (gap up to {STANDARD.max_gap_s} s, overlap up to {STANDARD.max_overlap_s} s).",
            None,
            _TURNS,
        ),
        *(
            (
                f"speech_contingency_{window}s",
                "share",
                _call(
                    "prob",
                    _call("starts", _call("speaks", OBJECT)),
                    within=Quantity(float(window), "s"),
                    after=_call("ends", _call("speaks", SUBJECT)),
                ),
                f"Share of the utterances of the subject within {window} s of whose end the object begins to speak.",
                None,
                _WINDOWS,
            )
            for window in WINDOWS_S
        ),
    ),
    both_ways=True,
)
_APPROACH = _measures(
    "pair",
    "people",
    (
        (
            "approach_latency",
            "s",
            _UNTIL_APPROACH,
            "Seconds from the first moment with both in view to the first approach of the subject to the object.",
            None,
            _OWN,
        ),
    ),
    both_ways=True,
)
_APART = _measures(
    "pair",
    "people",
    (
        (
            "apart_count",
            "count",
            _call("count", _APART_FOR),
            "Episodes of more than 0.5 s in which both are visible and not in contact.",
            0,
            _OWN,
        ),
        (
            "longest_apart",
            "s",
            _call("longest", _APART_FOR),
            "Length of the longest episode without contact, as counted by apart_count.",
            0.0,
            _OWN,
        ),
    ),
)
_RHYTHM = _measures(
    "event",
    "any",
    (
        (
            "event_burstiness",
            "number",
            _call("burstiness", EVENTS),
            "Burstiness of the events, in the form for few events: -1 regular, 0 random, towards 1 bursts.",
            None,
            "Kim & Jo (2016), Physical Review E 94",
        ),
        (
            "event_memory",
            "number",
            _call("memory", EVENTS),
            "Correlation of each interval between events with the next one.",
            None,
            "Goh & Barabási (2008), EPL 81",
        ),
    ),
)

SEQUENTIAL_MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        measure.name: measure
        for group in (_GAZE, _NAMED, _ALONE, _TOGETHER, _LEADING, _SPEAKING, _APPROACH, _APART, _RHYTHM)
        for measure in group
    }
)
"""The measures of this file by name."""

ALL_MEASURES: Mapping[str, Measure] = MappingProxyType({**MEASURES, **SEQUENTIAL_MEASURES})
"""Every measure that is built in, by name."""
