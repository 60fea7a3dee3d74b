"""The last answers that were given, so that a follow-up need not have them given again. Only in memory."""

from __future__ import annotations

import threading

from visionllm_interaction.reasoning.answers import Answer

MOST = 200
Turn = tuple[tuple[str, ...], str | None]


class Conversations:
    """Answers by the questions that led to them and the video they are about; the oldest go first."""

    def __init__(self) -> None:
        self._answers: dict[Turn, Answer] = {}
        self._lock = threading.Lock()

    def get(self, questions: tuple[str, ...], video_id: str | None) -> Answer | None:
        """The answer to the last of some questions; None if it is not kept."""
        with self._lock:
            return self._answers.get((questions, video_id))

    def keep(self, questions: tuple[str, ...], video_id: str | None, answer: Answer) -> None:
        """Keep an answer; a refusal is nothing to lean on."""
        if answer.status != "answered":
            return
        with self._lock:
            self._answers.pop((questions, video_id), None)
            self._answers[questions, video_id] = answer
            while len(self._answers) > MOST:
                self._answers.pop(next(iter(self._answers)))

    def forget(self) -> None:
        """Forget all of them: one may name a video that was erased."""
        with self._lock:
            self._answers.clear()
