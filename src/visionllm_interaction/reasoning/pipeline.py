"""Ask a question of a store: plan → run → compose → verify."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from visionllm_interaction.errors import ConfigError, LLMUnreachable, UsageError
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.reasoning.execution.executor import StepResult, all_evidence, run_plan
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.models import Answer, EvidenceItem, Usage
from visionllm_interaction.reasoning.planning.plan import Plan
from visionllm_interaction.reasoning.planning.rule_planner import plan_by_rules
from visionllm_interaction.reasoning.wording.claims import answer_text, compose
from visionllm_interaction.reasoning.wording.sentences import moment_words
from visionllm_interaction.reasoning.wording.verification import Verified, verify
from visionllm_interaction.store.reader import Store, open_store

_NOTHING_HELD = "no claim held when it was computed again"
_NOTHING_THERE = "no video of the store was looked at in the time asked about"

PlannerName = Literal["rules", "llm"]


@dataclass(frozen=True)
class Planned:
    """A plan, who made it, and what it cost."""

    plan: Plan
    planner: PlannerName
    model: str | None = None
    usage: Usage = field(default_factory=Usage)


def ask(
    question: str,
    store: Path,
    *,
    config: ReasonConfig = ReasonConfig(),
    planner: PlannerName | None = None,
) -> Answer:
    """Answer ``question`` from the store, or abstain with the reason.

    Blocks; do not call it on a running event loop's thread. ``planner`` None follows ``config.planner``.

    Raises:
        UsageError: the question is empty or longer than ``config.max_question_chars``.
        ConfigError: the language model is asked for and no endpoint is configured.
        LLMUnreachable: the endpoint does not answer as such and ``config.on_unreachable`` is ``"fail"``.
        StoreError: the store is missing or damaged.
    """
    asked = _checked(question, config)
    chosen = choose_planner(config, planner)
    with open_store(store) as opened:
        vocabulary = Vocabulary.build(opened.known_names(), opened.video_ids(), aliases=config.aliases)
        planned = make_plan(asked, vocabulary, config=config, planner=chosen)
        return execute(planned, opened, vocabulary=vocabulary, config=config)


def choose_planner(config: ReasonConfig, planner: PlannerName | None) -> PlannerName:
    """The planner to use: the one asked for, else the configured one; ``auto`` is llm where an endpoint is set."""
    chosen = planner or config.planner
    if chosen == "auto":
        return "llm" if config.endpoint.base_url else "rules"
    if chosen == "llm" and not config.endpoint.base_url:
        raise ConfigError(
            "The llm planner needs an endpoint and none is configured",
            expected="reason.endpoint.base_url, the address of an OpenAI-compatible endpoint",
            found="null",
            where="config/reason.yaml",
            fix="set reason.endpoint.base_url and reason.endpoint.model, or ask with --planner rules",
        )
    return chosen


def make_plan(question: str, vocabulary: Vocabulary, *, config: ReasonConfig, planner: PlannerName) -> Planned:
    """Turn ``question`` into a plan with one of the planners."""
    if planner == "rules":
        return Planned(plan_by_rules(question, vocabulary), "rules")
    try:
        return _plan_by_llm(question, vocabulary, config)
    except LLMUnreachable:
        if config.on_unreachable == "fail":
            raise
        return Planned(plan_by_rules(question, vocabulary), "rules")


def execute(planned: Planned, store: Store, *, vocabulary: Vocabulary, config: ReasonConfig) -> Answer:
    """Run a plan, compose claims, run it again to verify them, and answer with those that hold."""
    plan = planned.plan
    if plan.unanswerable:
        return _abstain(planned, plan.unanswerable)
    results = run_plan(store, plan)
    claims = compose(plan, results)
    shown = tuple(all_evidence(results).values())
    verified = verify(claims, shown, plan=plan, fresh=run_plan(store, plan), vocabulary=vocabulary)
    if not verified.claims:
        return _abstain(planned, _NOTHING_HELD if verified.dropped else _nothing_there(plan), verified)
    if config.wording == "llm" and config.endpoint.base_url:
        return _in_other_words(planned, verified, results, vocabulary=vocabulary, config=config)
    return _answer(planned, verified, results, config=config)


def _nothing_there(plan: Plan) -> str:
    """Why no video gave evidence: nothing was looked at then, or what the question takes for granted never happens."""
    moments = [moment for part in plan.parts for step in part.steps for moment in (step.after, step.before) if moment]
    if moments:
        return f"in no video is there a moment when {moment_words(moments[0])}"
    return _NOTHING_THERE


def _in_other_words(
    planned: Planned,
    verified: Verified,
    results: Sequence[StepResult],
    *,
    vocabulary: Vocabulary,
    config: ReasonConfig,
) -> Answer:
    """The same claims in the model's words, as far as these are proven; without an endpoint in code's words."""
    from visionllm_interaction.reasoning.llm_client import Spent, as_usage
    from visionllm_interaction.reasoning.wording.paraphrase import word_claims

    spent = Spent()
    try:
        claims, dropped = word_claims(
            verified.claims, verified.evidence, vocabulary, config=config.endpoint, spent=spent
        )
    except LLMUnreachable:
        return _answer(planned, verified, results, config=config)
    worded = replace(verified, claims=claims, dropped=(*verified.dropped, *dropped))
    cost = replace(planned, usage=as_usage(planned.usage, spent.total))
    answer = _answer(cost, worded, results, config=config)
    changed = any(new.text != old.text for new, old in zip(claims, verified.claims, strict=True))
    return answer.model_copy(update={"wording": "llm", "model": config.endpoint.model}) if changed else answer


def _answer(planned: Planned, verified: Verified, results: Sequence[StepResult], *, config: ReasonConfig) -> Answer:
    return Answer(
        status="answered",
        answer=answer_text(verified.claims, results, max_listed=config.max_listed_videos),
        claims=verified.claims,
        evidence=tuple(EvidenceItem.of(item) for item in verified.evidence),
        planner=planned.planner,
        model=planned.model,
        plan=planned.plan,
        dropped_claims=verified.dropped,
        tokens=planned.usage.tokens,
        usage=planned.usage,
    )


def _abstain(planned: Planned, reason: str, verified: Verified | None = None) -> Answer:
    return Answer(
        status="abstained",
        planner=planned.planner,
        model=planned.model,
        plan=planned.plan,
        dropped_claims=verified.dropped if verified else (),
        reason=reason,
        tokens=planned.usage.tokens,
        usage=planned.usage,
    )


def _plan_by_llm(question: str, vocabulary: Vocabulary, config: ReasonConfig) -> Planned:
    try:
        # Imported here because the base installation answers by rules and has no language model client.
        from visionllm_interaction.reasoning.planning.llm_planner import plan_by_llm
    except ImportError as error:
        raise ConfigError(
            "The llm planner needs packages that are not installed",
            expected="the extra `reason`",
            found=str(error),
            fix="pip install 'visionllm-interaction[reason]', or ask with --planner rules",
        ) from error
    plan, usage = plan_by_llm(question, vocabulary, config=config.endpoint)
    return Planned(plan, "llm", config.endpoint.model, usage)


def _checked(question: str, config: ReasonConfig) -> str:
    text = " ".join(question.split())
    if not text:
        raise UsageError("The question is empty", expected="a question in words", found="nothing")
    if len(text) > config.max_question_chars:
        raise UsageError(
            "The question is too long",
            expected=f"at most {config.max_question_chars} characters (reason.max_question_chars)",
            found=f"{len(text)} characters",
            fix="ask one thing at a time",
        )
    return text
