"""Agreement of two coders on one tier: coefficients per child, pooled, and code by code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from visionllm_interaction.core.intervals import Intervals, contains, total_s
from visionllm_interaction.interop.tiers import Interval
from visionllm_interaction.validity.agreement.coefficients import (
    Accuracy,
    AgreementValue,
    IntraclassCorrelation,
    Kappa,
    accuracy,
    cohens_kappa,
    intraclass,
    undefined,
)
from visionllm_interaction.validity.agreement.event_matching import OMITTED, MatchedEvents, match_events
from visionllm_interaction.validity.agreement.over_time import (
    ABSENT,
    codes_at_steps,
    is_exclusive,
    presence_seconds,
    time_table,
)

Floats = NDArray[np.float64]
ONSET_TOLERANCE_S = 1.0
"""Largest distance of the onsets of one event, where no tolerance is given."""
MIN_CLUSTERS = 5


@dataclass(frozen=True)
class PairedRecording:
    """One tier of one recording by two coders.

    Attributes:
        child: whom it is about; recordings of one child depend on each other.
        first: the first coder's events.
        second: the second coder's.
        coded: (M, 2) disjoint intervals that both coded.
    """

    child: str
    first: tuple[Interval, ...]
    second: tuple[Interval, ...]
    coded: Intervals


@dataclass(frozen=True)
class OnsetError:
    """Second less first onset of matched events with equal labels, in seconds."""

    matched: int
    mean: AgreementValue
    mean_absolute: AgreementValue


@dataclass(frozen=True)
class CodeAgreement:
    """Agreement on one code; the first coder is the reference.

    Attributes:
        code: the label.
        accuracy: precision, recall and F1, of seconds or of events.
        overlap: seconds with the code by both over seconds with it by either.
        onset_error: of matched events.
        totals: intraclass correlation of the seconds per recording.
    """

    code: str
    accuracy: Accuracy
    overlap: AgreementValue
    onset_error: OnsetError
    totals: IntraclassCorrelation


@dataclass(frozen=True)
class TierAgreement:
    """Agreement on one tier.

    Attributes:
        tier: its name.
        recordings: number of recordings that both coded.
        both_coded_s: seconds that both coded.
        per_child: child → kappa.
        mean_over_children: mean of these kappas; children for which it is not defined are left out.
        pooled: kappa of all recordings together, with its largest value and prevalence.
        codes: code by code.
        presence_only: whether labels were ignored, because each coder has a single one and they differ.
    """

    tier: str
    recordings: int
    both_coded_s: float
    per_child: Mapping[str, AgreementValue]
    mean_over_children: AgreementValue
    pooled: Kappa
    codes: tuple[CodeAgreement, ...]
    presence_only: bool


Unit = Literal["time", "event", "frame"]


def pair_agreement(
    tier: str,
    recordings: Sequence[PairedRecording],
    *,
    unit: Unit,
    tolerance_s: float,
    step_s: float,
    reason: str | None = None,
) -> TierAgreement:
    """Agreement of two coders on one tier.

    Args:
        tier: its name.
        recordings: those that both coded.
        unit: ``"time"``, ``"event"`` or ``"frame"``.
        tolerance_s: in seconds; 0 means :data:`ONSET_TOLERANCE_S` for onsets.
        step_s: length of a frame in seconds.
        reason: why nothing can be computed; None if it can.

    Returns:
        All coefficients; those that are not defined with their reason.
    """
    if reason is not None:
        none = undefined(reason)
        return TierAgreement(tier, len(recordings), 0.0, {}, none, Kappa(none, none, none, {}), (), False)
    cut = [_within_coded(recording) for recording in recordings]
    presence_only, cut = _same_labels(cut)
    labels = sorted({e.label for r in cut for e in (*r.first, *r.second)})
    onset_s = tolerance_s or ONSET_TOLERANCE_S
    tables = _tables(cut, labels, unit, tolerance_s, step_s, onset_s)
    names = [*labels, OMITTED if unit == "event" else ABSENT]
    pooled, per_child, mean = _kappas(tables, [r.child for r in cut], names, _problem(cut, labels, unit))
    coded_s = sum(total_s(recording.coded) for recording in cut)
    codes = tuple(_code(label, cut, unit, onset_s) for label in labels)
    return TierAgreement(tier, len(cut), coded_s, per_child, mean, pooled, codes, presence_only)


def _within_coded(recording: PairedRecording) -> PairedRecording:
    """Events that begin outside the time that both coded are nobody's error."""

    def inside(events: Sequence[Interval]) -> tuple[Interval, ...]:
        onsets = np.array([event.begin_s for event in events])
        middles = np.array([(event.begin_s + event.end_s) / 2 for event in events])
        if not len(events) or not len(recording.coded):
            return ()
        keep = contains(recording.coded, onsets) | contains(recording.coded, middles) | _touches(events, recording)
        return tuple(event for event, kept in zip(events, keep.tolist(), strict=True) if kept)

    return replace(recording, first=inside(recording.first), second=inside(recording.second))


