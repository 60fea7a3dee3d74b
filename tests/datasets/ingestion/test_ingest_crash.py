"""kill -9 while data is downloaded, unpacked and copied: the next call ends with the right data and no leftovers."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from faulty_server import faulty_server

from visionllm_interaction.artifacts.raw_file_index import full_changes, read_index
from visionllm_interaction.artifacts.stage_manifests import DataManifest
from visionllm_interaction.utils.hashing import sha256_tree

CALL = "from visionllm_interaction.cli import main; main()"
PICTURES, PICTURE_BYTES = 400, 150_000


def make_large_coco(root: Path) -> Path:
    dice = random.Random(5)
    for split in ("train", "val"):
        (root / f"{split}2017").mkdir(parents=True)
        for number in range(PICTURES):
            (root / f"{split}2017/{number:06d}.jpg").write_bytes(dice.randbytes(PICTURE_BYTES))
        (root / "annotations").mkdir(exist_ok=True)
        text = '{"images": [], "annotations": [], "categories": []}'
        (root / f"annotations/instances_{split}2017.json").write_text(text)
    return root


@pytest.mark.crash
@pytest.mark.parametrize("where", ["archive", "copy", "server"])
def test_killed_at_random_moments(tmp_path: Path, where: str) -> None:
    root = make_large_coco(tmp_path / "made/toys")
    with faulty_server() as server:
        archive = Path(shutil.make_archive(str(tmp_path / "toys"), "zip", root.parent, "toys"))
        source = {
            "archive": [f"data.root={archive}"],
            "copy": [f"data.root={root}", "data.mode=copy"],
            "server": [f"data.source={server.add('toys.zip', archive.read_bytes())}"],
        }[where]
        settings = [
            *source,
            f"data.work_dir={tmp_path}/work",
            f"artifacts_dir={tmp_path}/runs",
            "data.limits.min_free_gb=0",
        ]
        command = [sys.executable, "-c", CALL, "ingest", *(part for text in settings for part in ("-o", text))]
        dice, killed = random.Random(where), 0
        for _ in range(12):
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(dice.uniform(0.4, 2.0))
            process.kill()
            killed += process.wait() < 0
        subprocess.run(command, check=True, capture_output=True, timeout=120)
    assert killed >= 3, "most calls must have been stopped in the middle"
    (manifest_path,) = (tmp_path / "runs").glob("*/data_ingestion/data_manifest.yaml")
    manifest = DataManifest.load(manifest_path)
    assert sha256_tree(Path(manifest.root)) == sha256_tree(root)
    assert full_changes(read_index(manifest_path.parent / "files.parquet")) == []
    assert not list((tmp_path / "work").rglob(".partial-*")) and not list((tmp_path / "work").rglob("*.part"))
