"""Timelines that people coded, into a store: what a tier means is said by its name or by the person who imports it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from visionllm_interaction.core.categories import nearest_names
from visionllm_interaction.core.interactions import Code
from visionllm_interaction.errors import UsageError
from visionllm_interaction.interop.registry import read_timelines
from visionllm_interaction.interop.tiers import Timeline
from visionllm_interaction.store.reader import import_codes, open_store

KINDS = ("speech", "gaze", "naming", "code")
"""What measures read a tier as: who speaks, who looks at what, what is named; ``code`` is anything else."""


def import_file(
    path: Path,
    store: Path,
    *,
    video_id: str,
    kinds: Mapping[str, str] | None = None,
    participants: Mapping[str, str] | None = None,
    observation: str | None = None,
) -> dict[str, Any]:
    """Import a coded file for one video; what came from a file of this name before is replaced, also by nothing.

    ``kinds`` and ``participants`` say by tier what it means (one of :data:`KINDS`) and who it is about (a role or a
    category). Without them a tier whose name holds ``gaze``/``look``, ``naming`` or ``speech`` is read as that, and the
    participant is the tier's own. ``observation`` picks one from a file that holds several (BORIS).

    Returns:
        ``{"store", "video_id", "source", "codes", "tiers": {name: {"kind", "participant", "codes"}}}``.

    Raises:
        InputDataError: if the file cannot be read.
        UsageError: if tiers, kinds or the observation are not known.
        StoreError: if the store or video is not there.
    """
    timeline = _one(read_timelines(path), observation)
    known = [tier.name for tier in timeline.tiers]
    for name in {**(kinds or {}), **(participants or {})}:
        _must_be("tier", name, known)
    for kind in (kinds or {}).values():
        _must_be("kind", kind, KINDS)
    codes = list(_codes(timeline, path.name, kinds or {}, participants or {}))
    with open_store(store) as opened:
        opened.video(video_id)
    import_codes(store, video_id, codes, source=path.name)
    tiers: dict[str, dict[str, Any]] = {}
    for code in codes:
        entry = tiers.setdefault(code.tier, {"kind": code.kind, "participant": code.participant, "codes": 0})
        entry["codes"] += 1
    return {"store": str(store), "video_id": video_id, "source": path.name, "codes": len(codes), "tiers": tiers}


def _one(timelines: Mapping[str, Timeline], observation: str | None) -> Timeline:
    if observation is not None:
        _must_be("observation", observation, list(timelines))
        return timelines[observation]
    if len(timelines) == 1:
        return next(iter(timelines.values()))
    raise UsageError(
        "The file holds several observations.",
        expected=f"one of: {', '.join(timelines)}",
        found=f"{len(timelines)} and no choice",
        fix="say which one with --observation",
    )


def _must_be(what: str, name: str, known: Sequence[str]) -> None:
    if name in known:
        return
    near = nearest_names(name, known)
    raise UsageError(
        f"The {what} {name!r} is not known here.",
        expected=f"one of: {', '.join(known)}",
        found=name,
        fix=f"did you mean {' or '.join(map(repr, near))}?" if near else None,
    )


def _codes(timeline: Timeline, source: str, kinds: Mapping[str, str], participants: Mapping[str, str]) -> list[Code]:
    found: list[Code] = []
    for tier in timeline.tiers:
        kind = kinds.get(tier.name) or _kind_of(tier.name)
        who = participants.get(tier.name, tier.participant)
        for interval in tier.intervals:
            code_id = f"{source}#{len(found) + 1}"
            found.append(Code(code_id, tier.name, kind, who, interval.label, interval.begin_s, interval.end_s, source))
    return found


def _kind_of(tier: str) -> str:
    name = tier.casefold()
    words = {"gaze": "gaze", "look": "gaze", "naming": "naming", "speech": "speech", "utterance": "speech"}
    return next((kind for word, kind in words.items() if word in name), "code")
