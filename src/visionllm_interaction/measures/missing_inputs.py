"""Why a value is unknown: an input that the measure needs is missing. That is not the same as *nothing found*."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from visionllm_interaction.core.categories import BODY_CATEGORIES, PERSON_CATEGORIES
from visionllm_interaction.core.predicates import DIRECTED_PREDICATES
from visionllm_interaction.measures.catalogue import CODED_PREDICATES, Measure
from visionllm_interaction.store.reader import ANY_PERSON, ANY_THING, Store

NOT_PROCESSED = "no frame was processed"
NOT_CODED = "this time was not coded"
NO_PERSON = "it is measured only where somebody is on one of the sides"
NO_HOLDER = "it is measured only between somebody and what can be held"
NO_ACTOR = "only people are the first actor of an event"
NO_HEADS = "no head directions were imported"
NO_PLACEMENT = "the predicates of place were switched off when the video was analysed"
_PLACEMENT = frozenset(DIRECTED_PREDICATES) - {"facing"}
_PROXIES = frozenset({"child-proxy", "caregiver-proxy"})
_ROLES = frozenset({"child", "caregiver"}) | _PROXIES
_PEOPLE = PERSON_CATEGORIES | _PROXIES
_PREDICATE_OF: Mapping[str, str] = {"joint_handling_duration": "holding", "mean_gap": "near"}
"""Measures without a predicate of their own that are computed from the relations of a pair."""


def nothing_imported(kind: str) -> str:
    """The reason where no code of ``kind`` (speech, gaze, naming) was imported for a video."""
    return f"no {kind} was imported"


def nobody_coded(kind: str, name: str) -> str:
    """The reason where ``kind`` was imported, but ``name`` is coded in no video of the store."""
    return f"no {kind} of {name!r} was imported"


def not_searched(name: str) -> str:
    """The reason where the detector of a video does not look for ``name``."""
    return f"the detector does not look for {name!r}"


def nobody_marked(name: str) -> str:
    """The reason where people were detected and none of them was given the role ``name``."""
    return f"nobody who was detected is marked as {name!r}"


@dataclass(frozen=True)
class _VideoInputs:
    """The inputs of one video: its detector, roles, tracks, codes and settings."""

    is_truth: bool
    searched: frozenset[str]
    assigned: frozenset[str]
    present: frozenset[str]
    coded: frozenset[str]
    has_heads: bool
    has_placement: bool


@dataclass
class Inputs:
    """Which inputs the videos of a store have; each video's record is read once."""

    store: Store
    _videos: dict[str, _VideoInputs] = field(default_factory=dict)
    _coded: dict[str, frozenset[str]] | None = None

    def missing(
        self, measure: Measure, subject: str, object_: str | None, predicate: str, *, video_id: str, processed: bool
    ) -> str | None:
        """Why ``measure`` has no value in a video in which its query found nothing.

        Args:
            measure: a measure of the catalogue.
            subject: a name of the store.
            object_: another one; None where the measure has none.
            predicate: what bouts are made of, or the kind of event.
            video_id: the video.
            processed: whether any frame was processed in the window asked about.

        Returns:
            The reason, in words; None where the input is there, so that *nothing found* is a result.
        """
        if measure.is_of_turns:
            return self._uncoded("speech", (subject, object_ or ""), video_id)
        if measure.inputs == "bout" and predicate in CODED_PREDICATES:
            reason = self._uncoded(CODED_PREDICATES[predicate], (subject,), video_id)
            return reason or (None if processed or measure.name != "bout_rate" else NOT_PROCESSED)
        if measure.name == "size_at_naming" and "naming" not in self._video(video_id).coded:
            return nothing_imported("naming")
        if not processed:
            return NOT_PROCESSED
        if measure.inputs == "event":
            return self._unsearched((subject, object_), video_id) or (None if subject in _PEOPLE else NO_ACTOR)
        return self.of_predicate(_PREDICATE_OF.get(measure.name, predicate), subject, object_, video_id=video_id)

    def of_predicate(self, predicate: str, subject: str, object_: str | None, *, video_id: str) -> str | None:
        """Why it is not known when ``predicate`` holds between two names in a video; None where it is."""
        if predicate in CODED_PREDICATES:
            return self._uncoded(CODED_PREDICATES[predicate], (subject,), video_id)
        reason = self._unsearched((subject, object_), video_id)
        if reason or predicate == "visible":
            return reason
        video = self._video(video_id)
        if predicate == "facing" and not video.has_heads:
            return NO_HEADS
        if predicate in _PLACEMENT and not video.has_placement:
            return NO_PLACEMENT
        if predicate == "holding" and not _can_hold(subject, object_):
            return NO_HOLDER
        return _without_person(subject, object_)

    def _unsearched(self, names: tuple[str | None, ...], video_id: str) -> str | None:
        video = self._video(video_id)
        reasons = (_unsearched(name, video) for name in names if name is not None)
        return next((reason for reason in reasons if reason), None)

    def _uncoded(self, kind: str, people: tuple[str, ...], video_id: str) -> str | None:
        if kind not in self._video(video_id).coded:
            return nothing_imported(kind)
        coded = self._coded_people().get(kind, frozenset())
        return next((nobody_coded(kind, name) for name in people if name.lower() not in coded), None)

    def _coded_people(self) -> dict[str, frozenset[str]]:
        """Kind of code → who is coded in it, in any video of the store."""
        if self._coded is None:
            found: dict[str, set[str]] = {}
            for row in self.store.rows("SELECT DISTINCT kind, lower(participant) AS who FROM codes"):
                found.setdefault(row["kind"], set()).add(row["who"])
            self._coded = {kind: frozenset(people) for kind, people in found.items()}
        return self._coded

    def read_all(self) -> None:
        """Read the inputs of every video at once; one by one a large store would take many small queries."""
        if len(self._videos) < len(self.store.video_ids()):
            self._videos.update(_read_inputs(self.store, None))

    def _video(self, video_id: str) -> _VideoInputs:
        if video_id not in self._videos:
            self._videos.update(_read_inputs(self.store, video_id))
        return self._videos[video_id]


