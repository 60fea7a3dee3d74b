"""The typed plan: what a question becomes before anything is computed."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from visionllm_interaction.scenes.measures import CATALOGUE, Predicate, Query

MAX_STEPS = 4
"""Most queries in one plan."""

Combine = Literal["each", "largest", "smallest"]


class Step(BaseModel):
    """One query over the measure catalogue; times are seconds, the window is ``[begin_s, end_s)``.

    ``predicate`` is for measures of bouts (none means *visible*); their ``object`` may be left open for *anything*.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    measure: str
    subject: str
    object: str | None = None
    predicate: Predicate | None = None
    video_id: str | None = None
    begin_s: float | None = Field(default=None, ge=0)
    end_s: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _fits_its_measure(self) -> Self:
        measure = CATALOGUE.get(self.measure)
        if measure is None:
            raise ValueError(f"measure must be one of {', '.join(CATALOGUE)}, found {self.measure!r}")
        if measure.inputs == "pair" and self.object is None:
            raise ValueError(f"{self.measure} is about two things: object is missing")
        if measure.inputs == "one" and self.object is not None:
            raise ValueError(f"{self.measure} is about one thing: object must not be set")
        if measure.inputs != "bout" and self.predicate is not None:
            raise ValueError(f"{self.measure} takes no predicate")
        if self.begin_s is not None and self.end_s is not None and self.begin_s >= self.end_s:
            raise ValueError(f"the window must end after it begins, found {self.begin_s} to {self.end_s}")
        return self

    def to_query(self) -> Query:
        """The query that ``scenes.measures.run_query`` executes."""
        return Query(**self.model_dump())


class Plan(BaseModel):
    """A short list of queries and how their results are read, or the reason why there is none.

    ``combine`` is ``"each"`` to report every step, or ``"largest"``/``"smallest"`` to compare the steps.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: tuple[Step, ...] = Field(default=(), max_length=MAX_STEPS)
    combine: Combine = "each"
    unanswerable: str | None = None

    @model_validator(mode="after")
    def _is_one_or_the_other(self) -> Self:
        if bool(self.steps) == bool(self.unanswerable):
            raise ValueError("a plan has steps or a reason why it has none")
        if self.combine != "each" and len({step.measure for step in self.steps}) != 1:
            raise ValueError("only results of one measure can be compared")
        if self.combine != "each" and len(self.steps) < 2:
            raise ValueError("a comparison needs two steps or more")
        return self

    @classmethod
    def refuse(cls, reason: str) -> Plan:
        """A plan that says why the question has none."""
        return cls(unanswerable=reason)
