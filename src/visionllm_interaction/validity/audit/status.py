"""How far an audit has come: labels, agreement of its coders, and the half width reached."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from visionllm_interaction.errors import VisionLLMError
from visionllm_interaction.utils.path_type import StrPath
from visionllm_interaction.validity.agreement.coefficients import (
    AgreementValue,
    Kappa,
    cohens_kappa,
    intraclass,
    undefined,
)
from visionllm_interaction.validity.audit.correctable_measures import correctable
from visionllm_interaction.validity.audit.folder import AuditFolder, read_audit
from visionllm_interaction.validity.audit.measure_correction import audit_units
from visionllm_interaction.validity.estimation.side_by_side import compare


@dataclass(frozen=True)
class AuditStatus:
    """How far an audit has come.

    Attributes:
        folder: the audit's folder.
        state: what is judged.
        unit: ``"frame"`` or ``"clip"``.
        tasks: units drawn.
        labelled: coder → units labelled.
        next_tasks: the first units without a label of the main coder.
        half_width: of the corrected result so far; None if there is none yet.
        half_width_reason: why there is none; None if there is one.
        wanted_half_width: as planned.
        people: agreement of the two coders with most labels; kappa of frames, or the intraclass correlation of clips.
    """

    folder: str
    state: str
    unit: str
    tasks: int
    labelled: dict[str, int]
    next_tasks: tuple[str, ...]
    half_width: float | None
    half_width_reason: str | None
    wanted_half_width: float
    people: Kappa | AgreementValue

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``visionllm audit status``."""
        return asdict(self)


def audit_status(folder: StrPath, *, store: StrPath | None = None) -> AuditStatus:
    """How far an audit has come.

    Args:
        folder: the audit's folder.
        store: the store's folder, where it is no longer where the audit was planned.

    Returns:
        Its state.

    Raises:
        InputDataError: if there is no audit.
    """
    audit = read_audit(folder)
    labelled: dict[str, int] = {}
    for label in audit.labels:
        labelled[label.coder] = labelled.get(label.coder, 0) + 1
    coder = audit.main_coder()
    done = {label.unit_id for label in audit.labels if label.coder == coder}
    tasks = [str(unit) for unit in audit.column("unit_id")[audit.tasks()]]
    half_width, reason = _half_width(audit, store)
    return AuditStatus(
        str(audit.path),
        str(audit.design.state),
        audit.design.unit,
        len(tasks),
        labelled,
        tuple([unit for unit in tasks if unit not in done][:5]),
        half_width,
        reason,
        audit.design.half_width,
        between_people(audit),
    )


def _half_width(audit: AuditFolder, store: StrPath | None) -> tuple[float | None, str | None]:
    try:
        [found] = compare(audit_units(audit, correctable(audit.design.measure), store=store), scale="plain")
    except VisionLLMError as error:
        return None, error.message
    low, high = found.corrected.interval.low, found.corrected.interval.high
    if low is None or high is None:
        return None, found.corrected.interval.reason
    return (high - low) / 2, None


def between_people(audit: AuditFolder) -> Kappa | AgreementValue:
    """Agreement of the two coders with most labels on the units that both labelled.

    Args:
        audit: the audit.

    Returns:
        Kappa of frames; of clips the intraclass correlation (absolute agreement) of the shares.
    """
    counts: dict[str, int] = {}
    for label in audit.labels:
        counts[label.coder] = counts.get(label.coder, 0) + 1
    coders = sorted(counts, key=lambda name: (-counts[name], name))[:2]
    if len(coders) < 2:
        return undefined("a second coder has labelled nothing: `visionllm audit export --twice-only`")
    first, second = (audit.human("share", coder) for coder in coders)
    both = ~np.isnan(first) & ~np.isnan(second)
    if not both.any():
        return undefined("no unit was labelled by both coders")
    if audit.design.unit == "clip":
        return intraclass(np.stack([first[both], second[both]], axis=1)).absolute
    table = np.zeros((2, 2))
    np.add.at(table, (first[both].astype(int), second[both].astype(int)), 1.0)
    return cohens_kappa(table, ("no", "yes"))
