"""A ToyRoom and settings so small that stages 1-4 take seconds, and a process that runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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

# Everything is imported before "ready", so that what follows it is work on artifacts and not loading of libraries.
RUN = """
import json, sys
import structlog
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
from visionllm_interaction.pipeline import PipelineSettings, run_pipeline
from visionllm_interaction.settings import load_settings
import visionllm_interaction.train.stage
settings = load_settings(PipelineSettings, [], sys.argv[1:])
print("ready", flush=True)
print(json.dumps(run_pipeline(settings)), flush=True)
"""


def start_run(root: Path, artifacts: Path, *overrides: str) -> subprocess.Popen[str]:
    """Start a process that runs stages 1-4; its stdout says ``ready``, then holds the result."""
    arguments = [f"data.root={root}", f"artifacts_dir={artifacts}", *TINY, *overrides]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPYCACHEPREFIX": str(artifacts.parent / "pycache")}
    # Importing torch from source text takes a minute; the cache is beside the test's own files.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", RUN, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )
