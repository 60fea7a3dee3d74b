"""Events as BIDS has them: ``…_events.tsv`` with onset, duration and trial_type, and a sidecar that explains them."""

from __future__ import annotations

import json

from visionllm_interaction.interop.tiers import Timeline

_COLUMNS = {
    "onset": {"Description": "Begin, on the clock of the video or session.", "Units": "s"},
    "duration": {"Description": "Length; 0 of a moment.", "Units": "s"},
    "trial_type": {"Description": "The tier: a relation, a kind of event, or a tier of imported codes."},
    "value": {"Description": "The label: the object, who took part, or the coded value."},
    "participant": {"Description": "Whom it is about: a role or a category."},
}


def events_tsv_bytes(timeline: Timeline) -> bytes:
    """All intervals of a timeline by onset, one row each; ``n/a`` where there is no text."""
    rows = sorted(
        (interval.begin_s, interval.end_s - interval.begin_s, tier.name, interval.label, tier.participant)
        for tier in timeline.tiers
        for interval in tier.intervals
    )
    lines = ["\t".join(_COLUMNS)]
    lines += ["\t".join([_number(onset), _number(length), *map(_cell, texts)]) for onset, length, *texts in rows]
    return "\n".join([*lines, ""]).encode()


def events_json_bytes() -> bytes:
    """The sidecar that says what the columns mean."""
    return json.dumps(_COLUMNS, indent=1).encode() + b"\n"


def _number(seconds: float) -> str:
    return repr(round(seconds, 9))


def _cell(text: object) -> str:
    return " ".join(str(text).split()) or "n/a"
