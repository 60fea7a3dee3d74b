"""What each number of an answer stands on: as detected, coded or both, and the corrected value beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct, field

from visionllm_interaction.core.evidence import Basis, Evidence, ValuesUsed, joined_basis, reads_detections
from visionllm_interaction.measures.api import MEASURES
from visionllm_interaction.measures.audit_corrected import Corrections, corrected_of
from visionllm_interaction.reasoning.answers import Claim, EvidenceItem
from visionllm_interaction.reasoning.execution.executor import StepResult
from visionllm_interaction.reasoning.planning.capabilities import DEFAULT_PREDICATE
from visionllm_interaction.reasoning.planning.plan import ExpressionStep, Step
from visionllm_interaction.store.audit_corrections import CorrectedValue, MeasuredState, ValidCorrection
from visionllm_interaction.store.reader import Store

_SAME = 1e-5


class EvidenceBasis(Struct, frozen=True):
    """Which kept corrections are about which evidence of an answer.

    Attributes:
        evidence: every piece, by id.
        corrections: id of a piece → the correction of its measure.
        by_people: ids of the pieces that rest on what people have corrected.
    """

    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    corrections: Mapping[str, ValidCorrection] = field(default_factory=dict)
    by_people: frozenset[str] = frozenset()

    @classmethod
    def of_steps(cls, store: Store, results: Sequence[StepResult]) -> EvidenceBasis:
        """What the evidence rests on that steps of a plan gave.

        Args:
            store: the open store.
            results: what the steps gave.

        Returns:
            The corrections of steps about whole videos.
        """
        kept = Corrections.of_store(store)
        pairs = [(result.step, item) for result in results for item in result.evidence]
        found = [(item.id, _of_step(kept, step)) for step, item in pairs] if kept else []
        own = {item.id: item for _, item in pairs}
        kept_of = {name: one for name, one in found if one is not None}
        return cls(own, kept_of, _by_people(store, own.values()))

    @classmethod
    def of_expressions(
        cls, store: Store, evidence: Sequence[Evidence], steps: Iterable[ExpressionStep]
    ) -> EvidenceBasis:
        """What the evidence rests on that expressions gave.

        Args:
            store: the open store.
            evidence: every piece.
            steps: the expressions; where one of them is about parts of videos, none has a correction.

        Returns:
            The corrections of expressions about whole videos.
        """
        # Imported here: a question of a fixed form needs no parser.
        from visionllm_interaction.reasoning.execution.expressions import parsed

        kept = Corrections.of_store(store)
        whole = bool(kept) and all(parsed(step.expression).bin_s is None for step in steps)
        found = [(item.id, kept.of_expression(item.measure)) for item in evidence] if whole else []
        own = {item.id: item for item in evidence}
        return cls(own, {name: one for name, one in found if one is not None}, _by_people(store, evidence))

    def claims(self, claims: Iterable[Claim]) -> tuple[Claim, ...]:
        """The claims, each with what it rests on and its corrected value."""
        return tuple(
            claim.model_copy(
                update={
                    "basis": self._basis(claim),
                    "values": self._values(claim.evidence),
                    "corrected": self._corrected(claim),
                }
            )
            for claim in claims
        )

    def items(self, evidence: Iterable[Evidence]) -> Iterator[EvidenceItem]:
        """The public form of evidence, each piece with its corrected value."""
        for item in evidence:
            update = {"values": self._values([item.id]), "corrected": self._of_video(item)}
            yield EvidenceItem.of(item).model_copy(update=update)

    @property
    def values(self) -> ValuesUsed:
        """``corrected`` if people have corrected what any piece rests on."""
        return self._values(self.evidence)

    def _values(self, evidence: Iterable[str]) -> ValuesUsed:
        return "detected" if self.by_people.isdisjoint(evidence) else "corrected"

    def _of_video(self, item: Evidence) -> CorrectedValue | None:
        found = corrected_of(self.corrections.get(item.id), video_id=item.video_id, videos=())
        return found if found is not None and found.unit == item.unit else None

    def _basis(self, claim: Claim) -> Basis:
        return joined_basis(self.evidence[name].basis for name in claim.evidence if name in self.evidence)

    def _corrected(self, claim: Claim) -> CorrectedValue | None:
        """The corrected value of a claim that states one value, or the sum of one value for each video."""
        items = [self.evidence[name] for name in claim.evidence if name in self.evidence]
        if not items or not self.corrections or not isinstance(claim.value, int | float):
            return None
        if len(items) == 1:
            found = self._of_video(items[0])
            return found if _is_same(claim, [items[0].value], items[0].unit) else None
        kept = self.corrections[items[0].id] if self._one_correction(items) else None
        found = corrected_of(kept, video_id=None, videos={item.video_id for item in items})
        values = [item.value for item in items]
        return found if found and found.unit == items[0].unit and _is_same(claim, values, items[0].unit) else None

    def _one_correction(self, items: Sequence[Evidence]) -> bool:
        about = {self.corrections[item.id].about for item in items if item.id in self.corrections}
        return len(about) == 1 and all(item.id in self.corrections for item in items)


def _by_people(store: Store, evidence: Iterable[Evidence]) -> frozenset[str]:
    """The pieces whose videos people have corrected."""
    return frozenset(
        item.id
        for item in evidence
        if reads_detections(item.basis) and item.video_id and store.values_of([item.video_id]) == "corrected"
    )


def _is_same(claim: Claim, values: Sequence[object], unit: str) -> bool:
    """Whether a claim states the sum of ``values``, in their unit."""
    numbers = [value for value in values if isinstance(value, int | float)]
    if claim.unit != unit or len(numbers) != len(values) or not isinstance(claim.value, int | float):
        return False
    return math.isclose(math.fsum(numbers), claim.value, rel_tol=_SAME, abs_tol=_SAME)


def _of_step(kept: Corrections, step: Step) -> ValidCorrection | None:
    """The correction of a step about the whole of each video."""
    if step.atoms or step.begin_s is not None or step.end_s is not None or step.measure not in MEASURES:
        return None
    is_of_bouts = MEASURES[step.measure].inputs == "bout"
    predicate = (step.predicate or DEFAULT_PREDICATE) if is_of_bouts else None
    return kept.of_state(MeasuredState(step.measure, predicate, step.subject, step.object))
