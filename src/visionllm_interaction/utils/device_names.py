"""Names of compute devices, as settings and options give them; checked without torch."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

ALLOWED_DEVICES = "auto, cpu, cuda or cuda:N (N = 0, 1, …)"
_NAME = re.compile(r"auto|cpu|cuda(:(0|[1-9][0-9]*))?", re.ASCII)


def check_device_name(name: str) -> str:
    """Check the name of a compute device.

    Whether this machine has the device is not checked: that needs torch, which takes seconds to load.

    Args:
        name: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Returns:
        ``name``, unchanged.

    Raises:
        ValueError: if it is another name; the message lists the allowed ones.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"a device is {ALLOWED_DEVICES}")
    return name


DeviceName = Annotated[str, AfterValidator(check_device_name)]
"""``auto`` (CUDA where there is a device, else the CPU), ``cpu``, ``cuda`` or ``cuda:N``."""
