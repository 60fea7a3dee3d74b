"""Compute a study and write its report."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visionllm_interaction.artifacts.manifest import utc_now
from visionllm_interaction.measures.plugins import all_measures
from visionllm_interaction.store.covariates import read_covariates
from visionllm_interaction.store.reader import open_store
from visionllm_interaction.utils.path_type import StrPath
from visionllm_interaction.validity.agreement.agree import AgreementReport, agree
from visionllm_interaction.validity.agreement.coefficients import AgreementValue, Kappa
from visionllm_interaction.validity.agreement.pairs import TierAgreement
from visionllm_interaction.validity.audit.correctable_measures import correctable
from visionllm_interaction.validity.audit.folder import AuditFolder, read_audit
from visionllm_interaction.validity.audit.measure_correction import Correction, audit_units, correct
from visionllm_interaction.validity.audit.status import between_people
from visionllm_interaction.validity.estimation.confidence_intervals import Scale
from visionllm_interaction.validity.estimation.side_by_side import ComparedEstimate, Estimate
from visionllm_interaction.validity.report.charts import estimates_chart
from visionllm_interaction.validity.report.error_slices import error_slices
from visionllm_interaction.validity.report.methods import methods_paragraph
from visionllm_interaction.validity.report.rendering import (
    ReportDocument,
    ReportSection,
    ReportTable,
    write_html,
    write_markdown,
)
from visionllm_interaction.validity.report.study_file import StudyDescription, StudyMeasure, load_study


@dataclass(frozen=True)
class StudyReport:
    """The files of a report, and what it is about."""

    html: Path
    markdown: Path
    corrections: tuple[Correction, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``visionllm report``."""
        corrections = [correction.to_dict() for correction in self.corrections]
        return {"html": str(self.html), "markdown": str(self.markdown), "corrections": corrections}


def write_study_report(study: StrPath, out: StrPath) -> StudyReport:
    """Write ``report.html`` and ``report.md``.

    Args:
        study: ``study.yaml``.
        out: a folder; created if it does not exist.

    Returns:
        The files and the corrected measures.

    Raises:
        ConfigError: if the study is not a valid one.
        InputDataError: if an audit or a coding cannot be used.
        UsageError: if a measure cannot be corrected, or matplotlib is not installed.
    """
    settings, place = load_study(study), Path(out)
    corrections = [(m, [correct_one(m, by, settings) for by in (None, *m.by)]) for m in settings.measures]
    agreements = [agree(*a.codings, unit=a.unit, tolerance_s=a.tolerance_s, tiers=a.tiers) for a in settings.agreement]
    every = [correction for _, found in corrections for correction in found]
    sections = (
        _sample(settings),
        *(_measure_section(m, found, settings) for m, found in corrections),
        *(_agreement_section(found) for found in agreements),
        _limitations(every, corrections),
        ReportSection("Methods, ready to paste", (methods_paragraph(settings, every, agreements),)),
        ReportSection("The exact commands", commands=tuple(_commands(Path(study), place, settings, every))),
    )
    intro = (
        f"Written {utc_now()[:10]}. Every number is as detected, from the audit alone, or corrected, and says which."
    )
    document = ReportDocument(settings.title, intro, sections)
    place.mkdir(parents=True, exist_ok=True)
    write_html(place / "report.html", document)
    write_markdown(place / "report.md", document)
    return StudyReport(place / "report.html", place / "report.md", tuple(every))


def correct_one(measure: StudyMeasure, by: str | None, study: StudyDescription) -> Correction:
    """Correct one measure of a study by one covariate, or by none."""
    return correct(measure.measure, measure.audit, by=by, target=measure.target, store=study.store)


def _sample(study: StudyDescription) -> ReportSection:
    facts, known, detectors = [], [], set()
    with open_store(study.store) as store:
        for video_id in store.video_ids():
            record = store.record(video_id)
            covariates = read_covariates(study.store, video_id)
            known.append(covariates.values() if covariates else {})
            share = record.n_processed / record.n_frames if record.n_frames else 0.0
            facts.append((video_id, f"{record.duration_s:.0f} s", f"{share:.0%} of {record.n_frames} frames"))
            detectors.add(f"{record.detector.kind} {record.detector.name}, digest {record.detector.digest[:16]}")
    children = {values["child"] for values in known if values.get("child")}
    told = sorted(detectors)
    named = "; ".join(told[:3]) + (f"; and {len(told) - 3} more" if len(told) > 3 else "")
    paragraphs = (
        f"{len(facts)} videos of {len(children) or 'an unknown number of'} children.",
        f"Detections come from: {named}.",
    )
    names = tuple(dict.fromkeys(name for values in known for name in values))
    rows = tuple(
        (*fact, *(_covariate(values.get(name)) for name in names)) for fact, values in zip(facts, known, strict=True)
    )
    table = ReportTable(("video", "length", "processed", *names), rows)
    return ReportSection("Sample and detector", paragraphs, (table,))


