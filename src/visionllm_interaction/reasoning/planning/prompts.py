"""The prompt of the llm planner: the catalogue in words, the store's names, and worked examples built from them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.measures.api import ANY_PERSON
from visionllm_interaction.reasoning.language.patterns import ABSENT
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.planning.capabilities import LLM_MEASURES, PROCESSED_DURATION, SIGNATURES

NONE = "none"
"""What the model writes where a part of the plan is not set."""
UNANSWERABLE = "unanswerable"
"""The measure of a question that nothing in the catalogue answers."""

_MEASURES: Mapping[str, str] = {
    "visible_duration": "how long SUBJECT is visible, seen, on screen",
    ABSENT: "how long SUBJECT is not visible, out of view, away",
    "instance_count": "how many SUBJECTs there are (number of things)",
    "first_seen": "when SUBJECT appears, comes in, is seen first",
    "last_seen": "when SUBJECT leaves, is seen last",
    "first_onset": "when SUBJECT is PREDICATE OBJECT for the first time (takes, touches, comes near)",
    "last_offset": "when SUBJECT stops being PREDICATE OBJECT for the last time (lets go, puts down)",
    "co_presence_duration": "how long SUBJECT and OBJECT are both visible at the same time",
    "near_duration": "how long SUBJECT is near, close to OBJECT",
    "contact_duration": "how long SUBJECT touches OBJECT",
    "holding_duration": "how long SUBJECT holds, carries OBJECT",
    "bout_count": "how many times, how often SUBJECT is PREDICATE OBJECT (number of occasions)",
    "longest_bout": "the longest single time that SUBJECT is PREDICATE OBJECT",
    "mean_bout": "the average length of one time that SUBJECT is PREDICATE OBJECT",
    UNANSWERABLE: "anything else: feelings, speech, looks, reasons, speed, or a thing that is not listed",
}
_SYNONYMS = 4
"""Synonyms shown per name; more would only cost tokens."""

_HEAD = """\
Turn the question about a video into one query. Do not answer the question.

measure:
{measures}

subject and object, only these (with some other words for them):
{names}

predicate, only where the measure says PREDICATE: visible (no object), near, in_contact (touching), holding (in hand).
begin_s, end_s: seconds, only if the question names a part of the video, else null.
Write "each" for the side that is compared or listed, "none" for what is not needed."""


class PlanExample(Struct, frozen=True):
    """One worked example: a question, and the fields of its plan."""

    question: str
    fields: Mapping[str, Any]
    wants: str = "a value"


def instructions(vocabulary: Vocabulary) -> str:
    """The system prompt; its length depends on the number of names, never on the length of the videos."""
    measures = "\n".join(f"- {name}: {text}" for name, text in _in_words().items())
    names = "\n".join(f"- {_with_synonyms(name, vocabulary)}" for name in _people_first(vocabulary))
    return _HEAD.format(measures=measures, names=names)


def _in_words() -> dict[str, str]:
    """Every measure in words for the model; new ones of the catalogue by definition."""
    known = {
        name: _MEASURES.get(name, SIGNATURES[name].definition)
        for name in SIGNATURES
        if name in LLM_MEASURES - {PROCESSED_DURATION}
    }
    return {**{name: text for name, text in _MEASURES.items() if name in (*known, ABSENT)}, **known} | {
        UNANSWERABLE: _MEASURES[UNANSWERABLE]
    }


def user_prompt(question: str, vocabulary: Vocabulary, *, wants: str = "a value") -> str:
    """The question as data, with the store's names that its words stand for, in order, and what it asks for."""
    said = dict.fromkeys(name for name, _ in vocabulary.mentions(question))
    return f"Question: {question}\nThings: {', '.join(said) or 'none listed'}\nWanted: {wants}"


def _with_synonyms(name: str, vocabulary: Vocabulary) -> str:
    synonyms = vocabulary.synonyms(name, limit=_SYNONYMS)
    return f"{name} ({', '.join(synonyms)})" if synonyms else name


def examples(vocabulary: Vocabulary) -> tuple[PlanExample, ...]:
    """Worked examples over this store's names; none where the store has fewer than two."""
    names = _people_first(vocabulary)
    if len(names) < 2:
        return ()
    people = [name for name in names if name in PERSON_CATEGORIES]
    things = [name for name in names if name not in PERSON_CATEGORIES]
    first = (people or things)[0]
    second = people[1] if len(people) > 1 else next(name for name in things if name != first)
    return tuple(_examples(first, second, things or people))


