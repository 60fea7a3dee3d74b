"""Measures of plug-ins as functions of the language: ``path_length(child) / total(visible(child))``."""

from __future__ import annotations

from collections.abc import Mapping, Set

import numpy as np
from msgspec.structs import replace

from visionllm_interaction.measures.language.evaluate import Arguments
from visionllm_interaction.measures.language.functions import FUNCTIONS, SELECTIONS
from visionllm_interaction.measures.language.types import Function, Kind, Parameter, Type
from visionllm_interaction.measures.language.values import Values
from visionllm_interaction.measures.plugins import MeasuredValue, MissingValue, PluginMeasure, find_measure
from visionllm_interaction.measures.streams.missing_reasons import KNOWN
from visionllm_interaction.measures.streams.stream import Stream, TrackLists

_HERE = "measures.plugin_functions"
_NAME = (Kind.NAME,)
_SEVERAL = "a measure of a plug-in is of one video and one name: write by $o in place of over $o"
_EXCEPT = "a measure of a plug-in knows no “except”"


def functions_with_plugins(called: Set[str]) -> Mapping[str, Function]:
    """The functions of the language and, where they are called, measures of plug-ins.

    Args:
        called: what an expression calls.

    Returns:
        Name → function; plug-ins are only asked about names that nothing built in has.

    Raises:
        PluginError: if a plug-in offers such a measure and cannot be used.
    """
    unknown = sorted(called - FUNCTIONS.keys() - SELECTIONS.keys())
    found = {name: measure for name in unknown if isinstance(measure := find_measure(name), PluginMeasure)}
    return {**FUNCTIONS, **{name: _as_function(measure) for name, measure in found.items()}} if found else FUNCTIONS


def _as_function(measure: PluginMeasure) -> Function:
    names = ("x", "y") if measure.inputs == "pair" else ("x",)
    return Function(
        name=measure.name,
        parameters=tuple(Parameter(name, _NAME) for name in names),
        result=Type(Kind.VALUE, measure.unit),
        definition=measure.definition,
        computed_by=f"{_HERE}:of_plugin",
        source=measure.source,
        version=measure.version,
        nothing=None if measure.nothing is None else float(measure.nothing),
        whole=measure.unit == "count",
        per_video=True,
        prepared_by=f"{_HERE}:compute",
    )


def compute(arguments: Arguments) -> None:
    """Ask the plug-in for each video and name once, and note why there is no value where there is none.

    Args:
        arguments: of the call.
    """
    evaluator, groups = arguments.evaluator, arguments.groups
    measure = find_measure(arguments.function.name)
    assert isinstance(measure, PluginMeasure)
    names = [arguments.required_name(parameter.name) for parameter in arguments.function.parameters]
    found = [_of_group(measure, arguments, names, group) for group in range(len(groups))]
    evaluator.computed[arguments.node] = found
    missing = evaluator.missing
    if missing is not None:
        for name in names:
            evaluator.lacks(missing.unsearched(name, groups.windows))
        evaluator.lacks(missing.not_processed(groups))
        why = [missing.reasons.code(one.reason) if isinstance(one, MissingValue) else KNOWN for one in found]
        evaluator.lacks(np.array(why, dtype=np.int64))


def _of_group(
    measure: PluginMeasure, arguments: Arguments, names: list[np.ndarray], group: int
) -> MeasuredValue | MissingValue | None:
    groups = arguments.groups
    chosen = [groups.names.names[int(codes[group])] for codes in names]
    if any(name.excluded for name in chosen):
        return MissingValue(_EXCEPT)
    video = groups.batch.store[groups.batch.video_ids[int(groups.video[group])]]
    scope, done = int(groups.scope[group]), groups.processed
    # Frames before the begin of a container, and after its end, are processed too.
    first, last = float(done.begin_s[scope]), float(done.end_s[scope])
    begin_s = max(float(groups.begin_s[group]), min(0.0, first) if np.isfinite(first) else 0.0)
    end_s = min(float(groups.end_s[group]), max(video.duration_s, last) if np.isfinite(last) else video.duration_s)
    if begin_s >= end_s:
        return None
    subject, *other = (name.base for name in chosen)
    return measure.compute(video, subject=subject, object=other[0] if other else None, begin_s=begin_s, end_s=end_s)


def of_plugin(arguments: Arguments) -> Values:
    """The values of a measure of a plug-in, with the tracks and times that it says they rest on.

    Args:
        arguments: of the call; :func:`compute` was called with them.

    Returns:
        A value for each output that is one video and one name.
    """
    outputs, known = arguments.outputs, arguments.evaluator.known
    found: list[MeasuredValue | MissingValue | None] = arguments.evaluator.computed[arguments.node]
    groups_of = np.bincount(outputs.of_group, minlength=outputs.count)
    nothing = np.nan if arguments.function.nothing is None else arguments.function.nothing
    value = np.where(groups_of == 1, nothing, np.nan)
    there = np.zeros(outputs.count, np.bool_)
    rows = [
        (group, one)
        for group, one in enumerate(found)
        if isinstance(one, MeasuredValue) and known[group] and groups_of[outputs.of_group[group]] == 1
    ]
    for group, one in rows:
        value[outputs.of_group[group]] = one.value
        there[outputs.of_group[group]] = True
    pairs = [(place, track) for place, (_, one) in enumerate(rows) for track in one.track_ids]
    tracks = TrackLists.of_pairs(*(np.array([p[i] for p in pairs], dtype=np.int64) for i in (0, 1)), rows=len(rows))
    proof = Stream.sorted(
        np.array([group for group, _ in rows], dtype=np.int64),
        np.array([one.begin_s for _, one in rows], dtype=np.float64),
        np.array([one.end_s for _, one in rows], dtype=np.float64),
        tracks,
    )
    why = tuple(_SEVERAL if number > 1 else None for number in groups_of.tolist())
    return replace(Values(value, proof, there), why=why)
