"""Checks of the machine for `visionllm doctor`: versions, GPU, codecs, disk, models, endpoints, plug-ins."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from visionllm_interaction.config import Settings
from visionllm_interaction.detection.registry.acquire import list_models
from visionllm_interaction.detection.registry.cache import models_folder
from visionllm_interaction.errors import PluginError
from visionllm_interaction.plugins import plugin_groups
from visionllm_interaction.utils.extras import DISTRIBUTION, USES, missing_packages
from visionllm_interaction.utils.plugins import PluginEntry, PluginGroup

SAFE_VERSIONS: dict[str, tuple[int, ...]] = {
    "torch": (2, 14),
    "lightning": (2, 6, 6),
    "starlette": (1, 3, 1),
    "pillow": (12, 3),
}
"""Oldest versions without known security holes."""
FREE_BYTES_NEEDED = 5 * 2**30


@dataclass(frozen=True)
class DiagnosticCheck:
    """The result of one check.

    Attributes:
        name: what was checked.
        ok: whether the machine can do the work.
        found: version, device or state.
        fix: what to do; ``None`` if the check passed.
    """

    name: str
    ok: bool
    found: str
    fix: str | None = None

    def to_dict(self) -> dict[str, JsonValue]:
        """The check in the JSON result of ``visionllm doctor``."""
        return asdict(self)


def run_diagnostics(settings: Settings) -> tuple[DiagnosticCheck, ...]:
    """Check this machine. Nothing is changed, and only the configured language model is contacted.

    Args:
        settings: where artifacts go, and the endpoint of the language model.

    Returns:
        The checks: Python, libraries, GPU, codecs, disk, ready-made models, language model, plug-ins, extras.
    """
    return (
        _check_python(),
        *(_check_library(name, oldest) for name, oldest in SAFE_VERSIONS.items()),
        _check_gpu(),
        _check_codecs(),
        _check_disk(Path(settings.artifacts_dir)),
        _check_models(),
        _check_language_model(settings.reason.endpoint.base_url),
        *_check_plugins(),
        *(_check_extra(extra, use) for extra, use in USES.items()),
    )


def _check_python() -> DiagnosticCheck:
    found = ".".join(map(str, sys.version_info[:3]))
    return _result("python", sys.version_info >= (3, 11), found, fix="install Python 3.11 or newer")


def _result(name: str, ok: bool, found: str, *, fix: str) -> DiagnosticCheck:
    return DiagnosticCheck(name, ok, found, None if ok else fix)


def _check_library(name: str, oldest: tuple[int, ...]) -> DiagnosticCheck:
    try:
        found = version(name)
    except PackageNotFoundError:
        return DiagnosticCheck(name, True, "not installed (only some commands need it)")
    wanted = ".".join(map(str, oldest))
    numbers = tuple(int(part) for part in found.split("+")[0].split(".")[:3] if part.isdigit())
    fix = f"upgrade to {name}>={wanted}: older versions have known security holes"
    return _result(name, numbers >= oldest, found, fix=fix)


def _check_gpu() -> DiagnosticCheck:
    if importlib.util.find_spec("torch") is None:
        return DiagnosticCheck("gpu", True, "torch is not installed")
    import torch

    if torch.cuda.is_available():
        return DiagnosticCheck("gpu", True, torch.cuda.get_device_name(0))
    return DiagnosticCheck("gpu", True, "none: everything runs on the CPU, training is slower")


def _check_codecs() -> DiagnosticCheck:
    if importlib.util.find_spec("av") is None:
        return DiagnosticCheck("codecs", True, "av is not installed")
    import av

    missing = sorted({"h264", "hevc", "vp9", "mjpeg"} - set(av.codecs_available))
    found = f"missing {missing}" if missing else "all present"
    return _result("codecs", not missing, found, fix="install PyAV's own wheel")


def _check_disk(artifacts_dir: Path) -> DiagnosticCheck:
    folder = artifacts_dir.absolute()
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    found = f"{free / 2**30:.0f} GiB free at {existing}"
    return _result("disk", free >= FREE_BYTES_NEEDED, found, fix="free 5 GiB or more")


def _check_models() -> DiagnosticCheck:
    """The ready-made models on this machine. None is no fault: it says how to get one."""
    here = [f"{entry.name} ({entry.kind})" for entry, cached in list_models() if cached]
    none = f"none in {models_folder()}; to analyse videos: visionllm models get yolox_s"
    return DiagnosticCheck("ready-made models", True, ", ".join(here) or none)


def _check_extra(extra: str, use: str) -> DiagnosticCheck:
    """Whether an extra is installed. One that is not is no fault: it says what it would bring."""
    missing = missing_packages(extra)
    if not missing:
        return DiagnosticCheck(f"extra {extra}", True, "installed")
    found = f"not installed; for {use}: pip install '{DISTRIBUTION}[{extra}]' (missing: {', '.join(missing)})"
    return DiagnosticCheck(f"extra {extra}", True, found)


def _check_plugins() -> tuple[DiagnosticCheck, ...]:
    checks = tuple(_check_plugin(group, entry) for group in plugin_groups() for entry in group.entries())
    return checks or (DiagnosticCheck("plug-ins", True, "none are installed"),)


def _check_plugin(group: PluginGroup[Any], entry: PluginEntry) -> DiagnosticCheck:
    name, source = f"plug-in {entry.group}: {entry.name}", f"{entry.distribution} {entry.version}"
    try:
        group.load(entry)
    except PluginError as error:
        found = f"{source}: {error.message} Expected {error.expected}; found {error.found}"
        return DiagnosticCheck(name, False, found, error.fix or "")
    return DiagnosticCheck(name, True, f"{source}, ready")


def _check_language_model(base_url: str | None) -> DiagnosticCheck:
    name = "language model"
    if not base_url:
        return DiagnosticCheck(name, True, "none configured: questions are planned by rules")
    import httpx

    try:
        status = httpx.get(f"{base_url.rstrip('/')}/models", timeout=5.0).status_code
    except httpx.HTTPError as error:
        fix = "start the endpoint or set reason.endpoint.base_url"
        return DiagnosticCheck(name, False, f"{base_url}: {error}", fix)
    return _result(name, status < 500, f"{base_url}: HTTP {status}", fix="read the log of the endpoint")
