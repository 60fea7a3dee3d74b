"""A methods paragraph, ready to paste."""

from __future__ import annotations

from collections.abc import Sequence

from visionllm_interaction import __version__
from visionllm_interaction.validity.agreement.agree import AgreementReport
from visionllm_interaction.validity.audit.folder import read_audit
from visionllm_interaction.validity.audit.measure_correction import Correction
from visionllm_interaction.validity.report.study_file import StudyDescription


def methods_paragraph(
    study: StudyDescription, corrections: Sequence[Correction], agreements: Sequence[AgreementReport]
) -> str:
    """How the numbers were made, in the words of a methods section.

    Args:
        study: the study.
        corrections: the corrected measures.
        agreements: comparisons of coders.

    Returns:
        One paragraph.
    """
    parts = [f"Videos were analysed with VisionLLM Interaction Analysis {__version__}."]
    for measure in study.measures:
        design = read_audit(measure.audit).design
        first = next(c for c in corrections if c.measure == measure.measure)
        clips = f"clips of {design.clip_s:g} s" if design.clip_s else "single frames"
        parts.append(
            f"For {measure.measure} ({design.state}), people who did not see the detections labelled {first.audited} "
            f"{clips} out of {first.units}, a stratified random sample within each of {first.children} children with "
            "stored inclusion probabilities."
        )
    if corrections:
        parts.append(
            "Estimates were corrected with prediction-powered inference with power tuning (Angelopoulos, Duchi & "
            "Zrnic, 2023), a regression estimator of survey sampling; units without a label by the detector were a "
            "class of their own. "
        )
        parts.append(_interval_words({c.target for c in corrections}))
    parts += [
        f"Agreement of {', '.join(found.coders)} was computed by {found.unit}"
        + (f" with a tolerance of {found.tolerance_s:g} s" if found.tolerance_s else "")
        + ": Cohen's kappa per child and pooled, with its largest possible value, and Krippendorff's alpha."
        for found in agreements
    ]
    return " ".join(part.strip() for part in parts)


def _interval_words(targets: set[str]) -> str:
    words = []
    if "recordings" in targets:
        words.append(
            "Intervals for these recordings follow from the sampling design with finite population correction, on the "
            "logit scale for shares and the log scale for rates."
        )
    if "children" in targets:
        words.append(
            "Intervals for children in general are leave-one-child-out jackknife intervals on the logit scale for "
            "shares with t(G − 1)."
        )
    return " ".join(words)
