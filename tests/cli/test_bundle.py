"""Bundles for machines without a network: what is in them; a changed one is refused before anything happens."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from visionllm_interaction import offline_bundle
from visionllm_interaction.errors import InputDataError, UsageError
from visionllm_interaction.offline_bundle import BundleError, make_bundle, verify_bundle


def tiny_wheel(folder: Path) -> Path:
    """A wheel under this program's name, with a command that prints a version."""
    path = folder / "visionllm_interaction-9.9-py3-none-any.whl"
    info = "visionllm_interaction-9.9.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny.py", "def main():\n    print('9.9')\n")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: visionllm-interaction\nVersion: 9.9\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/entry_points.txt", "[console_scripts]\nvisionllm = tiny:main\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle whose wheels are made here: the real ones come from a network."""
    monkeypatch.setattr(offline_bundle, "_gather_wheels", lambda wheels, extras, own: tiny_wheel(wheels))
    model = tmp_path / "detector.pt"
    model.write_bytes(b"weights")
    made = make_bundle(tmp_path / "bundle", extras=["serve"], models=[model])
    assert made.extras == ("serve",) and made == verify_bundle(made.folder)
    return made.folder


def install(bundle: Path, target: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(bundle / "install.sh"), str(target)]
    return subprocess.run(command, env={"PATH": "/usr/bin:/bin", "PYTHON": sys.executable, **environment},
                          capture_output=True, text=True, check=False)  # fmt: skip


def test_a_bundle_has_wheels_models_settings_and_a_digest_of_each(bundle: Path) -> None:
    names = {line.split("  ")[1] for line in (bundle / "SHA256SUMS").read_text().splitlines()}
    present = {str(path.relative_to(bundle)) for path in bundle.rglob("*") if path.is_file()}
    assert names == present - {"SHA256SUMS"}
    assert {"models/detector.pt", "config/model.yaml", "requirements.txt", "install.sh"} <= names
    assert {"docs/index.md", "docs/deploy.md"} <= names
    assert (bundle / "requirements.txt").read_text().startswith("visionllm-interaction==9.9 --hash=sha256:")


@pytest.mark.parametrize("change", ["flip", "add", "remove"])
def test_a_changed_bundle_is_refused_and_the_file_is_named(bundle: Path, tmp_path: Path, change: str) -> None:
    model = bundle / "models" / "detector.pt"
    if change == "flip":
        model.write_bytes(b"Weights")
    elif change == "add":
        (bundle / "models" / "more.pt").write_bytes(b"")
    else:
        model.unlink()
    with pytest.raises(InputDataError) as caught:
        verify_bundle(bundle)
    assert "models/" in str(caught.value.found)
    if change != "add":  # what is not listed is not installed either
        done = install(bundle, tmp_path / "venv")
        assert done.returncode == 3 and "nothing was installed" in done.stderr
        assert not (tmp_path / "venv").exists()


def test_another_python_is_refused_with_what_to_do(bundle: Path, tmp_path: Path) -> None:
    other = tmp_path / "python2"
    other.write_text("#!/bin/sh\necho 2.7\n")
    other.chmod(0o755)
    done = install(bundle, tmp_path / "venv", PYTHON=str(other))
    assert done.returncode == 2 and "found 2.7" in done.stderr


@pytest.mark.slow
def test_a_bundle_installs_without_an_index(bundle: Path, tmp_path: Path) -> None:
    done = install(bundle, tmp_path / "venv", PIP_INDEX_URL="http://127.0.0.1:9/", PIP_CONFIG_FILE="/dev/null")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("9.9\n")


def test_mistakes_are_told_before_anything_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(UsageError, match="not empty"):
        make_bundle(tmp_path / "full")
    with pytest.raises(UsageError, match="no such extra"):
        make_bundle(tmp_path / "new", extras=["server"])
    with pytest.raises(InputDataError, match="no such file"):
        make_bundle(tmp_path / "new", models=[tmp_path / "none.pt"])
    assert not (tmp_path / "new").exists()


def test_what_pip_says_is_passed_on_and_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with pytest.raises(BundleError) as caught:
        make_bundle(tmp_path / "new", wheel=tiny_wheel_that_needs("defusedxml", tmp_path))
    assert "visionllm-interaction==9.9" in str(caught.value.found)
    assert not (tmp_path / "new").exists()


def tiny_wheel_that_needs(requirement: str, folder: Path) -> Path:
    path = tiny_wheel(folder)
    needing = folder / "other" / path.name
    needing.parent.mkdir()
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(needing, "w") as target:
        for name in source.namelist():
            more = f"Requires-Dist: {requirement}\n".encode() if name.endswith("METADATA") else b""
            target.writestr(name, source.read(name) + more)
    return needing
