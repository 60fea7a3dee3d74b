"""The video with boxes and track ids drawn in, as MP4: to see what the analysis saw."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from visionllm_interaction.core.detection_table import UNTRACKED
from visionllm_interaction.errors import VideoError
from visionllm_interaction.interop.coco import chosen_frames, picture_name
from visionllm_interaction.reports.overlays import draw_box
from visionllm_interaction.store.reader import Store
from visionllm_interaction.utils.atomic_files import publish_file, write_file
from visionllm_interaction.utils.hashing import sha256_file
from visionllm_interaction.utils.paths import StrPath
from visionllm_interaction.video.config import DecodeConfig
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


def write_film(store: Store, video_id: str, path: StrPath) -> None:
    """Write the annotated film of one video; no sound. Filled-in boxes are dashed out thin, boxes on no track left out.

    Raises:
        VideoError: if the video is not where it was, or is another one by now.
    """
    path = Path(path)
    boxes = boxes_by_frame(store, video_id)
    with publish_file(path) as partial, av.open(str(partial), "w", format="mp4") as container:
        _encode(container, _drawn(_reader(store, video_id), boxes))


def write_pictures(store: Store, video_id: str, folder: StrPath, *, every_s: float) -> int:
    """Write the frames that the COCO export names as JPEG into ``folder``; returns how many.

    Raises:
        VideoError: as :func:`write_film`.
    """
    folder = Path(folder)
    wanted = chosen_frames(store, video_id, every_s=every_s)
    folder.mkdir(parents=True, exist_ok=True)
    written = 0
    for frame in _reader(store, video_id):
        if frame.frame_index in wanted:
            buffer = io.BytesIO()
            Image.fromarray(frame.image_rgb).save(buffer, "JPEG", quality=92)
            write_file(folder / picture_name(frame.frame_index), buffer.getvalue())
            written += 1
    return written


def source_of(store: Store, video_id: str) -> Path:
    """The file that the video was analysed from.

    Raises:
        VideoError: if it is gone or its contents changed.
    """
    source = store.video(video_id)["source"]
    path = Path(source["path"])
    if not path.is_file() or sha256_file(path) != source["sha256"]:
        raise VideoError(
            "The film cannot be made: the video is not what was analysed.",
            expected=f"a file with sha256 {source['sha256']}",
            found="another file" if path.is_file() else "nothing",
            where=str(path),
            fix="put the video back where it was, or analyse it again",
        )
    return path


def boxes_by_frame(store: Store, video_id: str) -> dict[int, list[dict[str, Any]]]:
    """Frame index → its boxes on tracks, as rows of ``detections.parquet``."""
    found: dict[int, list[dict[str, Any]]] = {}
    for row in store.detections(video_id).to_pylist():
        if row["track_id"] != UNTRACKED:
            found.setdefault(row["frame_index"], []).append(row)
    return found


def _reader(store: Store, video_id: str) -> VideoReader:
    """All frames of the stream that was analysed, whatever was sampled of them."""
    stream = store.video(video_id).get("stream")
    return VideoReader(source_of(store, video_id), config=DecodeConfig(stream=stream))


def _drawn(reader: VideoReader, boxes: Mapping[int, list[dict[str, Any]]]) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    for frame in reader:
        picture = Image.fromarray(frame.image_rgb)
        canvas = ImageDraw.Draw(picture)
        for row in boxes.get(frame.frame_index, ()):
            colour = _COLOURS[row["track_id"] % len(_COLOURS)]
            draw_box(
                canvas,
                (row["x1"], row["y1"], row["x2"], row["y2"]),
                colour=colour,
                line_width=1 if row["interpolated"] else 3,
                caption=f"{row['category']} {row['track_id']}",
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
