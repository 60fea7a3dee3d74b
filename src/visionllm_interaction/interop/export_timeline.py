"""A video of a store as a timeline: tracks in view, relations, events and imported codes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Literal

from visionllm_interaction.core.tracks_relations_events import Code, Event, Relation, Track
from visionllm_interaction.interactions.spans import Span, clean_spans
from visionllm_interaction.interop.sessions.linked_media import is_session, linked_media
from visionllm_interaction.interop.tiers import Interval, Tier, Timeline, sort_intervals
from visionllm_interaction.measures.catalogue import BOUT_GAP_S
from visionllm_interaction.store.reader import Store

MediaAs = Literal["paths", "names"]


def store_to_timeline(store: Store, video_id: str, *, media: MediaAs = "paths") -> Timeline:
    """Convert one video to a timeline.

    Args:
        store: the open store.
        video_id: the video.
        media: whether media are given by the paths that they have here, or by the names of their files.

    Returns:
        Its tiers: ``NAME in view`` per track (pauses up to 0.5 s are closed), ``NAME PREDICATE`` per track with
        relations (the label is the other track), one per kind of event (the label is who took part), and the tiers of
        imported codes. ``NAME`` is category and track id; the participant is the role, else the category. Its media
        are the video and the recordings beside it, or the videos of a session.
    """
    record, tracks = store.video(video_id), store.tracks(video_id)
    names = {track.track_id: f"{track.category} {track.track_id}" for track in tracks}
    seen = store.sightings(video_id)
    tiers = [
        *_in_view(tracks, names, seen),
        *_relations(tracks, names, store.relations(video_id)),
        *_events(names, store.events(video_id)),
        *_codes(store.codes(video_id)),
    ]
    linked = linked_media(store, video_id)
    if media == "names":
        linked = tuple(replace(one, name=PurePath(one.name).name) for one in linked)
    length_s, created_at = float(record["duration_s"]), str(record["created_at"])
    name = None if is_session(store, video_id) else linked[0].name
    return Timeline(tuple(tiers), name, length_s, created_at, linked=linked)


def _participant(track: Track) -> str:
    return track.role or track.category


def _in_view(
    tracks: Sequence[Track], names: Mapping[int, str], seen: Mapping[int, Sequence[tuple[float, float]]]
) -> Iterator[Tier]:
    for track in tracks:
        spans = [Span(begin_s, end_s) for begin_s, end_s in seen.get(track.track_id, ())]
        bouts = clean_spans(spans, merge_gap_s=BOUT_GAP_S, min_duration_s=0.0)
        intervals = tuple(Interval(bout.begin_s, bout.end_s, track.category) for bout in bouts)
        yield Tier(f"{names[track.track_id]} in view", intervals, _participant(track), (track.category,))


def _relations(tracks: Sequence[Track], names: Mapping[int, str], relations: Sequence[Relation]) -> Iterator[Tier]:
    who = {track.track_id: _participant(track) for track in tracks}
    found: dict[tuple[int, str], list[Relation]] = {}
    for relation in relations:
        found.setdefault((relation.subject_track_id, relation.predicate), []).append(relation)
    for (subject, predicate), bouts in sorted(found.items()):
        others = tuple(sorted({names[bout.object_track_id] for bout in bouts}))
        intervals = [Interval(bout.begin_s, bout.end_s, names[bout.object_track_id]) for bout in bouts]
        yield Tier(f"{names[subject]} {predicate}", sort_intervals(intervals), who[subject], others)


def _events(names: Mapping[int, str], events: Sequence[Event]) -> Iterator[Tier]:
    found: dict[str, list[Interval]] = {}
    for event in events:
        label = ", ".join(names[track_id] for track_id in event.track_ids)
        found.setdefault(event.kind, []).append(Interval(event.begin_s, event.end_s, label))
    for kind, intervals in sorted(found.items()):
        yield Tier(kind, sort_intervals(intervals))


def _codes(codes: Sequence[Code]) -> Iterator[Tier]:
    found: dict[tuple[str, str], list[Interval]] = {}
    for code in codes:
        found.setdefault((code.tier, code.participant), []).append(Interval(code.begin_s, code.end_s, code.label))
    for (tier, participant), intervals in found.items():
        yield Tier(tier, sort_intervals(intervals), participant)
