"""The prompt with which a language model writes an expression: the language in short, the names, worked examples."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.measures.api import ANY_PERSON
from visionllm_interaction.reasoning.grammar.meaning import quoted
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary

NO_EXPRESSION = "none"
"""What the model writes for a question that the language does not express."""
_SYNONYMS = 3
_MOST_NAMES = 40
"""Names listed in the prompt; names that the question speaks of stand in every prompt."""

_HEAD = """\
Write the question about videos as one expression. Do not answer it. Reply {{"expression": "…"}}.

Names (and other words for them): {names}
person is anybody, thing any object. $o is each object in turn, $p each person.

Times in which something holds: visible(x), visible(x, y), near(x, y), in_contact(x, y) touches, \
holding(person, object), alone(person){coded_states}
Moments: picks_up(person, object), puts_down(person, object), hands_over(giver, receiver, object), enters(person), \
leaves(person), starts(a), ends(a)
Combined: a & b at the same time, while; a | b; !a not; merged(a, 0.5s) bouts; longer_than(a, 3s); at_least(2, a); \
first(a), last(a), nth(a, 2); since(first(a)) from then on; before(first(a)) until then; \
padded(a, 0s, 3s) within 3 s after a; padded(a, 3s, 0s) within 3 s before; between(5s, 10s); between(0%, 50%) first half
Numbers: total(a) seconds; share(a) of the time; share(a, of=b) of b; count(a) how often; rate(a) times per minute; \
mean(a), median(a), longest(a), shortest(a) of bouts; first_time(a), last_time(a) when; mean(gap(x, y)), \
min(gap(x, y)) distance; median(latency(a -> b)) seconds from a to b; prob(b, within=3s, after=a) share of a followed \
by b{coded_values}
Yes or no: exists(a); holds(a, at=12s); number > number
Names: top(1, number by $o) the most; bottom(1, number by $o) the least or first; which(yes_or_no by $o); \
how_many(yes_or_no by $o)
Use only what the question says. If the language has nothing for it, write none."""
_CODED_STATES = {
    "gaze": ", looks_at(person, x), joint_attention(x, y), mutual_gaze(x, y)",
    "speech": ", speaks(person)",
    "naming": ", names(person, object)",
}
_CODED_VALUES = {"speech": "; turns(x, y) answers of y to x"}


class ExpressionExample(Struct, frozen=True):
    """One worked example: a question and its expression."""

    question: str
    expression: str


def expression_instructions(vocabulary: Vocabulary) -> str:
    """The system prompt; its length depends on the number of names, never on the length of the videos."""
    names = "; ".join(_with_synonyms(name, vocabulary) for name in _people_first(vocabulary)[:_MOST_NAMES])
    states = "".join(text for kind, text in _CODED_STATES.items() if kind in vocabulary.coded)
    values = "".join(text for kind, text in _CODED_VALUES.items() if kind in vocabulary.coded)
    return _HEAD.format(names=names, coded_states=states, coded_values=values)


def expression_request(question: str, vocabulary: Vocabulary) -> str:
    """The question as data, with the names that its words stand for."""
    said = dict.fromkeys(name for name, _ in vocabulary.mentions(question))
    listed = ", ".join(quoted(name) for name in said) or "none"
    return f"Question: {question}\nNames: {listed}"


def expression_examples(vocabulary: Vocabulary) -> tuple[ExpressionExample, ...]:
    """Worked examples over this store's names; none where the store has no person or no object."""
    names = _people_first(vocabulary)
    people = [quoted(name) for name in names if name in PERSON_CATEGORIES]
    things = [quoted(name) for name in names if name not in PERSON_CATEGORIES]
    if not people or not things:
        return ()
    other = people[1] if len(people) > 1 else "person"
    return tuple(_examples(people[0], other, things[0], things[-1]))


