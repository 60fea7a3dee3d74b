"""Import coded timelines into a store; what a tier means follows from its name or from the caller."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from visionllm_interaction.core.categories import nearest_names
from visionllm_interaction.core.interactions import Code
from visionllm_interaction.errors import UsageError
from visionllm_interaction.interop.registry import read_timelines
from visionllm_interaction.interop.tiers import Timeline
from visionllm_interaction.store.reader import open_store, write_codes
from visionllm_interaction.utils.paths import StrPath

KINDS = ("speech", "gaze", "naming", "code")
"""How measures read a tier: who speaks, who looks at what, what is named; ``code`` is anything else."""


@dataclass(frozen=True)
class ImportedTier:
    """One imported tier: how measures read it (:data:`KINDS`), whom it is about, and its number of codes."""

    kind: str
    participant: str
    codes: int


@dataclass(frozen=True)
class ImportResult:
    """The result of an import.

    Attributes:
        store: the store's folder.
        video_id: the video that was coded.
        source: name of the coded file.
        codes: how many codes were imported.
        tiers: by the tier's name.
    """

    store: Path
    video_id: str
    source: str
    codes: int
    tiers: Mapping[str, ImportedTier]

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``visionllm import``."""
        tiers = {name: asdict(tier) for name, tier in self.tiers.items()}
        return {**asdict(self), "store": str(self.store), "tiers": tiers}


def import_codes(
    file: StrPath,
    store: StrPath,
    *,
    video_id: str,
    kinds: Mapping[str, str] | None = None,
    participants: Mapping[str, str] | None = None,
    observation: str | None = None,
) -> ImportResult:
    """Import codes from another program.

    Earlier codes from a file of the same name are replaced, also where the file holds none any more.

    Args:
        file: an ``.eaf``, ``.boris``, ``.opf``, ``.TextGrid``, ``.csv`` or ``.parquet`` file.
        store: the store's folder.
        video_id: the video that was coded.
        kinds: tier → how measures read it, one of :data:`KINDS`. By default a tier whose name holds ``gaze`` or
            ``look``, ``naming``, ``speech`` or ``utterance`` is read as that, any other as ``code``.
        participants: tier → whom it is about, a role or a category; by default the tier's own participant.
        observation: which one, if the file holds several (BORIS).

    Returns:
        The tiers and how many codes each brought.

    Raises:
        InputDataError: if the file cannot be read.
        UsageError: if tiers, kinds or the observation are not known.
        StoreError: if the store or video is not there.
    """
    path, store = Path(file), Path(store)
    timeline = _select(read_timelines(path), observation)
    known = [tier.name for tier in timeline.tiers]
    for name in {**(kinds or {}), **(participants or {})}:
        _check_known("tier", name, known)
    for kind in (kinds or {}).values():
        _check_known("kind", kind, KINDS)
    codes = list(_codes(timeline, path.name, kinds or {}, participants or {}))
    with open_store(store) as opened:
        opened.video(video_id)
    write_codes(store, video_id, codes, source=path.name)
    counts = Counter((code.tier, code.kind, code.participant) for code in codes)
    tiers = {tier: ImportedTier(kind, who, count) for (tier, kind, who), count in counts.items()}
    return ImportResult(store, video_id, path.name, len(codes), tiers)


def _select(timelines: Mapping[str, Timeline], observation: str | None) -> Timeline:
    if observation is not None:
        _check_known("observation", observation, list(timelines))
        return timelines[observation]
    if len(timelines) == 1:
        return next(iter(timelines.values()))
    raise UsageError(
        "The file holds several observations.",
        expected=f"one of: {', '.join(timelines)}",
        found=f"{len(timelines)} and no choice",
        fix="say which one with --observation",
    )


def _check_known(what: str, name: str, known: Sequence[str]) -> None:
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
