"""Cards of a run say what its manifests say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from visionllm_interaction.artifacts.cards import make_cards
from visionllm_interaction.artifacts.manifest import STAGE_MANIFESTS, utc_now
from visionllm_interaction.artifacts.stage_manifests import TrainingManifest, TrainingReport
from visionllm_interaction.cli import app
from visionllm_interaction.cli.output import run_app
from visionllm_interaction.errors import ManifestError


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stages 1–3 of a small play room."""
    folder = tmp_path_factory.mktemp("cards")
    assert run_app(app, ["toyroom", str(folder / "emma"), "--images", "8", "--videos", "0", "--json"]) == 0
    overrides = ["-o", f"data.root={folder / 'emma'}", "-o", f"artifacts_dir={folder / 'artifacts'}"]
    assert run_app(app, ["transform", *overrides, "--json"]) == 0
    [found] = [path for path in (folder / "artifacts").iterdir() if (path / "data_ingestion").is_dir()]
    return found


def test_the_data_card_has_the_counts_of_the_manifest(run: Path) -> None:
    cards = make_cards(run)
    training = TrainingManifest.load(run / STAGE_MANIFESTS["transform"])
    assert cards.model is None
    for split, counts in training.counts.items():
        assert f"| {split} | {counts.images} | {counts.annotations} |" in cards.data
    assert all(f"{c.name} ({c.category_id})" in cards.data for c in training.categories)
    assert "| the same file | 0 |" in cards.data and "No image says which child" in cards.data
    assert "Status: PASS." in cards.data and "who was filmed" in cards.data


def test_the_model_card_has_the_metrics_and_no_path(run: Path, tmp_path: Path) -> None:
    path = run / STAGE_MANIFESTS["train"]
    report = TrainingReport(
        stage="train", created_at=utc_now(), duration_s=12.0, code_version="c0de", inputs=(), outputs=(), AP=0.5,
        best_epoch=3, metrics={"AP": 0.512, "APs": -1.0},
        config={"model": {"architecture": "fasterrcnn_resnet18_fpn", "weights": "/home/emma/best.pt"},
                "train": {"lr": 0.001}},
    )  # fmt: skip
    path.parent.mkdir()
    report.save(path)
    try:
        card = make_cards(path).model
        written = make_cards(run).write(tmp_path / "cards")
    finally:
        path.unlink()
        path.parent.rmdir()
    assert card is not None and "| AP | 0.512 |" in card and "APs" not in card
    assert "began from: a file of ours" in card and "emma" not in card and "| lr | 0.001 |" in card
    assert [file.name for file in written] == ["data_card.md", "model_card.md"]
    assert written[1].read_text() == card


def test_the_command_writes_them_and_refuses_what_is_no_run(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert run_app(app, ["cards", str(run), "--out", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"cards": [str(tmp_path / "data_card.md")]}
    with pytest.raises(ManifestError, match="nothing to make cards of"):
        make_cards(tmp_path)
    assert run_app(app, ["cards", str(tmp_path), "--json"]) == 3
