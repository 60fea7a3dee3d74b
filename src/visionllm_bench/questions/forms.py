"""The question forms of the evaluation: the plan each one means, canonical wordings, and free paraphrases.

``{a}``, ``{b}``, ``{c}`` are filled with names of the store, ``{t}`` and ``{u}`` with times in seconds,
``{n}`` with a number. Canonical wordings are what the rule planner promises to read; paraphrases stand in no table.
"""

from __future__ import annotations

from visionllm_bench.questions.question_form import EvalForm
from visionllm_bench.questions.several_value_forms import READINGS
from visionllm_bench.questions.single_value_forms import VALUES
from visionllm_bench.questions.unanswerable_forms import UNANSWERABLE

FORMS: tuple[EvalForm, ...] = (*VALUES, *READINGS, *UNANSWERABLE)
