"""Posters, and copies that browsers can play."""

from __future__ import annotations

import time
from pathlib import Path

import av
import pytest
from PIL import Image
from running_service import wait_for

from visionllm_interaction.errors import VideoError
from visionllm_interaction.server.jobs.previews import Previews, browser_plays
from visionllm_interaction.video.config import DecodeConfig


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A GIF of 33 × 25 pixels whose frames last unequally long."""
    frames = [Image.new("RGB", (33, 25), (60 * n, 90, 200)) for n in range(4)]
    path = tmp_path / "film.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=[100, 300, 100, 100], loop=0)
    return path


def test_a_copy_plays_in_browsers_and_keeps_the_time_stamps(film: Path, tmp_path: Path) -> None:
    previews = Previews(tmp_path / "previews", DecodeConfig(sample_fps=1.0))
    copy = previews.request("v", "copy", film).result(timeout=200)
    with av.open(str(copy)) as container:
        stream = container.streams.video[0]
        assert browser_plays("mov", stream.codec_context.name) and not browser_plays("gif", "gif")
        assert (stream.width, stream.height) == (32, 24)
        times = [round(float(frame.pts * frame.time_base), 3) for frame in container.decode(stream)]
    assert times == [0.0, 0.1, 0.4, 0.5]
    poster = previews.request("v", "poster", film).result(timeout=200)
    with Image.open(poster) as image:
        assert image.format == "JPEG"
    previews.erase("v")
    assert list((tmp_path / "previews").iterdir()) == []
    previews.stop()


def test_what_is_no_video_has_no_copy(tmp_path: Path) -> None:
    text = tmp_path / "notes.avi"
    text.write_text("Dear diary,\n")
    previews = Previews(tmp_path / "previews", DecodeConfig())
    with pytest.raises(VideoError):
        previews.request("v", "copy", text).result(timeout=200)
    assert list((tmp_path / "previews").iterdir()) == []
    previews.stop()


def long_film(path: Path) -> Path:
    """A GIF whose copy takes a while."""
    frames = [Image.effect_noise((320, 240), 90) for _ in range(400)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=40, loop=0)
    return path


def test_a_copy_that_is_being_made_is_erased_at_once(tmp_path: Path) -> None:
    folder, film = tmp_path / "previews", long_film(tmp_path / "film.gif")
    previews = Previews(folder, DecodeConfig())
    making = previews.request("v", "copy", film)
    wait_for(lambda: list(folder.glob(".partial-*")), every=0.05)
    begin = time.monotonic()
    previews.erase("v")
    assert list(folder.iterdir()) == []
    with pytest.raises(VideoError, match="erased"):
        making.result(timeout=60)
    assert time.monotonic() - begin < 5 and list(folder.iterdir()) == []
    assert previews.request("v", "poster", film).result(timeout=200).exists(), "uploaded once more"
    previews.stop()


def test_a_copy_whose_video_another_service_erased_is_not_kept(tmp_path: Path) -> None:
    folder, film = tmp_path / "previews", long_film(tmp_path / "film.gif")
    here, there = Previews(folder, DecodeConfig()), Previews(folder, DecodeConfig())
    making = here.request("v", "copy", film)
    wait_for(lambda: list(folder.glob(".partial-*")), every=0.05)
    film.unlink()
    there.erase("v")
    with pytest.raises(VideoError, match="erased"):
        making.result(timeout=200)
    assert list(folder.iterdir()) == []
    for one in (here, there):
        one.stop()


def test_what_a_killed_service_left_half_made_is_erased(tmp_path: Path) -> None:
    folder = tmp_path / "previews"
    folder.mkdir()
    for name in (".partial-v.mp4", ".partial-v.jpg", "v.jpg", ".partial-w.mp4"):
        (folder / name).write_bytes(b"frames")
    previews = Previews(folder, DecodeConfig())
    previews.erase("v")
    assert [path.name for path in folder.iterdir()] == [".partial-w.mp4"]
    previews.stop()
