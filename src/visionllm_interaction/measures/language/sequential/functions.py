"""The functions of the language whose definitions are the field's: gaze, rhythm, association, recurrence, naming."""

from __future__ import annotations

from collections.abc import Iterable

from visionllm_interaction.measures.language.types import STREAM, Function, Kind, Parameter, Type

_GAZE = "measures.language.sequential.gaze"
_EVENTS = "measures.language.sequential.temporal_statistics"
_YU_SMITH = "Yu & Smith (2013), PLoS ONE 8; (2016), Current Biology 26"
_HAND_EYE = "Yu & Smith (2013), PLoS ONE 8; (2017), Child Development 88"
_NAMING = "Yu & Smith (2012), Cognition 125"
_ENTROPY = "Krejtz et al. (2015), ACM Transactions on Applied Perception 13"
_LAGS = "Bakeman & Quera (2011), Sequential Analysis, chapters 9 and 11"
_CRQA = "Dale, Warlaumont & Richardson (2011), International Journal of Bifurcation and Chaos 21"
_TURNS = "Casillas & Scaff (2021), CogSci 43"

_GAZER = Parameter("x", (Kind.NAME,), fits="person", coded="gaze")
_SECOND = Parameter("y", (Kind.NAME,), fits="person", coded="gaze")
_SPEAKER = Parameter("x", (Kind.NAME,), fits="person", coded="speech")
_ANSWERER = Parameter("y", (Kind.NAME,), fits="person", coded="speech")
_TARGET = Parameter("z", (Kind.NAME,), optional=True, coded="gaze")
_NAMED = Parameter("x", (Kind.NAME,), coded="naming")
_A = Parameter("a", STREAM)
_INTERVALS, _MOMENTS = Type(Kind.INTERVALS), Type(Kind.MOMENTS)


def _seconds(name: str, default: str) -> Parameter:
    return Parameter(name, (Kind.SECONDS,), optional=True, keyword=True, default=default)


def _number(name: str, default: str) -> Parameter:
    return Parameter(name, (Kind.NUMBER,), optional=True, keyword=True, default=default)


def _value(
    name: str, parameters: tuple[Parameter, ...], unit: str, definition: str, module: str, source: str, *,
    whole: bool = False, per_video: bool = False, prepare: str | None = None,
) -> Function:  # fmt: skip
    return Function(
        name,
        parameters,
        Type(Kind.VALUE, unit),
        definition,
        f"{module}:{name}",
        source,
        whole=whole,
        per_video=per_video,
        prepared_by=prepare,
    )


def _gaze() -> Iterable[Function]:
    joint = (_GAZER, _SECOND, _TARGET, _seconds("length", "0.5s"), _seconds("gap", "1s"))
    yield Function(
        "joint_attention",
        joint,
        _INTERVALS,
        "Bouts of at least length in which x and y look at the same target (z); pauses up to gap do not end one.",
        f"{_GAZE}:joint_attention",
        _YU_SMITH,
    )
    yield Function(
        "leads",
        joint,
        Type(Kind.SAMPLES, "s"),
        "For each bout of joint attention, by how much the look of x began before that of y; below 0 y led.",
        f"{_GAZE}:leads",
        _YU_SMITH,
    )
    yield _value(
        "led",
        joint,
        "share",
        "Share of the bouts of joint attention with a leader into which x led.",
        _GAZE,
        _YU_SMITH,
        prepare=f"{_GAZE}:prepare_looks",
    )
    yield Function(
        "mutual_gaze",
        (_GAZER, _SECOND),
        _INTERVALS,
        "Time in which x looks at y and y at x.",
        f"{_GAZE}:mutual_gaze",
        "Kaye & Fogel (1980), Developmental Psychology 16",
    )
    yield Function(
        "sustained_attention",
        (
            _GAZER,
            Parameter("y", (Kind.NAME,), optional=True, coded="gaze"),
            _seconds("length", "3s"),
            _seconds("gap", "0s"),
        ),
        _INTERVALS,
        "Looks of x at one target (y) of at least length.",
        f"{_GAZE}:sustained_attention",
        "Ruff & Lawson (1990), Developmental Psychology 26; the limit of Yu & Smith (2016), Current Biology 26",
    )
    yield Function(
        "dwells",
        (_GAZER,),
        Type(Kind.SAMPLES, "s"),
        "Lengths of the looks of x, each at one target.",
        f"{_GAZE}:dwells",
        "Holmqvist et al. (2011), Eye Tracking",
    )
    yield Function(
        "shifts",
        (_GAZER,),
        _MOMENTS,
        "Begins of the looks of x that follow a look at another target.",
        f"{_GAZE}:shifts",
        "Ruff & Rothbart (1996), Attention in Early Development",
    )
    yield _value(
        "transition_entropy",
        (_GAZER,),
        "bits",
        "Mean entropy of the target that x looks at next, given the one that x looks at.",
        _GAZE,
        _ENTROPY,
        prepare=f"{_GAZE}:prepare_looks",
    )
    yield _value(
        "stationary_entropy",
        (_GAZER,),
        "bits",
        "Entropy of the targets that x looks at, over the looks that another follows.",
        _GAZE,
        _ENTROPY,
        prepare=f"{_GAZE}:prepare_looks",
    )
    hands = (_GAZER, Parameter("y", (Kind.NAME,), optional=True, fits="person"))
    yield Function(
        "hand_eye",
        hands,
        _INTERVALS,
        "Time in which x looks at what y (without y: x) holds.",
        f"{_GAZE}:hand_eye",
        _HAND_EYE,
    )
    yield Function(
        "eye_leads",
        hands,
        Type(Kind.SAMPLES, "s"),
        "For each holding by y (without y: x) in which x looks at the object, by how much the look began before it.",
        f"{_GAZE}:eye_leads",
        _HAND_EYE,
    )


