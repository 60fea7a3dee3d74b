"""Check by code that the reasons of refusals are true, on questions that people asked about real videos.

    python benchmarks/questions/refusal_truth.py val.csv --sample 200

Like ``plan_many.py`` it has no store: the vocabulary is that of a detector of COCO's categories and a dyad's roles.
Each reason is sorted into its kind and held against the names of the store, the word lists and the language of
quantities: what is said not to be in the store may be no name of it, a word that is said not to be understood has to
stand in the question and in no list, what is said not to be measured may be nothing that the language has, and every
question that is offered instead must have an answer.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from plan_many import NAMES

from visionllm_interaction.errors import VisionLLMError
from visionllm_interaction.measures.language.check import check
from visionllm_interaction.measures.language.parser import parse
from visionllm_interaction.reasoning.grammar.lexicon import load_lexicon
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.planning.rule_planner import plan_by_rules

VOCABULARY = Vocabulary.build(NAMES, ["clip_0", "clip_1"])
TOPICS = {
    "feelings": (
        "feel happ sad angr afraid scared bored excit enjoy like love upset cry cries cried smil laugh "
        "surpris emotion mood tired interest nervous calm fun want comfort annoy pain hurt curious worri "
        "proud shy frustrat react relax express"
    ),
    "reasons": (
        "why reason inten purpose cause because try tries trying tried plan goal want decid aim make made "
        "attempt accident know knew learn remember think thought suppos motivat mean hop wish prefer forg"
    ),
    "sound": (
        "speak spoke talk say said speech sound sing sang song music voice word noise hear listen convers "
        "shout clap laugh bark cry call tell told answer respon communicat loud instrument utter ask chat "
        "discuss whistl cough scream babbl"
    ),
    "gaze": ("look gaz watch star see eye attention glanc focus face observ"),
    "naming": ("nam mention call refer"),
    "sizes": (
        "colo size big small large tall high heav old age fast speed slow shape long weigh wear wore cloth "
        "dress quick hard made material pattern young far deep bright length height step steps"
    ),
    "judgements": (
        "good bad well better best safe danger proper correct right normal wrong skil autis intell clever "
        "naught behav polite healthy ill sick friend relation car profession famil expert success secure "
        "attach should nice develop"
    ),
}
"""What a question must speak of to be refused so, by words of its own: none of the planner's lists is used."""
HAS = r"how far|distance between|how close|how near|left of|to the left|to the right|above|below|underneath"
"""What the language of quantities has of images: sizes may not be refused with it alone."""


