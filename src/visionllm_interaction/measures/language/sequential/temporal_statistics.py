"""The functions of events in time: rhythm, association, turns against chance, recurrence, naming, objects handled."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from msgspec.structs import replace

from visionllm_interaction.core.grouped_arrays import distinct
from visionllm_interaction.core.intervals import TOLERANCE_S, Intervals
from visionllm_interaction.measures.language.evaluate import Arguments
from visionllm_interaction.measures.language.sequential.gaze import looks_of
from visionllm_interaction.measures.language.sequential.timelines import OutputTimeline, computed, timelines, values_of
from visionllm_interaction.measures.language.values import Samples, Values
from visionllm_interaction.measures.sequential.burstiness import allan_factor as allan_factor_of
from visionllm_interaction.measures.sequential.burstiness import burstiness as burstiness_of
from visionllm_interaction.measures.sequential.lag_sequential import Association, window_association
from visionllm_interaction.measures.sequential.recurrence import (
    Codes,
    cross_recurrence,
    recurrence_profile,
    sample_states,
)
from visionllm_interaction.measures.sequential.turn_taking import turn_taking, turns_by_chance
from visionllm_interaction.measures.sequential.value_or_reason import Statistic, ratio
from visionllm_interaction.measures.streams import table_streams as atoms
from visionllm_interaction.measures.streams.stream import Stream, merged


def _events(arguments: Arguments, name: str) -> Stream:
    """What is counted: moments, or intervals apart from each other."""
    stream = arguments.stream(name)
    return stream if stream.moments else merged(stream)


def burstiness(arguments: Arguments) -> Values:
    """``burstiness``."""
    return _rhythm(arguments, lambda line: burstiness_of(line.begins[0], observed=line.observed).finite_size_burstiness)


def plain_burstiness(arguments: Arguments) -> Values:
    """``plain_burstiness``."""
    return _rhythm(arguments, lambda line: burstiness_of(line.begins[0], observed=line.observed).burstiness)


def memory(arguments: Arguments) -> Values:
    """``memory``."""
    return _rhythm(arguments, lambda line: burstiness_of(line.begins[0], observed=line.observed).memory)


def allan_factor(arguments: Arguments) -> Values:
    """``allan_factor``."""
    window_s = arguments.seconds("window")
    return _rhythm(
        arguments, lambda line: allan_factor_of(line.begins[0], observed=line.observed, window_s=window_s).factor
    )


def _rhythm(arguments: Arguments, compute: Callable[[OutputTimeline], Statistic]) -> Values:
    return computed(arguments, compute, _events(arguments, "a"))


def odds_ratio(arguments: Arguments) -> Values:
    """``odds_ratio``."""
    return _associated(arguments, lambda table: table.odds_ratio)


def yules_q(arguments: Arguments) -> Values:
    """``yules_q``."""
    return _associated(arguments, lambda table: table.yules_q)


def adjusted_residual(arguments: Arguments) -> Values:
    """``adjusted_residual``."""
    return _associated(arguments, lambda table: table.adjusted_residual)


def _associated(arguments: Arguments, chosen: Callable[[Association], Statistic]) -> Values:
    within_s, tick_s = arguments.seconds("within"), arguments.seconds("tick")

    def compute(line: OutputTimeline) -> Statistic:
        given, target = line.begins
        return chosen(window_association(given, target, observed=line.observed, window_s=within_s, tick_s=tick_s))

    return computed(arguments, compute, _events(arguments, "after"), _events(arguments, "b"))


def _speech(arguments: Arguments) -> tuple[Stream, Stream]:
    one, two = arguments.required_name("x"), arguments.required_name("y")
    groups, missing = arguments.groups, arguments.evaluator.missing
    said = atoms.coded(groups, kind="speech", participant=one), atoms.coded(groups, kind="speech", participant=two)
    if missing is not None:
        for who, found in zip((one, two), said, strict=True):
            arguments.evaluator.lacks(missing.uncoded("speech", (who,), groups.video), found.group)
    return said


def answered(arguments: Arguments) -> Values:
    """``answered``."""
    limits = arguments.evaluator.limits

    def compute(line: OutputTimeline) -> Statistic:
        return turn_taking(*line.parts, observed=line.observed, limits=limits).share_answered

    return computed(arguments, compute, *_speech(arguments), spans=True)


def turns_against_chance(arguments: Arguments) -> Values:
    """``turns_against_chance``."""
    limits, seed = arguments.evaluator.limits, arguments.number("seed")
    first, second = _speech(arguments)
    lines = timelines(arguments, first, second, spans=True)
    found = [
        turns_by_chance(
            *line.parts, observed=line.observed, limits=limits, seed=seed, shuffles=arguments.number("shuffles")
        )
        for line in lines
    ]
    values = values_of(arguments, [one.count for one in found], first.take(arguments.evaluator.known[first.group]))
    return replace(
        values,
        expected=np.array([np.nan if one.expected.value is None else one.expected.value for one in found]),
        p=np.array([np.nan if one.p_value.value is None else one.p_value.value for one in found]),
    )


def prepare_speech(arguments: Arguments) -> None:
    """Note where speech is not known."""
    _speech(arguments)


def recurrence_rate(arguments: Arguments) -> Values:
    """``recurrence_rate``."""
    return _recurrent(arguments, lambda one, two: recurrence_profile(one, two).recurrence_rate)


def determinism(arguments: Arguments) -> Values:
    """``determinism``."""
    return _recurrent(arguments, lambda one, two: cross_recurrence(one, two).diagonal.share)


def laminarity(arguments: Arguments) -> Values:
    """``laminarity``."""
    return _recurrent(arguments, lambda one, two: cross_recurrence(one, two).vertical.share)


def trapping_time(arguments: Arguments) -> Values:
    """``trapping_time``."""
    step_s = arguments.seconds("step")
    return _recurrent(arguments, lambda one, two: _in_seconds(cross_recurrence(one, two).vertical.mean, step_s))


def recurrence_lag(arguments: Arguments) -> Values:
    """``recurrence_lag``."""
    step_s = arguments.seconds("step")
    return _recurrent(arguments, lambda one, two: _in_seconds(recurrence_profile(one, two).peak_lag, step_s))


def _in_seconds(samples: Statistic, step_s: float) -> Statistic:
    return Statistic(None if samples.value is None else samples.value * step_s, "s", samples.reason)


def _recurrent(arguments: Arguments, chosen: Callable[[Codes, Codes], Statistic]) -> Values:
    """Cross-recurrence of the targets that two people look at."""
    step_s = arguments.seconds("step")
    (one, width), (two, _) = looks_of(arguments, "x"), looks_of(arguments, "y")
    columns = [_states(arguments, looks, width) for looks in (one, two)]

    def compute(output: int, observed: Intervals) -> Statistic:
        names = sorted({name for column in columns for name in column[output]})
        one, two = (sample_states(column[output], names, observed=observed, step_s=step_s) for column in columns)
        return chosen(one, two)

    lines = timelines(arguments, spans=True)
    proof = Stream.sorted(one.group // width, one.begin_s, one.end_s, one.tracks)
    statistics = [compute(output, line.observed) for output, line in enumerate(lines)]
    return values_of(arguments, statistics, proof.take(arguments.evaluator.known[proof.group]))


def _states(arguments: Arguments, looks: Stream, width: int) -> list[dict[str, Intervals]]:
    """For each output: target → the looks at it."""
    found: list[dict[str, Intervals]] = [{} for _ in range(arguments.outputs.count)]
    for target in distinct(looks.group % width).tolist():
        rows = looks.take(looks.group % width == target)
        lines = timelines(arguments, replace(rows, group=rows.group // width), spans=True)
        for output, line in enumerate(lines):
            if len(line.parts[0]):
                found[output][str(target)] = line.parts[0]
    return found


def named_while(arguments: Arguments) -> Values:
    """``named_while``."""
    rows, judged, held = _judged(arguments)
    known = judged & arguments.evaluator.known[rows.group]
    outputs = arguments.outputs
    output = outputs.of_group[rows.group[known]]
    n, hits = np.bincount(output, minlength=outputs.count), np.bincount(output, held[known], outputs.count)
    reason = "no naming in processed time"
    values = values_of(
        arguments,
        [ratio(a, b, reason=reason) for a, b in zip(hits.tolist(), n.tolist(), strict=True)],
        rows.take(known),
    )
    return replace(values, n=n)


def _namings(arguments: Arguments) -> Stream:
    groups, missing, named = arguments.groups, arguments.evaluator.missing, arguments.required_name("x")
    found = atoms.coded(groups, kind="naming", label=named)
    if missing is not None:
        arguments.evaluator.lacks(missing.uncoded("naming", (), groups.video), found.group)
    return found


def prepare_naming(arguments: Arguments) -> None:
    """Note where naming is not known."""
    _namings(arguments)


def _judged(arguments: Arguments) -> tuple[Stream, np.ndarray, np.ndarray]:
    """The namings, whether each can be judged, and whether the stream holds in it."""
    rows, stream = _namings(arguments), merged(arguments.stream("a"))
    held = _meets(rows, stream)
    return rows, held | _meets(rows, arguments.evaluator.known_stream(arguments.given["a"])), held


def _meets(rows: Stream, stream: Stream) -> np.ndarray:
    """(N,) whether each row has time in common with ``stream``; a moment: whether it lies in it."""
    end_s = np.maximum(rows.end_s - TOLERANCE_S, np.nextafter(rows.begin_s, np.inf))
    found = np.zeros(len(rows), np.bool_)
    found[stream.index.overlapping(rows.group, rows.begin_s, end_s)[0]] = True
    return found


def naming_ranks(arguments: Arguments) -> Samples:
    """``naming_ranks``."""
    rows, named = _namings(arguments), arguments.required_name("x")
    ranks = [
        _rank(arguments, int(named[group]), int(arguments.groups.video[group]), begin_s, end_s)
        for group, begin_s, end_s in zip(rows.group.tolist(), rows.begin_s.tolist(), rows.end_s.tolist(), strict=True)
    ]
    ranked = np.array([rank is not None for rank in ranks], dtype=np.bool_)
    return Samples(rows.take(ranked), np.array([rank for rank in ranks if rank is not None], dtype=np.float64))


def _rank(arguments: Arguments, named: int, video: int, begin_s: float, end_s: float) -> int | None:
    """The rank of the named object's mean size among all objects; None if it is not in view."""
    batch, boxes = arguments.groups.batch, arguments.evaluator.boxes.boxes(video)
    of_video = slice(*np.searchsorted(batch.frames.video, [video, video + 1]))
    frame_begin_s, frame_end_s = batch.frames.begin_s[of_video], batch.frames.end_s[of_video]
    end_s = max(end_s, begin_s + TOLERANCE_S)
    first, after = np.searchsorted(frame_end_s, begin_s, side="right"), np.searchsorted(frame_begin_s, end_s)
    length_s = np.minimum(frame_end_s[first:after], end_s) - np.maximum(frame_begin_s[first:after], begin_s)
    rows = slice(*np.searchsorted(boxes.frame, [first, after]))
    weight = length_s[boxes.frame[rows] - first]
    sizes = np.bincount(boxes.track[rows], boxes.share[rows] * weight, len(batch.tracks.video))
    own = arguments.groups.names.stands_for(np.full(len(sizes), named), np.arange(len(sizes)))
    largest = sizes[own].max(initial=0.0)
    rivals = ~own & ~batch.tracks.is_person & ~batch.tracks.is_body
    return None if largest <= 0 else 1 + int((sizes[rivals] > largest * (1 + 1e-9)).sum())


