"""Select the video stream of a file: the one a player shows, never cover images or thumbnails."""

from __future__ import annotations

from typing import Any

from visionllm_interaction.video.decoding.containers import no_such_stream
from visionllm_interaction.video.decoding.worker_messages import StreamEntry

_STILLS = ("attached_pic", "timed_thumbnails", "still_image")


def video_streams(container: Any) -> list[Any]:
    """The video streams except cover images, thumbnails and stills."""
    return [stream for stream in container.streams.video if not is_still(stream)]


def choose_stream(container: Any, index: int | None) -> Any:
    """Select the video stream to analyse.

    Args:
        container: the open PyAV container.
        index: the requested stream, as FFmpeg counts. ``None`` selects the default stream; of several, the one with
            the most pixels.

    Returns:
        The PyAV stream, or ``None`` if the file has no video stream.

    Raises:
        VideoError: if the file has no video stream with ``index``.
    """
    streams = video_streams(container)
    if index is not None:
        chosen = next((stream for stream in container.streams.video if stream.index == index), None)
        if chosen is None:
            raise no_such_stream(index, [describe_stream(entry_of(stream)) for stream in streams])
        return chosen
    # max takes the first of equals
    return max(streams, key=lambda stream: (_has(stream, "default"), _pixels(stream)), default=None)


def audio_stream(container: Any) -> Any:
    """The default sound stream, else the first one; ``None`` if there is none."""
    streams = list(container.streams.audio)
    return next((stream for stream in streams if _has(stream, "default")), streams[0] if streams else None)


def entry_of(stream: Any) -> StreamEntry:
    """What the header says about a video stream."""
    codec = stream.codec_context
    return StreamEntry(stream.index, codec.name, codec.width, codec.height)


def describe_stream(entry: StreamEntry) -> str:
    """Describe a stream, for example ``0 (h264, 1920 x 1080)``."""
    return f"{entry.index} ({entry.codec}, {entry.width} x {entry.height})"


def is_still(stream: Any) -> bool:
    """Whether a video stream is a cover image, a thumbnail or a still."""
    return any(_has(stream, name) for name in _STILLS)


def _has(stream: Any, name: str) -> bool:
    # By name: not every version of PyAV knows every disposition.
    flag = getattr(type(stream.disposition), name, None)
    return flag is not None and bool(stream.disposition & flag)


def _pixels(stream: Any) -> int:
    return int(stream.codec_context.width * stream.codec_context.height)
