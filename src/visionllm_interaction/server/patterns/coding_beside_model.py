"""What people coded beside what the model found: where they differ, and how well they agree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from visionllm_interaction.core.intervals import Intervals, complement, intersection, total_s, union
from visionllm_interaction.core.tracks_relations_events import Code
from visionllm_interaction.errors import UsageError
from visionllm_interaction.measures.streams.batch import CODED_KIND
from visionllm_interaction.measures.streams.coded_spans import coded_time_of
from visionllm_interaction.server.patterns.schemas import Coding, Comparison, Span, VideoComparisons
from visionllm_interaction.store.reader import Store
from visionllm_interaction.validity.agreement.coding import states_of
from visionllm_interaction.validity.agreement.coefficients import cohens_kappa
from visionllm_interaction.validity.audit.states import StateOfPair, intervals_of

MOST = 12
"""Most comparisons that are made unasked."""
_PREDICATES = {
    "hold": "holding",
    "holds": "holding",
    "touching": "in_contact",
    "contact": "in_contact",
}


def compare_codings(
    store: Store, video_id: str, *, coding: Coding | None = None, state: str | None = None
) -> VideoComparisons:
    """Compare codings with states of the model.

    Args:
        store: the open store.
        video_id: a video in the store.
        coding: what was coded; None, together with
        state: what of the model: all pairs whose names say the same.

    Returns:
        The comparisons, and what can be compared.

    Raises:
        UsageError: if there is no such coding or state, or only one of the two is named.
    """
    if (coding is None) != (state is None):
        raise UsageError(
            "A comparison needs a coding and a state.",
            expected="tier (with participant and label) and state, or neither",
            found="only the state" if coding is None else "only the tier",
        )
    codes = [code for code in store.codes(video_id) if code.kind == "code" and code.end_s > code.begin_s]
    states = {str(one): one for one in states_of(store, video_id)}
    codings = _codings(codes)
    if coding is not None and state is not None:
        if coding not in codings or state not in states:
            raise UsageError(
                "There is nothing of this name to compare.",
                expected="one of the codings and one of the states of the video",
                found=f"{coding.participant} {coding.tier} {coding.label}, {state}"[:200],
            )
        pairs = [(coding, state)]
    else:
        pairs = [(one, name) for one in codings for name in states if _says(one) == _plain(name)]
    compared = [_compare(store, video_id, codes, one, states[name]) for one, name in pairs[:MOST]]
    return VideoComparisons(
        video_id=video_id,
        comparisons=compared,
        left_out=max(0, len(pairs) - MOST),
        codings=codings,
        states=sorted(states),
    )


def _codings(codes: Sequence[Code]) -> list[Coding]:
    """Each tier as a whole, and each of its labels where it has several."""
    labels: dict[tuple[str, str], set[str]] = {}
    for code in codes:
        labels.setdefault((code.tier, code.participant), set()).add(code.label)
    found = []
    for (tier, who), names in sorted(labels.items()):
        found.append(Coding(tier=tier, participant=who, label=""))
        found += [Coding(tier=tier, participant=who, label=name) for name in sorted(names) if name]
    return found


def _says(coding: Coding) -> str:
    """What a coding means, in the words in which states are named: who, what, with what."""
    parts = _plain(coding.tier).split()
    if coding.participant and _plain(coding.participant) not in parts:
        parts = [_plain(coding.participant), *parts]
    if coding.label and _plain(coding.label) not in parts:
        parts.append(_plain(coding.label))
    return " ".join(_PREDICATES.get(part, part) for part in parts).replace("_", " ")


def _plain(text: str) -> str:
    return " ".join(text.strip().casefold().replace("_", " ").replace("-", " ").split())


def _compare(store: Store, video_id: str, codes: Sequence[Code], coding: Coding, state: StateOfPair) -> Comparison:
    own = [code for code in codes if (code.tier, code.participant) == (coding.tier, coding.participant)]
    spans = [(code.begin_s, code.end_s) for code in own if coding.label in ("", code.label)]
    coded = union(np.array(spans, np.float64).reshape(-1, 2))
    model = intervals_of(store, video_id, state)
    duration_s = float(store.video(video_id)["duration_s"])
    told = [code for code in store.codes(video_id) if code.kind == CODED_KIND]
    known = intersection(
        _processed(store, video_id), coded_time_of([*told, *own], own, coding.participant, duration_s=duration_s)
    )
    ours, theirs = intersection(coded, known), intersection(model, known)
    both_s = total_s(intersection(ours, theirs))
    only_coded, only_model = (
        intersection(one, complement(other, within=known)) for one, other in ((ours, theirs), (theirs, ours))
    )
    known_s, alone_s = total_s(known), (total_s(only_coded), total_s(only_model))
    neither_s = max(known_s - both_s - sum(alone_s), 0.0)
    kappa = cohens_kappa(np.array([[both_s, alone_s[0]], [alone_s[1], neither_s]])).kappa
    either_s = both_s + sum(alone_s)
    return Comparison(
        coding=coding,
        state=str(state),
        coded=_spans(coded),
        model=_spans(model),
        only_coded=_spans(only_coded),
        only_model=_spans(only_model),
        known_s=known_s,
        both_s=both_s,
        only_coded_s=alone_s[0],
        only_model_s=alone_s[1],
        kappa=kappa.value,
        overlap=both_s / either_s if either_s else None,
        missing=kappa.reason,
    )


def _processed(store: Store, video_id: str) -> Intervals:
    frames = store.frames(video_id)
    frames = frames.filter(frames["processed"])
    begins = frames["timestamp_s"].to_numpy()
    return union(np.stack([begins, begins + frames["duration_s"].to_numpy()], axis=1).astype(np.float64))


def _spans(intervals: Intervals) -> list[Span]:
    return [(round(begin, 3), round(end, 3)) for begin, end in intervals.tolist()]
