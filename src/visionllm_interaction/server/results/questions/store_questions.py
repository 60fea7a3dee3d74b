"""Questions to the videos that somebody sees: answers, follow-ups, examples."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from visionllm_interaction.measures.config import MeasuresConfig
from visionllm_interaction.reasoning import ask
from visionllm_interaction.reasoning.answers import Answer, Tell, tell_nobody
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.reasoning.dialogue.conversation import Reply, follow_up
from visionllm_interaction.reasoning.language.references import extract_video, unknown_video
from visionllm_interaction.reasoning.pipeline import checked_question
from visionllm_interaction.server.problem_details import http_problem
from visionllm_interaction.server.results.questions.conversations import Conversations, StoreState
from visionllm_interaction.server.results.questions.example_questions import example_questions
from visionllm_interaction.server.results.store_views import store_written
from visionllm_interaction.store.layout import list_videos
from visionllm_interaction.store.reader import open_store

_ALL_VIDEOS = re.compile(
    r"\b(all|every|each|alle|hver)\b( (of )?(the|de))? (video|session|recording|opptak)", re.IGNORECASE
)


@dataclass(frozen=True)
class StoreQuestions:
    """What somebody may ask. All methods block.

    Attributes:
        store: a store, or the part of one, with the videos that may be asked about.
        damaged: videos that belong to them and cannot be read: id → what is wrong.
        reason: how questions are answered.
        measures: definitions of measures.
        conversations: the answers given last.
    """

    store: Path
    damaged: Mapping[str, str]
    reason: ReasonConfig
    measures: MeasuresConfig
    conversations: Conversations

    def ask(
        self,
        question: str,
        *,
        planner: Literal["rules", "llm"] | None = None,
        video_id: str | None = None,
        tell: Tell = tell_nobody,
    ) -> Answer:
        """Answer a question from the store.

        Args:
            question: the question in plain words.
            planner: the planner; default: the configuration of the service.
            video_id: the video it is about unless it names others; None: all.
            tell: told of each stage when it begins, and of each claim once it is proven.

        Returns:
            The answer with its evidence, or a refusal with the reason.

        Raises:
            HTTPException: 409 if the store is empty, or the question is about all videos and one is damaged.
        """
        self._check_not_empty()
        asked = self._about(question, video_id)
        return ask(asked, self.store, config=self.reason, planner=planner, measures=self.measures, tell=tell)

    def say(
        self, question: str, after: Sequence[str] = (), *, video_id: str | None = None, tell: Tell = tell_nobody
    ) -> Reply:
        """Answer a question that may lean on those before it.

        Args:
            question: the question in plain words.
            after: the questions before it that were answered, first to last.
            video_id: the video it is about unless it names others; None: all.
            tell: told of each stage when it begins, and of each claim once it is proven.

        Returns:
            The answer, and what a follow-up was rewritten into.

        Raises:
            HTTPException: 409 if the store is empty, or the question is about all videos and one is damaged.
            UsageError: if a question is empty or too long.
        """
        asked = checked_question(question, self.reason)
        state = self._state()
        reply = None
        if list_videos(self.store) and after:
            last = self._answered(state, tuple(after), video_id)
            reply = follow_up(asked, last, self.store, config=self.reason, measures=self.measures, tell=tell)
        if reply is None:
            reply = Reply(self.ask(asked, video_id=video_id, tell=tell))
        self.conversations.keep(state, (*after, question), video_id, reply.answer)
        return reply

    def examples(self, video_id: str) -> list[str]:
        """A few questions about one video that have an answer."""
        with open_store(self.store) as store:
            return example_questions(store, video_id, reason=self.reason, measures=self.measures)

    def _state(self) -> StoreState:
        return str(self.store), store_written(self.store)

    def _answered(self, state: StoreState, questions: tuple[str, ...], video_id: str | None) -> Answer | None:
        """The answer to the last of some questions: the one that was given, or given anew by the rules."""
        known = self.conversations.get(state, questions, video_id)
        if known is not None:
            return known
        last: Answer | None = None
        for question in questions:
            asked = checked_question(question, self.reason)
            reply = follow_up(asked, last, self.store, config=self.reason, measures=self.measures)
            answer = reply.answer if reply is not None else self.ask(asked, planner="rules", video_id=video_id)
            last = answer if answer.status == "answered" else last
        if last is not None:
            self.conversations.keep(state, questions, video_id, last)
        return last

    def _about(self, question: str, video_id: str | None) -> str:
        """The question, with the video named if it names none and does not say that it is about all."""
        ids = list_videos(self.store)
        plain = question.lower()
        names_one = extract_video(plain, ids)[1] is not None or unknown_video(plain, ids) is not None
        if names_one or video_id is None or video_id not in ids or _ALL_VIDEOS.search(question):
            if not names_one:
                self._check_none_damaged()
            return question
        return f"{question.strip().rstrip('?!. ')} in {video_id}?"

    def _check_not_empty(self) -> None:
        if not list_videos(self.store):
            raise http_problem(
                409, "There is no analysed video to ask about.", code="EMPTY-STORE", fix="upload a video"
            )

    def _check_none_damaged(self) -> None:
        """An answer about all videos that leaves one out would be wrong."""
        if self.damaged:
            video_id, fault = next(iter(sorted(self.damaged.items())))
            raise http_problem(
                409,
                "A video cannot be read, so that a question about all videos has no answer.",
                code="DAMAGED-VIDEO",
                found=f"{video_id}: {fault}",
                fix="ask about one video; or erase the damaged one, or analyse it again",
            )