def _examples(who: str, other: str, toy: str, last: str) -> Iterator[ExpressionExample]:
    held = f"merged(holding({who}, {toy}), 0.5s)"
    near = f"near({who}, {other})"
    pairs = (
        (f"For how long in all is the {last} to be seen?", f"total(visible({last}))"),
        (f"On how many occasions did the {who} grip the {toy}?", f"count({held})"),
        (f"What is the mean length of the {who}'s grips of the {toy}?", f"mean({held})"),
        (f"In what share of the video is the {who} beside the {other}?", f"share({near})"),
        (
            f"While the {last} was in view, which part of the time did the {who} carry the {toy}?",
            f"share(holding({who}, {toy}), of=visible({last}))",
        ),
        (f"How many times a minute does the {other} lift something?", f"rate(picks_up({other}, thing))"),
        (
            f"How long was the {who} carrying something when the {other} was not near?",
            f"total(holding({who}, thing) & !{near})",
        ),
        (f"Seconds with the {toy} on screen but not the {last}?", f"total(visible({toy}) & !visible({last}))"),
        (f"What is the {who} holding for most of the time?", f"top(1, total(holding({who}, $o)) by $o)"),
        (f"Which two things did the {other} lift most often?", f"top(2, count(picks_up({other}, $o)) by $o)"),
        ("Who was the first to hold anything?", "bottom(1, first_time(holding($p, thing)) by $p)"),
        (f"Name the objects that the {who} did not touch.", f"which(!exists(in_contact({who}, $o)) by $o)"),
        (f"Number of different objects lifted by the {who}?", f"how_many(exists(picks_up({who}, $o)) by $o)"),
        (f"At what time did the {who} lay down the {toy} first?", f"first_time(puts_down({who}, {toy}))"),
        (f"When did the {who} grip the {toy} a third time?", f"first_time(nth({held}, 3))"),
        (f"Did {who} and {other} ever touch?", f"exists(in_contact({who}, {other}))"),
        (f"Was the {toy} to be seen at 7 seconds?", f"holds(visible({toy}), at=7s)"),
        (
            f"Was the {toy} carried for longer by the {who} than by the {other}?",
            f"total(holding({who}, {toy})) > total(holding({other}, {toy}))",
        ),
        (
            f"How much more time was {who} near {other} in the second half than in the first?",
            f"total({near} & between(50%, 100%)) - total({near} & between(0%, 50%))",
        ),
        (
            f"How often did the {other} lift something at most 4 s after the {who} laid something down?",
            f"count(picks_up({other}, thing) & padded(puts_down({who}, thing), 0s, 4s))",
        ),
        (
            f"Seconds, on average, from the {other} laying down the {toy} to the {who} lifting it?",
            f"mean(latency(puts_down({other}, {toy}) -> picks_up({who}, {toy})))",
        ),
        (
            f"Which share of the times the {who} lifted something did the {other} come in within 2 s?",
            f"prob(enters({other}), within=2s, after=picks_up({who}, thing))",
        ),
        (f"What is the mean distance of {who} and {other}?", f"mean(gap({who}, {other}))"),
        (
            f"How long was the {last} in view after the {who} first gripped it?",
            f"total(visible({last}) & since(first(holding({who}, {last}))))",
        ),
        (f"Is the {who} fond of the {toy}?", NO_EXPRESSION),
        (f"How fast did the {other} run?", NO_EXPRESSION),
    )
    for question, expression in pairs:
        yield ExpressionExample(question, expression)


def _people_first(vocabulary: Vocabulary) -> list[str]:
    roles = ("child", "caregiver")
    names = [name for name in vocabulary.names if name != ANY_PERSON]
    return sorted(names, key=lambda name: (name not in PERSON_CATEGORIES, name not in roles, name == roles[1]))


def _with_synonyms(name: str, vocabulary: Vocabulary) -> str:
    synonyms = vocabulary.synonyms(name, limit=_SYNONYMS)
    return f"{quoted(name)} ({', '.join(synonyms)})" if synonyms else quoted(name)
