"""What an expression gives: rows of values, each with its evidence."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from visionllm_interaction.core.evidence import Basis, Evidence
from visionllm_interaction.utils.csv_safety import to_cell
from visionllm_interaction.utils.notebook_display import MAX_ROWS, html_table

if TYPE_CHECKING:
    from visionllm_interaction.store.audit_corrections import CorrectedValue

_CORRECTED = ("corrected", "corrected_low", "corrected_high")


@dataclass(frozen=True)
class QueryRow:
    """One value.

    Attributes:
        value: a number in the result's unit, yes or no, or None.
        missing: why there is no value, or in which videos there is none.
        video_id: the video that it is of; None: all together.
        begin_s: begin of its bin in seconds, where there are bins.
        end_s: end of its bin.
        names: variable → the name that it stands for.
        n: how many times or moments the value is of, where that is counted.
        expected: what chance would give.
        p: share of random shifts that give as much or more.
        processed_s: processed seconds behind it; coded ones of what people coded, where the files say what was coded.
        evidence: one piece per video, and per interval or moment where the expression is a stream. Of a session there
            is one per video of it, each with the value of the whole session.
        corrected: the corrected value with its interval, where one is kept in the store; it stands beside ``value``.
        session: the session that it is of, where values are for each session.
        child: the child that it is of, where values are for each child; ``""``: of videos without a child.
    """

    value: float | int | bool | None
    missing: str | None
    video_id: str | None
    begin_s: float | None
    end_s: float | None
    names: Mapping[str, str]
    n: int | None
    expected: float | None
    p: float | None
    processed_s: float
    evidence: tuple[Evidence, ...]
    corrected: CorrectedValue | None = None
    session: str | None = None
    child: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON form; what does not apply is left out."""
        about: dict[str, Any] = {
            "missing": self.missing,
            "session": self.session,
            "child": self.child,
            "video_id": self.video_id,
            "begin_s": self.begin_s,
            "end_s": self.end_s,
            "names": dict(self.names) or None,
            "n": self.n,
            "expected": self.expected,
            "p": self.p,
            "corrected": None if self.corrected is None else self.corrected.model_dump(),
        }
        return {
            "value": self.value,
            **{key: value for key, value in about.items() if value is not None},
            "processed_s": self.processed_s,
            "evidence": [item.to_dict() for item in self.evidence],
        }


@dataclass(frozen=True)
class QueryResult:
    """The values of an expression.

    Attributes:
        expression: as it was understood; it can be run again.
        kind: ``number``, ``yes/no``, ``names`` (the rows are the names chosen, best first) or ``stream`` (a row for
            each interval or moment).
        unit: of the values.
        rows: the values.
        basis: what the values rest on.
    """

    expression: str
    kind: str
    unit: str
    rows: tuple[QueryRow, ...]
    basis: Basis = "as detected"

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[QueryRow]:
        return iter(self.rows)

    @property
    def value(self) -> float | int | bool | None:
        """The value of the only row.

        Raises:
            ValueError: if there is not exactly one.
        """
        if len(self.rows) != 1:
            raise ValueError(f"the result has {len(self.rows)} rows")
        return self.rows[0].value

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``visionllm query``."""
        rows = [row.to_dict() for row in self.rows]
        return {
            "expression": self.expression,
            "kind": self.kind,
            "unit": self.unit,
            "basis": self.basis,
            "rows": rows,
        }

    def to_csv(self) -> str:
        """One line per row: what it is of, its value and unit."""
        buffer = io.StringIO()
        variables = list(dict.fromkeys(name for row in self.rows for name in row.names))
        writer = csv.writer(buffer, lineterminator="\n")
        columns = ("value", "unit", "n", "expected", "p", "processed_s", "missing", "basis", *_CORRECTED)
        about_rows = [name for name in ("session", "child") if any(getattr(row, name) is not None for row in self.rows)]
        names = [name.lstrip("$") for name in variables]
        writer.writerow([*about_rows, "video_id", "begin_s", "end_s", *names, *columns])
        for row in self.rows:
            names = [to_cell(row.names.get(name, "")) for name in variables]
            groups = [to_cell(getattr(row, name) or "") for name in about_rows]
            cells = [row.value, self.unit, row.n, row.expected, row.p, row.processed_s, to_cell(row.missing or "")]
            own = row.corrected
            cells += [self.basis, *((None,) * 3 if own is None else (own.value, own.low, own.high))]
            about = [to_cell(row.video_id or ""), row.begin_s, row.end_s]
            writer.writerow(["" if cell is None else cell for cell in (*groups, *about, *names, *cells)])
        return buffer.getvalue()

    def __str__(self) -> str:
        lines = [self._line(row) for row in self.rows] or ["nothing"]
        return "\n".join([f"{self.expression}  ({self.basis})", *(f"  {line}" for line in lines)])

    def _line(self, row: QueryRow) -> str:
        where = [*row.names.values(), *(one for one in (row.session, row.video_id) if one)]
        where += [row.child or "no child set"] if row.child is not None else []
        if row.begin_s is not None and row.end_s is not None:
            where.append(f"{row.begin_s:g}-{row.end_s:g} s")
        value = f"{row.value:.6g}" if isinstance(row.value, float) else str(row.value)
        shown = f"no value: {row.missing or 'nothing found'}" if row.value is None else f"{value} {self.unit}".strip()
        if isinstance(row.value, bool):
            shown = "yes" if row.value else "no"
        extra = [f"n = {row.n}"] if row.n is not None else []
        if row.expected is not None and row.p is not None:
            extra.append(f"by chance {row.expected:.3g}, p = {row.p:.3g}")
        if row.value is not None and row.missing:
            extra.append(row.missing)
        if row.corrected is not None:
            extra.append(str(row.corrected))
        return " ".join(
            [f"{', '.join(where)}:" if where else "", shown, f"({'; '.join(extra)})" if extra else ""]
        ).strip()

    def _repr_html_(self) -> str:
        columns = ("of", "names", "value", "unit", "basis", "corrected", "n", "missing")
        shown = [
            (
                *(row.session or row.child or row.video_id, ", ".join(row.names.values()), row.value, self.unit),
                *(self.basis, None if row.corrected is None else str(row.corrected), row.n, row.missing),
            )
            for row in self.rows[:MAX_ROWS]
        ]
        return html_table(columns, shown, caption=self.expression)
