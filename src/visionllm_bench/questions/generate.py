"""Questions with known plans, made from the forms and the names of a store; the same seed gives the same questions."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from visionllm_bench.questions.development_paraphrases import SEEN
from visionllm_bench.questions.forms import FORMS
from visionllm_bench.questions.held_out_paraphrases import HELD_OUT
from visionllm_bench.questions.question_form import EvalForm, Kind
from visionllm_interaction.reasoning.language.synonyms import plural
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.planning.plan import Plan

Wording = Literal["canonical", "norwegian", "paraphrase", "held_out"]

_SPOKEN: Mapping[str, tuple[str, ...]] = {
    "child": ("child", "child", "kid", "toddler"),
    "caregiver": ("caregiver", "caregiver", "mother", "parent"),
    "teddy bear": ("teddy bear", "teddy"),
    "cup": ("cup", "mug"),
}
_NORWEGIAN: Mapping[str, str] = {
    "child": "barnet",
    "caregiver": "mamma",
    "person": "personen",
    "ball": "ballen",
    "book": "boken",
    "cup": "koppen",
    "teddy bear": "bamsen",
    "car": "bilen",
    "block": "klossen",
}
_PLACE = re.compile(r"\{([abctun])(\+?)\}")


@dataclass(frozen=True)
class Question:
    """One question and the plan it means; ``plan`` None where the right answer is a refusal."""

    text: str
    form: str
    family: str
    wording: Wording
    plan: Plan | None


def make_questions(
    vocabulary: Vocabulary, *, count: int, seed: int, wording: Wording, duration_s: float
) -> tuple[Question, ...]:
    """``count`` different questions, all forms in turn; fewer if the store's names allow no more."""
    # A seeded generator for reproducible tests, not for secrets.
    rng = random.Random(f"{seed}:{wording}")  # noqa: S311
    forms = [form for form in FORMS if _texts(form, wording)]
    found: dict[str, Question] = {}
    for attempt in range(20 * count):
        if len(found) == count:
            break
        form = forms[attempt % len(forms)]
        question = _question(form, wording, vocabulary, rng=rng, duration_s=duration_s)
        if question:
            found.setdefault(question.text, question)
    return tuple(found.values())


def _texts(form: EvalForm, wording: Wording) -> tuple[str, ...]:
    texts: Mapping[Wording, tuple[str, ...]] = {
        "canonical": form.canonical,
        "norwegian": form.norwegian,
        "paraphrase": (*form.paraphrases, *SEEN.get(form.name, ())),
        "held_out": HELD_OUT.get(form.name, ()),
    }
    return texts[wording]


def _question(
    form: EvalForm, wording: Wording, vocabulary: Vocabulary, *, rng: random.Random, duration_s: float
) -> Question | None:
    names = _names(form.places, vocabulary, rng)
    if names is None:
        return None
    fill: dict[str, Any] = {
        **names,
        "t": rng.randint(2, max(3, int(duration_s * 0.4))),
        "u": rng.randint(int(duration_s * 0.5), int(duration_s * 0.9)),
        "n": rng.randint(1, max(2, int(duration_s * 0.6))),
        "things": vocabulary.objects,
        "people": vocabulary.people,
    }
    text = _PLACE.sub(
        lambda match: _spoken(str(fill[match[1]]), wording, rng=rng, many=bool(match[2])),
        rng.choice(_texts(form, wording)),
    )
    return Question(text, form.name, form.family, wording, form.plan(fill) if form.plan else None)


def _names(places: Mapping[str, Kind], vocabulary: Vocabulary, rng: random.Random) -> dict[str, str] | None:
    pools: Mapping[Kind, Sequence[str]] = {
        "person": vocabulary.people,
        "thing": vocabulary.objects,
        "any": (*vocabulary.people, *vocabulary.objects),
    }
    chosen: dict[str, str] = {}
    for place, kind in places.items():
        left = [name for name in pools[kind] if name not in chosen.values()]
        # The third of three is often the other person, and where there is none, anybody left.
        if not left:
            return None
        chosen[place] = rng.choice(left)
    return chosen


def _spoken(name: str, wording: Wording, *, rng: random.Random, many: bool) -> str:
    if wording == "norwegian":
        return _NORWEGIAN.get(name, name)
    word = rng.choice(_SPOKEN.get(name, (name,)))
    return plural(word) if many else word
