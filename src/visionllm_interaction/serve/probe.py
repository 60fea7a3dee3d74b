"""Is this file a video? Run as ``python -m visionllm_interaction.serve.probe FILE``: one JSON object on stdout.

A process of its own with limits on memory and time, because the file comes from outside and the libraries that
read it are large: whatever goes wrong in them ends here. Only container formats on a short list are opened,
and only local files, so that a crafted playlist cannot make the server read other files or addresses.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from visionllm_interaction.errors import VideoError

FORMATS = ("mov", "matroska", "avi", "gif", "mpegts", "mpeg", "ogg")
EXTENSIONS = {"mov": ".mp4", "matroska": ".mkv", "avi": ".avi", "gif": ".gif", "ogg": ".ogv"}
MEMORY_BYTES = 4 * 1024**3
CPU_S = 30
WALL_S = 60.0
MAX_SIDE_PX = 16_384


class VideoFacts(BaseModel):
    """What the probe found; ``duration_s`` is None where the container does not say."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    container: str
    codec: str
    width: int
    height: int
    duration_s: float | None
    frames_per_s: float | None


def probe_video(path: Path) -> VideoFacts:
    """Open ``path`` and decode its first frame, in a limited process.

    Raises:
        VideoError: if it is not a video that can be decoded.
    """
    command = [sys.executable, "-m", __name__, str(path.absolute())]
    try:
        done = subprocess.run(command, capture_output=True, timeout=WALL_S, check=False, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as error:
        raise _not_a_video(f"reading it took more than {WALL_S:.0f} s") from error
    try:
        result: Any = json.loads(done.stdout)
        if "error" not in result:
            return VideoFacts.model_validate(result)
    except (ValueError, TypeError) as error:
        raise _not_a_video(f"the reader ended with {done.returncode}") from error
    raise _not_a_video(str(result["error"]))


def _not_a_video(found: str) -> VideoError:
    return VideoError(
        "The file is not a video that can be decoded.",
        expected="a video in an MP4, MOV, MKV, WebM, AVI, MPEG, OGG or GIF container",
        found=found,
        fix="check that the file plays, or convert it: ffmpeg -i FILE -c:v libx264 -pix_fmt yuv420p OUT.mp4",
    )


def _read(path: str) -> dict[str, Any]:
    import av  # here, so that the service itself never loads it into its own process

    options = {"format_whitelist": ",".join(FORMATS), "protocol_whitelist": "file"}
    with av.open(path, options=options) as container:
        if not container.streams.video:
            return {"error": f"no picture track in the {container.format.name} file"}
        stream = container.streams.video[0]
        frame = next(container.decode(stream), None)
        if frame is None:
            return {"error": "no frame can be decoded"}
        if max(frame.width, frame.height) > MAX_SIDE_PX:
            return {"error": f"{frame.width} × {frame.height} pixels, more than {MAX_SIDE_PX} on a side"}
        length = container.duration / av.time_base if container.duration else None
        rate = float(stream.average_rate) if stream.average_rate else None
        return {
            "container": container.format.name.split(",")[0],
            "codec": stream.codec_context.name,
            "width": frame.width,
            "height": frame.height,
            "duration_s": length,
            "frames_per_s": rate,
        }


def main(arguments: list[str]) -> int:
    """Probe one file under limits and write what was found."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    import av

    try:
        result = _read(arguments[0])
    except (av.FFmpegError, OSError, ValueError, MemoryError) as error:
        result = {"error": f"{type(error).__name__}: {getattr(error, 'strerror', None) or error}"}
    sys.stdout.write(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
