"""20 × kill -9 at random moments: no incomplete artifact is ever visible, and the next call completes."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest
from tiny_run import start_run

from visionllm_interaction.artifacts.digests import sha256_file
from visionllm_interaction.artifacts.lineage import trace
from visionllm_interaction.artifacts.manifest import STAGE_MANIFESTS, Manifest
from visionllm_interaction.artifacts.runs import list_runs
from visionllm_interaction.toyroom import make_toyroom

KILLS = 20


def complete(root: Path, artifacts: Path, *overrides: str) -> tuple[dict[str, object], float]:
    """Run to the end; returns the result and the seconds of work."""
    process = start_run(root, artifacts, *overrides)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n", process.communicate()[1]
    begin = time.monotonic()
    output, log = process.communicate()
    assert process.returncode == 0, log
    return json.loads(output.splitlines()[-1]), time.monotonic() - begin


def kill_after(root: Path, artifacts: Path, delay_s: float, *overrides: str) -> bool:
    """Start a run and kill its process group after ``delay_s`` of work; whether it was still running."""
    process = start_run(root, artifacts, *overrides)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(delay_s)
    running = process.poll() is None
    if running:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return running


def published(artifacts: Path) -> dict[str, int]:
    """Check every visible artifact; returns stage → how many there are."""
    counts = dict.fromkeys(STAGE_MANIFESTS, 0)
    for run in list_runs(artifacts):
        for stage, relative in STAGE_MANIFESTS.items():
            folder = (run / relative).parent
            if folder.exists():
                _check_stage(run, run / relative)
                counts[stage] += 1
        visible = {path.name for path in run.iterdir() if not path.name.startswith(".")}
        assert visible <= {Path(relative).parent.name for relative in STAGE_MANIFESTS.values()}
    return counts


def _check_stage(run: Path, path: Path) -> None:
    manifest = Manifest.load(path)
    assert manifest.content_sha256 == manifest.content_digest()
    for ref in manifest.outputs:
        file = ref.resolve(run)
        assert (file.stat().st_size, sha256_file(file)) == (ref.bytes, ref.sha256)
    listed = {ref.resolve(run) for ref in manifest.outputs} | {path}
    assert {file for file in path.parent.rglob("*") if file.is_file()} == listed


@pytest.mark.crash
@pytest.mark.timeout(3600)
def test_killed_runs_leave_only_whole_artifacts_and_continue(tmp_path: Path) -> None:
    root, artifacts = tmp_path / "toyroom", tmp_path / "artifacts"
    make_toyroom(root, images=10, videos=0, seed=3)
    _, seconds = complete(root, artifacts, "data.name=whole")
    moments = random.Random(20)
    stages_at_death = []
    for kill in range(KILLS):
        name = f"data.name=kill{kill}"
        before = published(artifacts)
        died = kill_after(root, artifacts, moments.uniform(0.0, seconds), name)
        after = published(artifacts)
        stages_at_death.append(sum(after.values()) - sum(before.values()))
        result, _ = complete(root, artifacts, name)
        stages = result["stages"]
        assert isinstance(stages, dict) and list(stages) == list(STAGE_MANIFESTS)
        skipped = [stage["status"] for stage in stages.values()].count("up_to_date")
        assert skipped == stages_at_death[-1], "what was complete is not built again"
        assert died or skipped == 4
        assert len(list_runs(artifacts)) == kill + 2, "the killed run itself was continued"
        assert not list(artifacts.rglob(".partial-*"))
    assert trace(Path(str(result["checkpoint"]))).raw.files == 12
    print(f"stages complete at the moment of death: {sorted(stages_at_death)} of 4; a whole run takes {seconds:.1f} s")
    assert len(set(stages_at_death)) > 1 and stages_at_death.count(4) < KILLS / 2, "too few kills hit a run at work"
