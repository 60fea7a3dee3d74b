"""Rerun's .rrd: boxes per frame, relations and events over time, for `rerun FILE`. Needs the extra ``rerun``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from visionllm_interaction.core.detection_table import UNTRACKED
from visionllm_interaction.errors import UsageError
from visionllm_interaction.store.reader import Store
from visionllm_interaction.utils.atomic_files import publish_file
from visionllm_interaction.utils.path_type import StrPath


def write_rerun(store: Store, video_id: str, path: StrPath) -> None:
    """Write the boxes, relations and events of one video on Rerun's timeline ``video``; no images.

    Args:
        store: the open store.
        video_id: the video.
        path: the file; an existing one is replaced.

    Raises:
        UsageError: if Rerun is not installed.
    """
    path = Path(path)
    rerun = _import_rerun()
    with (
        publish_file(path) as partial,
        rerun.RecordingStream("visionllm", recording_id=video_id) as recording,
    ):
        recording.save(str(partial))
        _log_boxes(rerun, recording, store, video_id)
        _log_symbols(rerun, recording, store, video_id)
        recording.flush()


def _import_rerun() -> Any:
    # Rerun reports its use unless told otherwise before it is loaded.
    os.environ.setdefault("RERUN_ANALYTICS", "0")
    try:
        import rerun
    except ImportError as error:
        raise UsageError(
            "Rerun is not installed.",
            expected="the extra `rerun`",
            found="no package rerun-sdk",
            fix="pip install 'visionllm-interaction[rerun]'",
        ) from error
    return rerun


def _log_boxes(rerun: Any, recording: Any, store: Store, video_id: str) -> None:
    found = store.detections(video_id)
    corners = np.stack([found[side].to_numpy() for side in ("x1", "y1", "x2", "y2")], axis=1)
    ids, index = found["track_id"].to_numpy(), found["frame_index"].to_numpy()
    categories = np.array(found["category"].to_pylist(), dtype=object)
    frames = store.frames(video_id).to_pylist()
    for frame in (frame for frame in frames if frame["processed"]):
        first, after = np.searchsorted(index, [frame["frame_index"], frame["frame_index"] + 1])
        rows = np.arange(first, after)[ids[first:after] != UNTRACKED]
        labels = [f"{categories[row]} {ids[row]}" for row in rows]
        recording.set_time("video", duration=frame["timestamp_s"])
        boxes = rerun.Boxes2D(array=corners[rows], array_format=rerun.Box2DFormat.XYXY, labels=labels)
        recording.log("picture/boxes", boxes)


def _log_symbols(rerun: Any, recording: Any, store: Store, video_id: str) -> None:
    texts = [(e.begin_s, f"{e.kind} {list(e.track_ids)}") for e in store.events(video_id)]
    for r in store.relations(video_id):
        words = f"{r.subject_track_id} {r.predicate} {r.object_track_id}"
        texts += [(r.begin_s, f"begin {words}"), (r.end_s, f"end {words}")]
    for time_s, text in sorted(texts):
        recording.set_time("video", duration=time_s)
        recording.log("log", rerun.TextLog(text))
