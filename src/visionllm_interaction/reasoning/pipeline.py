"""Ask a question of a store: plan → run → compose claims → verify."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from visionllm_interaction.errors import ConfigError, ExpressionError, LLMUnreachable, UsageError
from visionllm_interaction.measures.config import MeasuresConfig
from visionllm_interaction.measures.missing_inputs import is_role_unknown
from visionllm_interaction.reasoning.answers import Answer, AnswerStage, LeftOut, Tell, Usage, tell_nobody
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.reasoning.evidence_basis import EvidenceBasis
from visionllm_interaction.reasoning.execution.executor import StepResult, all_evidence, run_plan
from visionllm_interaction.reasoning.execution.found_in_part import asks_whether_any
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.planning.plan import Plan
from visionllm_interaction.reasoning.planning.rule_planner import is_unread, plan_by_rules
from visionllm_interaction.reasoning.wording.compose_claims import answer_text, compose_claims
from visionllm_interaction.reasoning.wording.sentences import moment_words, unknown
from visionllm_interaction.reasoning.wording.verify_by_recomputing import Verified, verify
from visionllm_interaction.store.reader import Store, open_store
from visionllm_interaction.store.sessions.videos_or_sessions import SessionChoice, opened_as
from visionllm_interaction.utils.path_type import StrPath

_NO_CLAIM_HOLDS = "no claim held when it was computed again"
_NO_EVIDENCE = "no frame of any video was processed in the time asked about"

T = TypeVar("T")
PlannerName = Literal["auto", "rules", "llm"]
"""``auto``: the rules, and the language model for what they cannot read."""


class Planned(Struct, frozen=True):
    """A plan, who made it, and what it cost."""

    plan: Plan
    planner: Literal["rules", "llm"]
    model: str | None = None
    usage: Usage = field(default_factory=Usage)


def ask(
    question: str,
    store: StrPath,
    *,
    config: ReasonConfig = ReasonConfig(),
    planner: PlannerName | None = None,
    measures: MeasuresConfig = MeasuresConfig(),
    sessions: SessionChoice | None = None,
    tell: Tell = tell_nobody,
) -> Answer:
    """Answer ``question`` from the store, or abstain with the reason.

    Blocks, and works where an event loop runs (a notebook cell); :func:`ask_async` lets other tasks go on meanwhile.

    Args:
        question: one question in plain words.
        store: folder of the interaction store.
        config: limits, aliases, endpoint and wording.
        planner: ``"rules"``, ``"llm"``, ``"auto"``, or None to follow ``config.planner``.
        measures: settings of measures, and which values are used.
        sessions: sessions in place of their videos; None: each video by itself.
        tell: told of each stage when it begins, and of each claim once it is proven.

    Returns:
        The answer; every number in it was computed by code and cites its evidence.

    Raises:
        UsageError: the question is empty or longer than ``config.max_question_chars``.
        ConfigError: the language model is asked for and no endpoint is configured.
        LLMUnreachable: the endpoint does not answer as such and ``config.on_unreachable`` is ``"fail"``.
        StoreError: the store is missing or damaged.
    """
    asked = checked_question(question, config)
    chosen = choose_planner(config, planner)
    with open_store(store, values=measures.values) as opened:
        read = opened_as(opened, sessions)
        vocabulary = Vocabulary.of_store(read, aliases=config.aliases)
        planned = make_plan(asked, vocabulary, config=config, planner=chosen, tell=tell)
        answer = execute(planned, read, vocabulary=vocabulary, config=config, measures=measures, tell=tell)
        return answer.model_copy(update={"sessions": sessions})


async def ask_async(
    question: str,
    store: StrPath,
    *,
    config: ReasonConfig = ReasonConfig(),
    planner: PlannerName | None = None,
    measures: MeasuresConfig = MeasuresConfig(),
    sessions: SessionChoice | None = None,
    tell: Tell = tell_nobody,
) -> Answer:
    """As :func:`ask`, without blocking the event loop: the endpoint is awaited, the store is read in a thread.

    Args:
        question: one question in plain words.
        store: folder of the interaction store.
        config: limits, aliases, endpoint and wording.
        planner: ``"rules"``, ``"llm"``, ``"auto"``, or None to follow ``config.planner``.
        measures: settings of measures, and which values are used.
        sessions: as for :func:`ask`.
        tell: as for :func:`ask`; it may be called in another thread.

    Returns:
        The same answer as :func:`ask` gives.

    Raises:
        UsageError: the question is empty or longer than ``config.max_question_chars``.
        ConfigError: the language model is asked for and no endpoint is configured.
        LLMUnreachable: the endpoint does not answer as such and ``config.on_unreachable`` is ``"fail"``.
        StoreError: the store is missing or damaged.
    """
    # Imported here: an answer by rules on the command line needs no event loop.
    import asyncio

    asked = checked_question(question, config)
    chosen = choose_planner(config, planner)
    with await asyncio.to_thread(open_store, Path(store), values=measures.values) as opened:
        read = await asyncio.to_thread(opened_as, opened, sessions)
        vocabulary = await asyncio.to_thread(Vocabulary.of_store, read, aliases=config.aliases)
        planned = await _make_plan_async(asked, vocabulary, config=config, planner=chosen, tell=tell)
        computed = await asyncio.to_thread(
            _compute, planned, read, vocabulary=vocabulary, config=config, measures=measures, tell=tell
        )
        answer = computed.answer
        if computed.needs_rewording:
            answer = await _reword_async(computed, vocabulary=vocabulary, config=config, tell=tell)
        return answer.model_copy(update={"sessions": sessions})


def choose_planner(config: ReasonConfig, planner: PlannerName | None) -> PlannerName:
    """The planner to use: the one asked for, else the configured one; ``auto`` is rules where no endpoint is set."""
    chosen = planner or config.planner
    if chosen == "auto":
        return "auto" if config.endpoint.base_url else "rules"
    if chosen == "llm" and not config.endpoint.base_url:
        raise ConfigError(
            "The llm planner needs an endpoint and none is configured",
            expected="reason.endpoint.base_url, the address of an OpenAI-compatible endpoint",
            found="null",
            where="config/reason.yaml",
            fix="set reason.endpoint.base_url and reason.endpoint.model, or ask with --planner rules",
        )
    return chosen


def make_plan(
    question: str, vocabulary: Vocabulary, *, config: ReasonConfig, planner: PlannerName, tell: Tell = tell_nobody
) -> Planned:
    """Turn ``question`` into a plan with one of the planners."""
    by_rules = _by_rules(question, vocabulary, planner, tell)
    if by_rules is not None:
        return by_rules
    return _run_sync(_plan_by_model(question, vocabulary, config=config, tell=tell))


def _by_rules(question: str, vocabulary: Vocabulary, planner: PlannerName, tell: Tell) -> Planned | None:
    """The plan or the refusal of the rules; None where the language model is to be asked."""
    if planner == "llm":
        return None
    tell(AnswerStage(stage="planning"))
    plan = plan_by_rules(question, vocabulary)
    return None if planner == "auto" and is_unread(plan) else Planned(plan, "rules")


async def _make_plan_async(
    question: str, vocabulary: Vocabulary, *, config: ReasonConfig, planner: PlannerName, tell: Tell
) -> Planned:
    by_rules = _by_rules(question, vocabulary, planner, tell)
    if by_rules is not None:
        return by_rules
    return await _plan_by_model(question, vocabulary, config=config, tell=tell)


async def _plan_by_model(question: str, vocabulary: Vocabulary, *, config: ReasonConfig, tell: Tell) -> Planned:
    """The plan of the language model; that of the rules where it cannot be reached and that is allowed."""
    tell(AnswerStage(stage="planning", model=config.endpoint.model))
    try:
        return await _plan_by_llm(question, vocabulary, config)
    except LLMUnreachable:
        if config.on_unreachable == "fail":
            raise
        return Planned(plan_by_rules(question, vocabulary), "rules")


def execute(
    planned: Planned,
    store: Store,
    *,
    vocabulary: Vocabulary,
    config: ReasonConfig,
    measures: MeasuresConfig = MeasuresConfig(),
    tell: Tell = tell_nobody,
) -> Answer:
    """Run a plan, compose claims, run it again to verify them, and answer with those that hold.

    Where every video lacks an input of the measure there is no answer, and the reason says which input.

    Args:
        planned: the plan and who made it.
        store: the open store.
        vocabulary: the names the question may be about.
        config: wording and limits.
        measures: settings of those measures that have any.
        tell: told of each stage when it begins, and of each claim once it is proven.

    Returns:
        The answer, or a refusal with its reason.
    """
    computed = _compute(planned, store, vocabulary=vocabulary, config=config, measures=measures, tell=tell)
    if not computed.needs_rewording:
        return computed.answer
    return _run_sync(_reword_async(computed, vocabulary=vocabulary, config=config, tell=tell))


class _Computed(Struct, frozen=True):
    """An answer worded by code and what it is made of; ``verified`` is None where there are no claims to reword."""

    answer: Answer
    planned: Planned
    verified: Verified | None = None
    results: Sequence[StepResult] = ()
    basis: EvidenceBasis = field(default_factory=EvidenceBasis)
    needs_rewording: bool = False


def _compute(
    planned: Planned,
    store: Store,
    *,
    vocabulary: Vocabulary,
    config: ReasonConfig,
    measures: MeasuresConfig,
    tell: Tell,
) -> _Computed:
    planned = replace(planned, plan=planned.plan.with_turns(measures.turns.limits))
    plan = planned.plan
    if plan.unanswerable:
        return _Computed(_abstain(planned, plan.unanswerable), planned)
    tell(AnswerStage(stage="evidence", expressions=plan.expression_texts))
    if plan.expressions:
        answer = _of_expressions(planned, store, config=config, measures=measures, tell=tell)
        return _Computed(answer, planned)
    results = run_plan(store, plan)
    if any(is_role_unknown(item.missing) for result in results for item in result.evidence):
        found = _of_any(planned, store, results, config=config, measures=measures, tell=tell)
        if found is not None:
            return _Computed(found, planned)
    claims = compose_claims(plan, results)
    shown = tuple(all_evidence(results).values())
    tell(AnswerStage(stage="proof"))
    verified = verify(claims, shown, plan=plan, fresh=run_plan(store, plan), vocabulary=vocabulary)
    if not verified.claims:
        reason = _NO_CLAIM_HOLDS if verified.dropped else _why_no_evidence(plan)
        return _Computed(_abstain(planned, reason, verified), planned)
    if all(item.missing for item in verified.evidence):
        return _Computed(_abstain(planned, "; ".join(_missing_inputs(results)), verified), planned)
    basis = EvidenceBasis.of_steps(store, results)
    verified = replace(verified, claims=basis.claims(verified.claims))
    for claim in verified.claims:
        tell(claim)
    answer = _answer(planned, verified, results, basis, config=config)
    wanted = config.wording == "llm" and bool(config.endpoint.base_url)
    return _Computed(answer, planned, verified, results, basis, needs_rewording=wanted)


def _of_any(
    planned: Planned,
    store: Store,
    results: Sequence[StepResult],
    *,
    config: ReasonConfig,
    measures: MeasuresConfig,
    tell: Tell,
) -> Answer | None:
    """Where an amount is not known: that there is some all the same, if the question asks no more than that."""
    plan = asks_whether_any(planned.plan)
    if plan is None:
        return None
    silent = _of_expressions(replace(planned, plan=plan), store, config=config, measures=measures, tell=tell_nobody)
    found = {str(claim.value) for claim in silent.claims} - {"no", "none", "None"}
    if not found:
        return None
    if planned.plan.combine == "which":
        names = {name for value in found for name in value.split(", ")}
        lacking = [
            result.step
            for result in results
            if any(item.missing for item in result.evidence) and not {result.step.subject, result.step.object} & names
        ]
        plan = asks_whether_any(planned.plan, lacking) or plan
    return _of_expressions(replace(planned, plan=plan), store, config=config, measures=measures, tell=tell)


def _of_expressions(
    planned: Planned, store: Store, *, config: ReasonConfig, measures: MeasuresConfig, tell: Tell
) -> Answer:
    """Run the expressions of a plan twice, and answer with the claims that both runs give."""
    # Imported here: a question of a fixed form needs no parser.
    from visionllm_interaction.reasoning.wording.verify_expression_claims import verified_claims

    try:
        found = verified_claims(planned.plan, store, measures=measures, max_listed=config.max_listed_videos, tell=tell)
    except ExpressionError as error:
        return _abstain(planned, f"{error.message} {error.fix or ''}".strip())
    if found.missing is not None:
        return _abstain(planned, found.missing)
    if not found.claims:
        return _abstain(planned, _NO_CLAIM_HOLDS if found.dropped else _NO_EVIDENCE)
    basis = EvidenceBasis.of_expressions(store, found.evidence, planned.plan.expressions)
    claims = basis.claims(found.claims)
    for claim in claims:
        tell(claim)
    return Answer(
        status="answered",
        answer=found.text,
        claims=claims,
        evidence=tuple(basis.items(found.evidence)),
        planner=planned.planner,
        model=planned.model,
        plan=planned.plan,
        dropped_claims=found.dropped,
        left_out=tuple(LeftOut(video_id=video, reason=reason) for video, reason in found.left_out),
        tokens=planned.usage.tokens,
        usage=planned.usage,
        values=basis.values,
    )


def _missing_inputs(results: Sequence[StepResult]) -> Iterator[str]:
    """Why none of the steps has a value, each reason once."""
    reasons = {
        unknown(result.step, item.missing): None for result in results for item in result.evidence if item.missing
    }
    yield from reasons


def _why_no_evidence(plan: Plan) -> str:
    """Why no video gave evidence: nothing was processed then, or a moment that the question refers to never occurs."""
    moments = [moment for part in plan.parts for step in part.steps for moment in (step.after, step.before) if moment]
    if moments:
        return f"in no video is there a moment when {moment_words(moments[0])}"
    return _NO_EVIDENCE


async def _reword_async(computed: _Computed, *, vocabulary: Vocabulary, config: ReasonConfig, tell: Tell) -> Answer:
    """The claims reworded by the model where its words are verified; code's words where it cannot be reached."""
    from visionllm_interaction.reasoning.llm_client import RequestRecord, sum_usage
    from visionllm_interaction.reasoning.wording.paraphrase import word_claims_async

    planned, verified, results = computed.planned, computed.verified, computed.results
    assert verified is not None
    tell(AnswerStage(stage="wording", model=config.endpoint.model))
    spent = RequestRecord()
    try:
        claims, dropped = await word_claims_async(
            verified.claims, verified.evidence, vocabulary, config=config.endpoint, spent=spent
        )
    except LLMUnreachable:
        return computed.answer
    worded = replace(verified, claims=claims, dropped=(*verified.dropped, *dropped))
    cost = replace(planned, usage=sum_usage(planned.usage, spent.total))
    answer = _answer(cost, worded, results, computed.basis, config=config)
    changed = any(new.text != old.text for new, old in zip(claims, verified.claims, strict=True))
    return answer.model_copy(update={"wording": "llm", "model": config.endpoint.model}) if changed else answer


