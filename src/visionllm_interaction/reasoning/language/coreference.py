"""Words that stand for others: "they both" for the two people of a store, "it" for the thing of the part before."""

from __future__ import annotations

import re

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.planning.plan import Plan

_BOTH = re.compile(r"\b(?:they both|both of them|the two of them|both people|they together|begge to|de begge)\b")
_TWO = 2
_JOINT = re.compile(
    r"^(?P<how>(?:for )?how (?:long|many seconds|much time)) (?:did|do) (?P<a>.+?) and (?P<b>.+?) "
    r"(?:both |together |jointly )?(?:hold|handle|carry) (?P<c>.+?)"
    r"(?: together| jointly| at the same time| at once| simultaneously)?$"
)
_LET_GO = re.compile(r"\b(let go|lets go)(?= (?:first|last|earlier|later|earliest|latest)\b|$)")


def spell_out_both(text: str, vocabulary: Vocabulary) -> str:
    """A normalised question with "they both" named and what two do together as one doing it *while* the other does."""
    people = vocabulary.people
    if len(people) == _TWO:
        text = _BOTH.sub(f"the {people[0]} and the {people[1]}", text)
    return _JOINT.sub(r"\g<how> did \g<a> hold \g<c> while \g<b> held \g<c>", text)


def with_thing_of(plan: Plan, question: str) -> str:
    """``question`` with "it" replaced by the thing that ``plan``, the part before, is about."""
    names = [name for step in plan.steps for name in (step.object, step.subject) if name]
    thing = next((name for name in names if name not in PERSON_CATEGORIES), None)
    if thing is None:
        return question
    return _LET_GO.sub(rf"\1 of the {thing}", re.sub(r"\bit\b", f"the {thing}", question.rstrip(" ?")))