def _covariate(value: float | str | None) -> str:
    if value is None:
        return "not set"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _measure_section(measure: StudyMeasure, found: Sequence[Correction], study: StudyDescription) -> ReportSection:
    folder, spec = read_audit(measure.audit), correctable(measure.measure)
    first = found[0]
    definition = all_measures()[measure.measure].definition if measure.measure in all_measures() else ""
    whom = "these recordings" if first.target == "recordings" else "children in general"
    refusals = _refusals(found)
    paragraphs = [
        f"Definition: {definition}",
        f"About: {first.state}. Intervals are for {whom}.",
        *_audit_words(folder, first),
        *([f"The correction with constant error rates was refused: {'; '.join(refusals)}."] if refusals else []),
        *first.notes,
    ]
    tables = [_estimates_table(correction) for correction in found]
    charts = [
        estimates_chart(part, unit=c.unit, zero=zero)
        for c in found
        for zero, part in ((False, _means(c)), (True, _contrasts(c)))
        if part
    ]
    units = audit_units(folder, spec, store=study.store)
    scale: Scale = "logit" if spec.quantity == "share" else "log"
    smallest = study.smallest_difference if spec.quantity == "share" else study.smallest_difference / 60
    parts = list(error_slices(units, study.slices, scale=scale, smallest=smallest))
    factor, unit = (100.0, "%") if spec.quantity == "share" else (60.0, "per min")
    rows = [
        (s.covariate, s.value, str(s.audited), *_slice_cells(s.estimate, factor), s.problem or "good enough")
        for s in parts
    ]
    columns = ("by", "part", "audited", f"as detected, {unit}", f"corrected, {unit}", "uncorrected use")
    return ReportSection(
        f"{measure.measure}: {first.state}",
        tuple(paragraphs),
        (*tables, ReportTable(columns, tuple(rows))),
        tuple(charts),
    )


def _refusals(found: Sequence[Correction]) -> list[str]:
    """Why constant rates of errors were refused; what holds for several estimates is said once."""
    estimates: dict[str, list[str]] = {}
    for correction in found:
        for reason in correction.constant_rates.refusals:
            estimates.setdefault(reason, []).append(f"by {correction.by}" if correction.by else "all together")
    everywhere = len(found)
    return [
        reason if len(where) == everywhere else f"{' and '.join(where)}: {reason}"
        for reason, where in estimates.items()
    ]


def _means(correction: Correction) -> list[ComparedEstimate]:
    return [e for e in correction.estimates if not _is_contrast(e)]


def _contrasts(correction: Correction) -> list[ComparedEstimate]:
    return [e for e in correction.estimates if _is_contrast(e)]


def _is_contrast(estimate: ComparedEstimate) -> bool:
    return " − " in estimate.name or estimate.name.endswith(": slope")


def _audit_words(folder: AuditFolder, correction: Correction) -> Iterator[str]:
    design = folder.design
    length = f" of {design.clip_s:g} s" if design.clip_s else ""
    yield (
        f"Audit: {correction.audited} of {correction.units} {design.unit}s{length} in {correction.children} children, "
        f"a stratified random sample by child and by what the detector says (seed {design.seed}, drawn in "
        f"{design.rounds} round{'s' if design.rounds > 1 else ''}, planned half width {design.half_width:g})."
    )
    people = between_people(folder)
    value = people.kappa if isinstance(people, Kappa) else people
    name = "kappa" if design.unit == "frame" else "intraclass correlation"
    yield f"Between people, on the tasks that two of them labelled: {name} {value}."


def _estimates_table(correction: Correction) -> ReportTable:
    rows = tuple((e.name, _cell(e.naive), _cell(e.audit_only), _cell(e.corrected)) for e in correction.estimates)
    columns = (correction.unit, "as detected, as if without errors", "audit only", "corrected")
    return ReportTable(columns, rows)


def _cell(estimate: Estimate) -> str:
    shown = "not defined" if estimate.value is None else f"{estimate.value:.4g}"
    if estimate.interval.low is None or estimate.interval.high is None:
        return f"{shown} (no interval: {estimate.interval.reason})"
    return f"{shown} [{estimate.interval.low:.4g}, {estimate.interval.high:.4g}]"


