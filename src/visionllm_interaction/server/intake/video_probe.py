"""Check that a file is a video: ``python -m …server.intake.video_probe FILE DECODE`` prints one JSON object.

The file comes from a client, so it is opened in a separate process with limits on memory and time: a crash in a decoder
stays there. The process reads the file as the analysis does, so that accepted videos can be analysed.
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
from visionllm_interaction.utils.path_type import StrPath
from visionllm_interaction.video.config import DecodeConfig

EXTENSIONS = {
    "mov": ".mp4",
    "matroska": ".mkv",
    "avi": ".avi",
    "gif": ".gif",
    "ogg": ".ogv",
    "asf": ".wmv",
    "mpegts": ".ts",
    "mpeg": ".mpg",
}
MEMORY_BYTES = 4 * 1024**3
CPU_S = 30
WALL_S = 60.0


class VideoMetadata(BaseModel):
    """Metadata in the header of a video; ``duration_s`` is None if the header has none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    container: str
    codec: str
    width: int
    height: int
    duration_s: float | None
    frames_per_s: float | None


def probe_video(path: StrPath, *, decode: DecodeConfig) -> VideoMetadata:
    """Read the metadata of a video and decode its first frame, in a process with limits.

    Args:
        path: the file.
        decode: settings of the decoder, as for the analysis.

    Returns:
        The metadata.

    Raises:
        VideoError: if it is not a video that can be decoded, or it exceeds the limits of ``decode``.
    """
    path = Path(path)
    command = [sys.executable, "-m", __name__, str(path.absolute()), decode.model_dump_json()]
    try:
        done = subprocess.run(command, capture_output=True, timeout=WALL_S, check=False, stdin=subprocess.DEVNULL)
        result: Any = json.loads(done.stdout)
    except subprocess.TimeoutExpired as error:
        raise _unreadable(f"reading it took more than {WALL_S:.0f} s") from error
    except ValueError as error:
        raise _unreadable(f"the reader ended with {done.returncode}") from error
    if "error" in result:
        context = {name: result["error"][name] for name in ("expected", "found", "fix")}
        raise VideoError(result["error"]["message"], **context)
    return VideoMetadata.model_validate(result)


def _unreadable(found: str) -> VideoError:
    return VideoError(
        "The video cannot be read.",
        expected="a video that can be decoded within limits of memory and time",
        found=found,
        fix="check that the file plays, or convert it: ffmpeg -i FILE -c:v libx264 -pix_fmt yuv420p OUT.mp4",
    )


def _read(path: Path, decode: DecodeConfig) -> VideoMetadata:
    # Imported here, so that only this process loads the decoder, not the service.
    from visionllm_interaction.video.decoding.reader import VideoReader

    reader = VideoReader(path, config=decode)
    next(iter(reader))
    info = reader.info
    return VideoMetadata(
        container=info.container,
        codec=info.codec,
        width=info.width,
        height=info.height,
        duration_s=info.declared_duration_s,
        frames_per_s=info.header_fps,
    )


def main(arguments: list[str]) -> int:
    """Probe one file under limits and print the result as JSON."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    try:
        facts = _read(Path(arguments[0]), DecodeConfig.model_validate_json(arguments[1]))
    except VideoError as error:
        sys.stdout.write(json.dumps({"error": error.to_dict()}))
    else:
        sys.stdout.write(facts.model_dump_json())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
