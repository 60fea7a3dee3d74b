"""Everyday words for the names that stores commonly hold, English and Norwegian (bokmål).

A word counts only where its name is in the store and the word is not itself a name there. Regular English plurals
are derived (:func:`plural`) and need no entry. More words: `reason.aliases` in the configuration.
"""

from __future__ import annotations

from collections.abc import Mapping

BUILT_IN: Mapping[str, tuple[str, ...]] = {
    "child": (
        *("kid", "toddler", "baby", "infant", "little one", "youngster"),
        *("barn", "barnet", "barna", "ungen", "babyen", "born", "borna", "småbarnet", "spedbarnet"),
    ),
    "caregiver": (
        *("carer", "parent", "adult", "grown-up", "grownup", "grown up", "mum", "mom", "mother", "mummy", "mommy"),
        *("dad", "father", "daddy", "nanny", "babysitter"),
        *("omsorgsperson", "omsorgspersonen", "omsorgspersoner", "omsorgsgiver", "omsorgsgiveren", "den voksne"),
        *("voksen", "voksne", "mor", "moren", "mamma", "far", "faren", "pappa", "forelder", "forelderen"),
        *("den vaksne", "vaksen", "vaksne", "mora", "mammaen", "pappaen", "forelderen", "foresatte"),
    ),
    "person": ("human", "somebody", "someone", "anybody", "anyone", "personen", "personer", "menneske", "mennesker"),
    "ball": ("ballen", "baller", "ballene", "ballar", "ballane"),
    "book": ("picture book", "storybook", "bok", "boken", "boka", "bøker", "bøkene"),
    "cup": ("mug", "beaker", "sippy cup", "kopp", "koppen", "kopper", "koppene", "koppar", "koppane", "krus", "kruset"),
    "teddy bear": (
        "teddy",
        "bear",
        "stuffed bear",
        "plush bear",
        "bamse",
        "bamsen",
        "bamser",
        "bamsene",
        "bamsar",
        "bamsane",
        "teddybjørn",
    ),
    "car": ("toy car", "bil", "bilen", "biler", "bilene", "bilar", "bilane", "lekebil", "lekebilen"),
    "block": (
        "building block",
        "toy block",
        "brick",
        "cube",
        "kloss",
        "klossen",
        "klosser",
        "klossene",
        "klossar",
        "klossane",
    ),
}

NARROWER: Mapping[str, tuple[str, ...]] = {
    "child": (
        *("boy", "girl", "son", "daughter", "brother", "sister"),
        *("gutt", "gutten", "gutter", "guttene", "jente", "jenta", "jenter", "jentene", "sønnen", "datteren"),
    ),
}
"""Narrower words than a name: no synonyms, because a store does not know which of them it has seen."""

IRREGULAR_PLURALS: Mapping[str, str] = {
    "child": "children",
    "person": "people",
    "knife": "knives",
    "mouse": "mice",
    "sheep": "sheep",
    "scissors": "scissors",
    "skis": "skis",
    "toothbrush": "toothbrushes",
}


def plural(noun: str) -> str:
    """The English plural of ``noun``; of several words the last one is inflected."""
    head, _, last = noun.rpartition(" ")
    return f"{head} {_plural_word(last)}".strip()


def _plural_word(word: str) -> str:
    if word in IRREGULAR_PLURALS:
        return IRREGULAR_PLURALS[word]
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return word + "es"
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return word[:-1] + "ies"
    return word + "s"
