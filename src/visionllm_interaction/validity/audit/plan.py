"""Plan an audit of a measure, or extend one that is too small."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from visionllm_interaction import __version__
from visionllm_interaction.artifacts.manifest import utc_now
from visionllm_interaction.errors import UsageError
from visionllm_interaction.store.reader import Store, open_store
from visionllm_interaction.utils.path_type import StrPath
from visionllm_interaction.validity.audit.correctable_measures import check_units, correctable, state_of
from visionllm_interaction.validity.audit.folder import (
    DESIGN_FILE,
    UNITS_SCHEMA,
    AuditDesign,
    AuditFolder,
    read_audit,
    write_audit,
)
from visionllm_interaction.validity.audit.population import population
from visionllm_interaction.validity.audit.sampling import (
    MIN_CLIPS_PER_CLASS,
    MIN_PER_CLASS,
    DrawnSample,
    detector_classes,
    draw,
    expected_spread,
    strata_of,
)
from visionllm_interaction.validity.audit.states import StateOfPair
from visionllm_interaction.validity.estimation.audited_units import UnitKind


@dataclass(frozen=True)
class PlannedAudit:
    """What was planned.

    Attributes:
        folder: the audit's folder.
        unit: ``"frame"`` or ``"clip"``.
        units: units in the recordings.
        tasks: units that people are to label.
        twice: how many of them a second coder labels too.
        expected_half_width: of the 95 % interval for these recordings, in the unit of a label.
        strata: stratum → units and tasks.
        notes: what to know before the work begins.
    """

    folder: Path
    unit: UnitKind
    units: int
    tasks: int
    twice: int
    expected_half_width: float
    strata: Mapping[str, tuple[int, int]]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``visionllm audit plan``."""
        return {**asdict(self), "folder": str(self.folder)}


def plan_audit(
    measure: str,
    store: StrPath,
    out: StrPath,
    *,
    subject: str,
    object: str | None = None,
    predicate: str | None = None,
    clip_s: float | None = None,
    half_width: float | None = None,
    labels: int | None = None,
    twice_share: float = 0.15,
    seed: int = 0,
) -> PlannedAudit:
    """Draw the frames or clips that people label, as a stratified probability sample within every child.

    Shares and durations take scattered frames, which tell most per label; bouts take whole clips.

    Args:
        measure: what is to be corrected, as in the tidy table.
        store: the store's folder.
        out: a new folder for the audit.
        subject: role or category that the measure is about.
        object: the other role or category, for measures of pairs.
        predicate: for measures of bouts.
        clip_s: length of the clips in seconds; None: frames, or 30 s where the measure needs clips.
        half_width: wanted half width of the 95 % interval of a share, as a share; None: 0.05. For counts: share of the
            expected rate; None: 0.2.
        labels: number of tasks instead.
        twice_share: share of the tasks that a second coder labels too.
        seed: of the random numbers.

    Returns:
        What was planned.

    Raises:
        UsageError: if the measure cannot be corrected, an option is impossible, or the folder holds an audit.
        InputDataError: if there is nothing to audit.
        StoreError: if the store is missing or damaged.
    """
    spec = correctable(measure)
    state = state_of(spec, subject=subject, object=object, predicate=predicate)
    _check_options(clip_s, half_width, twice_share, Path(out))
    length_s = clip_s if clip_s is not None or "frame" in spec.units else 30.0
    kind: UnitKind = "frame" if length_s is None else "clip"
    check_units(spec, kind)
    wanted = half_width if half_width is not None else (0.05 if spec.quantity == "share" else 0.2)
    with open_store(store) as opened:
        _check_names(opened, state)
        videos = population(opened, state, clip_s=length_s)
        detectors = _detectors(opened)
    table = pa.concat_tables([video.table for video in videos])
    known = all(video.child_is_known for video in videos)
    design = AuditDesign(
        measure=measure,
        predicate=state.predicate,
        subject=subject,
        object=object,
        unit=kind,
        clip_s=length_s,
        store=str(Path(store).resolve()),
        detectors=detectors,
        half_width=wanted,
        labels=labels,
        twice_share=twice_share,
        seed=seed,
        rounds=1,
        children_are_known=known,
        expected_half_width=0.0,
        created_at=utc_now(),
        version=__version__,
    )
    random = np.random.default_rng(seed).random(table.num_rows)
    return _draw_and_write(Path(out), design, table, random, labels=labels, former=None)


def extend_audit(folder: StrPath, *, half_width: float | None = None, labels: int | None = None) -> PlannedAudit:
    """Draw more units of an audit, as many as its labels say are needed; those drawn before stay.

    Args:
        folder: the audit's folder.
        half_width: wanted half width; None: as planned.
        labels: number of tasks in all instead.

    Returns:
        The audit as it is now.

    Raises:
        InputDataError: if there is no audit.
    """
    former = read_audit(folder)
    design = former.design.model_copy(
        update={
            "rounds": former.design.rounds + 1,
            "half_width": half_width or former.design.half_width,
            "labels": labels,
        }
    )
    table = former.units.select(UNITS_SCHEMA.names[: UNITS_SCHEMA.names.index("class_")])
    random = former.column("random").astype(np.float64)
    return _draw_and_write(former.path, design, table, random, labels=labels, former=former)


