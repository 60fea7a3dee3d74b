"""Two processes under torchrun train what one would."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_model import tiny
from tiny_training import tiny_train, write_manifest

from visionllm_interaction.detection.training.data.datamodule import read_training_data
from visionllm_interaction.detection.training.data.samplers import EpochPlan, EpochSampler
from visionllm_interaction.detection.training.distributed import is_worker_rank
from visionllm_interaction.detection.training.trainer import fit, fit_as_worker_rank

SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_train_ranks as t
t.go(Path(sys.argv[2]), Path(sys.argv[3]))
"""


def go(manifest: Path, folder: Path) -> None:
    """Rank 0 trains, the others help."""
    if is_worker_rank():
        assert fit_as_worker_rank()
        return
    folder.mkdir(exist_ok=True)
    settings = tiny_train(batch_size=4, epochs=3, seed=0)
    data = read_training_data(manifest, settings)
    # each process has its own batch statistics on a CPU: group normalisation has none
    result = fit(model=tiny(normalization="group"), train=settings, data=data, folder=folder, recipe="a")
    (folder / "rows.json").write_text(json.dumps(result.rows))


@pytest.mark.slow
def test_two_processes_train_what_one_trains(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, train=9)
    go(manifest, tmp_path / "one")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    (tmp_path / "go.py").write_text(SCRIPT)
    command = [*torchrun, str(tmp_path / "go.py"), str(Path(__file__).parent), str(manifest), str(tmp_path / "two")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert ended.returncode == 0, ended.stderr[-3000:]
    one, two = (json.loads((tmp_path / name / "rows.json").read_text()) for name in ("one", "two"))
    assert [row["step"] for row in two] == [row["step"] for row in one]
    # proposals are drawn per process and losses averaged per process: close, not equal
    assert two[0]["train_loss"] == pytest.approx(one[0]["train_loss"], rel=0.1)
    assert two[-1]["train_loss"] == pytest.approx(one[-1]["train_loss"], rel=0.1)
    assert two[-1]["AP"] == pytest.approx(one[-1]["AP"], abs=0.1)
    assert (tmp_path / "two" / "fasterrcnn_best.pt").is_file()
    assert ended.stdout == ""


@pytest.mark.parametrize("size", [7, 8])
@pytest.mark.parametrize("done", [(0, 0), (1, 4)])
def test_shares_make_up_the_batches_of_a_single_process(size: int, done: tuple[int, int]) -> None:
    def order(share: tuple[int, int]) -> list[tuple[int, int]]:
        sampler = EpochSampler(EpochPlan(size, size), seed=3, done=done, share=share)
        sampler.set_epoch(1)
        return list(sampler)

    alone, parts = order((0, 1)), [order((0, 2)), order((1, 2))]
    assert len(parts[0]) == len(parts[1])
    together = [pair for both in zip(*parts, strict=True) for pair in both]
    assert together[: len(alone)] == alone
