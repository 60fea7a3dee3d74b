"""A session of two hours in six chapters: how long importing and measuring it takes, and how much memory.

    python benchmarks/measures/session.py [--minutes 20] [--chapters 6] [--keep FOLDER]

One head camera of six chapters, one tracker at 200 Hz, one transcript. Detections are simulated (5 frames a second, ten
objects), no video is rendered. Each command runs in a process of its own: CPU seconds, seconds on the clock and the
largest memory of the process are printed and go to ``benchmarks/results/session.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from store import CAST, FPS
from store import _detections as simulated_detections
from store import _record as hour_record
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.core.tracks_relations_events import Event, Relation, Track
from visionllm_interaction.store.writer import publish_video

RESULTS = Path(__file__).resolve().parents[1] / "results" / "session.json"
GAZE_HZ = 200.0
RUN = (
    "import atexit, resource, sys; "
    "atexit.register(lambda: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)); "
    "from visionllm_interaction.cli import main; sys.exit(main())"
)


@dataclass(frozen=True)
class Run:
    """One command: CPU and wall seconds, MiB."""

    command: str
    cpu_s: float
    wall_s: float
    peak_mib: float


def run(*arguments: str) -> Run:
    """Run a command in a process of its own."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-c", RUN, *arguments, "--json"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as empty:
        done = subprocess.run(command, env=environment, cwd=empty, check=True, capture_output=True, text=True)
    wall_s = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(" ".join(arguments[:2]), cpu_s, wall_s, int(done.stderr.split()[-1]) / 1024)


def make_chapters(store: Path, *, chapters: int, minutes: float) -> list[str]:
    """Chapters with tracks, relations and events, from simulated detections."""
    ids, n = [], round(minutes * 60 * FPS)
    for number in range(1, chapters + 1):
        rng = np.random.default_rng(number)
        frames = FrameTable.from_times(np.arange(n), np.arange(n) / FPS, processed=np.ones(n, np.bool_))
        detections = simulated_detections(frames, rng)
        video_id = f"GX{number:02d}0012"
        length_s = n / FPS
        tracks = [
            Track(place, name, name if name in ("child", "caregiver") else None, 0.0, length_s, n, 0.9)
            for place, name in enumerate(CAST, start=1)
        ]
        begins = np.sort(rng.uniform(0, length_s - 6, 400)).tolist()
        relations = [
            Relation(1, ("near", "in_contact", "holding")[k % 3], 3 + k % (len(CAST) - 2), at, at + 5.0, 0.9)
            for k, at in enumerate(begins)
        ]
        events = [Event(f"e{k}", "picks_up", (1, 3), at, at, 0.9) for k, at in enumerate(begins[::4])]
        record = hour_record(video_id, len(detections)).model_copy(
            update={"duration_s": length_s, "n_frames": n, "n_processed": n}
        )
        publish_video(
            store, record, frames=frames, detections=detections, tracks=tracks, relations=relations, events=events
        )
        ids.append(video_id)
    return ids


def make_gaze(folder: Path, *, seconds: float) -> Path:
    """Gaze as glassesTools writes it."""
    folder.mkdir(parents=True)
    rng, n = np.random.default_rng(0), round(seconds * GAZE_HZ)
    t_ms = np.arange(n) * 1000 / GAZE_HZ
    walk = np.cumsum(rng.normal(0, 1.5, (n, 2)), axis=0)
    x, y = np.abs(walk[:, 0] + 320) % 640, np.abs(walk[:, 1] + 240) % 480
    rows = (f"{t:.1f}\t0\t{a:.1f}\t{b:.1f}" for t, a, b in zip(t_ms, x, y, strict=True))
    text = "\n".join(["timestamp\tframe_idx\tgaze_pos_vid_x\tgaze_pos_vid_y", *rows, ""])
    (folder / "gazeData.tsv").write_text(text)
    frames = "\n".join(f"{k}\t{k * 1000 / FPS:.1f}" for k in range(round(seconds * FPS)))
    (folder / "frameTimestamps.tsv").write_text(f"frame_idx\ttimestamp\n{frames}\n")
    return folder


def make_transcript(path: Path, *, seconds: float) -> Path:
    """Utterances of two speakers, one every 3 s; some go on over a border."""
    rng = np.random.default_rng(1)
    rows = ["tier,participant,label,begin_s,end_s"]
    for number, begin in enumerate(np.arange(0, seconds - 4, 3.0).tolist()):
        end = begin + float(rng.uniform(0.5, 4.0))
        rows.append(f"speech,{('child', 'caregiver')[number % 2]},look at the ball,{begin:.3f},{end:.3f}")
    path.write_text("\n".join([*rows, ""]))
    return path


def measure(folder: Path, *, chapters: int, minutes: float) -> dict[str, object]:
    """Build the session and run every command on it."""
    store, seconds = folder / "store", chapters * minutes * 60
    ids = make_chapters(store, chapters=chapters, minutes=minutes)
    gaze = make_gaze(folder / "tracker", seconds=seconds)
    transcript = make_transcript(folder / "transcript.csv", seconds=seconds)
    place = ("--store", str(store))
    runs = [
        run("session", "set", "visit", *ids, "--camera", "head", *place),
        run("import", str(transcript), "--session", "visit", *place),
        run("import", str(gaze), "--session", "visit", *place),
        run("measures", "--by", "session", "--out", str(folder / "session.parquet"), *place),
        run("measures", "--out", str(folder / "videos.parquet"), *place),
        run("query", "rate(speaks(child)) by session", *place),
    ]
    for one in runs:
        print(f"{one.command[:60]:<60} {one.cpu_s:6.1f} CPU s {one.wall_s:7.1f} s {one.peak_mib:7.0f} MiB")
    return {"chapters": chapters, "minutes": minutes, "runs": [asdict(one) for one in runs]}


def main() -> None:
    """Run it and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--chapters", type=int, default=6)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        found = measure(options.keep or Path(temporary), chapters=options.chapters, minutes=options.minutes)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
