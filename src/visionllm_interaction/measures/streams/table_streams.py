"""The streams that are read from the tables: visible, relations, events, codes. All groups at once."""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace

from visionllm_interaction.core.grouped_arrays import Floats, Ints, expand
from visionllm_interaction.core.grouped_intervals import IntervalIndex
from visionllm_interaction.core.predicates import CONVERSES, DIRECTED_PREDICATES
from visionllm_interaction.measures.streams.coded_time import coded_time, cut
from visionllm_interaction.measures.streams.stream import Stream, TrackLists
from visionllm_interaction.measures.streams.stream_scopes import StreamGroups


def visible(groups: StreamGroups, subject: Ints) -> Stream:
    """When each track of the subject is seen: one row per sighting.

    Args:
        groups: what to compute it for.
        subject: (G,) a name for each group.

    Returns:
        Intervals, one track each.
    """
    group, track, begin_s, end_s = _seen(groups, subject)
    return Stream.sorted(group, begin_s, end_s, TrackLists.of_columns(groups.batch.tracks.track_id[track]))


def _seen(groups: StreamGroups, subject: Ints) -> tuple[Ints, Ints, Floats, Floats]:
    """Group, track, begin and end of each sighting, cut to the window."""
    sightings = groups.batch.sightings
    group, track = groups.names.tracks_of(subject, groups.video)
    low, high = groups.begin_s[group], groups.end_s[group]
    query, row = sightings.overlapping(track, low, high)
    return (
        group[query],
        track[query],
        np.maximum(sightings.begin_s[row], low[query]),
        np.minimum(sightings.end_s[row], high[query]),
    )


def together(groups: StreamGroups, subject: Ints, object_: Ints) -> Stream:
    """When a track of the subject and another one of the object are seen; arguments as in :func:`visible`."""
    sightings, ids = groups.batch.sightings, groups.batch.tracks.track_id
    group, track, begin_s, end_s = _seen(groups, subject)
    others_of, others = groups.names.tracks_of(object_, groups.video)
    low = np.searchsorted(others_of, group, side="left")
    row, place = expand(low, np.searchsorted(others_of, group, side="right") - low)
    apart = track[row] != others[place]
    row, other = row[apart], others[place[apart]]
    query, seen = sightings.overlapping(other, begin_s[row], end_s[row])
    row, other = row[query], other[query]
    begin_s = np.maximum(begin_s[row], sightings.begin_s[seen])
    end_s = np.minimum(end_s[row], sightings.end_s[seen])
    return Stream.sorted(group[row], begin_s, end_s, TrackLists.of_columns(ids[track[row]], ids[other]))


def related(groups: StreamGroups, predicate: str, subject: Ints, object_: Ints | None) -> Stream:
    """When a predicate of ``core.predicates`` holds; between two in either order unless it is directed.

    One that is directed is read as it is stored, and where its converse is stored for the exchanged pair.

    Args:
        groups: what to compute it for.
        predicate: its name.
        subject: (G,) a name for each group.
        object_: (G,) another; None: whatever is on the other side.

    Returns:
        Intervals, two tracks each.
    """
    relations, tracks = groups.batch.relations, groups.batch.tracks
    group, track = groups.names.tracks_of(subject, groups.video)
    low, high = groups.begin_s[group], groups.end_s[group]
    found = []
    for name, as_subject in _stored_as(predicate):
        code = groups.batch.texts.known(name)
        if code >= 0:
            query, row = relations.index.overlapping(relations.key(code, track), low, high)
            kept = relations.is_subject[row] == as_subject if as_subject is not None else np.ones(len(row), np.bool_)
            found.append((query[kept], row[kept]))
    if not found:
        return Stream.empty()
    query, row = (np.concatenate(parts) for parts in zip(*found, strict=True))
    kept = np.ones(len(row), np.bool_)
    if object_ is not None:
        kept &= groups.names.stands_for(object_[group[query]], relations.other[row])
    query, row = query[kept], row[kept]
    begin_s = np.maximum(relations.index.begin_s[row], low[query])
    end_s = np.minimum(relations.index.end_s[row], high[query])
    one, other = relations.one[row], relations.other[row]
    other = np.where(other < 0, one, other)
    pair = TrackLists.of_columns(tracks.track_id[one], tracks.track_id[other])
    return Stream.sorted(group[query], begin_s, end_s, pair)


def _stored_as(predicate: str) -> list[tuple[str, bool | None]]:
    """The predicates that tell it, and whether the one it is asked of is their subject; None: in either order."""
    converse = CONVERSES.get(predicate)
    if predicate not in DIRECTED_PREDICATES or converse == predicate:
        return [(predicate, None)]
    return [(predicate, True)] if converse is None else [(predicate, True), (converse, False)]


