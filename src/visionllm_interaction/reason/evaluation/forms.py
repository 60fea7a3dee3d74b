"""The question forms of the evaluation: the plan each one means, canonical wordings, and free paraphrases.

``{a}``, ``{b}``, ``{c}`` are filled with words for things in the store, ``{t}`` and ``{u}`` with times in seconds,
``{n}`` with a number. Canonical wordings are what the rule planner promises to read; paraphrases stand in no table.
"""

from __future__ import annotations

from visionllm_interaction.reason.evaluation.form import EvalForm
from visionllm_interaction.reason.evaluation.forms_of_readings import READINGS
from visionllm_interaction.reason.evaluation.forms_of_values import VALUES
from visionllm_interaction.reason.evaluation.forms_refused import UNANSWERABLE

FORMS: tuple[EvalForm, ...] = (*VALUES, *READINGS, *UNANSWERABLE)
