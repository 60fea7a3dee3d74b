"""Replay: does an earlier answer still hold in the store as it is now?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from visionllm_interaction.core.evidence import Evidence
from visionllm_interaction.errors import UsageError
from visionllm_interaction.measures.config import MeasuresConfig
from visionllm_interaction.reasoning.answers import Answer, EvidenceItem, ReplayedClaim, ReplayReport
from visionllm_interaction.reasoning.execution.executor import all_evidence, run_plan
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.wording.compose_claims import compose_claims
from visionllm_interaction.reasoning.wording.paraphrase_check import unproven
from visionllm_interaction.reasoning.wording.verify_by_recomputing import verify
from visionllm_interaction.store.reader import Store, open_store
from visionllm_interaction.store.sessions.videos_or_sessions import opened_as
from visionllm_interaction.utils.path_type import StrPath


def load_answer(path: StrPath) -> Answer:
    """Read an answer.

    Args:
        path: a file written by ``visionllm ask --json``.

    Returns:
        The answer.

    Raises:
        UsageError: if the file cannot be read or is no answer.
    """
    path = Path(path)
    try:
        return Answer.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        found = "; ".join(e["msg"] for e in error.errors()[:3]) if isinstance(error, ValidationError) else str(error)
        raise UsageError(
            "The answer cannot be replayed",
            expected="a file written by `visionllm ask --json`",
            found=found,
            where=str(path),
        ) from error


def replay(
    answer: Answer,
    store: StrPath,
    *,
    aliases: Mapping[str, list[str]] | None = None,
    measures: MeasuresConfig = MeasuresConfig(),
) -> ReplayReport:
    """Run the answer's plan again and compare every claim and every piece of evidence with the new results.

    No language model is used.

    Args:
        answer: an earlier answer.
        store: folder of the interaction store.
        aliases: name of the store → more words for it, as in ``reason.aliases``.
        measures: limits of turns, and named measures, for plans of expressions.

    Returns:
        Which claims hold and which evidence has changed; an abstention always holds.

    Raises:
        StoreError: the store is missing or damaged.
    """
    store = Path(store)
    with open_store(store) as opened:
        try:
            read = opened_as(opened, answer.sessions)
            vocabulary = Vocabulary.of_store(read, aliases=aliases)
            return _replay(answer, read, vocabulary, measures=measures)
        except UsageError as error:
            # A name or video of the plan is gone from the store: no claim can be computed any more.
            lost = tuple(ReplayedClaim(text=c.text, holds=False, reason=error.message) for c in answer.claims)
            return ReplayReport(status="changed" if lost else "holds", claims=lost, evidence_changed=())


def _replay(answer: Answer, store: Store, vocabulary: Vocabulary, *, measures: MeasuresConfig) -> ReplayReport:
    if answer.plan.expressions:
        return _replay_expressions(answer, store, measures=measures)
    if not answer.plan.steps:
        return ReplayReport(status="holds", claims=(), evidence_changed=())
    fresh = run_plan(store, answer.plan)
    now = all_evidence(fresh)
    shown = [_evidence(item, now.get(item.id)) for item in answer.evidence]
    by_evidence = {frozenset(claim.evidence) | {claim.operation}: claim for claim in compose_claims(answer.plan, fresh)}
    claims = []
    for claim in answer.claims:
        composed = by_evidence.get(frozenset(claim.evidence) | {claim.operation})
        reworded = composed is not None and claim.text != composed.text
        plain = claim.model_copy(update={"text": composed.text}) if composed and reworded else claim
        checked = verify([plain], shown, plan=answer.plan, fresh=fresh, vocabulary=vocabulary)
        reason = checked.dropped[0].reason if checked.dropped else None
        if reason is None and composed is not None and reworded:
            reason = next(unproven(claim.text, composed, vocabulary), None)
        claims.append(ReplayedClaim(text=claim.text, holds=reason is None, reason=reason))
    changed = tuple(item.id for item in answer.evidence if not _unchanged(item, now.get(item.id)))
    status: Literal["holds", "changed"] = "holds" if all(c.holds for c in claims) and not changed else "changed"
    return ReplayReport(status=status, claims=tuple(claims), evidence_changed=changed)


def _replay_expressions(answer: Answer, store: Store, *, measures: MeasuresConfig) -> ReplayReport:
    """Compare every claim with the one that the same expression gives now: by its evidence, value and words."""
    # Imported here: answers of fixed forms need no parser.
    from visionllm_interaction.reasoning.wording.verify_expression_claims import verified_claims

    found = verified_claims(answer.plan, store, measures=measures)
    by_text = {claim.text: claim for claim in found.claims}
    claims = []
    for claim in answer.claims:
        now = by_text.get(claim.text)
        holds = now is not None and now.value == claim.value and now.unit == claim.unit
        reason = None if holds else "the expression gives something else now"
        claims.append(ReplayedClaim(text=claim.text, holds=holds, reason=reason))
    fresh = {_content(EvidenceItem.of(item)) for item in found.evidence}
    changed = tuple(item.id for item in answer.evidence if _content(item) not in fresh)
    status: Literal["holds", "changed"] = "holds" if all(c.holds for c in claims) and not changed else "changed"
    return ReplayReport(status=status, claims=tuple(claims), evidence_changed=changed)


def _content(item: EvidenceItem) -> str:
    """Everything of a piece of evidence but its number, as text."""
    return json.dumps({**_rounded(item), "id": ""}, sort_keys=True)


def _evidence(item: EvidenceItem, now: Evidence | None) -> Evidence:
    """An old piece of evidence; what it rests on follows from its measure, which older answers do not say."""
    basis = item.basis if now is None else now.basis
    return Evidence(**{**item.model_dump(exclude={"corrected"}), "basis": basis})


def _unchanged(item: EvidenceItem, now: Evidence | None) -> bool:
    return now is not None and _rounded(item) == _rounded(EvidenceItem.of(now))


def _rounded(item: EvidenceItem) -> dict[str, Any]:
    content = item.model_dump(exclude={"basis", "corrected"})
    return {key: round(value, 5) if isinstance(value, float) else value for key, value in content.items()}
