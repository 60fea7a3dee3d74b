"""What a coder coded: recordings, tiers, and the intervals that were coded at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from visionllm_interaction.core.intervals import Intervals, as_intervals, union
from visionllm_interaction.core.predicates import PREDICATES
from visionllm_interaction.errors import InputDataError
from visionllm_interaction.interop.registry import read_timelines
from visionllm_interaction.interop.tiers import Interval, Tier, Timeline, sort_intervals
from visionllm_interaction.store.covariates import read_covariates
from visionllm_interaction.store.layout import STORE_FILE
from visionllm_interaction.store.reader import Store, open_store
from visionllm_interaction.utils.path_type import StrPath
from visionllm_interaction.validity.audit.states import StateOfPair, intervals_of

CODED_TIER = "coded"
"""A tier of this name holds the intervals that were coded; without it, a recording was coded from begin to end."""


@dataclass(frozen=True)
class CodedRecording:
    """One recording as one coder coded it.

    Attributes:
        tiers: name in lower case, with the participant where there is one → events, by begin.
        coded: (M, 2) the intervals in seconds that were coded; what lies outside is not *absent*.
        coded_is_known: whether these are given, or taken to be the whole recording.
        child: the child, where known.
    """

    tiers: Mapping[str, tuple[Interval, ...]]
    coded: Intervals
    coded_is_known: bool
    child: str | None = None


@dataclass(frozen=True)
class Coding:
    """All recordings of one coder.

    Attributes:
        name: the coder: a file's or store's name.
        recordings: name of the recording → what was coded.
    """

    name: str
    recordings: Mapping[str, CodedRecording]


def read_coding(path: StrPath, *, coded_tier: str = CODED_TIER) -> Coding:
    """Read a coder's work: a coded file of any known format, a folder of such files, or an interaction store.

    Args:
        path: the file, folder or store.
        coded_tier: name of the tier that holds the intervals that were coded.

    Returns:
        Its recordings. Of a store these are its videos, with a tier per state (``child visible``, ``child near
        caregiver``, named by role or category), and the tiers of imported codes.

    Raises:
        InputDataError: if nothing can be read.
        UsageError: for a file of an unknown format.
        StoreError: if the store is damaged.
    """
    place = Path(path)
    if (place / STORE_FILE).is_file():
        with open_store(place, values="detected") as store:
            return Coding(place.name, {video_id: _of_video(store, video_id) for video_id in store.video_ids()})
    if place.is_dir():
        files = sorted(file for file in place.iterdir() if file.is_file() and not file.name.startswith("."))
        timelines = {name: timeline for file in files for name, timeline in read_timelines(file).items()}
    else:
        timelines = dict(read_timelines(place))
    if not timelines:
        raise InputDataError("There is nothing coded here.", expected="coded files", found="none", where=str(place))
    return Coding(place.name, {name: coded_recording(t, coded_tier=coded_tier) for name, t in timelines.items()})


def coded_recording(timeline: Timeline, *, coded_tier: str = CODED_TIER, child: str | None = None) -> CodedRecording:
    """A timeline as a coded recording.

    Args:
        timeline: what was coded.
        coded_tier: name of the tier that holds the intervals that were coded.
        child: the child, where known.

    Returns:
        The recording; without such a tier it was coded from 0 to its end.
    """
    wanted = coded_tier.casefold()
    stretches = [i for tier in timeline.tiers if tier.name.casefold() == wanted for i in tier.intervals]
    tiers = dict(_named([tier for tier in timeline.tiers if tier.name.casefold() != wanted]))
    if stretches:
        return CodedRecording(tiers, union(as_intervals([(i.begin_s, i.end_s) for i in stretches])), True, child)
    whole = as_intervals([(0.0, timeline.end_s)]) if timeline.end_s > 0 else np.zeros((0, 2))
    return CodedRecording(tiers, whole, timeline.duration_s is not None, child)


def _named(tiers: Sequence[Tier]) -> Iterator[tuple[str, tuple[Interval, ...]]]:
    """Tiers of one name and participant are one: exports spread overlaps over several."""
    found: dict[str, list[Interval]] = {}
    for tier in tiers:
        who, name = tier.participant.strip().casefold(), tier.name.strip().casefold()
        found.setdefault(f"{who} {name}" if who and who not in name.split() else name, []).extend(tier.intervals)
    for name, intervals in found.items():
        yield name, sort_intervals(intervals)


def _of_video(store: Store, video_id: str) -> CodedRecording:
    tiers: dict[str, tuple[Interval, ...]] = {}
    for state in states_of(store, video_id):
        found = intervals_of(store, video_id, state)
        tiers[str(state)] = tuple(Interval(b, e, state.predicate) for b, e in found.tolist())
    imported = Timeline(tuple(_code_tiers(store, video_id)))
    tiers |= dict(_named(imported.tiers))
    frames = store.frames(video_id)
    begin, length = frames["timestamp_s"].to_numpy(), frames["duration_s"].to_numpy()
    processed = frames["processed"].to_numpy(zero_copy_only=False)
    coded = union(np.stack([begin, begin + length], axis=1)[processed])
    known = read_covariates(store.path, video_id)
    return CodedRecording(tiers, coded, True, known.child if known else None)


def states_of(store: Store, video_id: str) -> Iterator[StateOfPair]:
    """The states that the model tells of a video: who is visible, and the relations between names.

    Args:
        store: the open store.
        video_id: a video in the store.

    Yields:
        StateOfPair: each once, by name.
    """
    names = {t.track_id: t.role or t.category for t in store.tracks(video_id)}
    yield from (StateOfPair("visible", name, None) for name in sorted(set(names.values())))
    pairs = {
        (r.predicate, names[r.subject_track_id], names[r.object_track_id])
        for r in store.relations(video_id)
        if r.predicate in PREDICATES and r.subject_track_id in names and r.object_track_id in names
    }
    yield from (StateOfPair(predicate, subject, other) for predicate, subject, other in sorted(pairs))


def _code_tiers(store: Store, video_id: str) -> Iterator[Tier]:
    found: dict[tuple[str, str], list[Interval]] = {}
    for code in store.codes(video_id):
        found.setdefault((code.tier, code.participant), []).append(Interval(code.begin_s, code.end_s, code.label))
    for (tier, participant), intervals in found.items():
        yield Tier(tier, sort_intervals(intervals), participant)
