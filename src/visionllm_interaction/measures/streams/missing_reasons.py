"""Why values are unknown, for many groups at once: an input is missing, which is not the same as *nothing found*."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from visionllm_interaction.core.categories import BODY_CATEGORIES, PERSON_CATEGORIES
from visionllm_interaction.core.grouped_arrays import Floats, Ints, distinct
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
from visionllm_interaction.measures.streams.stream_scopes import ANYTHING, Name, NameTable, StreamGroups
from visionllm_interaction.measures.streams.string_codes import StringCodes
from visionllm_interaction.store.reader import ANY_PERSON, ANY_THING, Store

_ESTIMATED = frozenset({"child", "caregiver"})
_GUESSED = ROLES - _ESTIMATED

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


class _People(Struct, frozen=True):
    """People of one video whose role is known, and those whose role is not.

    Attributes:
        seconds: role → seconds for which those who have it are in view, added up.
        unknown: number of people without a role.
        unknown_s: seconds of theirs.
    """

    seconds: Mapping[str, float]
    unknown: int
    unknown_s: float


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
        return any(one.roles_estimated and one.people.unknown for one in self.videos)

    def _people(self, video: int) -> _People:
        tracks, words = self.batch.tracks, self.batch.texts.words
        rows = np.flatnonzero((tracks.video == video) & tracks.is_person)
        seconds: dict[str, float] = {}
        for role, length_s in zip(tracks.role[rows].tolist(), self._in_view_s[rows], strict=True):
            name = words[role] if role >= 0 else ""
            seconds[name] = seconds.get(name, 0.0) + float(length_s)
        unknown = sum(role < 0 or not words[role] for role in tracks.role[rows].tolist())
        return _People(seconds, unknown, seconds.get("", 0.0))

    @cached_property
    def _in_view_s(self) -> Floats:
        """(T,) seconds for which each track is in view: one that was lost and found again is not there in between."""
        sightings, n_tracks = self.batch.sightings, len(self.batch.tracks.video)
        return np.bincount(sightings.group, sightings.end_s - sightings.begin_s, minlength=n_tracks).astype(np.float64)

    def not_processed(self, groups: StreamGroups) -> Ints:
        """(G,) :data:`.NOT_PROCESSED` where no frame was processed in the scope."""
        return np.where(groups.processed.any[groups.scope], KNOWN, self.reasons.code(NOT_PROCESSED))

    def unsearched(self, names: Ints, video: Ints) -> Ints:
        """(Q,) whether the detector of ``video`` (Q,) looks for ``names`` (Q,)."""
        table = np.full((len(self.names.names), len(self.batch.video_ids)), KNOWN)
        for code in distinct(names).tolist():
            table[code] = self._unsearched_in(self.names.names[code])
        return np.asarray(table[names, video])

    def _unsearched_in(self, name: Name) -> Ints:
        if name not in self._unsearched:
            reasons = [_unsearched(name.base, video) for video in self.videos]
            self._unsearched[name] = np.array([self._code(reason) for reason in reasons], dtype=np.int64)
            self.in_part |= {self._code(r) for v in self.videos if (r := _unsure_of_role(name.base, v)) is not None}
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

    def of_predicate(self, predicate: str, subject: Ints, object_: Ints | None, video: Ints) -> Ints:
        """Why it is not known when a predicate of boxes holds between two names.

        Args:
            predicate: ``visible`` or one of ``core.predicates``.
            subject: (Q,) names.
            object_: (Q,) names; None: anything.
            video: (Q,) places of videos.

        Returns:
            (Q,) reasons, :data:`KNOWN` where it is.
        """
        found = self.unsearched(subject, video)
        if object_ is not None:
            found = _first(found, self.unsearched(object_, video))
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

    def of_posture(self, subject: Ints, video: Ints) -> Ints:
        """Why it is not known which posture people of a name have, (Q,)."""
        found = self.unsearched(subject, video)
        return _first(found, self._where(lambda one: "pose" not in one.bodies, NO_POSES)[video])

    def of_quality(self, flag: str | None, video: Ints) -> Ints:
        """Why it is not known when a video is hard to see, (Q,)."""
        quality = self.batch.quality
        known = quality.measured if flag in ("small", "edge") else quality.measured & quality.has_images
        return np.where(known, KNOWN, self.reasons.code(NO_QUALITY))[video]

    def of_event(self, kind: str, subject: Ints, others: tuple[Ints, ...], video: Ints) -> Ints:
        """Why it is not known when events of a kind with these actors happen, (Q,)."""
        found = self.unsearched(subject, video)
        for names in others:
            found = _first(found, self.unsearched(names, video))
        found = _first(found, self._unknown(kind)[video])
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
"""Where people of unknown role are there for longer than this share of the time of a role's people, how long somebody
of that role is there is not known."""


def _unsure_of_role(name: str, video: _VideoInputs) -> str | None:
    people = video.people
    is_unsure = people.unknown and people.unknown_s > _UNSURE_SHARE * people.seconds.get(name, 0.0)
    if name in _ESTIMATED and video.roles_estimated and is_unsure:
        return role_unknown(people.unknown, people.unknown_s)
    return None


def _unsearched(name: str, video: _VideoInputs) -> str | None:
    if name in video.weak and name not in video.present:
        return video.weak[name]
    if (unsure := _unsure_of_role(name, video)) is not None:
        return unsure
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
        everybody = name in _ESTIMATED and not video.people.unknown and not video.people.seconds.keys() & _GUESSED
        return nobody_marked(name) if video.present & PERSON_CATEGORIES and not everybody else None
    return not_searched(name)


def people_in_codes(batch: Batch, store: Store) -> Mapping[str, frozenset[str]]:
    """Kind of code → who is coded in it in any video of ``store``, in lower case; ``batch`` has some of its videos."""
    whole = batch if len(batch.video_ids) == len(store.video_ids()) else Batch(store, store.video_ids())
    return {kind: frozenset(who.lower() for who in people) for kind, people in whole.codes.participants.items()}
