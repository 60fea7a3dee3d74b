"""When something holds, in all videos: the bouts of an expression of the language, and the time that is not known."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from visionllm_interaction.core.intervals import Intervals, complement, total_s, union
from visionllm_interaction.errors import ExpressionError, UsageError
from visionllm_interaction.measures.config import MeasuresConfig
from visionllm_interaction.measures.language.chosen_videos import choose_videos
from visionllm_interaction.measures.language.parser import parse
from visionllm_interaction.measures.language.run import evaluate, query
from visionllm_interaction.measures.language.syntax_tree import Call, Grouped, Prefix
from visionllm_interaction.server.patterns.schemas import BoutRaster, VideoBouts
from visionllm_interaction.store.covariates import read_covariates
from visionllm_interaction.store.reader import Store, open_store

MOST_VIDEOS = 200
_ROUNDING_S = 0.05
"""Frames end where the next one begins, give or take rounding: shorter time that is not known is none."""


def bout_raster(
    folder: Path, expression: str, *, config: MeasuresConfig, names: dict[str, str], store_name: str
) -> BoutRaster:
    """Compute the bouts of an expression in every video.

    Args:
        folder: the store.
        expression: of the language of quantities; intervals or moments, for example ``holding(child)``.
        config: definitions of measures.
        names: video → name of its file.
        store_name: what the command calls the store.

    Returns:
        The videos that it is about, in order of their children, ages and names.

    Raises:
        UsageError: if the expression is a number, and no intervals or moments, or it is about sessions.
        ExpressionError: if it cannot be read.
    """
    parsed = parse(expression)
    if parsed.session is not None or parsed.by_session or parsed.by_child:
        raise UsageError(
            "The plot has the clocks of videos, and this is on those of sessions.",
            expected="an expression about videos",
            found=expression[:200],
            fix="leave out session and child behind `in` and `by`",
        )
    with open_store(folder) as store:
        found = evaluate(parsed, store, config=config)
        if found.kind != "stream":
            raise UsageError(
                "This gives no bouts.",
                expected="intervals or moments, such as holding(child) or visible(child) & !visible(caregiver)",
                found=f"{expression[:200]}, which is {found.kind}",
            )
        bouts: dict[str, list[tuple[float, float]]] = {}
        for row in found:
            if row.video_id is not None and row.begin_s is not None:
                bouts.setdefault(row.video_id, []).append(
                    (row.begin_s, row.begin_s if row.end_s is None else row.end_s)
                )
        about = choose_videos(store, parsed).video_ids
        absent, never_known = _opposite(parsed, store, config), _never_known(parsed, store, config)
        videos = []
        for one in about:
            duration_s = float(store.video(one)["duration_s"])
            unknown: list[tuple[float, float]] | None = None
            if one in never_known:
                unknown = [(0.0, duration_s)]
            elif absent is not None:
                unknown = _unknown(bouts.get(one, []), absent.get(one, []), duration_s)
            videos.append(_video(store, one, bouts.get(one, []), unknown, names))
    ordered = sorted(videos, key=lambda one: (one.child or "", one.age_months or 0.0, one.name))
    return BoutRaster(
        expression=found.expression,
        videos=ordered[:MOST_VIDEOS],
        left_out=max(0, len(ordered) - MOST_VIDEOS),
        command=shlex.join(["visionllm", "query", expression, "--store", store_name, "--csv"]),
    )


def raster_csv(
    folder: Path, expression: str, *, config: MeasuresConfig, check_export: Callable[[Sequence[str]], None]
) -> bytes:
    """The bouts as ``visionllm query --csv`` writes them.

    Args:
        folder: the store.
        expression: of the language of quantities.
        config: definitions of measures.
        check_export: refuses videos that may not be exported; it is asked about those that the table tells of.

    Returns:
        The table.
    """
    with open_store(folder) as store:
        found = query(expression, store, config=config)
        named = {row.video_id for row in found}  # a row of no single video tells of all
        check_export(store.video_ids() if None in named else sorted(one for one in named if one is not None))
    return found.to_csv().encode()


def _opposite(parsed: Grouped, store: Store, config: MeasuresConfig) -> dict[str, list[tuple[float, float]]] | None:
    """When it is known not to hold, by video; None where the language has no opposite: of moments, of several names."""
    if parsed.by or parsed.over:
        return None
    try:
        rows = evaluate(replace(parsed, value=Prefix("!", parsed.value)), store, config=config).rows
    except ExpressionError:
        return None
    found: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        if row.video_id is not None and row.begin_s is not None and row.end_s is not None:
            found.setdefault(row.video_id, []).append((row.begin_s, row.end_s))
    return found


def _never_known(parsed: Grouped, store: Store, config: MeasuresConfig) -> set[str]:
    """Videos in which it is known at no time, because something that it is about was not processed or coded."""
    counted = replace(parsed, value=Call("count", (parsed.value,)), by_video=True, bin_s=None)
    try:
        rows = evaluate(counted, store, config=config).rows
    except ExpressionError:
        return set()
    known = {row.video_id for row in rows if row.missing is None}
    return {row.video_id for row in rows if row.video_id is not None} - known


def _unknown(
    bouts: list[tuple[float, float]], absent: list[tuple[float, float]], duration_s: float
) -> list[tuple[float, float]]:
    told = union(np.concatenate([_intervals(bouts), _intervals(absent)]), max_gap_s=_ROUNDING_S)
    gaps = complement(told, within=np.array([[0.0, duration_s]])).tolist()
    return [(begin, end) for begin, end in gaps if end - begin > _ROUNDING_S]


def _video(
    store: Store,
    video_id: str,
    bouts: list[tuple[float, float]],
    unknown: list[tuple[float, float]] | None,
    names: dict[str, str],
) -> VideoBouts:
    known = read_covariates(store.path, video_id)
    return VideoBouts(
        video_id=video_id,
        name=names.get(video_id, video_id),
        child=known.child if known else None,
        age_months=known.age_months if known else None,
        duration_s=float(store.video(video_id)["duration_s"]),
        bouts=sorted(bouts),
        unknown=unknown,
        seconds=total_s(_intervals(bouts)),
    )


def _intervals(pairs: list[tuple[float, float]]) -> Intervals:
    return union(np.array([pair for pair in pairs if pair[1] > pair[0]], np.float64).reshape(-1, 2))
