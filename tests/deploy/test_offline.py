"""No command opens a connection to another machine, as the kernel sees it: traced, with all its processes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from visionllm_bench.toyroom import ToyRoomConfig, make_toyroom

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

_ADDRESS = re.compile(r'sin6?_port=htons\((\d+)\).*?(?:inet_addr\("|inet_pton\(AF_INET6, ")([0-9a-fA-F.:]+)"')
_LOOPBACK = re.compile(r"127\.|::1$|::ffff:127\.")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated video with its truth, and images with annotations."""
    folder = tmp_path_factory.mktemp("offline")
    make_toyroom(folder / "toyroom", images=12, videos=1, seed=5, config=ToyRoomConfig(video_seconds=8))
    return folder


def connections(command: list[str], folder: Path) -> tuple[list[str], int]:
    """Calls that name an address of another machine, and how many network calls were seen in all."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed (Debian's package strace)")
    trace = folder / "trace.txt"
    calls = ["-f", "-qq", "-s", "200", "-e", "trace=connect,sendto,sendmsg,socket", "-o", str(trace)]
    done = subprocess.run(["strace", *calls, *command], cwd=folder, capture_output=True, text=True, check=False)
    if "Operation not permitted" in done.stderr:
        pytest.skip("this machine does not allow tracing")
    assert done.returncode == 0, done.stderr[-3000:]
    lines = trace.read_text(errors="replace").splitlines()
    return [line for line in lines if (found := _ADDRESS.search(line)) and not _LOOPBACK.match(found[2])], len(lines)


def test_the_trace_would_show_a_connection(folder: Path) -> None:
    """To an address that is reserved for examples: a socket of datagrams sends nothing when it connects."""
    program = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('192.0.2.1', 53))"
    found, _ = connections([sys.executable, "-c", program], folder)
    assert len(found) == 1 and "192.0.2.1" in found[0]


def test_from_video_to_answer_nothing_leaves_the_machine(folder: Path) -> None:
    visionllm = str(Path(sys.executable).with_name("visionllm"))
    [video] = (folder / "toyroom/videos").glob("*/*.mp4")
    store = ("--store", "store")
    for arguments in (
        ("analyze", str(video), *store, "--detections", "truth"),
        ("measures", *store, "--out", "table.csv"),
        ("ask", "How long was the child visible?", *store),
        ("query", "total(visible(child))", *store),
        ("describe", *store),
        ("export", *store, "--format", "eaf", "--out", "exported"),
        ("validate", "-o", "data.root=toyroom"),
        ("models", "list"),
        ("doctor",),
    ):
        found, _ = connections([visionllm, *arguments], folder)
        assert found == [], (arguments, found[:5])
