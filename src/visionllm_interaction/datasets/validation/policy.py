"""Apply the policy: which issues fail the data, what stage 3 drops and repairs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from visionllm_interaction.artifacts.stage_manifests import SPLITS, BoxTolerance, Finding, SplitCounts
from visionllm_interaction.datasets.validation.catalogue import CATALOGUE, INVALID_BOX_CODES, Action
from visionllm_interaction.datasets.validation.config import ValidateConfig
from visionllm_interaction.datasets.validation.issues import Issue

_ORDER = {code: place for place, code in enumerate(CATALOGUE)}
_CHANGES = ("drop", "repair")
_FEW_INVALID = 2
"""So many invalid boxes are slips, however small the split."""


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
    """The settings together with what they depend on: the sizes of the splits and how often each code was found."""

    config: ValidateConfig
    counts: Mapping[str, SplitCounts]
    found: Mapping[str, int]

    def action(self, issue: Issue) -> Action:
        """What is done about ``issue``: an error within its tolerance, or one chance may explain, only warns."""
        action = self.config.action_of(issue.code)
        if action == "error" and (self._chance(issue) or (self.tolerated(issue.code) or 0) >= self.found[issue.code]):
            return "warn"
        return action

    def _chance(self, issue: Issue) -> bool:
        """Whether the issue is one that chance produces in a small split (see the setting)."""
        size = self.counts.get(issue.split or "")
        return issue.code == "CAT-ABSENT" and (size.images if size else 0) < self.config.category_presence_min_images

    def tolerated(self, code: str) -> int | None:
        """How many issues of ``code`` the policy tolerates over both splits; ``None`` = any number."""
        rule = self.config.actions.get(code)
        if rule is None or not rule.has_tolerance:
            return None
        limits = [] if rule.max_count is None else [rule.max_count]
        if rule.max_share is not None:
            limits.append(int(rule.max_share * self._records(code)))
        return min(limits)

    def _records(self, code: str) -> int:
        kind = {"annotation": "annotations", "category": "categories"}.get(CATALOGUE[code].entity, "images")
        return sum(getattr(size, kind) or 0 for size in self.counts.values())

    def dropped_positions(self, issues: Sequence[Issue], split: str) -> set[int]:
        """Places, in the file's list, of the annotations of ``split`` that are dropped for an issue of their own."""
        return {
            f.position
            for f in issues
            if f.split == split and f.entity == "annotation" and f.position is not None and self.action(f) == "drop"
        }


def apply_policy(issues: Sequence[Issue], policy: Policy) -> Verdict:
    """Group ``issues`` into findings and decide."""
    groups: dict[tuple[int, str, str], list[Issue]] = defaultdict(list)
    for issue in issues:
        groups[_ORDER[issue.code], issue.split or "", issue.entity].append(issue)
    findings = tuple(_finding(groups[key], policy) for key in sorted(groups))
    tolerance = _tolerance(issues, policy)
    lost = _mostly_lost(issues, policy)
    drop: dict[str, tuple[int, ...]] = {split: _dropped(issues, policy, split) for split in SPLITS}
    return Verdict(findings, (*_reasons(findings, tolerance, policy), *lost), drop, tolerance)


def _finding(group: Sequence[Issue], policy: Policy) -> Finding:
    first = group[0]
    action = policy.action(first)
    subjects = {issue.subject for issue in group}
    softened = action != policy.config.action_of(first.code)
    return Finding(
        code=first.code,
        split=first.split,
        entity=first.entity,
        action=action,
        count=len(group),
        meaning=CATALOGUE[first.code].meaning,
        ids=tuple(sorted(subjects, key=lambda i: (isinstance(i, str), i))),
        note="only a warning: within what the policy tolerates, or explained by chance" if softened else None,
    )


def _dropped(issues: Sequence[Issue], policy: Policy, split: str) -> tuple[int, ...]:
    ids = {
        f.annotation_id for f in issues if f.split == split and f.entity == "annotation" and policy.action(f) == "drop"
    }
    return tuple(sorted(number for number in ids if number is not None))


def _tolerance(issues: Sequence[Issue], policy: Policy) -> BoxTolerance:
    counted = (*_CHANGES, "error")
    boxes = {(f.split, f.position) for f in issues if f.code in INVALID_BOX_CODES and policy.action(f) in counted}
    config = policy.config
    return BoxTolerance(found=len(boxes), allowed=config.max_invalid_bbox_allowed, dropped=config.drop_invalid_bbox)


def _mostly_lost(issues: Sequence[Issue], policy: Policy) -> Iterator[str]:
    """Splits that would lose more of their annotations to invalid boxes than a few slips explain."""
    for split, size in policy.counts.items():
        dropped = {
            f.position
            for f in issues
            if f.code in INVALID_BOX_CODES and f.split == split and policy.action(f) == "drop"
        }
        if len(dropped) > max(_FEW_INVALID, policy.config.max_invalid_bbox_share * (size.annotations or 0)):
            yield (
                f"max_invalid_bbox_share: {len(dropped)} of {size.annotations} annotations in {split} have an invalid "
                f"box, {policy.config.max_invalid_bbox_share:.0%} are allowed; boxes may be of another kind or size"
            )


def _reasons(findings: Sequence[Finding], tolerance: BoxTolerance, policy: Policy) -> tuple[str, ...]:
    reasons = [
        f"{finding.code}: {finding.count} in {finding.split or 'the data'} ({finding.meaning})"
        for finding in findings
        if finding.action == "error"
    ]
    failed = {finding.code for finding in findings if finding.action == "error"}
    for code, count in policy.found.items():
        allowed = policy.tolerated(code)
        if allowed is not None and count > allowed and code not in failed:
            reasons.append(f"{code}: {count} found, the policy tolerates {allowed}")
    if tolerance.found > tolerance.allowed:
        reasons.append(
            f"max_invalid_bbox_allowed: {tolerance.found} annotations have an invalid box, "
            f"{tolerance.allowed} are allowed"
        )
    return tuple(reasons)
