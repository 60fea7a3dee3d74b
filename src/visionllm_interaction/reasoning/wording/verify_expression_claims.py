"""Verification of plans of expressions: everything is computed and worded twice, and what differs is left out."""

from __future__ import annotations

from msgspec import Struct

from visionllm_interaction.core.evidence import Evidence
from visionllm_interaction.measures.config import MeasuresConfig
from visionllm_interaction.reasoning.answers import AnswerStage, Claim, DroppedClaim, Tell, tell_nobody
from visionllm_interaction.reasoning.execution.expressions import ExpressionRunner
from visionllm_interaction.reasoning.planning.plan import Plan
from visionllm_interaction.reasoning.wording.expression_claims import compose
from visionllm_interaction.store.reader import Store

_CHANGED = "the expression gives something else when it is computed again"


class VerifiedExpressions(Struct, frozen=True):
    """What the expressions of a plan give.

    Attributes:
        claims: those that both runs give.
        dropped: the others.
        evidence: what the claims cite.
        text: the answer in words.
        missing: why nothing is known, if every value lacks an input.
        left_out: videos that a value leaves out, and why.
    """

    claims: tuple[Claim, ...]
    dropped: tuple[DroppedClaim, ...]
    evidence: tuple[Evidence, ...]
    text: str
    missing: str | None = None
    left_out: tuple[tuple[str, str], ...] = ()


def verified_claims(
    plan: Plan,
    store: Store,
    *,
    measures: MeasuresConfig = MeasuresConfig(),
    max_listed: int = 5,
    tell: Tell = tell_nobody,
) -> VerifiedExpressions:
    """Run and word a plan of expressions, and again, and keep what agrees.

    Args:
        plan: with expressions.
        store: the open store.
        measures: limits of turns, and named measures.
        max_listed: most videos whose single values the text lists.
        tell: told when the second run begins.

    Returns:
        The claims that hold, with their evidence.

    Raises:
        ExpressionError: if an expression of the plan is not one, or names what is not known.
        UsageError: if a video that the plan names is not in the store.
    """
    first = compose(plan, ExpressionRunner(store, measures), max_listed=max_listed)
    tell(AnswerStage(stage="proof"))
    again = compose(plan, ExpressionRunner(store, measures), max_listed=max_listed)
    fresh = {claim.text: claim for claim in again.claims}
    kept = tuple(claim for claim in first.claims if fresh.get(claim.text) == claim)
    dropped = tuple(DroppedClaim(claim=claim, reason=_CHANGED) for claim in first.claims if claim not in kept)
    same = first.evidence == again.evidence
    if not same:
        dropped = tuple(DroppedClaim(claim=claim, reason=_CHANGED) for claim in first.claims)
        kept = ()
    text = first.text if not dropped else " ".join(claim.text for claim in kept)
    return VerifiedExpressions(kept, dropped, first.evidence, text, first.missing, first.left_out)
