"""All measures of all videos, windows and names, as columns: from grouped streams, batch by batch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from itertools import combinations, permutations
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.core.evidence import Basis, reads_detections
from visionllm_interaction.core.predicates import DIRECTED_PREDICATES, PREDICATES
from visionllm_interaction.measures.audit_corrected import Corrections, corrected_of
from visionllm_interaction.measures.catalogue import CODED_PREDICATES, Measure
from visionllm_interaction.measures.catalogue_query import Query, QueryRunner, measure_basis, settings_of
from visionllm_interaction.measures.engine import Measured, MeasureEngine, Pair
from visionllm_interaction.measures.language.syntax_tree import Call, Prefix
from visionllm_interaction.measures.plugins import PluginMeasure, all_measures
from visionllm_interaction.measures.streams.batch import Batch
from visionllm_interaction.measures.streams.missing_reasons import people_in_codes
from visionllm_interaction.measures.streams.stream_scopes import Scopes, time_bins
from visionllm_interaction.measures.streams.string_codes import StringCodes
from visionllm_interaction.measures.turn_limits import STANDARD, TurnLimits
from visionllm_interaction.store.reader import ANY_PERSON, ANY_THING, Store

if TYPE_CHECKING:
    from visionllm_interaction.measures.config import MeasuresConfig

MAX_DETECTIONS = 400_000
MAX_VIDEOS = 50
"""Most detections and videos that a thread has in memory at once (one video always is)."""
THREADS = 2
"""Batches computed at a time. Sorting and reading let go of the interpreter, the rest of the work does not."""
_OF_ANY_THING = frozenset({"visible_duration", "visible_share", "mean_count", "instance_count"})
CORRECTED = ("corrected", "corrected_low", "corrected_high")
"""Columns of the corrected value beside the detected one, and of its 95 % interval."""
Columns = dict[str, NDArray[Any]]


class ColumnTask(Struct, frozen=True):
    """One measure, with one predicate, of several subjects (and objects).

    Attributes:
        measure: the measure.
        predicate: of measures of bouts, or the kind of event; None: the measure's own.
        pairs: what it is about.
    """

    measure: Measure
    predicate: str | None
    pairs: Sequence[Pair]


class TidyColumns(Struct, dict=True):
    """The tidy table of a store as columns of numbers; texts are places in :attr:`texts`.

    Attributes:
        store: the open store.
        config: settings of measures; None: the defaults.
        bin_s: length of a time bin in seconds; None: whole videos.
    """

    store: Store
    config: MeasuresConfig | None
    bin_s: float | None
    texts: StringCodes = field(default_factory=StringCodes)

    @cached_property
    def whole(self) -> Batch:
        """All videos; only small tables of it are read."""
        return Batch(self.store, self.store.video_ids())

    @cached_property
    def coded_people(self) -> Mapping[str, frozenset[str]]:
        """Kind of code → who is coded in it, in lower case."""
        return people_in_codes(self.whole, self.store)

    @cached_property
    def corrections(self) -> Corrections:
        """The corrections that are kept in the store."""
        return Corrections.of_store(self.store)

    @property
    def limits(self) -> TurnLimits:
        """Limits of a turn."""
        return self.config.turns.limits if self.config else STANDARD

    def compute(self) -> Columns:
        """All rows, sorted by video, bin, subject, object, measure and predicate."""
        tasks = [task for task in self.tasks() if task.pairs]
        batches = list(self._batches())
        if len(batches) < THREADS or any(isinstance(task.measure, PluginMeasure) for task in tasks):
            return self._sorted([part for ids in batches for part in self._of_batch(ids, tasks)])
        _ = self.coded_people, self.corrections  # read here once, not by each thread
        with ThreadPoolExecutor(THREADS, thread_name_prefix="measures") as pool:
            found = pool.map(lambda ids: list(self._of_batch(ids, tasks)), batches)
            return self._sorted([part for parts in found for part in parts])

    def _batches(self) -> Iterator[list[str]]:
        batch: list[str] = []
        detections = 0
        for video_id in self.store.video_ids():
            count = int(self.store.video(video_id)["n_detections"])
            if batch and (detections + count > MAX_DETECTIONS or len(batch) >= MAX_VIDEOS):
                yield batch
                batch, detections = [], 0
            batch.append(video_id)
            detections += count
        if batch:
            yield batch

    def _of_batch(self, video_ids: Sequence[str], tasks: Sequence[ColumnTask]) -> Iterator[Columns]:
        engine = MeasureEngine(self.store, video_ids, coded_people=self.coded_people)
        scopes = _scopes(engine.batch, self.bin_s)
        if not len(scopes):
            return
        for task in tasks:
            if isinstance(task.measure, PluginMeasure):
                yield self._of_plugin(task.measure, task, video_ids, engine=engine, scopes=scopes)
                continue
            predicate = task.predicate or task.measure.predicate or "visible"
            found = engine.compute(task.measure, predicate, scopes, task.pairs, turns=self.limits)
            yield self._columns(task, found, engine, scopes)

    def _columns(self, task: ColumnTask, found: Measured, engine: MeasureEngine, scopes: Scopes) -> Columns:
        measure, rows = task.measure, len(found.scope)
        subjects = self.texts.codes([subject or None for subject, _ in task.pairs])
        objects = self.texts.codes([object_ for _, object_ in task.pairs])
        videos = self.texts.codes(engine.batch.video_ids)
        reasons = np.append(self.texts.codes(engine.missing.reasons.words), -1)
        limits = self.limits if measure.is_of_turns else None
        text = settings_of(measure, Query(measure.name, "", turns=limits))
        windows = (
            np.stack([scopes.begin_s, scopes.end_s]) if self.bin_s is not None else np.full((2, len(scopes)), np.nan)
        )
        return {
            "video_id": videos[scopes.video[found.scope]],
            "subject": subjects[found.pair],
            "object": objects[found.pair],
            "measure": np.full(rows, self.texts.code(measure.name)),
            "predicate": np.full(rows, -1 if task.predicate is None else self.texts.code(task.predicate)),
            "value": np.where(np.isfinite(found.value), found.value, np.nan),
            "unit": np.full(rows, self.texts.code(measure.unit)),
            "processed_s": found.known_s,
            "begin_s": found.begin_s,
            "end_s": found.end_s,
            "first_frame": found.first_frame,
            "last_frame": found.last_frame,
            "bin_begin_s": windows[0][found.scope],
            "bin_end_s": windows[1][found.scope],
            "missing": reasons[found.missing],
            "definition_version": np.full(rows, measure.version),
            "settings": np.full(rows, -1 if text is None else self.texts.code(text)),
            "basis": np.full(rows, self.texts.code(self._basis(task))),
            **self._corrected(task, found, engine, scopes),
            "values": self._values(engine.batch.video_ids, self._basis(task))[scopes.video[found.scope]],
        }

    def _values(self, video_ids: Sequence[str], basis: Basis) -> NDArray[np.int64]:
        """(V,) whether people have corrected what values of each video rest on, as places of texts."""
        counts = reads_detections(basis)
        used = [self.store.values_of([one]) if counts else "detected" for one in video_ids]
        return np.asarray(self.texts.codes(used))

    def _basis(self, task: ColumnTask) -> Basis:
        return measure_basis(task.measure, task.predicate, has_object=any(object_ for _, object_ in task.pairs))

    def _corrected(
        self, task: ColumnTask, found: Measured, engine: MeasureEngine, scopes: Scopes
    ) -> dict[str, NDArray[np.float64]]:
        """Kept corrections of whole videos, and the ends of their intervals; NaN where there are none."""
        columns = {name: np.full(len(found.scope), np.nan) for name in CORRECTED}
        if not self.corrections or self.bin_s is not None:
            return columns
        from visionllm_interaction.store.audit_corrections import MeasuredState

        predicate = task.predicate if task.measure.inputs == "bout" else None
        for place, (subject, object_) in enumerate(task.pairs):
            kept = self.corrections.of_state(MeasuredState(task.measure.name, predicate, subject, object_))
            for row in np.flatnonzero(found.pair == place).tolist() if kept else ():
                video_id = engine.batch.video_ids[int(scopes.video[found.scope[row]])]
                value = corrected_of(kept, video_id=video_id, videos=())
                if value is not None:
                    for name, number in zip(CORRECTED, (value.value, value.low, value.high), strict=True):
                        columns[name][row] = np.nan if number is None else number
        return columns

    def _of_plugin(
        self,
        measure: PluginMeasure,
        task: ColumnTask,
        video_ids: Sequence[str],
        *,
        engine: MeasureEngine,
        scopes: Scopes,
    ) -> Columns:
        """A measure of a plug-in, video by video and name by name."""
        runner = QueryRunner(self.store)
        empty = engine.compute(_UNFOUND, "visible", scopes, task.pairs)
        columns = self._columns(ColumnTask(measure, None, task.pairs), empty, engine, scopes)
        for row, (scope, pair) in enumerate(zip(empty.scope.tolist(), empty.pair.tolist(), strict=True)):
            subject, object_ = task.pairs[pair]
            query = Query(measure.name, subject, object_, video_id=video_ids[int(scopes.video[scope])])
            if self.bin_s is not None:
                query = replace(query, begin_s=float(scopes.begin_s[scope]), end_s=float(scopes.end_s[scope]))
            [item] = runner.run(query)
            value = math.nan if item.value is None else float(item.value)
            columns["value"][row] = value if math.isfinite(value) else math.nan
            columns["begin_s"][row] = np.nan if item.begin_s is None else item.begin_s
            columns["end_s"][row] = np.nan if item.end_s is None else item.end_s
            columns["first_frame"][row], columns["last_frame"][row] = item.frames or (-1, -1)
            columns["missing"][row] = -1 if item.missing is None else self.texts.code(item.missing)
        return columns

    def _sorted(self, parts: Sequence[Columns]) -> Columns:
        if not parts:
            return {}
        columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        words = self.texts.words
        rank = np.empty(len(words) + 1, np.int64)
        rank[sorted(range(len(words)), key=words.__getitem__)] = np.arange(len(words))
        rank[-1] = -1
        names = ("predicate", "measure", "object", "subject")
        keys = [rank[columns[name]] for name in names]
        bins = np.nan_to_num(columns["bin_begin_s"].astype(np.float64), nan=-np.inf)
        order = np.lexsort((*keys, bins, rank[columns["video_id"]]))
        return {name: column[order] for name, column in columns.items()}

    def tasks(self) -> Iterator[ColumnTask]:
        """Every measure with the names it is about; names are those of the tracks in the store."""
        names = self._names()
        people = [name for name in names if name in PERSON_CATEGORIES]
        things = [name for name in names if name not in PERSON_CATEGORIES]
        pairs: list[Pair] = [(p, o) for p in people for o in names if o != p and not (o in people and o < p)]
        for measure in {**all_measures(), **self._own()}.values():
            match measure.inputs:
                case "none":
                    yield ColumnTask(measure, None, [("", None)])
                case "one":
                    if measure.of != "any":
                        yield ColumnTask(measure, None, [(name, None) for name in self._names_of(measure, names)])
                        continue
                    several = [ANY_THING] if len(things) > 1 and measure.name in _OF_ANY_THING else []
                    kept = self._named if measure.name == "size_at_naming" else None
                    about = [n for n in [*names, *several] if kept is None or n.lower() in kept]
                    yield ColumnTask(measure, None, [(name, None) for name in about])
                case "pair":
                    yield ColumnTask(measure, None, self._pairs(measure, pairs, people))
                case "event":
                    yield from (
                        ColumnTask(measure, kind, [(p, None) for p in people])
                        for kind in self._present("events", "kind")
                    )
                case _:
                    yield from self._bouts(measure, names, pairs, people)

    def _own(self) -> dict[str, Measure]:
        if self.config is None or not self.config.named:
            return {}
        from visionllm_interaction.measures.own import own_measures

        return own_measures(self.config)

    def _names(self) -> list[str]:
        tracks, words = self.whole.tracks, self.whole.texts.words
        categories = {words[code] for code in set(tracks.category.tolist())}
        roles = {words[code] for code in set(tracks.role.tolist()) if code >= 0 and words[code]}
        return sorted((categories | roles) - (set() if ANY_PERSON in categories else {ANY_PERSON}))

    @cached_property
    def _named(self) -> frozenset[str]:
        """What is named, in lower case."""
        codes, words = self.whole.codes, self.whole.texts.words
        rows = codes.kind == self.whole.texts.known("naming")
        return frozenset(words[code] for code in set(codes.label[rows].tolist()) if code >= 0)

    def _present(self, name: str, column: str) -> list[str]:
        """The texts in a column of a table, in any video, sorted."""
        found: set[str] = set()
        for video_id in self.store.video_ids():
            found |= self.store.words(video_id, name, (column,))
        return sorted(found)

    def _pairs(self, measure: Measure, pairs: Sequence[Pair], people: Sequence[str]) -> Sequence[Pair]:
        """Turns are of coded speakers in both directions; nobody holds a person."""
        if measure.of != "any":
            found = self._names_of(measure, people)
            return list(permutations(found, 2) if measure.both_ways else combinations(found, 2))
        if measure.is_of_turns:
            return list(permutations(self._participants("speech", people), 2))
        handled = measure.name in ("holding_duration", "joint_handling_duration")
        return [pair for pair in pairs if not handled or pair[1] not in people]

    def _names_of(self, measure: Measure, names: Sequence[str]) -> list[str]:
        """The names that a measure has values of, sorted: of ``names``, or whoever is coded."""
        people = [name for name in names if name in PERSON_CATEGORIES and name != ANY_PERSON]
        match measure.of:
            case "people":
                return sorted(people)
            case "gazers":
                return self._participants("gaze", people)
            case "speakers":
                return self._participants("speech", people)
            case "named":
                return sorted(name for name in names if name.lower() in self._named)
            case _:
                return sorted(names)

    def _bouts(
        self, measure: Measure, names: Sequence[str], pairs: Sequence[Pair], people: Sequence[str]
    ) -> Iterator[ColumnTask]:
        yield ColumnTask(measure, "visible", [(name, None) for name in names])
        present = self._related
        for predicate in PREDICATES:
            yield ColumnTask(measure, predicate, [p for p in pairs if predicate != "holding" or p[1] not in people])
        yield from (ColumnTask(measure, predicate, pairs) for predicate in DIRECTED_PREDICATES if predicate in present)
        for predicate, kind in CODED_PREDICATES.items():
            yield ColumnTask(measure, predicate, [(who, None) for who in self._participants(kind, people)])

    @cached_property
    def _related(self) -> frozenset[str]:
        return frozenset(self._present("relations", "predicate"))

    def _participants(self, kind: str, people: Sequence[str]) -> list[str]:
        """Who is coded, in the letters of the tracks; whoever wears the camera is in no image and needs no track."""
        own = {name.lower(): name for name in people}
        return sorted(own.get(who, who) for who in self.coded_people.get(kind, ()) if who)


_UNFOUND = Measure("", "", "", "", "none", None, Call("count", (Prefix("!", Call("processed")),)))
"""What is never found."""


def _scopes(batch: Batch, bin_s: float | None) -> Scopes:
    """Every video, or every bin of every video, of which a frame was processed."""
    n = len(batch.video_ids)
    whole = Scopes(np.arange(n), np.full(n, -np.inf), np.full(n, np.inf))
    scopes = whole if bin_s is None else time_bins(batch, bin_s)
    some = scopes.processed_in(batch).any
    if some.all():
        return scopes
    return Scopes(scopes.video[some], scopes.begin_s[some], scopes.end_s[some])
