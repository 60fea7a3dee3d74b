"""`visionllm doctor`: is this machine fit for the work?"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from visionllm_interaction.config import Settings
from visionllm_interaction.errors import PluginError
from visionllm_interaction.plugins import plugin_groups
from visionllm_interaction.utils.plugins import PluginEntry, PluginGroup

SAFE_VERSIONS: dict[str, tuple[int, ...]] = {
    "torch": (2, 14),
    "lightning": (2, 6, 6),
    "starlette": (1, 3, 1),
    "pillow": (12, 3),
}
"""Oldest versions without known holes."""
FREE_BYTES_NEEDED = 5 * 2**30

Check = dict[str, Any]


def examine(settings: Settings) -> list[Check]:
    """Run every check; each is ``{"name", "ok", "found", "fix"}``. Nothing is changed and nothing calls home."""
    checks: list[Callable[[Settings], list[Check]]] = [
        _python,
        _libraries,
        _gpu,
        _codecs,
        _disk,
        _language_model,
        _plugins,
    ]
    return [result for check in checks for result in check(settings)]


def _check(name: str, ok: bool, found: str, fix: str) -> Check:
    return {"name": name, "ok": ok, "found": found, "fix": None if ok else fix}


def _python(_: Settings) -> list[Check]:
    found = ".".join(map(str, sys.version_info[:3]))
    return [_check("python", sys.version_info >= (3, 11), found, "install Python 3.11 or newer")]


def _libraries(_: Settings) -> list[Check]:
    return [_library(name, oldest) for name, oldest in SAFE_VERSIONS.items()]


def _library(name: str, oldest: tuple[int, ...]) -> Check:
    wanted = ".".join(map(str, oldest))
    try:
        found = version(name)
    except PackageNotFoundError:
        return _check(name, True, "not installed (needed only for some rooms)", "")
    numbers = tuple(int(part) for part in found.split("+")[0].split(".")[:3] if part.isdigit())
    return _check(name, numbers >= oldest, found, f"upgrade to {name}>={wanted}: older versions have known holes")


def _gpu(_: Settings) -> list[Check]:
    if importlib.util.find_spec("torch") is None:
        return [_check("gpu", True, "torch is not installed", "")]
    import torch

    if torch.cuda.is_available():
        return [_check("gpu", True, torch.cuda.get_device_name(0), "")]
    return [_check("gpu", True, "none: everything runs on the CPU, training is slower", "")]


def _codecs(_: Settings) -> list[Check]:
    if importlib.util.find_spec("av") is None:
        return [_check("codecs", True, "av is not installed", "")]
    import av

    missing = sorted({"h264", "hevc", "vp9", "mjpeg"} - set(av.codecs_available))
    return [_check("codecs", not missing, f"missing {missing}" if missing else "all there", "install PyAV's own wheel")]


def _disk(settings: Settings) -> list[Check]:
    folder = Path(settings.artifacts_dir).absolute()
    place = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(place).free
    return [_check("disk", free >= FREE_BYTES_NEEDED, f"{free / 2**30:.0f} GiB free at {place}", "free 5 GiB or more")]


def _plugins(_: Settings) -> list[Check]:
    found = [(group, entry) for group in plugin_groups() for entry in group.entries()]
    return [_plugin(group, entry) for group, entry in found] or [_check("plug-ins", True, "none are installed", "")]


def _plugin(group: PluginGroup[Any], entry: PluginEntry) -> Check:
    name, brought_by = f"plug-in {entry.group}: {entry.name}", f"{entry.distribution} {entry.version}"
    try:
        group.load(entry)
    except PluginError as error:
        told = f"{brought_by}: {error.message} Expected {error.expected}; found {error.found}"
        return _check(name, False, told, error.fix or "")
    return _check(name, True, f"{brought_by}, ready", "")


def _language_model(settings: Settings) -> list[Check]:
    base_url = settings.reason.endpoint.base_url
    if not base_url:
        return [_check("language model", True, "none configured: questions are planned by rules", "")]
    import httpx

    try:
        status = httpx.get(f"{base_url.rstrip('/')}/models", timeout=5.0).status_code
    except httpx.HTTPError as error:
        return [
            _check(
                "language model", False, f"{base_url}: {error}", "start the endpoint or set reason.endpoint.base_url"
            )
        ]
    return [_check("language model", status < 500, f"{base_url}: HTTP {status}", "look at the endpoint's log")]
