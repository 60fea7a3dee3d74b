"""``study.yaml``: the store, the audits, the measures and contrasts of a study."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from visionllm_interaction.config_loading import Section, load_settings
from visionllm_interaction.utils.path_type import StrPath


class StudyMeasure(Section):
    """One corrected measure."""

    measure: str
    """As in the tidy table, for example near_duration."""
    audit: Path
    """Folder of its audit."""
    by: tuple[str, ...] = ()
    """Covariates: names give groups and differences, numbers slopes."""
    target: Literal["recordings", "children"] = "recordings"
    """Whom the intervals are about."""


class StudyAgreement(Section):
    """One comparison of coders."""

    codings: tuple[Path, ...]
    """Two or more coded files, folders of them, or stores; the first is the reference."""
    unit: Literal["time", "event", "frame"] = "time"
    """What is compared."""
    tolerance_s: float = Field(default=0.0, ge=0.0)
    """How far codes or onsets may lie apart, in seconds."""
    tiers: Mapping[str, str] = Field(default_factory=dict)
    """Tier of the first coder → tier of the others that means the same."""


class StudyDescription(Section):
    """What `visionllm report` writes about."""

    title: str = "Study report"
    """Title of the report."""
    store: Path = Path("store")
    """The interaction store."""
    measures: tuple[StudyMeasure, ...] = ()
    """The measures, each with its audit."""
    agreement: tuple[StudyAgreement, ...] = ()
    """Comparisons of coders."""
    slices: tuple[str, ...] = ("child", "age_months", "camera", "light")
    """Covariates by which errors of the detector are shown."""
    smallest_difference: float = Field(default=0.05, gt=0.0, lt=1.0)
    """The smallest share that matters: where the audit leaves more open, the report says so."""


def load_study(path: StrPath) -> StudyDescription:
    """Read ``study.yaml``; paths in it are relative to its folder.

    Args:
        path: the file.

    Returns:
        The study.

    Raises:
        ConfigError: with all problems at once.
    """
    study, base = load_settings(StudyDescription, [path]), Path(path).parent
    measures = tuple(m.model_copy(update={"audit": base / m.audit}) for m in study.measures)
    agreement = tuple(
        a.model_copy(update={"codings": tuple(base / coding for coding in a.codings)}) for a in study.agreement
    )
    return study.model_copy(update={"store": base / study.store, "measures": measures, "agreement": agreement})
