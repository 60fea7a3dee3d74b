"""Apply the policy: which faults fail the data, which annotations stage 3 drops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from visionllm_interaction.artifacts.stage_manifests import SPLITS, BoxTolerance, Finding
from visionllm_interaction.validate.catalogue import CATALOGUE, INVALID_BOX_CODES, Action
from visionllm_interaction.validate.config import ValidateConfig
from visionllm_interaction.validate.faults import Fault

_ORDER = {code: place for place, code in enumerate(CATALOGUE)}


@dataclass(frozen=True)
class Verdict:
    """The policy's judgement. ``reasons`` is empty exactly when the data passes."""

    findings: tuple[Finding, ...]
    reasons: tuple[str, ...]
    drop: dict[str, tuple[int, ...]]
    tolerance: BoxTolerance

    @property
    def status(self) -> str:
        """``PASS`` or ``FAIL``."""
        return "FAIL" if self.reasons else "PASS"


@dataclass(frozen=True)
class Policy:
    """The settings together with what they depend on: how many images each split has."""

    config: ValidateConfig
    images: Mapping[str, int]

    def action(self, fault: Fault) -> Action:
        """What is done about ``fault``."""
        action = self.config.action_of(fault.code)
        return "warn" if action == "error" and self._chance(fault) else action

    def _chance(self, fault: Fault) -> bool:
        """Whether the fault is one that chance produces in a small split (see the setting)."""
        small = self.images.get(fault.split or "", 0) < self.config.category_presence_min_images
        return fault.code == "CAT-ABSENT" and small

    def drops(self, faults: Sequence[Fault], split: str) -> set[int]:
        """Positions, in the file's list, of the annotations of ``split`` that are dropped."""
        return {f.position for f in faults if f.split == split and f.position is not None and self.action(f) == "drop"}


def judge(faults: Sequence[Fault], policy: Policy) -> Verdict:
    """Group ``faults`` into findings and decide."""
    findings = tuple(_finding(list(group), policy) for _, group in groupby(sorted(faults, key=_group), key=_group))
    tolerance = _tolerance(faults, policy)
    drop: dict[str, tuple[int, ...]] = {
        split: tuple(sorted({f.annotation_id for f in _dropped(faults, policy, split) if f.annotation_id is not None}))
        for split in SPLITS
    }
    return Verdict(findings, _reasons(findings, tolerance), drop, tolerance)


def _group(fault: Fault) -> tuple[int, str, str]:
    return _ORDER[fault.code], fault.split or "", fault.entity


def _finding(group: list[Fault], policy: Policy) -> Finding:
    first = group[0]
    ids = {fault.subject for fault in group}
    softened = policy.action(first) != policy.config.action_of(first.code)
    return Finding(
        code=first.code,
        split=first.split,
        entity=first.entity,
        action=policy.action(first),
        count=len(group),
        meaning=CATALOGUE[first.code].meaning,
        ids=tuple(sorted(ids, key=lambda i: (isinstance(i, str), i))),
        note="only a warning: the split is too small to tell a fault from chance" if softened else None,
    )


def _dropped(faults: Sequence[Fault], policy: Policy, split: str) -> list[Fault]:
    return [fault for fault in faults if fault.split == split and policy.action(fault) == "drop"]


def _tolerance(faults: Sequence[Fault], policy: Policy) -> BoxTolerance:
    boxes = {
        (f.split, f.position) for f in faults if f.code in INVALID_BOX_CODES and policy.action(f) in ("drop", "error")
    }
    config = policy.config
    return BoxTolerance(found=len(boxes), allowed=config.max_invalid_bbox_allowed, dropped=config.drop_invalid_bbox)


def _reasons(findings: Sequence[Finding], tolerance: BoxTolerance) -> tuple[str, ...]:
    reasons = [
        f"{finding.code}: {finding.count} in {finding.split or 'the data'} ({finding.meaning})"
        for finding in findings
        if finding.action == "error"
    ]
    if tolerance.found > tolerance.allowed:
        reasons.append(
            f"max_invalid_bbox_allowed: {tolerance.found} annotations have an invalid box, "
            f"{tolerance.allowed} are allowed"
        )
    return tuple(reasons)
