"""Videos of many formats: times as ffprobe has them, images right side up, the sound of blurred copies in step."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from video_formats import Spec, all_specs, judge

from visionllm_interaction.video.decoding.reader import VideoReader

pytestmark = pytest.mark.skipif(shutil.which("ffprobe") is None, reason="needs ffprobe (Debian: ffmpeg)")

SOME = (
    Spec("mp4", "libx264-b", "ntsc", "transposed", "64/45", "cover first", "aac", "sound late"),
    Spec("mov", "libx264", "25", "mirrored", "1", "sound first", "pcm_s16be", "image late"),
    Spec("mkv", "mpeg4-b", "25", "upright", "8/9", "default second", "libopus", "together"),
    Spec("avi", "libx264-b", "10", "upright", "1", "video first", "pcm_s16le", "together"),
    Spec("ts", "libx264-b", "uneven", "upright", "4/3", "sound first", "aac", "image late"),
    Spec("webm", "libvpx", "uneven", "upright", "1", "video first", None, "together"),
)


@pytest.mark.parametrize("spec", SOME, ids=lambda spec: spec.name)
def test_a_video_is_read_as_ffprobe_reads_it(tmp_path: Path, spec: Spec) -> None:
    assert judge(spec, tmp_path).faults == ()


@pytest.mark.slow
@pytest.mark.parametrize("spec", all_specs(300), ids=lambda spec: spec.name)
def test_300_videos_are_read_as_ffprobe_reads_them(tmp_path: Path, spec: Spec) -> None:
    assert judge(spec, tmp_path).faults == ()


def _can_write_packed() -> bool:
    if shutil.which("ffmpeg") is None:
        return False
    listed = subprocess.run(["ffmpeg", "-hide_banner", "-encoders"], capture_output=True, text=True, check=False)
    return "libxvid" in listed.stdout


@pytest.mark.skipif(not _can_write_packed(), reason="needs ffmpeg with libxvid")
def test_packed_b_frames_of_xvid_are_read_as_ffprobe_reads_them(tmp_path: Path) -> None:
    """Xvid puts a P frame and a B frame into one chunk of the AVI and an empty one after it."""
    path = tmp_path / "v.avi"
    scene = "testsrc=s=96x64:r=10:d=3"
    encode = ["-c:v", "libxvid", "-bf", "2", "-g", "12", "-q:v", "3"]
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", scene, *encode, str(path)], check=True)
    assert b"DivX503b1393p" in path.read_bytes(), "packed"
    frames = list(VideoReader(path))
    show = ["-select_streams", "v", "-show_entries", "frame=best_effort_timestamp_time", "-of", "csv=p=0"]
    said = subprocess.run(["ffprobe", "-v", "error", *show, str(path)], capture_output=True, text=True, check=True)
    times = [float(line.rstrip(",")) for line in said.stdout.split() if line.rstrip(",") not in ("", "N/A")]
    assert len(frames) >= 27
    assert [frame.timestamp_s for frame in frames][: len(times)] == pytest.approx(times, abs=0.001)
    assert np.diff([frame.timestamp_s for frame in frames]) == pytest.approx(np.full(len(frames) - 1, 0.1), abs=1e-3)
