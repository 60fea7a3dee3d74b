"""The rule planner: canonical question forms → a plan. No model, no randomness."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.reason.forms_en import FORMS as FORMS_EN
from visionllm_interaction.reason.forms_nb import FORMS as FORMS_NB
from visionllm_interaction.reason.grammar import Form, normalise
from visionllm_interaction.reason.limits import outside_catalogue
from visionllm_interaction.reason.plan import Plan, Step
from visionllm_interaction.reason.videos import take_video, unknown_video
from visionllm_interaction.reason.vocabulary import Vocabulary, strip_determiners
from visionllm_interaction.reason.windows import Window, take_window
from visionllm_interaction.scenes.measures import CATALOGUE

FORMS: tuple[Form, ...] = (*FORMS_EN, *FORMS_NB)

_NOT_A_THING = frozenset({"times", "time", "seconds", "minutes", "ganger", "sekunder", "did", "does", "was", "is"})
_ANYTHING = frozenset({"anything", "something", "object", "objects", "thing", "things", "noe"})
_MOST_WORDS_OF_A_NAME = 3
_NO_DURATION_OF = re.compile(r"(?:^|\s)(?:hold|holds|held|holding|carry|carried|carrying|holdt|holder)(?:\s|$)")
_EXAMPLES = (
    "How long was the {0} visible?",
    "How many times did the child hold the {0}?",
    "When was the {0} first seen?",
)


@dataclass(frozen=True)
class _Scope:
    video_id: str | None
    window: Window

    def step(self, form: Form, subject: str, target: str | None) -> Step:
        return Step(
            measure=form.measure,
            subject=subject,
            object=target,
            predicate=form.predicate,
            video_id=self.video_id,
            begin_s=self.window.begin_s,
            end_s=self.window.end_s,
        )


def plan_by_rules(question: str, vocabulary: Vocabulary) -> Plan:
    """The plan for ``question``, or a refusal that says why and names the nearest things in the store."""
    text = normalise(question)
    rest, video_id = take_video(text, vocabulary.video_ids)
    missing = None if video_id else unknown_video(text, vocabulary.video_ids)
    if missing:
        return Plan.refuse(missing)
    rest, window = take_window(rest)
    if window and not _is_forward(window):
        return Plan.refuse(f"the time window ends at {window.end_s:g} s, before it begins at {window.begin_s:g} s")
    scope = _Scope(video_id, window or Window())
    rest = re.sub(r"[,\s]+", " ", rest).strip()
    matches = list(_matches(rest))
    for form, spoken in matches:
        plan = _plan(form, spoken, scope, vocabulary)
        if plan:
            return plan
    return Plan.refuse(outside_catalogue(rest) or _unknown_name(matches, vocabulary) or _no_form(rest, vocabulary))


def why_unanswerable(question: str, vocabulary: Vocabulary) -> str | None:
    """What in the words of ``question`` no plan can meet: a limit of the catalogue, or a name not in the store."""
    text = normalise(question)
    rest = re.sub(r"[,\s]+", " ", take_window(text)[0]).strip()
    return outside_catalogue(rest) or _unknown_name(list(_matches(rest)), vocabulary)


def _is_forward(window: Window) -> bool:
    return window.begin_s is None or window.end_s is None or window.begin_s < window.end_s


def _matches(text: str) -> Iterator[tuple[Form, dict[str, str]]]:
    for form in FORMS:
        match = form.pattern.fullmatch(text)
        if match:
            yield form, match.groupdict()


def _plan(form: Form, spoken: dict[str, str], scope: _Scope, vocabulary: Vocabulary) -> Plan | None:
    names = {group: vocabulary.resolve(text) for group, text in spoken.items()}
    subject, target = names["a"], names.get("b")
    anything = CATALOGUE[form.measure].inputs == "bout" and strip_determiners(spoken.get("b") or "") in _ANYTHING
    if subject is None or ("b" in names and target is None and not anything):
        return None
    if form.combine is None:
        return Plan(steps=(scope.step(form, subject, target),))
    steps = tuple(scope.step(form, name, None) for name in (subject, target) if name)
    return Plan(steps=steps, combine=form.combine)


def _unknown_name(matches: list[tuple[Form, dict[str, str]]], vocabulary: Vocabulary) -> str | None:
    """The refusal for the reading with the fewest unknown words, if those look like the name of a thing."""
    unknown = [
        [strip_determiners(text) for text in spoken.values() if vocabulary.resolve(text) is None]
        for _, spoken in matches
    ]
    plausible = [names for names in unknown if all(_looks_like_a_name(name) for name in names)]
    if not plausible:
        return None
    names = min(plausible, key=lambda texts: sum(len(text.split()) for text in texts))
    return "; ".join(explain_unknown(name, vocabulary) for name in names)


def _looks_like_a_name(text: str) -> bool:
    words = text.split()
    return len(words) <= _MOST_WORDS_OF_A_NAME and not _NOT_A_THING & set(words)


def explain_unknown(name: str, vocabulary: Vocabulary) -> str:
    """Why ``name`` cannot be asked about, with the nearest names or all of them."""
    near = vocabulary.nearest(name)
    if near:
        return f"{name!r} is not in the store; did you mean {' or '.join(near)}?"
    return f"{name!r} is not in the store; it knows {', '.join(vocabulary.names) or 'no names at all'}"


def _no_form(text: str, vocabulary: Vocabulary) -> str:
    if _NO_DURATION_OF.search(text):
        return "the catalogue counts holding and finds its longest bout, but has no total time of holding"
    said = [name for name, _ in vocabulary.mentions(text)]
    name = next((name for name in (*said, *vocabulary.names) if name not in PERSON_CATEGORIES), "ball")
    asked = " ".join(example.format(name) for example in _EXAMPLES)
    return f"the question fits none of the known forms; ask for example: {asked}"
