"""Time of which nothing is known, or less than of the rest: not processed, dark, blurred, shaken, too far away."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from visionllm_interaction.core.frame_table import QUALITY_FLAGS
from visionllm_interaction.core.intervals import Intervals, complement, total_s, union
from visionllm_interaction.server.schemas.timelines import PoorTime, TimeNotKnown
from visionllm_interaction.store.reader import Store

NOT_PROCESSED = "not_processed"
_FRAME_ENDS_S = 0.05
"""Frames end where the next one begins, give or take rounding of their time stamps: shorter gaps are none."""


def time_not_known(store: Store, video_id: str, *, duration_s: float) -> TimeNotKnown:
    """When a video was not processed, and when it shows too little.

    Args:
        store: the open store.
        video_id: a video in the store.
        duration_s: its length in seconds.

    Returns:
        The intervals by reason.
    """
    frames, quality = store.frames(video_id), store.read_table(video_id, "quality")
    processed = union(_intervals(frames.filter(frames["processed"])), max_gap_s=_FRAME_ENDS_S)
    found: dict[str, Intervals] = {NOT_PROCESSED: complement(processed, within=np.array([[0.0, duration_s]]))}
    found[NOT_PROCESSED] = found[NOT_PROCESSED][np.diff(found[NOT_PROCESSED])[:, 0] > _FRAME_ENDS_S]
    for flag in QUALITY_FLAGS:
        found[flag] = union(_intervals(quality.filter(pc.equal(quality[flag], True))))
    poor = [_poor_time(reason, intervals) for reason, intervals in found.items() if len(intervals)]
    return TimeNotKnown(quality_measured=quality.num_rows > 0, poor=poor)


def _intervals(table: pa.Table) -> Intervals:
    """The rows of a table as intervals: ``begin_s`` and ``end_s``, or a time stamp and a duration."""
    if "begin_s" in table.column_names:
        begins, ends = (table[name].to_numpy() for name in ("begin_s", "end_s"))
    else:
        begins = table["timestamp_s"].to_numpy()
        ends = begins + table["duration_s"].to_numpy()
    return np.stack([begins, ends], axis=1).astype(np.float64)


def _poor_time(reason: Any, intervals: Intervals) -> PoorTime:
    pairs = [(round(begin, 3), round(end, 3)) for begin, end in intervals.tolist()]
    return PoorTime(reason=reason, intervals=pairs, seconds=round(total_s(intervals), 3))
