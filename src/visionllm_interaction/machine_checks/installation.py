"""Checks of what is installed: Python, libraries, codecs, plug-ins, extras."""

from __future__ import annotations

import importlib.util
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from visionllm_interaction.errors import PluginError
from visionllm_interaction.machine_checks.check import DiagnosticCheck, result
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
CODECS = frozenset({"h264", "hevc", "vp9", "mjpeg", "libx264", "aac"})
"""What cameras write, and what copies (blurred, annotated, previews) are written in."""


def check_python() -> DiagnosticCheck:
    """Whether this Python is new enough."""
    found = ".".join(map(str, sys.version_info[:3]))
    return result("python", sys.version_info >= (3, 11), found, fix="install Python 3.11 or newer")


def check_libraries() -> tuple[DiagnosticCheck, ...]:
    """Whether libraries are older than their last known security hole."""
    return tuple(_check_library(name, oldest) for name, oldest in SAFE_VERSIONS.items())


def _check_library(name: str, oldest: tuple[int, ...]) -> DiagnosticCheck:
    try:
        found = version(name)
    except PackageNotFoundError:
        return DiagnosticCheck(name, True, "not installed (only some commands need it)")
    wanted = ".".join(map(str, oldest))
    numbers = tuple(int(part) for part in found.split("+")[0].split(".")[:3] if part.isdigit())
    fix = f"upgrade to {name}>={wanted}: older versions have known security holes"
    return result(name, numbers >= oldest, found, fix=fix)


def check_codecs() -> DiagnosticCheck:
    """Whether videos of usual cameras can be read, and copies of them written."""
    if importlib.util.find_spec("av") is None:
        return DiagnosticCheck("codecs", True, "av is not installed (only videos need it)")
    import av

    missing = sorted(CODECS - set(av.codecs_available))
    found = f"missing: {', '.join(missing)}" if missing else "all present"
    fix = "this PyAV was built with another FFmpeg; install its own wheel: pip install --force-reinstall "
    return result("codecs", not missing, found, fix=fix + "--no-deps --only-binary av av")


def check_plugins() -> tuple[DiagnosticCheck, ...]:
    """Every plug-in of other distributions, and whether it can be used."""
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


def check_extras() -> tuple[DiagnosticCheck, ...]:
    """Every extra. One that is not installed is no fault: it says what it would bring."""
    return tuple(_check_extra(extra, use) for extra, use in USES.items())


def _check_extra(extra: str, use: str) -> DiagnosticCheck:
    missing = missing_packages(extra)
    if not missing:
        return DiagnosticCheck(f"extra {extra}", True, "installed")
    found = f"not installed; for {use}: pip install '{DISTRIBUTION}[{extra}]' (missing: {', '.join(missing)})"
    return DiagnosticCheck(f"extra {extra}", True, found)
