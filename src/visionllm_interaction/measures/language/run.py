"""Run an expression over a store: what it is computed for, its values, and their evidence."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from visionllm_interaction.core.evidence import Basis, Evidence, ValuesUsed, reads_detections
from visionllm_interaction.core.grouped_arrays import Floats, Ints, distinct
from visionllm_interaction.measures.audit_corrected import Corrections, corrected_of
from visionllm_interaction.measures.language.aggregation.grouping import Axis, GroupTable, scopes_of
from visionllm_interaction.measures.language.basis import expression_basis
from visionllm_interaction.measures.language.check import Checked, check
from visionllm_interaction.measures.language.chosen_videos import ChosenVideos, choose_videos
from visionllm_interaction.measures.language.evaluate import Evaluator
from visionllm_interaction.measures.language.functions import FUNCTIONS, SELECTIONS
from visionllm_interaction.measures.language.known_time import known_seconds
from visionllm_interaction.measures.language.name_resolution import check_names, domain
from visionllm_interaction.measures.language.named import functions_of, named_measures, written_out
from visionllm_interaction.measures.language.parser import parse
from visionllm_interaction.measures.language.result import QueryResult, QueryRow
from visionllm_interaction.measures.language.syntax_tree import Binding, Call, Grouped, Node, Quantity, walk
from visionllm_interaction.measures.language.types import STREAM, Function, Kind, Type
from visionllm_interaction.measures.language.values import Outputs, Values
from visionllm_interaction.measures.streams.batch import Batch
from visionllm_interaction.measures.streams.boxes import BoxTable
from visionllm_interaction.measures.streams.missing_reasons import KNOWN, MissingInputs, people_in_codes
from visionllm_interaction.measures.streams.stream import Stream, merged
from visionllm_interaction.measures.streams.stream_scopes import (
    NameTable,
    Processed,
    StreamGroups,
    frame_spans,
)
from visionllm_interaction.measures.turn_limits import STANDARD
from visionllm_interaction.store.reader import Store, StoreLimits, open_store
from visionllm_interaction.utils.path_type import StrPath

if TYPE_CHECKING:
    from visionllm_interaction.measures.config import MeasuresConfig


def query(
    expression: str,
    store: StrPath | Store,
    *,
    limits: StoreLimits = StoreLimits(),
    config: MeasuresConfig | None = None,
) -> QueryResult:
    """Compute a quantity, written in the language of docs/language.md.

    Args:
        expression: for example ``"total(holding(child, ball)) by video"``.
        store: the store's folder, or an open store.
        limits: memory and time; of a folder only.
        config: limits of turns, named measures, and which values of a folder are used; None: the defaults.

    Returns:
        Its values with evidence: one row without groups, else one per video, bin and name.

    Raises:
        ExpressionError: if the expression cannot be read, does not fit together, or names what is not known; it tells
            the column and how to write it.
        StoreError: if the store is missing or damaged.
    """
    parsed = parse(expression)
    if isinstance(store, Store):
        return evaluate(parsed, store, config=config)
    with open_store(store, limits=limits, values=config.values if config else "corrected") as opened:
        return evaluate(parsed, opened, config=config)


def evaluate(
    expression: Grouped,
    store: Store,
    *,
    config: MeasuresConfig | None = None,
    without: Collection[str] = (),
) -> QueryResult:
    """Compute a quantity that is parsed already; see :func:`query`.

    Args:
        expression: the parts of the expression.
        store: the open store.
        config: limits of turns, and named measures; None: the defaults.
        without: videos or sessions that are left out, as if they were not there.

    Returns:
        Its values with evidence.

    Raises:
        ExpressionError: if it does not fit together, or names what is not known.
        StoreError: if the store is damaged.
    """
    plain = written_out(expression, named_measures(config))
    functions = functions_of(plain)
    checked = check(plain, functions)
    chosen = choose_videos(store, plain)
    if without:
        chosen = chosen.leave_out(without)
    alone = plain.by_video or plain.by_session
    if checked.per_video and len(chosen.video_ids) > 1 and not alone:
        # A time of one video is none of a child: it is one of each of its sessions.
        plain, expression = (_separate(one, by_session=plain.by_child) for one in (plain, expression))
    return _Run(chosen, plain, checked, config, functions=functions).result(expression.to_text())


def _separate(grouped: Grouped, *, by_session: bool) -> Grouped:
    return replace(grouped, by_session=True) if by_session else replace(grouped, by_video=True)


class _Run:
    """One evaluation of one expression."""

    def __init__(
        self,
        chosen: ChosenVideos,
        grouped: Grouped,
        checked: Checked,
        config: MeasuresConfig | None,
        *,
        functions: Mapping[str, Function] = FUNCTIONS,
    ) -> None:
        self.grouped, self.checked, self.config, self.functions = grouped, checked, config, functions
        self.chosen, store = chosen, chosen.store
        self.batch = Batch(store, chosen.video_ids)
        self.is_separate = grouped.by_video or grouped.by_session or grouped.bin_s is not None
        check_names(
            self.batch, grouped, dict(functions), others=lambda: Batch(chosen.whole, list(chosen.whole.video_ids()))
        )
        self.names = NameTable(self.batch)
        self.boxes = BoxTable(self.batch, self.names)
        batch = self.batch
        self.missing = MissingInputs(batch, self.names, lambda: people_in_codes(batch, chosen.whole))
        self.scopes = scopes_of(self.batch, grouped.bin_s)

    def result(self, text: str) -> QueryResult:
        """The values."""
        value, found = self.grouped.value, self.checked.type
        if found.kind in STREAM:
            return QueryResult(text, "stream", "s", self._with_values(self._interval_rows()), self.basis)
        if isinstance(value, Call) and value.function in SELECTIONS:
            kind = "number" if value.function == "how_many" else "names"
            return QueryResult(text, kind, found.unit, self._with_values(self._chosen(value)), self.basis)
        kind = "yes/no" if found.kind is Kind.YES_NO else "number"
        unit = found.unit or ("share" if isinstance(value, Quantity) and value.unit == "%" else "number")
        rows = self._with_values(self._with_corrected(self._rows(value, found), value))
        return QueryResult(text, kind, "yes/no" if kind == "yes/no" else unit, rows, self.basis)

    def _with_values(self, rows: Iterable[QueryRow]) -> tuple[QueryRow, ...]:
        """The rows, each with whether people have corrected what it rests on."""
        if not reads_detections(self.basis) or self.batch.store.values_of(self.batch.video_ids) == "detected":
            return tuple(rows)

        def values(row: QueryRow) -> ValuesUsed:
            own = {item.video_id for item in row.evidence} | ({row.video_id} if row.video_id else set())
            return self.batch.store.values_of(own or self.batch.video_ids)

        return tuple(replace(row, values=values(row)) for row in rows)

    def _with_corrected(self, rows: Sequence[QueryRow], value: Node) -> Iterator[QueryRow]:
        """The rows with the corrections that are kept in the store; those are of whole videos."""
        corrections = Corrections.of_store(self.batch.store)
        kept = corrections.of_expression(value.to_text()) if corrections and self.grouped.bin_s is None else None
        for row in rows:
            videos = {item.video_id for item in row.evidence}
            one = row.video_id or (next(iter(videos)) if len(videos) == 1 else None)
            yield replace(row, corrected=corrected_of(kept, video_id=one, videos=videos)) if kept else row

    def _axes(self, by: Sequence[Binding], over: Sequence[Binding], grouped: Grouped) -> list[Axis]:
        return [
            Axis(b.variable, domain(self.batch, b, self.checked.places.get(b.variable, []), grouped), pooled)
            for bindings, pooled in ((by, False), (over, True))
            for b in bindings
        ]

    def _table(self, axes: Sequence[Axis]) -> GroupTable:
        return GroupTable.of(self.batch, self.names, self.scopes, axes, self._outer_keys())

    def _outer_keys(self) -> Ints:
        """(S,) the output that each scope belongs to before variables: itself, its child's, or all videos together."""
        if self.is_separate:
            return np.arange(len(self.scopes))
        if self.grouped.by_child:
            return self.chosen.place_of_child[self.scopes.video]
        return np.zeros(len(self.scopes), np.int64)

    def _evaluator(self, groups: StreamGroups) -> Evaluator:
        limits = self.config.turns.limits if self.config else STANDARD
        return Evaluator(groups, self.boxes, self.missing, limits, functions=self.functions)

    def _rows(self, value: Node, type_: Type) -> list[QueryRow]:
        table = self._table(self._axes(self.grouped.by, self.grouped.over, self.grouped))
        return self._rows_of(value, type_, table)

    def _rows_of(self, value: Node, type_: Type, table: GroupTable) -> list[QueryRow]:
        evaluator = self._evaluator(table.groups)
        whole = evaluator.values(value, Outputs(table.output, table.count))
        # The same once more for each video of each output: the evidence.
        fine = evaluator.values(value, Outputs(table.fine, table.fine_count))
        return [
            self._row(place, value, type_, table, evaluator, whole, fine)
            for place in range(table.count)
            if table.members(place).size
        ]

    def _row(
        self, place: int, value: Node, type_: Type, table: GroupTable, evaluator: Evaluator, whole: Values, fine: Values
    ) -> QueryRow:
        groups = table.members(place)
        reasons = evaluator.reasons[groups]
        unknown = reasons != KNOWN
        missing = self._missing(groups[unknown], reasons[unknown], table, everywhere=bool(unknown.all()))
        number = float("nan") if unknown.all() else float(whole.value[place])
        shown = _typed(number, type_, value)
        scope = int(table.groups.scope[groups[0]])
        video = self.batch.video_ids[int(self.scopes.video[scope])]
        seconds = self._seconds(value, table, evaluator, groups[~unknown])
        if shown is None and not unknown.all():
            why = _why(whole, place) or _nothing(value)
            missing = why if missing is None else f"{why}; {missing}"
        return QueryRow(
            value=shown,
            missing=missing,
            video_id=video if self.is_separate and not self.chosen.is_session(video) else None,
            begin_s=float(self.scopes.begin_s[scope]) if self.grouped.bin_s is not None else None,
            end_s=float(self.scopes.end_s[scope]) if self.grouped.bin_s is not None else None,
            names=table.names_of(place),
            n=None if whole.n is None or shown is None else int(whole.n[place]),
            expected=_optional(whole.expected, place) if shown is not None else None,
            p=_optional(whole.p, place) if shown is not None else None,
            processed_s=seconds,
            evidence=self._evidence(place, type_, value, table, evaluator, fine),
            session=video if self.is_separate and self.chosen.is_session(video) else None,
            child=self.chosen.children.get(video, "") if self.grouped.by_child else None,
        )

    def _seconds(self, value: Node, table: GroupTable, evaluator: Evaluator, groups: Ints) -> float:
        """Seconds of known time of some groups; every scope counts once."""
        _, first = np.unique(table.groups.scope[groups], return_index=True)
        return float(known_seconds(evaluator, evaluator.known_time(value))[groups[first]].sum())

    def _missing(self, groups: Ints, reasons: Ints, table: GroupTable, *, everywhere: bool) -> str | None:
        """Why there is no value, or which videos count in none."""
        if not len(groups):
            return None
        texts = {self.missing.text(int(reason)) or "" for reason in reasons}
        if everywhere:
            return "; ".join(sorted(texts))
        ids = self.batch.video_ids
        videos = sorted({ids[video] for video in table.groups.video[groups].tolist()})
        listing = ", ".join(videos[:5]) + (f" and {len(videos) - 5} more" if len(videos) > 5 else "")
        return f"without {listing}: {'; '.join(sorted(texts))}"

    def _evidence(
        self, place: int, type_: Type, value: Node, table: GroupTable, evaluator: Evaluator, fine: Values
    ) -> tuple[Evidence, ...]:
        found: list[Evidence] = []
        text = value.to_text()
        for output in distinct(table.fine[table.members(place)]).tolist():
            groups = np.flatnonzero(table.fine == output)
            scope = int(table.groups.scope[groups[0]])
            rows = np.flatnonzero(np.isin(fine.proof.group, groups))
            reasons = evaluator.reasons[groups]
            unknown = (reasons != KNOWN).all()
            missing = self.missing.text(int(reasons[0])) if unknown else _why(fine, output)
            number = float("nan") if missing else float(fine.value[output])
            found.append(
                self._piece(
                    len(found) + 1,
                    text,
                    type_,
                    value,
                    scope=scope,
                    proof=fine.proof.take(rows),
                    value=number,
                    missing=missing,
                )
            )
        return self.chosen.located(found)

    def _piece(
        self,
        number: int,
        text: str,
        type_: Type,
        node: Node,
        scope: int,
        proof: Stream,
        value: float,
        missing: str | None,
    ) -> Evidence:
        video = int(self.scopes.video[scope])
        done = self.processed
        if len(proof):
            begin_s, end_s = float(proof.begin_s.min()), float(proof.end_s.max())
            first, last = (
                int(frame[0]) for frame in frame_spans(self.batch, *(np.array([x]) for x in (video, begin_s, end_s)))
            )
        else:
            begin_s, end_s = float(done.begin_s[scope]), float(done.end_s[scope])
            first, last = int(done.first_frame[scope]), int(done.last_frame[scope])
        return Evidence(
            id=f"e{number}",
            measure=text,
            value=_typed(value, type_, node),
            unit=type_.unit,
            video_id=self.batch.video_ids[video],
            track_ids=proof.tracks.of_rows(0, len(proof)),
            begin_s=begin_s if np.isfinite(begin_s) else None,
            end_s=end_s if np.isfinite(end_s) else None,
            frames=(first, last) if first >= 0 else None,
            missing=missing,
            basis=self.basis,
        )

    @cached_property
    def basis(self) -> Basis:
        """What the values rest on."""
        value = self.grouped.value
        called = {call.function for call in walk(value) if isinstance(call, Call)}
        # Nobody knows what a plug-in reads.
        return "plug-in" if called & (self.functions.keys() - FUNCTIONS.keys()) else expression_basis(value)

    @cached_property
    def processed(self) -> Processed:
        """The processed time of the scopes."""
        return self.scopes.processed_in(self.batch)

    def _interval_rows(self) -> list[QueryRow]:
        """A row for each interval or moment of a stream."""
        table = self._table(self._axes(self.grouped.by, self.grouped.over, self.grouped))
        evaluator = self._evaluator(table.groups)
        stream = evaluator.listed(self.grouped.value)
        rows = stream if stream.moments else merged(stream)
        text, in_seconds = self.grouped.value.to_text(), Type(Kind.VALUE, "s")
        known_s = known_seconds(evaluator, evaluator.known_time(self.grouped.value))
        found: list[QueryRow] = []
        for row in range(len(rows)):
            group = int(rows.group[row])
            if evaluator.reasons[group] != KNOWN:
                continue
            scope = int(table.groups.scope[group])
            proof = rows.take(np.array([row]))
            value = float(rows.begin_s[row] if rows.moments else rows.length_s[row])
            piece = self._piece(
                1, text, in_seconds, self.grouped.value, scope=scope, proof=proof, value=value, missing=None
            )
            found.append(
                QueryRow(
                    value=value,
                    missing=None,
                    video_id=None if self.chosen.is_session(piece.video_id) else piece.video_id,
                    begin_s=float(rows.begin_s[row]),
                    end_s=float(rows.end_s[row]),
                    names=table.names_of(int(table.output[group]), group),
                    n=None,
                    expected=None,
                    p=None,
                    processed_s=float(known_s[group]),
                    evidence=self.chosen.located([piece]),
                    session=piece.video_id if self.chosen.is_session(piece.video_id) else None,
                    child=self.chosen.children.get(piece.video_id, "") if self.grouped.by_child else None,
                )
            )
        return [*found, *self._unknown_rows(table, evaluator)]

    def _unknown_rows(self, table: GroupTable, evaluator: Evaluator) -> Iterator[QueryRow]:
        """A row without a value for each video in which it is not known when a stream holds, or when else.

        That is not *never*.
        """
        reasons = np.where(evaluator.reasons != KNOWN, evaluator.reasons, evaluator.in_part)
        unknown = np.flatnonzero(reasons != KNOWN)
        videos = self.scopes.video[table.groups.scope[unknown]].tolist()
        for video, reason in dict.fromkeys(zip(videos, reasons[unknown].tolist(), strict=True)):
            name = self.batch.video_ids[video]
            of_session = self.chosen.is_session(name)
            yield QueryRow(
                value=None,
                missing=self.missing.text(reason),
                video_id=None if of_session else name,
                begin_s=None,
                end_s=None,
                names={},
                n=None,
                expected=None,
                p=None,
                processed_s=0.0,
                evidence=(),
                session=name if of_session else None,
                child=self.chosen.children.get(name, "") if self.grouped.by_child else None,
            )

    def _chosen(self, node: Call) -> list[QueryRow]:
        """The rows that top, bottom or which chooses, for each outer output."""
        # Imported here: most expressions choose nothing.
        from visionllm_interaction.measures.language.aggregation.selection import selected_rows

        inner = node.arguments[-1]
        assert isinstance(inner, Grouped)
        unit = self.checked.type.unit
        type_ = Type(Kind.YES_NO if unit == "yes/no" else Kind.VALUE, unit)
        axes = self._axes((*self.grouped.by, *inner.by), (*self.grouped.over, *inner.over), inner)
        rows = self._rows_of(inner.value, type_, self._table(axes))
        outer = {binding.variable for binding in self.grouped.by}
        keyed: dict[tuple[object, ...], list[QueryRow]] = {}
        for row in rows:
            key = (row.session, row.child, row.video_id, row.begin_s, *(row.names[v] for v in sorted(outer)))
            keyed.setdefault(key, []).append(row)
        return [row for group in keyed.values() for row in selected_rows(node, group)]


def _typed(number: float, type_: Type, node: Node) -> float | int | bool | None:
    if not np.isfinite(number):
        return None
    if type_.kind is Kind.YES_NO:
        return bool(number > 0)
    whole = isinstance(node, Call) and node.function in FUNCTIONS and FUNCTIONS[node.function].whole
    return round(number) if whole or (isinstance(node, Call) and node.function in SELECTIONS) else number


def _nothing(value: Node) -> str:
    if isinstance(value, Call) and value.function == "sd":
        return "fewer than two values"
    return "nothing found"


def _optional(values: Floats | None, place: int) -> float | None:
    return None if values is None or not np.isfinite(values[place]) else float(values[place])


def _why(values: Values, place: int) -> str | None:
    """Why a value is undefined although all inputs are there."""
    return None if values.why is None else values.why[place]
