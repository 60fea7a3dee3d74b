"""Why a question is not answered, in words that are true: what was not understood of it, and what can be asked."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.reasoning.grammar.lexicon import Language, load_lexicon
from visionllm_interaction.reasoning.grammar.meaning import quoted
from visionllm_interaction.reasoning.grammar.planner import Understood
from visionllm_interaction.reasoning.language.synonyms import BUILT_IN, NARROWER, plural
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary

_NO_FORM = "the question fits none of the known forms"
_MAX_WORDS = 3
_BEFORE_NOUNS = "the|an?|his|her|their|its|my|how many|hvor mange|kor mange"
_LEAST_LETTERS = 3
_ALIKE = 0.8
"""How alike a word and a name are that are taken for the same, mistyped."""
_FUNCTION_WORDS = frozenset(
    {
        *(
            "for",
            "from",
            "with",
            "some",
            "same",
            "they",
            "them",
            "then",
            "than",
            "that",
            "this",
            "there",
            "here",
            "where",
        ),
        *("when", "what", "who", "how", "why", "was", "were", "has", "had", "bar", "bare", "ble", "blei", "kan", "ser"),
        *(
            "other",
            "others",
            "another",
            "only",
            "bare",
            "berre",
            "even",
            "ever",
            "never",
            "over",
            "else",
            "each",
            "both",
        ),
        *("var", "vil", "hun", "han", "seg", "sin", "det", "den", "noe", "som", "med", "mot", "hos"),
    }
)
"""Words that are like many names and are none."""
_NO_THINGS = frozenset(
    {
        "end",
        "start",
        "beginning",
        "middle",
        "part",
        "rest",
        "time",
        "way",
        "video",
        "slutten",
        "starten",
        "resten",
        "delen",
    }
)
"""Nouns with an article that name no object of a store."""
_EXAMPLES = {
    "holding": "How long did the {0} hold the {1}?",
    "near": "How long was the {0} near the {1}?",
    "in_contact": "How often did the {0} touch the {1}?",
    "picks_up": "When did the {0} pick up the {1}?",
    "puts_down": "How often did the {0} put down the {1}?",
    "visible": "How long was the {1} visible?",
    "alone": "How long was the {0} alone?",
    "enters": "When did the {0} enter?",
    "leaves": "When did the {0} leave?",
}
_RELATION_OF = {
    "hold": "holding",
    "play": "holding",
    "near": "near",
    "come": "near",
    "approach": "near",
    "withdraw": "near",
    "touch": "in_contact",
    "pick": "picks_up",
    "take": "picks_up",
    "put": "puts_down",
    "putdown": "puts_down",
    "release": "holding",
    "alone": "alone",
    "enter": "enters",
    "leave": "leaves",
    "visible": "visible",
}


_MEASURES: tuple[tuple[str, str], ...] = (
    (r"burst\w*", "burstiness(picks_up({0}))"),
    (r"memory (?:of|coefficient)", "memory(picks_up({0}))"),
    (r"allan factor", "allan_factor(picks_up({0}), 10s)"),
    (r"(?:how|more|less) (?:central\w*|centred|centered)|centredness|centeredness", "mean(centredness({1}))"),
    (r"dominan\w*", "mean(dominance({1}))"),
    (r"how (?:big|large|small)|(?:share|part|much) of (?:the )?(?:image|picture|frame)|size of"
     r"|(?:hvor|kor) stor(?! (?:del|andel|part|prosent))",
     "mean(size({1}))"),
    (r"(?:to|on) the left|left of|til venstre", "share(left_of({3}, {4}))"),
    (r"(?:to|on) the right|right of|til høyre|til høgre", "share(right_of({3}, {4}))"),
    (r"above|over the|on top of|ovenfor", "share(above({3}, {4}) | below({4}, {3}))"),
    (r"below|beneath|underneath", "share(below({3}, {4}) | above({4}, {3}))"),
    (r"inside|inni|inne i", "share(inside({3}, {4}))"),
    (r"fac(?:e|es|ed|ing) (?:the|towards?)|vendt mot", "share(facing({0}, {2}))"),
    (r"(?:how many|number of) (?!times)(?:\w+ )+on average|average number|mean number", "mean_number(visible(thing))"),
    (r"pauses?|breaks? between", "median(pauses(holding({0}, thing)))"),
    (r"variab\w+|standard deviation|vary|varies|varied", "sd(merged(holding({0}, thing), 0.5s))"),
    (r"odds ratio", "odds_ratio(picks_up({0}), within=3s, after=puts_down({2}))"),
)  # fmt: skip
"""Words for quantities that no question in words asks for → the expression that gives them."""
_PAIR = re.compile(r"\{3\}, \{4\}")
_SMALL = frozenset(
    {
        "how",
        "hvor",
        "kor",
        "what",
        "on",
        "in",
        "of",
        "the",
        "to",
        "much",
        "than",
        "more",
        "less",
        "det",
        "av",
        "er",
        "var",
    }
)
"""Words that may stand unread beside the name of a quantity."""
_IN_LANGUAGE = 'the language of quantities has it: visionllm query "{}" (docs/language.md)'


def in_the_language(question: str, vocabulary: Vocabulary, unknown: Sequence[str] = ()) -> str | None:
    """What to type for a question about a quantity that only an expression asks for; None if it is about none.

    Args:
        question: as it was asked.
        vocabulary: the names of the store.
        unknown: words of the question that are not understood; where one of them is about something else, it is not
            the quantity alone that is asked for.

    Returns:
        A sentence with an expression about the names of the question.
    """
    text = question.casefold()
    hits = ((re.search(rf"\b(?:{words})\b", text), expression) for words, expression in _MEASURES)
    match, found = next(((match, expression) for match, expression in hits if match), (None, ""))
    if match is None or set(unknown) - set(re.findall(r"[\w-]+", match.group())) - _SMALL:
        return None
    said = [name for name, _ in vocabulary.mentions(text)]
    if _PAIR.search(found) and len(said) < 2:
        return None
    person = _first([*said, *vocabulary.people], people=True) or "person"
    thing = _first(said, people=False) or "thing"
    other = next((n for n in (*said, *vocabulary.people) if n in PERSON_CATEGORIES and n != person), "person")
    pair = [*dict.fromkeys([*said, person, thing])][:2]
    return _IN_LANGUAGE.format(found.format(*map(quoted, (person, thing, other, *pair))))


def why_not_understood(question: str, understood: Understood, vocabulary: Vocabulary) -> str:
    """The reason to give for a question that is in no form, and was not understood word by word.

    Args:
        question: as it was asked.
        understood: what became of its words.
        vocabulary: the names of the store.

    Returns:
        An unknown name with what the store knows; else the words that are not known, or that do not fit together; and
        the nearest that can be asked.
    """
    names = dict.fromkeys(unknown_names(question, understood, vocabulary))
    if names:
        return "; ".join(_not_in_store(name, vocabulary) for name in names)
    nearest = " ".join(dict.fromkeys(_nearest(understood, vocabulary)))
    return f"{_NO_FORM}: {_problem(understood)}; ask for example: {nearest}"


def unknown_names(question: str, understood: Understood, vocabulary: Vocabulary) -> tuple[str, ...]:
    """Words of a question that are names which the store does not hold."""
    unknown = understood.tagged.unknown
    named = tuple(word for word in unknown if _is_known_elsewhere(word, vocabulary))
    if (
        not named
        and len(unknown) == 1
        and unknown[0] not in _NO_THINGS
        and re.search(rf"\b(?:{_BEFORE_NOUNS}) {re.escape(unknown[0])}\b", question.casefold())
    ):
        return unknown if not _stands_before_name(understood, unknown[0]) else ()
    return named


def _stands_before_name(understood: Understood, word: str) -> bool:
    """Whether a word only says what a name is like: "the red ball"."""
    tags = understood.tagged.tags
    place = next(i for i, tag in enumerate(tags) if tag.kind == "unknown" and tag.value == word)
    return place + 1 < len(tags) and tags[place + 1].kind in ("name", "noun")


def _problem(understood: Understood) -> str:
    language = understood.tagged.language
    unknown = list(dict.fromkeys(understood.tagged.unknown))
    # Where some belong to no list, those that only stand at a wrong place are not the reason.
    unknown = ([word for word in unknown if not _is_in_a_list(word, language)] or unknown)[:_MAX_WORDS]
    if unknown:
        words = ", ".join(repr(word) for word in unknown)
        here = " where they stand" if len(unknown) > 1 else " where it stands"
        known = all(_is_in_a_list(word, language) for word in unknown)
        are = "are" if len(unknown) > 1 else "is"
        return f"the word{'s' if len(unknown) > 1 else ''} {words} {are} not understood{here if known else ''}"
    said = " ".join(tag.text for tag in understood.tagged.tags)
    if understood.problem.strip(" ?") and understood.problem in said:
        return f"its words are known, but not what they ask together (near {understood.problem!r})"
    return "its words are known, but not what they ask together"


def _is_in_a_list(word: str, language: Language) -> bool:
    """Whether a word belongs to the language, only not at this place: a second "who"."""
    lexicon = load_lexicon("en" if language == "en" else "nb")
    return any(word in choices for phrases in lexicon.phrases.values() for p in phrases for choices, _ in p.tokens)


def _is_known_elsewhere(word: str, vocabulary: Vocabulary) -> bool:
    """Whether a word is a name that other stores may hold, or a narrower one than this store's."""
    spoken = {form for name, words in BUILT_IN.items() for form in (name, plural(name), *words)}
    narrower = {form for words in NARROWER.values() for word in words for form in (word, plural(word))}
    typo = (
        len(word) >= _LEAST_LETTERS
        and word not in _FUNCTION_WORDS
        and difflib.get_close_matches(word, list(vocabulary.words), n=1, cutoff=_ALIKE)
    )
    return word in spoken or word in narrower or bool(typo)


def _not_in_store(name: str, vocabulary: Vocabulary) -> str:
    # Imported here: the rule planner imports this room.
    from visionllm_interaction.reasoning.planning.rule_planner import explain_unknown

    return explain_unknown(name, vocabulary)


def _nearest(understood: Understood, vocabulary: Vocabulary) -> Iterator[str]:
    """Questions about the names and relations that were said, else about those of the store."""
    said = [tag.value for tag in understood.tagged.tags if tag.kind == "name"]
    person = _first([*said, *vocabulary.people], people=True) or "child"
    thing = _first([*said, *vocabulary.objects], people=False) or "ball"
    other = next((name for name in (*said, *vocabulary.people) if name in PERSON_CATEGORIES and name != person), thing)
    relations = [_RELATION_OF[lemma] for tag in understood.tagged.tags for lemma in tag.lemmas if lemma in _RELATION_OF]
    for relation in dict.fromkeys([*relations, "visible", "holding"]):
        second = other if relation == "near" and not any(n not in PERSON_CATEGORIES for n in said) else thing
        yield _EXAMPLES[relation].format(person, second)


def _first(names: Sequence[str], *, people: bool) -> str | None:
    return next((name for name in names if (name in PERSON_CATEGORIES) == people), None)
