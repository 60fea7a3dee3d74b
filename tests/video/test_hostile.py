"""Hostile media through the command: nothing else is read, nothing is connected to, little is used, exit code 3."""

from __future__ import annotations

import io
import json
import os
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from PIL import Image
from video_files import write_sound, write_video

from visionllm_interaction.errors import VideoError
from visionllm_interaction.video.config import DecodeConfig
from visionllm_interaction.video.decoding.reader import VideoReader

LIMIT_MB = 512
LIMIT_S = 10.0


def write_gif(path: Path, *, size: tuple[int, int], frames: int, delay_cs: int) -> Path:
    """A GIF that says it repeats for ever, of ``frames`` equal images that take a few bytes each."""
    width, height = (n.to_bytes(2, "little") for n in size)
    with io.BytesIO() as one:
        Image.new("P", size).save(one, "gif")
        content = one.getvalue()
    picture = content[content.index(b"," + bytes(4) + width + height) : -1]
    head = b"GIF89a" + width + height + b"\x80\x00\x00" + b"\0\0\0\xff\xff\xff"
    loop = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"
    control = b"\x21\xf9\x04\x00" + delay_cs.to_bytes(2, "little") + b"\x00\x00"
    path.write_bytes(head + loop + (control + picture) * frames + b";")
    return path


def huge_header(path: Path) -> Path:
    """An AVI of uncompressed images whose header claims 100,000 x 100,000 pixels."""
    data = bytearray(write_video(path, times_ms=[0, 40, 80], codec="rawvideo").read_bytes())
    at = data.index(b"strf") + 12
    data[at : at + 8] = (100_000).to_bytes(4, "little") * 2
    path.write_bytes(bytes(data))
    return path


def playlist(text: str) -> Callable[[Path, str], Path]:
    def write(folder: Path, url: str) -> Path:
        path = folder / "video.mp4"
        path.write_text(text.format(sibling=folder / "sibling.mp4", url=url))
        return path

    return write


def cut(count: int) -> Callable[[Path, str], Path]:
    def write(folder: Path, _url: str) -> Path:
        path = folder / "video.mp4"
        path.write_bytes((folder / "sibling.mp4").read_bytes()[:count])
        return path

    return write


HOSTILE: dict[str, Callable[[Path, str], Path]] = {
    "ffconcat": playlist("ffconcat version 1.0\nfile {sibling}\nfile {url}\n"),
    "hls": playlist(
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{sibling}\n#EXTINF:1,\n{url}\n#EXT-X-ENDLIST\n"
    ),
    "dash": playlist('<?xml version="1.0"?><MPD><BaseURL>{url}</BaseURL></MPD>'),
    "empty": cut(0),
    "truncated header": cut(300),
    "truncated": cut(1200),
    "100k x 100k": lambda folder, _: huge_header(folder / "video.avi"),
    "60 megapixel GIF": lambda folder, _: write_gif(folder / "video.gif", size=(60000, 1000), frames=3, delay_cs=2),
    "endless GIF": lambda folder, _: write_gif(folder / "video.gif", size=(3000, 3000), frames=4_000, delay_cs=2),
    "sound": lambda folder, _: write_sound(folder / "video.mp4"),
    "pipe": lambda folder, _: make_pipe(folder / "video.mp4"),
}


def make_pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


