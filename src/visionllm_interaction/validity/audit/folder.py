"""The folder of an audit: ``audit.yaml`` (its design), ``units.parquet`` (every unit) and ``labels.csv`` (people's)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from visionllm_interaction.errors import InputDataError
from visionllm_interaction.utils.atomic_files import write_file
from visionllm_interaction.utils.csv_safety import from_cell, to_cell
from visionllm_interaction.utils.path_type import StrPath
from visionllm_interaction.utils.strict_yaml import load_yaml
from visionllm_interaction.validity.audit import population
from visionllm_interaction.validity.audit.correctable_measures import Quantity, correctable
from visionllm_interaction.validity.audit.states import StateOfPair
from visionllm_interaction.validity.estimation.audited_units import Floats, UnitKind

DESIGN_FILE, UNITS_FILE, LABELS_FILE = "audit.yaml", "units.parquet", "labels.csv"
CANNOT_TELL = "cannot tell"

UNITS_SCHEMA = pa.schema(
    [
        *population.SCHEMA,
        pa.field("class_", pa.string()),
        pa.field("stratum", pa.string()),
        pa.field("random", pa.float64()),
        pa.field("order", pa.int64()),
        pa.field("inclusion_probability", pa.float64()),
        pa.field("twice", pa.bool_()),
    ]
)
"""The population's columns and the design: ``class_`` is what the detector says, ``order`` the place among the tasks
(−1: not drawn), ``twice`` whether a second coder labels the unit too."""


class AuditDesign(BaseModel):
    """How an audit was drawn.

    Attributes:
        kind: always ``audit``.
        schema_version: of this file.
        measure: the measure it was planned for.
        predicate: the state that people judge.
        subject: who.
        object: with whom or what.
        unit: ``frame`` or ``clip``.
        clip_s: length of a clip in seconds.
        store: the store's folder when it was planned.
        detectors: names and digests of the detectors whose results are audited.
        half_width: wanted half width of the 95 % interval.
        labels: wanted number of tasks, where that was given instead.
        twice_share: share of the tasks that a second coder labels too.
        seed: of the random numbers.
        rounds: how often it was drawn: 1, and once more for each extension.
        children_are_known: whether the store said which child each video is of.
        expected_half_width: as planned.
        created_at: UTC.
        version: of the program.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["audit"] = "audit"
    schema_version: Literal[1] = 1
    measure: str
    predicate: str
    subject: str
    object: str | None
    unit: UnitKind
    clip_s: float | None
    store: str
    detectors: tuple[str, ...]
    half_width: float
    labels: int | None = None
    twice_share: float
    seed: int
    rounds: int
    children_are_known: bool
    expected_half_width: float
    created_at: str
    version: str

    @property
    def state(self) -> StateOfPair:
        """What people judge."""
        return StateOfPair(self.predicate, self.subject, self.object)

    @property
    def quantity(self) -> Quantity:
        """What is planned for."""
        return correctable(self.measure).quantity


@dataclass(frozen=True, slots=True)
class Label:
    """One label by one person.

    Attributes:
        unit_id: the unit.
        coder: who labelled it.
        share: 1 yes, 0 no for a frame; the share of a clip's time; None: cannot tell.
        count: bouts that begin in a clip; None for frames.
    """

    unit_id: str
    coder: str
    share: float | None
    count: float | None


