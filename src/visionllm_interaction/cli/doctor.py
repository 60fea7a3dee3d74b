"""The command doctor: is this machine ready?"""

from __future__ import annotations

from visionllm_interaction.cli.formatting import as_lines
from visionllm_interaction.cli.output import CommandResult, ConfigFiles, JsonFlag, Overrides


def doctor(config: ConfigFiles = None, override: Overrides = None, json_output: JsonFlag = False) -> CommandResult:
    """Check this machine: versions, GPU, codecs, endpoints, disk, plug-ins."""
    from visionllm_interaction.config import load
    from visionllm_interaction.diagnostics import run_diagnostics

    checks = run_diagnostics(load(config, override))
    lines = [f"{'ok  ' if check.ok else 'FAIL'} {check.name}: {check.found}" for check in checks]
    fixes = [f"     {check.name}: {check.fix}" for check in checks if not check.ok]
    passed = all(check.ok for check in checks)
    result = {"ok": passed, "checks": [check.to_dict() for check in checks]}
    return CommandResult(result, as_lines([*lines, *fixes]), json_output, 0 if passed else 1)
