"""A measure: how far the boxes of a name travel through the image."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby, pairwise
from math import hypot
from typing import Literal

from visionllm_interaction.plugins import MeasuredValue, MeasurePlugin, MissingValue, VideoView


@dataclass(frozen=True)
class PathLength:
    """Sum of the distances between the centres of a track's boxes, from frame to frame."""

    name: str = "path_length"
    definition: str = "Path of the centres of the subject's boxes, summed over its tracks, in widths of the image."
    unit: str = "widths"
    source: str = "the example package of this program"
    inputs: Literal["one", "pair"] = "one"
    nothing: float | None = None
    version: int = 1

    def compute(
        self, video: VideoView, *, subject: str, object: str | None, begin_s: float, end_s: float
    ) -> MeasuredValue | MissingValue | None:
        """See MeasurePlugin."""
        if video.record.view == "ego":
            return MissingValue("the camera moves with the child")
        wanted = {track.track_id for track in video.tracks_named(subject)}
        boxes = [b for b in video.detections if b.track_id in wanted and begin_s <= b.timestamp_s < end_s]
        if len(boxes) < 2:
            return None
        boxes.sort(key=lambda box: (box.track_id, box.timestamp_s))
        path_px = 0.0
        for _, of_track in groupby(boxes, key=lambda box: box.track_id):
            centres = [((box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2) for box in of_track]
            path_px += sum(hypot(x2 - x1, y2 - y1) for (x1, y1), (x2, y2) in pairwise(centres))
        times = sorted(box.timestamp_s for box in boxes)
        if times[0] == times[-1]:
            return None
        tracks = tuple({box.track_id for box in boxes})
        return MeasuredValue(path_px / video.record.width, tracks, begin_s=times[0], end_s=times[-1])


MEASURE: MeasurePlugin = PathLength()
