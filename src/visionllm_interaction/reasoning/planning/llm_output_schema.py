"""The flat form in which a language model writes a plan; its JSON schema knows only this question's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from visionllm_interaction.measures.api import Predicate
from visionllm_interaction.reasoning.language.patterns import ABSENT, Row
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.planning.capabilities import SIGNATURES
from visionllm_interaction.reasoning.planning.intent import Intent
from visionllm_interaction.reasoning.planning.plan import Plan
from visionllm_interaction.reasoning.planning.plan_builder import QuestionScope, steps_of
from visionllm_interaction.reasoning.planning.prompts import NONE, UNANSWERABLE

PREDICATES: tuple[str, ...] = get_args(Predicate)
NO_MEASURE = "the model found no measure in the catalogue, or no thing in the store, that the question asks about"
EACH = "each"
"""Stands for the side that varies: everything of a kind, or two alternatives."""


class LLMQuery(BaseModel):
    """Base of the models made by :func:`llm_query_model`."""

    model_config = ConfigDict(extra="forbid")


def llm_query_model(intent: Intent) -> type[LLMQuery]:
    """A model of one query whose measures, names and predicates are enumerations; times are seconds or null."""
    measures = tuple(name for name in (*SIGNATURES, ABSENT) if name in intent.measures)
    turns = bool(intent.over or intent.alternatives)
    subjects = (EACH,) if turns and intent.slot == "subject" else intent.subjects
    objects = (EACH,) if turns and intent.slot == "object" else intent.objects
    # Measure first: small models choose the rest better once it is written.
    fields: dict[str, Any] = {
        "measure": (Literal[(*measures, UNANSWERABLE)], ...),
        "subject": (Literal[(*subjects, NONE)], ...),
        "predicate": (Literal[(*(intent.predicates or PREDICATES), NONE)], ...),
        "object": (Literal[(*objects, NONE)], ...),
        "begin_s": (float | None, ...),
        "end_s": (float | None, ...),
    }
    model: type[LLMQuery] = create_model("Query", __base__=LLMQuery, **fields)
    return model


def llm_query_to_plan(
    query: Mapping[str, Any], *, intent: Intent, scope: QuestionScope, vocabulary: Vocabulary
) -> Plan:
    """Convert the model's reply into a plan; parts that its measure does not use are left out.

    Args:
        query: the fields of the model's reply.
        intent: how the values are combined, and which names may stand where.
        scope: the video, window and limits that code has read.
        vocabulary: the names of the store.

    Returns:
        The plan, or a refusal where the model found no measure.

    Raises:
        ValueError: in words a model can act on, if the reply is no complete query.
    """
    measure = query["measure"]
    if measure == UNANSWERABLE:
        return Plan.refuse(NO_MEASURE)
    if query["subject"] == NONE:
        raise ValueError("subject must be one of the listed names; if none fits, the measure is unanswerable")
    if query["subject"] == query["object"] != NONE:
        raise ValueError("subject and object must differ")
    inputs = "one" if measure == ABSENT else SIGNATURES[measure].inputs
    predicate = _value_or_none(query["predicate"])
    if predicate is None and len(intent.predicates) == 1:
        predicate = intent.predicates[0]
    row = Row(
        measure,
        (),
        predicate if inputs == "bout" else None,
        None if intent.combine == "each" else intent.combine,
        intent.slot,
        intent.over,
        "processed" if intent.combine in ("share", "rate") else None,
    )
    target = _value_or_none(query["object"]) if inputs in ("pair", "bout") else None
    if inputs == "pair" or (inputs == "bout" and row.predicate not in (None, "visible")):
        target = target or _only_other(intent, query["subject"])
    if inputs == "bout" and row.predicate in (None, "visible") and measure in ("first_onset", "last_offset"):
        raise ValueError(f"{measure} needs a predicate: near, in_contact or holding")
    try:
        plan = steps_of(row, _slots(intent, query["subject"], target), scope, vocabulary, threshold=intent.threshold)
    except ValidationError as error:
        raise ValueError("; ".join(e["msg"].removeprefix("Value error, ") for e in error.errors())) from None
    if plan is None:
        raise ValueError("there is nothing to compare; if the question cannot be met, the measure is unanswerable")
    return plan


def _slots(intent: Intent, subject: str, target: str | None) -> dict[str, str | None]:
    """The slots of a question form (see :class:`.patterns.Row`) that the query fills."""
    if intent.alternatives:
        first, second = intent.alternatives
        common = subject if intent.slot == "object" else target
        return {"a": first, "b": second, "c": _other(common)}
    if intent.over and intent.slot == "object":
        return {"a": subject}
    if intent.over:
        return {"b": target}
    return {"a": subject, "b": target}


def _only_other(intent: Intent, subject: str) -> str | None:
    """The object that a pair must mean where the question names just one."""
    if intent.slot == "object" and (intent.over or intent.alternatives):
        return EACH
    left = [name for name in intent.objects if name != subject]
    return left[0] if len(left) == 1 else None


def _other(name: str | None) -> str | None:
    return None if name == EACH else name


def _value_or_none(value: str) -> Any:
    return None if value == NONE else value
