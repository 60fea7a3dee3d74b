"""The last answers that were given, so that a follow-up need not have them given again. Only in memory."""

from __future__ import annotations

import threading

from visionllm_interaction.reasoning.answers import Answer
from visionllm_interaction.server.results.store_views import Written

MOST = 200
StoreState = tuple[str, Written]
"""A store, and when its videos were written: an answer from other ones is nothing to lean on."""
Turn = tuple[StoreState, tuple[str, ...], str | None]


class Conversations:
    """Answers by the store they came from, the questions that led to them and the video they are about.

    The oldest go first. The store is part of it, since who sees fewer videos gets other answers.
    """

    def __init__(self) -> None:
        self._answers: dict[Turn, Answer] = {}
        self._lock = threading.Lock()

    def get(self, store: StoreState, questions: tuple[str, ...], video_id: str | None) -> Answer | None:
        """The answer to the last of some questions; None if it is not kept."""
        with self._lock:
            return self._answers.get((store, questions, video_id))

    def keep(self, store: StoreState, questions: tuple[str, ...], video_id: str | None, answer: Answer) -> None:
        """Keep an answer; a refusal is nothing to lean on."""
        if answer.status != "answered":
            return
        with self._lock:
            self._answers.pop((store, questions, video_id), None)
            self._answers[store, questions, video_id] = answer
            while len(self._answers) > MOST:
                self._answers.pop(next(iter(self._answers)))

    def forget(self) -> None:
        """Forget all of them: one may name a video that was erased."""
        with self._lock:
            self._answers.clear()
