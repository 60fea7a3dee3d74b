"""A ToyRoom and settings so small that stages 1-4 take seconds, and processes that run them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

TINY: tuple[str, ...] = (
    "model.architecture=fasterrcnn_resnet18_fpn",
    "model.weights=none",
    "model.min_size=64",
    "model.max_size=96",
    "model.fpn_channels=16",
    "model.box_head_width=32",
    "model.fpn_strides=[8,16,32]",
    "model.anchor_sizes=[[8],[16],[32],[48]]",
    "model.proposals_train=[50,50]",
    "model.proposals_test=[50,20]",
    "train.epochs=3",
    "train.batch_size=4",
    "train.workers=0",
    "train.device=cpu",
    "tracking.kind=none",
)

# One process imports torch and everything else, then forks a child per run: loading the libraries takes longer than
# a run, and a kill while they load says nothing about artifacts. A child is a process of its own, killed with -9.
NURSERY = """
import json, os, sys
import structlog
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
from visionllm_interaction.pipeline import PipelineSettings, run_pipeline
from visionllm_interaction.config_loading import load_settings
import visionllm_interaction.detection.training.stage
print("ready", flush=True)
for line in sys.stdin:
    request = json.loads(line)
    child = os.fork()
    if child == 0:
        try:
            result = run_pipeline(load_settings(PipelineSettings, [], request["settings"])).to_dict()
            with open(request["result"], "w") as stream:
                json.dump(result, stream)
        finally:
            os._exit(0 if os.path.exists(request["result"]) else 1)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Nursery:
    """Starts processes that run stages 1-4 on ``root``; use as a context manager."""

    def __init__(self, root: Path, artifacts: Path) -> None:
        self._settings = [f"data.root={root}", f"artifacts_dir={artifacts}", *TINY]
        self._result = artifacts.parent / "result.json"
        self._log = (artifacts.parent / "log.txt").open("w")
        self._parent = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", NURSERY],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert self._line() == "ready"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._parent.communicate()
        self._log.close()

    def _line(self) -> str:
        assert self._parent.stdout is not None
        return self._parent.stdout.readline().strip()

    def start(self, *overrides: str) -> int:
        """Start a run; its process id."""
        assert self._parent.stdin is not None
        self._result.unlink(missing_ok=True)
        request = {"settings": [*self._settings, *overrides], "result": str(self._result)}
        self._parent.stdin.write(json.dumps(request) + "\n")
        self._parent.stdin.flush()
        return int(self._line())

    def end(self) -> tuple[int, dict[str, Any] | None]:
        """Wait for the run; its exit status (negative: the signal that ended it) and its result if it has one."""
        status = int(self._line())
        return status, json.loads(self._result.read_text()) if self._result.exists() else None
