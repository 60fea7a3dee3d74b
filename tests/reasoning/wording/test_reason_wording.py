"""An endpoint that corrupts three claims in ten: nothing false leaves, nearly everything right does."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from scripted import last_text, scripted

from visionllm_bench.questions.generate import make_questions
from visionllm_interaction.reasoning import EndpointConfig, ReasonConfig
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.pipeline import Planned, execute
from visionllm_interaction.reasoning.planning.rule_planner import plan_by_rules
from visionllm_interaction.store.reader import open_store

Fact = dict[str, Any]
_NUMBER = re.compile(r"(?<![\w.-])\d+(?:\.\d+)?(?![\w.]|\d)")

# what a good model may do with a sentence and still say the same
PARAPHRASES: tuple[Callable[[str], str], ...] = (
    lambda text: text,
    lambda text: text.replace("was visible for", "could be seen for"),
    lambda text: text.replace("was near", "was close to"),
    lambda text: text.replace("was in contact with", "touched"),
    lambda text: text.replace("held", "carried"),
    lambda text: text.replace(" s.", " seconds."),
    lambda text: "Overall, " + text[0].lower() + text[1:],
)
NAMES = ("child", "caregiver", "ball", "book", "cup", "teddy bear", "car", "block")


def _more(text: str, rng: random.Random) -> str:
    numbers = list(_NUMBER.finditer(text))
    chosen = rng.choice(numbers)
    return text[: chosen.start()] + f"{float(chosen.group()) + rng.choice((0.5, 1, 7)):g}" + text[chosen.end() :]


def _swapped(text: str, rng: random.Random) -> str:
    said = [name for name in NAMES if re.search(rf"\b{name}\b", text)]
    # Two that are near each other are near either way round: only who holds, or the values of a list, can be swapped.
    if len(said) >= 2 and ("held" in text or re.search(r"\((?!looking)", text)):
        one, two = rng.sample(said, 2)
        return re.sub(rf"\b(?:{one}|{two})\b", lambda m: two if m.group() == one else one, text)
    if not said:
        return text[:-1] + " by the child."
    return re.sub(rf"\b{said[0]}\b", next(name for name in NAMES if name not in said), text)


def _wrong_number(fact: Fact, rng: random.Random) -> Fact:
    if _NUMBER.search(fact["text"]):
        return {**fact, "text": _more(fact["text"], rng)}
    return {**fact, "text": fact["text"][:-1] + ", 3 times."}


def _wrong_value(fact: Fact, rng: random.Random) -> Fact:
    value = fact["value"]
    return {**fact, "value": value + 1 if isinstance(value, (int, float)) else "nobody at all"}


def _wrong_unit(fact: Fact, rng: random.Random) -> Fact:
    text = re.sub(r"(?<=\d) s\b", " minutes", fact["text"])
    return {**fact, "text": text} if text != fact["text"] else {**fact, "unit": "kg"}


CORRUPTIONS: dict[str, Callable[[Fact, random.Random], Fact]] = {
    "wrong number": _wrong_number,
    "wrong value": _wrong_value,
    "wrong unit": _wrong_unit,
    "wrong id": lambda fact, rng: {**fact, "evidence": ["e99"]},
    "invented citation": lambda fact, rng: {**fact, "evidence": [*fact["evidence"], "e77"]},
    "wrong time": lambda fact, rng: {**fact, "text": fact["text"][:-1] + " between 3 s and 4 s."},
    "swapped roles": lambda fact, rng: {**fact, "text": _swapped(fact["text"], rng)},
    "negated": lambda fact, rng: {
        **fact,
        "text": fact["text"].replace(" was ", " was never ").replace("held", "never held"),
    },
    "another end": lambda fact, rng: {**fact, "text": "At last, " + fact["text"]},
    "an opinion added": lambda fact, rng: {**fact, "text": fact["text"] + " The child was happy."},
    "an uncited number added": lambda fact, rng: {**fact, "text": fact["text"] + " That is 42 s more."},
}


def _signature(fact: Fact) -> tuple[Any, ...]:
    return (fact["text"], fact["value"], fact["unit"], tuple(fact["evidence"]))


@dataclass
class Liar:
    """Words every claim it is given, three in ten of them falsely, and remembers which."""

    rng: random.Random
    right: list[tuple[Any, ...]] = field(default_factory=list)
    false: dict[tuple[Any, ...], str] = field(default_factory=dict)

    def __call__(self, body: dict[str, Any]) -> str:
        self.right, self.false = [], {}
        out = []
        for fact in json.loads(last_text(body))["claims"]:
            worded = {**fact, "text": self.rng.choice(PARAPHRASES)(fact["text"])}
            if self.rng.random() < 0.3:
                kind = self.rng.choice(list(CORRUPTIONS))
                changed = CORRUPTIONS[kind](worded, self.rng)
                if _signature(changed) not in (_signature(worded), _signature(fact)):
                    self.false[_signature(changed)] = kind
                    out.append(changed)
                    continue
            self.right.append(_signature(worded))
            out.append(worded)
        return json.dumps({"claims": out})


def measure(store_path: Path, *, count: int) -> dict[str, Any]:
    liar = Liar(random.Random(5))
    tally = {"questions": 0, "false": 0, "released": 0, "right": 0, "passed": 0}
    kinds: dict[str, int] = {}
    leaked = []
    with scripted(liar) as endpoint, open_store(store_path) as store:
        vocabulary = Vocabulary.build(store.names(), store.video_ids())
        endpoint_config = EndpointConfig(base_url=endpoint.url, model="liar", timeout_s=20.0)
        config = ReasonConfig(endpoint=endpoint_config, wording="llm")
        for question in make_questions(vocabulary, count=count, seed=3, wording="canonical", duration_s=20.0):
            plan = plan_by_rules(question.text, vocabulary)
            liar.right, liar.false = [], {}
            answer = execute(Planned(plan, "rules"), store, vocabulary=vocabulary, config=config)
            released = {(c.text, c.value, c.unit, c.evidence) for c in answer.claims}
            tally["questions"] += 1
            tally["false"] += len(liar.false)
            tally["right"] += len(liar.right)
            tally["passed"] += sum(signature in released for signature in liar.right)
            out = [liar.false[s] for s in liar.false if s in released]
            leaked += [(kind, s) for s, kind in liar.false.items() if s in released]
            tally["released"] += len(out)
            for kind in liar.false.values():
                kinds[kind] = kinds.get(kind, 0) + 1
    return {**tally, "kinds": kinds, "leaked": leaked}


def test_nothing_false_is_released_and_what_is_right_passes(two_videos: Path) -> None:
    result = measure(two_videos, count=60)
    assert result["false"] > 50
    assert result["leaked"] == []
    assert result["passed"] >= 0.99 * result["right"]


@pytest.mark.slow
def test_five_hundred_questions_with_a_lying_endpoint(two_videos: Path) -> None:
    result = measure(two_videos, count=500)
    assert result["questions"] == 500
    assert set(result["kinds"]) == set(CORRUPTIONS)
    assert result["leaked"] == []
    assert result["passed"] >= 0.99 * result["right"]


def test_words_of_code_stand_where_the_model_fails(two_videos: Path) -> None:
    from visionllm_interaction.reasoning import ask

    question = "How long was the ball visible in room_s7_000?"
    said = "The ball was visible for 10 s."
    for script in (lambda body: "no JSON at all", lambda body: '{"claims": []}'):
        with scripted(script) as endpoint:
            config = ReasonConfig(endpoint=EndpointConfig(base_url=endpoint.url, model="m"), wording="llm")
            answer = ask(question, two_videos, config=config, planner="rules")
        assert (answer.status, answer.answer, answer.wording) == ("answered", said, "code")
    gone = EndpointConfig(base_url="http://127.0.0.1:9/v1", model="m", connection_retries=0)
    answer = ask(question, two_videos, config=ReasonConfig(endpoint=gone, wording="llm"), planner="rules")
    assert answer.answer == said
