"""20 × kill -9 at random moments: no incomplete artifact is ever visible, and the next call completes."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from tiny_run import Nursery

from visionllm_bench.toyroom import make_toyroom
from visionllm_interaction.artifacts.lineage import trace
from visionllm_interaction.artifacts.manifest import STAGE_MANIFESTS, Manifest
from visionllm_interaction.artifacts.runs import list_runs
from visionllm_interaction.utils.hashing import sha256_file

KILLS = 20


def complete(nursery: Nursery, *overrides: str) -> tuple[dict[str, Any], float]:
    """Run to the end; returns the result and the seconds it took."""
    begin = time.monotonic()
    nursery.start(*overrides)
    status, result = nursery.end()
    assert status == 0 and result is not None
    return result, time.monotonic() - begin


def kill_after(nursery: Nursery, delay_s: float, *overrides: str) -> bool:
    """Start a run and kill its process after ``delay_s``; whether that ended it."""
    process = nursery.start(*overrides)
    time.sleep(delay_s)
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
    status, _ = nursery.end()
    assert status in (0, -signal.SIGKILL)
    return status != 0


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
    moments = random.Random(20)
    stages_at_death = []
    with Nursery(root, artifacts) as nursery:
        complete(nursery, "data.name=first")  # the first run in a process is slower than the others
        _, seconds = complete(nursery, "data.name=second")
        for kill in range(KILLS):
            name = f"data.name=kill{kill}"
            before = published(artifacts)
            # The cube favours early moments: stages 1-3 together take a small share of the time.
            died = kill_after(nursery, seconds * moments.random() ** 3, name)
            stages_at_death.append(sum(published(artifacts).values()) - sum(before.values()))
            result, _ = complete(nursery, name)
            assert list(result["stages"]) == list(STAGE_MANIFESTS)
            skipped = [stage["status"] for stage in result["stages"].values()].count("up_to_date")
            assert skipped == stages_at_death[-1], "what was complete is not built again"
            assert died or skipped == 4
            assert len(list_runs(artifacts)) == kill + 3, "the killed run itself was continued"
            assert not list(artifacts.rglob(".partial-*"))
    published(artifacts)
    assert trace(Path(result["checkpoint"])).raw.files == 12
    print(f"stages complete at the moment of death: {sorted(stages_at_death)} of 4; a whole run takes {seconds:.1f} s")
    assert len(set(stages_at_death)) > 1 and stages_at_death.count(4) < KILLS / 2, "too few kills hit a run at work"
