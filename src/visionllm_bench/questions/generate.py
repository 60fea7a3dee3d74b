"""Questions with known plans, made from the forms and the names of a store; the same seed gives the same questions."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from visionllm_bench.questions.development_paraphrases import SEEN
from visionllm_bench.questions.forms import FORMS
from visionllm_bench.questions.question_form import EvalForm, Kind
from visionllm_interaction.errors import InputDataError
from visionllm_interaction.reasoning.language.synonyms import plural
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.planning.plan import Plan

Wording = Literal["canonical", "norwegian", "paraphrase"]
Texts = Mapping[str, tuple[str, ...]]
"""Name of a form → texts with places to fill, see :mod:`.forms`."""

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
    wording: str
    plan: Plan | None


def make_questions(
    vocabulary: Vocabulary,
    *,
    count: int,
    seed: int,
    wording: Wording | str,
    duration_s: float,
    texts: Texts | None = None,
) -> tuple[Question, ...]:
    """Make different questions with known plans, all forms in turn.

    Args:
        vocabulary: the names of the store.
        count: how many; fewer are made if the store's names allow no more.
        seed: the same seed gives the same questions.
        wording: which texts to use; with ``texts`` any name for them.
        duration_s: length of the shortest video: times in questions lie within it.
        texts: texts to use instead, for example of a file (:func:`read_questions_file`).

    Returns:
        The questions.
    """
    # A seeded generator for reproducible tests, not for secrets.
    rng = random.Random(f"{seed}:{wording}")  # noqa: S311
    by_form = _texts_of(wording) if texts is None else texts
    forms = [form for form in FORMS if by_form.get(form.name)]
    found: dict[str, Question] = {}
    for attempt in range(20 * count):
        if len(found) == count:
            break
        form = forms[attempt % len(forms)]
        question = _question(form, by_form[form.name], wording, vocabulary, rng=rng, duration_s=duration_s)
        if question:
            found.setdefault(question.text, question)
    return tuple(found.values())


def _texts_of(wording: str) -> Texts:
    if wording == "canonical":
        return {form.name: form.canonical for form in FORMS}
    if wording == "norwegian":
        return {form.name: form.norwegian for form in FORMS}
    return {form.name: (*form.paraphrases, *SEEN.get(form.name, ())) for form in FORMS}


def read_questions_file(path: str | os.PathLike[str]) -> Texts:
    """Read texts from a YAML file: name of a form → list of texts.

    Held-out texts are given this way: they are not part of the package, so that nobody tunes a planner on them.

    Args:
        path: the YAML file.

    Returns:
        The texts by form.

    Raises:
        InputDataError: if it is no such file, names a form that does not exist, or a text has a place to fill that
            its form does not have.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise _unusable(path, found=" ".join(str(error).split())[:200]) from error
    if not isinstance(content, dict) or not content:
        raise _unusable(path, found=f"a {type(content).__name__}")
    places = {form.name: form.places for form in FORMS}
    for name, texts in content.items():
        if name not in places:
            raise _unusable(path, found=f"the form {name!r}, which does not exist")
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise _unusable(path, found=f"{name}: {texts!r}"[:200])
        for text in texts:
            unknown = {match[1] for match in _PLACE.finditer(text)} - {*places[name], "t", "u", "n"}
            if unknown:
                raise _unusable(path, found=f"{name}: {text!r} with the place {{{min(unknown)}}}")
    return {name: tuple(texts) for name, texts in content.items()}


def _unusable(path: str | os.PathLike[str], *, found: str) -> InputDataError:
    return InputDataError(
        "A file of questions cannot be used.",
        expected="YAML: the name of a form of visionllm_bench.questions.forms, then a list of texts with its places",
        found=found,
        where=os.fspath(path),
    )


def _question(
    form: EvalForm,
    texts: Sequence[str],
    wording: str,
    vocabulary: Vocabulary,
    *,
    rng: random.Random,
    duration_s: float,
) -> Question | None:
    names = _names(form.places, vocabulary, rng)
    if names is None:
        return None
    fill: dict[str, Any] = {
        **names,
        "t": rng.randint(2, max(3, int(duration_s * 0.4))),
        "u": rng.randint(int(duration_s * 0.5), int(duration_s * 0.9)),
        "n": rng.randint(1, max(2, int(duration_s * 0.6))),
        "objects": vocabulary.objects,
        "people": vocabulary.people,
    }
    text = _PLACE.sub(
        lambda match: _spoken(str(fill[match[1]]), wording, rng=rng, many=bool(match[2])),
        rng.choice(texts),
    )
    return Question(text, form.name, form.family, wording, form.plan(fill) if form.plan else None)


def _names(places: Mapping[str, Kind], vocabulary: Vocabulary, rng: random.Random) -> dict[str, str] | None:
    pools: Mapping[Kind, Sequence[str]] = {
        "person": vocabulary.people,
        "object": vocabulary.objects,
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


def _spoken(name: str, wording: str, *, rng: random.Random, many: bool) -> str:
    if wording == "norwegian":
        return _NORWEGIAN.get(name, name)
    word = rng.choice(_SPOKEN.get(name, (name,)))
    return plural(word) if many else word
