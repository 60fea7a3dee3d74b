"""A whole round on the command line: train, suggest, correct, merge, train on, gain."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tiny_run import TINY

from visionllm_bench.toyroom import make_toyroom
from visionllm_interaction.cli import app
from visionllm_interaction.cli.output import run_app

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]


def visionllm(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    code = run_app(app, [*map(str, arguments), "--json"])
    out = capsys.readouterr().out
    assert code == 0, out
    found: dict[str, Any] = json.loads(out)
    return found


def test_a_round_from_training_to_gain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    make_toyroom(tmp_path / "toyroom", images=12, videos=0, seed=3)
    make_toyroom(tmp_path / "more", images=10, videos=0, seed=4)
    settings = [part for one in [*TINY, f"artifacts_dir={tmp_path / 'artifacts'}"] for part in ("-o", one)]
    first = visionllm(capsys, "train", *settings, "-o", f"data.root={tmp_path / 'toyroom'}")
    manifest = Path(first["run"]) / "data_transformation" / "training_manifest.yaml"
    pool = tmp_path / "pool"
    shutil.copytree(tmp_path / "more" / "train2017", pool)
    shutil.copy(tmp_path / "toyroom" / "val2017" / "000000000005.jpg", pool / "held-out.jpg")
    suggested = visionllm(
        capsys, "label", "suggest", pool, "--out", "round1", "--detector", first["checkpoint"],
        "--data", manifest, "--images", 3, "-o", "label.max_group_share=0.5",
    )  # fmt: skip
    assert len(suggested["suggestions"]) == 3
    assert suggested["features"] == "feature pyramid"
    assert suggested["left_out"]["held_out"] == 1
    merged = visionllm(
        capsys, "label", "merge", "round1", "round1/cvat/annotations.xml", "--data", manifest, "--out", "data1"
    )
    assert merged["images"] == 3
    last = Path(first["checkpoint"]).with_name("fasterrcnn_last.pt")
    second = visionllm(
        capsys, "train", *settings, "-o", f"data.root={tmp_path / 'data1'}", "-o", f"model.weights={last}"
    )
    counts = json.loads((tmp_path / "data1" / "annotations" / "instances_train2017.json").read_text())
    assert len(counts["images"]) == len(list((tmp_path / "toyroom" / "train2017").iterdir())) + 3
    gain = visionllm(
        capsys, "label", "gain", "--before", first["checkpoint"], "--after", second["checkpoint"],
        "--data", Path(second["run"]) / "data_transformation" / "training_manifest.yaml", "--resamples", 50,
    )  # fmt: skip
    assert gain["AP"]["before"] == pytest.approx(first["AP"], abs=1e-4)
    assert gain["AP"]["after"] == pytest.approx(second["AP"], abs=1e-4)
    assert gain["AP"]["interval"][0] <= gain["AP"]["interval"][1]