def _draw_and_write(
    out: Path,
    design: AuditDesign,
    table: pa.Table,
    random: NDArray[np.float64],
    *,
    labels: int | None,
    former: AuditFolder | None,
) -> PlannedAudit:
    child = np.asarray(table["child"].to_pylist(), np.str_)
    share = table["predicted_share"].to_numpy(zero_copy_only=False).astype(np.float64)
    unsure = table["unsure"].to_numpy(zero_copy_only=False)
    classes = detector_classes(share, unsure)
    stratum = strata_of(child, classes)
    sample = _draw(design, table, classes, stratum, random, labels, former)
    twice = sample.drawn & (_second_random(random) < design.twice_share)
    columns = [pa.array(c) for c in (classes.tolist(), stratum.tolist(), random, sample.order)]
    columns += [pa.array(sample.inclusion_probability), pa.array(twice)]
    units = pa.Table.from_arrays([*table.columns, *columns], schema=UNITS_SCHEMA)
    planned = design.model_copy(update={"expected_half_width": sample.expected_half_width})
    write_audit(out, planned, units)
    notes = _notes(planned, sample, len(np.unique(child)))
    return PlannedAudit(
        out,
        design.unit,
        table.num_rows,
        int(sample.drawn.sum()),
        int(twice.sum()),
        sample.expected_half_width,
        sample.sizes,
        tuple(notes),
    )


def _draw(
    design: AuditDesign,
    table: pa.Table,
    classes: NDArray[np.str_],
    stratum: NDArray[np.str_],
    random: NDArray[np.float64],
    labels: int | None,
    former: AuditFolder | None,
) -> DrawnSample:
    human = former.human(design.quantity) if former is not None else np.full(len(stratum), np.nan)
    deviation, half_width = None, design.half_width
    if design.unit == "clip":
        column = "predicted_share" if design.quantity == "share" else "predicted_count"
        values = np.nan_to_num(table[column].to_numpy(zero_copy_only=False).astype(np.float64))
        # Half the detector's spread: what is left if people and detector correlate at about 0.85.
        deviation = max(0.5 * float(values.std()), 0.05)
        if design.quantity == "count":
            half_width = design.half_width * max(float(values.mean()), 0.1)
    before = None
    if former is not None:
        drawn = former.column("order").astype(np.int64) >= 0
        names, counts = np.unique(stratum[drawn], return_counts=True)
        before = {str(name): int(count) for name, count in zip(names, counts, strict=True)}
    spread = expected_spread(stratum, classes, human, deviation=deviation)
    return draw(
        stratum,
        classes,
        random=random,
        half_width=half_width,
        labels=labels,
        spread=spread,
        at_least=before,
        min_per_class=MIN_PER_CLASS if design.unit == "frame" else MIN_CLIPS_PER_CLASS,
    )


def _second_random(random: NDArray[np.float64]) -> NDArray[np.float64]:
    """Digits of the units' random numbers that did not decide whether they were drawn."""
    return np.asarray((random * 1e6) % 1.0)


def _check_options(clip_s: float | None, half_width: float | None, twice_share: float, out: Path) -> None:
    if clip_s is not None and not clip_s >= 1:
        raise UsageError("A clip is too short.", expected="1 s or more", found=f"{clip_s} s", where="--clip-s")
    if half_width is not None and not 0 < half_width < 1:
        raise UsageError(
            "The half width is impossible.", expected="between 0 and 1, for example 0.03", found=str(half_width)
        )
    if not 0 <= twice_share <= 1:
        raise UsageError("The share of double coding is impossible.", expected="0 to 1", found=str(twice_share))
    if (out / DESIGN_FILE).exists():
        raise UsageError(
            "The folder holds an audit already.",
            expected="a new folder",
            found=str(out),
            fix="name another one, or draw more units of this one with --extend",
        )


def _check_names(store: Store, state: StateOfPair) -> None:
    known = [*store.known_names(), "person", "thing"]
    for name in (state.subject, state.object):
        if name is not None and name not in known:
            raise UsageError(
                f"{name!r} is not in the store.", expected=f"one of: {', '.join(dict.fromkeys(known))}", found=name
            )


def _detectors(store: Store) -> tuple[str, ...]:
    records = [store.record(video_id).detector for video_id in store.video_ids()]
    return tuple(sorted({f"{record.name} {record.digest[:12]}" for record in records}))


def _notes(design: AuditDesign, sample: DrawnSample, children: int) -> list[str]:
    notes = []
    if not design.children_are_known:
        notes.append(
            "The store does not say which child each video is of; each video counts as one. Set it with "
            "`visionllm videos set` before planning."
        )
    if children < 5:
        notes.append(f"{children} children allow results for these recordings only, not for children in general.")
    if sample.expected_half_width > design.half_width and design.quantity == "share":
        notes.append(
            f"The half width to expect is {sample.expected_half_width:.3f}; {design.half_width:.3f} needs more labels "
            "than are planned."
        )
    if design.unit == "frame":
        notes.append("Frames cannot correct counts of bouts; plan those with --clip-s.")
    notes.append("Label the tasks in their order, all of them; who stops early keeps a random sample only then.")
    return notes