def main() -> None:
    """Sort the reasons of a sample and print each that is false."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", type=Path)
    parser.add_argument("--sample", type=int, default=200, help="how many refused questions; 0: all of them")
    parser.add_argument("--seed", type=int, default=17)
    given = parser.parse_args()
    with given.questions.open(encoding="utf-8", newline="") as file:
        questions = [row["question"] for row in csv.DictReader(file)]
    random.Random(given.seed).shuffle(questions)
    counts: Counter[str] = Counter()
    false: Counter[str] = Counter()
    refused = 0
    for question in questions:
        reason = plan_by_rules(question, VOCABULARY).unanswerable
        if reason is None:
            continue
        refused += 1
        for kind, fault in faults_of(question.casefold(), reason):
            counts[kind] += 1
            if fault:
                false[kind] += 1
                print(f"{kind}: {question}\n    {reason}\n    {fault}")
        if refused == given.sample:
            break
    print(json.dumps({"refused": refused, "reasons": dict(counts), "false": dict(false)}, indent=1))


def faults_of(question: str, reason: str) -> Iterator[tuple[str, str | None]]:
    """The kinds of the reason of a refusal, each with what is false about it."""
    found = False
    for pattern, kind, check_of in _KINDS:
        for match in re.finditer(pattern, reason):
            found = True
            yield kind, check_of(question, reason, match)
    if not found:
        yield "other", "this kind of reason is not checked"


def _not_in_store(question: str, _: str, match: re.Match[str]) -> str | None:
    name = match[1]
    if not _stands_in(name, question):
        return f"{name!r} does not stand in the question"
    if {name, name.removesuffix("s"), name.removesuffix("es")} & set(NAMES):
        return f"{name!r} is a name of the store"
    return None


def _narrower(question: str, _: str, match: re.Match[str]) -> str | None:
    if match[1] not in NAMES or match[2] in NAMES or not _stands_in(match[2], question):
        return "not so"
    return None


def _not_understood(question: str, _: str, match: re.Match[str]) -> str | None:
    for word in re.findall(r"'([^']+)'", match[1]):
        if not _stands_in(word, question):
            return f"{word!r} does not stand in the question"
        if word in VOCABULARY.words:
            return f"{word!r} is a name of the store"
        if not match[2] and _in_a_list(word):
            return f"{word!r} is in a list"
    return None


def _not_measured(question: str, reason: str, match: re.Match[str]) -> str | None:
    topic = match[1]
    if not re.search(rf"\b(?:{'|'.join(TOPICS[topic].split())})", question):
        return f"the question does not speak of {topic}"
    if topic == "sizes" and re.search(HAS, question) and "language of quantities" not in reason:
        return "the language of quantities has it"
    return None


def _known(question: str, _: str, __: re.Match[str]) -> str | None:
    words = re.findall(r"[a-z][a-z'-]*", question)
    unknown = [w for w in words if not (_in_a_list(w) or w in VOCABULARY.words or _in_a_list(w.split("'")[0]))]
    unknown = [word for word in unknown if word not in ("s", "t")]
    return f"{unknown} are in no list" if unknown else None


def _condition(question: str, _: str, match: re.Match[str]) -> str | None:
    clause = match[1].strip()
    if not all(_stands_in(word, question) for word in clause.split() if word.isalpha() and word not in ("it", "the")):
        return f"{clause!r} does not stand in the question"
    return None if plan_by_rules(f"Did it ever happen that {clause}?", VOCABULARY).unanswerable else "it can be read"


def _offered(_: str, __: str, match: re.Match[str]) -> str | None:
    for offered in re.findall(r"[A-Z][^?]*\?", match[1]):
        if refused := plan_by_rules(offered, VOCABULARY).unanswerable:
            return f"{offered!r} is refused: {refused}"
    return None


def _expression(_: str, __: str, match: re.Match[str]) -> str | None:
    try:
        check(parse(match[1]))
    except VisionLLMError as error:
        return str(error)
    return None


_KINDS: tuple[tuple[str, str, Callable[[str, str, re.Match[str]], str | None]], ...] = (
    (r"'([^']+)' is not in the store", "a name that is not in the store", _not_in_store),
    (r"the store knows (\w+) and not '([^']+)'", "narrower than a name of the store", _narrower),
    (
        r"the words? ((?:'[^']+'(?:, )?)+) (?:is|are) not understood( where (?:it|they) stands?)?",
        "a word",
        _not_understood,
    ),
    (rf"^(?:ages, )?({'|'.join(TOPICS)})\b.*", "not measured", _not_measured),
    (r"its words are known", "words known, question not", _known),
    (r"the condition '(.+?)' is in no form", "a condition", _condition),
    (r"ask for example: (.+)$", "questions that are offered", _offered),
    (r'visionllm query "(.+?)" \(', "an expression that is offered", _expression),
    (r"the time window|no video|there (?:is|are) (?:only )?\d+ videos?", "a time or a video", lambda *_: None),
)


def _stands_in(text: str, question: str) -> bool:
    return re.search(rf"(?<![a-z]){re.escape(text)}(?![a-z])", question) is not None


def _in_a_list(word: str) -> bool:
    lexicon = load_lexicon("en")
    listed = any(word in choices for found in lexicon.phrases.values() for p in found for choices, _ in p.tokens)
    return listed or word in lexicon.numbers


if __name__ == "__main__":
    main()
