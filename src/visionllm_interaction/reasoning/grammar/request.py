"""A question on its way through the readers: its tags, and its clauses as limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeGuard

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.reasoning.grammar.clauses import (
    FOCUS,
    Clause,
    NotTold,
    NotUnderstood,
    Surroundings,
    read_clause,
)
from visionllm_interaction.reasoning.grammar.meaning import (
    ANY_OBJECT,
    ANY_PERSON,
    HOLDING,
    OBJECT_VARIABLE,
    PERSON_VARIABLE,
    VISIBLE,
    Asked,
    AtLeast,
    Holds,
    Joined,
    Scope,
    Stream,
)
from visionllm_interaction.reasoning.grammar.modifiers import Marks, read_marks
from visionllm_interaction.reasoning.grammar.references import Part, Parts, read_seconds, split_parts
from visionllm_interaction.reasoning.grammar.tagging import Tag

Focus = Literal["$o", "$p"]
_AT_ONCE = frozenset(
    {"right", "directly", "immediately", "just", "shortly", "soon", "rett", "straks", "like", "umiddelbart"}
)
"""How clauses open that say how soon, and no seconds."""
_PERFECT = frozenset({"having", "ha"})


@dataclass(frozen=True)
class QuestionRequest:
    """A question on its way through the readers.

    Attributes:
        head: its question words; None for a question for yes or no.
        tags: everything else.
        scope: its limits as far as they are known.
        people: names of people in the store.
        at: the moment it asks about.
        is_shared: whether "it" is a toy that is not named.
        versus_video: the video with which the one of ``scope`` is compared.
    """

    head: Tag | None
    tags: tuple[Tag, ...]
    scope: Scope
    people: tuple[str, ...]
    at: float | str | None
    is_shared: bool
    versus_video: str | None = None

    def around(self, focus: Focus | None = None) -> Surroundings:
        """What clauses of the question may refer to."""
        return Surroundings(self.people, focus)

    def with_tags(self, tags: Sequence[Tag]) -> QuestionRequest:
        """The same with other tags."""
        return replace(self, tags=tuple(tags))

    def read(self, focus: Focus | None = None, *, at: bool = False) -> tuple[Clause, Marks, Scope, Parts]:
        """Read the main clause, and the other clauses as limits.

        Args:
            focus: the variable that stands for what is asked for.
            at: whether a moment may be named.

        Returns:
            The main clause, what its adverbs say, the limits that the other clauses set, and all parts.

        Raises:
            NotUnderstood: if a clause is not understood, or a moment is named where none fits.
        """
        if self.at is not None and not at:
            raise NotUnderstood("at that moment")
        parts = split_parts(self.tags)
        main = read_clause(plain_tags(parts.main), replace(self.around(focus), subject=_only_person(parts)))
        marks = read_marks(parts.main)
        if isinstance(main.stream, AtLeast):
            marks.take("at_least")
        if _is_of_several(main.stream):
            at_once = marks.take("at_once")
            if not at_once and self._may_be_one_after_the_other(main.stream, marks):
                raise NotTold(ONE_AFTER_THE_OTHER.format(main.stream.n))
            of_same = isinstance(main.stream, Joined) and OBJECT_VARIABLE in main.stream.parts[0].names
            if isinstance(main.stream, Joined) and main.stream.needs_at_once and not (at_once or of_same):
                raise NotUnderstood("and")
            if isinstance(main.stream, Joined) and at_once:
                main = replace(main, stream=replace(main.stream, needs_at_once=True))
        scope = self.scope
        for part in parts.clauses:
            if part.role == "without":
                scope = self._without(scope, part, parts.main, main.stream, focus)
            elif part.role != "followed":
                whole = _spelled_out(part, parts.main, focus) or _with_subject(part, parts.main)
                scope = self._limited(scope, whole, focus)
        if scope.after is not None:
            marks.take("right")
        if _is_said_twice(main.stream, scope):
            scope = replace(scope, after=None)
        return main, marks, scope, parts

    def _may_be_one_after_the_other(self, stream: Stream, marks: Marks) -> TypeGuard[AtLeast]:
        """Whether it is asked if somebody had two toys: at once, or two in all?"""
        has_length = marks.longer_s is not None or marks.at_least_s is not None
        asks_whether = self.head is None or self.head.value in ("exists", "video", "videos")
        of_objects = isinstance(stream, AtLeast) and stream.what.relation != VISIBLE
        return of_objects and asks_whether and not has_length and self.at is None

    def read_part(self, part: Part, focus: Focus | None = None) -> Clause:
        """A clause after the main one; "coming near" without a name is coming near the one spoken of before."""
        main = split_parts(self.tags).main
        named = [tag.value for tag in main if tag.kind == "name" and tag.value in PERSON_CATEGORIES]
        around = Surroundings(self.people, focus, named[0] if named else None)
        return read_clause(plain_tags(part.tags), around)

    def _without(self, scope: Scope, part: Part, main: Sequence[Tag], of: Stream, focus: Focus | None) -> Scope:
        """What does not hold meanwhile: "in view without the caregiver", "without holding anything"."""
        if all(tag.kind == "name" for tag in part.tags) and len(part.tags) == 1:
            if not isinstance(of, Holds) or of.relation != VISIBLE or of.negated or of.edge:
                raise NotUnderstood("without")
            return replace(scope, during=(*scope.during, Holds(VISIBLE, (part.tags[0].value,), negated=True)))
        of_both = _of_both(part, main)
        clause = self.read_part(of_both or _with_subject(part, main), focus)
        if of_both and isinstance(clause.stream, Joined):
            # "Near each other without holding anything": neither of them, or not both at once?
            raise NotUnderstood("without")
        read_marks(part.tags).check_used()
        is_perfect = part.tags[0].text in _PERFECT and any(any(tag.lemmas) for tag in part.tags[1:2])
        of_leaving = isinstance(of, Holds) and of.relation in ("enters", "leaves")
        if clause.stream.is_moment or is_perfect or of_leaving:
            return replace(scope, not_since=self._not_yet(clause, scope, of))
        if clause.is_never:
            raise NotUnderstood("without")
        # "Without holding nothing" is said for "without holding anything" in some dialects; it is not guessed at.
        if clause.stream.negated:
            raise NotUnderstood("without")
        return replace(scope, during=(*scope.during, replace(clause.stream, negated=True)))

    def _not_yet(self, clause: Clause, scope: Scope, of: Stream) -> Stream:
        """Read "left without having given anything": before it ever did; whoever did both is one and the same."""
        stream = clause.stream
        if clause.is_never or stream.negated or not isinstance(stream, Holds) or not isinstance(of, Holds):
            raise NotUnderstood("without")
        if (
            not of.is_moment
            or scope.not_since is not None
            or {ANY_PERSON, PERSON_VARIABLE} & {of.names[0], stream.names[0]}
        ):
            raise NotUnderstood("without")
        return replace(stream, occurrence=1)

    def _limited(self, scope: Scope, part: Part, focus: Focus | None) -> Scope:
        clause = self.read_part(part, focus)
        if clause.is_never:
            raise NotUnderstood("never")
        marks = read_marks(part.tags)
        marks.take("right")
        stream = _nth(clause.stream, marks.take_occurrence())
        marks.check_used()
        if part.role == "meanwhile":
            if scope.overlapped is not None or isinstance(stream, AtLeast) or scope != self.scope:
                raise NotUnderstood("during how many of")
            return replace(scope, overlapped=stream)
        if part.role == "during":
            if stream.is_moment and not _is_when(part):
                raise NotUnderstood("while")
            return replace(scope, during=(*scope.during, stream))
        if part.within_s is not None:
            if scope.around:
                raise NotUnderstood("within")
            side: Literal["after", "before", "both"] = "both" if part.role == "around" else _side(part.role)
            return replace(scope, around=_moments(stream), around_s=part.within_s, side=side)
        scope = replace(scope, is_at_once=scope.is_at_once or part.opening.split()[0] in _AT_ONCE)
        if part.role == "after" and scope.after is None:
            return replace(scope, after=_nth(stream, _occurrence_of(stream) or 1))
        if part.role == "before" and scope.before is None:
            return replace(scope, before=_nth(stream, _occurrence_of(stream) or 1))
        raise NotUnderstood(part.role)


def variable_of(noun: Tag | None) -> Focus:
    """The variable for what a noun asks for: people for "which person", else objects."""
    return PERSON_VARIABLE if noun is not None and noun.value == "person" else OBJECT_VARIABLE


NUMBER_IN_VIEW = (
    "how many there were of what was in view is not compared, because whatever was lost and found anew would count "
    "twice; ask for example: At most how many {} were in view?"
)
ONE_AFTER_THE_OTHER = (
    "it is not said whether the {0} objects are meant to be held at once, or one after the other; ask for example: "
    "Did the child hold {0} toys at once? How many different toys did the child hold in each video?"
)
NUMBER_OF_A_NAME = (
    "numbers of people, or of objects of one name ({!r}), are not compared, because whoever was lost and found anew "
    "would count twice; ask for example: In which video were the most toys held? Who held the most toys?"
)


def compared_number(clause: Clause, scope: Scope) -> Asked:
    """The number of different objects that is compared: "the most toys", "more things".

    Args:
        clause: with what is counted as its object.
        scope: its limits.

    Returns:
        What is asked.

    Raises:
        NotUnderstood: if it is not told how many they are.
    """
    stream = clause.stream
    if isinstance(stream, Holds) and stream.relation == HOLDING and stream.edge is None:
        return handled(clause, scope)
    return kinds(clause, scope)


def handled(clause: Clause, scope: Scope) -> Asked:
    """How many different objects somebody held, which is known of whole videos only.

    Args:
        clause: "the child held toys".
        scope: its limits.

    Returns:
        What is asked.

    Raises:
        NotUnderstood: if the clause is about something else, or within limits.
    """
    stream = clause.stream
    of_holding = isinstance(stream, Holds) and stream.relation == HOLDING and not (stream.negated or stream.edge)
    if not of_holding or not isinstance(stream, Holds) or stream.names[-1] != ANY_OBJECT:
        raise NotUnderstood("the number of objects")
    if scope != Scope(video_id=scope.video_id):
        raise NotUnderstood("the number of objects within a part of the video")
    return Asked("handled", stream, scope)


def kinds(clause: Clause, scope: Scope) -> Asked:
    """How many different objects somebody touched, picked up, put down or handed over.

    Args:
        clause: "the child picked up toys".
        scope: its limits.

    Returns:
        What is asked.

    Raises:
        NotTold: if it is asked how many objects were in view.
        NotUnderstood: if the clause is about something else, or names the objects.
    """
    stream = clause.stream
    if isinstance(stream, Holds) and stream.relation == VISIBLE:
        raise NotTold(NUMBER_IN_VIEW.format("toys"))
    if not isinstance(stream, Holds) or stream.negated or stream.names[-1] != ANY_OBJECT or clause.is_never:
        raise NotUnderstood("different")
    return Asked("kinds", replace(stream, names=(*stream.names[:-1], OBJECT_VARIABLE)), scope)


def _only_person(parts: Parts) -> str | None:
    """The one person of whom the other clauses speak: "while the child held a toy, was the caregiver near?"."""
    named = {t.value for part in parts.clauses for t in part.tags if t.kind == "name" and t.value in PERSON_CATEGORIES}
    return named.pop() if len(named) == 1 else None


def _is_said_twice(stream: Stream, scope: Scope) -> bool:
    """Whether "came back" already says that it was "after having left"."""
    return isinstance(stream, Holds) and stream.is_again and scope.after == Holds("leaves", stream.names, occurrence=1)


def _is_of_several(stream: Stream) -> bool:
    pair = isinstance(stream, Holds) and stream.relation == VISIBLE and len(stream.names) > 1
    return pair or isinstance(stream, (Joined, AtLeast))


def _spelled_out(part: Part, main: Sequence[Tag], focus: Focus | None) -> Part | None:
    """Read "after the ball", "before the child" as the main clause of that name; None for any other clause."""
    names = [tag for tag in part.tags if tag.kind == "name"]
    rest = [t for t in part.tags if t.kind != "name" and t.kind != "auxiliary" and not set(t.lemmas) <= {"", "do"}]
    if part.role not in ("after", "before") or len(names) != 1 or rest or part.within_s is not None:
        return None
    is_person = names[0].value in PERSON_CATEGORIES
    kinds = ("something", "object") if not is_person else ("person",)
    places = [i for i, tag in enumerate(main) if tag.is_("noun", FOCUS)]
    if places and (focus == PERSON_VARIABLE) != is_person:
        return None
    places = places or [
        i for i, t in enumerate(main) if t.kind == "name" and (t.value in PERSON_CATEGORIES) == is_person
    ]
    places = places or [i for i, tag in enumerate(main) if tag.is_("noun", *kinds)]
    if len(places) != 1 or main[places[0]].value == names[0].value:
        return None
    tags = [names[0] if i == places[0] else tag for i, tag in enumerate(main)]
    kept = tuple(t for t in tags if t.kind not in ("superlative", "ordinal", "aggregate", "modifier", "negation"))
    return replace(part, tags=kept)


def _with_subject(part: Part, main: Sequence[Tag]) -> Part:
    """A clause that begins with its verb ("after putting down the ball") with the subject of the main clause."""
    opens_with_verb = bool(part.tags) and any(part.tags[0].lemmas)
    if part.role == "without" and not any(
        tag.kind == "name" and tag.value in PERSON_CATEGORIES for tag in part.tags[:1]
    ):
        # "Uten å være nær den voksne", "without having the ball in hand": whoever acts in the main clause.
        opens_with_verb = opens_with_verb or (bool(part.tags) and part.tags[0].kind == "auxiliary")
    if part.tags and part.tags[0].kind == "auxiliary" and part.tags[0].text in _PERFECT:
        opens_with_verb = True  # "etter å ha gått ut"
    if not opens_with_verb:
        return part
    if part.role == "around":
        # "Within 10 seconds of receiving it" is after that; "… of the child receiving it" may be either side.
        part = replace(part, role="after")
    subjects = [
        tag for tag in main if tag.is_("noun", FOCUS) or (tag.kind == "name" and tag.value in PERSON_CATEGORIES)
    ]
    people = [tag for tag in subjects if tag.kind == "name"] or subjects
    if not people:
        return part
    return replace(part, tags=(people[0], *part.tags))


def _of_both(part: Part, main: Sequence[Tag]) -> Part | None:
    """A clause without a subject of its own ("without touching each other") after a clause about two people."""
    opens_with_verb = bool(part.tags) and (any(part.tags[0].lemmas) or part.tags[0].kind == "auxiliary")
    pair = next((tag for tag in main if tag.is_("noun", "both")), None)
    joined = next(
        (
            tuple(three)
            for three in zip(main, main[1:], main[2:], strict=False)
            if three[1].is_("conjunction", "and")
            and all(tag.kind == "name" and tag.value in PERSON_CATEGORIES for tag in three[::2])
        ),
        None,
    )
    who = (pair,) if pair else joined
    return replace(part, tags=(*who, *part.tags)) if opens_with_verb and who else None


def _is_when(part: Part) -> bool:
    """Whether a clause may name a moment: "when the caregiver came in", not "while"."""
    return part.opening in ("when", "whenever", "når", "da", "då")


def _side(role: str) -> Literal["after", "before"]:
    if role not in ("after", "before"):
        raise NotUnderstood(role)
    return "after" if role == "after" else "before"


def _moments(stream: Stream) -> Stream:
    """A stream as moments: "within 3 seconds after the child held the ball" counts from the end of the holding."""
    if stream.is_moment:
        return stream
    if isinstance(stream, Holds) and not stream.negated:
        return replace(stream, edge="end")
    raise NotUnderstood("within")


def _occurrence_of(stream: Stream) -> int | None:
    return stream.occurrence if isinstance(stream, Holds) else None


def _nth(stream: Stream, occurrence: int | None) -> Stream:
    if occurrence is None:
        return stream
    if isinstance(stream, Holds) and not stream.negated:
        return replace(stream, occurrence=occurrence)
    raise NotUnderstood("first")


def plain_tags(tags: Sequence[Tag]) -> tuple[Tag, ...]:
    """A clause without the number and unit of a limit ("longer than 3 seconds")."""
    out: list[Tag] = []
    skip = 0
    for place, tag in enumerate(tags):
        if skip:
            skip -= 1
        elif tag.is_("modifier", "at_least", "at_most"):
            skip = 2 if read_seconds(tags, place + 1) else 0
        elif tag.is_("modifier", "more_than", "less_than"):
            has_unit = place + 2 < len(tags) and (
                tags[place + 2].kind == "unit" or tags[place + 2].is_("noun", "bouts", "time")
            )
            skip = 2 if has_unit else 1
        elif not tag.is_("word", "last_long"):
            out.append(tag)
    return tuple(out)


def finish(asked: Asked, marks: Marks, *, is_never: bool = False) -> Asked:
    """Give out ``asked``, once every word of its clause has been used.

    Args:
        asked: what is asked.
        marks: the adverbs of its clause.
        is_never: whether the clause says *never*.

    Returns:
        ``asked``.

    Raises:
        NotUnderstood: if an adverb is left that the question does nothing with, or a *never*.
    """
    marks.check_used()
    if is_never:
        raise NotUnderstood("never")
    return asked
