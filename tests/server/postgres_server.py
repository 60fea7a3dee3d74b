"""A PostgreSQL server of its own for one test, from the Debian package; the test is skipped where there is none."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from running_service import free_port


@dataclass(frozen=True)
class PostgresServer:
    """A running server: its data directory and the address of a database."""

    folder: Path
    url: str


@contextmanager
def postgres_server(folder: Path) -> Iterator[PostgresServer]:
    """Start a server with its data in ``folder``; it is stopped after the block.

    Root has it run by another account, in a folder of its own: whenever a pytest starts, it closes the folder that all
    of them share to other accounts.
    """
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    if os.geteuid() != 0:
        with _started(programs, folder, []) as server:
            yield server
        return
    with tempfile.TemporaryDirectory(prefix="postgres-") as own, _started(programs, Path(own), _account(own)) as server:
        yield server


@contextmanager
def _started(programs: Path, folder: Path, account: list[str]) -> Iterator[PostgresServer]:
    data, port = folder / "data", free_port()

    def run(*command: str | Path) -> None:
        done = subprocess.run([*account, *map(str, command)], check=False, capture_output=True, text=True, cwd=folder)
        assert done.returncode == 0, (command, done.stdout, done.stderr)

    run(programs / "initdb", "-D", data, "-U", "jobs", "-A", "trust", "--no-sync")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c max_connections=60"
    run(programs / "pg_ctl", "-D", data, "-w", "-t", "300", "-l", folder / "server.log", "-o", options, "start")
    try:
        run(programs / "createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "jobs", "jobs")
        yield PostgresServer(data, f"postgresql://jobs@127.0.0.1:{port}/jobs")
    finally:
        run(programs / "pg_ctl", "-D", data, "-m", "immediate", "-w", "-t", "300", "stop")


def _programs() -> Path | None:
    """The folder of the programs of the newest version."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


def _account(folder: str) -> list[str]:
    """What runs a command as the account of PostgreSQL's package, which gets ``folder``: it refuses to run as root."""
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        pytest.skip("the account postgres is missing")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
