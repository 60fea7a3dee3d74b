"""From the words of a question to a plan of expressions, or to a true reason why there is none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.reasoning.grammar.clauses import NotTold, NotUnderstood
from visionllm_interaction.reasoning.grammar.expressions import expression_of, limited_text, moment_text, scope_texts
from visionllm_interaction.reasoning.grammar.meaning import (
    VISIBLE,
    Asked,
    Holds,
    Joined,
    Scope,
    quoted,
    streams_of,
)
from visionllm_interaction.reasoning.grammar.question_reader import read_question
from visionllm_interaction.reasoning.grammar.tagging import Tag, Tagged, tag_question
from visionllm_interaction.reasoning.language.constructions import plain_form
from visionllm_interaction.reasoning.language.patterns import normalise
from visionllm_interaction.reasoning.language.references import extract_two_videos, extract_video, unknown_video
from visionllm_interaction.reasoning.language.subordinate_clauses import move_clause_to_end
from visionllm_interaction.reasoning.language.time_expressions import (
    UNIT,
    Window,
    extract_window,
    spell_numbers,
    time_in_seconds,
)
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.planning.plan import ExpressionStep, Plan, Reading
from visionllm_interaction.reasoning.planning.unanswerable import GAZE, NAMING, SPEECH

_CODED = {
    "speaks": ("speech", SPEECH),
    "looks_at": ("gaze", GAZE),
    "joint_attention": ("gaze", GAZE),
    "mutual_gaze": ("gaze", GAZE),
    "names": ("naming", NAMING),
}
_CODED_LEMMAS = {
    "look": ("gaze", GAZE),
    "joint_attention": ("gaze", GAZE),
    "eye_contact": ("gaze", GAZE),
    "speak": ("speech", SPEECH),
    "answer": ("speech", SPEECH),
    "name": ("naming", NAMING),
    "turn_taking": ("speech", SPEECH),
}
"""Words that are only said of what people code → the kind of code, and why it is not there."""
_NOUNS_TOO = frozenset(
    {"turns", "turn", "watch", "watches", "respond", "responds", "responded", "name", "names", "look", "looks"}
)
"""Words that say other things as well; where other words are not understood, these do not tell what is asked."""
_SHARE_OF_VIDEOS = re.compile(
    r"^(?:in (?:what|which) (?:share|proportion|fraction|percentage)|i (?:hvor|kor) stor (?:andel|del)) "
    r"(?P<of>(?:of|av) (?:the )?(?:videos|recordings|clips|sessions|films|video\w+ne|opptak\w+|klippene|klippa))\b"
)
"""A share of the number of videos, and not of their time."""
_OR_MORE = re.compile(r"\b(\w+) (?:or more|eller flere|eller fleire|eller mer|eller meir)\b")
_QUESTION_WORD = re.compile(r"\b(?:which|what|who|whom|whose|hvilken|hvilket|hvilke|hva|kva|hvem|kven)\b")
_NAMES_OF_THEIR_OWN = (
    "give people names of their own (visionllm roles review, or analysis.roles), or look at single tracks in the table "
    "of tracks"
)
_WHICH = frozenset({"which", "hvilket", "hvilken", "hvilke"})
_WHO_IS = re.compile(r"^(?:who|what|which \w+|how many \w+) (?:is|are|was|were)(?: there| all)?$")
_IN = re.compile(r" (?:in|on|i|på) ")
_LASTED_BETWEEN = re.compile(
    r"\b(?:last(?:s|ed|ing)?|tak(?:e|es|ing)|took|for|var(?:e|te|er|t)|i) (?:between|mellom|from|fra|frå) \d"
)
_LAST_SECONDS = re.compile(
    r"(?:^|(?<=\s))(?:in|during|within|over|for|i løpet av|i|under) (?:the |de |dei )?(?:very )?"
    r"(?:last|final|closing|siste) "
    rf"(?P<n>\d+(?:[.,]\d+)?) (?P<unit>{UNIT})"
    r"(?: (?:of|av) (?:the )?(?:video|recording|clip|session|film|videoen|opptaket))?(?=\s|$)"
)
_WINDOW = (
    r"(?:(?:in|during|over|within|i løpet av|i|under) )?(?:the |de |dei |det )?(?:very )?"
    r"(?P<{n}side>first|opening|last|final|closing|første|fyrste|siste) "
    r"(?P<{n}n>\d+(?:[.,]\d+)?) (?P<{n}unit>{unit})"
)
_TWO_WINDOWS = re.compile(
    rf"(?:^|(?<=\s)){_WINDOW.replace('{n}', 'a').replace('{unit}', UNIT)} (?P<than>than|enn) "
    rf"{_WINDOW.replace('{n}', 'b').replace('{unit}', UNIT)}(?=\s|$)"
)
_AT = re.compile(
    rf"(?:^|(?<=\s))(?:at|ved|på)(?: time| tid)? (?:(?:second|sekund|minute|minutt) )?"
    rf"(?P<n>\d+(?::\d\d)+|\d+(?:[.,]\d+)?)\s*(?P<unit>{UNIT})?(?=\s|$)"
)


@dataclass(frozen=True)
class Understood:
    """What became of a question.

    Attributes:
        plan: its expressions; None if it was not understood.
        tagged: its words.
        problem: the words that could not be put together; "" if single words are not known.
        refusal: why it cannot be answered although it was understood.
    """

    plan: Plan | None
    tagged: Tagged
    problem: str = ""
    refusal: str | None = None


def plan_by_grammar(question: str, vocabulary: Vocabulary) -> Understood:
    """Read a question in words of English or Norwegian.

    Args:
        question: one question in plain words.
        vocabulary: the names it may be about.

    Returns:
        Its plan, or what was not understood of it.
    """
    text = normalise(move_clause_to_end(question))
    versus: str | None = None
    video_id: str | None
    compared = extract_two_videos(text, vocabulary.video_ids)
    if compared is not None:
        text, video_id, versus = compared
        rest = text
    else:
        rest, video_id = extract_video(text, vocabulary.video_ids)
        if video_id and _WHO_IS.search(rest) and _IN.match(text.removeprefix(rest)):
            rest += " in view"  # "Who is in the second video?"
    missing = None if video_id else unknown_video(text, vocabulary.video_ids)
    tagged, scope, at = tag_text(rest, video_id, vocabulary)
    if missing is None and scope.begin_s is not None and scope.end_s is not None and scope.begin_s >= scope.end_s:
        missing = f"the time window ends at {scope.end_s:g} s, before it begins at {scope.begin_s:g} s"
    if missing:
        return Understood(None, tagged, refusal=missing)
    if word := _SHARE_OF_VIDEOS.search(text):
        return Understood(None, tagged, problem=word["of"])
    if tagged.unknown:
        return Understood(None, tagged, refusal=_not_coded(tagged, vocabulary))
    single = _one_of_several(tagged.tags)
    if single:
        return Understood(None, tagged, refusal=single)
    plain = plain_form(spell_numbers(rest))
    if not any(tag.kind == "head" for tag in tagged.tags) and (word := _QUESTION_WORD.search(plain)):
        # Where it opens no question, it is no yes or no either.
        return Understood(None, tagged, problem=word[0], refusal=_not_coded(tagged, vocabulary))
    try:
        asked = read_question(tagged, scope, vocabulary.people, at=at, versus_video=versus)
        _check_absence(asked)
        refusal = _uncoded(asked, vocabulary)
        plan = None if refusal else plan_of_asked(asked)
    except NotTold as error:
        return Understood(None, tagged, refusal=str(error))
    except NotUnderstood as error:
        return Understood(None, tagged, problem=str(error) or "?", refusal=_not_coded(tagged, vocabulary))
    return Understood(plan, tagged, refusal=refusal)


def _one_of_several(tags: Sequence[Tag]) -> str | None:
    """Why one of several of a name ("the second child", "person 2") is not asked for; None if none is meant."""
    asks_names = bool(tags) and tags[0].is_("head", "who", "what", "which")
    is_which = asks_names and tags[0].text in _WHICH and len(tags) > 1 and tags[1].kind == "name"
    if is_which and tags[1].value in PERSON_CATEGORIES:
        return f"the store knows every {tags[1].value} by one name, and does not tell them apart; {_NAMES_OF_THEIR_OWN}"
    for place, (tag, following) in enumerate(pairwise(tags)):
        if tag.kind == "ordinal" and _is_name(following) and " " not in tag.text and not asks_names:
            return several_of_a_name(following.text, f"{tag.text} {following.text}")
        behind = tags[place + 2] if place + 2 < len(tags) else None
        measured = behind is not None and (behind.kind in ("unit", "name") or behind.is_("noun"))
        if _is_name(tag) and following.kind == "number" and not measured:
            return several_of_a_name(tag.text, f"{tag.text} {following.text}")
    return None


def _is_name(tag: Tag) -> bool:
    return tag.kind == "name" or tag.is_("noun", "person")


def several_of_a_name(name: str, spoken: str) -> str:
    """The refusal of a question about one of several people or things of one name.

    Args:
        name: what all are called.
        spoken: how the one was named.

    Returns:
        What is not known, and what to do.
    """
    return f"the store knows every {name} by one name, and not which one is “{spoken}”; {_NAMES_OF_THEIR_OWN}"


def _not_coded(tagged: Tagged, vocabulary: Vocabulary) -> str | None:
    """Why a question with words for gaze, speech or naming has no answer here, however it is put; None if it may."""
    for tag in tagged.tags:
        if tag.text in _NOUNS_TOO and tagged.unknown:
            continue
        kinds = {_CODED_LEMMAS[lemma] for lemma in tag.lemmas if lemma in _CODED_LEMMAS}
        if len(kinds) == 1 and all(lemma in _CODED_LEMMAS for lemma in tag.lemmas):
            ((kind, reason),) = kinds
            if kind not in vocabulary.coded:
                return reason
    return None


def tag_text(text: str, video_id: str | None, vocabulary: Vocabulary) -> tuple[Tagged, Scope, float | None]:
    """Cut the window and the moment out of a normalised question without its video, and tag the rest."""
    text = plain_form(spell_numbers(text))
    text = _OR_MORE.sub(r"at least \1" if " or more" in text else r"minst \1", text)
    match = _AT.search(text)
    at = None
    if match:
        at = time_in_seconds(match["n"], match["unit"] or "s")
        text = " ".join((text[: match.start()] + text[match.end() :]).split())
    if _LASTED_BETWEEN.search(text):
        # "Bouts that lasted between 2 and 4 seconds" names lengths, and no part of the video.
        return tag_question(text, vocabulary), Scope(video_id=video_id), None
    both = _TWO_WINDOWS.search(text)
    if both:
        rest = f"{text[: both.start()]}{both['than']}{text[both.end() :]}"
        versus = _window_scope(both, "b", Scope(video_id=video_id))
        return tag_question(rest, vocabulary), _window_scope(both, "a", Scope(video_id=video_id, versus=versus)), at
    last = _LAST_SECONDS.search(text)
    if last:
        text = " ".join((text[: last.start()] + text[last.end() :]).split())
    rest, window = extract_window(text)
    window = window or Window()
    last_s = time_in_seconds(last["n"], last["unit"]) if last else None
    scope = Scope(video_id=video_id, begin_s=window.begin_s, end_s=window.end_s, last_s=last_s)
    return tag_question(rest, vocabulary), scope, at


def _window_scope(match: re.Match[str], name: str, scope: Scope) -> Scope:
    seconds = time_in_seconds(match[f"{name}n"], match[f"{name}unit"])
    if match[f"{name}side"] in ("last", "final", "closing", "siste"):
        return replace(scope, last_s=seconds)
    return replace(scope, end_s=seconds)


def _check_absence(asked: Asked) -> None:
    """Refuse "How long did she stay away after leaving?": one absence is meant, and all that follow would be summed."""
    stream, after = asked.stream, asked.scope.after
    if not isinstance(stream, Holds) or not isinstance(after, Holds) or stream.names[:1] != after.names[:1]:
        return
    if stream.relation == VISIBLE and stream.negated and after.relation == "leaves":
        raise NotUnderstood("after")


def _uncoded(asked: Asked, vocabulary: Vocabulary) -> str | None:
    """Why what is asked is in no store without codes; None if it is, or needs none."""
    for stream in streams_of(asked):
        parts = stream.parts if isinstance(stream, Joined) else (stream,)
        for part in parts:
            kind, reason = _CODED.get(part.relation, ("", "")) if isinstance(part, Holds) else ("", "")
            if kind and kind not in vocabulary.coded:
                return reason
    return None


_READINGS: dict[str, Reading] = {
    "most": "most",
    "least": "least",
    "first": "first",
    "last": "last",
    "any": "list",
    "none": "none",
    "number": "number",
    "each": "each",
}


def plan_of_asked(asked: Asked) -> Plan:
    """The plan of what is asked."""
    steps = [_step(asked), *(_step(more) for more in asked.also)]
    return Plan(expressions=tuple(steps))


def _step(asked: Asked) -> ExpressionStep:
    only = f' in video "{asked.scope.video_id}"' if asked.scope.video_id else ""
    if asked.ask == "describe":
        return ExpressionStep(expression=_told(asked) + only, reading="describe", language=asked.language)
    if asked.ask == "doing":
        return ExpressionStep(expression=_doing(asked) + only, reading="doing", language=asked.language)
    than = None
    reading = _reading(asked)
    if asked.than is not None:
        than = expression_of(asked.than)
    return ExpressionStep(
        expression=expression_of(asked),
        reading=reading,
        than=than,
        top=asked.top,
        threshold=asked.threshold,
        language=asked.language,
    )


def _reading(asked: Asked) -> Reading:
    if asked.than is not None:
        return asked.comparison or "difference"
    if asked.is_counted:
        return "value"
    if asked.variable:
        return "next" if asked.ask == "next" else _READINGS[asked.pick or "any"]
    if asked.mean_over is not None:
        return "mean"
    if asked.ask == "portion" or asked.ask == "ratio":
        return asked.ask
    if asked.threshold is not None:
        return "exceeds"
    if asked.ask == "delay":
        return "delay"
    if asked.ask == "holds":
        return "holds"
    return "yes_no" if asked.ask == "exists" else "value"


_TOLD = ("enters", "leaves", "picks_up", "puts_down", "hands_over")


def _told(asked: Asked) -> str:
    """How many events there are to tell of."""
    streams = " | ".join(f"{kind}(person)" for kind in _TOLD)
    limits = scope_texts(asked.scope)
    return f"count({limited_text(f'({streams})', asked.scope) if limits else streams})"


def _doing(asked: Asked) -> str:
    """Whether somebody was in view at a moment; what else was so then is told beside it."""
    assert isinstance(asked.stream, Holds)
    return f"holds(visible({quoted(asked.stream.names[0])}), at={moment_text(asked.at)})"