def in_posture(groups: StreamGroups, posture: str, subject: Ints) -> Stream:
    """When people of a name have a posture.

    Args:
        groups: what to compute it for.
        posture: one of ``core.bodies.POSTURES``.
        subject: (G,) a name for each group.

    Returns:
        Intervals, one track each.
    """
    postures = groups.batch.postures
    code = groups.batch.texts.known(posture)
    if code < 0:
        return Stream.empty()
    group, track = groups.names.tracks_of(subject, groups.video)
    low, high = groups.begin_s[group], groups.end_s[group]
    query, row = postures.index.overlapping(postures.key(code, track), low, high)
    begin_s = np.maximum(postures.index.begin_s[row], low[query])
    end_s = np.minimum(postures.index.end_s[row], high[query])
    ids = groups.batch.tracks.track_id[postures.track[row]]
    return Stream.sorted(group[query], begin_s, end_s, TrackLists.of_columns(ids))


def poor_quality(groups: StreamGroups, flag: str | None) -> Stream:
    """When a video is hard to see.

    Args:
        groups: what to compute it for.
        flag: one of ``core.frames.QUALITY_FLAGS``; None: any of them.

    Returns:
        Intervals without tracks.
    """
    index = groups.batch.quality.having(flag)
    group, row = index.overlapping(groups.video, groups.begin_s, groups.end_s)
    begin_s = np.maximum(index.begin_s[row], groups.begin_s[group])
    end_s = np.minimum(index.end_s[row], groups.end_s[group])
    return Stream.sorted(group, begin_s, end_s, TrackLists.none(len(group)))


def events(groups: StreamGroups, kind: str, actors: tuple[Ints, ...]) -> Stream:
    """Events of one kind, at the time at which they begin.

    Args:
        groups: what to compute it for.
        kind: its name.
        actors: (G,) a name each: of the first actor; of one of the others; or of all three in order.

    Returns:
        Moments with the tracks of the event.
    """
    table = groups.batch.events
    code = groups.batch.texts.known(kind)
    if code < 0:
        return Stream.empty(moments=True)
    group, row = table.index.beginning(table.key(code, groups.video), groups.begin_s, groups.end_s)
    kept = _is_actor(groups, actors[0][group], row, 0)
    if len(actors) == 2:
        pair, place = expand(table.offsets[row] + 1, np.maximum(np.diff(table.offsets)[row] - 1, 0))
        hit = groups.names.stands_for(actors[1][group[pair]], table.actors[place])
        kept &= np.bincount(pair, hit, len(row)) > 0
    for position, name in enumerate(actors[1:] if len(actors) > 2 else (), start=1):
        kept &= _is_actor(groups, name[group], row, position)
    group, row = group[kept], row[kept]
    return Stream.sorted(group, table.index.begin_s[row], table.index.end_s[row], _actors(groups, row), moments=True)


def _is_actor(groups: StreamGroups, names: Ints, row: Ints, position: int) -> np.ndarray:
    """Whether the actor of each event at a position is of the name."""
    table = groups.batch.events
    there = np.diff(table.offsets)[row] > position
    place = np.where(there, table.offsets[row] + position, 0)
    actor = table.actors[place] if len(table.actors) else np.full(len(row), -1)
    return there & groups.names.stands_for(names, actor)


def _actors(groups: StreamGroups, row: Ints) -> TrackLists:
    table = groups.batch.events
    lists = TrackLists(table.offsets, np.append(groups.batch.tracks.track_id, -1)[table.actors])
    return lists.take(row)


def joint_handling(groups: StreamGroups, subject: Ints, object_: Ints | None) -> Stream:
    """Events *joint_handling* in which the subject and another of the object's name take part, as intervals."""
    table = groups.batch.events
    code = groups.batch.texts.known("joint_handling")
    if code < 0:
        return Stream.empty()
    group, row = table.index.overlapping(table.key(code, groups.video), groups.begin_s, groups.end_s)
    pair, place = expand(table.offsets[row], np.diff(table.offsets)[row])
    actor = table.actors[place]
    one = groups.names.stands_for(subject[group[pair]], actor)
    two = np.ones(len(actor), np.bool_)
    if object_ is not None:
        two = groups.names.stands_for(object_[group[pair]], actor)
    ones, twos, any_ = (np.bincount(pair, hits, len(row)) for hits in (one, two, one | two))
    kept = (ones > 0) & (twos > 0) & (any_ > 1)
    group, row = group[kept], row[kept]
    begin_s = np.maximum(table.index.begin_s[row], groups.begin_s[group])
    end_s = np.minimum(table.index.end_s[row], groups.end_s[group])
    return Stream.sorted(group, begin_s, end_s, _actors(groups, row))


def coded(
    groups: StreamGroups,
    *,
    kind: str | None = None,
    tier: str | None = None,
    participant: Ints | None = None,
    label: Ints | None = None,
    text: str | None = None,
    word: str | None = None,
) -> Stream:
    """Intervals that people coded.

    Args:
        groups: what to compute it for.
        kind: of code: ``speech``, ``gaze``, ``naming``; None: of any.
        tier: name of the tier; None: any.
        participant: (G,) whose code it is; None: anybody's.
        label: (G,) what was looked at or named; None: whatever.
        text: the label itself; None: any.
        word: a word that the label has; None: any.

    Returns:
        Intervals within coded time, with the tracks of the participant that are seen in the meantime. A code without
        length is kept.
    """
    group, row = _coded_rows(groups, kind=kind, tier=tier, participant=participant, label=label, text=text, word=word)
    time = coded_time(groups, kind=kind, tier=tier, participant=participant)
    return time.cut(_as_coded(groups, group, row, group, participant))


