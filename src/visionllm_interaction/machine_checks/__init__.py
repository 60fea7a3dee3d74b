"""Checks of the machine for `visionllm doctor`: what is installed, hardware, disk, clock, models, services."""

from __future__ import annotations

from visionllm_interaction.config import Settings
from visionllm_interaction.machine_checks.check import DiagnosticCheck
from visionllm_interaction.machine_checks.hardware import check_clock, check_disks, check_gpu
from visionllm_interaction.machine_checks.installation import (
    check_codecs,
    check_extras,
    check_libraries,
    check_plugins,
    check_python,
)
from visionllm_interaction.machine_checks.services import (
    check_endpoints,
    check_models,
    check_port,
)

__all__ = ["DiagnosticCheck", "run_diagnostics"]


def run_diagnostics(settings: Settings) -> tuple[DiagnosticCheck, ...]:
    """Check this machine. Nothing is changed, and only the configured endpoints are contacted.

    Torch is not imported for it: that takes longer than all checks together.

    Args:
        settings: where files go, the address of the service, and the endpoints.

    Returns:
        The checks: Python, libraries, GPU, codecs, disks, clock, models, port, endpoints, plug-ins, extras.
    """
    endpoints, clocks = check_endpoints(settings)
    return (
        check_python(),
        *check_libraries(),
        check_gpu(),
        check_codecs(),
        *check_disks(settings),
        check_clock(settings.artifacts_dir, clocks),
        check_models(settings),
        check_port(settings.serve.host, settings.serve.port),
        *endpoints,
        *check_plugins(),
        *check_extras(),
    )
