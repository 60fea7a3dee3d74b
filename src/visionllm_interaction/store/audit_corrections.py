"""Corrected values that lie in a store, beside what is detected: ``corrections/*.json``.

A corrected value is valid as long as the videos that it is about are as they were when it was kept: a video that was
analysed again, with another detector, other settings or newer algorithms, has another state.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from visionllm_interaction.errors import StoreError
from visionllm_interaction.utils.atomic_files import write_file
from visionllm_interaction.utils.path_type import StrPath

if TYPE_CHECKING:
    from visionllm_interaction.store.reader import Store

FOLDER = "corrections"
_EITHER_WAY = frozenset({"near", "in_contact", "together"})


class CorrectedValue(BaseModel):
    """A value by the detector, corrected by an audit.

    Attributes:
        value: the corrected value.
        low: lower end of its 95 % interval; None if it has none.
        high: upper end.
        unit: of all three.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: float
    low: float | None = None
    high: float | None = None
    unit: str

    def __str__(self) -> str:
        number = f"{self.value:.4g} {self.unit}"
        if self.low is None or self.high is None:
            return f"corrected {number}"
        return f"corrected {number}, 95 % interval {self.low:.4g} to {self.high:.4g}"


@dataclass(frozen=True, slots=True)
class MeasuredState:
    """What a corrected value is about.

    Attributes:
        measure: as in the tidy table.
        predicate: of measures of bouts; None for the others.
        subject: role or category.
        object: the other one; None for *visible*.
    """

    measure: str
    predicate: str | None
    subject: str
    object: str | None = None

    def either_way(self) -> tuple[MeasuredState, ...]:
        """The same, and with subject and object exchanged where that is the same."""
        about = self.predicate or _PREDICATES.get(self.measure)
        if self.object is None or about not in _EITHER_WAY:
            return (self,)
        return (self, MeasuredState(self.measure, self.predicate, self.object, self.subject))


_PREDICATES: Mapping[str, str] = {
    "co_presence_duration": "together",
    "near_duration": "near",
    "contact_duration": "in_contact",
}


class StoredCorrection(BaseModel):
    """The corrected values of one measure.

    Attributes:
        kind: always ``correction``.
        schema_version: of this file.
        measure: as in the tidy table.
        predicate: of measures of bouts; None for the others.
        subject: role or category.
        object: the other one; None for *visible*.
        definition_version: of the measure.
        together: of all videos together.
        by_video: video → its own value, of videos with enough labels.
        states: video → its state when the values were kept.
        audited: number of labels.
        created_at: UTC.
        version: of the program.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["correction"] = "correction"
    schema_version: Literal[1] = 1
    measure: str
    predicate: str | None
    subject: str
    object: str | None
    definition_version: int
    together: CorrectedValue
    by_video: dict[str, CorrectedValue]
    states: dict[str, str]
    audited: int
    created_at: str
    version: str

    @property
    def about(self) -> MeasuredState:
        """What the values are about."""
        return MeasuredState(self.measure, self.predicate, self.subject, self.object)


@dataclass(frozen=True)
class ValidCorrection:
    """A correction whose values may be shown.

    Attributes:
        about: what it is about.
        together: the value of ``videos`` together; None if one of them has changed or is gone.
        videos: the videos that ``together`` is about.
        by_video: video → its own value, of videos that have not changed.
    """

    about: MeasuredState
    together: CorrectedValue | None
    videos: frozenset[str]
    by_video: Mapping[str, CorrectedValue]


def video_state(store: Store, video_id: str) -> str:
    """A digest of how a video was analysed and when; another analysis has another one."""
    record = store.video(video_id)
    parts = [record[name] for name in ("fingerprint", "created_at", "n_processed", "n_detections", "n_tracks")]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def write_correction(store: StrPath, correction: StoredCorrection) -> Path:
    """Keep corrected values in a store; those of the same measure and names are replaced.

    Args:
        store: the store's folder.
        correction: the values.

    Returns:
        The file.
    """
    first = min(correction.about.either_way(), key=str)
    name = hashlib.sha256(str(first).encode()).hexdigest()[:12]
    path = Path(store) / FOLDER / f"{correction.measure}-{name}.json"
    path.parent.mkdir(exist_ok=True)
    write_file(path, (correction.model_dump_json(indent=1) + "\n").encode())
    return path


def read_corrections(store: Store, *, versions: Mapping[str, int]) -> tuple[ValidCorrection, ...]:
    """The kept corrections, as far as they are still valid.

    Args:
        store: the open store.
        versions: measure → version of its present definition; corrections of other definitions are left out.

    Returns:
        Those with at least one valid value.

    Raises:
        StoreError: if a file cannot be read.
    """
    folder = store.path / FOLDER
    if not folder.is_dir():
        return ()
    states: dict[str, str] = {}
    found = []
    for path in sorted(folder.glob("*.json")):
        kept = _read(path)
        if versions.get(kept.measure) != kept.definition_version:
            continue
        for video_id in kept.states:
            if video_id in store and video_id not in states:
                states[video_id] = video_state(store, video_id)
        same = {video_id for video_id, state in kept.states.items() if states.get(video_id) == state}
        together = kept.together if len(same) == len(kept.states) else None
        by_video = {video_id: value for video_id, value in kept.by_video.items() if video_id in same}
        if together is not None or by_video:
            found.append(ValidCorrection(kept.about, together, frozenset(kept.states), by_video))
    return tuple(found)


def forget_corrections(store: StrPath, video_id: str) -> None:
    """Delete the corrections that a video had a part in, and those of which that cannot be told."""
    for path in (Path(store) / FOLDER).glob("*.json"):
        try:
            concerned = video_id in _read(path).states
        except StoreError:
            concerned = True
        if concerned:
            path.unlink()


def _read(path: Path) -> StoredCorrection:
    try:
        return StoredCorrection.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise StoreError(
            "A kept correction cannot be read.",
            expected="a file written by `visionllm correct --keep`",
            found=" ".join(str(error).split())[:300],
            where=str(path),
            fix="delete the file, and keep the correction again",
        ) from error