def _touches(events: Sequence[Interval], recording: PairedRecording) -> NDArray[np.bool_]:
    begin, end = np.array([e.begin_s for e in events])[:, None], np.array([e.end_s for e in events])[:, None]
    return np.asarray(((begin < recording.coded[:, 1]) & (end > recording.coded[:, 0])).any(axis=1))


def _same_labels(recordings: Sequence[PairedRecording]) -> tuple[bool, list[PairedRecording]]:
    """Ignore labels where each coder has at most one and they differ: both say only whether the state holds."""
    first = {e.label for r in recordings for e in r.first}
    second = {e.label for r in recordings for e in r.second}
    if first == second or len(first) > 1 or len(second) > 1:
        return False, list(recordings)

    def plain(events: Sequence[Interval]) -> tuple[Interval, ...]:
        return tuple(Interval(e.begin_s, e.end_s, "present") for e in events)

    return True, [replace(r, first=plain(r.first), second=plain(r.second)) for r in recordings]


def _problem(recordings: Sequence[PairedRecording], labels: Sequence[str], unit: Unit) -> str | None:
    """Why kappa over this unit is not defined, beside what a table shows."""
    if unit == "event":
        return None if labels else "nobody coded an event"
    events = [e for r in recordings for e in (*r.first, *r.second)]
    if events and all(e.is_point for e in events):
        return "moments have no duration: compare events (--unit event)"
    sides = [side for r in recordings for side in (r.first, r.second)]
    if not all(is_exclusive(side, labels) for side in sides):
        return "labels of this tier overlap in time: kappa needs codes that exclude each other; see code by code"
    return None


def _tables(
    recordings: Sequence[PairedRecording],
    labels: Sequence[str],
    unit: Unit,
    tolerance_s: float,
    step_s: float,
    onset_s: float,
) -> list[Floats]:
    if unit == "event":
        return [_event_table(match_events(r.first, r.second, tolerance_s=onset_s), labels) for r in recordings]
    if unit == "frame":
        return [_frame_table(r, labels, step_s) for r in recordings]
    return [time_table(r.first, r.second, labels=labels, coded=r.coded, tolerance_s=tolerance_s) for r in recordings]


def _event_table(matched: MatchedEvents, labels: Sequence[str]) -> Floats:
    place = {label: k for k, label in enumerate(labels)}
    table, nobody = np.zeros((len(labels) + 1, len(labels) + 1)), len(labels)
    for a, b in matched.pairs:
        table[place[a.label], place[b.label]] += 1
    for event in matched.only_first:
        table[place[event.label], nobody] += 1
    for event in matched.only_second:
        table[nobody, place[event.label]] += 1
    return table


