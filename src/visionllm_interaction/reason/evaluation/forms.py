"""The question forms of the evaluation: the plan each one means, canonical wordings, and free paraphrases.

``{a}``, ``{b}``, ``{c}`` are filled with words for things in the store, ``{t}`` and ``{u}`` with times in seconds,
``{n}`` with a number. Canonical wordings are what the rule planner promises to read; paraphrases stand in no table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from visionllm_interaction.reason.plan import Combine, Condition, Moment, Plan, Step
from visionllm_interaction.reason.shapes import LOOKED

Fill = Mapping[str, Any]
Kind = Literal["person", "thing", "any"]


@dataclass(frozen=True)
class EvalForm:
    """One form. ``places`` says what kind of thing goes where; ``plan`` None means that it must be refused."""

    name: str
    family: str
    places: Mapping[str, Kind]
    plan: Callable[[Fill], Plan] | None
    canonical: tuple[str, ...]
    norwegian: tuple[str, ...]
    paraphrases: tuple[str, ...]


def _step(fill: Fill, measure: str, *places: str, predicate: Any = None, **limits: Any) -> Step:
    names = [fill[place] for place in places]
    return Step(
        measure=measure,
        subject=names[0] if names else "",
        object=names[1] if len(names) > 1 else None,
        predicate=predicate,
        **limits,
    )


def _one(measure: str, *places: str, predicate: Any = None, **limits: str) -> Callable[[Fill], Plan]:
    def plan(fill: Fill) -> Plan:
        times = {key: float(fill[place]) for key, place in limits.items()}
        return Plan(steps=(_step(fill, measure, *places, predicate=predicate, **times),))

    return plan


def _while(
    measure: str, places: str, condition: str, *, held: Any = "visible", negated: bool = False, predicate: Any = None
) -> Callable[[Fill], Plan]:
    def plan(fill: Fill) -> Plan:
        names = [fill[place] for place in condition]
        limit = Condition(
            predicate=held, subject=names[0], object=names[1] if len(names) > 1 else None, negated=negated
        )
        return Plan(steps=(_step(fill, measure, *places, predicate=predicate, during=limit),))

    return plan


def _moment(
    measure: str, places: str, side: Literal["after", "before"], about: str, **what: Any
) -> Callable[[Fill], Plan]:
    def plan(fill: Fill) -> Plan:
        names = [fill[place] for place in about]
        predicate = what.get("predicate")
        moment = Moment(
            predicate=what.get("holds", "visible"),
            occurrence=what.get("occurrence", "first"),
            edge=what.get("edge", "begin"),
            subject=names[0],
            object=names[1] if len(names) > 1 else None,
        )
        step = _step(fill, measure, *places, predicate=predicate)
        return Plan(steps=(step.model_copy(update={side: moment}),))

    return plan


def _two(measure: str, first: str, second: str, combine: Combine, predicate: Any = None) -> Callable[[Fill], Plan]:
    def plan(fill: Fill) -> Plan:
        steps = tuple(_step(fill, measure, *places, predicate=predicate) for places in (first, second))
        return Plan(steps=steps, combine=combine)

    return plan


def _read(
    measure: str, places: str, combine: Combine, *, predicate: Any = None, threshold: bool = False
) -> Callable[[Fill], Plan]:
    def plan(fill: Fill) -> Plan:
        steps: tuple[Step, ...] = (_step(fill, measure, *places, predicate=predicate),)
        if combine in ("share", "rate"):
            steps += (Step(measure=LOOKED),)
        return Plan(steps=steps, combine=combine, threshold=float(fill["n"]) if threshold else None)

    return plan


def _all(
    measure: str, side: str, over: Literal["things", "people"], combine: Combine, predicate: Any = None
) -> Callable[[Fill], Plan]:
    """``side``: "a*" goes through objects of ``a``, "*b" through subjects with ``b``, "*" through subjects alone."""

    def plan(fill: Fill) -> Plan:
        steps = []
        for name in fill[over]:
            places = {**fill, "x": name}
            pair = side.replace("*", "x")
            if len({places[p] for p in pair}) == len(pair):
                steps.append(_step(places, measure, *pair, predicate=predicate))
        return Plan(steps=tuple(steps), combine=combine)

    return plan


def _absent(fill: Fill) -> Plan:
    return Plan(steps=(Step(measure=LOOKED, during=Condition(subject=fill["a"], negated=True)),))


_P: Mapping[str, Kind] = {"a": "person"}
_T: Mapping[str, Kind] = {"a": "thing"}
_X: Mapping[str, Kind] = {"a": "any"}
_PT: Mapping[str, Kind] = {"a": "person", "b": "thing"}
_PP: Mapping[str, Kind] = {"a": "person", "b": "person"}
_XX: Mapping[str, Kind] = {"a": "any", "b": "any"}
_TT: Mapping[str, Kind] = {"a": "thing", "b": "thing"}
_PPT: Mapping[str, Kind] = {"a": "person", "b": "person", "c": "thing"}
_PTT: Mapping[str, Kind] = {"a": "thing", "b": "thing", "c": "person"}
_PTP: Mapping[str, Kind] = {"a": "person", "b": "thing", "c": "person"}

VALUES: tuple[EvalForm, ...] = (
    EvalForm(
        "visible",
        "duration",
        _X,
        _one("visible_duration", "a"),
        ("How long was the {a} visible?", "How long can we see the {a}?"),
        ("Hvor lenge var {a} synlig?",),
        (
            "For what length of time does the {a} show on the screen?",
            "Add up the seconds in which one gets to see the {a}.",
            "How much screen time does the {a} get?",
        ),
    ),
    EvalForm(
        "together",
        "co-occurrence",
        _PT,
        _one("co_presence_duration", "a", "b"),
        ("How long were the {a} and the {b} visible together?",),
        ("Hvor lenge var {a} og {b} synlige samtidig?",),
        (
            "During how many seconds do we have both the {a} and the {b} on screen?",
            "Time that the {a} and the {b} share the picture?",
        ),
    ),
    EvalForm(
        "near",
        "duration",
        _PP,
        _one("near_duration", "a", "b"),
        ("How long was the {a} near the {b}?", "How long were the {a} and the {b} close to each other?"),
        ("Hvor lenge var {a} i nærheten av {b}?",),
        (
            "How many seconds did the {a} spend in the neighbourhood of the {b}, that is, near?",
            "Total time the {a} stayed close by the {b}?",
        ),
    ),
    EvalForm(
        "contact",
        "duration",
        _PT,
        _one("contact_duration", "a", "b"),
        ("How long was the {a} in contact with the {b}?",),
        ("Hvor lenge var {a} i kontakt med {b}?",),
        (
            "What is the sum of the time the {a} had the {b} in touch?",
            "For how many seconds was there physical contact between the {a} and the {b}?",
        ),
    ),
    EvalForm(
        "holding",
        "duration",
        _PT,
        _one("holding_duration", "a", "b"),
        ("How long did the {a} hold the {b}?", "How long was the {a} holding the {b}?"),
        ("Hvor lenge holdt {a} {b}?",),
        ("For how many seconds was the {b} being carried by the {a}?", "Total time the {a} kept hold of the {b}?"),
    ),
    EvalForm(
        "absent",
        "duration",
        _X,
        _absent,
        ("How long was the {a} out of view?",),
        ("Hvor lenge var {a} ute av bildet?",),
        ("For how many seconds was the {a} away from the picture?", "How much time passed with the {a} not visible?"),
    ),
    EvalForm(
        "count",
        "count",
        _X,
        _one("instance_count", "a"),
        ("How many {a+} are there?",),
        (),
        ("What number of {a+} turns up in the recording?", "Tell me how many {a+} one can make out."),
    ),
    EvalForm(
        "first-seen",
        "when",
        _X,
        _one("first_seen", "a"),
        ("When was the {a} first seen?",),
        ("Når ble {a} først sett?",),
        ("At which second does the {a} come on the scene first?", "Give the time of the {a}'s first appearance."),
    ),
    EvalForm(
        "last-seen",
        "when",
        _X,
        _one("last_seen", "a"),
        ("When was the {a} last seen?",),
        ("Når ble {a} sist sett?",),
        (
            "At which second do we lose sight of the {a} for the last time?",
            "Give the time of the {a}'s final appearance.",
        ),
    ),
    EvalForm(
        "first-hold",
        "when",
        _PT,
        _one("first_onset", "a", "b", predicate="holding"),
        ("When did the {a} first hold the {b}?",),
        ("Når tok {a} opp {b} for første gang?",),
        (
            "At what second does the {a} get the {b} in hand for the first time?",
            "Time at which the {a} initially picks the {b} up?",
        ),
    ),
    EvalForm(
        "last-hold",
        "when",
        _PT,
        _one("last_offset", "a", "b", predicate="holding"),
        ("When did the {a} let go of the {b} for the last time?",),
        ("Når slapp {a} {b} for siste gang?",),
        ("At what second does the {a} finally release the {b}?", "Time at which the {a} last had the {b} in hand?"),
    ),
    EvalForm(
        "times-held",
        "count",
        _PT,
        _one("bout_count", "a", "b", predicate="holding"),
        ("How many times did the {a} hold the {b}?",),
        ("Hvor mange ganger holdt {a} i {b}?",),
        (
            "On how many separate occasions was the {b} carried by the {a}?",
            "Count the times that the {a} took hold of the {b}.",
        ),
    ),
    EvalForm(
        "times-touched",
        "count",
        _PT,
        _one("bout_count", "a", "b", predicate="in_contact"),
        ("How many times did the {a} touch the {b}?",),
        (),
        ("On how many occasions was the {a} in touch with the {b}?", "Count the {a}'s contacts with the {b}."),
    ),
    EvalForm(
        "times-near",
        "count",
        _PP,
        _one("bout_count", "a", "b", predicate="near"),
        ("How many times was the {a} near the {b}?",),
        ("Hvor mange ganger var {a} i nærheten av {b}?",),
        ("How frequently did the {a} get close to the {b}?", "Number of occasions that the {a} was beside the {b}?"),
    ),
    EvalForm(
        "times-visible",
        "count",
        _X,
        _one("bout_count", "a", predicate="visible"),
        ("How many times was the {a} visible?",),
        ("Hvor mange ganger var {a} synlig?",),
        ("How frequently does the {a} come into view?", "Number of occasions on which we see the {a}?"),
    ),
    EvalForm(
        "longest-held",
        "longest",
        _PT,
        _one("longest_bout", "a", "b", predicate="holding"),
        ("What was the longest time the {a} held the {b}?",),
        ("Hva var den lengste tiden {a} holdt {b}?",),
        (
            "What is the record time of the {a} carrying the {b} without a break?",
            "Longest uninterrupted hold of the {b} by the {a}?",
        ),
    ),
    EvalForm(
        "longest-near",
        "longest",
        _PP,
        _one("longest_bout", "a", "b", predicate="near"),
        ("What was the longest time the {a} was near the {b}?",),
        (),
        (
            "Longest single period of the {a} staying close to the {b}?",
            "The {a} and the {b}: how long was the longest stretch beside each other?",
        ),
    ),
    EvalForm(
        "longest-visible",
        "longest",
        _X,
        _one("longest_bout", "a", predicate="visible"),
        ("What is the longest time the {a} was in view?",),
        ("Hva var den lengste tiden {a} var synlig?",),
        (
            "Longest unbroken stretch with the {a} on screen?",
            "For how long at a stretch do we see the {a} at most, the longest period?",
        ),
    ),
    EvalForm(
        "mean-held",
        "average",
        _PT,
        _one("mean_bout", "a", "b", predicate="holding"),
        ("What was the average length of the {a} holding the {b}?",),
        (),
        ("On average, how long did one hold of the {b} by the {a} last?",),
    ),
    EvalForm(
        "window-between",
        "window",
        _X,
        _one("visible_duration", "a", begin_s="t", end_s="u"),
        ("How long was the {a} visible between {t} and {u} seconds?",),
        ("Hvor lenge var {a} synlig mellom {t} og {u} sekunder?",),
        (
            "From {t} s to {u} s, for how long does one see the {a}?",
            "Look at seconds {t} to {u}: how much of that time is the {a} on screen?",
        ),
    ),
    EvalForm(
        "window-first",
        "window",
        _PP,
        _one("near_duration", "a", "b", end_s="u"),
        ("How long was the {a} near the {b} in the first {u} seconds?",),
        ("Hvor lenge var {a} i nærheten av {b} i de første {u} sekundene?",),
        ("Within the opening {u} seconds, how much time did the {a} spend close to the {b}?",),
    ),
    EvalForm(
        "window-after",
        "window",
        _PT,
        _one("bout_count", "a", "b", predicate="holding", begin_s="t"),
        ("How many times did the {a} hold the {b} after {t} seconds?",),
        ("Hvor mange ganger holdt {a} i {b} etter {t} sekunder?",),
        ("After {t} s, on how many occasions did the {a} carry the {b}?",),
    ),
    EvalForm(
        "hold-while-visible",
        "while",
        _PTP,
        _while("holding_duration", "ab", "c"),
        ("How long did the {a} hold the {b} while the {c} was visible?",),
        ("Hvor lenge holdt {a} {b} mens {c} var synlig?",),
        (
            "With the {c} on screen, for how long did the {a} carry the {b}?",
            "For how many seconds did the {a} have the {b} in hand when the {c} was in sight?",
        ),
    ),
    EvalForm(
        "visible-while-absent",
        "while",
        _PP,
        _while("visible_duration", "a", "b", negated=True),
        (
            "How long was the {a} visible while the {b} was out of view?",
            "While the {b} was away, how long was the {a} visible?",
        ),
        ("Hvor lenge var {a} synlig mens {b} ikke var synlig?",),
        (
            "How many seconds do we see the {a} at times when the {b} was gone?",
            "How much time was the {a} on screen while the {b} was not there?",
        ),
    ),
    EvalForm(
        "near-while-holding",
        "while",
        _PTP,
        _while("near_duration", "ca", "ab", held="holding"),
        ("How long was the {c} near the {a} while the {a} held the {b}?",),
        ("Hvor lenge var {c} i nærheten av {a} mens {a} holdt {b}?",),
        ("How many seconds was the {c} next to the {a} as long as the {a} carried the {b}?",),
    ),
    EvalForm(
        "times-while",
        "while",
        _PTP,
        _while("bout_count", "ab", "c", predicate="in_contact"),
        ("How many times did the {a} touch the {b} while the {c} was in view?",),
        (),
        ("On how many occasions did the {a} make contact with the {b} while one could see the {c}?",),
    ),
    EvalForm(
        "visible-after-came",
        "before/after",
        _PP,
        _moment("visible_duration", "a", "after", "b"),
        ("How long was the {a} visible after the {b} first came in?",),
        ("Hvor lenge var {a} synlig etter at {b} kom inn?",),
        (
            "Once the {b} had turned up, for how many seconds did we see the {a}?",
            "How many seconds was the {a} on screen after the {b} appeared?",
        ),
    ),
    EvalForm(
        "times-before-held",
        "before/after",
        _PT,
        _moment("bout_count", "ab", "before", "ab", holds="holding", predicate="near"),
        ("How many times was the {a} near the {b} before the {a} first held the {b}?",),
        ("Hvor mange ganger var {a} i nærheten av {b} før {a} plukket opp {b}?",),
        ("Before the {a} picked up the {b}, on how many occasions was the {a} close to the {b}?",),
    ),
    EvalForm(
        "near-after-released",
        "before/after",
        _PTP,
        _moment("near_duration", "ac", "after", "ab", holds="holding", edge="end"),
        ("How long was the {a} near the {c} after the {a} put down the {b}?",),
        (),
        ("How many seconds did the {a} stay close to the {c} after the {a} let go of the {b}?",),
    ),
)

READINGS: tuple[EvalForm, ...] = (
    EvalForm(
        "who-visible-longer",
        "comparison",
        _PP,
        _two("visible_duration", "a", "b", "largest"),
        ("Who was visible longer, the {a} or the {b}?",),
        ("Hvem var lengst synlig, {a} eller {b}?",),
        (
            "Between the {a} and the {b}, who gets more time on screen?",
            "Who of the two is to be seen for the longer time: the {a} or the {b}?",
        ),
    ),
    EvalForm(
        "who-held-longer",
        "comparison",
        _PPT,
        _two("holding_duration", "ac", "bc", "largest"),
        ("Who held the {c} longer, the {a} or the {b}?",),
        ("Hvem holdt {c} lengst, {a} eller {b}?",),
        ("Did the {a} or the {b} carry the {c} for more seconds?",),
    ),
    EvalForm(
        "held-which-longer",
        "comparison",
        _PTT,
        _two("holding_duration", "ca", "cb", "largest"),
        ("Which did the {c} hold longer, the {a} or the {b}?",),
        (),
        ("Did the {c} spend more time holding the {a} or the {b}?",),
    ),
    EvalForm(
        "who-came-first",
        "order",
        _PP,
        _two("first_seen", "a", "b", "smallest"),
        ("Who came in first, the {a} or the {b}?",),
        ("Hvem kom først inn, {a} eller {b}?",),
        ("Which of the two shows up earlier, the {a} or the {b}?",),
    ),
    EvalForm(
        "who-left-last",
        "order",
        _PP,
        _two("last_seen", "a", "b", "largest"),
        ("Who was last seen later, the {a} or the {b}?", "Who left last, the {a} or the {b}?"),
        (),
        ("Which of them stays in view until later, the {a} or the {b}?",),
    ),
    EvalForm(
        "who-let-go-first",
        "order",
        _PPT,
        _two("last_offset", "ac", "bc", "smallest", "holding"),
        ("Who let go of the {c} first, the {a} or the {b}?",),
        (),
        ("Was it the {a} or the {b} who released the {c} earlier?",),
    ),
    EvalForm(
        "longest-toy",
        "comparison",
        {},
        _all("visible_duration", "*", "things", "largest"),
        ("Which toy was visible longest?",),
        ("Hvilken leke var lengst synlig?",),
        ("What toy do we get to see for the most time?", "Of all toys, which one has the most screen time?"),
    ),
    EvalForm(
        "longest-held-toy",
        "comparison",
        _P,
        _all("holding_duration", "a*", "things", "largest"),
        ("Which toy did the {a} hold longest?",),
        ("Hvilken leke holdt {a} lengst?",),
        ("What toy was carried by the {a} for the most time?",),
    ),
    EvalForm(
        "who-held",
        "who",
        {"b": "thing"},
        _all("bout_count", "*b", "people", "which", "holding"),
        ("Who held the {b}?",),
        ("Hvem holdt {b}?",),
        ("By whom was the {b} carried?", "Which people had the {b} in their hands?"),
    ),
    EvalForm(
        "who-touched",
        "who",
        {"b": "thing"},
        _all("bout_count", "*b", "people", "which", "in_contact"),
        ("Who touched the {b}?",),
        (),
        ("Which people made contact with the {b}?",),
    ),
    EvalForm(
        "what-held",
        "what",
        _P,
        _all("bout_count", "a*", "things", "which", "holding"),
        ("Which toys did the {a} hold?",),
        ("Hvilke leker holdt {a}?",),
        ("List the toys that the {a} carried.", "What things were in the {a}'s hands?"),
    ),
    EvalForm(
        "what-near",
        "what",
        _P,
        _all("bout_count", "a*", "things", "which", "near"),
        ("Which toys was the {a} near?",),
        (),
        ("List the objects that the {a} came close to.",),
    ),
    EvalForm(
        "what-visible",
        "what",
        {},
        _all("visible_duration", "*", "things", "which"),
        ("Which toys were visible?",),
        ("Hvilke leker var synlige?",),
        ("List the toys that show up in the picture.",),
    ),
    EvalForm(
        "order-seen",
        "order",
        {},
        _all("first_seen", "*", "things", "order"),
        ("In what order were the toys first seen?",),
        ("I hvilken rekkefølge ble lekene først sett?",),
        ("Sort the toys by when they first appear.",),
    ),
    EvalForm(
        "seen-before",
        "order",
        _XX,
        _two("first_seen", "a", "b", "precedes"),
        ("Was the {a} seen before the {b}?",),
        ("Ble {a} sett før {b}?",),
        ("Does the {a} show up earlier than the {b}?",),
    ),
    EvalForm(
        "difference-visible",
        "difference",
        _XX,
        _two("visible_duration", "a", "b", "difference"),
        ("How much longer was the {a} visible than the {b}?",),
        ("Hvor mye lenger var {a} synlig enn {b}?",),
        ("By how many seconds does the {a}'s time on screen exceed that of the {b}?",),
    ),
    EvalForm(
        "difference-held",
        "difference",
        _PPT,
        _two("holding_duration", "ac", "bc", "difference"),
        ("How much longer did the {a} hold the {c} than the {b}?",),
        (),
        ("By how many seconds did the {a} carry the {c} longer than the {b}?",),
    ),
    EvalForm(
        "share-visible",
        "share",
        _X,
        _read("visible_duration", "a", "share"),
        ("What share of the time was the {a} visible?", "What percentage of the video was the {a} visible?"),
        ("Hvor stor del av tiden var {a} synlig?",),
        (
            "For what fraction of the recording do we see the {a}?",
            "The {a} is on screen for how many percent of the time?",
        ),
    ),
    EvalForm(
        "share-near",
        "share",
        _PP,
        _read("near_duration", "ab", "share"),
        ("What share of the time was the {a} near the {b}?",),
        ("Hvor stor del av tiden var {a} i nærheten av {b}?",),
        ("For which percentage of the recording did the {a} stay close to the {b}?",),
    ),
    EvalForm(
        "rate-held",
        "rate",
        _PT,
        _read("bout_count", "ab", "rate", predicate="holding"),
        ("How often per minute did the {a} hold the {b}?",),
        ("Hvor mange ganger per minutt holdt {a} {b}?",),
        ("What is the rate per minute of the {a} carrying the {b}?",),
    ),
    EvalForm(
        "is-visible",
        "yes/no",
        _X,
        _read("visible_duration", "a", "exists"),
        ("Was the {a} ever visible?", "Was the {a} seen?"),
        ("Var {a} synlig?",),
        ("Do we see the {a} at all?", "Does the {a} turn up anywhere?"),
    ),
    EvalForm(
        "did-hold",
        "yes/no",
        _PT,
        _read("bout_count", "ab", "exists", predicate="holding"),
        ("Did the {a} hold the {b}?",),
        ("Holdt {a} {b}?",),
        ("Was the {b} at any time carried by the {a}?", "Is there a moment in which the {a} has the {b} in hand?"),
    ),
    EvalForm(
        "was-near",
        "yes/no",
        _PP,
        _read("bout_count", "ab", "exists", predicate="near"),
        ("Was the {a} ever near the {b}?",),
        ("Var {a} i nærheten av {b}?",),
        ("Did the {a} at any time get close to the {b}?",),
    ),
    EvalForm(
        "did-touch",
        "yes/no",
        _PT,
        _read("bout_count", "ab", "exists", predicate="in_contact"),
        ("Did the {a} touch the {b}?",),
        (),
        ("Was there any contact between the {a} and the {b}?",),
    ),
    EvalForm(
        "more-than",
        "yes/no",
        _X,
        _read("visible_duration", "a", "exceeds", threshold=True),
        ("Was the {a} visible for more than {n} seconds?",),
        ("Var {a} synlig i mer enn {n} sekunder?",),
        ("Do we get to see the {a} for longer than {n} s?",),
    ),
    EvalForm(
        "in-how-many-videos",
        "videos",
        _X,
        _read("visible_duration", "a", "videos"),
        ("In how many videos was the {a} visible?",),
        ("I hvor mange videoer var {a} synlig?",),
        ("What number of recordings show the {a}?",),
    ),
    EvalForm(
        "mean-per-video",
        "average",
        _X,
        _read("visible_duration", "a", "mean"),
        ("How long was the {a} visible per video on average?",),
        (),
        ("Averaged over the recordings, for how long is the {a} on screen?",),
    ),
)

UNANSWERABLE: tuple[EvalForm, ...] = (
    EvalForm(
        "unknown-thing",
        "false premise",
        {"a": "person"},
        None,
        (
            "When did the dog leave?",
            "How long was the piano visible?",
            "How many times did the {a} hold the guitar?",
            "How long did the {a} hold the cat?",
        ),
        ("Hvor lenge var hunden synlig?",),
        (
            "For how long could one see the helicopter?",
            "At what second does the horse trot in?",
            "Did the {a} carry the umbrella?",
            "How long was the {a} next to the television?",
        ),
    ),
    EvalForm(
        "unknown-video",
        "false premise",
        _X,
        None,
        ("How long was the {a} visible in video room_s99_123?",),
        (),
        ("In the recording room_s99_123, when do we see the {a} first?",),
    ),
    EvalForm(
        "feelings",
        "unanswerable",
        _P,
        None,
        ("Was the {a} happy?", "How sad was the {a}?"),
        ("Var {a} glad?",),
        ("Did the {a} seem bored at the end?", "How did the {a} feel about it?"),
    ),
    EvalForm(
        "sound",
        "unanswerable",
        _P,
        None,
        ("What did the {a} say?", "How loud was the {a}?"),
        ("Hva sa {a}?",),
        ("Could one hear the {a} laughing?", "Which words were spoken by the {a}?"),
    ),
    EvalForm(
        "intention",
        "unanswerable",
        _PT,
        None,
        ("Why did the {a} hold the {b}?",),
        ("Hvorfor holdt {a} {b}?",),
        ("What was the {a} planning to do with the {b}?", "For what reason was the {b} picked up by the {a}?"),
    ),
    EvalForm(
        "looks",
        "unanswerable",
        _T,
        None,
        ("What colour is the {a}?", "How big was the {a}?"),
        (),
        ("Which colour does the {a} have?", "Is the {a} made of wood?"),
    ),
    EvalForm(
        "speed",
        "unanswerable",
        _P,
        None,
        ("How fast did the {a} walk?", "How far was the {a} from the door?"),
        (),
        ("At what speed was the {a} moving?", "How many metres did the {a} walk?"),
    ),
    EvalForm(
        "judgement",
        "unanswerable",
        _P,
        None,
        ("Is the {a} a good parent?",),
        (),
        ("Does the {a} have autism?", "Who of them is nicer?", "Would the {a} rather be at home?"),
    ),
)

FORMS: tuple[EvalForm, ...] = (*VALUES, *READINGS, *UNANSWERABLE)
