"""Correct a measure by an audit: naive, audit alone and corrected, with what a reader must know."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.errors import InputDataError, UsageError
from visionllm_interaction.store.covariates import read_covariates
from visionllm_interaction.utils.path_type import StrPath
from visionllm_interaction.validity.audit.correctable_measures import CorrectableMeasure, check_units, correctable
from visionllm_interaction.validity.audit.folder import AuditFolder, read_audit
from visionllm_interaction.validity.estimation.audited_units import Units, realised_probability
from visionllm_interaction.validity.estimation.confidence_intervals import Scale
from visionllm_interaction.validity.estimation.rogan_gladen import ConstantRates, constant_rates
from visionllm_interaction.validity.estimation.side_by_side import ComparedEstimate, Target, compare

MAX_CANNOT_TELL = 0.1
"""Above this share of *cannot tell*, people cannot correct the detector."""


@dataclass(frozen=True)
class Correction:
    """A corrected measure.

    Attributes:
        measure: its name.
        state: what it is about.
        unit: of all values.
        target: whom the intervals are about.
        by: the covariate; None: all together.
        estimates: each three times: as detected, from the audit alone, corrected.
        constant_rates: the textbook correction, or why it was refused.
        children: number of children.
        audited: number of audited units.
        units: number of units.
        notes: what a reader must know.
    """

    measure: str
    state: str
    unit: str
    target: Target
    by: str | None
    estimates: tuple[ComparedEstimate, ...]
    constant_rates: ConstantRates
    children: int
    audited: int
    units: int
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``visionllm correct``."""
        return asdict(self)


def correct(
    measure: str,
    audit: StrPath,
    *,
    by: str | None = None,
    target: Target = "recordings",
    store: StrPath | None = None,
) -> Correction:
    """Correct a measure by the labels of an audit.

    Args:
        measure: as in the tidy table; its state must be the audited one.
        audit: the audit's folder.
        by: a covariate of the videos: names give groups and differences, numbers a slope.
        target: ``"recordings"`` or ``"children"`` in general.
        store: the store's folder, where it is no longer where the audit was planned.

    Returns:
        Every estimate three times, with intervals or the reasons why there are none.

    Raises:
        UsageError: if the measure cannot be corrected, by this audit or at all.
        InputDataError: if the labels are no probability sample of the recordings.
    """
    spec, folder = correctable(measure), read_audit(audit)
    check_units(spec, folder.design.unit)
    if spec.predicate is not None and spec.predicate != folder.design.predicate:
        raise UsageError(
            f"The audit is not about {spec.predicate!r}.",
            expected=f"an audit of {spec.predicate!r}",
            found=str(folder.design.state),
            fix=f"visionllm audit plan {measure} …",
        )
    if target == "children" and not folder.design.children_are_known:
        raise InputDataError(
            "Which child each video is of is not known, so nothing can be said about children in general.",
            expected="a child for every video",
            found="videos without one",
            fix="visionllm videos set VIDEO --child ID, then plan the audit again",
        )
    units = audit_units(folder, spec, store=store, by=by)
    scale: Scale = "logit" if spec.quantity == "share" else "log"
    found = compare(units, target=target, by=by, scale=scale)
    unit, factor = _unit(spec, units, target, by)
    rates = constant_rates(units, units.covariate(by) if by else None)
    notes = (*_notes(folder, units, spec), *_child_notes(units))
    return Correction(
        measure,
        str(folder.design.state),
        unit if by is None or not _is_slope(units, by) else f"{unit} per 1 of {by}",
        target,
        by,
        tuple(estimate.scaled(factor) for estimate in found),
        rates,
        len(units.children()),
        int(units.audited.sum()),
        len(units),
        notes,
    )


def _is_slope(units: Units, by: str) -> bool:
    return units.covariate(by).dtype.kind in "fiu"


def _unit(spec: CorrectableMeasure, units: Units, target: Target, by: str | None) -> tuple[str, float]:
    """The unit of the result, and what a mean over time is multiplied by."""
    if target == "recordings" and by is None:
        return total_unit(spec, units)
    return ("share", 1.0) if spec.unit == "share" else (spec.rate_unit, 60.0)


def total_unit(spec: CorrectableMeasure, units: Units) -> tuple[str, float]:
    """The unit of a measure of whole recordings, and what a mean over time is multiplied by.

    Args:
        spec: the measure.
        units: the units of the recordings.

    Returns:
        Both.
    """
    if spec.unit == "share":
        return "share", 1.0
    return ("per min", 60.0) if spec.unit == "per min" else (spec.unit, float(units.amount.sum()))


