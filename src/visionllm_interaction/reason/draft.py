"""The flat form in which a language model writes a plan; its JSON schema knows only this store's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from visionllm_interaction.reason.plan import Plan, Step
from visionllm_interaction.reason.prompts import NONE, UNANSWERABLE
from visionllm_interaction.reason.vocabulary import Vocabulary
from visionllm_interaction.reason.windows import Window
from visionllm_interaction.scenes.measures import CATALOGUE, Predicate

PREDICATES: tuple[str, ...] = get_args(Predicate)
NO_MEASURE = "the model found no measure in the catalogue, or no thing in the store, that the question asks about"


class Draft(BaseModel):
    """Base of the models made by :func:`draft_model`."""

    model_config = ConfigDict(extra="forbid")


def draft_model(vocabulary: Vocabulary) -> type[Draft]:
    """A model of one query whose measures, names and predicates are enumerations; times are seconds or null."""
    names = (*vocabulary.names, NONE)
    # Measure first: the small models this is made for choose the rest better once it is written.
    fields: dict[str, Any] = {
        "measure": (Literal[(*CATALOGUE, UNANSWERABLE)], ...),
        "subject": (Literal[names], ...),
        "predicate": (Literal[(*PREDICATES, NONE)], ...),
        "object": (Literal[names], ...),
        "begin_s": (float | None, ...),
        "end_s": (float | None, ...),
    }
    model: type[Draft] = create_model("Query", __base__=Draft, **fields)
    return model


def draft_to_plan(draft: Mapping[str, Any], *, video_id: str | None, window: Window | None) -> Plan:
    """The plan that ``draft`` means; parts that its measure has no use for are left out.

    A ``window`` that code has read in the question replaces the one in the draft.

    Raises:
        ValueError: in words a model can act on, if the draft is no complete query.
    """
    measure = draft["measure"]
    if measure == UNANSWERABLE:
        return Plan.refuse(NO_MEASURE)
    if draft["subject"] == NONE:
        raise ValueError("subject must be one of the listed names; if none fits, the measure is unanswerable")
    if draft["subject"] == draft["object"]:
        raise ValueError("subject and object must differ")
    inputs = CATALOGUE[measure].inputs
    times = window or Window(draft["begin_s"] or None, draft["end_s"])
    try:
        step = Step(
            measure=measure,
            subject=draft["subject"],
            object=_set(draft["object"]) if inputs != "one" else None,
            predicate=_set(draft["predicate"]) if inputs == "bout" else None,
            video_id=video_id,
            begin_s=times.begin_s,
            end_s=times.end_s,
        )
    except ValidationError as error:
        raise ValueError("; ".join(e["msg"].removeprefix("Value error, ") for e in error.errors())) from None
    return Plan(steps=(step,))


def _set(value: str) -> Any:
    return None if value == NONE else value
