"""The wheel as a user gets it: installed without extras into an empty environment, where every command is called."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from deploy_checks import REPO

from visionllm_bench.command_table import COMMANDS as BENCH_COMMANDS
from visionllm_bench.toyroom import ToyRoomConfig, make_toyroom
from visionllm_interaction.analysis import analyze
from visionllm_interaction.cli.command_table import COMMANDS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

MEGABYTES = 345
"""On disk without extras and without byte code. Of these, 159 are pyarrow (Parquet), 69 DuckDB, 60 numpy, 21 Pillow."""
SLIM_MEGABYTES = 250
"""After ``slim.py`` has removed what is never loaded."""

Visionllm = Callable[..., tuple[int, dict[str, Any], str]]
UV = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    _run(
        UV, "build", "-q", "--wheel", "--python", sys.executable, "--no-build-isolation", "--out-dir", folder, cwd=REPO
    )
    [wheel] = folder.glob("*.whl")
    return wheel


def _install(wheel: Path, target: Path) -> Path:
    _run(UV, "venv", "-q", "--python", sys.executable, target)
    lock = REPO / "requirements/all.txt"
    _run(UV, "pip", "install", "-q", "--python", target / "bin/python", "-c", lock, wheel)
    return target


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and what it depends on, in the locked versions."""
    return _install(wheel, tmp_path_factory.mktemp("installed") / "env")


@pytest.fixture(scope="module")
def slim_environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same after the command of docs/install.md that makes it smaller."""
    if shutil.which("strip") is None:
        pytest.skip("strip is missing: install Debian's package binutils")
    target = _install(wheel, tmp_path_factory.mktemp("slim") / "env")
    [site] = target.glob("lib/python*/site-packages")
    _run(sys.executable, REPO / "deploy/docker/slim.py", site)
    return target


def _run(*command: object, cwd: Path | None = None) -> None:
    done = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with a store of one video, and images with annotations."""
    folder = tmp_path_factory.mktemp("work")
    make_toyroom(folder / "toyroom", images=12, videos=1, seed=5, config=ToyRoomConfig(video_seconds=8))
    [video] = (folder / "toyroom/videos").glob("*/*.mp4")
    analyze(video, folder / "store", detections="truth", video_ids=["visit"])
    shutil.copy(video, folder / "film.mp4")
    return folder


@pytest.fixture
def visionllm(environment: Path, folder: Path) -> Visionllm:
    """Calls the installed command; gives its exit code, its JSON and what it wrote to stderr."""
    return _caller(environment, folder)


def _caller(environment: Path, folder: Path) -> Visionllm:
    def call(*arguments: str) -> tuple[int, dict[str, Any], str]:
        command = [environment / "bin/visionllm", *arguments, "--json"]
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
        )
        assert "Traceback" not in done.stderr, done.stderr[-3000:]
        return done.returncode, json.loads(done.stdout or "{}"), done.stderr

    return call


def megabytes(environment: Path) -> float:
    """Disk space of an environment without byte code, in 10⁶ bytes."""
    files = (path for path in environment.rglob("*") if path.is_file() and not path.is_symlink())
    size = sum(path.stat().st_blocks * 512 for path in files if path.suffix != ".pyc") / 1e6
    print(f"{size:.0f} MB")
    return size


def test_it_takes_little_room(environment: Path) -> None:
    assert megabytes(environment) < MEGABYTES
    here = {path.name for path in (environment / f"lib/python{sys.version_info[0]}.{sys.version_info[1]}").glob("*/*")}
    assert not here & {"torch", "scipy", "pandas", "matplotlib", "av", "cv2", "openvino"}


def test_questions_measures_and_validation_work(visionllm: Visionllm) -> None:
    _questions_measures_and_validation(visionllm)


def test_a_slim_installation_does_the_same(slim_environment: Path, folder: Path) -> None:
    assert megabytes(slim_environment) < SLIM_MEGABYTES
    _run(slim_environment / "bin/python", "-c", "from numpy import *")  # as SciPy does
    call = _caller(slim_environment, folder)
    _questions_measures_and_validation(call)
    for command in ("doctor", "ingest", "transform", "export", "describe"):
        code, found, said = call(command, *WORKS[command])
        assert code == 0, (found, said)


def _questions_measures_and_validation(visionllm: Visionllm) -> None:
    code, answer, _ = visionllm("ask", "How long was the child visible?", "--store", "store")
    assert code == 0 and answer["status"] == "answered" and answer["claims"][0]["value"] > 0
    code, table, _ = visionllm("measures", "--store", "store", "--out", "table.csv")
    assert code == 0 and table["rows"] > 100
    code, found, _ = visionllm("query", "total(visible(child))", "--store", "store")
    assert code == 0, found
    code, report, _ = visionllm("validate", "-o", "data.root=toyroom")
    assert code == 0 and report["status"] == "PASS" and report["images"] == 12


