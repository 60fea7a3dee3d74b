"""Agreement of coders: each pair, tier by tier, per child first and pooled second; many coders by alpha."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np

from visionllm_interaction.core.intervals import Intervals, intersection, total_s
from visionllm_interaction.errors import UsageError
from visionllm_interaction.utils.path_type import StrPath
from visionllm_interaction.validity.agreement.coding import CODED_TIER, CodedRecording, Coding, read_coding
from visionllm_interaction.validity.agreement.coefficients import AgreementValue, alpha_of_counts, undefined
from visionllm_interaction.validity.agreement.over_time import codes_at_steps
from visionllm_interaction.validity.agreement.pairs import PairedRecording, TierAgreement, pair_agreement

Unit = Literal["time", "event", "frame"]

BORIS_NOTE = (
    "BORIS's own kappa differs: it reads the codes at the boundaries of time units and counts a state at both of its "
    "ends, so that one that ends as another begins counts twice; here intervals are half-open and every moment counts "
    "once."
)
TOLERANCE_NOTE = "With a tolerance, a code counts as agreed where the other coder has it within that many seconds."


@dataclass(frozen=True)
class PairOfCoders:
    """The agreement of two coders.

    Attributes:
        first: name of the first coder, the reference of precision and recall.
        second: name of the second coder.
        tiers: one for each tier that either has.
    """

    first: str
    second: str
    tiers: tuple[TierAgreement, ...]


@dataclass(frozen=True)
class AgreementReport:
    """Everything about the agreement of two or more coders.

    Attributes:
        coders: their names.
        unit: ``"time"``, ``"event"`` or ``"frame"``.
        tolerance_s: in seconds.
        pairs: every pair of coders.
        alpha: tier → Krippendorff's alpha over all coders at equal steps of time.
        notes: what a reader must know.
    """

    coders: tuple[str, ...]
    unit: str
    tolerance_s: float
    pairs: tuple[PairOfCoders, ...]
    alpha: Mapping[str, AgreementValue]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``visionllm agree``."""
        return asdict(self)


def agree(
    *codings: StrPath | Coding,
    unit: Unit = "time",
    tolerance_s: float = 0.0,
    tiers: Mapping[str, str] | None = None,
    children: Mapping[str, str] | None = None,
    coded_tier: str = CODED_TIER,
    step_s: float = 0.1,
) -> AgreementReport:
    """How well coders agree: people with people, or a model with people.

    Args:
        *codings: two or more files, folders of files or stores, or codings already read; the first is the reference.
        unit: ``"time"`` compares seconds, ``"frame"`` equal steps of time, ``"event"`` events matched one to one.
        tolerance_s: how far codes or onsets may lie apart in seconds; onsets get 1 s if it is 0.
        tiers: tier of the first coder → the tier of the others that means the same.
        children: recording → child, for intervals; by default from the store, else each recording stands for itself.
        coded_tier: name of the tier that holds the intervals that were coded.
        step_s: length of a step for ``"frame"`` and alpha, in seconds.

    Returns:
        Kappa with its largest value and prevalence, precision, recall, onset errors, overlap, intraclass correlation
        and alpha. What is not defined has a reason.

    Raises:
        UsageError: for fewer than two coders, or a tolerance or step that is not possible.
        InputDataError: if a file cannot be read.
    """
    if len(codings) < 2:
        raise UsageError("Agreement needs two coders.", expected="two files or more", found=str(len(codings)))
    if tolerance_s < 0 or not step_s > 0:
        raise UsageError("A time is impossible.", expected="0 s or more, a step above 0", found=f"{tolerance_s} s")
    read = [c if isinstance(c, Coding) else read_coding(c, coded_tier=coded_tier) for c in codings]
    coders = _with_unique_names([read[0], *(_renamed(coding, tiers or {}) for coding in read[1:])])
    pairs = tuple(
        PairOfCoders(a.name, b.name, tuple(_tiers_of_pair(a, b, children or {}, unit, tolerance_s, step_s)))
        for a, b in combinations(coders, 2)
    )
    alpha = {tier: _alpha(coders, tier, step_s) for tier in _tier_names(coders)}
    notes = [BORIS_NOTE, *([TOLERANCE_NOTE] if tolerance_s > 0 else []), *_notes(coders)]
    return AgreementReport(tuple(c.name for c in coders), unit, tolerance_s, pairs, alpha, tuple(notes))


