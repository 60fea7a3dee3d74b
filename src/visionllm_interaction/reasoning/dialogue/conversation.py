"""A conversation about one store: questions, follow-ups, and what the last answer rests on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from visionllm_interaction.measures.config import MeasuresConfig
from visionllm_interaction.reasoning.answers import Answer, Tell, tell_nobody
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.reasoning.dialogue.followups import FollowUp, read_follow_up
from visionllm_interaction.reasoning.dialogue.rewriting import Ambiguous, rewritten
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.pipeline import Planned, PlannerName, ask, checked_question, execute
from visionllm_interaction.reasoning.planning.plan import Plan
from visionllm_interaction.store.reader import Store, open_store
from visionllm_interaction.utils.path_type import StrPath

_NO_ANSWER_YET = "there is no answer yet that it could rest on"


@dataclass(frozen=True)
class Reply:
    """What became of one line of a conversation.

    Attributes:
        answer: the answer, or a refusal with its reason; of a question for evidence the last answer once more.
        expressions: what a follow-up was rewritten into; empty for a question of its own.
        shows_evidence: whether the evidence of the last answer was asked for.
    """

    answer: Answer
    expressions: tuple[str, ...] = ()
    shows_evidence: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The turn in the JSON of ``visionllm chat --json``."""
        return {"expressions": list(self.expressions), "answer": self.answer.model_dump(mode="json")}


@dataclass
class Conversation:
    """Questions of one store, of which each may lean on the one before.

    Attributes:
        store: folder of the interaction store.
        config: limits, aliases, endpoint and wording.
        planner: as in :func:`~visionllm_interaction.reasoning.pipeline.ask`.
        measures: settings of those measures that have any.
        last: the last answer that was no refusal; follow-ups lean on it.
    """

    store: StrPath
    config: ReasonConfig = field(default_factory=ReasonConfig)
    planner: PlannerName | None = None
    measures: MeasuresConfig = field(default_factory=MeasuresConfig)
    last: Answer | None = None

    def say(self, question: str) -> Reply:
        """Answer the next question.

        Args:
            question: a question of its own, or one that leans on the last.

        Returns:
            The answer, and the expressions that a follow-up became.

        Raises:
            UsageError: the question is empty or too long.
            ConfigError: a language model is asked for and no endpoint is configured.
            LLMUnreachable: the endpoint does not answer as such and ``config.on_unreachable`` is ``"fail"``.
            StoreError: the store is missing or damaged.
        """
        asked = checked_question(question, self.config)
        reply = follow_up(asked, self.last, self.store, config=self.config, measures=self.measures)
        if reply is None:
            answer = ask(asked, self.store, config=self.config, planner=self.planner, measures=self.measures)
            reply = Reply(answer)
        if reply.answer.status == "answered":
            self.last = reply.answer
        return reply


def follow_up(
    question: str,
    last: Answer | None,
    store: StrPath,
    *,
    config: ReasonConfig = ReasonConfig(),
    measures: MeasuresConfig = MeasuresConfig(),
    tell: Tell = tell_nobody,
) -> Reply | None:
    """Answer a question that leans on the last answer.

    Args:
        question: in plain words.
        last: the last answer; None: there is none.
        store: folder of the interaction store.
        config: limits and aliases.
        measures: settings of those measures that have any.
        tell: told of each stage when it begins, and of each claim once it is proven; of nothing where evidence is asked
            for, as the last answer is given once more and nothing is computed.

    Returns:
        The reply; None where it is a question of its own.

    Raises:
        StoreError: the store is missing or damaged.
    """
    with open_store(Path(store), values=measures.values) as opened:
        vocabulary = Vocabulary.of_store(opened, aliases=config.aliases)
        change = read_follow_up(question, vocabulary)
        if change is None:
            return None
        if change.asks_evidence:
            return _evidence_of(last)
        if last is None:
            return None
        return _changed(change, last, opened, vocabulary, config=config, measures=measures, tell=tell)


def _evidence_of(last: Answer | None) -> Reply:
    return Reply(_refused(_NO_ANSWER_YET)) if last is None else Reply(last, shows_evidence=True)


def _changed(
    change: FollowUp,
    last: Answer,
    store: Store,
    vocabulary: Vocabulary,
    *,
    config: ReasonConfig,
    measures: MeasuresConfig,
    tell: Tell,
) -> Reply:
    if change.refusal is not None:
        return Reply(_refused(change.refusal))
    try:
        plan = rewritten(last.plan, change)
    except Ambiguous as error:
        return Reply(_refused(str(error)))
    if change.language != "en":
        steps = (step.model_copy(update={"language": change.language}) for step in plan.expressions)
        plan = Plan(expressions=tuple(steps))
    answer = execute(Planned(plan, "rules"), store, vocabulary=vocabulary, config=config, measures=measures, tell=tell)
    return Reply(answer, plan.expression_texts)


def _refused(reason: str) -> Answer:
    return Answer(status="abstained", planner="rules", plan=Plan.refuse(reason), reason=reason)
