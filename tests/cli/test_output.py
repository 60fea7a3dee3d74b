"""Where a command's words go when it is called from Python."""

from __future__ import annotations

import io
import sys

import pytest

from visionllm_interaction.cli import app
from visionllm_interaction.cli.output import run_app
from visionllm_interaction.utils.logs import log


def test_logs_follow_stderr_after_a_command_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    of_the_command, later = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", of_the_command)
    assert run_app(app, ["faults", "--json"]) == 0
    of_the_command.close()
    monkeypatch.setattr(sys, "stderr", later)
    log.info("still heard")
    assert "still heard" in later.getvalue()
