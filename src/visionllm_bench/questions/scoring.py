"""Score a planner: plans, answers, evidence, refusals, tokens, seconds."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from visionllm_bench.questions.generate import Question
from visionllm_bench.questions.oracle import World, expected, value_in
from visionllm_interaction.errors import LLMUnreachable
from visionllm_interaction.reasoning.answers import Answer, Claim
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.pipeline import Planned, PlannerName, execute, make_plan
from visionllm_interaction.reasoning.planning.capabilities import PREDICATE_OF, SIGNATURES
from visionllm_interaction.reasoning.planning.plan import Atom, Plan, Step
from visionllm_interaction.store.reader import Store

_VALUE_TOLERANCE = 2e-3
_LOOSE_SHARE = 0.10
_LOOSE_S = 0.5


@dataclass(frozen=True)
class Score:
    """The outcome of one question.

    Attributes:
        question: its text.
        form: name of its form.
        family: of the form.
        wording: of the text.
        expects_refusal: whether it cannot be answered.
        refused: whether the planner refused it.
        plan_right: whether the plan has the same queries as the one meant, or is an expression with its values.
        answer_right: whether the values are those that an independent oracle computes from the store, or it was
            rightly refused.
        true: the same against the ground truth of the videos: counts exactly, times within 0.5 s, durations within
            10 %. ``None`` where there is none.
        wrong: whether a number was given that answers another question.
        precision: of the cited evidence.
        recall: of the cited evidence.
        tokens: used in all.
        input_tokens: of them, sent to the model.
        requests: to the model.
        seconds: to plan.
        reason: of a refusal.
    """

    question: str
    form: str
    family: str
    wording: str
    expects_refusal: bool
    refused: bool
    plan_right: bool
    answer_right: bool
    true: bool | None
    wrong: bool
    precision: float | None
    recall: float | None
    tokens: int
    input_tokens: int
    requests: int
    seconds: float
    reason: str | None


def score_questions(
    questions: Sequence[Question],
    store: Store,
    *,
    config: ReasonConfig,
    planner: PlannerName,
    truths: Sequence[World] = (),
    progress: Callable[[Score], None] = lambda _: None,
) -> list[Score]:
    """Ask every question of ``store`` and compare plan and answer with what is known."""
    vocabulary = Vocabulary.of_store(store, aliases=config.aliases)
    worlds = [World.of_store(store, video_id) for video_id in store.video_ids()]
    scores = []
    for question in questions:
        begin = time.monotonic()
        try:
            planned = make_plan(question.text, vocabulary, config=config, planner=planner)
        except LLMUnreachable as error:
            planned = Planned(Plan.refuse(f"unreachable: {error.found}"), "llm")
        seconds = time.monotonic() - begin
        answer = execute(planned, store, vocabulary=vocabulary, config=config)
        scores.append(_score(question, answer, worlds=worlds, truths=truths, seconds=seconds))
        progress(scores[-1])
    return scores


def _score(
    question: Question, answer: Answer, *, worlds: Sequence[World], truths: Sequence[World], seconds: float
) -> Score:
    refused = bool(answer.plan.unanswerable)
    same = question.plan is not None and not refused and _key(answer.plan) == _key(question.plan)
    right = refused if question.plan is None else _agrees(answer, expected(question.plan, worlds), loose=False)
    # An expression has other queries than the plan that is meant; it is right if it gives the same values.
    same = same or (bool(answer.plan.expressions) and question.plan is not None and right)
    true = None
    if truths and question.plan:
        true = _agrees(answer, expected(question.plan, truths), loose=True)
    of_steps = question.plan is not None and not answer.plan.expressions
    precision, recall = _evidence(question.plan, answer, worlds) if question.plan and of_steps else (None, None)
    return Score(
        question=question.text,
        form=question.form,
        family=question.family,
        wording=question.wording,
        expects_refusal=question.plan is None,
        refused=refused,
        plan_right=refused if question.plan is None else same,
        answer_right=right,
        true=true,
        wrong=answer.status == "answered" and not (same and right),
        precision=precision,
        recall=recall,
        tokens=answer.tokens,
        input_tokens=answer.usage.input_tokens,
        requests=answer.usage.requests,
        seconds=seconds,
        reason=answer.reason,
    )


def _key(plan: Plan) -> Any:
    """What makes two plans the same: relations between two objects hold both ways, *visible* is the default."""
    steps = [_step_key(step, plan.combine) for step in plan.steps]
    return (plan.combine, plan.threshold, steps, _key(plan.also) if plan.also else None)


def _step_key(step: Step, combine: str) -> Any:
    measure = step.measure
    predicate = step.predicate or PREDICATE_OF.get(measure, "visible")
    if combine in ("exists", "which", "videos") and measure in ("bout_count", *PREDICATE_OF):
        measure = "any"
    if combine in ("exists", "which", "videos") and measure in ("visible_duration", "co_presence_duration"):
        measure = "any"
    atoms = [(_atom_key(atom), atom.model_dump(exclude={"subject", "object", "predicate"})) for atom in step.atoms]
    return (measure, _pair(predicate, step.subject, step.object), predicate, step.begin_s or 0.0, step.end_s, atoms)


def _atom_key(atom: Atom) -> Any:
    return (atom.predicate, _pair(atom.predicate, atom.subject, atom.object))


def _pair(predicate: str, subject: str, target: str | None) -> Any:
    return (subject, target) if predicate == "holding" else tuple(sorted((subject, target or "")))


def _agrees(answer: Answer, values: Mapping[str | None, Any], *, loose: bool) -> bool:
    """Whether the claims say exactly ``values``: no other, none missing."""
    videos = {item.id: item.video_id for item in answer.evidence}
    if answer.plan.combine == "each" and None not in values:
        claims = {videos[c.evidence[0]]: c for c in answer.claims if c.operation == "value"}
    else:
        concluded = [c for c in answer.claims if c.operation not in ("value", "sum", "largest")]
        claims = {(None if None in values else videos[c.evidence[0]]): c for c in concluded}  # type: ignore[misc]
    # "The difference is not known" is no value: nothing is due where one of the two is missing.
    claims = {key: claim for key, claim in claims.items() if claim.value not in (None, "none") or key in values}
    if claims.keys() != values.keys():
        return False
    return all(_same(values[key], claim, loose=loose) for key, claim in claims.items())


def _same(value: Any, claim: Claim, *, loose: bool) -> bool:
    if value == "tie" and claim.operation != "winner":
        # An expression names all that are equal, and nobody where all of them have nothing.
        return claim.value == "none" or ", " in str(claim.value)
    if isinstance(value, str) and isinstance(claim.value, str) and claim.operation == "which":
        return set(value.split(", ")) == set(claim.value.split(", "))
    if not isinstance(value, (int, float)) or not isinstance(claim.value, (int, float)):
        return bool(value == claim.value)
    if not loose or claim.unit == "count":
        return math.isclose(value, claim.value, abs_tol=_VALUE_TOLERANCE)
    return math.isclose(value, claim.value, rel_tol=_LOOSE_SHARE, abs_tol=_LOOSE_S)


def _evidence(plan: Plan, answer: Answer, worlds: Sequence[World]) -> tuple[float, float]:
    """Precision and recall of the cited evidence as (measure, video, value) triples."""
    due = {
        (step.measure, world.video_id, _rounded(value))
        for world in worlds
        for step in plan.steps
        for found, value in [value_in(world, step)]
        if found
    }
    cited = {(item.measure, item.video_id, _rounded(item.value)) for item in answer.evidence}
    hits = len(due & cited)
    return (hits / len(cited) if cited else float(not due), hits / len(due) if due else 1.0)


def _rounded(value: Any) -> Any:
    return round(value, 2) if isinstance(value, float) else value


@dataclass(frozen=True)
class PlannerMetrics:
    """Metrics of some questions; shares in [0, 1], ``None`` where there is nothing to take a share of.

    Attributes:
        questions: asked.
        plan_accuracy: share of answerable questions with the right plan.
        answer_accuracy: share of answerable questions with the right answer.
        agrees_with_truth: share of them whose answer agrees with the ground truth of the videos.
        refusal_accuracy: share of unanswerable questions that were refused.
        needless_refusals: answerable questions that were refused.
        wrong_answers: answers to another question than the one asked.
        evidence_precision: mean share of the cited evidence that is due.
        evidence_recall: mean share of the due evidence that is cited.
        median_tokens: per question.
        p95_input_tokens_per_request: 95th percentile.
        median_s: seconds to plan a question.
    """

    questions: int
    plan_accuracy: float | None
    answer_accuracy: float | None
    agrees_with_truth: float | None
    refusal_accuracy: float | None
    needless_refusals: int
    wrong_answers: int
    evidence_precision: float | None
    evidence_recall: float | None
    median_tokens: float
    p95_input_tokens_per_request: float | None
    median_s: float


@dataclass(frozen=True)
class Summary:
    """Metrics of a run: of all questions, per form, and what was not right.

    Attributes:
        overall: of all questions.
        forms: by name of the form.
        not_right: form, question, whether a wrong answer was given, and the reason for a refusal.
        n_measures: measures the planner can choose from.
    """

    overall: PlannerMetrics
    forms: Mapping[str, PlannerMetrics]
    not_right: tuple[Mapping[str, Any], ...]
    n_measures: int

    def to_dict(self) -> dict[str, Any]:
        """One mapping with the metrics of all questions at the top."""
        return {
            **asdict(self.overall),
            "forms": {form: asdict(metrics) for form, metrics in self.forms.items()},
            "not_right": [dict(row) for row in self.not_right],
            "n_measures": self.n_measures,
        }


def summary(scores: Sequence[Score]) -> Summary:
    """The metrics of a run: of all questions, and per form."""
    forms = dict.fromkeys(score.form for score in scores)
    return Summary(
        overall=_metrics(scores),
        forms={form: _metrics([s for s in scores if s.form == form]) for form in forms},
        not_right=tuple(
            {"form": s.form, "question": s.question, "wrong": s.wrong, "reason": s.reason}
            for s in scores
            if not (s.plan_right and s.answer_right)
        ),
        n_measures=len(SIGNATURES),
    )


def _metrics(scores: Sequence[Score]) -> PlannerMetrics:
    answerable = [s for s in scores if not s.expects_refusal]
    unanswerable = [s for s in scores if s.expects_refusal]
    with_truth = [s for s in answerable if s.true is not None]
    return PlannerMetrics(
        questions=len(scores),
        plan_accuracy=_share([s.plan_right for s in answerable]),
        answer_accuracy=_share([s.answer_right for s in answerable]),
        agrees_with_truth=_share([bool(s.true) for s in with_truth]),
        refusal_accuracy=_share([s.refused for s in unanswerable]),
        needless_refusals=sum(s.refused for s in answerable),
        wrong_answers=sum(s.wrong for s in scores),
        evidence_precision=_mean([s.precision for s in answerable]),
        evidence_recall=_mean([s.recall for s in answerable]),
        median_tokens=statistics.median([s.tokens for s in scores]) if scores else 0,
        p95_input_tokens_per_request=_p95([s.input_tokens / s.requests for s in scores if s.requests]),
        median_s=round(statistics.median([s.seconds for s in scores]), 3) if scores else 0.0,
    )


def _share(hits: Sequence[bool]) -> float | None:
    return round(sum(hits) / len(hits), 4) if hits else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), 4) if known else None


def _p95(values: Sequence[float]) -> float | None:
    return round(statistics.quantiles(values, n=20)[-1], 1) if len(values) > 1 else None


def as_rows(scores: Sequence[Score]) -> list[dict[str, Any]]:
    """Every score as plain JSON."""
    return [asdict(score) for score in scores]