def objects_handled(arguments: Arguments) -> Values:
    """``objects_handled``."""
    groups, outputs, batch = arguments.groups, arguments.outputs, arguments.groups.batch
    rows = _holding(arguments)
    rows = rows.take(arguments.evaluator.known[rows.group])
    owner = np.repeat(np.arange(len(rows)), np.diff(rows.tracks.offsets))
    track = batch.tracks.places(groups.video[rows.group[owner]], rows.tracks.ids)
    things = (track >= 0) & ~np.append(batch.tracks.is_person | batch.tracks.is_body, True)[track]
    output, category = outputs.of_group[rows.group[owner[things]]], batch.tracks.category[track[things]]
    width = len(batch.texts.words)
    count = np.bincount(distinct(output * width + category) // max(width, 1), minlength=outputs.count)
    return values_of(arguments, [Statistic(int(n), "count") for n in count], rows)


def _holding(arguments: Arguments) -> Stream:
    groups, missing, who = arguments.groups, arguments.evaluator.missing, arguments.required_name("x")
    found = atoms.related(groups, "holding", who, None)
    if missing is not None:
        reasons = missing.of_predicate("holding", who, None, groups.windows)
        arguments.evaluator.lacks(np.where(reasons >= 0, reasons, missing.not_processed(groups)), found.group)
    return found


def prepare_holding(arguments: Arguments) -> None:
    """Note where holding is not known."""
    _holding(arguments)
