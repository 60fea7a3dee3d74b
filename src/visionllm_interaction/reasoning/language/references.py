"""What words of a question refer to: "they both", "it", "in video X"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from visionllm_interaction.core.categories import PERSON_CATEGORIES, nearest_names
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.planning.plan import Plan

_BOTH = re.compile(r"\b(?:they both|both of them|the two of them|both people|they together|begge to|de begge)\b")
_JOINT = re.compile(
    r"^(?P<how>(?:for )?how (?:long|many seconds|much time)) (?:did|do) (?P<a>.+?) and (?P<b>.+?) "
    r"(?:both |together |jointly )?(?:hold|handle|carry) (?P<c>.+?)"
    r"(?: together| jointly| at the same time| at once| simultaneously)?$"
)
_LET_GO = re.compile(r"\b(let go|lets go)(?= (?:first|last|earlier|later|earliest|latest)\b|$)")
_NOUN = r"(?:the )?(?:video|videoen|recording|clip|file|opptaket)(?: (?:called|named))?"
_UNKNOWN = re.compile(
    rf"(?:^|\s)(?:in|from|of|for|i|fra) (?:{_NOUN} (?P<id>[\w.-]*[\d_][\w.-]*)|(?P<bare>[^\W\d][\w.-]*_[\w.-]+))"
)


def spell_out_both(text: str, vocabulary: Vocabulary) -> str:
    """Name the two people of "they both"; what two do together becomes one doing it *while* the other does."""
    people = vocabulary.people
    if len(people) == 2:
        text = _BOTH.sub(f"the {people[0]} and the {people[1]}", text)
    return _JOINT.sub(r"\g<how> did \g<a> hold \g<c> while \g<b> held \g<c>", text)


def resolve_it(plan: Plan, question: str) -> str:
    """``question`` with "it" replaced by the object that ``plan``, the part before, is about."""
    names = [name for step in plan.steps for name in (step.object, step.subject) if name]
    name = next((name for name in names if name not in PERSON_CATEGORIES), None)
    if name is None:
        return question
    return _LET_GO.sub(rf"\1 of the {name}", re.sub(r"\bit\b", f"the {name}", question.rstrip(" ?")))


def extract_video(question: str, video_ids: Sequence[str]) -> tuple[str, str | None]:
    """Cut "in video X" out of a normalised ``question``; returns the rest and the video id, None if none is named."""
    for video_id in sorted(video_ids, key=len, reverse=True):
        spoken = re.escape(video_id.casefold())
        pattern = rf"(?:(?:^|(?<=\s))(?:in|from|of|for|on|i|fra) )?(?:{_NOUN} )?(?<![\w.-]){spoken}(?![\w-])"
        match = re.search(pattern, question)
        if match:
            rest = question[: match.start()] + question[match.end() :]
            return " ".join(rest.replace(" ,", ",").split()).strip(" ,"), video_id
    return question, None


def unknown_video(question: str, video_ids: Sequence[str]) -> str | None:
    """The reason to refuse when ``question`` names a video that the store does not hold, else None."""
    match = _UNKNOWN.search(question)
    if match is None:
        return None
    name = match["id"] or match["bare"]
    near = nearest_names(name, video_ids)
    hint = f"did you mean {' or '.join(near)}?" if near else f"it has {_listing(video_ids)}"
    return f"the store has no video {name!r}; {hint}"


def _listing(video_ids: Sequence[str], *, limit: int = 5) -> str:
    shown = ", ".join(video_ids[:limit])
    return shown + (f" and {len(video_ids) - limit} more" if len(video_ids) > limit else "")
