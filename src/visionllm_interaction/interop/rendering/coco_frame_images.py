"""Frames of the source video as JPEG images, for the COCO export."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from visionllm_interaction.interop.coco import frame_image_name, sampled_frames
from visionllm_interaction.interop.rendering.source_video import open_source_video
from visionllm_interaction.store.reader import Store
from visionllm_interaction.utils.atomic_files import write_file
from visionllm_interaction.utils.path_type import StrPath


def write_frame_images(store: Store, video_id: str, folder: StrPath, *, every_s: float) -> int:
    """Write the frames that the COCO export names, as JPEG.

    Args:
        store: the open store.
        video_id: the video.
        folder: where to write them; it is created if it does not exist.
        every_s: least time between two frames in seconds.

    Returns:
        Number of images written.

    Raises:
        VideoError: if the source video is gone or has changed; nothing is written then.
    """
    folder = Path(folder)
    wanted = sampled_frames(store, video_id, every_s=every_s)
    reader = open_source_video(store, video_id, made="images of frames")
    folder.mkdir(parents=True, exist_ok=True)
    written = 0
    for frame in reader:
        if frame.frame_index in wanted:
            buffer = io.BytesIO()
            Image.fromarray(frame.image_rgb).save(buffer, "JPEG", quality=92)
            write_file(folder / frame_image_name(frame.frame_index), buffer.getvalue())
            written += 1
    return written
