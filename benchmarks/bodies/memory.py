"""Memory over a long video: does the analysis with people, hands, faces and poses keep more and more?

    python benchmarks/bodies/memory.py --video CLIP [--minutes 60] [--fps 5] [--out FILE]

A real clip is joined to itself, without encoding it anew, until it is as long as asked for, and analysed
by the command ``visionllm analyze --models people,hands,faces,pose`` (the models have to be on this machine:
``visionllm models list``). The memory of that process and of its decoder is read every ten seconds. Printed are the
slope after the first minute, in MiB for an hour of video, and the most. What is found is kept until the video is done,
so the slope is not 0: it should be that of the tables.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

MIB = 2**20


def main() -> int:
    """Loop the clip, analyse it, print the figures."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        looped = loop(options.video, Path(folder) / f"looped{options.video.suffix}", minutes=options.minutes)
        program = Path(sys.executable).with_name("visionllm")
        command = [str(program), "analyze", str(looped), "--store", f"{folder}/store"]
        command += [
            "--models",
            "people,hands,faces,pose",
            "-o",
            f"analysis.video.decode.sample_fps={options.fps:g}",
            "--json",
        ]
        # Its output goes to a file: nobody reads a pipe while the memory is being read.
        with (Path(folder) / "out.txt").open("w+") as out:
            process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
            rows = watch(process, every_s=options.every_s)
            out.seek(0)
            if process.returncode:
                sys.stderr.write(out.read())
                return process.returncode
    result = figures(rows, video_s=60.0 * options.minutes)
    sys.stdout.write(json.dumps({name: value for name, value in result.items() if name != "mib"}, indent=1) + "\n")
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")
    return 0


def loop(clip: Path, to: Path, *, minutes: float) -> Path:
    """The clip joined to itself, as long as asked for."""
    probe = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", str(clip)]
    length_s = float(subprocess.run(probe, check=True, capture_output=True, text=True).stdout)
    again = math.ceil(60 * minutes / length_s) - 1
    join = ["ffmpeg", "-v", "error", "-stream_loop", str(again), "-i", str(clip), "-c", "copy", "-t", str(60 * minutes)]
    subprocess.run([*join, str(to)], check=True)
    return to


def watch(process: subprocess.Popen, *, every_s: float) -> list[tuple[float, float]]:
    """Seconds since the begin, and MiB of the process and of all that it started, until it ends."""
    begin, rows = time.monotonic(), []
    while process.poll() is None:
        try:
            own = psutil.Process(process.pid)
            rss = sum(one.memory_info().rss for one in (own, *own.children(recursive=True)))
            rows.append((time.monotonic() - begin, rss / MIB))
        except psutil.NoSuchProcess:
            pass
        time.sleep(every_s)
    return rows


def figures(rows: list[tuple[float, float]], *, video_s: float) -> dict[str, object]:
    """The slope after the first minute, in MiB for an hour of video, and the most."""
    seconds, mib = np.array(rows).T
    steady = seconds >= 60
    run_s = float(seconds[-1])
    slope = float(np.polyfit(seconds[steady], mib[steady], 1)[0]) if steady.sum() > 2 else float("nan")
    return {
        "video_s": video_s,
        "run_s": round(run_s, 1),
        "times_real_time": round(run_s / video_s, 3),
        "mib_per_hour_of_video": round(slope * run_s / video_s * 3600, 1),
        "most_mib": round(float(mib.max()), 1),
        "mib": [[round(s, 1), round(m, 1)] for s, m in rows],
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--fps", type=float, default=5.0, help="frames analysed a second")
    parser.add_argument("--every-s", type=float, default=10.0)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
