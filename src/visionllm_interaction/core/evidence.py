"""Evidence: one value, and where it can be checked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

Basis = Literal["as detected", "coded", "detected and coded", "processed time", "plug-in"]
"""What a value rests on: the detector's results, with its errors; codes that people gave; both; the processed time of
the video alone; or whatever a plug-in reads."""
ValuesUsed = Literal["detected", "corrected"]
"""Whether a value is computed from what was detected, or from that as people have corrected it."""


def basis_in_words(basis: Basis, values: ValuesUsed) -> str:
    """What a value rests on, and whether people have corrected that."""
    if values == "detected":
        return basis
    corrected = {
        "as detected": "as corrected by people",
        "detected and coded": "corrected by people, and coded",
        "plug-in": "plug-in, corrected by people",
    }
    return corrected.get(basis, basis)


def reads_detections(basis: Basis) -> bool:
    """Whether corrections of what was detected change such a value."""
    return basis in ("as detected", "detected and coded", "plug-in")


def basis_of(*, codes: bool, detections: bool) -> Basis:
    """What a value rests on that reads people's codes, the detector's results, both, or neither."""
    if codes:
        return "detected and coded" if detections else "coded"
    return "as detected" if detections else "processed time"


def joined_basis(parts: Iterable[Basis]) -> Basis:
    """What a value rests on that is computed from several parts."""
    found = set(parts)
    if "plug-in" in found:
        return "plug-in"
    return basis_of(
        codes=bool(found & {"coded", "detected and coded"}),
        detections=bool(found & {"as detected", "detected and coded"}),
    )


@dataclass(frozen=True, slots=True)
class Evidence:
    """One value, and the video, tracks, times and frames where it can be checked.

    Attributes:
        id: id within an answer, for example ``e1``.
        measure: name of the measure.
        value: the value, in ``unit``.
        unit: the unit, for example ``s``.
        video_id: the video.
        track_ids: the tracks it was computed from.
        begin_s: first moment in seconds.
        end_s: first moment after it in seconds.
        frames: first and last frame index.
        kind: ``"computed"`` for results of code, ``"visual"`` for the weaker answers of a vision model.
        missing: why there is no value, if an input of the measure is missing. Without it a value of ``None`` or 0
            means that nothing was found.
        definition_version: version of the measure's definition.
        settings: the settings it was computed with, for measures that have any.
        basis: what it rests on. A corrected value stands beside it, never in its place.
    """

    id: str
    measure: str
    value: float | int | str | None
    unit: str
    video_id: str
    track_ids: tuple[int, ...]
    begin_s: float | None
    end_s: float | None
    frames: tuple[int, int] | None
    kind: Literal["computed", "visual"] = "computed"
    missing: str | None = None
    definition_version: int = 1
    settings: str | None = None
    basis: Basis = "as detected"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON form."""
        out = asdict(self)
        out["track_ids"] = list(self.track_ids)
        out["frames"] = list(self.frames) if self.frames else None
        return out
