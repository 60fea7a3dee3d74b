"""Lineage: the chain is whole, and any changed byte on it is named."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from small_coco import make_coco

from visionllm_interaction.artifacts.lineage import trace
from visionllm_interaction.datasets.ingestion.config import IngestConfig
from visionllm_interaction.datasets.ingestion.stage import run as ingest
from visionllm_interaction.datasets.transformation.config import TransformConfig
from visionllm_interaction.datasets.transformation.stage import run as transform
from visionllm_interaction.datasets.validation.config import ValidateConfig
from visionllm_interaction.datasets.validation.stage import run as validate
from visionllm_interaction.errors import LineageError

MANIFEST = "data_ingestion/data_manifest.yaml"
REPORT = "data_validation/data_validation_report.yaml"
TRAINING = "data_transformation/training_manifest.yaml"
CLEANED = "data_transformation/annotations/instances_train2017.cleaned.json"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "artifacts/run"
    ingest(IngestConfig(root=make_coco(tmp_path / "data")), out=folder / "data_ingestion")
    validate(ValidateConfig(), data_manifest=folder / MANIFEST, out=folder / "data_validation")
    transform(
        TransformConfig(),
        data_manifest=folder / MANIFEST,
        validation_report=folder / REPORT,
        out=folder / "data_transformation",
    )
    return folder


@pytest.mark.parametrize(
    ("file", "chain"),
    [
        (CLEANED, ["transform", "validate", "ingest", "raw data"]),
        (TRAINING, ["transform", "validate", "ingest", "raw data"]),
        ("data_validation/faults.parquet", ["validate", "ingest", "raw data"]),
        (MANIFEST, ["ingest", "raw data"]),
    ],
)
def test_chain_to_the_raw_data(run: Path, file: str, chain: list[str]) -> None:
    lineage = trace(run / file)
    result = json.loads(json.dumps(lineage.to_dict()))
    assert result["chain"] == chain and result["status"] == "verified"
    assert result["raw"]["files"] == 12 and result["raw"]["root"] == str(run.parents[1] / "data")
    text = lineage.to_text()
    assert [line.strip().split()[1] for line in text.splitlines() if "└─" in line] == [c.split()[0] for c in chain]
    assert text.endswith("every digest verified")


def flip(path: Path) -> None:
    """Change the file's last byte but one and keep its size and time, as a failing disk would."""
    status, data = path.stat(), bytearray(path.read_bytes())
    data[-2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


# What is changed → the link that must be named (seen from the cleaned training annotations).
BREAKS = {
    "../../data/train2017/train_0003.jpg": "raw data → ingest",
    "../../data/val2017/val_0000.jpg": "raw data → ingest",
    "../../data/annotations/instances_val2017.json": "raw data → ingest",
    "data_ingestion/files.parquet": "ingest → validate",
    MANIFEST: "ingest → ",
    "data_validation/faults.parquet": "validate → transform",
    REPORT: "validate → ",
    CLEANED: "transform → train",
    "data_transformation/annotations/instances_val2017.cleaned.json": "transform → train",
    TRAINING: "transform → transform",
}


@pytest.mark.parametrize("file", BREAKS)
def test_one_changed_byte_breaks_a_named_link(run: Path, file: str) -> None:
    path = Path(os.path.normpath(run / file))
    flip(path)
    with pytest.raises(LineageError) as caught:
        trace(run / CLEANED)
    assert f"{BREAKS[file]}" in str(caught.value) and path.name in str(caught.value)
    assert caught.value.exit_code == 3
    assert caught.value.expected and caught.value.found and caught.value.expected != caught.value.found


@pytest.mark.parametrize("file", list(BREAKS)[:6])
def test_a_missing_file_breaks_a_link(run: Path, file: str) -> None:
    path = Path(os.path.normpath(run / file))
    path.unlink()
    with pytest.raises(LineageError, match=r"no such file|cannot be read|No such file"):
        trace(run / CLEANED)


def test_digests_are_in_the_message(run: Path) -> None:
    from visionllm_interaction.utils.hashing import sha256_file

    path = run.parents[1] / "data/train2017/train_0003.jpg"
    before = sha256_file(path)
    flip(path)
    with pytest.raises(LineageError) as caught:
        trace(run / CLEANED)
    assert before in str(caught.value) and sha256_file(path) in str(caught.value)


def test_what_is_no_artifact_is_refused(run: Path, tmp_path: Path) -> None:
    stranger = run / "data_ingestion/notes.txt"
    stranger.write_text("mine")
    copied = tmp_path / "copied.json"
    copied.write_bytes((run / CLEANED).read_bytes())
    for file in (stranger, copied, run / "data_ingestion/none", tmp_path):
        with pytest.raises(LineageError, match="not an artifact whose origin is known"):
            trace(file)


def test_a_run_can_be_moved(run: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    run.rename(moved)
    assert trace(moved / CLEANED).run == str(moved)
