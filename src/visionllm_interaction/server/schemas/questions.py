"""Questions, and values of measures."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from visionllm_interaction.server.schemas.frozen_model import NOT_BLANK, FrozenModel

MAX_TURNS = 50
"""Most earlier questions that a question may lean on."""


class AskRequest(FrozenModel):
    """A question in plain words."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"example": {"question": "How long is the child visible?"}},
    )

    question: str = Field(min_length=1, max_length=10_000, pattern=NOT_BLANK)
    planner: Literal["rules", "llm"] | None = None
    """The planner that turns the question into a query; default: the configuration of the service."""
    video_id: str | None = Field(default=None, max_length=200)
    """The video it is about, unless it names others; default: all."""
    after: list[Annotated[str, Field(min_length=1, max_length=10_000, pattern=NOT_BLANK)]] = Field(
        default=[], max_length=MAX_TURNS
    )
    """The questions before this one that were answered, first to last, so that "and the book?" can lean on them."""


class QuestionList(FrozenModel):
    """Questions that have an answer."""

    questions: list[str]


class MeasureDefinition(FrozenModel):
    """One measure of the catalogue."""

    name: str
    definition: str
    unit: str
    inputs: str
    """`none`: the video; `one`: a subject; `pair`, `bout`, `event`: a subject, perhaps an object; `own`: the lab's."""
    source: str


class MeasureCatalogue(FrozenModel):
    """All measures."""

    measures: list[MeasureDefinition]


class MeasureRow(FrozenModel):
    """One value of a measure."""

    video_id: str
    subject: str | None
    object: str | None
    predicate: str | None
    value: float | None
    unit: str | None
    processed_s: float | None
    begin_s: float | None
    end_s: float | None
    bin_begin_s: float | None
    bin_end_s: float | None
    missing: str | None
    """Why there can be no value; null where nothing was found."""
    basis: str | None
    values: str | None
    corrected: float | None
    corrected_low: float | None
    corrected_high: float | None


class MeasureTable(FrozenModel):
    """The rows of one measure, and how to get them again."""

    measure: MeasureDefinition
    rows: list[MeasureRow]
    choices: dict[str, list[str]]
    """The subjects, objects, predicates and videos that the measure has rows of."""
    names: dict[str, str]
    """Video id → name of its file."""
    left_out: dict[str, str] = Field(default={})
    """Damaged videos that have no rows: id → what is wrong."""
    command: str
    """The command that computes the table anew."""
