"""What "it", "she" and "and which toy was it?" refer to, and the parts into which a question falls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.reasoning.grammar.clauses import FOCUS, SHARED
from visionllm_interaction.reasoning.grammar.tagging import Tag

_GENERIC = ("something", "object")


@dataclass(frozen=True)
class Part:
    """A subordinate clause: its role, phrases and opening word; ``within_s`` is how near in time it must be."""

    role: str
    tags: tuple[Tag, ...]
    within_s: float | None = None
    opening: str = ""


@dataclass(frozen=True)
class Parts:
    """A question in parts.

    Attributes:
        main: phrases of the main clause.
        clauses: the clauses after it.
        is_shared: whether "it" refers to "something", so that both are the same object.
    """

    main: tuple[Tag, ...]
    clauses: tuple[Part, ...]


def resolve(tags: Sequence[Tag]) -> tuple[list[Tag], bool]:
    """``tags`` with what "it" and "she" refer to in their place, and whether "it" is a toy that is not named."""
    out = [tag for tag, after in zip(tags, [*tags[1:], None], strict=False) if not _is_determiner(tag, after)]
    last_object: int | None = None
    people: list[Tag] = []
    shared = False
    for place, tag in enumerate(out):
        if tag.kind == "name" and tag.value in PERSON_CATEGORIES:
            people = [*(known for known in people if known.value != tag.value), tag]
        elif tag.kind == "name" or tag.is_("noun", *_GENERIC) or tag.is_("noun", FOCUS):
            last_object = place
        elif tag.is_("noun", "it") and _is_actor(out, place) and (actor := _actor(people, tag)):
            out[place] = replace(actor, text=tag.text)
        elif tag.is_("noun", "it") or (tag.is_("noun", "same_object") and last_object is not None):
            referent = last_object if last_object is not None else _next_object(out, place)
            if referent is None:
                out[place] = replace(people[0], text=tag.text) if len(people) == 1 else tag
                continue
            if out[referent].is_("noun", *_GENERIC):
                out[referent] = Tag("noun", SHARED, out[referent].text)
            shared = shared or out[referent].is_("noun", SHARED)
            out[place] = replace(out[referent], text=tag.text)
        elif tag.text == "ho" and last_object is not None and {known.value for known in people} == {"child"}:
            # "Kor lenge heldt barnet boka før det gav ho frå seg?": the book; a child is "det".
            out[place] = replace(out[last_object], text=tag.text)
        elif tag.is_("noun", "subject_again") and len(people) == 1:
            out[place] = replace(_other_person(out, place, people[0]), text=tag.text)
        elif tag.is_("noun", "subject_again") and len(people) == _TWO and (who := _of_two(out, place, people)):
            out[place] = replace(who, text=tag.text)
        elif tag.is_("noun", "subject_again") and len(people) == _TWO and _is_object_of_gerund(out, place):
            # "… spend near the caregiver without touching her": the one who does not act.
            out[place] = replace(people[1], text=tag.text)
    return out, shared


def _is_determiner(tag: Tag, after: Tag | None) -> bool:
    """Whether a pronoun only says whose ("its mother")."""
    return tag.is_("noun", "subject_again") and after is not None and after.kind == "name"


_TWO = 2
_AS_OBJECT = frozenset({"her", "him", "henne", "ham"})
_SHE = frozenset({"hun", "ho", "henne"})


def _other_person(tags: Sequence[Tag], place: int, named: Tag) -> Tag:
    """Whom a pronoun refers to: not the one who acts in its own clause ("did the child come near her, after …")."""
    clause = next((i for i in range(place - 1, -1, -1) if tags[i].kind == "subordinator"), -1)
    acts_here = any(tag.kind == "name" and tag.value == named.value for tag in tags[clause + 1 : place])
    if tags[place].text not in _AS_OBJECT or not acts_here:
        return named
    later = {t.value: t for t in tags[place + 1 :] if t.kind == "name" and t.value in PERSON_CATEGORIES}
    later.pop(named.value, None)
    return next(iter(later.values())) if len(later) == 1 else named


def _of_two(tags: Sequence[Tag], place: int, people: Sequence[Tag]) -> Tag | None:
    """Whom "her" refers to beside the one who acts in its clause; "ho" is nobody who is called "barnet"."""
    adults = [tag for tag in people if tag.value != "child"]
    if tags[place].text in _SHE and len(adults) == 1 and any(tag.text == "barnet" for tag in people):
        return adults[0]
    opens = ("subordinator", "preposition", "conjunction")
    clause = next((i for i in range(place - 1, -1, -1) if tags[i].kind in opens), -1)
    acts = {tag.value for tag in tags[clause + 1 : place] if tag.kind == "name"}
    others = [tag for tag in people if tag.value not in acts]
    return others[0] if tags[place].text in _AS_OBJECT and len(acts) == len(others) == 1 else None


def _is_object_of_gerund(tags: Sequence[Tag], place: int) -> bool:
    """Whether a pronoun stands behind a verb that opens its clause: whoever acts in it was named first."""
    before = tags[max(0, place - _TWO) : place]
    return len(before) == _TWO and before[0].kind == "subordinator" and any(before[1].lemmas)


_ACTS = frozenset(
    {"hold", "pick", "take", "put", "putdown", "release", "give", "play", "start", "stop", "look", "speak"}
)


def _is_actor(tags: Sequence[Tag], place: int) -> bool:
    """Whether "it" stands where the one who acts stands: "after it put down the ball"."""
    before = tags[place - 1] if place else None
    opens = before is not None and (before.kind == "subordinator" or before.is_("modifier", "than", "compare_with"))
    verb = next((tag for tag in tags[place + 1 :] if tag.kind not in ("auxiliary", "superlative", "negation")), None)
    return opens and verb is not None and bool(_ACTS & set(verb.lemmas))


def _actor(people: Sequence[Tag], pronoun: Tag) -> Tag | None:
    """Who "it" is that acts: the one person spoken of; of several the child, of whom alone "it" is said."""
    if len(people) == 1:
        return people[0]
    children = [tag for tag in people if tag.value == "child" and pronoun.text in ("it", "det")]
    return children[0] if len(children) == 1 else None


def _next_object(tags: Sequence[Tag], place: int) -> int | None:
    later = range(place + 1, len(tags))
    named = (i for i in later if tags[i].kind == "name" and tags[i].value not in PERSON_CATEGORIES)
    return next(named, next((i for i in later if tags[i].is_("noun", *_GENERIC)), None))


def name_nobody(tags: Sequence[Tag], people: Sequence[str]) -> list[Tag]:
    """``tags`` with "neither A nor B" as *nobody*, where A and B are all people there are."""
    for place in range(len(tags) - 3):
        opening, first, link, second = tags[place : place + 4]
        said = {first.value, second.value} if first.kind == second.kind == "name" else set()
        denies = opening.is_("modifier", "neither") or (opening.is_("noun", "nobody") and "neither" in opening.text)
        if denies and link.is_("conjunction", "nor", "or") and said == set(people):
            nobody = Tag("noun", "nobody", f"{opening.text} {first.text} {link.text} {second.text}")
            return [*tags[:place], nobody, *tags[place + 4 :]]
    return list(tags)


def cut_alternatives(tags: Sequence[Tag], head: Tag | None) -> tuple[list[Tag], tuple[str, ...]]:
    """Cut the names off among which a question for who or what asks: "…, the child or the caregiver?".

    Args:
        tags: its phrases without the question words.
        head: its question words.

    Returns:
        The rest and the names; none where no names stand so, or of another kind than what is asked for.
    """
    if head is None or head.value not in ("who", "what") or len(tags) < 4:
        return list(tags), ()
    first, link, second = tags[-3:]
    if not link.is_("conjunction", "or") or first.kind != "name" or second.kind != "name":
        return list(tags), ()
    kinds = {name.value in PERSON_CATEGORIES for name in (first, second)}
    if kinds != {head.value == "who"} or first.value == second.value or not any(tag.lemmas for tag in tags[:-3]):
        return list(tags), ()
    return list(tags[:-3]), (first.value, second.value)


def cut_tail(tags: Sequence[Tag]) -> tuple[list[Tag], bool, bool]:
    """Cut "and which toy was it?" and "and for how long?" off; returns the rest and whether each was there."""
    last_and = max((i for i, tag in enumerate(tags) if tag.is_("conjunction", "and")), default=None)
    if last_and is None or last_and == 0:
        return list(tags), False, False
    tail = [tag for tag in tags[last_and + 1 :] if tag.kind != "auxiliary" and not tag.is_("conjunction", "and")]
    head = list(tags[:last_and])
    while head and head[-1].kind == "conjunction":
        head.pop()
    if tail and all(tag.is_("head", "what", "who") or tag.is_("noun", "object", "it", "person") for tag in tail):
        named = any(tag.is_("noun", "it") or tag.kind == "head" for tag in tail)
        return (head, True, False) if named else (list(tags), False, False)
    if (
        tail
        and tail[0].is_("head", "duration")
        and all(tag.is_("noun", "it", "both", "subject_again") for tag in tail[1:])
    ):
        return head, False, True
    return list(tags), False, False


def split_parts(tags: Sequence[Tag]) -> Parts:
    """The main clause and the clauses that subordinators, "within 3 seconds of" and "followed by" open."""
    main: list[Tag] = []
    clauses: list[Part] = []
    current, role, within = main, "", None
    opening = ""
    place = 0
    while place < len(tags):
        tag = tags[place]
        span = _within(tags, place)
        if span is not None:
            seconds, length = span
            opener = tags[place + length] if place + length < len(tags) else None
            if opener and (opener.kind == "subordinator" or opener.is_("preposition", "of")):
                _close(clauses, current, main, Part(role, (), within, opening))
                opening = opener.text
                role = opener.value if opener.kind == "subordinator" else "around"
                current, within = [], seconds
                length += 1
            else:
                within = seconds
                if role == "":
                    main.append(Tag("modifier", "within", tag.text, number=seconds))
            place += length
            continue
        if (tag.kind == "subordinator" and place) or tag.is_("modifier", "followed"):
            right = bool(current) and current[-1].is_("modifier", "right")
            if right:
                current.pop()
            _close(clauses, current, main, Part(role, (), within, opening))
            role, current, within, opening = tag.value, [], None, tag.text
        else:
            current.append(tag)
        place += 1
    _close(clauses, current, main, Part(role, (), within, opening))
    return Parts(tuple(main), tuple(clauses))


def _close(clauses: list[Part], current: list[Tag], main: list[Tag], part: Part) -> None:
    if current is not main:
        clauses.append(replace(part, tags=tuple(current)))


def _within(tags: Sequence[Tag], place: int) -> tuple[float, int] | None:
    """The seconds of "within 3 seconds" and how many tags say so."""
    tag = tags[place]
    if not tag.is_("modifier", "within"):
        return None
    return read_seconds(tags, place + 1, extra=1)


def read_seconds(tags: Sequence[Tag], place: int, *, extra: int = 0) -> tuple[float, int] | None:
    """A number with a unit of time at ``place``: its seconds, and how many tags it takes (and ``extra``)."""
    if place >= len(tags) or tags[place].number is None:
        return None
    factor = {"s": 1.0, "min": 60.0, "h": 3600.0}
    number = float(tags[place].number or 0)
    if place + 1 < len(tags) and tags[place + 1].kind == "unit":
        return number * factor[tags[place + 1].value], 2 + extra
    return None
