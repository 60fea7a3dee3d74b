"""The search for secrets finds planted ones, and passes over no more than is explained."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from deploy_checks import REPO

ALLOWED = REPO / ".secrets-allowed"


def search(folder: Path) -> subprocess.CompletedProcess[str]:
    """``make check-secrets`` over another repository."""
    for command in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    make = ["make", "-s", "-f", str(REPO / "Makefile"), "-o", ".venv/.ready-dev", f"BIN={Path(sys.executable).parent}"]
    return subprocess.run([*make, "check-secrets"], cwd=folder, capture_output=True, text=True, check=False)


# Put together here, so that the search does not find them in this file.
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("aws.py", "key = 'AKIA" + "QX7RZ2M4PLN5VTWB'"),
        ("github.yaml", "token: ghp_" + "x7Rz2M4pLn5VtWbQ9c" + "YdK3sJfH8gA1eU6iOo"),
        ("id_rsa", "-----BEGIN RSA PRIVATE " + "KEY-----\nMIIEow\n"),
        ("settings.py", "password" + " = 'correct-horse-battery'"),
        ("address.txt", "postgresql://lab:" + "pferd-klammer@database/visionllm"),
        ("digits.py", "value = '" + "9f86d081884c7d659a2feaa0c55ad015'"),
    ],
)
def test_a_planted_secret_is_found(name: str, text: str, tmp_path: Path) -> None:
    shutil.copy(ALLOWED, tmp_path)
    (tmp_path / name).write_text(text + "\n")
    (tmp_path / "innocent.py").write_text("number = 4\n")
    done = search(tmp_path)
    assert done.returncode != 0
    assert set(re.findall(r"^Location: +(\S+):1$", done.stdout, flags=re.MULTILINE)) == {name}, (
        done.stdout + done.stderr
    )


def test_files_without_secrets_pass(tmp_path: Path) -> None:
    shutil.copy(ALLOWED, tmp_path)
    (tmp_path / "innocent.py").write_text("password_env = 'MLFLOW_TRACKING_PASSWORD'\n")
    done = search(tmp_path)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_all_that_is_passed_over_has_a_reason_and_is_there() -> None:
    lines = [line for line in ALLOWED.read_text().splitlines() if line]
    tracked = subprocess.run(["git", "ls-files"], cwd=REPO, check=True, capture_output=True, text=True).stdout
    assert lines[0].startswith("#")
    for before, line in pairwise(lines):
        option, _, pattern = line.partition("=")
        if line.startswith("#"):
            continue
        assert option in ("--exclude-files", "--exclude-lines", "--exclude-secrets"), line
        assert before.startswith("#") or before.partition("=")[0] == option, f"no reason: {line}"
        if option == "--exclude-files":
            assert re.search(pattern, tracked, flags=re.MULTILINE), f"no such file: {line}"
