"""Checks of the machine itself: GPU, disks, clock."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import re
import shutil
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from visionllm_interaction.config import Settings
from visionllm_interaction.detection.registry.cache import models_folder
from visionllm_interaction.machine_checks.check import DiagnosticCheck, result

FREE_BYTES_NEEDED = 5 * 2**30
CLOCK_TOLERANCE_S = 60.0
"""By how much clocks may differ, and files be newer than now."""

_RUN_TIME = re.compile(r"(\d{8}T\d{6})_\d+Z")
_TORCH_CUDA = re.compile(r"^cuda\b[^=]*=\s*['\"](\d+)\.(\d+)['\"]", re.MULTILINE)
_NEEDS_TORCH = "install torch with CUDA: pip install 'visionllm-interaction[models]'"


def check_gpu() -> DiagnosticCheck:
    """Which GPU would be used. None is no fault: it says what runs all the same."""
    driver = _cuda_driver()
    if driver is None:
        return DiagnosticCheck(
            "gpu",
            True,
            "none: everything runs on the CPU",
            "detect with OpenVINO (a ready-made model, or `visionllm export-model --to openvino-int8`); train on a "
            "machine with an NVIDIA GPU and its driver, for example with deploy/slurm/train.sbatch",
        )
    names, (major, minor) = driver
    built_for = _cuda_of_torch()
    if not names:
        return DiagnosticCheck(
            "gpu", False, "an NVIDIA driver without a GPU", "see nvidia-smi; in a container: --gpus all"
        )
    if built_for is None:
        return DiagnosticCheck("gpu", False, f"{', '.join(names)}, but no torch that uses it", _NEEDS_TORCH)
    fix = f"upgrade NVIDIA's driver to one for CUDA {built_for[0]}, or install a torch for CUDA {major}"
    found = f"{', '.join(names)}; driver for CUDA {major}.{minor}, torch for {built_for[0]}.{built_for[1]}"
    return result("gpu", major >= built_for[0], found, fix=fix)


def _cuda_driver() -> tuple[list[str], tuple[int, int]] | None:
    """Names of the GPUs and the CUDA version of NVIDIA's driver, asked of the driver itself; None without one."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None
    count, number, name = ctypes.c_int(0), ctypes.c_int(0), ctypes.create_string_buffer(256)
    if cuda.cuInit(0) == 0:
        cuda.cuDeviceGetCount(ctypes.byref(count))
    cuda.cuDriverGetVersion(ctypes.byref(number))
    names = []
    for device in range(count.value):
        cuda.cuDeviceGetName(name, len(name), device)
        names.append(name.value.decode(errors="replace"))
    return names, (number.value // 1000, number.value % 1000 // 10)


def _cuda_of_torch() -> tuple[int, int] | None:
    """The CUDA version that torch was built for, read from its files; None without torch or without CUDA."""
    found = importlib.util.find_spec("torch")
    if found is None or found.origin is None:
        return None
    try:
        text = Path(found.origin).with_name("version.py").read_text()
    except OSError:
        return None
    built = _TORCH_CUDA.search(text)
    return None if built is None else (int(built[1]), int(built[2]))


def check_disks(settings: Settings) -> tuple[DiagnosticCheck, ...]:
    """The free space where runs, the service's files, models and temporary files go; each file system once."""
    places = {
        "runs": settings.artifacts_dir,
        "service": settings.serve.data_dir,
        "models": models_folder(),
        "temporary files": Path(os.environ.get("TMPDIR") or "/tmp"),  # noqa: S108 (only looked at)
    }
    by_device: dict[int, tuple[Path, list[str]]] = {}
    for use, folder in places.items():
        existing = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
        by_device.setdefault(existing.stat().st_dev, (existing, []))[1].append(use)
    return tuple(_check_disk(folder, uses) for folder, uses in by_device.values())


def _check_disk(folder: Path, uses: list[str]) -> DiagnosticCheck:
    usage = shutil.disk_usage(folder)
    name = "disk" if "runs" in uses else f"disk of {uses[0]}"
    found = f"{usage.free / 2**30:.1f} of {usage.total / 2**30:.1f} GiB free at {folder} ({', '.join(uses)})"
    keys = {"runs": "-o artifacts_dir=", "service": "-o serve.data_dir=", "models": "VISIONLLM_MODELS="}
    elsewhere = keys.get(uses[0], "TMPDIR=")
    fix = f"free {FREE_BYTES_NEEDED / 2**30:.0f} GiB or more, or use another disk: {elsewhere}FOLDER"
    return result(name, usage.free >= FREE_BYTES_NEEDED, found, fix=fix)


def check_clock(artifacts_dir: Path, others: Mapping[str, float]) -> DiagnosticCheck:
    """Whether this machine's clock can be right: runs, videos and answers carry its time.

    Args:
        artifacts_dir: the folder of runs, whose names are the times at which they began.
        others: address of an endpoint → by how many seconds this machine's clock is ahead of that one's.

    Returns:
        The check; it fails where another clock or a file contradicts this one.
    """
    now = time.time()
    shown = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M UTC")
    problems = [
        f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the clock of {address}"
        for address, ahead in others.items()
        if abs(ahead) > CLOCK_TOLERANCE_S
    ]
    installed = Path(__file__).stat().st_mtime
    if installed > now + CLOCK_TOLERANCE_S:
        problems.append(f"before this program was installed ({datetime.fromtimestamp(installed, UTC):%Y-%m-%d})")
    newest = max(_run_times(artifacts_dir), default=0.0)
    if newest > now + CLOCK_TOLERANCE_S:
        problems.append(
            f"before a run in {artifacts_dir} began ({datetime.fromtimestamp(newest, UTC):%Y-%m-%d %H:%M} UTC)"
        )
    fix = "set the clock (`timedatectl set-ntp true`, or ask who runs the machine), then check again"
    return result("clock", not problems, "; ".join([shown, *problems]), fix=fix)


def _run_times(artifacts_dir: Path) -> list[float]:
    """When the runs in a folder began, in seconds since 1970."""
    if not artifacts_dir.is_dir():
        return []
    found = (_RUN_TIME.fullmatch(path.name) for path in artifacts_dir.iterdir())
    times = []
    for match in found:
        if match:
            try:
                times.append(datetime.strptime(match[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC).timestamp())
            except ValueError:  # digits that are no date
                continue
    return times