@dataclass(frozen=True, eq=False)
class AuditFolder:
    """An audit as read from its folder.

    Attributes:
        path: the folder.
        design: how it was drawn.
        units: the columns of :data:`UNITS_SCHEMA`, every unit of the recordings.
        labels: all labels so far.
    """

    path: Path
    design: AuditDesign
    units: pa.Table
    labels: tuple[Label, ...]

    def column(self, name: str) -> NDArray[np.generic]:
        """One column of the units as an array; texts as ``str``, missing numbers as NaN."""
        column = self.units[name]
        if pa.types.is_string(column.type):
            return np.asarray(column.to_pylist(), np.str_)
        return np.asarray(column.to_numpy(zero_copy_only=False))

    def tasks(self, *, twice_only: bool = False) -> NDArray[np.int64]:
        """Rows of the drawn units in the order in which they are labelled.

        Args:
            twice_only: only those that a second coder labels too.

        Returns:
            Row numbers.
        """
        order = self.column("order").astype(np.int64)
        chosen = order >= 0
        if twice_only:
            chosen &= self.column("twice").astype(np.bool_)
        rows = np.flatnonzero(chosen)
        return np.asarray(rows[np.argsort(order[rows], kind="stable")])

    def main_coder(self) -> str | None:
        """The coder with most labels; the first in the alphabet of several."""
        counts: dict[str, int] = {}
        for label in self.labels:
            counts[label.coder] = counts.get(label.coder, 0) + 1
        return min(counts, key=lambda name: (-counts[name], name)) if counts else None

    def human(self, quantity: Quantity, coder: str | None = None) -> Floats:
        """(N,) the labels of one coder, the main one by default; NaN where there is none or nobody could tell."""
        chosen = coder or self.main_coder()
        values = {
            label.unit_id: label.share if quantity == "share" else label.count
            for label in self.labels
            if label.coder == chosen
        }
        return np.array([_nan(values.get(str(unit))) for unit in self.column("unit_id")])


def _nan(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def read_audit(folder: StrPath) -> AuditFolder:
    """Read an audit.

    Args:
        folder: as ``visionllm audit plan`` made it.

    Returns:
        Its design, units and labels.

    Raises:
        InputDataError: if it is no such folder or a file is damaged.
    """
    path = Path(folder)
    try:
        design = AuditDesign.model_validate(load_yaml((path / DESIGN_FILE).read_text(encoding="utf-8")))
        units = pq.read_table(path / UNITS_FILE, schema=UNITS_SCHEMA)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError, pa.ArrowException) as error:
        raise InputDataError(
            "There is no audit here.",
            expected=f"a folder with {DESIGN_FILE} and {UNITS_FILE}",
            found=" ".join(str(error).split())[:300],
            where=str(path),
            fix="make one with `visionllm audit plan MEASURE --store DIR --out FOLDER`",
        ) from error
    return AuditFolder(path, design, units, tuple(_read_labels(path / LABELS_FILE)))


def write_audit(folder: StrPath, design: AuditDesign, units: pa.Table) -> None:
    """Write the design and the units of an audit; labels stay.

    Args:
        folder: created if it does not exist.
        design: how it was drawn.
        units: the columns of :data:`UNITS_SCHEMA`.
    """
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    pq.write_table(units, buffer, compression="zstd")
    write_file(path / UNITS_FILE, buffer.getvalue())
    text = yaml.safe_dump(design.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    write_file(path / DESIGN_FILE, text.encode())


def add_labels(folder: StrPath, labels: Iterable[Label]) -> tuple[Label, ...]:
    """Add labels; a later one of the same coder replaces an earlier one of the same unit.

    Args:
        folder: the audit's folder.
        labels: the new ones.

    Returns:
        All labels.
    """
    path = Path(folder) / LABELS_FILE
    every = {(label.unit_id, label.coder): label for label in _read_labels(path)}
    every |= {(label.unit_id, label.coder): label for label in labels}
    found = tuple(every[key] for key in sorted(every))
    write_file(path, _labels_csv(found))
    return found


def _labels_csv(labels: Sequence[Label]) -> bytes:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["unit_id", "coder", "share", "count"])
    for label in labels:
        numbers = ["" if value is None else repr(value) for value in (label.share, label.count)]
        writer.writerow([to_cell(label.unit_id), to_cell(label.coder), *numbers])
    return buffer.getvalue().encode()


def _read_labels(path: Path) -> list[Label]:
    if not path.is_file():
        return []
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
        return [
            Label(from_cell(row["unit_id"]), from_cell(row["coder"]), _number(row["share"]), _number(row["count"]))
            for row in rows
        ]
    except (OSError, KeyError, ValueError) as error:
        raise InputDataError(
            "The labels of the audit cannot be read.",
            expected="columns unit_id, coder, share, count",
            found=f"{type(error).__name__}: {error}",
            where=str(path),
        ) from error


def _number(text: str) -> float | None:
    return float(text) if text else None