def _answer(
    planned: Planned, verified: Verified, results: Sequence[StepResult], basis: EvidenceBasis, *, config: ReasonConfig
) -> Answer:
    return Answer(
        status="answered",
        answer=answer_text(verified.claims, results, max_listed=config.max_listed_videos),
        claims=verified.claims,
        evidence=tuple(basis.items(verified.evidence)),
        planner=planned.planner,
        model=planned.model,
        plan=planned.plan,
        dropped_claims=verified.dropped,
        left_out=LeftOut.of(verified.evidence),
        tokens=planned.usage.tokens,
        usage=planned.usage,
        values=basis.values,
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


def _run_sync(coroutine: Coroutine[Any, Any, T]) -> T:
    # Imported here: an answer by rules needs no event loop.
    from visionllm_interaction.reasoning.async_bridge import run_sync

    return run_sync(coroutine)


async def _plan_by_llm(question: str, vocabulary: Vocabulary, config: ReasonConfig) -> Planned:
    try:
        # Imported here because the base installation answers by rules and has no language model client.
        from visionllm_interaction.reasoning.planning.llm_planner import plan_by_llm_async
    except ImportError as error:
        raise ConfigError(
            "The llm planner needs packages that are not installed",
            expected="the extra `reason`",
            found=str(error),
            fix="pip install 'visionllm-interaction[reason]', or ask with --planner rules",
        ) from error
    plan, usage = await plan_by_llm_async(question, vocabulary, config=config.endpoint)
    return Planned(plan, "llm", config.endpoint.model, usage)


def checked_question(question: str, config: ReasonConfig) -> str:
    """A question with single blanks.

    Args:
        question: as it was typed.
        config: for the longest question allowed.

    Returns:
        Its text.

    Raises:
        UsageError: if it is empty or too long.
    """
    text = " ".join(question.split())
    if not text:
        raise UsageError("The question is empty", expected="a question in words", found="nothing")
    if len(text) > config.max_question_chars:
        raise UsageError(
            "The question is too long",
            expected=f"at most {config.max_question_chars} characters (reason.max_question_chars)",
            found=f"{len(text)} characters",
            fix="ask one question at a time",
        )
    return text