def _read_inputs(store: Store, video_id: str | None) -> dict[str, _VideoInputs]:
    """The inputs of one video, or of all."""
    only = {"video_id": video_id}
    where = "WHERE ($video_id IS NULL OR video_id = $video_id)"
    tracks = store.rows(f"SELECT DISTINCT video_id, category, role FROM tracks {where}", only)  # noqa: S608
    codes = store.rows(f"SELECT DISTINCT video_id, kind FROM codes {where}", only)  # noqa: S608
    present: dict[str, set[str]] = defaultdict(set)
    coded: dict[str, set[str]] = defaultdict(set)
    for row in tracks:
        present[row["video_id"]] |= {name for name in (row["category"], row["role"]) if name}
    for row in codes:
        coded[row["video_id"]].add(row["kind"])
    wanted = store.video_ids() if video_id is None else [video_id]
    return {id_: _inputs_of(store.video(id_), present[id_], coded[id_]) for id_ in wanted}


def _inputs_of(record: Mapping[str, Any], present: set[str], coded: set[str]) -> _VideoInputs:
    roles: Mapping[str, str] = record.get("roles") or {}
    return _VideoInputs(
        is_truth=record["detector"]["kind"] == "truth",
        searched=frozenset(record["detector"]["categories"]),
        assigned=frozenset(roles.values()),
        present=frozenset(present),
        coded=frozenset(coded),
        has_heads=record.get("heads") is not None,
        has_placement=_placement(record.get("config") or {}),
    )


def _placement(config: Mapping[str, Any]) -> bool:
    """Whether the predicates of place were computed, by the settings of the analysis (on by default)."""
    relations = (config.get("scenes") or {}).get("relations") or {}
    return bool(relations.get("placement", True))


def _unsearched(name: str, video: _VideoInputs) -> str | None:
    if video.is_truth or name in video.searched | video.present | video.assigned:
        return None
    known = video.searched | video.present
    if name == ANY_PERSON:
        return None if known & PERSON_CATEGORIES else not_searched(name)
    if name == ANY_THING:
        return None if known - PERSON_CATEGORIES - BODY_CATEGORIES else not_searched(name)
    if name in _ROLES and video.searched & PERSON_CATEGORIES:
        return nobody_marked(name) if video.present & PERSON_CATEGORIES else None
    return not_searched(name)


def _without_person(subject: str, object_: str | None) -> str | None:
    """Relations need a person on one side; without an object the subject may be an object."""
    return None if object_ is None or subject in _PEOPLE or object_ in _PEOPLE else NO_PERSON


def _can_hold(subject: str, object_: str | None) -> bool:
    return object_ is None or (subject in _PEOPLE) != (object_ in _PEOPLE)