@contextmanager
def listener() -> Iterator[tuple[str, list[object]]]:
    """A server on this machine, and who called."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        calls: list[object] = []

        def accept() -> None:
            while True:
                try:
                    calls.append(server.accept()[1])
                except OSError:
                    return

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/video.mp4", calls
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def watch(process: subprocess.Popen[str]) -> tuple[int, int]:
    """Largest memory (bytes) and number of sockets seen in a process and its children until it ends."""
    memory = sockets = 0
    while process.poll() is None:
        try:
            family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
            memory = max(memory, sum(p.memory_info().rss for p in family))
            sockets = max(sockets, sum(len(p.net_connections("all")) for p in family))
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        time.sleep(0.05)
    return memory, sockets


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_media_are_refused_by_the_command(tmp_path: Path, name: str) -> None:
    sibling = write_video(tmp_path / "sibling.mp4", times_ms=[0, 40, 80])
    with listener() as (url, calls):
        path = HOSTILE[name](tmp_path, url)
        code = "import sys; from visionllm_interaction.cli import main; sys.argv[0] = 'visionllm'; main()"
        arguments = ["analyze", str(path), "--store", str(tmp_path / "store"), "--detections", "found.json", "--json"]
        (tmp_path / "found.json").write_text('{"categories": [], "detections": []}')
        begin = os.times()
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )
        memory, sockets = watch(process)
        said, complaint = process.communicate()
        end = os.times()
    error = json.loads(said)["error"]
    used_s = end.children_user + end.children_system - begin.children_user - begin.children_system
    assert process.returncode == 3, complaint
    assert (
        error["code"] == "VIDEO"
        and error["expected"]
        and error["found"]
        and error["fix"]
        and str(path) == error["where"]
    )
    assert str(sibling) not in error["found"]
    assert not list((tmp_path / "store").glob("videos/*"))
    assert (calls, sockets) == ([], 0)
    assert memory <= LIMIT_MB << 20
    assert used_s <= LIMIT_S  # of processor time: the wall's depends on who else works on this machine


def test_a_gif_that_says_it_never_ends_is_read_once(tmp_path: Path) -> None:
    path = write_gif(tmp_path / "v.gif", size=(16, 16), frames=3, delay_cs=10)
    assert len(list(VideoReader(path))) == 3


def test_what_is_slow_for_its_length_is_given_up(tmp_path: Path) -> None:
    path = write_gif(tmp_path / "v.gif", size=(3000, 3000), frames=500, delay_cs=2)
    with pytest.raises(VideoError, match=r"over a limit[\s\S]*of work, and"):
        list(VideoReader(path, config=DecodeConfig(stall_cpu_s=1, cpu_s_per_s=1.0)))


def test_memory_is_limited(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", times_ms=list(range(0, 400, 40)), size=(2560, 1440))
    with pytest.raises(VideoError, match=r"memory for decoding|damaged|cannot be read"):
        list(VideoReader(path, config=DecodeConfig(max_memory_mb=192)))


def test_the_process_that_decodes_can_open_nothing(tmp_path: Path) -> None:
    code = (
        "import socket, sys\n"
        "from visionllm_interaction.video.decoding.sandbox import lock_down\n"
        "lock_down(max_memory_bytes=400 << 20)\n"
        "for attempt in (lambda: open('/etc/hostname'), lambda: socket.socket(), lambda: bytearray(600 << 20)):\n"
        "    try:\n"
        "        attempt()\n"
        "    except (OSError, MemoryError):\n"
        "        continue\n"
        "    sys.exit(1)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_decoder_that_dies_is_an_error_about_the_video(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", times_ms=list(range(0, 4000, 40)))
    reader = VideoReader(path)
    frames = iter(reader)
    next(frames)
    [child] = [c for c in psutil.Process().children() if "visionllm_interaction.video.decoding.worker" in c.cmdline()]
    child.kill()
    with pytest.raises(VideoError, match=r"broke the decoder[\s\S]*SIGKILL"):
        list(frames)


def test_readers_leave_no_processes_and_no_descriptors(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", times_ms=list(range(0, 400, 40)))
    me = psutil.Process()
    before = me.num_fds()
    for _ in range(3):
        reader = VideoReader(path)
        frames = iter(reader)
        next(frames)
        del frames, reader
        VideoReader(path)
    assert me.num_fds() <= before + 1
    assert not [c for c in me.children() if "visionllm_interaction.video.decoding.worker" in c.cmdline()]
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 64  # the limits are the child's, not ours
