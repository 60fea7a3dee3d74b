"""Why values are unknown, for many groups at once: an input is missing, which is not the same as *nothing found*."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from visionllm_interaction.core.categories import BODY_CATEGORIES, PERSON_CATEGORIES
from visionllm_interaction.core.grouped_arrays import Ints, distinct, ranked_rows, sums
from visionllm_interaction.core.grouped_intervals import IntervalIndex, row_order
from visionllm_interaction.core.intervals import TOLERANCE_S
from visionllm_interaction.measures.missing_inputs import (
    NO_ACTOR,
    NO_HANDS,
    NO_HEADS,
    NO_HOLDER,
    NO_PERSON,
    NO_PLACEMENT,
    NO_POSES,
    NO_QUALITY,
    NOT_PROCESSED,
    PEOPLE,
    PLACEMENT,
    ROLES,
    nobody_coded,
    nobody_marked,
    not_searched,
    nothing_imported,
    role_unknown,
    seen_weakly,
)
from visionllm_interaction.measures.streams.batch import Batch
from visionllm_interaction.measures.streams.stream_scopes import ANYTHING, Name, NameTable, StreamGroups, Windows
from visionllm_interaction.measures.streams.string_codes import StringCodes
from visionllm_interaction.store.reader import ANY_PERSON, ANY_THING, Store

_ESTIMATED = frozenset({"child", "caregiver"})
_GUESSED = ROLES - _ESTIMATED
_OF_MANY_ROLES = (PERSON_CATEGORIES - ROLES) | {ANY_PERSON, ANYTHING}

KNOWN = -1
"""In place of a reason: the input is there."""


class _VideoInputs(NamedTuple):
    """The inputs of one video: its detector, roles, tracks, codes and settings."""

    is_truth: bool
    searched: frozenset[str]
    assigned: frozenset[str]
    present: frozenset[str]
    coded: frozenset[str]
    has_heads: bool
    has_placement: bool
    bodies: frozenset[str]
    unknown: Mapping[str, str]
    weak: Mapping[str, str]
    roles_estimated: bool
    people: _People

    @property
    def is_unsure(self) -> bool:
        """Whether there are people of whom it was looked at who they are, and is not known."""
        return self.roles_estimated and self.people.unknown > 0

    def is_unsure_of(self, name: str) -> bool:
        """Whether any of them may have the role of a name; where only weak detections are of it, these say more."""
        only_weak = name in self.weak and name not in self.present
        return name in _ESTIMATED and self.is_unsure and not only_weak

    def is_unsure_without(self, name: Name) -> bool:
        """Whether any of them may be of those that a name of people leaves out."""
        return self.is_unsure and _leaves_out_roles(name)


class _People(Struct, frozen=True):
    """People of one video.

    Attributes:
        roles: those that any of them have.
        unknown: number of people without a role.
    """

    roles: frozenset[str]
    unknown: int


class MissingInputs(Struct, dict=True):
    """Which inputs the videos of a batch lack.

    Attributes:
        batch: the videos.
        names: names as numbers.
        people: gives :func:`people_in_codes` when it is first needed. Let it refer to nothing that holds this object:
            what a batch has read is then freed with the batch, and not some time later.
        in_part: the reasons why only a part may have been found, such as people of whom nobody knows who they are.
    """

    batch: Batch
    names: NameTable
    people: Callable[[], Mapping[str, frozenset[str]]]
    reasons: StringCodes = field(default_factory=StringCodes)
    in_part: set[int] = field(default_factory=set)
    _unsearched: dict[Name, Ints] = field(default_factory=dict)

    def text(self, reason: int) -> str | None:
        """The reason in words; None for :data:`KNOWN`."""
        return None if reason == KNOWN else self.reasons.words[reason]

    @cached_property
    def videos(self) -> list[_VideoInputs]:
        """The inputs of each video."""
        batch, words = self.batch, self.batch.texts.words
        tracks = batch.tracks
        present: list[set[str]] = [set() for _ in batch.video_ids]
        for column in (tracks.category, tracks.role):
            for video, code in set(zip(tracks.video.tolist(), column.tolist(), strict=True)):
                if code >= 0 and words[code]:
                    present[video].add(words[code])
        coded: list[set[str]] = [set() for _ in batch.video_ids]
        for video, code in set(zip(batch.codes.video.tolist(), batch.codes.kind.tolist(), strict=True)):
            coded[video].add(words[code])
        people = [self._people(number) for number in range(len(batch.video_ids))]
        return [_inputs_of(*about) for about in zip(batch.records, present, coded, people, strict=True)]

    @cached_property
    def may_find_in_part(self) -> bool:
        """Whether there are people of whom it is not known whether they are a child, in any of the videos."""
        return any(one.is_unsure for one in self.videos)

    def _people(self, video: int) -> _People:
        tracks, words = self.batch.tracks, self.batch.texts.words
        rows = np.flatnonzero((tracks.video == video) & tracks.is_person)
        roles = [words[role] if role >= 0 else "" for role in tracks.role[rows].tolist()]
        return _People(frozenset(roles) - {""}, roles.count(""))

    @cached_property
    def _sighted_people(self) -> tuple[IntervalIndex, Ints]:
        """Sightings of people by video, where some have no role; and the track of each."""
        tracks, seen = self.batch.tracks, self.batch.sightings
        unsure = np.array([one.is_unsure for one in self.videos], dtype=np.bool_)
        rows = np.flatnonzero((tracks.is_person & unsure[tracks.video])[seen.group])
        video = tracks.video[seen.group[rows]]
        rows = rows[row_order(video, seen.begin_s[rows], seen.end_s[rows])]
        track = seen.group[rows]
        return IntervalIndex(tracks.video[track], seen.begin_s[rows], seen.end_s[rows]), track

    def _unsure_of_roles(self, names: Ints, windows: Windows) -> Ints:
        """(Q,) why it is not known who of the people in a window has the role of a name."""
        found = np.full(len(names), KNOWN)
        table = np.zeros((len(self.names.names), len(self.videos)), np.bool_)
        for code in distinct(names).tolist():
            name = self.names.names[code]
            table[code] = [one.is_unsure_of(name.base) or one.is_unsure_without(name) for one in self.videos]
        asked = np.flatnonzero(table[names, windows.video])
        if not len(asked):
            return found
        window, place = _distinct_windows(windows.take(asked))
        index, track = self._sighted_people
        query, row = index.overlapping(window.video, window.begin_s, window.end_s)
        length_s = np.minimum(index.end_s[row], window.end_s[query]) - np.maximum(
            index.begin_s[row], window.begin_s[query]
        )
        role, count = self.batch.tracks.role[track[row]], len(window.video)
        nobodys = (role < 0) | (role == self.batch.texts.known(""))
        unknown_s = sums(query[nobodys], length_s[nobodys], count)
        people = ranked_rows(query[nobodys], track[row[nobodys]])[0][:, 0]
        unknown = np.bincount(people, minlength=count)
        for code in distinct(names[asked]).tolist():
            its = self._known_to_be(self.names.names[code], role)
            known_s = sums(query[its & ~nobodys], length_s[its & ~nobodys], count)
            reasons = np.full(count, KNOWN)
            for at in np.flatnonzero(unknown_s > np.maximum(_UNSURE_SHARE * known_s, TOLERANCE_S)).tolist():
                reasons[at] = self.reasons.code(role_unknown(int(unknown[at]), float(unknown_s[at])))
            self.in_part |= set(reasons[reasons != KNOWN].tolist())
            of_name = names[asked] == code
            found[asked[of_name]] = reasons[place[of_name]]
        return found

    def _known_to_be(self, name: Name, role: Ints) -> NDArray[np.bool_]:
        """(N,) whether people of some roles are of a name: have its role, or another than those that are left out."""
        known = self.batch.texts.known
        if name.base in ROLES:
            return np.asarray(role == known(name.base))
        return ~np.isin(role, [known(other) for other in name.excluded])

    def not_processed(self, groups: StreamGroups) -> Ints:
        """(G,) :data:`.NOT_PROCESSED` where no frame was processed in the scope."""
        return np.where(groups.processed.any[groups.scope], KNOWN, self.reasons.code(NOT_PROCESSED))

    def unsearched(self, names: Ints, windows: Windows) -> Ints:
        """(Q,) whether the detector of the video looks for ``names`` (Q,), and who they are is known in the window."""
        table = np.full((len(self.names.names), len(self.batch.video_ids)), KNOWN)
        for code in distinct(names).tolist():
            table[code] = self._unsearched_in(self.names.names[code])
        found = np.asarray(table[names, windows.video])
        return _first(self._unsure_of_roles(names, windows), found) if self.may_find_in_part else found

    def _unsearched_in(self, name: Name) -> Ints:
        if name not in self._unsearched:
            reasons = [_unsearched(name.base, video) for video in self.videos]
            unmarked = [_left_out_unmarked(name, video) for video in self.videos]
            # Those who should have been left out are in what is found.
            self.in_part |= {self._code(reason) for reason in unmarked if reason is not None}
            both = [one or other for one, other in zip(reasons, unmarked, strict=True)]
            self._unsearched[name] = np.array([self._code(reason) for reason in both], dtype=np.int64)
        return self._unsearched[name]

    def _code(self, reason: str | None) -> int:
        return KNOWN if reason is None else self.reasons.code(reason)

    def uncoded(self, kind: str, people: tuple[Ints, ...], video: Ints) -> Ints:
        """(Q,) whether ``kind`` was imported for ``video`` (Q,), and each of ``people`` (Q,) is coded anywhere."""
        imported = np.array([kind in one.coded for one in self.videos], dtype=np.bool_)
        if kind == "naming" and imported.any():
            # Namings are found among the words of transcripts: words without a naming mean that nobody named anything.
            imported |= np.array(["word" in one.coded for one in self.videos], dtype=np.bool_)
        found = np.full(len(video), KNOWN)
        for names in reversed(people):
            reasons = {code: self._nobody(kind, self.names.names[code]) for code in distinct(names).tolist()}
            reason = np.array([reasons[code] for code in names.tolist()], dtype=np.int64)
            found = np.where(reason != KNOWN, reason, found)
        if imported.all():
            return found
        return np.where(imported[video], found, self.reasons.code(nothing_imported(kind)))

    @cached_property
    def _coded_people(self) -> Mapping[str, frozenset[str]]:
        return self.people()

    def _nobody(self, kind: str, name: Name) -> int:
        known = name.base == ANYTHING or name.base.lower() in self._coded_people.get(kind, ())
        return KNOWN if known else self.reasons.code(nobody_coded(kind, name.base))

    def of_predicate(self, predicate: str, subject: Ints, object_: Ints | None, windows: Windows) -> Ints:
        """Why it is not known when a predicate of boxes holds between two names.

        Args:
            predicate: ``visible`` or one of ``core.predicates``.
            subject: (Q,) names.
            object_: (Q,) names; None: anything.
            windows: (Q,) windows of videos.

        Returns:
            (Q,) reasons, :data:`KNOWN` where it is.
        """
        video = windows.video
        found = self.unsearched(subject, windows)
        if object_ is not None:
            found = _first(found, self.unsearched(object_, windows))
        if predicate == "visible":
            return found
        found = _first(found, self._unknown(predicate)[video])
        if predicate == "facing":
            found = _first(found, self._where(lambda one: not one.has_heads, NO_HEADS)[video])
        if predicate == "hand_on":
            found = _first(found, self._where(lambda one: "hands" not in one.bodies, NO_HANDS)[video])
        if predicate in PLACEMENT:
            found = _first(found, self._where(lambda one: not one.has_placement, NO_PLACEMENT)[video])
        if object_ is None:
            return found
        one, two = self._are_people(subject), self._are_people(object_)
        if predicate == "holding":
            found = _first(found, np.where(one == two, self.reasons.code(NO_HOLDER), KNOWN))
        return _first(found, np.where(one | two, KNOWN, self.reasons.code(NO_PERSON)))

    def of_posture(self, subject: Ints, windows: Windows) -> Ints:
        """Why it is not known which posture people of a name have, (Q,)."""
        found = self.unsearched(subject, windows)
        return _first(found, self._where(lambda one: "pose" not in one.bodies, NO_POSES)[windows.video])

    def of_quality(self, flag: str | None, video: Ints) -> Ints:
        """Why it is not known when a video is hard to see, (Q,)."""
        quality = self.batch.quality
        known = quality.measured if flag in ("small", "edge") else quality.measured & quality.has_images
        return np.where(known, KNOWN, self.reasons.code(NO_QUALITY))[video]

    def of_event(self, kind: str, subject: Ints, others: tuple[Ints, ...], windows: Windows) -> Ints:
        """Why it is not known when events of a kind with these actors happen, (Q,)."""
        found = self.unsearched(subject, windows)
        for names in others:
            found = _first(found, self.unsearched(names, windows))
        found = _first(found, self._unknown(kind)[windows.video])
        return _first(found, np.where(self._are_people(subject), KNOWN, self.reasons.code(NO_ACTOR)))

    def _unknown(self, what: str) -> Ints:
        """(V,) why a predicate or a kind of event is not known at the rate at which each video was processed."""
        return np.array([self._code(one.unknown.get(what)) for one in self.videos], dtype=np.int64)

    def _where(self, lacks: Callable[[_VideoInputs], bool], reason: str) -> Ints:
        return np.array([self.reasons.code(reason) if lacks(one) else KNOWN for one in self.videos], dtype=np.int64)

    def _are_people(self, names: Ints) -> NDArray[np.bool_]:
        table = np.array([name.base in PEOPLE for name in self.names.names], dtype=np.bool_)
        return np.asarray(table[names])


def _first(one: Ints, other: Ints) -> Ints:
    return np.where(one != KNOWN, one, other)


def _inputs_of(record: Mapping[str, Any], present: set[str], coded: set[str], people: _People) -> _VideoInputs:
    roles: Mapping[str, str] = record.get("roles") or {}
    searched = frozenset(record["detector"]["categories"])
    return _VideoInputs(
        is_truth=record["detector"]["kind"] == "truth",
        searched=searched,
        # Roles of categories that nobody looks for are not given to anybody.
        assigned=frozenset(role for name, role in roles.items() if name in searched or name.isdigit()),
        present=frozenset(present),
        coded=frozenset(coded),
        has_heads=record.get("heads") is not None or "faces" in _bodies(record),
        has_placement=_placement(record.get("config") or {}),
        bodies=_bodies(record),
        unknown=(record.get("sampling") or {}).get("unknown") or {},
        weak=_weak(record.get("weak") or {}, roles),
        roles_estimated=bool(record.get("roles_estimated")),
        people=people,
    )


def _bodies(record: Mapping[str, Any]) -> frozenset[str]:
    """What was looked for in the people of a video."""
    return frozenset((record.get("bodies") or {}).get("finds") or ())


def _weak(weak: Mapping[str, Mapping[str, float]], roles: Mapping[str, str]) -> dict[str, str]:
    """Category or role → why it is not known whether it was there: it was detected, but never surely enough."""
    reasons = {name: seen_weakly(float(each["seconds"]), float(each["max_confidence"])) for name, each in weak.items()}
    return reasons | {roles[name]: reason for name, reason in reasons.items() if name in roles}


def _placement(config: Mapping[str, Any]) -> bool:
    """Whether the predicates of place were computed, by the settings of the analysis (on by default)."""
    relations = (config.get("scenes") or {}).get("relations") or {}
    return bool(relations.get("placement", True))


_UNSURE_SHARE = 0.1
"""Where people of unknown role are in view for longer than this share of the time of a role's people, within the window
that is asked about, how long somebody of that role is there is not known."""


def _distinct_windows(windows: Windows) -> tuple[Windows, Ints]:
    """The different ones, and the place of each among them."""
    video, begin_s, end_s = windows.video, windows.begin_s, windows.end_s
    order = np.lexsort((end_s, begin_s, video))
    new = np.ones(len(order), np.bool_)
    for column in (video, begin_s, end_s):
        sorted_ = column[order]
        new[1:] &= sorted_[1:] == sorted_[:-1]
    new[1:] = ~new[1:]
    place = np.empty(len(order), np.int64)
    place[order] = np.cumsum(new) - 1
    return windows.take(order[new]), place


def _unsearched(name: str, video: _VideoInputs) -> str | None:
    if name in video.weak and name not in video.present:
        return video.weak[name]
    if video.is_truth or name == ANYTHING or name in video.searched | video.present | video.assigned:
        return None
    known = video.searched | video.present
    if name == ANY_PERSON and not video.present & PERSON_CATEGORIES:
        weak = [reason for category, reason in video.weak.items() if category in PERSON_CATEGORIES]
        if weak:
            return weak[0]
    if name == ANY_PERSON:
        return None if known & PERSON_CATEGORIES else not_searched(name)
    if name == ANY_THING:
        return None if known - PERSON_CATEGORIES - BODY_CATEGORIES else not_searched(name)
    if name in ROLES and video.searched & PERSON_CATEGORIES:
        return _unmarked(name, video)
    return not_searched(name)


def _unmarked(role: str, video: _VideoInputs) -> str | None:
    """Why it is not known who has a role that nobody of a video has."""
    # Where those of unknown role are is told window by window.
    looked_at = video.roles_estimated or not video.people.unknown
    everybody = role in _ESTIMATED and looked_at and not video.people.roles & _GUESSED
    return nobody_marked(role) if video.present & PERSON_CATEGORIES and not everybody else None


def _left_out_unmarked(name: Name, video: _VideoInputs) -> str | None:
    """Why it is not known who is left out of a name of people: nobody looked at who is a child."""
    if video.is_truth or not _leaves_out_roles(name):
        return None
    known = video.searched | video.present | video.assigned
    reasons = (_unmarked(role, video) for role in name.excluded if role in _ESTIMATED and role not in known)
    return next((reason for reason in reasons if reason is not None), None)


def _leaves_out_roles(name: Name) -> bool:
    """Whether children or caregivers are left out of a name that others go by as well."""
    return name.base in _OF_MANY_ROLES and not _ESTIMATED.isdisjoint(name.excluded)


def people_in_codes(batch: Batch, store: Store) -> Mapping[str, frozenset[str]]:
    """Kind of code → who is coded in it in any video of ``store``, in lower case; ``batch`` has some of its videos."""
    whole = batch if len(batch.video_ids) == len(store.video_ids()) else Batch(store, store.video_ids())
    return {kind: frozenset(who.lower() for who in people) for kind, people in whole.codes.participants.items()}