def _frame_table(recording: PairedRecording, labels: Sequence[str], step_s: float) -> Floats:
    end_s = float(recording.coded.max()) if recording.coded.size else 0.0
    codes = [
        codes_at_steps(events, labels=labels, coded=recording.coded, step_s=step_s, end_s=end_s)
        for events in (recording.first, recording.second)
    ]
    table = np.zeros((len(labels) + 1, len(labels) + 1))
    known = (codes[0] >= 0) & (codes[1] >= 0)
    np.add.at(table, (codes[0][known], codes[1][known]), 1.0)
    return table


def _kappas(
    tables: Sequence[Floats], children: Sequence[str], names: Sequence[str], problem: str | None
) -> tuple[Kappa, dict[str, AgreementValue], AgreementValue]:
    if problem is not None:
        none = undefined(problem)
        return Kappa(none, none, none, {}), dict.fromkeys(sorted(set(children)), none), none
    by_child = {
        child: np.sum([t for t, c in zip(tables, children, strict=True) if c == child], axis=0)
        for child in sorted(set(children))
    }
    per_child = {child: cohens_kappa(table, names).kappa for child, table in by_child.items()}
    whole = np.sum(list(by_child.values()), axis=0)
    pooled = cohens_kappa(whole, names)
    without = [cohens_kappa(whole - table, names).kappa.value for table in by_child.values()]
    pooled = replace(pooled, kappa=_with_interval(pooled.kappa, without))
    defined = [value.value for value in per_child.values() if value.value is not None]
    if not defined:
        reasons = sorted({value.reason or "" for value in per_child.values()})
        return pooled, per_child, undefined("; ".join(reasons))
    mean = float(np.mean(defined))
    left_out = [(sum(defined) - value) / (len(defined) - 1) if len(defined) > 1 else None for value in defined]
    return pooled, per_child, _with_interval(AgreementValue(mean), left_out)


def _with_interval(value: AgreementValue, left_out: Sequence[float | None]) -> AgreementValue:
    """Add the interval of the leave-one-child-out jackknife."""
    if value.value is None:
        return value
    found = np.array([v for v in left_out if v is not None])
    if len(found) < MIN_CLUSTERS:
        few = f"an interval needs {MIN_CLUSTERS} children or clips at least, there are {len(left_out)}"
        return replace(value, interval_reason=few)
    count = len(found)
    spread = float(np.sqrt((count - 1) / count * ((found - found.mean()) ** 2).sum()))
    half = float(special.stdtrit(count - 1, 0.975)) * spread
    return replace(value, low=max(value.value - half, -1.0), high=min(value.value + half, 1.0))


def _code(label: str, recordings: Sequence[PairedRecording], unit: Unit, onset_s: float) -> CodeAgreement:
    seconds = np.array([presence_seconds(r.first, r.second, label=label, coded=r.coded) for r in recordings])
    both, only_second, only_first = seconds.sum(axis=0).tolist()
    matched = [
        match_events(
            [e for e in r.first if e.label == label], [e for e in r.second if e.label == label], tolerance_s=onset_s
        )
        for r in recordings
    ]
    either = both + only_second + only_first
    overlap = AgreementValue(both / either) if either > 0 else undefined("nobody coded any time with this code")
    if unit == "event" or not either > 0:
        hits = sum(len(m.pairs) for m in matched)
        right = accuracy(hits, sum(len(m.only_second) for m in matched), sum(len(m.only_first) for m in matched))
    else:
        right = accuracy(both, only_second, only_first)
    totals = intraclass(np.stack([seconds[:, 0] + seconds[:, 2], seconds[:, 0] + seconds[:, 1]], axis=1))
    return CodeAgreement(label, right, overlap, _onset_error(matched), totals)


def _onset_error(matched: Sequence[MatchedEvents]) -> OnsetError:
    errors = np.array([b.begin_s - a.begin_s for m in matched for a, b in m.pairs])
    if not len(errors):
        none = undefined("no events were matched")
        return OnsetError(0, none, none)
    return OnsetError(len(errors), AgreementValue(float(errors.mean())), AgreementValue(float(np.abs(errors).mean())))
