"""The video with boxes and track ids drawn in, as MP4."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from visionllm_interaction.core.detection_table import UNTRACKED
from visionllm_interaction.interop.rendering.source_video import open_source_video
from visionllm_interaction.reports.overlays import draw_box
from visionllm_interaction.store.reader import Store
from visionllm_interaction.store.video_view import DetectionRow
from visionllm_interaction.utils.atomic_files import publish_file
from visionllm_interaction.utils.path_type import StrPath
from visionllm_interaction.video.decoding.reader import VideoReader

_COLOURS = (
    "#e6194b",
    "#3cb44b",
    "#4363d8",
    "#f58231",
    "#911eb4",
    "#008080",
    "#9a6324",
    "#808000",
    "#000075",
    "#c71585",
)
_CLOCK = 90_000
"""Time stamps per second: times are kept to 0.01 ms, also where the frame rate varies."""


def write_annotated_video(
    store: Store,
    video_id: str,
    path: StrPath,
    *,
    progress: Callable[[int, int | None], None] = lambda _done, _total: None,
) -> None:
    """Write the annotated video, without sound.

    Interpolated boxes have thin lines; detections on no track are left out.

    Args:
        store: the open store.
        video_id: the video.
        path: the MP4 file; an existing one is replaced.
        progress: called with the frames done and the frames expected (``None`` if unknown).

    Raises:
        VideoError: if the source video is gone or has changed.
    """
    path = Path(path)
    boxes = detections_by_frame(store, video_id)
    reader = open_source_video(store, video_id, made="annotated video")
    with publish_file(path) as partial, av.open(str(partial), "w", format="mp4") as container:
        _encode(container, _counted(_drawn_frames(reader, boxes), reader, progress))


def detections_by_frame(store: Store, video_id: str) -> dict[int, list[DetectionRow]]:
    """Frame index → its detections on tracks."""
    found: dict[int, list[DetectionRow]] = {}
    for row in store[video_id].detections:
        if row.track_id != UNTRACKED:
            found.setdefault(row.frame_index, []).append(row)
    return found


def _counted(
    frames: Iterator[tuple[float, NDArray[np.uint8]]], reader: VideoReader, progress: Callable[[int, int | None], None]
) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    for done, frame in enumerate(frames, 1):
        yield frame
        progress(done, reader.info.declared_frames or None)


def _drawn_frames(
    reader: VideoReader, boxes: Mapping[int, list[DetectionRow]]
) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    for frame in reader:
        picture = Image.fromarray(frame.image_rgb)
        canvas = ImageDraw.Draw(picture)
        for row in boxes.get(frame.frame_index, ()):
            colour = _COLOURS[row.track_id % len(_COLOURS)]
            draw_box(
                canvas,
                (row.x1, row.y1, row.x2, row.y2),
                colour=colour,
                line_width=1 if row.interpolated else 3,
                caption=f"{row.category} {row.track_id}",
                font_size=10,
                style="outlined",
            )
        yield frame.timestamp_s, np.asarray(picture)


def _encode(container: Any, frames: Iterator[tuple[float, NDArray[np.uint8]]]) -> None:
    stream = None
    for timestamp_s, picture in frames:
        height, width = (side - side % 2 for side in picture.shape[:2])  # yuv420p has no odd sides
        if stream is None:
            stream = container.add_stream("libx264", rate=30, options={"crf": "20", "preset": "veryfast"})
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.codec_context.time_base = Fraction(1, _CLOCK)
        image = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture[:height, :width]), format="rgb24")
        image.pts, image.time_base = round(timestamp_s * _CLOCK), Fraction(1, _CLOCK)
        container.mux(stream.encode(image))
    if stream is not None:
        container.mux(stream.encode())
