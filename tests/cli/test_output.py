"""Where a command's words go when it is called from Python."""

from __future__ import annotations

import io
import json
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


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        (("analyze", "s3://lab/visit.mp4", "--store", "store"), "videos"),
        (("measures", "--store", "store", "--out", "s3://lab/visit.mp4"), "out"),
        (("models", "add", "s3://lab/visit.mp4"), "files"),
        (("corrections", "export", "--store", "store", "--out", "s3://lab/visit.mp4"), "out"),
    ],
)
def test_an_address_is_refused_where_a_command_takes_a_path(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], where: str
) -> None:
    """As a path it would be a folder named ``s3:`` in the present one."""
    assert run_app(app, [*arguments, "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["found"], error["where"]) == ("s3://lab/visit.mp4", where), error