def _slice_cells(estimate: ComparedEstimate | None, factor: float) -> tuple[str, str]:
    if estimate is None:
        return "", ""
    scaled = estimate.scaled(factor)
    naive = "" if scaled.naive.value is None else f"{scaled.naive.value:.1f}"
    return naive, _cell(scaled.corrected)


def _agreement_section(found: AgreementReport) -> ReportSection:
    pairs = [(f"{pair.first} / {pair.second}", tier) for pair in found.pairs for tier in pair.tiers]
    rows = [
        (
            coders,
            tier.tier,
            *_kappa_cells(tier),
            str(found.alpha.get(tier.tier, AgreementValue(None, "not computed"))),
            "; ".join(f"{c.code}: precision {c.accuracy.precision}, recall {c.accuracy.recall}" for c in tier.codes),
        )
        for coders, tier in pairs
        if tier.recordings
    ]
    lacking: dict[str, list[str]] = {}
    for coders, tier in pairs:
        if not tier.recordings:
            lacking.setdefault(f"{coders}: {tier.pooled.kappa}", []).append(tier.tier)
    missing = (f"{reason}. Tiers: {', '.join(tiers)}." for reason, tiers in lacking.items())
    columns = ("coders", "tier", "kappa, mean over children", "kappa, pooled", "largest kappa", "alpha", "by code")
    tolerance = f", tolerance {found.tolerance_s:g} s" if found.tolerance_s else ""
    title = f"Agreement by {found.unit}{tolerance}"
    return ReportSection(title, (*found.notes, *missing), (ReportTable(columns, tuple(rows)),) if rows else ())


def _kappa_cells(tier: TierAgreement) -> tuple[str, str, str]:
    """Mean over children, pooled and largest kappa; a reason why there is none is told once."""
    if tier.pooled.kappa.value is None:
        return str(tier.pooled.kappa), "–", "–"
    return str(tier.mean_over_children), str(tier.pooled.kappa), str(tier.pooled.kappa_max)


def _limitations(every: Sequence[Correction], pairs: Sequence[tuple[StudyMeasure, list[Correction]]]) -> ReportSection:
    found = ["Numbers as detected carry the errors of the detector; their intervals do not. They are shown to compare."]
    if any(c.target == "recordings" for c in every):
        found.append("Results for these recordings say nothing about how much children differ from each other.")
    if any(c.children < 5 for c in every):
        found.append("Below five children there is no interval for children in general.")
    for measure, corrections in pairs:
        signs = [e for c in corrections for e in _contrasts(c) if _opposite(e)]
        found += [
            f"{measure.measure}, {e.name}: as detected and corrected have opposite signs. Publish the corrected one."
            for e in signs
        ]
    found.append(
        "People err as well: a correction brings the detector to what the main coder would say, not to the truth."
    )
    return ReportSection("Limitations", tuple(found))


def _opposite(estimate: ComparedEstimate) -> bool:
    naive, corrected = estimate.naive.value, estimate.corrected.value
    return naive is not None and corrected is not None and naive * corrected < 0


def _commands(path: Path, out: Path, study: StudyDescription, every: Sequence[Correction]) -> Iterator[str]:
    del every
    for measure in study.measures:
        design = read_audit(measure.audit).design
        parts = ["visionllm", "audit", "plan", design.measure, "--store", str(study.store), "--out", str(measure.audit)]
        size = ["--half-width", f"{design.half_width:g}"] if design.labels is None else ["--labels", str(design.labels)]
        parts += ["--subject", design.subject, "--seed", str(design.seed), *size, "--twice", f"{design.twice_share:g}"]
        parts += ["--object", design.object] if design.object else []
        parts += ["--clip-s", f"{design.clip_s:g}"] if design.clip_s else []
        parts += ["--predicate", design.predicate] if correctable(design.measure).predicate is None else []
        yield shlex.join(parts)
        for by in (None, *measure.by):
            correction = [
                "visionllm",
                "correct",
                measure.measure,
                "--audit",
                str(measure.audit),
                "--target",
                measure.target,
            ]
            yield shlex.join([*correction, *(["--by", by] if by else [])])
    for agreement in study.agreement:
        tiers = [part for ours, theirs in agreement.tiers.items() for part in ("--tier", f"{ours}={theirs}")]
        parts = ["visionllm", "agree", *map(str, agreement.codings), "--unit", agreement.unit, *tiers]
        yield shlex.join([*parts, "--tolerance", f"{agreement.tolerance_s:g}s"])
    yield shlex.join(["visionllm", "report", str(path), "--out", str(out)])