def coded_by_label(groups: StreamGroups, *, kind: str, participant: Ints) -> tuple[Stream, int]:
    """Intervals that people coded, apart by label.

    Args:
        groups: what to compute it for.
        kind: of code: ``speech``, ``gaze``, ``naming``.
        participant: (G,) whose code it is.

    Returns:
        Intervals within coded time, as rows of finer groups, and how many of these a group has: a row of group g with
        label n (its place in :attr:`.batch.Batch.texts`, -1: none) is in the finer group g × number + n + 1.
    """
    group, row = _coded_rows(groups, kind=kind, participant=participant)
    width = len(groups.batch.texts.words) + 1
    time = coded_time(groups, kind=kind, tier=None, participant=participant)
    label = groups.batch.codes.label[row] + 1
    if not time.limited.any():
        return _as_coded(groups, group, row, group * width + label, participant), width
    found = _as_coded(groups, group, row, group * width + label, participant)
    return cut(found, np.repeat(time.limited, width), _for_each_label(time.coded, np.unique(label), width)), width


def _for_each_label(coded: Stream, labels: Ints, width: int) -> Stream:
    """The same time in the finer group of every label."""
    group = (coded.group[:, None] * width + labels).ravel()
    begin_s, end_s = np.repeat(coded.begin_s, len(labels)), np.repeat(coded.end_s, len(labels))
    return replace(Stream.sorted(group, begin_s, end_s, TrackLists.none(len(group))), merged=True)


def _as_coded(groups: StreamGroups, group: Ints, row: Ints, finer: Ints, participant: Ints | None) -> Stream:
    """Codes at ``row`` (N,), cut to the windows of ``group`` (N,), as rows of the groups ``finer`` (N,)."""
    codes = groups.batch.codes
    begin_s = np.maximum(codes.begin_s[row], groups.begin_s[group])
    end_s = np.minimum(codes.end_s[row], groups.end_s[group])
    return Stream.sorted(finer, begin_s, end_s, _seen_meanwhile(groups, group, row, participant))


def _coded_rows(
    groups: StreamGroups,
    *,
    kind: str | None = None,
    tier: str | None = None,
    participant: Ints | None = None,
    label: Ints | None = None,
    text: str | None = None,
    word: str | None = None,
) -> tuple[Ints, Ints]:
    """Pairs of group and row in the table of codes; arguments as in :func:`coded`."""
    codes, texts = groups.batch.codes, groups.batch.texts
    kept = np.ones(len(codes.kind), np.bool_)
    for column, wanted in ((codes.kind, kind), (codes.tier, tier), (codes.label, text)):
        if wanted is not None:
            kept &= column == texts.known(wanted.strip(" ").lower())
    if word is not None:
        kept &= _has_word(groups, word)[codes.label]
    rows = np.flatnonzero(kept)
    index = IntervalIndex(codes.video[rows], codes.begin_s[rows], codes.end_s[rows])
    group, row = index.overlapping(groups.video, groups.begin_s, groups.end_s, touching=True)
    row = rows[row]
    for column, names in ((codes.participant, participant), (codes.label, label)):
        if names is not None:
            wanted_text = groups.names.texts(names[group])
            hit = (column[row] == wanted_text) | (wanted_text == -1)
            group, row = group[hit], row[hit]
    return group, row


def _has_word(groups: StreamGroups, word: str) -> np.ndarray:
    """(W + 1,) whether each text of the batch has the word; the last is for no text."""
    wanted = word.strip().lower()
    found = [wanted in _words(text) or wanted == text for text in groups.batch.texts.words]
    return np.array([*found, False])


def _words(text: str) -> list[str]:
    return "".join(letter if letter.isalnum() or letter in "'-" else " " for letter in text.lower()).split()


def _seen_meanwhile(groups: StreamGroups, group: Ints, row: Ints, participant: Ints | None) -> TrackLists:
    """The tracks of the participant that exist during each code."""
    if participant is None:
        return TrackLists.none(len(row))
    tracks, codes = groups.batch.tracks, groups.batch.codes
    pair, track = groups.names.tracks_of(participant[group], groups.video[group])
    meanwhile = (tracks.begin_s[track] < codes.end_s[row[pair]]) & (tracks.end_s[track] > codes.begin_s[row[pair]])
    return TrackLists.of_pairs(pair[meanwhile], tracks.track_id[track[meanwhile]], rows=len(row))


def processed(groups: StreamGroups) -> Stream:
    """The intervals of processed frames."""
    done = groups.processed.intervals
    group, row = done.index.of_group(groups.scope)
    return Stream(group, done.begin_s[row], done.end_s[row], TrackLists.none(len(group)), merged=True)
