"""Commands on what people add and one can publish: audit, correct, agree, videos, report."""

# Packages are imported inside the commands, so that other commands start without them.

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from visionllm_interaction.cli.formatting import as_lines
from visionllm_interaction.cli.output import CommandResult, JsonFlag, StoreOption
from visionllm_interaction.errors import UsageError

if TYPE_CHECKING:
    from visionllm_interaction.validity.agreement.agree import AgreementReport
    from visionllm_interaction.validity.audit.measure_correction import Correction

audit = typer.Typer(
    help="Which frames or clips people label, their tasks, and the labels that come back.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
videos = typer.Typer(
    help="Covariates of videos: child, age, group, camera, light.", no_args_is_help=True, rich_markup_mode=None
)

AuditFolderArgument = Annotated[Path, typer.Argument(help="The audit's folder.")]
MovedStore = Annotated[Path | None, typer.Option("--store", help="Default: the store the audit was planned on.")]


@audit.command()
def plan(
    measure: Annotated[str, typer.Argument(help="As in the tidy table, for example visible_share or bout_count.")],
    out: Annotated[Path, typer.Option(help="The audit's folder: a new one, or with --extend the one to extend.")],
    store: StoreOption = Path("store"),
    subject: Annotated[str, typer.Option(help="Role or category, for example child.")] = "child",
    object_: Annotated[str | None, typer.Option("--object", help="The other one, for measures of pairs.")] = None,
    predicate: Annotated[str | None, typer.Option(help="For measures of bouts, for example near.")] = None,
    clip_s: Annotated[float | None, typer.Option(help="Clips of so many seconds instead of frames.")] = None,
    half_width: Annotated[
        float | None, typer.Option(help="Wanted half width of the 95 % interval; default 0.05, of counts 20 %.")
    ] = None,
    labels: Annotated[int | None, typer.Option(min=1, help="Number of tasks instead of --half-width.")] = None,
    twice: Annotated[float, typer.Option(help="Share of the tasks that a second coder labels too.")] = 0.15,
    seed: Annotated[int, typer.Option(help="Seed of the random numbers.")] = 0,
    extend: Annotated[
        bool, typer.Option("--extend", help="Draw more units of an audit, as its labels advise.")
    ] = False,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Draw the frames or clips that people label: a stratified random sample within every child."""
    from visionllm_interaction.validity.audit.plan import extend_audit, plan_audit

    if extend:
        found = extend_audit(out, half_width=half_width, labels=labels)
    else:
        found = plan_audit(
            measure,
            store,
            out,
            subject=subject,
            object=object_,
            predicate=predicate,
            clip_s=clip_s,
            half_width=half_width,
            labels=labels,
            twice_share=twice,
            seed=seed,
        )
    lines = [
        f"{found.tasks} of {found.units} {found.unit}s in {out}, {found.twice} of them for a second coder",
        f"expected half width of the 95 % interval: {found.expected_half_width:.3g}",
        *(f"note: {note}" for note in found.notes),
    ]
    return CommandResult(found.to_dict(), as_lines(lines), json_output)


@audit.command()
def export(
    folder: AuditFolderArgument,
    out: Annotated[Path, typer.Option(help="A folder for the tasks.")],
    format_: Annotated[str, typer.Option("--format", help="csv, elan, labelstudio or cvat.")] = "csv",
    twice_only: Annotated[bool, typer.Option("--twice-only", help="Only the tasks of the second coder.")] = False,
    store: MovedStore = None,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Write the tasks for CVAT, Label Studio, ELAN or a spreadsheet; what the detector says is not in them."""
    from visionllm_interaction.validity.audit.tasks import export_tasks

    found = export_tasks(folder, out, format=format_, twice_only=twice_only, store=store)
    lines = [f"{found.tasks} tasks", *(f"wrote {file}" for file in found.files)]
    return CommandResult(found.to_dict(), as_lines(lines), json_output)


@audit.command("import")
def import_(
    folder: AuditFolderArgument,
    files: Annotated[list[Path], typer.Argument(help="Labelled .csv, .eaf, .json (Label Studio) or .xml (CVAT).")],
    coder: Annotated[str, typer.Option(help="Who labelled them.")],
    json_output: JsonFlag = False,
) -> CommandResult:
    """Read labelled tasks back; a second coder's labels stand beside the first one's."""
    from visionllm_interaction.validity.audit.label_import import import_labels

    found = import_labels(folder, *files, coder=coder)
    text = (
        f"{found.labels} labels of {coder} ({found.cannot_tell} cannot tell); {found.labelled} of {found.tasks} tasks"
    )
    return CommandResult(found.to_dict(), text, json_output)


@audit.command()
def status(folder: AuditFolderArgument, store: MovedStore = None, json_output: JsonFlag = False) -> CommandResult:
    """How far an audit has come: labels, agreement of its coders, and the half width reached."""
    from visionllm_interaction.validity.agreement.coefficients import Kappa
    from visionllm_interaction.validity.audit.status import audit_status

    found = audit_status(folder, store=store)
    reached = found.half_width_reason if found.half_width is None else f"{found.half_width:.3g}"
    people = found.people.kappa if isinstance(found.people, Kappa) else found.people
    name = "kappa" if found.unit == "frame" else "intraclass correlation"
    lines = [
        f"{found.state}: {found.tasks} {found.unit}s to label",
        *(f"{coder}: {count} labelled" for coder, count in found.labelled.items()),
        f"half width of the corrected result: {reached} (wanted {found.wanted_half_width:.3g})",
        f"between people: {name} {people}",
        f"next: {', '.join(found.next_tasks)}" if found.next_tasks else "all tasks are labelled",
    ]
    return CommandResult(found.to_dict(), as_lines(lines), json_output)


def correct(
    measure: Annotated[str, typer.Argument(help="As in the tidy table, for example visible_share.")],
    audit_folder: Annotated[Path, typer.Option("--audit", help="The audit's folder.")],
    by: Annotated[str | None, typer.Option(help="A covariate: group, age_months, …")] = None,
    target: Annotated[
        Literal["recordings", "children"], typer.Option(help="These recordings, or children in general.")
    ] = "recordings",
    store: MovedStore = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep it in the store: answers and tables show it beside what is detected.")
    ] = False,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Correct a measure by an audit: as detected, from people alone and corrected, always side by side."""
    from visionllm_interaction.validity.audit.measure_correction import correct as correct_measure

    if keep and (by is not None or target != "recordings"):
        raise UsageError(
            "Only corrections of the recordings can be kept: values of single recordings are shown beside them.",
            expected="--keep alone",
            found="--keep with --by or --target children",
        )
    found = correct_measure(measure, audit_folder, by=by, target=target, store=store)
    if not keep:
        return CommandResult(found.to_dict(), correction_text(found), json_output)
    from visionllm_interaction.validity.audit.keep_correction import keep_correction

    kept = keep_correction(measure, audit_folder, store=store)
    result = {**found.to_dict(), "kept": {"file": str(kept.file), "by_video": sorted(kept.by_video)}}
    line = f"kept in {kept.file}: {kept.videos} videos together, {len(kept.by_video)} of them by themselves"
    return CommandResult(result, as_lines([correction_text(found), line]), json_output)


def correction_text(found: Correction) -> str:
    """A correction for a terminal."""
    whom = "these recordings" if found.target == "recordings" else "children in general"
    lines = [f"{found.measure} ({found.state}), {found.unit}; 95 % intervals for {whom}"]
    for row in found.estimates:
        lines += [f"  {row.name}", *(f"    {estimate}" for estimate in (row.naive, row.audit_only, row.corrected))]
    rates = found.constant_rates
    lines += [f"correction with constant error rates refused: {reason}" for reason in rates.refusals]
    lines.append(f"{found.audited} of {found.units} units audited, {found.children} children")
    return as_lines([*lines, *(f"note: {note}" for note in found.notes)])


def agree(
    codings: Annotated[
        list[Path], typer.Argument(help="Two or more coded files, folders of them, or stores; with --looks one store.")
    ],
    looks: Annotated[
        bool, typer.Option("--looks", help="Within one store: looks from eye trackers with looks that people coded.")
    ] = False,
    unit: Annotated[Literal["time", "event", "frame"], typer.Option(help="What is compared.")] = "time",
    tolerance: Annotated[str, typer.Option(help="How far codes or onsets may lie apart, for example 2s.")] = "0s",
    tier: Annotated[
        list[str] | None, typer.Option(metavar="FIRST=OTHER", help="Tiers of different names that mean the same.")
    ] = None,
    child: Annotated[
        list[str] | None, typer.Option(metavar="RECORDING=CHILD", help="Recordings of one child depend on each other.")
    ] = None,
    coded_tier: Annotated[str, typer.Option(help="The tier that says which time was coded.")] = "coded",
    step_s: Annotated[float, typer.Option(help="Length of a frame for --unit frame and alpha.")] = 0.1,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Agreement of coders, people or models: kappa, alpha, precision and recall, onsets; per child first."""
    if looks:
        return _agree_looks(codings, unit, _seconds(tolerance), step_s, json_output, others=bool(tier or child))
    from visionllm_interaction.validity.agreement.agree import agree as compare_coders

    found = compare_coders(
        *codings,
        unit=unit,
        tolerance_s=_seconds(tolerance),
        tiers=_pairs(tier, "--tier"),
        children=_pairs(child, "--child"),
        coded_tier=coded_tier,
        step_s=step_s,
    )
    return CommandResult(found.to_dict(), agreement_text(found), json_output)


def _agree_looks(
    stores: list[Path],
    unit: Literal["time", "event", "frame"],
    tolerance_s: float,
    step_s: float,
    json_output: bool,
    *,
    others: bool,
) -> CommandResult:
    from visionllm_interaction.validity.agreement.looks import agree_looks

    if len(stores) != 1 or others:
        raise UsageError(
            "--looks compares within one store.",
            expected="one store, without --tier and --child",
            found=f"{len(stores)} paths" if len(stores) != 1 else "--tier or --child",
        )
    found = agree_looks(stores[0], unit=unit, tolerance_s=tolerance_s, step_s=step_s)
    return CommandResult(found.to_dict(), agreement_text(found), json_output)


def agreement_text(found: AgreementReport) -> str:
    """Agreement for a terminal."""
    lines = []
    for pair in found.pairs:
        lines.append(f"{pair.first} and {pair.second}, by {found.unit}")
        for tier in pair.tiers:
            pooled = tier.pooled
            lines += [
                f"  {tier.tier}: kappa per child {tier.mean_over_children}; pooled {pooled.kappa}",
                f"    observed {pooled.observed}, largest possible kappa {pooled.kappa_max}",
                *([f"    no interval: {pooled.kappa.interval_reason}"] if pooled.kappa.interval_reason else []),
            ]
            for code in tier.codes:
                parts = code.accuracy
                lines.append(
                    f"    {code.code or '(no label)'}: precision {parts.precision}, recall {parts.recall}, "
                    f"F1 {parts.f1}, overlap {code.overlap}, onset error {code.onset_error.mean_absolute} s"
                )
    lines += [f"alpha of {tier}: {value}" for tier, value in found.alpha.items()]
    return as_lines([*lines, *(f"note: {note}" for note in found.notes)])


def _seconds(text: str) -> float:
    try:
        return float(text.strip().removesuffix("s"))
    except ValueError as error:
        raise UsageError("A time cannot be read.", expected="seconds, for example 2s", found=text) from error


def _pairs(texts: list[str] | None, option: str) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts or ()]
    for name, sign, value in pairs:
        if not (name and sign and value):
            raise UsageError(f"{option} cannot be read.", expected=f"{option} NAME=NAME", found=f"{name}{sign}{value}")
    return {name.strip(): value.strip() for name, _, value in pairs}


@videos.command("set")
def set_(
    video: Annotated[str | None, typer.Argument(help="video_id, or the path of the file.")] = None,
    store: StoreOption = Path("store"),
    child: Annotated[str | None, typer.Option(help="Id of the child.")] = None,
    age_months: Annotated[float | None, typer.Option(help="Age in months.")] = None,
    group: Annotated[str | None, typer.Option(help="For example control.")] = None,
    camera: Annotated[str | None, typer.Option(help="For example head.")] = None,
    light: Annotated[str | None, typer.Option(help="For example daylight.")] = None,
    other: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="Any other covariate.")] = None,
    table: Annotated[Path | None, typer.Option(help="A CSV file with a column `video` instead.")] = None,
    json_output: JsonFlag = False,
) -> CommandResult:
    """Set covariates of a video, or of many from a table; those not named stay."""
    from visionllm_interaction.store.covariates import set_covariates_from_csv, write_covariates

    if (video is None) == (table is None):
        raise UsageError(
            "Name a video or a table.", expected="VIDEO, or --table FILE", found="both" if video else "neither"
        )
    own = {"child": child, "age_months": age_months, "group": group, "camera": camera, "light": light}
    changes = {name: value for name, value in own.items() if value is not None} | _pairs(other, "--other")
    found = {video: write_covariates(store, video, changes)} if video else set_covariates_from_csv(store, table or "")
    result = {"store": str(store), "videos": {name: values.values() for name, values in found.items()}}
    return CommandResult(result, _covariates_text(result["videos"]), json_output)  # type: ignore[arg-type]


