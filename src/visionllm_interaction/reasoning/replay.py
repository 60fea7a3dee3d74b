"""Replay: does an answer that was given once still hold in the store as it is now?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from visionllm_interaction.core.interactions import Evidence
from visionllm_interaction.errors import UsageError, VisionLLMError
from visionllm_interaction.reasoning.execution.executor import all_evidence, run_plan
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.models import Answer, EvidenceItem, ReplayedClaim, ReplayReport
from visionllm_interaction.reasoning.wording.claims import compose
from visionllm_interaction.reasoning.wording.paraphrase_check import unproven
from visionllm_interaction.reasoning.wording.verification import verify
from visionllm_interaction.store.reader import Store, open_store


def load_answer(path: Path) -> Answer:
    """Read what ``visionllm ask --json`` wrote.

    Raises:
        UsageError: if the file cannot be read or is no answer.
    """
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


def replay(answer: Answer, store: Path, *, aliases: Mapping[str, list[str]] | None = None) -> ReplayReport:
    """Run the answer's plan again and hold every claim and every evidence against what comes back.

    No model is asked. ``holds`` is whether every claim does; an abstention holds if its plan gives nothing either.

    Raises:
        StoreError: the store is missing or damaged.
    """
    with open_store(store) as opened:
        vocabulary = Vocabulary.build(opened.known_names(), opened.video_ids(), aliases=aliases)
        try:
            return _replay(answer, opened, vocabulary)
        except UsageError as error:
            # A name or video of the plan is gone from the store: nothing of the answer can be shown any more.
            lost = tuple(ReplayedClaim(text=c.text, holds=False, reason=_short(error)) for c in answer.claims)
            return ReplayReport(status="changed" if lost else "holds", claims=lost, evidence_changed=())


def _replay(answer: Answer, store: Store, vocabulary: Vocabulary) -> ReplayReport:
    if not answer.plan.steps:
        return ReplayReport(status="holds", claims=(), evidence_changed=())
    fresh = run_plan(store, answer.plan)
    now = all_evidence(fresh)
    shown = [_evidence(item) for item in answer.evidence]
    coded = {frozenset(claim.evidence) | {claim.operation}: claim for claim in compose(answer.plan, fresh)}
    claims = []
    for claim in answer.claims:
        twin = coded.get(frozenset(claim.evidence) | {claim.operation})
        in_code = claim.model_copy(update={"text": twin.text}) if twin and _reworded(claim.text, twin.text) else claim
        checked = verify([in_code], shown, plan=answer.plan, fresh=fresh, vocabulary=vocabulary)
        fault = checked.dropped[0].reason if checked.dropped else None
        if fault is None and twin is not None and in_code is not claim:
            fault = next(unproven(claim.text, twin, vocabulary), None)
        claims.append(ReplayedClaim(text=claim.text, holds=fault is None, reason=fault))
    changed = tuple(item.id for item in answer.evidence if not _unchanged(item, now.get(item.id)))
    status: Literal["holds", "changed"] = "holds" if all(c.holds for c in claims) and not changed else "changed"
    return ReplayReport(status=status, claims=tuple(claims), evidence_changed=changed)


def _reworded(text: str, coded: str) -> bool:
    return text != coded


def _evidence(item: EvidenceItem) -> Evidence:
    return Evidence(**item.model_dump())


def _unchanged(item: EvidenceItem, now: Evidence | None) -> bool:
    return now is not None and _plain(item) == _plain(EvidenceItem.of(now))


def _plain(item: EvidenceItem) -> dict[str, Any]:
    return {key: round(value, 5) if isinstance(value, float) else value for key, value in item.model_dump().items()}


def _short(error: VisionLLMError) -> str:
    return error.message
