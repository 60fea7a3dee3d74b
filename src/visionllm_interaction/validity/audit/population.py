"""The units that an audit is drawn from: every processed frame, or every clip, of the videos of a store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa

from visionllm_interaction.core.intervals import Intervals, as_intervals, clip, contains, total_s
from visionllm_interaction.errors import InputDataError
from visionllm_interaction.store.covariates import read_covariates
from visionllm_interaction.store.reader import Store
from visionllm_interaction.validity.audit.states import StateOfPair, bouts, intervals_of, known_of
from visionllm_interaction.validity.estimation.audited_units import Bools, Floats

NEAR_A_CHANGE_S = 1.0
"""Frames so close to a change of what the detector says are the likeliest errors."""

SCHEMA = pa.schema(
    {
        "unit_id": pa.string(),
        "video_id": pa.string(),
        "child": pa.string(),
        "frame_index": pa.int64(),
        "begin_s": pa.float64(),
        "end_s": pa.float64(),
        "amount_s": pa.float64(),
        "predicted_share": pa.float64(),
        "predicted_count": pa.float64(),
        "unsure": pa.bool_(),
    }
)
"""``predicted_share`` is 0 or 1 of a frame, of a clip the share of its time; null: no label. ``predicted_count`` is the
number of bouts that begin in a clip; null for frames."""


@dataclass(frozen=True)
class VideoUnits:
    """The units of one video.

    Attributes:
        table: the columns of :data:`SCHEMA`.
        child_is_known: whether the store says which child it is; otherwise the video stands for a child.
    """

    table: pa.Table
    child_is_known: bool


def population(
    store: Store, state: StateOfPair, *, clip_s: float | None = None, videos: Sequence[str] | None = None
) -> tuple[VideoUnits, ...]:
    """All units of a store.

    Args:
        store: the open store.
        state: what is judged.
        clip_s: length of a clip in seconds; None: single frames.
        videos: only these.

    Returns:
        The units of each video.

    Raises:
        InputDataError: if no frame was processed.
    """
    found = []
    for video_id in videos or store.video_ids():
        covariates = read_covariates(store.path, video_id)
        child = covariates.child if covariates and covariates.child else None
        build = _frames if clip_s is None else _clips
        table = build(store, video_id, state, child or video_id, clip_s or 0.0)
        if table.num_rows:
            found.append(VideoUnits(table, child is not None))
    if not found:
        raise InputDataError(
            "There is nothing to audit.",
            expected="processed frames",
            found="none",
            where=str(store.path),
            fix="analyse videos first: `visionllm analyze`",
        )
    return tuple(found)


def _processed(store: Store, video_id: str) -> tuple[pa.Table, Bools]:
    frames = store.frames(video_id)
    return frames, frames["processed"].to_numpy(zero_copy_only=False) & (frames["duration_s"].to_numpy() > 0)


def _frames(store: Store, video_id: str, state: StateOfPair, child: str, _: float) -> pa.Table:
    frames, used = _processed(store, video_id)
    index, begin = frames["frame_index"].to_numpy()[used], frames["timestamp_s"].to_numpy()[used]
    length = frames["duration_s"].to_numpy()[used]
    spans, known = intervals_of(store, video_id, state), known_of(store, video_id, state)
    predicted = contains(spans, begin).astype(np.float64) if len(spans) else np.zeros(len(begin))
    if known is not None:
        inside = contains(known, begin) if len(known) else np.zeros(len(begin), np.bool_)
        predicted[~inside & (predicted == 0)] = np.nan
    columns = {
        "unit_id": [f"{video_id}:f{n:07d}" for n in index.tolist()],
        "frame_index": index,
        "begin_s": begin,
        "end_s": begin + length,
        "amount_s": length,
        "predicted_share": predicted,
        "predicted_count": np.full(len(begin), np.nan),
        "unsure": _near_a_change(spans, begin),
    }
    return _table(columns, video_id, child)


def _near_a_change(spans: Intervals, begin: Floats) -> Bools:
    edges = np.sort(spans.ravel())
    if not len(edges):
        return np.zeros(len(begin), np.bool_)
    place = np.searchsorted(edges, begin)
    before = np.abs(begin - edges[np.clip(place - 1, 0, len(edges) - 1)])
    after = np.abs(begin - edges[np.clip(place, 0, len(edges) - 1)])
    return np.asarray(np.minimum(before, after) < NEAR_A_CHANGE_S)


def _clips(store: Store, video_id: str, state: StateOfPair, child: str, clip_s: float) -> pa.Table:
    frames, used = _processed(store, video_id)
    if not used.any():
        return SCHEMA.empty_table()
    begin, length = frames["timestamp_s"].to_numpy()[used], frames["duration_s"].to_numpy()[used]
    index = frames["frame_index"].to_numpy()[used]
    first_s, last_s = float(begin[0]), float((begin + length)[-1])
    count = max(int((last_s - first_s) / clip_s + 0.5), 1)
    edges = np.append(first_s + clip_s * np.arange(count), last_s)
    spans = intervals_of(store, video_id, state)
    amounts = np.array([_processed_s(begin, length, a, b) for a, b in pairwise(edges.tolist())])
    filled = amounts > 0
    pairs = list(pairwise(edges.tolist()))
    values = [clip_values(spans, begin_s=a, end_s=b) for a, b in pairs]
    columns = {
        "unit_id": [f"{video_id}:c{n:05d}" for n in range(count)],
        "frame_index": index[np.clip(np.searchsorted(begin, edges[:-1]), 0, len(index) - 1)],
        "begin_s": edges[:-1],
        "end_s": edges[1:],
        "amount_s": amounts,
        "predicted_share": np.array(
            [min(s / a, 1.0) if a > 0 else 0.0 for (s, _), a in zip(values, amounts, strict=True)]
        ),
        "predicted_count": np.array([float(n) for _, n in values]),
        "unsure": np.zeros(count, np.bool_),
    }
    return _table(columns, video_id, child).filter(pa.array(filled))


def _processed_s(begin: Floats, length: Floats, a: float, b: float) -> float:
    return float(np.maximum(np.minimum(begin + length, b) - np.maximum(begin, a), 0.0).sum())


def clip_values(spans: Intervals, *, begin_s: float, end_s: float) -> tuple[float, int]:
    """Seconds in which a state holds within a clip, and how many of its bouts begin there.

    Args:
        spans: when the state holds, (M, 2).
        begin_s: begin of the clip in seconds.
        end_s: its end.

    Returns:
        Seconds and number of bouts; a bout that began before the clip is counted where it began.
    """
    of_bouts = bouts(as_intervals(spans))
    begun = (of_bouts[:, 0] >= begin_s) & (of_bouts[:, 0] < end_s)
    return total_s(clip(as_intervals(spans), begin_s=begin_s, end_s=end_s)), int(begun.sum())


def _table(columns: dict[str, object], video_id: str, child: str) -> pa.Table:
    count = len(columns["begin_s"])  # type: ignore[arg-type]
    every = {**columns, "video_id": [video_id] * count, "child": [child] * count}
    arrays = [pa.array(every[field.name], type=field.type, from_pandas=True) for field in SCHEMA]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)
