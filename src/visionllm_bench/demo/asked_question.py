"""A question of the demo with its answer and the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from visionllm_bench.demo.config import DemoQuestion


@dataclass(frozen=True)
class AskedQuestion:
    """A question with its answer (as ``visionllm ask --json`` prints it) and the truth."""

    question: DemoQuestion
    answer: Mapping[str, Any]
    truth: float
    agrees: bool

    def to_dict(self) -> dict[str, Any]:
        """Plain values: the question, the answer in words, the truth and whether they agree."""
        return {
            "question": self.question.text,
            "answer": self.answer["answer"],
            "truth": round(self.truth, 3),
            "agrees": self.agrees,
        }

    def to_text(self) -> str:
        """One line for people."""
        verdict = "ok " if self.agrees else "OFF"
        return f"{verdict} {self.question.text} {self.answer['answer']} (truth {self.truth:.2f})"
