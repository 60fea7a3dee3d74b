"""The video file behind a video of the store, checked before its frames are read."""

from __future__ import annotations

from pathlib import Path

from visionllm_interaction.errors import VideoError
from visionllm_interaction.store.reader import Store
from visionllm_interaction.utils.hashing import sha256_file
from visionllm_interaction.video.config import DecodeConfig
from visionllm_interaction.video.decoding.reader import VideoReader


def source_video(store: Store, video_id: str, *, made: str) -> Path:
    """The file that a video was analysed from.

    Args:
        store: the open store.
        video_id: the video.
        made: what is made from it, for the message.

    Returns:
        Its path; the content is checked against the record.

    Raises:
        VideoError: if the file is gone or its content has changed.
    """
    source = store.video(video_id)["source"]
    path = Path(source["path"])
    if not path.is_file() or sha256_file(path) != source["sha256"]:
        raise VideoError(
            f"The {made} cannot be made: the source video is not there as it was analysed.",
            expected=f"the file with sha256 {source['sha256']}",
            found="a file with other content" if path.is_file() else "no file",
            where=str(path),
            fix="put the video back there; or analyse it from its new place, which updates the path in the store",
        )
    return path


def open_source_video(store: Store, video_id: str, *, made: str) -> VideoReader:
    """Open all frames of the stream that was analysed, whatever was sampled of them.

    Args:
        store: the open store.
        video_id: the video.
        made: what is made from it, for the message.

    Returns:
        The reader of the source file.

    Raises:
        VideoError: as :func:`source_video`.
    """
    stream = store.video(video_id).get("stream")
    return VideoReader(source_video(store, video_id, made=made), config=DecodeConfig(stream=stream))
