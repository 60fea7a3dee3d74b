"""Naming moments from a transcript: words, in all their forms, that name a category of the store.

English plurals follow rules; Norwegian nouns (bokmål) have their four forms. More words: ``interop.words`` in the
configuration.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from visionllm_interaction.core.tracks_relations_events import Code
from visionllm_interaction.interop.tiers import Timeline

NORWEGIAN: Mapping[str, str] = MappingProxyType(
    {
        "apple": "eple eplet epler eplene epla",
        "ball": "ball ballen baller ballene",
        "banana": "banan bananen bananer bananene",
        "bear": "bjørn bjørnen bjørner bjørnene",
        "bed": "seng senga sengen senger sengene",
        "bicycle": "sykkel sykkelen sykler syklene",
        "bird": "fugl fuglen fugler fuglene",
        "block": "kloss klossen klosser klossene byggekloss byggeklossen byggeklosser byggeklossene",
        "book": "bok boka boken bøker bøkene",
        "bottle": "flaske flaska flasken flasker flaskene",
        "bowl": "bolle bollen boller bollene",
        "cake": "kake kaka kaken kaker kakene",
        "car": "bil bilen biler bilene lekebil lekebilen lekebiler lekebilene",
        "cat": "katt katten katter kattene pus pusen",
        "chair": "stol stolen stoler stolene",
        "clock": "klokke klokka klokken klokker klokkene",
        "couch": "sofa sofaen sofaer sofaene",
        "cow": "ku kua kuen kuer kuene",
        "cup": "kopp koppen kopper koppene krus kruset krusene",
        "dog": "hund hunden hunder hundene vovse vovsen vovser vovsene",
        "doll": "dukke dukka dukken dukker dukkene",
        "fork": "gaffel gaffelen gafler gaflene",
        "hand": "hånd hånda hånden hender hendene",
        "horse": "hest hesten hester hestene",
        "knife": "kniv kniven kniver knivene",
        "orange": "appelsin appelsinen appelsiner appelsinene",
        "phone": "telefon telefonen telefoner telefonene",
        "plate": "tallerken tallerkenen tallerkener tallerknene",
        "shoe": "sko skoen skoene",
        "spoon": "skje skjea skjeen skjeer skjeene",
        "table": "bord bordet bordene",
        "teddy bear": "bamse bamsen bamser bamsene teddybjørn teddybjørnen teddybjørner teddybjørnene",
        "toothbrush": "tannbørste tannbørsten tannbørster tannbørstene",
        "train": "tog toget togene",
    }
)
"""Category → Norwegian words for it, in their indefinite and definite forms, singular and plural."""
ENGLISH: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "teddy bear": ("teddy bear", "teddy"),
        "cup": ("cup", "mug"),
        "block": ("block", "brick"),
        "book": ("book",),
        "cell phone": ("cell phone", "phone"),
    }
)
"""Category → English words for it, where the category is not the only one."""
_IRREGULAR: Mapping[str, str] = MappingProxyType(
    {
        "child": "children",
        "foot": "feet",
        "goose": "geese",
        "knife": "knives",
        "leaf": "leaves",
        "man": "men",
        "mouse": "mice",
        "person": "people",
        "scissors": "scissors",
        "sheep": "sheep",
        "skis": "skis",
        "tooth": "teeth",
        "woman": "women",
    }
)
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_PAUSE_S = 1.5
"""Words of one name are at most this far apart."""


class LemmaTable:
    """The words that name the categories of a store.

    Args:
        categories: the categories.
        more: category → further words; their English plurals and regular Norwegian forms count too.
    """

    def __init__(self, categories: Iterable[str], more: Mapping[str, Iterable[str]] = MappingProxyType({})) -> None:
        forms: dict[tuple[str, ...], str] = {}
        for category in categories:
            for form in _forms(category, more.get(category, ())):
                # A word that is itself a category names that one.
                forms.setdefault(tuple(_WORD.findall(form.casefold())), category)
        for category in categories:
            for form in _english(category):
                forms[tuple(_WORD.findall(form.casefold()))] = category
        self._forms = {form: category for form, category in forms.items() if form}
        self._longest = max(map(len, self._forms), default=0)

    def find(self, words: Sequence[str]) -> Iterator[tuple[int, int, str]]:
        """What is named in a sequence of words; of several readings the longest name counts.

        Args:
            words: the words.

        Yields:
            Index of the first word and of the one after the last, and the category.
        """
        tokens = [_token(word) for word in words]
        at = 0
        while at < len(tokens):
            for length in range(min(self._longest, len(tokens) - at), 0, -1):
                category = self._forms.get(tuple(tokens[at : at + length]))
                if category is not None:
                    yield at, at + length, category
                    at += length
                    break
            else:
                at += 1


def words_of(text: str) -> list[str]:
    """The words of a text, without marks."""
    return _WORD.findall(text)


def _token(word: str) -> str:
    """A word for comparison: small letters, without marks and without the ending of a genitive."""
    found = _WORD.search(word.casefold())
    return re.sub(r"['’]s?\Z", "", found[0]) if found else ""


def _forms(category: str, more: Iterable[str]) -> Iterator[str]:
    yield from _english(category)
    for word in ENGLISH.get(category, ()):
        yield from _english(word)
    yield from NORWEGIAN.get(category, "").split()
    for word in more:
        yield from _english(word)
        yield from _norwegian(word)


def _english(noun: str) -> Iterator[str]:
    yield noun
    head, _, last = noun.rpartition(" ")
    if last in _IRREGULAR:
        plural = _IRREGULAR[last]
    elif last.endswith(("s", "x", "z", "ch", "sh")):
        plural = last + "es"
    elif last.endswith("y") and last[-2:-1] not in "aeiou":
        plural = last[:-1] + "ies"
    else:
        plural = last + "s"
    yield f"{head} {plural}".strip()


def _norwegian(noun: str) -> Iterator[str]:
    endings = ("n", "t", "r", "ne", "a") if noun.endswith("e") else ("en", "et", "a", "er", "ene")
    stem = noun[:-1] if noun.endswith("e") else noun
    yield from ((stem if ending == "a" else noun) + ending for ending in endings)


def naming_codes(
    codes: Sequence[Code], timeline: Timeline, lemmas: LemmaTable, *, wanted: bool | None, source: str
) -> list[Code]:
    """Naming moments from the words of a file.

    A single word with a time gives a moment with that time; a word of an utterance without times for its words gives
    the whole utterance.

    Args:
        codes: the file's codes, on its own clock.
        timeline: the file, whose formats say which tiers are transcripts.
        lemmas: the words of the categories.
        wanted: False: none; True: from all speech; None: from transcripts, unless the file codes naming itself.
        source: name of the file.

    Returns:
        Codes of kind ``naming``, whose label is the category.
    """
    if wanted is False or (wanted is None and any(code.kind == "naming" for code in codes)):
        return []
    transcripts = {tier.name for tier in timeline.tiers if tier.kind in ("speech", "word")}
    used = [code for code in codes if code.kind in ("speech", "word") and (wanted or code.tier in transcripts)]
    found: list[Code] = []
    for mention in _mentions(used, lemmas):
        found.append(
            Code(
                f"{source}#named{len(found) + 1}",
                "naming",
                "naming",
                mention.participant,
                mention.category,
                mention.begin_s,
                mention.end_s,
                source,
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class _Mention:
    participant: str
    category: str
    begin_s: float
    end_s: float


def _mentions(codes: Sequence[Code], lemmas: LemmaTable) -> list[_Mention]:
    by_person: dict[str, list[Code]] = {}
    for code in codes:
        by_person.setdefault(code.participant, []).append(code)
    found: list[_Mention] = []
    for person, own in by_person.items():
        words = sorted((code for code in own if code.kind == "word"), key=lambda code: code.begin_s)
        for run in _runs(words):
            for first, after, category in lemmas.find([code.label for code in run]):
                found.append(_Mention(person, category, run[first].begin_s, run[after - 1].end_s))
        begins = [code.begin_s for code in words]
        for code in own:
            if code.kind == "speech" and not _has_words(code, begins):
                named = lemmas.find(words_of(code.label))
                found += [_Mention(person, category, code.begin_s, code.end_s) for _, _, category in named]
    return sorted(found, key=lambda mention: (mention.begin_s, mention.end_s))


def _runs(words: Sequence[Code]) -> Iterator[list[Code]]:
    """Words that follow each other without a longer pause."""
    run: list[Code] = []
    for word in words:
        if run and word.begin_s - run[-1].end_s > _PAUSE_S:
            yield run
            run = []
        run.append(word)
    if run:
        yield run


def _has_words(utterance: Code, begins: Sequence[float]) -> bool:
    at = bisect_left(begins, utterance.begin_s - 0.01)
    return at < len(begins) and begins[at] < utterance.end_s
