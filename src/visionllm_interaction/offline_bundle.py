"""A folder that installs this program on a machine without a network: wheels, models, settings, docs, digests.

The folder is checked and installed by a shell script with the tools that every Linux machine has: the program is
not there yet. Its wheels are those of the machine it is made on: same system, same Python.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, distributions
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from visionllm_interaction.config_init import write_config_files
from visionllm_interaction.errors import InputDataError, UsageError, VisionLLMError
from visionllm_interaction.utils.extras import DISTRIBUTION, USES
from visionllm_interaction.utils.hashing import sha256_file
from visionllm_interaction.utils.path_type import StrPath

SUMS = "SHA256SUMS"
REQUIREMENTS = "requirements.txt"


class BundleError(VisionLLMError):
    """Wheels could not be gathered; ``found`` is what pip said."""

    code = "BUNDLE"


@dataclass(frozen=True)
class Bundle:
    """A finished bundle.

    Attributes:
        folder: where it is.
        files: how many files it has, its list of digests not counted.
        bytes: their size together.
        digest: hex sha256 of the list of digests: who has it knows that nothing in the folder was changed.
        extras: the extras it installs.
    """

    folder: Path
    files: int
    bytes: int
    digest: str
    extras: tuple[str, ...]


def make_bundle(
    folder: StrPath, *, extras: Sequence[str] = (), models: Iterable[StrPath] = (), wheel: StrPath | None = None
) -> Bundle:
    """Gather all that an installation without a network needs. pip fetches the wheels, in the versions installed here.

    Args:
        folder: the folder to make; it must not exist or be empty.
        extras: extras to install, as in ``pip install 'visionllm-interaction[serve]'``.
        models: files of detectors and other models to take along.
        wheel: the wheel of this program; default: made from the checkout it is installed from, else fetched.

    Returns:
        What was made.

    Raises:
        UsageError: the folder is not empty, an extra does not exist, or pip is missing.
        InputDataError: a model or the wheel is no file.
        BundleError: pip could not gather the wheels.
    """
    folder = Path(folder)
    _check(folder, extras)
    files = [_existing(path) for path in models]
    own = _existing(wheel) if wheel is not None else None
    wheels = folder / "wheels"
    wheels.mkdir(parents=True)
    try:
        _gather_wheels(wheels, extras, own)
        _write_requirements(folder, wheels)
        for path in files:
            (folder / "models").mkdir(exist_ok=True)
            shutil.copyfile(path, folder / "models" / path.name)
        write_config_files(folder)
        _copy_docs(folder)
        _write_about(folder, extras)
        script = folder / "install.sh"
        script.write_text(_INSTALL.replace("PYTHON_VERSION", _python()), encoding="utf-8")
        script.chmod(0o755)
        return _sum_up(folder, tuple(extras))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def verify_bundle(folder: StrPath) -> Bundle:
    """Compare every file of a bundle with its digest; the script ``install.sh`` does the same before it installs.

    Args:
        folder: the bundle.

    Returns:
        The bundle, if it is whole.

    Raises:
        InputDataError: files are missing, were changed or added; the first ones are named.
    """
    folder = Path(folder)
    listed = _read_sums(folder)
    present = {str(path.relative_to(folder)) for path in _files(folder)}
    wrong = [f"{name}: missing" for name in sorted(listed.keys() - present)]
    wrong += [f"{name}: not listed" for name in sorted(present - listed.keys())]
    wrong += [
        f"{name}: changed" for name in sorted(listed.keys() & present) if sha256_file(folder / name) != listed[name]
    ]
    if wrong:
        more = f", and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise InputDataError(
            "The bundle is not what was made.",
            expected=f"the {len(listed)} files of {SUMS}, unchanged",
            found="; ".join(wrong[:5]) + more,
            where=str(folder),
            fix="copy it again, or make it again with `visionllm bundle make`",
        )
    about = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    return _summary(folder, tuple(about["extras"]))


def _check(folder: Path, extras: Sequence[str]) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError("The folder is not empty.", expected="a new folder", found=str(folder), fix="name another one")
    known = {*distribution(DISTRIBUTION).metadata.get_all("Provides-Extra", [])} - {"dev"}
    unknown = [name for name in extras if name not in known]
    if unknown:
        named = ", ".join(name for name in (*USES, "all") if name in known)
        raise UsageError("There is no such extra.", expected=f"of {named}", found=", ".join(unknown))
    try:
        distribution("pip")
    except PackageNotFoundError:
        fix = f"{sys.executable} -m ensurepip"
        raise UsageError("pip is not installed.", expected="pip, which fetches wheels", found="none", fix=fix) from None


def _existing(path: StrPath) -> Path:
    path = Path(path)
    if not path.is_file():
        raise InputDataError("There is no such file.", expected="a file to take along", found=str(path))
    return path


def _gather_wheels(wheels: Path, extras: Sequence[str], own: Path | None) -> None:
    """All wheels, in the versions installed here; packages that are published as source only are built."""
    names = f"[{','.join(extras)}]" if extras else ""
    source = own or _checkout()
    wanted = f"{DISTRIBUTION}{names}"
    wanted += f" @ {source.resolve().as_uri()}" if source else f"=={distribution(DISTRIBUTION).version}"
    with tempfile.TemporaryDirectory() as scratch:
        constraints = Path(scratch) / "constraints.txt"
        installed = {item.name: item.version for item in distributions() if item.name and item.name != DISTRIBUTION}
        constraints.write_text("".join(f"{name}=={version}\n" for name, version in sorted(installed.items())))
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--wheel-dir", str(wheels)]
        done = subprocess.run(
            [*command, "--constraint", str(constraints), wanted], capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise BundleError(
            "pip could not gather the wheels.",
            expected=f"wheels of {wanted} in the versions installed here",
            found=(done.stderr or done.stdout).strip()[-600:],
            fix="check the network or the package index that pip is configured for, and run the command again",
        )


def _checkout() -> Path | None:
    """The checkout that this program is installed from, if it is."""
    text = distribution(DISTRIBUTION).read_text("direct_url.json")
    url = json.loads(text)["url"] if text else ""
    folder = Path(url2pathname(urlsplit(url).path)) if url.startswith("file:") else None
    return folder if folder and (folder / "pyproject.toml").is_file() else None


def _write_requirements(folder: Path, wheels: Path) -> None:
    """Every wheel with its digest; an installer that is asked for digests takes nothing else."""
    lines = []
    for path in sorted(wheels.glob("*.whl")):
        name, version = path.name.split("-")[:2]
        lines.append(f"{name.replace('_', '-')}=={version} --hash=sha256:{sha256_file(path)}\n")
    (folder / REQUIREMENTS).write_text("".join(lines), encoding="utf-8")


def _copy_docs(folder: Path) -> None:
    """The documentation, where it is at hand: a checkout has it, an installed wheel has not."""
    source = _checkout()
    if source is not None and (source / "docs").is_dir():
        shutil.copytree(source / "docs", folder / "docs", ignore=shutil.ignore_patterns(".*"))


def _write_about(folder: Path, extras: Sequence[str]) -> None:
    about = {
        "version": distribution(DISTRIBUTION).version,
        "python": _python(),
        "platform": sysconfig.get_platform(),
        "libc": " ".join(platform.libc_ver()),
        "extras": list(extras),
    }
    (folder / "bundle.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def _python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / SUMS)


def _sum_up(folder: Path, extras: tuple[str, ...]) -> Bundle:
    lines = [f"{sha256_file(path)}  {path.relative_to(folder)}\n" for path in _files(folder)]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")
    return _summary(folder, extras)


def _summary(folder: Path, extras: tuple[str, ...]) -> Bundle:
    files = _files(folder)
    size = sum(path.stat().st_size for path in files)
    return Bundle(folder, len(files), size, sha256_file(folder / SUMS), extras)


def _read_sums(folder: Path) -> dict[str, str]:
    """Name → digest."""
    path = folder / SUMS
    if not path.is_file():
        raise InputDataError("This is no bundle.", expected=f"a folder with {SUMS}", found=str(folder))
    pairs = (line.split("  ", 1) for line in path.read_text(encoding="utf-8").splitlines() if line)
    return {name: digest for digest, name in pairs}


_INSTALL = """#!/bin/sh
# Installs VisionLLM Interaction Analysis without a network: sh install.sh [FOLDER OF THE ENVIRONMENT]
# Every file is compared with its digest first. Exit codes: 2 another Python is needed, 3 the bundle was changed.
set -eu
cd "$(dirname "$0")"
target=${1:-"$HOME/visionllm"}
python=${PYTHON:-python3}
found=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])') || found=none
if [ "$found" != "PYTHON_VERSION" ]; then
  echo "error: this bundle is for Python PYTHON_VERSION, found $found" >&2
  echo "  fix: PYTHON=/path/to/pythonPYTHON_VERSION sh install.sh, or make the bundle with Python $found" >&2
  exit 2
fi
if ! sha256sum --quiet --check SHA256SUMS; then
  echo "error: the bundle is not what was made; nothing was installed. Copy it again." >&2
  exit 3
fi
"$python" -m venv "$target"
"$target/bin/python" -m pip install --quiet --disable-pip-version-check --no-index --find-links wheels \\
  --require-hashes --requirement requirements.txt
"$target/bin/visionllm" --version
echo "Installed. Start with: $target/bin/visionllm --help"
"""