@videos.command("list")
def list_(store: StoreOption = Path("store"), json_output: JsonFlag = False) -> CommandResult:
    """The covariates of every video."""
    from visionllm_interaction.store.covariates import read_covariates
    from visionllm_interaction.store.layout import check_store, list_videos

    check_store(store)
    read = {video_id: read_covariates(store, video_id) for video_id in list_videos(store)}
    found = {video_id: values.values() if values else {} for video_id, values in read.items()}
    return CommandResult({"store": str(store), "videos": found}, _covariates_text(found), json_output)


def _covariates_text(found: dict[str, dict[str, float | str]]) -> str:
    return as_lines(
        f"{video_id}: {', '.join(f'{name} {value}' for name, value in values.items()) or 'nothing set'}"
        for video_id, values in found.items()
    )


def report(
    study: Annotated[Path, typer.Argument(help="study.yaml: the store, audits, measures and contrasts.")],
    out: Annotated[Path, typer.Option(help="A folder for report.html and report.md.")] = Path("report"),
    json_output: JsonFlag = False,
) -> CommandResult:
    """Write what one can publish, as HTML and Markdown: sample, agreement, corrected results, limitations, methods."""
    from visionllm_interaction.validity.report.write import write_study_report

    found = write_study_report(study, out)
    return CommandResult(found.to_dict(), as_lines([f"wrote {found.html}", f"wrote {found.markdown}"]), json_output)
