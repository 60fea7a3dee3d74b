"""Read a clause: which relation its predicate words mean, and which name fills which place."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.reasoning.grammar.lexicon import RelationWord, load_relations
from visionllm_interaction.reasoning.grammar.meaning import (
    ALONE,
    ANY_OBJECT,
    ANY_PERSON,
    HOLDING,
    OBJECT_VARIABLE,
    PERSON_VARIABLE,
    SYMMETRIC,
    VISIBLE,
    AtLeast,
    Edge,
    Holds,
    Joined,
    Stream,
)
from visionllm_interaction.reasoning.grammar.tagging import Tag

_OF_OBJECTS = frozenset({HOLDING, "picks_up", "puts_down"})
_OF_ONE = frozenset({VISIBLE, "enters", "leaves", ALONE, "speaks"})
_OF_PLACE = frozenset({"left_of", "right_of", "above", "below"})
_PRESENCE: Mapping[str, Edge] = {"enters": "start", "leaves": "end"}
"""Events of people; an object comes into view and goes out of it."""
_ANYBODY = frozenset({ANY_PERSON, ANY_OBJECT, "either", "nobody"})
_FREE_MARKS = frozenset({"by", "of", "with", "to", "at", "i", "between"})
"""Prepositions that may stand before a name without changing what the relation is."""
_GROUPS = frozenset({"both", "one_of"})
_MOST_LEMMA_CHOICES = 64
FOCUS = "focus"
SHARED = "shared"
SAME = "same_object"


class NotUnderstood(Exception):
    """The words are known, and what they say together is not."""


class NotTold(NotUnderstood):
    """The question is understood, and has no answer; the message is the whole reason."""


@dataclass(frozen=True)
class Participant:
    """One name in a clause.

    Attributes:
        value: the name as written in expressions, or what a word like "both" stands for.
        mark: the preposition before it.
        possessive: whether "'s" follows it.
        number: how many of them ("two toys").
        is_joined: whether "and" stands before it.
    """

    value: str
    mark: str | None = None
    possessive: bool = False
    number: int | None = None
    is_joined: bool = False


@dataclass(frozen=True)
class Surroundings:
    """What a clause may refer to.

    Attributes:
        people: the names of people in the store.
        focus: what is asked for: ``$o`` or ``$p``; None where nothing is.
        subject: the one of whom the question spoke before ("and for how long?").
    """

    people: tuple[str, ...]
    focus: Literal["$o", "$p"] | None = None
    subject: str | None = None


@dataclass(frozen=True)
class Clause:
    """A clause that was read.

    Attributes:
        stream: what it says.
        leftover: tags that are about how often, how long, when, …
        is_never: whether it says *never*.
        named: the names and kinds that it says, in their order.
    """

    stream: Stream
    leftover: tuple[Tag, ...] = ()
    is_never: bool = False
    named: tuple[str, ...] = ()


def read_clause(tags: Sequence[Tag], around: Surroundings) -> Clause:
    """The stream that a clause speaks of.

    Args:
        tags: its phrases, without question words and without other clauses.
        around: what it may refer to.

    Returns:
        The clause.

    Raises:
        NotUnderstood: if its words say nothing that is in the language of quantities.
    """
    words = [tag for tag in tags if tag.lemmas]
    participants = _participants(tags, around)
    leftover = tuple(tag for tag in tags if tag.kind in ("superlative", "ordinal", "aggregate", "modifier"))
    negations = [tag.value for tag in tags if tag.kind == "negation"]
    if negations.count("not") > 1:
        raise NotUnderstood("not")
    relation = _relation(words, {p.mark for p in participants if p.mark})
    stream = _stream(relation, participants, around)
    stream = _at_once(stream, participants)
    nobody = any(p.value in ("nobody", "nothing") for p in participants)
    if nobody and "not" in negations:
        raise NotUnderstood("not")
    denied = nobody or "not" in negations
    if relation.negated != denied:
        stream = replace(stream, negated=not stream.negated)
    return Clause(stream, leftover, is_never="never" in negations, named=tuple(p.value for p in participants))


def _relation(words: Sequence[Tag], marks: set[str]) -> RelationWord:
    """The relation that the lemmas of the clause mean together, whichever of their senses is meant."""
    choices = itertools.islice(itertools.product(*(tag.lemmas for tag in words)), _MOST_LEMMA_CHOICES)
    bags = {frozenset(lemma for lemma in choice if lemma) for choice in choices}
    for relation in load_relations():
        if relation.lemmas in bags and relation.marks <= marks:
            unexplained = marks - relation.marks - _FREE_MARKS
            if not unexplained:
                return relation
    said = " ".join(tag.text for tag in words)
    raise NotUnderstood(said)


def _participants(tags: Sequence[Tag], around: Surroundings) -> list[Participant]:
    found: list[Participant] = []
    mark: str | None = None
    number: int | None = None
    is_joined = False
    for tag in tags:
        if number is not None and (tag.kind == "number" or _names_nobody(tag)):
            # "Did she hold it 2 times?": nothing is said about a number but to how many people or things it belongs.
            raise NotUnderstood(str(number))
        if tag.kind == "preposition":
            mark = tag.value
        elif tag.kind == "conjunction":
            if tag.value != "and":
                raise NotUnderstood(tag.text)
            is_joined = True
        elif tag.kind == "number" and tag.number is not None:
            number = int(tag.number)
        elif tag.kind == "possessive" and found:
            found[-1] = replace(found[-1], possessive=True)
        elif tag.kind in ("name", "noun"):
            value = _value(tag)
            if value is not None:
                found.append(Participant(value, mark, number=number, is_joined=is_joined))
            mark, number, is_joined = (mark if mark == "between" else None), None, False
        elif any(tag.lemmas):
            mark = None if mark == "of" else mark
        elif tag.kind in ("unknown", "head", "subordinator", "half", "point", "unit"):
            raise NotUnderstood(tag.text)
    if number is not None:
        raise NotUnderstood(str(number))
    if sum(is_person(p.value) and p.value not in _GROUPS for p in found) > 1:
        found = [p for p in found if p.value != "both"]
    pairs = [place for place, p in enumerate(found) if p.value == "both"]
    found = [p for place, p in enumerate(found) if place not in pairs[1:]]  # "they … both"
    if mark not in (None, "between") and around.focus:
        found = [replace(p, mark=mark) if p.value == FOCUS else p for p in found]
    return found


def _names_nobody(tag: Tag) -> bool:
    return tag.is_("noun", "time", "bouts", "sum")


def _value(tag: Tag) -> str | None:
    """What a name or noun stands for; None for nouns that name nobody ("time", "bouts")."""
    if tag.kind == "name" or tag.value in (
        *_GROUPS,
        "either",
        "nobody",
        "nothing",
        "else",
        "other",
        FOCUS,
        SHARED,
        SAME,
    ):
        return tag.value
    if tag.value in ("something", "object"):
        return ANY_OBJECT
    if tag.value == "person":
        return ANY_PERSON
    if _names_nobody(tag):
        return None
    raise NotUnderstood(tag.text)


def is_person(value: str) -> bool:
    """Whether a participant is a person, or stands for people."""
    return value in PERSON_CATEGORIES or value in (*_GROUPS, "either", "nobody", "else", "other", PERSON_VARIABLE)


def _stream(relation: RelationWord, participants: Sequence[Participant], around: Surroundings) -> Stream:
    named = [_in_focus(p, around) for p in participants]
    kind = relation.relation
    if not _are_joined(named, kind):
        raise NotUnderstood(" ".join(p.value for p in named))
    if kind in _OF_ONE:
        return _of_one(relation, named, around)
    if kind in _OF_OBJECTS:
        return _of_object(relation, named, around)
    if kind == "hands_over":
        return _hand_over(relation, named)
    if kind in SYMMETRIC:
        return _of_two(relation, named, around)
    return _directed(relation, named, around)


def _are_joined(named: Sequence[Participant], kind: str) -> bool:
    """Whether "and" stands between names of which there are more than the relation has places."""
    if kind in ("hands_over", "looks_at", "names"):
        return True
    if kind in _OF_PLACE:
        return not any(p.is_joined for p in named)
    people = [p for p in named if is_person(p.value) and p.value not in ("other", "else", "both")]
    things = [p for p in named if not is_person(p.value)]
    places = 2 if kind in SYMMETRIC else 1
    groups = [named] if kind in SYMMETRIC else [people, things]
    return all(sum(not p.is_joined for p in group) <= places for group in groups)


def _in_focus(participant: Participant, around: Surroundings) -> Participant:
    if participant.value == FOCUS and around.focus:
        return replace(participant, value=around.focus)
    return replace(participant, value=OBJECT_VARIABLE) if participant.value == SHARED else participant


def _of_one(relation: RelationWord, named: Sequence[Participant], around: Surroundings) -> Stream:
    values = [ANY_OBJECT if p.value == "nothing" else p.value for p in named]
    if relation.relation == ALONE:
        values = [value for value in values if value not in ("else", "nobody")]
    if relation.relation == "speaks":
        values = [value for value in values if value != ANY_OBJECT]
    if relation.relation == VISIBLE and len(values) == 2 and not _GROUPS & set(values):
        return Holds(VISIBLE, (values[0], values[1]))
    if len(values) != 1:
        raise NotUnderstood(" ".join(values))
    if relation.is_again and values[0] in _ANYBODY:  # another one who came in did not come back
        raise NotUnderstood(values[0])
    if relation.relation in _PRESENCE and not is_person(values[0]):
        if relation.is_of_people:
            raise NotUnderstood(values[0])
        return Holds(VISIBLE, (values[0],), _PRESENCE[relation.relation], is_again=relation.is_again)
    if values[0] == "both" and relation.relation == VISIBLE:
        return Holds(VISIBLE, _pair(around))
    return _for_each(relation, values[0], (), around)


def _of_object(relation: RelationWord, named: Sequence[Participant], around: Surroundings) -> Stream:
    people = [p.value for p in named if is_person(p.value)]
    objects = [p.value for p in named if not is_person(p.value)]
    if any(p.mark in ("to", "from") for p in named) or len(objects) > 2:
        raise NotUnderstood(" ".join(p.value for p in named))
    if objects == [SAME]:
        return _same_object(relation, people, around)
    if len(objects) == 2:
        return _two_objects(relation, people, objects)
    target = objects[0] if objects and objects[0] != "nothing" else ANY_OBJECT
    return _for_people(relation, people, (target,), around)


def _same_object(relation: RelationWord, people: Sequence[str], around: Surroundings) -> Stream:
    """Two people who hold one and the same object at once."""
    pair = _pair(around) if list(people) == ["both"] else tuple(people)
    if len(set(pair)) != 2 or _GROUPS & set(pair) or relation.relation != HOLDING or relation.edge or around.focus:
        raise NotUnderstood("the same object")
    return Joined("&", tuple(_holds(relation, (who, OBJECT_VARIABLE)) for who in pair), needs_at_once=True)


def _two_objects(relation: RelationWord, people: Sequence[str], objects: Sequence[str]) -> Stream:
    """Read "The ball and the car at the same time"; without those words it is not said whether the times are added."""
    if len(people) != 1 or len(set(objects)) < 2 or people[0] in _GROUPS or ANY_OBJECT in objects or relation.edge:
        raise NotUnderstood(" and ".join(objects))
    return Joined("&", tuple(_holds(relation, (people[0], name)) for name in objects), needs_at_once=True)


def _of_two(relation: RelationWord, named: Sequence[Participant], around: Surroundings) -> Stream:
    values = [p.value for p in named if p.value != "nothing"]
    if "nothing" in (p.value for p in named):
        values.append(ANY_OBJECT)
    # Somebody else is another track than the first, whatever either is called.
    values = [ANY_PERSON if value == "else" else value for value in values]
    together = [value for value in values if value != "other"]
    if together == ["both"]:
        return _holds(relation, _pair_of_people(around))
    if together == [ANY_PERSON] and "other" in values:
        together = [ANY_PERSON, ANY_PERSON]
    if len(together) == 1:
        # "Which toys were touched?": by anybody.
        together.append(_partner(together[0], around))
    if len(together) == 3 and named[1].is_joined and not named[2].is_joined:
        return Joined("&", tuple(_holds(relation, (value, together[2])) for value in together[:2]))
    if len(together) != 2:
        raise NotUnderstood(" ".join(values))
    first, second = together
    if is_person(second) and not is_person(first):
        first, second = second, first
    return _for_people(relation, [first], (second,), around)


def _pair_of_people(around: Surroundings) -> tuple[str, str]:
    """The two of a video; where nobody has a role, any two people."""
    return (ANY_PERSON, ANY_PERSON) if around.people == (ANY_PERSON,) else _pair(around)


def _partner(value: str, around: Surroundings) -> str:
    """Whom or what a relation of two is with where only one is named: toys are touched by anybody."""
    if not is_person(value):
        return ANY_PERSON
    if around.subject and around.subject != value:
        return around.subject
    raise NotUnderstood(value)


def _directed(relation: RelationWord, named: Sequence[Participant], around: Surroundings) -> Stream:
    """Gaze and naming: the one who does it, and what it is directed at."""
    targets = [p for p in named if p.mark in ("at", "to", "of")]
    actors = [p for p in named if p not in targets]
    if len(actors) == 2 and not targets:
        targets = [actors.pop()]
    if len(actors) != 1 or len(targets) > 1:
        raise NotUnderstood(" ".join(p.value for p in named))
    target = targets[0].value if targets else None
    if target in ("other", "else") or actors[0].value == "both":
        raise NotUnderstood(str(target))
    rest = (target,) if target and target != ANY_OBJECT else ()
    return _for_each(relation, actors[0].value, rest, around)


def _hand_over(relation: RelationWord, named: Sequence[Participant]) -> Stream:
    people = [p for p in named if is_person(p.value)]
    objects = [p.value for p in named if not is_person(p.value)]
    giver, receiver = _giver_and_receiver(people, is_reversed=relation.is_reversed)
    if giver is not None and giver == receiver and is_person(giver) and giver != ANY_PERSON:
        raise NotUnderstood(giver)  # whom a pronoun stands for
    if len(objects) > 1 or "nothing" in objects or (relation.is_of_things and people):
        raise NotUnderstood(" ".join(objects))
    thing = objects[0] if objects else ANY_OBJECT
    receiver = None if receiver in ("other", "else") else receiver
    giver = None if giver in ("other", "else") else giver
    giver = ANY_PERSON if giver in (None, "both", "either", "nobody") else giver
    receiver = ANY_PERSON if receiver in (None, "both", "either") else receiver
    return Holds("hands_over", (giver or ANY_PERSON, receiver or ANY_PERSON, thing))


def _giver_and_receiver(people: Sequence[Participant], *, is_reversed: bool) -> tuple[str | None, str | None]:
    """Who gives and who receives; whoever is not named may be anybody."""
    if len(people) > 2:
        raise NotUnderstood(" ".join(p.value for p in people))
    far_marks = ("from",) if is_reversed else ("to",)
    if is_reversed and not any(p.mark == "from" for p in people):
        # "Fikk noe av den voksne": whoever it is received from.
        far_marks = ("by",)
    other_marks = ("to",) if is_reversed else ("from",)
    far = [p for p in people if p.mark in far_marks]
    near = [p for p in people if p.mark in other_marks and p not in far]
    rest = [p for p in people if p not in far and p not in near]
    if near and is_reversed:
        raise NotUnderstood(near[0].value)
    actor = near[0] if near else (rest.pop(0) if rest else None)
    partner = far[0] if far else (rest.pop(0) if rest else None)
    if rest:
        raise NotUnderstood(rest[0].value)
    pair = (actor.value if actor else None, partner.value if partner else None)
    return (pair[1], pair[0]) if is_reversed else pair


def _for_people(relation: RelationWord, people: Sequence[str], rest: tuple[str, ...], around: Surroundings) -> Stream:
    if not people:
        return _holds(relation, (ANY_PERSON, *rest))
    if len(people) == 1:
        return _for_each(relation, people[0], rest, around)
    if len(people) == 2 and not {*_GROUPS, "either", "nobody", "else", "other"} & set(people):
        return Joined("&", tuple(_holds(relation, (who, *rest)) for who in people))
    raise NotUnderstood(" ".join(people))


def _for_each(relation: RelationWord, who: str, rest: tuple[str, ...], around: Surroundings) -> Stream:
    """The stream of one person, or of those that "both", "neither", "exactly one of them" stand for."""
    if who in _GROUPS:
        parts = tuple(_holds(relation, (name, *rest)) for name in _pair(around))
        return Joined("&" if who == "both" else "^", parts)
    if who in ("either", "nobody"):
        return _holds(relation, (ANY_PERSON, *rest))
    if who in ("else", "other"):
        raise NotUnderstood(who)
    return _holds(relation, (who, *rest))


def _holds(relation: RelationWord, names: tuple[str, ...]) -> Holds:
    if len(set(names)) < len(names) and set(names) != {ANY_PERSON} and relation.relation in (*SYMMETRIC, VISIBLE):
        raise NotUnderstood(" ".join(names))
    return Holds(relation.relation, names, relation.edge, is_again=relation.is_again)


def _pair(around: Surroundings) -> tuple[str, str]:
    if len(around.people) != 2:
        raise NotUnderstood("they")
    return around.people[0], around.people[1]


def _at_once(stream: Stream, participants: Sequence[Participant]) -> Stream:
    """The stream of a number of people or objects at once: "two things", "at least two people"."""
    counted = next((p for p in participants if p.number is not None), None)
    if counted is None or counted.number is None:
        return stream
    number = counted.number
    if number == 1:
        return stream
    countable = isinstance(stream, Holds) and not stream.edge and {ANY_OBJECT, ANY_PERSON} & set(stream.names)
    if not countable or not isinstance(stream, Holds) or stream.is_moment:
        raise NotUnderstood(str(number))
    by_one = stream.relation == HOLDING or ANY_PERSON not in stream.names
    of_objects = counted.value == ANY_OBJECT and by_one
    if number == 2 and stream.names == (ANY_PERSON, ANY_PERSON):
        return stream
    if len(stream.names) > 1 and not of_objects:
        # Bouts of pairs are counted: "two people near the ball" may be one who is near two balls.
        raise NotUnderstood(str(number))
    # "Did anyone hold two toys at once?" asks it of each person; "were two toys held at once?" of all together.
    said = any(p.value == ANY_PERSON for p in participants)
    of_each = said and stream.relation == HOLDING and stream.names == (ANY_PERSON, ANY_OBJECT)
    if of_each and stream.negated:
        raise NotUnderstood(str(number))
    return AtLeast(number, stream, of_each_person=of_each)
