"""What words of a question refer to: "they both", "it", "in video X"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

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
_IN = r"(?:^|(?<=\s))(?:in|from|of|for|on|during|i|fra|frå|av|under) "
_VIDEO_NOUN = r"videos?|videoen|recordings?|clips?|films?|filmen|session|opptaket|opptak|klippet|klipp"
_VIDEO_STEMS = ("video", "recording", "clip", "film", "session", "opptak", "klipp")
"""One of these is in every word of :data:`_VIDEO_NOUN`: most questions name no video and need no such pattern."""
_DIGEST = re.compile(r"-[0-9a-f]{8}$")
_COMPARES = re.compile(r"\b(?:than|enn|compared|versus|vs|sammenlignet|samanlikna)\b")
_ENDING = r"(?:mp4|mov|avi|mkv|webm|m4v|mpe?g|mts|m2ts|wmv|3gp|ts|ogv)"
_PLACES = {
    "first": 1,
    "1st": 1,
    "second": 2,
    "2nd": 2,
    "third": 3,
    "3rd": 3,
    "fourth": 4,
    "4th": 4,
    "fifth": 5,
    "5th": 5,
    "sixth": 6,
    "seventh": 7,
    "eighth": 8,
    "ninth": 9,
    "tenth": 10,
    "last": -1,
    "final": -1,
    "første": 1,
    "fyrste": 1,
    "andre": 2,
    "tredje": 3,
    "fjerde": 4,
    "femte": 5,
    "sjette": 6,
    "siste": -1,
}
_UNKNOWN = re.compile(
    rf"(?:^|\s)(?:in|from|of|for|i|fra) (?:{_NOUN} (?P<id>[\w.-]*[\d_][\w.-]*)|(?P<bare>[^\W\d][\w.-]*_[\w.-]+))"
)


_SECOND_BY_PLACE = re.compile(
    rf"(?P<same>\b(?:{'|'.join(_PLACES)}) (?P<noun>{_VIDEO_NOUN}))(?P<than> (?:than|enn) (?:in|i) (?:the|den|det) )"
    rf"(?P<place>{'|'.join(_PLACES)})(?: one)?$"
)
"""The second video without its noun: "in the first video than in the second"."""


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
    """Cut "in video X", "in the second video" out of a normalised ``question``.

    Videos are named by id, by the name of their file with or without its ending, or by their place in the store.

    Args:
        question: normalised.
        video_ids: the videos in the order of the store.

    Returns:
        The rest and the video's id; None if none is named, or none that can be told.
    """
    found = next(_mentions(question, video_ids), None)
    if found is None or len(found.video_ids) != 1:
        return question, None
    rest = question[: found.begin] + question[found.end :]
    return " ".join(rest.replace(" ,", ",").split()).strip(" ,"), found.video_ids[0]


def extract_two_videos(question: str, video_ids: Sequence[str]) -> tuple[str, str, str] | None:
    """Cut two videos that are compared out of a normalised ``question``.

    Args:
        question: normalised.
        video_ids: the videos in the order of the store.

    Returns:
        The rest, and the ids in the order in which they are named; None unless "than" or the like stands between two.
    """
    question = _SECOND_BY_PLACE.sub(r"\g<same>\g<than>\g<place> \g<noun>", question)
    first = next(_mentions(question, video_ids), None)
    if first is None or len(first.video_ids) != 1:
        return None
    blanked = question[: first.begin] + " " * (first.end - first.begin) + question[first.end :]
    second = next(_mentions(blanked, video_ids), None)
    if second is None or len(second.video_ids) != 1 or second.video_ids == first.video_ids:
        return None
    first, second = sorted((first, second), key=lambda mention: mention.begin)
    if not _COMPARES.search(question[first.end : second.begin]):
        return None
    kept = (question[: first.begin], question[first.end : second.begin], question[second.end :])
    return " ".join(" ".join(kept).split()).strip(" ,"), first.video_ids[0], second.video_ids[0]


class _Mention(NamedTuple):
    """Where a question names a video, and the ids that it can mean."""

    begin: int
    end: int
    video_ids: tuple[str, ...]
    words: str


def _mentions(question: str, video_ids: Sequence[str]) -> Iterator[_Mention]:
    for video_id in sorted(video_ids, key=len, reverse=True):
        spoken = video_id.casefold()
        if spoken not in question:
            # Patterns are compiled for videos that are named alone: a store may hold hundreds.
            continue
        match = re.search(rf"(?:{_IN})?(?:{_NOUN} )?(?<![\w.-]){re.escape(spoken)}(?![\w-])", question)
        if match:
            yield _Mention(match.start(), match.end(), (video_id,), match.group())
    yield from _by_file_name(question, video_ids)
    yield from _by_place(question, video_ids)


def _by_file_name(question: str, video_ids: Sequence[str]) -> Iterator[_Mention]:
    """Videos by the name of their file, with its ending, after "video", or after "in" if it looks like no word."""
    stems: dict[str, list[str]] = {}
    for video_id in video_ids:
        stem = _DIGEST.sub("", video_id.casefold())
        if stem:
            stems.setdefault(stem, []).append(video_id)
    for stem, ids in sorted(stems.items(), key=lambda pair: -len(pair[0])):
        words = re.split(r"[\W_]+", stem)
        if not all(word in question for word in words):
            continue
        spoken = r"[\W_]+".join(map(re.escape, words))
        name = rf"(?<![\w.-]){spoken}"
        ways = [rf"(?:{_IN})?(?:{_NOUN} )?{name}\.{_ENDING}(?![\w-])", rf"(?:{_IN})?{_NOUN} {name}(?![\w-])"]
        if re.search(r"[\d_]", stem):
            ways.append(rf"(?:{_IN})?{name}(?![\w-])")
        elif len(words) > 1 and stem in question:
            # "In living-room-tuesday": as it is written; with other separators the words may be a sentence's own.
            ways.append(rf"(?:{_IN})?(?<![\w.-]){re.escape(stem)}(?![\w-])")
        match = next((found for way in ways if (found := re.search(way, question))), None)
        if match:
            yield _Mention(match.start(), match.end(), tuple(ids), match.group())


def _by_place(question: str, video_ids: Sequence[str]) -> Iterator[_Mention]:
    """Videos by their place: "the second video", "video 2", "den siste videoen"."""
    if not any(noun in question for noun in _VIDEO_STEMS):
        return
    match = re.search(
        rf"(?:{_IN})?(?:the |den |det )?(?P<word>{'|'.join(_PLACES)}) (?:{_VIDEO_NOUN})(?!\w)"
        rf"|(?:{_IN})?(?:the )?(?:{_VIDEO_NOUN}) (?:number |no\.? |nummer |nr\.? |# ?)?"
        r"(?P<number>\d{1,4})(?![\w.,:-])",
        question,
    )
    if match is None:
        return
    place = int(match["number"]) if match["number"] else _PLACES[match["word"]]
    index = place - 1 if place > 0 else len(video_ids) - 1
    known = (video_ids[index],) if 0 <= index < len(video_ids) else ()
    yield _Mention(match.start(), match.end(), known, match.group().strip())


def unknown_video(question: str, video_ids: Sequence[str]) -> str | None:
    """The reason to refuse when ``question`` names a video that the store does not hold, else None."""
    named = next(_mentions(question, video_ids), None)
    if named and len(named.video_ids) > 1:
        return f"{named.words.strip()!r} may be {' or '.join(named.video_ids[:5])}; name the video by its id"
    if named:
        return f"the store has no {named.words.strip()!r}: it has {_listing(video_ids)}"
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
