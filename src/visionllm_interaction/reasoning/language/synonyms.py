"""Everyday words for the names that stores commonly hold, English and Norwegian (bokmål).

A word counts only where its name is in the store and the word is not itself a name there. Regular English plurals
are derived (:func:`plural`) and need no entry. More words: `reason.aliases` in the configuration.
"""

from __future__ import annotations

from collections.abc import Mapping

_OF_HOMES = {
    "bicycle": "bike|sykkel|sykkelen|sykler|syklene|sykkelane|syklar",
    "bird": "fugl|fuglen|fugler|fuglene|fuglar|fuglane",
    "cat": "kitten|katt|katten|katter|kattene|kattar|kattane",
    "dog": "puppy|hund|hunden|hunder|hundene|hundar|hundane|valp|valpen",
    "backpack": "rucksack|ryggsekk|ryggsekken|ryggsekker|sekk|sekken",
    "umbrella": "paraply|paraplyen|paraplyer",
    "handbag": "bag|purse|veske|veska|vesken|vesker|håndveske|handveske",
    "suitcase": "koffert|kofferten|kofferter|koffertar",
    "sports ball": "ball|ballen|baller|ballene|ballar|ballane",
    "kite": "leikedrake|lekedrage|papirdrage",
    "bottle": "baby bottle|feeding bottle|flaske|flaska|flasken|flasker|flaskene|flaskane|tåteflaske",
    "wine glass": "glasset|glassene|vinglass|vinglasset",
    "fork": "gaffel|gaffelen|gafler|gaflar|gaflene",
    "knife": "kniv|kniven|kniver|knivene|knivar|knivane",
    "spoon": "skjea|skjeen|skjeer|skjeene",
    "bowl": "skål|skåla|skålen|skåler|skålene|skålar",
    "banana": "banan|bananen|bananer|bananene|bananar",
    "apple": "eple|eplet|epler|eplene|epla",
    "sandwich": "brødskive|brødskiva|brødskiven|brødskiver",
    "orange": "appelsin|appelsinen|appelsiner|appelsinar",
    "carrot": "gulrot|gulroten|gulrota|gulrøtter|gulrøttene",
    "hot dog": "sausage|pølse|pølsa|pølsen|pølser",
    "donut": "doughnut|smultring|smultringen|smultringer",
    "cake": "kake|kaka|kaken|kaker|kakene",
    "chair": "high chair|stool|stol|stolen|stoler|stolene|stolar|stolane|barnestol|barnestolen",
    "couch": "sofa|settee|sofaen|sofaer|sofaene|sofaane",
    "potted plant": "plant|plante|planta|planten|planter|plantene|potteplante",
    "bed": "crib|cot|seng|senga|sengen|senger|sengene|sprinkelseng",
    "dining table": "table|bord|bordet|spisebord|spisebordet",
    "toilet": "potty|toalett|toalettet",
    "tv": "television|telly|fjernsyn|fjernsynet|tv-en",
    "laptop": "computer|datamaskin|datamaskinen|pc|pc-en",
    "remote": "remote control|fjernkontroll|fjernkontrollen",
    "keyboard": "tastatur|tastaturet",
    "cell phone": "phone|mobile phone|cellphone|smartphone|telefon|telefonen|telefoner|mobil|mobilen|mobiltelefon",
    "microwave": "microwave oven|mikrobølgeovn|mikrobølgeovnen",
    "oven": "stove|cooker|komfyr|komfyren|stekeovn|stekeovnen",
    "toaster": "brødrister|brødristeren",
    "refrigerator": "fridge|kjøleskap|kjøleskapet|kjøleskåp|kjøleskåpet",
    "vase": "vasen|vaser",
    "scissors": "saks|saksa|saksen",
    "toothbrush": "tannbørste|tannbørsten|tannbørster|tannbørstar",
    "hair drier": "hair dryer|hairdryer|hårføner|hårføneren|hårtørrer",
}
"""Things of COCO's categories that stand in homes → other words, with a bar between two."""

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
    **{name: tuple(words.split("|")) for name, words in _OF_HOMES.items()},
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
