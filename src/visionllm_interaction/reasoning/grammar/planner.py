"""From the words of a question to what it asks, or to a true reason why it cannot be asked."""

from __future__ import annotations

import re
from dataclasses import replace

from visionllm_interaction.reasoning.grammar.clauses import NotUnderstood
from visionllm_interaction.reasoning.grammar.meaning import Asked, Scope
from visionllm_interaction.reasoning.grammar.reading import read_question
from visionllm_interaction.reasoning.grammar.tagging import Tagged, tag_question
from visionllm_interaction.reasoning.language.patterns import normalise
from visionllm_interaction.reasoning.language.subordinate_clauses import move_clause_to_end
from visionllm_interaction.reasoning.language.time_expressions import UNIT, Window, extract_window
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary

_OR_MORE = re.compile(r"\b(\w+) (?:or more|eller flere|eller fleire|eller mer|eller meir)\b")
_AT = re.compile(
    rf"(?:^|(?<=\s))(?:at|ved|på)(?: time| tid)? (?:(?:second|sekund|minute|minutt) )?"
    rf"(?P<n>\d+(?::\d\d)+|\d+(?:[.,]\d+)?)\s*(?P<unit>{UNIT})?(?=\s|$)"
)


def tag_text(text: str, vocabulary: Vocabulary) -> tuple[Tagged, Scope, float | None]:
    """Cut the window and the moment out of a normalised question without its video, and tag the rest."""
    text = _OR_MORE.sub(r"at least \1" if " or more" in text else r"minst \1", text)
    match = _AT.search(text)
    at = None
    if match:
        from visionllm_interaction.reasoning.language.time_expressions import _seconds

        at = _seconds(match["n"], match["unit"] or "s")
        text = " ".join((text[: match.start()] + text[match.end() :]).split())
    rest, window = extract_window(text)
    window = window or Window()
    return tag_question(rest, vocabulary), Scope(begin_s=window.begin_s, end_s=window.end_s), at


def understand(question: str, vocabulary: Vocabulary) -> Asked | str:
    """For trying out."""
    text = normalise(move_clause_to_end(question))
    tagged, scope, at = tag_text(text, vocabulary)
    if tagged.unknown:
        return f"unknown: {tagged.unknown}"
    try:
        return replace(read_question(tagged, scope, vocabulary.people, at=at))
    except NotUnderstood as error:
        return f"not understood: {error}"
