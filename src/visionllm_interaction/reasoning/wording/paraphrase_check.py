"""Whether a sentence that a model wrote says what the verified sentence says, and nothing else.

Free language cannot be verified, so only a small language is accepted: the names and numbers of the verified sentence,
in an order that means the same, joined by words from a closed list. Everything else is dropped.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from visionllm_interaction.reasoning.answers import Claim
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary

_NUMBER = r"-?\d+(?:\.\d+)?"
_TOKEN = re.compile(rf"(?P<number>(?<![\w.]){_NUMBER})(?![\d])|(?P<word>[^\W\d_]+(?:'[a-z]+)?)|(?P<percent>%)")
_UNIT_WORDS: Mapping[str, frozenset[str]] = {
    "s": frozenset({"s", "sec", "second", "seconds"}),
    "%": frozenset({"%", "percent", "per"}),
    "times": frozenset({"time", "times", "occasion", "occasions", "bouts", "bout"}),
}
_MEANINGS: Mapping[str, frozenset[str]] = {
    "visible": frozenset({"visible", "view", "seen", "sight", "screen", "visibility"}),
    "near": frozenset({"near", "close", "beside", "next"}),
    "in_contact": frozenset({"contact", "touching", "touched", "touch"}),
    "holding": frozenset({"held", "hold", "holding", "carried", "carrying", "carry", "holds"}),
    "not": frozenset({"not", "no", "never", "nobody", "nothing", "without"}),
    "first": frozenset({"first", "earliest", "initially"}),
    "last": frozenset({"last", "latest", "finally"}),
    "longest": frozenset({"longest", "longer", "most"}),
    "least": frozenset({"shortest", "shorter", "least"}),
    "mean": frozenset({"mean", "average"}),
    "while": frozenset({"while", "during"}),
    "after": frozenset({"after"}),
    "before": frozenset({"before"}),
    "between": frozenset({"between"}),
    "began": frozenset({"began", "begin", "started"}),
    "ended": frozenset({"ended", "end", "stopped"}),
    "together": frozenset({"together", "both"}),
    "minus": frozenset({"minus"}),
    "tie": frozenset({"tie"}),
    "yes": frozenset({"yes"}),
    "more": frozenset({"more"}),
    "order": frozenset({"order"}),
    "found": frozenset({"found"}),
    "anything": frozenset({"something", "anything"}),
}
_MEANING_OF = {word: meaning for meaning, words in _MEANINGS.items() for word in words}
_FILLER = frozenset(
    {
        *("a", "an", "the", "was", "were", "is", "are", "be", "been", "being", "it", "its", "this", "that", "these"),
        *("those", "there", "which", "who", "in", "on", "at", "of", "for", "to", "from", "with", "by", "and", "or"),
        *(
            "as",
            "than",
            "all",
            "total",
            "totally",
            "altogether",
            "overall",
            "amount",
            "amounts",
            "duration",
            "time",
            "times",
        ),
        *("length", "took", "lasted", "had", "has", "have", "did", "only", "looking", "looked", "video", "videos"),
        *("recording", "recordings", "counted", "count", "number", "numerous", "s", "sec", "second", "seconds"),
        *("percent", "per", "min", "occasion", "occasions", "bout", "bouts", "each", "another", "other", "recorded"),
        *("measured", "we", "can", "could", "see", "they", "them", "so", "case", "share", "stayed", "remained"),
    }
)


class _ParsedSentence(Struct, frozen=True):
    """A parsed sentence.

    Attributes:
        numbers: each with the unit after it, in order.
        names: in order.
        meanings: of the words that have one, sorted.
        strange: words that are on no list.
        passive: whether it says *by*.
        sequence: names and numbers, in order.
    """

    numbers: tuple[tuple[float, str], ...]
    names: tuple[str, ...]
    meanings: tuple[str, ...]
    strange: tuple[str, ...]
    passive: bool
    sequence: tuple[str, ...]


def unproven(text: str, proven: Claim, vocabulary: Vocabulary) -> Iterator[str]:
    """Everything in ``text`` that differs from the verified claim; nothing if it says the same in other words."""
    found = _read(text, proven.text, vocabulary)
    said = _read(proven.text, proven.text, vocabulary)
    if found.strange:
        yield f"says something that cannot be checked: {', '.join(found.strange)}"
    if not _same_numbers(found, said, proven):
        yield "its numbers or their units are not those of the evidence"
    if not _same_names(found, said, proven):
        yield f"speaks of {', '.join(found.names) or 'nothing'} where the evidence is about {', '.join(said.names)}"
    if found.meanings != said.meanings:
        differing = Counter(found.meanings)
        differing.subtract(said.meanings)
        yield f"does not mean the same: {', '.join(word for word, n in differing.items() if n)}"


def _read(text: str, proven: str, vocabulary: Vocabulary) -> _ParsedSentence:
    rest = _without_videos(text.casefold(), vocabulary.video_ids)
    mentions = list(vocabulary.mentions(rest))
    for _, (begin, end) in mentions:
        rest = rest[:begin] + " " * (end - begin) + rest[end:]
    numbers, words, order = [], [], [(begin, name) for name, (begin, _) in mentions]
    tokens = list(_TOKEN.finditer(rest))
    for index, token in enumerate(tokens):
        if token["number"]:
            following = tokens[index + 1] if index + 1 < len(tokens) else None
            numbers.append((float(token["number"]), _unit(following)))
            order.append((token.start(), f"{float(token['number']):g}"))
        else:
            words.append(token.group())
    known = set(re.findall(r"[^\W\d_]+", proven.casefold()))
    strange = [w for w in words if w not in _FILLER and w not in _MEANING_OF and w not in known and w != "%"]
    return _ParsedSentence(
        numbers=tuple(numbers),
        names=tuple(name for name, _ in mentions),
        meanings=tuple(sorted(_MEANING_OF[w] for w in words if w in _MEANING_OF)),
        strange=tuple(dict.fromkeys(strange)),
        passive="by" in words,
        sequence=tuple(item for _, item in sorted(order)),
    )


def _unit(token: re.Match[str] | None) -> str:
    word = token.group() if token else ""
    return next((unit for unit, words in _UNIT_WORDS.items() if word in words), "")


def _same_numbers(found: _ParsedSentence, said: _ParsedSentence, proven: Claim) -> bool:
    if proven.operation not in ("value", "sum", "largest"):
        return found.numbers == said.numbers and found.sequence == said.sequence
    # One value and its limits: the value may stand first or last, the limits keep their order.
    if sorted(found.numbers) != sorted(said.numbers):
        return False
    return _limits(found.numbers, proven) == _limits(said.numbers, proven)


def _limits(numbers: Sequence[tuple[float, str]], proven: Claim) -> list[float]:
    left = [number for number, _ in numbers]
    if isinstance(proven.value, (int, float)):
        at = min(range(len(left)), key=lambda i: abs(left[i] - float(proven.value or 0)), default=None)
        if at is not None:
            del left[at]
    return left


def _same_names(found: _ParsedSentence, said: _ParsedSentence, proven: Claim) -> bool:
    if found.names == said.names:
        return True
    if sorted(found.names) != sorted(said.names) or proven.operation not in ("value", "sum", "largest"):
        return False
    # Who is near whom may change places; who holds what may not, unless the sentence is passive.
    mutual = "holding" not in said.meanings
    return len(said.names) == 2 and (mutual or found.passive)


def _without_videos(text: str, video_ids: Sequence[str]) -> str:
    for video_id in sorted(video_ids, key=len, reverse=True):
        text = re.sub(rf"(?<![\w-]){re.escape(video_id.casefold())}(?![\w-])", " ", text)
    return text
