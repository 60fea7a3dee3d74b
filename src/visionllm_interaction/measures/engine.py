"""Computes measures of the catalogue for many videos, windows and names at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from visionllm_interaction.core.grouped_arrays import Floats, Ints
from visionllm_interaction.measures.catalogue import CODED_PREDICATES, Measure, expression_of
from visionllm_interaction.measures.language.evaluate import Evaluator
from visionllm_interaction.measures.language.known_time import known_seconds
from visionllm_interaction.measures.language.named import functions_of
from visionllm_interaction.measures.language.syntax_tree import Node
from visionllm_interaction.measures.language.values import Outputs, Values
from visionllm_interaction.measures.missing_inputs import NOT_CODED, PREDICATE_OF
from visionllm_interaction.measures.streams.batch import Batch
from visionllm_interaction.measures.streams.boxes import BoxTable
from visionllm_interaction.measures.streams.coded_time import KnownTime
from visionllm_interaction.measures.streams.missing_reasons import KNOWN, MissingInputs, people_in_codes
from visionllm_interaction.measures.streams.stream import Stream, merged
from visionllm_interaction.measures.streams.stream_scopes import (
    Name,
    NameTable,
    Scopes,
    StreamGroups,
    Windows,
    frame_spans,
)
from visionllm_interaction.measures.turn_limits import STANDARD, TurnLimits
from visionllm_interaction.store.reader import Store

NOTHING_FOUND = "nothing was found"
Pair = tuple[str, str | None]
"""A subject, and an object where there is one."""


class Measured(Struct, frozen=True, eq=False):
    """A measure of every scope and pair, scope by scope.

    Attributes:
        scope: (R,) place of the scope.
        pair: (R,) place of the pair.
        value: (R,) NaN where there is none.
        found: (R,) whether anything was found.
        begin_s: (R,) begin of what was found; of the processed time where nothing was; NaN without that.
        end_s: (R,) its end.
        first_frame: (R,) first processed frame of it; −1: none.
        last_frame: (R,) last processed frame of it.
        known_s: (R,) seconds of known time: processed ones, or coded ones where the files say what was coded.
        missing: (R,) number of the reason why there is no value; −1: none.
        proof: what was found, by row.
    """

    scope: Ints
    pair: Ints
    value: Floats
    found: NDArray[np.bool_]
    begin_s: Floats
    end_s: Floats
    first_frame: Ints
    last_frame: Ints
    known_s: Floats
    missing: Ints
    proof: Stream


class MeasureEngine:
    """Measures of the videos of one batch; what is read and computed is kept.

    Args:
        store: the open store.
        video_ids: the videos.
        coded_people: kind of code → who is coded in it in any video of the store; None: read when it is needed.
    """

    def __init__(
        self, store: Store, video_ids: Sequence[str], *, coded_people: Mapping[str, frozenset[str]] | None = None
    ) -> None:
        self.store = store
        self.batch = Batch(store, video_ids)
        self.names = NameTable(self.batch)
        self.boxes = BoxTable(self.batch, self.names)
        # Nothing here refers back to the engine: what a batch has read is freed with it, at once.
        batch = self.batch
        self.missing = MissingInputs(
            batch, self.names, lambda: people_in_codes(batch, store) if coded_people is None else coded_people
        )

    def scopes(self, begin_s: float | None, end_s: float | None) -> Scopes:
        """One window of every video; None: to its begin or end."""
        n = len(self.batch.video_ids)
        begin = np.full(n, -np.inf if begin_s is None else float(begin_s))
        return Scopes(np.arange(n), begin, np.full(n, np.inf if end_s is None else float(end_s)))

    def groups(self, scopes: Scopes, pairs: Sequence[Pair]) -> StreamGroups:
        """Scopes × pairs of names, scope by scope."""
        subjects = np.array([self.names.code(Name(subject)) for subject, _ in pairs], dtype=np.int64)
        bindings = {"$subject": np.tile(subjects, len(scopes))}
        objects = [object_ for _, object_ in pairs if object_ is not None]
        if objects:
            codes = np.array([self.names.code(Name(name)) for name in objects], dtype=np.int64)
            bindings["$object"] = np.tile(codes, len(scopes))
        return StreamGroups(self.batch, self.names, scopes, np.repeat(np.arange(len(scopes)), len(pairs)), bindings)

    def compute(
        self, measure: Measure, predicate: str, scopes: Scopes, pairs: Sequence[Pair], *, turns: TurnLimits = STANDARD
    ) -> Measured:
        """One measure of every scope and pair.

        Args:
            measure: the measure.
            predicate: of measures of bouts, or the kind of event.
            scopes: videos or windows.
            pairs: subjects, and objects if the measure has them: of all pairs or of none.
            turns: limits of a turn.

        Returns:
            The values and where they were found, scope by scope.
        """
        groups = self.groups(scopes, pairs)
        expression = expression_of(measure, predicate=predicate, has_object="$object" in groups.bindings)
        evaluator = Evaluator(
            groups,
            self.boxes,
            self.missing if measure.checks_inputs else None,
            turns,
            by_chance=False,
            functions=functions_of(expression),
        )
        found = evaluator.values(expression, Outputs(np.arange(len(groups)), len(groups)))
        if measure.checks_inputs:
            missing = self._undefined(evaluator.reasons, found)
            value = np.where(missing == KNOWN, found.value, np.nan)
        else:
            missing = self._missing(measure, predicate, groups, found.found, evaluator.known_time(expression))
            uncoded = evaluator.uncoded(expression) & ~found.found & (missing == KNOWN)
            missing = np.where(uncoded, self.missing.reasons.code(NOT_CODED), missing) if uncoded.any() else missing
            nothing = np.nan if measure.nothing is None else float(measure.nothing)
            value = np.where(found.found, found.value, nothing)
            value = np.where(missing == KNOWN, value, np.nan)
        is_found = found.found & (missing == KNOWN)
        spans = self._spans(groups, found.proof, is_found)
        pair = np.tile(np.arange(len(pairs)), len(scopes))
        known_s = known_seconds(evaluator, evaluator.known_time(expression))
        return Measured(groups.scope, pair, value, is_found, *spans, known_s, missing, found.proof)

    def intervals(
        self, expression: Node, begin_s: float | None, end_s: float | None
    ) -> Iterator[tuple[str, float, float, tuple[int, ...]]]:
        """The intervals of a stream without variables, merged, by video and time.

        Args:
            expression: of a stream.
            begin_s: begin of the window; None: the video's.
            end_s: end of the window; None: the video's.

        Yields:
            Video, begin, end, and the tracks that prove it.
        """
        evaluator = Evaluator(self.groups(self.scopes(begin_s, end_s), [("", None)]), self.boxes)
        rows = merged(evaluator.stream(expression))
        for row, group in enumerate(rows.group.tolist()):
            tracks = rows.tracks.of_rows(row, row + 1)
            yield self.batch.video_ids[group], float(rows.begin_s[row]), float(rows.end_s[row]), tracks

    def frames_between(self, video: int, begin_s: float, end_s: float) -> tuple[int, int] | None:
        """First and last processed frame of a video with a part in ``[begin_s, end_s)``; None: there is none."""
        spans = frame_spans(self.batch, np.array([video]), np.array([begin_s]), np.array([end_s]))
        first, last = (int(frame[0]) for frame in spans)
        return (first, last) if first >= 0 else None

    def _spans(
        self, groups: StreamGroups, proof: Stream, found: NDArray[np.bool_]
    ) -> tuple[Floats, Floats, Ints, Ints]:
        """Begin, end, first and last frame of what was found; of the processed time where nothing was."""
        done = groups.processed
        begin_s, end_s = done.begin_s[groups.scope], done.end_s[groups.scope]
        first, last = done.first_frame[groups.scope], done.last_frame[groups.scope]
        if len(proof):
            starts = np.flatnonzero(np.concatenate([[True], proof.group[1:] != proof.group[:-1]]))
            at = proof.group[starts]
            begins, ends = np.minimum.reduceat(proof.begin_s, starts), np.maximum.reduceat(proof.end_s, starts)
            kept = found[at]
            at = at[kept]
            begin_s[at], end_s[at] = begins[kept], ends[kept]
            first[at], last[at] = frame_spans(self.batch, groups.video[at], begins[kept], ends[kept])
        return begin_s, end_s, first, last

    def _undefined(self, missing: Ints, found: Values) -> Ints:
        """(G,) the inputs that are missing, and why a value is undefined although all are there."""
        reasons = missing.copy()
        for place in np.flatnonzero((reasons == KNOWN) & np.isnan(found.value)).tolist():
            why = None if found.why is None else found.why[place]
            reasons[place] = self.missing.reasons.code(why or NOTHING_FOUND)
        return reasons

    def _missing(
        self, measure: Measure, predicate: str, groups: StreamGroups, found: NDArray[np.bool_], time: KnownTime
    ) -> Ints:
        """(G,) why there is no value where nothing was found, or only a part."""
        places = np.arange(len(groups)) if self.missing.may_find_in_part else np.flatnonzero(~found)
        reasons = np.full(len(groups), KNOWN)
        if len(places) and measure.inputs != "none":
            subject = groups.bindings["$subject"][places]
            object_ = groups.bindings["$object"][places] if "$object" in groups.bindings else None
            by_codes = time.limited & ~time.needs_frames
            unprocessed = np.where(by_codes, KNOWN, self.missing.not_processed(groups))[places]
            reasons[places] = self._reasons(
                measure, predicate, subject, object_, windows=groups.windows.take(places), unprocessed=unprocessed
            )
            in_part = np.isin(reasons, sorted(self.missing.in_part))
            reasons = np.where(found & ~in_part, KNOWN, reasons)
        return reasons

    def _reasons(
        self,
        measure: Measure,
        predicate: str,
        subject: Ints,
        object_: Ints | None,
        *,
        windows: Windows,
        unprocessed: Ints,
    ) -> Ints:
        missing = self.missing
        names = (subject,) if object_ is None else (subject, object_)
        if measure.is_of_turns:
            return missing.uncoded("speech", names, windows.video)
        if measure.inputs == "bout" and predicate in CODED_PREDICATES:
            reasons = missing.uncoded(CODED_PREDICATES[predicate], (subject,), windows.video)
            return np.where((reasons == KNOWN) & (measure.name == "bout_rate"), unprocessed, reasons)
        if measure.inputs == "event":
            reasons = missing.of_event(predicate, subject, names[1:], windows)
        else:
            reasons = missing.of_predicate(PREDICATE_OF.get(measure.name, predicate), subject, object_, windows)
        reasons = np.where(unprocessed != KNOWN, unprocessed, reasons)
        if measure.name == "size_at_naming":
            uncoded = missing.uncoded("naming", (), windows.video)
            reasons = np.where(uncoded != KNOWN, uncoded, reasons)
        return reasons
