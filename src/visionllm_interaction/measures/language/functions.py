"""Every function of the language: its arguments, what it gives, its definition and its source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from visionllm_interaction.core.categories import nearest_names
from visionllm_interaction.core.predicates import DIRECTED_PREDICATES, PREDICATES
from visionllm_interaction.core.tracks_relations_events import HEAD_MOTION
from visionllm_interaction.measures.language.sequential.functions import SEQUENTIAL
from visionllm_interaction.measures.language.types import STREAM, Function, Kind, Parameter, Type

_ATOMS = "measures.language.stream_functions"
_SUMS = "measures.language.aggregation.aggregates"
_FOLLOWING = "measures.language.aggregation.following"
_LAGS = "measures.language.aggregation.latencies_and_pauses"
_INTERVALS, _MOMENTS = Type(Kind.INTERVALS), Type(Kind.MOMENTS)
_SPREAD = (*STREAM, Kind.SAMPLES, Kind.BOX)
_BOUTS = "Bakeman & Quera (2011), Sequential Analysis: bouts, events with onset and offset"

_X = Parameter("x", (Kind.NAME,))
_PERSON = Parameter("x", (Kind.NAME,), fits="person")
_OTHER = Parameter("y", (Kind.NAME,), optional=True)
_THING = Parameter("y", (Kind.NAME,), optional=True, fits="thing")
_SPEAKER = Parameter("x", (Kind.NAME,), fits="person", coded="speech")
_ANSWERER = Parameter("y", (Kind.NAME,), fits="person", coded="speech")
_OTHER_PERSON = Parameter("y", (Kind.NAME,), optional=True, fits="person")
_A, _B = Parameter("a", STREAM), Parameter("b", STREAM)
_INSIDE = Parameter("of", STREAM, optional=True, keyword=True, default="processed()")
_DURING = Parameter("during", STREAM, optional=True, keyword=True)


def _seconds(name: str, *, optional: bool = False, default: str | None = None, keyword: bool = False) -> Parameter:
    return Parameter(name, (Kind.SECONDS,), optional=optional, default=default, keyword=keyword)


def _related() -> Iterable[Function]:
    meant = {
        "near": "are near (core.predicates)",
        "in_contact": "are in contact (core.predicates)",
    }
    for name in PREDICATES:
        if name == "holding":
            yield Function(
                name, (_PERSON, _THING), _INTERVALS, "Time in which x holds y (core.predicates).", f"{_ATOMS}:related"
            )
        else:
            yield Function(name, (_X, _OTHER), _INTERVALS, f"Time in which x and y {meant[name]}.", f"{_ATOMS}:related")
    for name in DIRECTED_PREDICATES:
        definition = f"Time in which {name} holds from x to y (docs/measures.md)."
        yield Function(name, (_X, _OTHER), _INTERVALS, definition, f"{_ATOMS}:related")


def _events() -> Iterable[Function]:
    described = {
        "enters": ("x enters the view", (_PERSON,)),
        "leaves": ("x leaves the view", (_PERSON,)),
        "picks_up": ("x begins to hold y, which nobody held", (_PERSON, _THING)),
        "puts_down": ("x ends holding y, which nobody takes", (_PERSON, _THING)),
        "hands_over": (
            "x gives z to y; with two names y takes part as receiver or object",
            (_PERSON, _OTHER, Parameter("z", (Kind.NAME,), optional=True, fits="thing")),
        ),
        "approaches": ("x comes near to y", (_PERSON, _OTHER_PERSON)),
        "withdraws": ("x goes away from y", (_PERSON, _OTHER_PERSON)),
    }
    for name, (words, parameters) in described.items():
        definition = f"Moments at which {words} (docs/measures.md)."
        yield Function(name, parameters, _MOMENTS, definition, f"{_ATOMS}:event")
    yield Function(
        "event",
        (Parameter("kind", (Kind.TEXT,)), _PERSON, _OTHER),
        _MOMENTS,
        "Moments at which events of a kind begin whose first actor is x and in which y takes part.",
        f"{_ATOMS}:event_of_kind",
    )


def _coded() -> Iterable[Function]:
    gazer = Parameter("x", (Kind.NAME,), fits="person", coded="gaze")
    namer = Parameter("x", (Kind.NAME,), fits="person", coded="naming")
    seen = Parameter("y", (Kind.NAME,), optional=True, coded="gaze")
    named = Parameter("y", (Kind.NAME,), optional=True, coded="naming")
    coder = f"{_ATOMS}:coded_as"
    yield Function("looks_at", (gazer, seen), _INTERVALS, "Coded gaze of x, at y.", coder)
    yield Function("speaks", (_SPEAKER, _OTHER), _INTERVALS, "Coded speech of x (with the label y).", coder)
    yield Function("names", (namer, named), _INTERVALS, "Coded naming by x, of y.", coder)
    wearer = Parameter("x", (Kind.NAME,), fits="person", coded=HEAD_MOTION)
    for name, words in (("head_moving", "moves"), ("head_still", "is still")):
        definition = f"Time in which the head of x {words}, from the motion sensors of a worn camera."
        yield Function(name, (wearer,), _INTERVALS, definition, f"{_ATOMS}:{name}")
    word = Parameter("word", (Kind.TEXT,))
    yield Function("says", (_SPEAKER, word), _INTERVALS, "Coded speech of x in which the word is.", f"{_ATOMS}:says")
    tier, label = Parameter("tier", (Kind.TEXT,)), Parameter("label", (Kind.TEXT,), optional=True)
    definition = "Codes of a tier, with a label, of a participant."
    yield Function("coded", (tier, label, _OTHER), _INTERVALS, definition, f"{_ATOMS}:coded_tier")


_STREAMS = (
    Function(
        "visible",
        (_X, _OTHER),
        _INTERVALS,
        "Time in which a track of x, and another one of y, is visible.",
        f"{_ATOMS}:visible",
    ),
    *_related(),
    Function(
        "posture",
        (_PERSON, Parameter("name", (Kind.TEXT,))),
        _INTERVALS,
        "Time in which x is standing, sitting, lying or held (name), from key points of the body (docs/bodies.md).",
        f"{_ATOMS}:posture",
    ),
    Function(
        "joint_handling",
        (_PERSON, _OTHER),
        _INTERVALS,
        "Time in which x and another person handle an object at once; y takes part.",
        f"{_ATOMS}:joint_handling",
        "Yu & Smith (2013), PLoS ONE 8: joint attention through hands; handling here from boxes",
    ),
    *_coded(),
    *_events(),
    Function(
        "alone",
        (_PERSON,),
        _INTERVALS,
        "Time in which x is visible and no other person is.",
        f"{_ATOMS}:alone",
    ),
    Function(
        "poor_quality",
        (Parameter("flag", (Kind.TEXT,), optional=True),),
        _INTERVALS,
        "Time that is hard to see: dark, blurred, moving_camera, small or edge (flag), or any of these.",
        f"{_ATOMS}:poor_quality",
    ),
    Function("processed", (), _INTERVALS, "Time of which frames were processed.", f"{_ATOMS}:processed"),
    Function(
        "between",
        (Parameter("begin", (Kind.TIME,)), Parameter("end", (Kind.TIME,))),
        _INTERVALS,
        "The window from begin to end, in seconds or percent of the processed span.",
        f"{_ATOMS}:between",
    ),
    Function(
        "around_naming",
        (_X, Parameter("each_side", (Kind.SECONDS,), optional=True, default="3s")),
        _INTERVALS,
        "Time within some seconds of the begin of a naming of x by anybody, in or outside the window.",
        f"{_ATOMS}:around_naming",
    ),
)

_OPERATORS = (
    Function(
        "at_least",
        (Parameter("n", (Kind.NUMBER,)), Parameter("a", (Kind.INTERVALS,))),
        _INTERVALS,
        "Time in which at least n intervals of a hold at once.",
        f"{_ATOMS}:at_least",
    ),
    Function("during", (_A, _B), None, "Those of a that lie wholly within one of b.", f"{_ATOMS}:during"),
    Function(
        "overlapping", (_A, _B), None, "Those of a that have time in common with b, whole.", f"{_ATOMS}:overlapping"
    ),
    Function(
        "longer_than",
        (Parameter("a", (Kind.INTERVALS,)), _seconds("length")),
        _INTERVALS,
        "Those intervals of a that are longer.",
        f"{_ATOMS}:longer_than",
    ),
    Function(
        "shorter_than",
        (Parameter("a", (Kind.INTERVALS,)), _seconds("length")),
        _INTERVALS,
        "Those intervals of a that are shorter.",
        f"{_ATOMS}:shorter_than",
    ),
    Function(
        "merged",
        (Parameter("a", (Kind.INTERVALS,)), _seconds("gap")),
        _INTERVALS,
        "a with pauses of up to gap bridged.",
        f"{_ATOMS}:merged_",
    ),
    Function(
        "padded",
        (_A, _seconds("before"), _seconds("after", optional=True)),
        _INTERVALS,
        "a, longer by before and after (or on both sides); of moments the time around them.",
        f"{_ATOMS}:padded_",
    ),
    Function("first", (_A,), None, "The first of a in each video.", f"{_ATOMS}:first"),
    Function("last", (_A,), None, "The last of a in each video.", f"{_ATOMS}:last"),
    Function("nth", (_A, Parameter("n", (Kind.NUMBER,))), None, "The nth of a in each video.", f"{_ATOMS}:nth_"),
    Function("starts", (_A,), _MOMENTS, "The moments at which a begins.", f"{_ATOMS}:starts"),
    Function("ends", (_A,), _MOMENTS, "The moments at which a ends.", f"{_ATOMS}:ends"),
    Function("since", (_A,), _INTERVALS, "From the first begin of a to the end of the video.", f"{_ATOMS}:since"),
    Function("after", (_A,), _INTERVALS, "From the first end of a to the end of the video.", f"{_ATOMS}:after"),
    Function("until", (_A,), _INTERVALS, "From the begin of the video to the last end of a.", f"{_ATOMS}:until"),
    Function("before", (_A,), _INTERVALS, "From the begin of the video to the first begin of a.", f"{_ATOMS}:before"),
    Function(
        "within",
        (_A, _B, _seconds("time")),
        None,
        "Those of a that begin at most so long before or after one of b begins.",
        f"{_ATOMS}:within_",
    ),
    Function(
        "then",
        (_A, _B, _seconds("time")),
        _INTERVALS,
        "From the begin of a to the end of the first b that begins at most so long after the end of a.",
        f"{_ATOMS}:then_",
    ),
    Function("nearest", (_A, _B), None, "The one of b that is nearest in time to each of a.", f"{_ATOMS}:nearest_"),
)

_BOXES = (
    Function(
        "size",
        (_X,),
        Type(Kind.BOX, "share"),
        "Share of the image that the largest box of x covers, while x is visible.",
        f"{_ATOMS}:box",
    ),
    Function(
        "view_share",
        (_X,),
        Type(Kind.BOX, "share"),
        "Share of the image that the largest box of x covers; 0 while x is not visible.",
        f"{_ATOMS}:box",
    ),
    Function(
        "centredness",
        (_X,),
        Type(Kind.BOX, "share"),
        "1 less the distance of the largest box's centre from the image's, in half diagonals.",
        f"{_ATOMS}:box",
    ),
    Function(
        "dominance",
        (_X,),
        Type(Kind.BOX, "share"),
        "1 while the largest box of x covers as much as all other objects together, else 0.",
        f"{_ATOMS}:box",
    ),
    Function("number", (_X,), Type(Kind.BOX, "count"), "Number of tracks of x in view.", f"{_ATOMS}:box"),
    Function(
        "gap",
        (_X, Parameter("y", (Kind.NAME,))),
        Type(Kind.BOX, "heights"),
        "Gap between the nearest edges of x and y in reference heights (core.predicates), while both are visible.",
        f"{_ATOMS}:box",
    ),
)


def _sum(
    name: str, parameters: tuple[Parameter, ...], unit: str, definition: str, *, module: str = _SUMS, **more: object
) -> Function:
    type_ = Type(Kind.YES_NO if unit == "yes/no" else Kind.VALUE, unit)
    return Function(name, parameters, type_, definition, f"{module}:{name}", **more)  # type: ignore[arg-type]


def _spread() -> Iterable[Function]:
    definitions = {
        "mean": "Mean of the lengths, times, or of a box quantity weighted by time.",
        "median": "Median of the lengths, times, or of a box quantity weighted by time.",
        "sd": "Standard deviation (of a sample: n − 1) of lengths or times, or of a box quantity weighted by time.",
        "min": "The smallest of them.",
        "max": "The largest of them.",
    }
    for name, definition in definitions.items():
        parameters = (Parameter("a", _SPREAD), _DURING)
        yield Function(name, parameters, Type(Kind.VALUE, "s"), definition, f"{_SUMS}:spread")


_AGGREGATES = (
    _sum("total", (_A,), "s", "Seconds in which a holds.", nothing=0.0),
    _sum(
        "share",
        (_A, _INSIDE),
        "share",
        "Part of the processed time (or of another stream) in which a holds.",
        nothing=0.0,
    ),
    _sum(
        "count",
        (Parameter("a", (*STREAM, Kind.SAMPLES)),),
        "count",
        "Number of intervals, moments or times.",
        nothing=0,
        whole=True,
        source=_BOUTS,
    ),
    _sum(
        "rate",
        (_A, _INSIDE),
        "per_min",
        "Number per minute of processed time (or within another stream per minute of it).",
        nothing=0.0,
        source=_BOUTS,
    ),
    *_spread(),
    _sum("shortest", (Parameter("a", (Kind.INTERVALS,)),), "s", "Length of the shortest interval of a."),
    _sum("longest", (Parameter("a", (Kind.INTERVALS,)),), "s", "Length of the longest interval of a.", nothing=0.0),
    _sum("first_time", (_A,), "s", "Begin of the first of a in the video.", per_video=True),
    _sum("last_time", (_A,), "s", "End of the last of a in the video.", per_video=True),
    _sum("first_seen", (_X,), "s", "Time stamp of the first processed frame in which x is visible.", per_video=True),
    _sum("last_seen", (_X,), "s", "Time stamp of the last processed frame in which x is visible.", per_video=True),
    _sum("exists", (_A,), "yes/no", "Whether a holds at any time.", nothing=0),
    _sum(
        "holds",
        (Parameter("a", (Kind.INTERVALS,)), Parameter("at", (Kind.TIME,), keyword=True)),
        "yes/no",
        "Whether a holds at a moment of the video.",
        nothing=0,
        per_video=True,
    ),
    Function(
        "latency",
        (Parameter("a", (Kind.ARROW,)), _seconds("within", optional=True, keyword=True)),
        Type(Kind.SAMPLES, "s"),
        "Times from the end of each a to the begin of the next b that begins before the next a does.",
        f"{_LAGS}:latency",
    ),
    Function(
        "pauses",
        (Parameter("a", STREAM),),
        Type(Kind.SAMPLES, "s"),
        "Lengths of the pauses between intervals of a, or of the times between moments.",
        f"{_LAGS}:pauses",
    ),
    _sum(
        "prob",
        (
            _B,
            _seconds("within", keyword=True),
            Parameter("after", STREAM, keyword=True),
            Parameter("shuffles", (Kind.NUMBER,), optional=True, keyword=True, default="200"),
            Parameter("seed", (Kind.NUMBER,), optional=True, keyword=True, default="0"),
        ),
        "share",
        "Share of a (after=) from whose begin b holds within some seconds; chance is that of a shifted in time.",
        module=_FOLLOWING,
        source="Bakeman & Quera (2011), Sequential Analysis: time-window lag sequences",
    ),
    _sum(
        "mean_number",
        (Parameter("a", (Kind.INTERVALS,)), _INSIDE),
        "count",
        "Mean number of intervals of a that hold at once, over the processed time (or another stream).",
        nothing=0.0,
    ),
    _sum(
        "most_at_once",
        (Parameter("a", (Kind.INTERVALS,)), _seconds("together")),
        "count",
        "Largest number of intervals of a that hold at once for so long in all (or half the time in which any does).",
        nothing=0,
        whole=True,
    ),
    _sum(
        "turns",
        (_SPEAKER, _ANSWERER),
        "count",
        "Utterances of x that y answers (docs/measures.md#turns).",
        nothing=0,
        whole=True,
        version=2,
    ),
    Function(
        "turn_lags",
        (_SPEAKER, _ANSWERER),
        Type(Kind.SAMPLES, "s"),
        "Times from the end of each utterance of x to the begin of y's answer (docs/measures.md#turns).",
        f"{_LAGS}:turn_lags",
        version=2,
    ),
)


def _by_name(functions: Iterable[Function]) -> Mapping[str, Function]:
    return MappingProxyType({function.name: function for function in functions})


FUNCTIONS: Mapping[str, Function] = _by_name((*_STREAMS, *_OPERATORS, *_BOXES, *_AGGREGATES, *SEQUENTIAL))
"""The functions by name. Groups (*top*, *which* …) and named measures are called like functions too."""

SELECTIONS: Mapping[str, str] = MappingProxyType(
    {
        "top": "The n names with the largest values.",
        "bottom": "The n names with the smallest values.",
        "which": "The names for which it is yes, or not 0.",
        "how_many": "How many names it is yes for, or not 0.",
    }
)
"""What makes names of an expression with a variable → its definition."""


def closest_function(word: str, more: Iterable[str] = ()) -> str | None:
    """The function whose name is most similar to a word; None if none is."""
    near = nearest_names(word.lower(), [*FUNCTIONS, *SELECTIONS, *more], limit=1)
    return near[0] if near else None