def _people_first(vocabulary: Vocabulary) -> list[str]:
    """The names, people first and *person*, which is anybody, after the others: examples take them in this order."""
    roles = ("child", "caregiver")
    return sorted(
        vocabulary.names,
        key=lambda name: (name not in PERSON_CATEGORIES, name == ANY_PERSON, name not in roles, name == roles[1]),
    )


def _examples(who: str, other: str, toys: list[str]) -> Iterator[PlanExample]:
    toy, last = toys[0], toys[-1]
    yield _example(f"What is the overall time that the {last} is on screen?", "visible_duration", last)
    yield _example(f"Number of different {toy}s?", "instance_count", toy)
    yield _example(f"Tell me the moment where the {who} shows up.", "first_seen", who)
    yield _example(f"After which time is the {toy} gone?", "last_seen", toy)
    yield _example(f"Time during which {who} and {last} can be seen together?", "co_presence_duration", who, last)
    yield _example(f"Duration of the {who} being next to the {other}", "near_duration", who, other)
    yield _example(f"How long do {who} and {last} touch?", "contact_duration", who, last)
    yield _example(f"How often does the {who} grip the {last}?", "bout_count", who, last, predicate="holding")
    yield _example(f"Number of times the {other} came near the {who}", "bout_count", other, who, predicate="near")
    yield _example(f"How often did the {toy} come into view?", "bout_count", toy, predicate="visible")
    yield _example(f"Longest touch between {who} and {toy}?", "longest_bout", who, toy, predicate="in_contact")
    yield _example(f"Longest time the {other} carried the {toy}?", "longest_bout", other, toy, predicate="holding")
    yield _example(f"Time the {who} was visible from 20 to 31.5 s", "visible_duration", who, begin_s=20, end_s=31.5)
    yield _example(f"How many {last}s are there after 1:30?", "instance_count", last, begin_s=90)
    yield _example(f"How much time did the {who} carry the {toy}?", "holding_duration", who, toy)
    yield _example(f"At what second did the {who} grasp the {toy} first?", "first_onset", who, toy, predicate="holding")
    yield _example(f"When did {other} and {last} last touch?", "last_offset", other, last, predicate="in_contact")
    yield _example(f"Typical length of the {who} being beside the {other}", "mean_bout", who, other, predicate="near")
    yield _example(f"How many seconds is the {last} gone?", ABSENT, last)
    most, yes, listed = "who or what has most of it", "yes or no", "a list"
    share = "a duration as share of the video"
    yield _example(f"Which one is seen for more time, {toy} or {last}?", "visible_duration", "each", wants=most)
    yield _example(f"Who had the {toy} in hand for more seconds?", "holding_duration", "each", toy, wants=most)
    yield _example(f"Is the {toy} to be seen?", "visible_duration", toy, wants=yes)
    yield _example(f"Has the {who} been close to the {last}?", "near_duration", who, last, wants=yes)
    yield _example(f"Which part of the film is {who} beside {other}?", "near_duration", who, other, wants=share)
    yield _example("Name everything that one gets to see.", "visible_duration", "each", wants=listed)
    yield _example(f"What toys did the {who} grip?", "holding_duration", who, "each", wants=listed)
    yield _example(f"What did the {who} say about the {toy}?", UNANSWERABLE)
    yield _example("For how long was the piano visible?", UNANSWERABLE)
    yield _example(f"Is the {other} tired?", UNANSWERABLE, wants=yes)


def _example(
    question: str,
    measure: str,
    subject: str = NONE,
    target: str = NONE,
    *,
    predicate: str = NONE,
    begin_s: float | None = None,
    end_s: float | None = None,
    wants: str = "a value",
) -> PlanExample:
    fields = {
        "measure": measure,
        "subject": subject,
        "predicate": predicate,
        "object": target,
        "begin_s": begin_s,
        "end_s": end_s,
    }
    return PlanExample(question, fields, wants)


def prompt_digest(vocabulary: Vocabulary) -> str:
    """sha256 of everything the model reads besides the question, so that an answer can name its prompt."""
    worked = [
        f"{user_prompt(example.question, vocabulary, wants=example.wants)}{dict(example.fields)}"
        for example in examples(vocabulary)
    ]
    content = "".join([instructions(vocabulary), *worked])
    return hashlib.sha256(content.encode()).hexdigest()