def _with_unique_names(coders: Sequence[Coding]) -> list[Coding]:
    names = [coding.name for coding in coders]
    return [
        Coding(f"{c.name} ({n + 1})" if names.count(c.name) > 1 else c.name, c.recordings) for n, c in enumerate(coders)
    ]


def _renamed(coding: Coding, tiers: Mapping[str, str]) -> Coding:
    new_names = {theirs.casefold(): ours.casefold() for ours, theirs in tiers.items()}
    recordings = {
        name: CodedRecording(
            {new_names.get(tier, tier): events for tier, events in recording.tiers.items()},
            recording.coded,
            recording.coded_is_known,
            recording.child,
        )
        for name, recording in coding.recordings.items()
    }
    return Coding(coding.name, recordings)


def _tier_names(coders: Sequence[Coding]) -> list[str]:
    return sorted({tier for coding in coders for recording in coding.recordings.values() for tier in recording.tiers})


def _paired(coders: Sequence[Coding]) -> list[tuple[str, list[CodedRecording | None]]]:
    """Recordings by name; where every coder has a single one, they are the same whatever their names."""
    if all(len(coding.recordings) == 1 for coding in coders):
        return [(next(iter(coders[0].recordings)), [next(iter(coding.recordings.values())) for coding in coders])]
    names = sorted({name for coding in coders for name in coding.recordings})
    return [(name, [coding.recordings.get(name) for coding in coders]) for name in names]


def _tiers_of_pair(
    a: Coding, b: Coding, children: Mapping[str, str], unit: Unit, tolerance_s: float, step_s: float
) -> Iterator[TierAgreement]:
    both = [(name, x, y) for name, (x, y) in _paired([a, b]) if x is not None and y is not None]
    for tier in _tier_names([a, b]):
        recordings = []
        for name, x, y in both:
            if tier not in x.tiers or tier not in y.tiers:
                continue
            coded = _both_coded(x, y)
            child = children.get(name) or x.child or y.child or name
            recordings.append(PairedRecording(child, x.tiers[tier], y.tiers[tier], coded))
        reason = None
        if not both:
            reason = f"{a.name} and {b.name} have no recording in common"
        elif not recordings:
            missing = a.name if not any(tier in x.tiers for _, x, _ in both) else b.name
            reason = f"{missing} has no tier of this name: not coded is not absent (name the same tier with --tier)"
        elif not sum(total_s(recording.coded) for recording in recordings) > 0:
            reason = "there is no time that both have coded"
        yield pair_agreement(tier, recordings, unit=unit, tolerance_s=tolerance_s, step_s=step_s, reason=reason)


def _both_coded(x: CodedRecording, y: CodedRecording) -> Intervals:
    """Time coded by both. Of two files without a known length, the longer one gives it: silence at the end is coded."""
    if x.coded_is_known or y.coded_is_known:
        if not x.coded_is_known:
            return y.coded
        return x.coded if not y.coded_is_known else intersection(x.coded, y.coded)
    return max((x.coded, y.coded), key=total_s)


def _alpha(coders: Sequence[Coding], tier: str, step_s: float) -> AgreementValue:
    parts = []
    with_tier = [r for _, of in _paired(coders) for r in of if r is not None and tier in r.tiers]
    labels = sorted({event.label for recording in with_tier for event in recording.tiers[tier]})
    for _, of in _paired(coders):
        found = [r for r in of if r is not None and tier in r.tiers]
        end_s = max((float(r.coded.max()) for r in found if r.coded.size), default=0.0)
        counts = np.zeros((max(round(end_s / step_s), 0), len(labels) + 1))
        for recording in found:
            codes = codes_at_steps(
                recording.tiers[tier], labels=labels, coded=recording.coded, step_s=step_s, end_s=end_s
            )
            known = codes >= 0
            counts[np.flatnonzero(known), codes[known]] += 1
        parts.append(counts)
    if not parts or not sum(len(part) for part in parts):
        return undefined("no time was coded")
    return alpha_of_counts(np.concatenate(parts), [*labels, "(absent)"])


def _notes(coders: Sequence[Coding]) -> Iterator[str]:
    for coding in coders:
        unknown = [name for name, recording in coding.recordings.items() if not recording.coded_is_known]
        if unknown:
            yield (
                f"{coding.name}: which time was coded is not stated for {len(unknown)} recordings; taken as all of it "
                f"(a tier `{CODED_TIER}` would state it)"
            )