def audit_units(
    folder: AuditFolder, spec: CorrectableMeasure, *, store: StrPath | None = None, by: str | None = None
) -> Units:
    """The units of an audit for one measure.

    Args:
        folder: the audit.
        spec: the measure.
        store: the store's folder, for covariates; None: where it was planned.
        by: a covariate that is needed.

    Returns:
        The units.

    Raises:
        InputDataError: if tasks were skipped or nobody could tell too often.
    """
    amount = folder.column("amount_s").astype(np.float64)
    name = "predicted_share" if spec.quantity == "share" else "predicted_count"
    predicted, human = folder.column(name).astype(np.float64), folder.human(spec.quantity)
    _check_order(folder)
    if spec.quantity == "count":
        predicted, human = predicted / amount, human / amount
    video, stratum = folder.column("video_id").astype(np.str_), folder.column("stratum").astype(np.str_)
    covariates = _covariates(Path(store or folder.design.store), video, by)
    audited = ~np.isnan(human)
    chance = realised_probability(stratum, audited)
    child, pool = folder.column("child").astype(np.str_), folder.column("class_").astype(np.str_)
    return Units(child, predicted, human, chance, amount, stratum, covariates, folder.design.unit, pool)


def _check_order(folder: AuditFolder) -> None:
    """Labels of the first tasks are a random sample; labels here and there may be a choice."""
    coder = folder.main_coder()
    done = {label.unit_id: label.share for label in folder.labels if label.coder == coder}
    ids = folder.column("unit_id")[folder.tasks()]
    labelled = np.array([str(unit) in done for unit in ids], np.bool_)
    if not labelled.any():
        return
    skipped = int((~labelled[: int(np.flatnonzero(labelled)[-1])]).sum())
    if skipped:
        raise InputDataError(
            "Tasks were skipped: which ones have labels may be a choice, and the rest is no random sample.",
            expected="labels of all tasks, or of the first ones in their order",
            found=f"{skipped} without a label before the last one with",
            where=str(folder.path),
            fix="label them too (`visionllm audit status` names them); `cannot tell` is an answer",
        )
    unsure = sum(value is None for value in done.values()) / len(done)
    if unsure > MAX_CANNOT_TELL:
        raise InputDataError(
            "Too often nobody could tell.",
            expected=f"at most {MAX_CANNOT_TELL:.0%} of the labels",
            found=f"{unsure:.0%}",
            where=str(folder.path),
            fix="judge whole clips instead of frames (--clip-s), or define the state more clearly",
        )


def _covariates(store: Path, video: NDArray[np.str_], by: str | None) -> dict[str, NDArray[Any]]:
    names, code = np.unique(video, return_inverse=True)
    values: list[dict[str, float | str]] = []
    for name in names:
        found = read_covariates(store, str(name)) if (store / "videos" / str(name)).is_dir() else None
        values.append(found.values() if found else {})
    columns: dict[str, NDArray[Any]] = {"video": video}
    for name in sorted({key for of_video in values for key in of_video} | ({by} if by else set())):
        given = [of_video.get(name) for of_video in values]
        if not any(value is not None for value in given):
            continue
        if all(isinstance(value, float | int) for value in given if value is not None):
            column = np.array([np.nan if value is None else float(value) for value in given])
        else:
            column = np.array(["" if value is None else str(value) for value in given], np.str_)
        columns[name] = column[code]
    return columns


def _notes(folder: AuditFolder, units: Units, spec: CorrectableMeasure) -> Iterator[str]:
    share = float(np.average(units.unlabelled, weights=units.amount))
    if share > 0:
        yield (
            f"{share:.0%} of the time has no label by the detector. It is a class of its own here; as detected it "
            "counts as absent, and leaving it out would be wrong: what has no label is never missing at random."
        )
    coder, planned = folder.main_coder(), len(folder.tasks())
    mine = [label for label in folder.labels if label.coder == coder]
    unsure, done = sum(label.share is None for label in mine), len(mine)
    if unsure:
        yield f"{unsure} answers are `cannot tell`; they are taken to be like the other units of their stratum."
    if done < planned:
        yield f"{done} of {planned} tasks are labelled; the first ones are a random sample, but a smaller one."
    if folder.design.unit == "clip" and spec.quantity == "share":
        yield "Shares are told by scattered frames with fewer labels than by clips."
    names = folder.design.detectors
    yield f"Detector: {', '.join(names[:2])}{f' and {len(names) - 2} more' if len(names) > 2 else ''}."


def _child_notes(units: Units) -> Iterator[str]:
    count = len(units.children())
    if count < 5:
        yield f"{count} children: the result is about these recordings, not about children in general."
