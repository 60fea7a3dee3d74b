"""Poster frames, and copies of videos that browsers can play: ``python -m …server.jobs.previews KIND FILE OUT DECODE``.

Browsers play H.264, VP8, VP9 and AV1 in MP4 or WebM. Of everything else a copy is made when it is first wanted: the
upright frames as the analysis reads them, each at its own time stamp, so that boxes lie where they belong. A file is
decoded in a sandbox (:class:`~visionllm_interaction.video.decoding.reader.VideoReader`) and a copy is written in a
process of its own, one at a time, so that the service keeps answering.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from visionllm_interaction.errors import VideoError
from visionllm_interaction.utils.atomic_files import PARTIAL_PREFIX
from visionllm_interaction.video.config import DecodeConfig

Kind = Literal["poster", "copy"]
SUFFIXES: dict[Kind, str] = {"poster": ".jpg", "copy": ".mp4"}
POSTER_WIDTH = 320
TIMEOUT_S = 3600.0
NICENESS = 5
_PLAYABLE = {"mov": {"h264", "av1", "vp9"}, "matroska": {"vp8", "vp9", "av1"}}
_TIME_BASE = Fraction(1, 90_000)
_SIDE = 1280
"""Longest side of a copy in pixels."""


def browser_plays(container: str, codec: str) -> bool:
    """Whether browsers play a file as it is.

    Args:
        container: container format, as FFmpeg names it.
        codec: video codec, as FFmpeg names it.

    Returns:
        Whether all widespread browsers do; some files are refused for other reasons, for example 10-bit colour.
    """
    return codec in _PLAYABLE.get(container, set())


class Previews:
    """The folder of posters and copies, made when they are wanted and erased with their video.

    Args:
        folder: where they are kept.
        decode: settings of the decoder, as for the analysis.
    """

    def __init__(self, folder: Path, decode: DecodeConfig) -> None:
        self._folder = folder
        self._decode = decode.model_copy(update={"sample_fps": None, "adaptive": False})
        self._makers = {kind: ThreadPoolExecutor(1, thread_name_prefix=f"make-{kind}") for kind in SUFFIXES}
        self._making: dict[tuple[str, Kind], Future[Path]] = {}
        self._processes: dict[subprocess.Popen[bytes], str] = {}
        self._lock = threading.Lock()

    def stop(self) -> None:
        """Stop what is being made; it is made anew when it is wanted again."""
        with self._lock:
            for maker in self._makers.values():
                maker.shutdown(wait=False, cancel_futures=True)
            for process in self._processes:
                process.kill()

    def request(self, video_id: str, kind: Kind, source: Path) -> Future[Path]:
        """The file, or the promise of it.

        Args:
            video_id: the video.
            kind: what is wanted of it.
            source: the video file.

        Returns:
            The path, once it is there; a ``VideoError`` where it cannot be made.
        """
        out = self._out(video_id, kind)
        with self._lock:
            if out.exists():
                done: Future[Path] = Future()
                done.set_result(out)
                return done
            known = self._making.get((video_id, kind))
            if known is None or known.cancelled():
                known = self._makers[kind].submit(self._make, video_id, kind, source, out)
                self._making[video_id, kind] = known
            return known

    async def wait(self, video_id: str, kind: Kind, source: Path, *, seconds: float) -> Path | None:
        """As :meth:`request`, waited for without blocking.

        Args:
            video_id: the video.
            kind: what is wanted of it.
            source: the video file.
            seconds: longest time to wait.

        Returns:
            The path; None if it is not there yet.

        Raises:
            VideoError: if it cannot be made.
        """
        promise = asyncio.wrap_future(self.request(video_id, kind, source))
        done, _ = await asyncio.wait({promise}, timeout=seconds)
        return promise.result() if done else None

    def erase(self, video_id: str) -> None:
        """Remove everything made of a video, also what is being made and what a killed service left half made."""
        with self._lock:
            for process, of_video in self._processes.items():
                if of_video == video_id:
                    process.kill()
                    process.wait()
            for kind in SUFFIXES:
                self._making.pop((video_id, kind), None)
                out = self._out(video_id, kind)
                out.unlink(missing_ok=True)
                _partial_of(out).unlink(missing_ok=True)

    def _out(self, video_id: str, kind: Kind) -> Path:
        return self._folder / f"{video_id}{SUFFIXES[kind]}"

    def _make(self, video_id: str, kind: Kind, source: Path, out: Path) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = _partial_of(out)
        command = [sys.executable, "-m", __name__, kind, str(source), str(partial), self._decode.model_dump_json()]
        with self._lock:
            if (video_id, kind) not in self._making:
                raise _erased()
            process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
            self._processes[process] = video_id
        try:
            output, _ = process.communicate(timeout=TIMEOUT_S)
            failure = _failure(output, process.returncode)
            with self._lock:
                is_there = source.exists() and (failure is not None or partial.exists())
                if (video_id, kind) not in self._making or not is_there:  # erased meanwhile, here or at another service
                    failure = _erased()
                    self._making.pop((video_id, kind), None)
                elif failure is None:
                    partial.rename(out)
                    self._making.pop((video_id, kind), None)
        except subprocess.TimeoutExpired:
            failure = VideoError("No copy of the video could be made in time.", found=f"more than {TIMEOUT_S:.0f} s")
        finally:
            process.kill()
            process.wait()
            with self._lock:
                self._processes.pop(process, None)
            partial.unlink(missing_ok=True)
        if failure is not None:
            raise failure
        return out


def _partial_of(out: Path) -> Path:
    return out.with_name(f"{PARTIAL_PREFIX}{out.name}")


def _erased() -> VideoError:
    return VideoError("The video was erased before a copy of it was made.")


def _failure(output: bytes, code: int) -> VideoError | None:
    try:
        told: Any = json.loads(output)
    except ValueError:
        return VideoError("The video could not be copied.", found=f"the process ended with {code}")
    if "error" not in told:
        return None
    return VideoError(told["error"]["message"], expected=told["error"]["expected"], found=told["error"]["found"])


def _write_poster(path: Path, out: Path, decode: DecodeConfig) -> None:
    """The first frame, small."""
    from PIL import Image

    from visionllm_interaction.video.decoding.reader import VideoReader

    frames = VideoReader(path, config=decode).frames("rgb", only_index=0)
    image = Image.fromarray(next(iter(frames)).image_rgb)
    image.thumbnail((POSTER_WIDTH, POSTER_WIDTH * 4))
    image.save(out, "JPEG", quality=80)


def _write_copy(path: Path, out: Path, decode: DecodeConfig) -> None:
    """All frames as H.264 in MP4, each at its time stamp."""
    import av
    import numpy as np
    from PIL import Image

    from visionllm_interaction.video.decoding.reader import VideoReader

    reader = VideoReader(path, config=decode)
    width, height = _even_size(reader.info.width, reader.info.height)
    with av.open(str(out), "w", format="mp4", options={"movflags": "faststart"}) as container:
        stream: Any = container.add_stream("libx264", options={"preset": "veryfast", "crf": "21"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = _TIME_BASE
        for frame in _in_order(iter(reader)):
            image = Image.fromarray(frame.image_rgb)
            if image.size != (width, height):
                image = image.resize((width, height))
            picture: Any = av.VideoFrame.from_ndarray(np.asarray(image), format="rgb24")
            picture.pts, picture.time_base = round(frame.timestamp_s / _TIME_BASE), _TIME_BASE
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


def _in_order(frames: Iterator[Any]) -> Iterator[Any]:
    """Frames whose time stamps grow; one that repeats a time cannot be written."""
    last = -1
    for frame in frames:
        ticks = round(frame.timestamp_s / _TIME_BASE)
        if ticks > last:
            last = ticks
            yield frame


def _even_size(width: int, height: int) -> tuple[int, int]:
    """The size of the copy: at most :data:`_SIDE` on the longer side, and even, as H.264 needs."""
    scale = min(1.0, _SIDE / max(width, height))
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


def main(arguments: list[str]) -> int:
    """Make one poster or copy and say how it went, as JSON."""
    kind, path, out, decode = arguments
    os.nice(NICENESS)
    write = _write_poster if kind == "poster" else _write_copy
    try:
        write(Path(path), Path(out), DecodeConfig.model_validate_json(decode))
    except (VideoError, StopIteration) as error:
        known = error if isinstance(error, VideoError) else VideoError("The video has no frame.")
        sys.stdout.write(json.dumps({"error": known.to_dict()}))
    else:
        sys.stdout.write("{}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