def _rhythm() -> Iterable[Function]:
    yield _value(
        "burstiness",
        (_A,),
        "number",
        "Burstiness of the begins of a, in the form for few events: -1 regular, 0 random, towards 1 bursts.",
        _EVENTS,
        "Kim & Jo (2016), Physical Review E 94",
    )
    yield _value(
        "plain_burstiness",
        (_A,),
        "number",
        "Burstiness of the begins of a: (r - 1) / (r + 1), r the deviation over the mean of their distances in time.",
        _EVENTS,
        "Goh & Barabási (2008), EPL 81",
    )
    yield _value(
        "memory",
        (_A,),
        "number",
        "Correlation of each distance in time between begins of a with the next one.",
        _EVENTS,
        "Goh & Barabási (2008), EPL 81",
    )
    yield _value(
        "allan_factor",
        (_A, Parameter("window", (Kind.SECONDS,))),
        "number",
        "Allan factor of the begins of a in windows of that length: 1 random, more where they cluster at this scale.",
        _EVENTS,
        "Allan (1966), Proceedings of the IEEE 54; Abney et al. (2018), Cognitive Science 42",
    )


def _association() -> Iterable[Function]:
    parameters = (
        Parameter("b", STREAM),
        Parameter("within", (Kind.SECONDS,), keyword=True),
        Parameter("after", STREAM, keyword=True),
        _seconds("tick", "1s"),
    )
    table = "of ticks of time within so long after a begin of a (after=), and of ticks in which b begins"
    yield _value("odds_ratio", parameters, "number", f"Odds ratio {table}.", _EVENTS, _LAGS)
    yield _value("yules_q", parameters, "number", f"Yule's Q {table}.", _EVENTS, _LAGS)
    yield _value(
        "adjusted_residual", parameters, "number", f"Adjusted residual {table}.", _EVENTS, f"{_LAGS}; Haberman (1973)"
    )


def _speech() -> Iterable[Function]:
    yield _value(
        "answered",
        (_SPEAKER, _ANSWERER),
        "share",
        "Share of the utterances of x that y answers; what lies wholly inside the other's utterance does not count.",
        _EVENTS,
        _TURNS,
        prepare=f"{_EVENTS}:prepare_speech",
    )
    yield _value(
        "turns_against_chance",
        (_SPEAKER, _ANSWERER, _number("shuffles", "1000"), _number("seed", "0")),
        "count",
        "Utterances of x that y answers; chance is that of utterances in random order with random pauses.",
        _EVENTS,
        _TURNS,
        prepare=f"{_EVENTS}:prepare_speech",
        whole=True,
    )


def _recurrence() -> Iterable[Function]:
    parameters = (_GAZER, _SECOND, _seconds("step", "1s"))
    defined = {
        "recurrence_rate": ("share", "Share of all pairs of samples in which x and y look at the same target."),
        "determinism": ("share", "Share of these pairs on diagonals of at least 2: both go through the same targets."),
        "laminarity": ("share", "Share of these pairs on verticals of at least 2: x stays at what y looked at."),
        "trapping_time": ("s", "Mean length of these verticals."),
        "recurrence_lag": (
            "s",
            "Lag, up to 10 samples, at which x and y most often look at the same; above 0 x leads.",
        ),
    }
    for name, (unit, definition) in defined.items():
        yield _value(
            name, parameters, unit, definition, _EVENTS, _CRQA, per_video=True, prepare=f"{_GAZE}:prepare_looks"
        )


def _naming() -> Iterable[Function]:
    yield _value(
        "named_while",
        (_NAMED, Parameter("a", (Kind.INTERVALS,))),
        "share",
        "Share of the namings of x, by anybody, in which a holds at some time; of those in processed time.",
        _EVENTS,
        _NAMING,
        prepare=f"{_EVENTS}:prepare_naming",
    )
    yield Function(
        "naming_ranks",
        (_NAMED,),
        Type(Kind.SAMPLES, "rank"),
        "For each naming of x with x in view, the rank of its mean size among all objects: 1 is the largest.",
        f"{_EVENTS}:naming_ranks",
        _NAMING,
    )
    yield _value(
        "objects_handled",
        (Parameter("x", (Kind.NAME,), fits="person"),),
        "count",
        "How many different categories of objects x holds.",
        _EVENTS,
        "this project; see docs/sequential-measures.md",
        whole=True,
        prepare=f"{_EVENTS}:prepare_holding",
    )


SEQUENTIAL: tuple[Function, ...] = (
    *_gaze(),
    *_rhythm(),
    *_association(),
    *_speech(),
    *_recurrence(),
    *_naming(),
)
"""The functions of this file."""
