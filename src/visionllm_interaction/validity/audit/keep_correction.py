"""Keep a correction in the store, where answers, tables and queries show it beside what is detected."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from visionllm_interaction import __version__
from visionllm_interaction.artifacts.manifest import utc_now
from visionllm_interaction.errors import InputDataError
from visionllm_interaction.measures.catalogue import MEASURES as CATALOGUE
from visionllm_interaction.store.audit_corrections import (
    CorrectedValue,
    StoredCorrection,
    video_state,
    write_correction,
)
from visionllm_interaction.store.reader import Store, open_store
from visionllm_interaction.utils.path_type import StrPath
from visionllm_interaction.validity.audit.correctable_measures import CorrectableMeasure, check_units, correctable
from visionllm_interaction.validity.audit.folder import AuditFolder, read_audit
from visionllm_interaction.validity.audit.measure_correction import audit_units, total_unit
from visionllm_interaction.validity.audit.population import population
from visionllm_interaction.validity.estimation.audited_units import Units
from visionllm_interaction.validity.estimation.confidence_intervals import Scale
from visionllm_interaction.validity.estimation.side_by_side import compare, domain

MIN_LABELS = 20
"""A video with fewer labels has no corrected value of its own."""
_JUDGED = ("unit_id", "predicted_share", "predicted_count")


@dataclass(frozen=True)
class KeptCorrection:
    """What was kept.

    Attributes:
        file: in the store.
        together: of all videos together.
        by_video: video → its own value, of videos with enough labels.
        videos: number of videos.
    """

    file: Path
    together: CorrectedValue
    by_video: dict[str, CorrectedValue]
    videos: int


def keep_correction(measure: str, audit: StrPath, *, store: StrPath | None = None) -> KeptCorrection:
    """Correct a measure of the audited recordings, and keep the result in their store.

    Args:
        measure: as in the tidy table; its state must be the audited one.
        audit: the audit's folder.
        store: the store's folder, where it is no longer where the audit was planned.

    Returns:
        What was kept; it replaces what was kept of the same measure and names before.

    Raises:
        UsageError: if the measure cannot be corrected, by this audit or at all.
        InputDataError: if the store has changed since the audit was planned, or there is nothing to keep.
        StoreError: if the store is missing or damaged.
    """
    spec, folder = correctable(measure), read_audit(audit)
    check_units(spec, folder.design.unit)
    place = Path(store or folder.design.store)
    units = audit_units(folder, spec, store=place)
    together = _corrected(units, spec)
    if together is None:
        raise InputDataError(
            "There is no corrected value to keep.", expected="an estimate", found="none", where=str(folder.path)
        )
    with open_store(place) as opened:
        _check_unchanged(opened, folder)
        states = {video_id: video_state(opened, video_id) for video_id in opened.video_ids()}
    by_video = dict(_by_video(units, spec))
    state = folder.design.state
    correction = StoredCorrection(
        measure=measure,
        predicate=state.predicate if spec.predicate is None else None,
        subject=state.subject,
        object=state.object,
        definition_version=CATALOGUE[measure].version,
        together=together,
        by_video=by_video,
        states=states,
        audited=int(units.audited.sum()),
        created_at=utc_now(),
        version=__version__,
    )
    return KeptCorrection(write_correction(place, correction), together, by_video, len(states))


def _by_video(units: Units, spec: CorrectableMeasure) -> Iterator[tuple[str, CorrectedValue]]:
    video = units.covariates["video"]
    for name in np.unique(video).tolist():
        chosen = video == name
        if int((chosen & units.audited).sum()) >= MIN_LABELS:
            found = _corrected(domain(units, chosen), spec)
            if found is not None and found.low is not None:
                yield str(name), found


def _corrected(units: Units, spec: CorrectableMeasure) -> CorrectedValue | None:
    scale: Scale = "logit" if spec.quantity == "share" else "log"
    unit, factor = total_unit(spec, units)
    found = compare(units, scale=scale)[0].scaled(factor).corrected
    if found.value is None:
        return None
    return CorrectedValue(value=found.value, low=found.interval.low, high=found.interval.high, unit=unit)


def _check_unchanged(store: Store, folder: AuditFolder) -> None:
    """The audited units must be those of the store as it is now: a correction is of the values shown beside it."""
    now = pa.concat_tables(
        [video.table for video in population(store, folder.design.state, clip_s=folder.design.clip_s)]
    )
    if not now.select(_JUDGED).equals(folder.units.select(_JUDGED).cast(now.select(_JUDGED).schema)):
        raise InputDataError(
            "The store is not as it was when the audit was planned, so its values are not those that are corrected.",
            expected="the same videos with the same detections",
            found="other ones",
            where=str(store.path),
            fix="plan the audit again; labels of frames that are drawn again can be imported again",
        )
