"""Videos of many formats: times as ffprobe has them, images right side up, the sound of blurred copies in step."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from video_formats import Spec, all_specs, judge

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
