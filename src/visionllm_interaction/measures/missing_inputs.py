"""Why a value is unknown: an input that the measure needs is missing. That is not the same as *nothing found*."""

from __future__ import annotations

from collections.abc import Mapping

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.core.predicates import DIRECTED_PREDICATES

NOT_PROCESSED = "no frame was processed"
NOT_CODED = "this time was not coded"
NOT_ALIKE = "not all of these names were coded in the same time"
NO_PERSON = "it is measured only where somebody is on one of the sides"
NO_HOLDER = "it is measured only between somebody and what can be held"
NO_ACTOR = "only people are the first actor of an event"
NO_HEADS = "no head directions were imported"
NO_HANDS = "no hands were looked for when the video was analysed"
NO_POSES = "no poses were looked for when the video was analysed"
NO_QUALITY = "the quality of the images was not measured when the video was analysed"
NO_PLACEMENT = "the predicates of place were switched off when the video was analysed"
PLACEMENT = frozenset(DIRECTED_PREDICATES) - {"facing", "hand_on"}
_PROXIES = frozenset({"child-proxy", "caregiver-proxy"})
ROLES = frozenset({"child", "caregiver"}) | _PROXIES
PEOPLE = PERSON_CATEGORIES | _PROXIES
PREDICATE_OF: Mapping[str, str] = {"joint_handling_duration": "holding", "mean_gap": "near"}
"""Measures without a predicate of their own that are computed from the relations of a pair."""


def nothing_imported(kind: str) -> str:
    """The reason where no code of ``kind`` (speech, gaze, naming) was imported for a video."""
    return f"no {_in_words(kind)} was imported"


def nobody_coded(kind: str, name: str) -> str:
    """The reason where ``kind`` was imported, but ``name`` is coded in no video of the store."""
    return f"no {_in_words(kind)} of {name!r} was imported"


def _in_words(kind: str) -> str:
    return kind.replace("_", " ")


def not_searched(name: str) -> str:
    """The reason where the detector of a video does not look for ``name``."""
    return f"the detector does not look for {name!r}"


def nobody_marked(name: str) -> str:
    """The reason where people were detected and none of them was given the role ``name``."""
    return f"nobody who was detected is marked as {name!r}"


_ROLE_UNKNOWN = "unsure: it is not known of"


def role_unknown(people: int, seconds: float) -> str:
    """The reason where it is not known of people, seen for so long, who is a child and who is not."""
    who = "somebody" if people == 1 else f"{people} people"
    return (
        f"{_ROLE_UNKNOWN} {who} ({seconds:.1f} s) whether that is a child or an adult; "
        "`visionllm roles review` shows them"
    )


def is_role_unknown(reason: str | None) -> bool:
    """Whether a reason is that of :func:`role_unknown`: what was found may be a part."""
    return reason is not None and reason.startswith(_ROLE_UNKNOWN)


def seen_weakly(seconds: float, max_confidence: float) -> str:
    """The reason where something was detected, but never surely enough for a track."""
    return (
        f"unsure: it was detected for {seconds:.1f} s, but never surely enough for a track "
        f"(confidence up to {max_confidence:.2f}; see analysis.video.track)"
    )
