"""Answers: claims that cite evidence, or a refusal with its reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ConfigDict, Field

from visionllm_interaction.core.evidence import Basis, Evidence, ValuesUsed, basis_in_words
from visionllm_interaction.reasoning.planning.plan import Plan
from visionllm_interaction.store.audit_corrections import CorrectedValue
from visionllm_interaction.store.sessions.videos_or_sessions import SessionChoice
from visionllm_interaction.utils.notebook_display import MAX_ROWS, html_table
from visionllm_interaction.utils.schema_from_docstrings import DescribedModel

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Operation = Literal[
    "value",
    "sum",
    "largest",
    "winner",
    "difference",
    "share",
    "rate",
    "yes_no",
    "which",
    "order",
    "videos",
    "mean",
    "expression",
    "account",
]


class _AnswerModel(DescribedModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Claim(_AnswerModel):
    """One statement that anybody can re-compute from the evidence it cites."""

    text: str
    """The statement in words."""
    value: float | int | str | None
    """The value stated; null for "not seen" and for a missing input; a name for the winner of a comparison."""
    unit: str
    """Unit of `value`."""
    evidence: tuple[str, ...]
    """Ids of the evidence it rests on."""
    operation: Operation = "value"
    """How `value` follows from the evidence: taken as it is, or what is made of several (docs/reasoning.md)."""
    basis: Basis = "as detected"
    """What `value` rests on; it is never a value corrected by an audit."""
    values: ValuesUsed = "detected"
    """`corrected`: people have corrected what `value` rests on; `detected`: it is as detected."""
    corrected: CorrectedValue | None = None
    """The corrected value with its interval, where a correction of just this value is kept in the store."""

    @property
    def standing(self) -> str:
        """What the value rests on and, where there is one, the corrected value, in words."""
        rests_on = basis_in_words(self.basis, self.values)
        return rests_on if self.corrected is None else f"{rests_on}; {self.corrected}"


class DroppedClaim(_AnswerModel):
    """A claim that did not hold when it was computed again."""

    claim: Claim
    reason: str


class EvidenceItem(_AnswerModel):
    """One computed value, and where in which video it can be checked."""

    id: str
    measure: str
    value: float | int | str | None
    unit: str
    video_id: str
    track_ids: tuple[int, ...]
    begin_s: float | None
    end_s: float | None
    frames: tuple[int, int] | None
    kind: Literal["computed", "visual"]
    missing: str | None = None
    """Why there can be no value: an input of the measure is not there; null where nothing was found."""
    definition_version: int = 1
    """Version of the measure's definition."""
    settings: str | None = None
    """What it was computed with, where the measure has settings."""
    basis: Basis = "as detected"
    """What `value` rests on; it is never a value corrected by an audit."""
    values: ValuesUsed = "detected"
    """`corrected`: people have corrected the video; `detected`: the value is as detected."""
    corrected: CorrectedValue | None = None
    """The corrected value with its interval, where a correction of this video is kept in the store."""

    @classmethod
    def of(cls, evidence: Evidence) -> EvidenceItem:
        """The public form of ``evidence``."""
        return cls.model_validate(evidence.to_dict())


class LeftOut(_AnswerModel):
    """A video that values of an answer leave out, or of which they leave out a name."""

    video_id: str
    """The video, or the session where sessions were asked about."""
    reason: str
    """Why it has no value: an input is missing there, or several people have one name."""

    @classmethod
    def of(cls, evidence: Iterable[Evidence]) -> tuple[LeftOut, ...]:
        """The videos that pieces of evidence have no value of, each reason once.

        Args:
            evidence: what an answer cites.

        Returns:
            The videos in the order in which they are cited.
        """
        found = dict.fromkeys((item.video_id, item.missing) for item in evidence if item.value is None)
        return tuple(cls(video_id=video, reason=reason) for video, reason in found if video and reason)


class Usage(_AnswerModel):
    """What planning cost; all zero for the rule planner."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def tokens(self) -> int:
        """Tokens read and written together."""
        return self.input_tokens + self.output_tokens


class Answer(_AnswerModel):
    """What `visionllm ask --json` prints."""

    status: Literal["answered", "abstained"]
    answer: str | None = None
    """The claims as sentences; null when abstained."""
    claims: tuple[Claim, ...] = ()
    evidence: tuple[EvidenceItem, ...] = ()
    planner: Literal["rules", "llm"]
    """Which planner read the question."""
    wording: Literal["code", "llm"] = "code"
    """Who worded the claims; words of a language model say no more than code's would."""
    model: str | None = None
    """The language model behind the plan; null for rules."""
    plan: Plan
    """The typed queries that were run, or why there are none."""
    dropped_claims: tuple[DroppedClaim, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    """Videos that values of the answer leave out, and why; empty when abstained, for which `reason` says it."""
    reason: str | None = None
    """Why the question is not answered; null when answered."""
    tokens: int = 0
    """Tokens spent on planning, read and written."""
    usage: Usage = Field(default_factory=Usage)
    values: ValuesUsed = "detected"
    """`corrected`: people have corrected what any of the numbers rests on; `detected`: all are as detected."""
    sessions: SessionChoice | None = None
    """Which sessions were asked about in place of their videos; null: videos."""

    def to_json(self) -> dict[str, Any]:
        """The JSON of ``visionllm ask --json``."""
        return self.model_dump(mode="json")

    def to_arrow(self) -> pa.Table:
        """The evidence as an Arrow table, one row each."""
        import pyarrow as pa

        rows = [item.model_dump(mode="json") | {"value": str(item.value)} for item in self.evidence]
        return pa.Table.from_pylist(rows)

    def to_pandas(self) -> pd.DataFrame:
        """The evidence as a pandas data frame, one row each; needs pandas."""
        return self.to_arrow().to_pandas()

    def __str__(self) -> str:
        return self.answer or f"No answer: {self.reason}"

    def __repr__(self) -> str:
        return f"<{self.status}: {self} ({len(self.evidence)} pieces of evidence)>"

    def _repr_html_(self) -> str:
        columns = ("id", "measure", "value", "unit", "basis", "corrected", "video_id", "begin_s", "end_s")
        rows = ([getattr(item, name) for name in columns] for item in self.evidence[:MAX_ROWS])
        return html_table(columns, rows, caption=str(self))


class AnswerStage(_AnswerModel):
    """What is being done on the way to an answer."""

    stage: Literal["planning", "evidence", "proof", "wording"]
    """`planning`: the question is read; `evidence`: its values are computed; `proof`: they are computed again, and each
    sentence is compared with them; `wording`: a language model words what is proven."""
    model: str | None = None
    """The language model at work; null: code."""
    expressions: tuple[str, ...] = ()
    """What the question was read as (`evidence`); empty for a question of a fixed form."""


Tell = Callable[[AnswerStage | Claim], None]
"""Told of each stage of an answer when it begins, and of each claim once it is proven; perhaps in another thread."""


def tell_nobody(_: AnswerStage | Claim) -> None:
    """Where nobody follows how an answer is made."""


class ReplayedClaim(_AnswerModel):
    """Whether one claim of an old answer still holds."""

    text: str
    holds: bool
    reason: str | None = None
    """Why it does not."""


class ReplayReport(_AnswerModel):
    """What `visionllm replay --json` prints."""

    status: Literal["holds", "changed"]
    claims: tuple[ReplayedClaim, ...]
    evidence_changed: tuple[str, ...]
    """Ids of evidence that the store gives otherwise now, or not at all."""