LOOK = ("-o", "reason.look.enabled=true", "-o", "reason.endpoint.base_url=http://127.0.0.1:9/v1")
LOOK += ("-o", "reason.endpoint.model=any")
WORKS = {
    "init": ("settings",),
    "config": ("show",),
    "ingest": ("-o", "data.root=toyroom"),
    "faults": (),
    "transform": ("-o", "data.root=toyroom"),
    "models": ("list",),
    "ledger": ("--store", "store"),
    "export": ("--store", "store", "--format", "eaf", "--out", "exported"),
    "migrate": ("--store", "store"),
    "keys": ("list",),
    "doctor": (),
    "submit": ("tune", "--dry-run"),
    "describe": ("--store", "store"),
    "ground": ("the child", "--store", "store", "--video", "visit", "--at", "1"),
    "videos": ("list", "--store", "store"),
    "session": ("list", "--store", "store"),
    "chat": ("--store", "store"),
    "corrections": ("list", "--store", "store"),
    "audit-log": (),
}
EXTRAS = {
    "run": ("train", ("-o", "data.root=toyroom")),
    "train": ("train", ("-o", "data.root=toyroom")),
    "tune": ("train", ("-o", "data.root=toyroom")),
    "evaluate": ("train", ("--truth", "a.json", "--detections", "b.json")),
    "export-model": ("export", ("a.pt", "--to", "onnx", "--out", "a.onnx", "--data", "manifest.yaml")),
    "analyze": ("video", ("film.mp4", "--store", "other")),
    "blur": ("video", ("film.mp4", "--out", "blurred.mp4")),
    "heads": ("video", ("film.mp4", "--out", "heads.csv")),
    "sync": ("video", ("film.mp4", "--video", "visit", "--store", "store")),
    "serve": ("serve", ("--insecure",)),
    "audit": ("validity", ("plan", "time_visible", "--out", "audit", "--store", "store")),
    "agree": ("validity", ("a.csv", "b.csv")),
    "correct": ("validity", ("time_visible", "--audit", "audit", "--store", "store")),
    "report": ("validity", ("study.yaml",)),
    "look": (
        "reason",
        ("Is it red?", "--phrase", "the child", "--store", "store", "--video", "visit", "--at", "1", *LOOK),
    ),
    "toyroom": ("toyroom", ("room", "--images", "2", "--videos", "0")),
    "demo": ("all", ("--out", "demo")),
    "eval-reasoning": ("video", ()),
    "copy": ("s3", ("store", "s3://lab/store")),
}
NEED_OTHER_INPUT = {"ask", "measures", "query", "validate", "bundle", "lineage", "verify", "sync-tracking", "erase"}
NEED_OTHER_INPUT |= {"import", "replay", "roles", "cards", "consent", "label", "retention"}
"""Called in other tests, or on files that this one does not make."""


def test_no_command_is_left_out() -> None:
    listed = WORKS.keys() | EXTRAS.keys() | NEED_OTHER_INPUT
    assert listed == COMMANDS.keys() | BENCH_COMMANDS.keys()


@pytest.mark.parametrize("command", WORKS)
def test_a_command_that_needs_no_extra_works(visionllm: Visionllm, command: str) -> None:
    code, found, said = visionllm(command, *WORKS[command])
    assert code == 0, (found, said)


@pytest.mark.parametrize("command", EXTRAS)
def test_a_command_that_needs_an_extra_names_it(visionllm: Visionllm, command: str) -> None:
    extra, arguments = EXTRAS[command]
    code, found, said = visionllm(command, *arguments)
    assert code == 2, (found, said)
    assert f"visionllm-interaction[{extra}]" in found["error"]["fix"], found["error"]


def test_a_store_in_an_object_store_names_the_extra(visionllm: Visionllm) -> None:
    code, found, said = visionllm("ask", "How long was the child visible?", "--store", "s3://lab/store")
    assert code == 2, (found, said)
    assert found["error"]["fix"] == "pip install 'visionllm-interaction[s3]'"


@pytest.mark.parametrize("command", ["lineage", "verify", "replay", "import"])
def test_a_file_that_is_not_there_has_words_of_its_own(visionllm: Visionllm, command: str) -> None:
    more = ("--video", "visit", "--store", "store") if command == "import" else ()
    code, found, _ = visionllm(command, "not-there", *more)
    assert code in (2, 3) and "not-there" in (found["error"]["where"] or ""), found
