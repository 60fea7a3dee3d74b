"""Read the frames of a video with their presentation times; decoding runs in a separate process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.frame_table import OK, UNCHANGED, Frame, FrameTable
from visionllm_interaction.errors import VideoError
from visionllm_interaction.utils.path_type import StrPath
from visionllm_interaction.video.config import DecodeConfig
from visionllm_interaction.video.decoding.decoder_process import SLOTS, DecoderProcess
from visionllm_interaction.video.decoding.worker_messages import (
    AudioChunk,
    ContainerStamps,
    Finished,
    PixelFormat,
    ReadRequest,
)


@dataclass(frozen=True)
class EndOfStream:
    """Facts about a video that are known after reading it to its end.

    Attributes:
        reached_s: end of the last packet of any stream, sound included.
        clock_jumps: (time, jump) in seconds of discontinuities of the clock, where files were concatenated.
        resized: number of images whose size differs from the first; they were scaled or letterboxed.
    """

    reached_s: float
    clock_jumps: tuple[tuple[float, float], ...] = ()
    resized: int = 0


class VideoReader:
    """Iterate over the sampled frames of a video; :meth:`frame_table` then describes all frames.

    Times are seconds since the container's start, from the presentation time stamps, never derived from a frame rate.
    Iterating again reads the file again. A child process without access to other files or sockets decodes the file,
    with limits on memory and processor time. A file that crashes the decoder crashes only that process.

    Args:
        path: the video file.
        config: stream, sampling and limits.

    Raises:
        VideoError: on opening or reading, if the file is no video, exceeds a limit, or has no readable frame.

    Example:
        >>> reader = VideoReader("visit1.mp4")  # doctest: +SKIP
        >>> for frame in reader:  # doctest: +SKIP
        ...     frame.timestamp_s, frame.image_rgb.shape
    """

    def __init__(self, path: StrPath, *, config: DecodeConfig = DecodeConfig()) -> None:
        path = Path(path)
        self._path = path
        self._config = config
        self._times: list[float] = []
        self._notes: list[str] = []
        self._decoder: DecoderProcess | None = DecoderProcess(path, config)
        self.info = self._decoder.info
        self.ending: EndOfStream | None = None

    def __iter__(self) -> Iterator[Frame]:
        return self.frames("rgb")

    def frames(
        self, pixel_format: PixelFormat = "rgb", *, only_index: int | None = None, per_s: float | None = None
    ) -> Iterator[Frame]:
        """Iterate over the sampled frames.

        Args:
            pixel_format: ``"rgb"`` for (H, W, 3) images, or ``"grey"`` for small (H, W) ones.
            only_index: the ``frame_index`` of the only frame to yield.
            per_s: yield at most this many frames per second; the others are still recorded in the frame table.

        Yields:
            Frames with uint8 images, in order of presentation.
        """
        after = 0
        slots = SLOTS if per_s is None else 1  # with few images there is nothing to wait for, and they may be large
        for image in self._read(ReadRequest(pixel_format, slots, only_index, per_s)):
            if image is not None:
                index = len(self._notes) - 1
                unchanged = tuple(self._times[n] for n in range(after, index) if self._notes[n] == UNCHANGED)
                yield Frame(index, self._times[index], image, unchanged)
                after = index + 1

    def scan(self) -> Iterator[int]:
        """Read only the times of the file; yields the index of each frame that would be sampled."""
        reported = 0
        for _ in self._read(ReadRequest("none", SLOTS)):
            for index in range(reported, len(self._notes)):
                if self._notes[index] == OK:
                    yield index
            reported = len(self._notes)

    def _read(self, read_request: ReadRequest) -> Iterator[NDArray[np.uint8] | None]:
        """Record the messages of the decoder; yields the image of the last frame recorded, or ``None``."""
        decoder, self._decoder = self._decoder or DecoderProcess(self._path, self._config), None
        self._times, self._notes, self.ending = [], [], None
        try:
            for report, image in decoder.read(read_request):
                if isinstance(report, Finished):
                    self.ending = EndOfStream(report.reached_s, tuple(report.clock_jumps), report.resized)
                    return
                self._times += report.times_s
                self._notes += report.notes
                yield image
        finally:
            decoder.close()

    def frame_table(self) -> FrameTable:
        """All frames read so far, in order of presentation."""
        processed = np.array([note == OK for note in self._notes], dtype=np.bool_)
        times = np.array(self._times, dtype=np.float64)
        # A GIF states how long each image is shown; a camera that sends no image for a while has lost some.
        gaps = self.info.container != "gif"
        notes = tuple(self._notes)
        return FrameTable.from_times(np.arange(len(times)), times, processed=processed, quality=notes, gaps=gaps)


def read_audio(
    path: Path, *, config: DecodeConfig = DecodeConfig(), clock_jumps: Sequence[tuple[float, float]] = ()
) -> Iterator[AudioChunk]:
    """Read the sound of a video, decoded in a separate process like its images.

    Args:
        path: the video file.
        config: limits on the file.
        clock_jumps: ``EndOfStream.clock_jumps`` of the video stream.

    Yields:
        Chunks of 16-bit samples; none if the video has no sound.

    Raises:
        VideoError: if the file or its sound cannot be read.
    """
    decoder = DecoderProcess(path, config, sound=True, clock_jumps=list(clock_jumps))
    try:
        yield from decoder.audio_chunks()
    finally:
        decoder.close()


def read_stamps(path: StrPath) -> ContainerStamps:
    """Read when a video or sound file was recorded, as its container says; read in a separate process.

    Args:
        path: the file.

    Returns:
        Its dates, and its length.

    Raises:
        VideoError: if the file is in no supported format or damaged.
    """
    decoder = DecoderProcess(Path(path), DecodeConfig(), stamps=True)
    try:
        return decoder.stamps()
    finally:
        decoder.close()


def read_frame_at(path: StrPath, index: int, *, stream: int | None = None) -> Frame:
    """Read one frame.

    The file is decoded from its start, because with variable frame rates frames can only be counted.

    Args:
        path: the video file.
        index: the ``frame_index``, as in a frame table.
        stream: index of the video stream as FFmpeg counts; ``None`` for the default one.

    Returns:
        The frame, with its (H, W, 3) RGB image.

    Raises:
        VideoError: if the video is unreadable or has no such frame.
    """
    path = Path(path)
    for frame in VideoReader(path, config=DecodeConfig(stream=stream)).frames(only_index=index):
        return frame
    raise VideoError("The video has no such frame.", expected=f"frame {index}", found="none", where=str(path))
