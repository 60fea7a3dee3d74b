"""Stage 1: the data set is found, indexed and left alone."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import yaml
from PIL import Image
from small_coco import make_coco

from visionllm_interaction.artifacts.raw_file_index import full_changes, quick_changes, read_index
from visionllm_interaction.artifacts.stage_manifests import DataManifest
from visionllm_interaction.datasets.ingestion.config import IngestConfig
from visionllm_interaction.datasets.ingestion.formats.format_detection import READER_VERSION
from visionllm_interaction.datasets.ingestion.layout.discovery import locate_source
from visionllm_interaction.datasets.ingestion.stage import resolve, run, sources_changed
from visionllm_interaction.errors import ConfigError, InputDataError
from visionllm_interaction.utils.hashing import sha256_tree


def ingest(root: Path, run_folder: Path) -> DataManifest:
    return run(IngestConfig(root=root), out=run_folder / "data_ingestion")


def test_manifest_has_the_keys_others_rely_on(tmp_path: Path) -> None:
    root = make_coco(tmp_path / "toys")
    ingest(root, tmp_path / "run")
    content = yaml.safe_load((tmp_path / "run/data_ingestion/data_manifest.yaml").read_text())
    assert content["dataset_name"] == "toys"
    assert content["dataset_format"] == "coco"
    assert content["ingestion"] == {"mode": "register"}
    assert content["paths"] == {"train_images": str(root / "train2017"), "val_images": str(root / "val2017")}
    assert content["annotations"] == {
        split: str(root / f"annotations/instances_{split}2017.json") for split in ("train", "val")
    }
    assert content["created_at"].endswith("+00:00")


def test_index_lists_every_raw_file_with_its_digest(tmp_path: Path) -> None:
    root = make_coco(tmp_path / "toys")
    manifest = ingest(root, tmp_path / "run")
    index = read_index(tmp_path / "run" / manifest.index)
    used = sorted(str(path) for path in root.rglob("*") if path.is_file())
    assert [file.path for file in index] == used
    assert [file.sha256 for file in index] == [hashlib.sha256(Path(p).read_bytes()).hexdigest() for p in used]
    assert {(f.width, f.height) for f in index} == {(64, 48), (None, None)}
    assert manifest.files == 12 and manifest.total_bytes == sum(Path(p).stat().st_size for p in used)
    assert manifest.outputs[0].sha256 == hashlib.sha256((tmp_path / "run" / manifest.index).read_bytes()).hexdigest()


def test_raw_data_is_not_touched(tmp_path: Path) -> None:
    root = make_coco(tmp_path / "toys")
    before = (sha256_tree(root), sorted((p, p.stat().st_mtime_ns) for p in root.rglob("*")))
    ingest(root, tmp_path / "run")
    assert (sha256_tree(root), sorted((p, p.stat().st_mtime_ns) for p in root.rglob("*"))) == before


@pytest.mark.parametrize("above", ["", "coco", "archive/coco"], ids=["here", "one level down", "two levels down"])
def test_finds_the_root(tmp_path: Path, above: str) -> None:
    root = make_coco(tmp_path / "data" / above)
    assert locate_source(tmp_path / "data").root == root


def test_refuses_what_it_cannot_find(tmp_path: Path) -> None:
    make_coco(tmp_path / "deep/a/b/c")
    make_coco(tmp_path / "two/first")
    make_coco(tmp_path / "two/second")
    cases = {"deep": "one lies deeper", "two": "More than one", "nowhere": "does not exist"}
    for name, message in cases.items():
        with pytest.raises(InputDataError, match=message):
            locate_source(tmp_path / name)
    with pytest.raises(InputDataError) as caught:
        locate_source(tmp_path / "deep")
    assert str(caught.value.fix).endswith(f"-o data.root={tmp_path}/deep/a/b/c")
    with pytest.raises(ConfigError, match=r"data\.root is not set"):
        run(IngestConfig(), out=tmp_path / "run/data_ingestion")
    assert not (tmp_path / "run").exists()


def test_a_missing_split_is_left_to_validation(tmp_path: Path) -> None:
    root = make_coco(tmp_path / "toys")
    (root / "annotations/instances_val2017.json").unlink()
    assert ingest(root, tmp_path / "run").annotations.val is None


def test_changes_are_noticed(tmp_path: Path) -> None:
    root = make_coco(tmp_path / "toys")
    folders = [root / "train2017", root / "val2017"]
    index = read_index(tmp_path / "run" / ingest(root, tmp_path / "run").index)
    assert quick_changes(index, folders) == [] and full_changes(index) == []
    picture = root / "train2017/train_0001.jpg"
    picture.touch()  # another time, the same bytes: no change
    assert quick_changes(index, folders) == []
    picture.write_bytes(picture.read_bytes() + b"x")
    (root / "val2017/val_0000.jpg").unlink()
    (root / "val2017/new.jpg").write_bytes(b"new")
    found = {(Path(c.path).name, c.kind) for c in quick_changes(index, folders)}
    assert found == {("train_0001.jpg", "changed"), ("val_0000.jpg", "missing"), ("new.jpg", "new")}
    assert {c.kind for c in full_changes(index)} == {"changed", "missing"}


def test_a_byte_changed_behind_an_unchanged_time_shows_in_full(tmp_path: Path) -> None:
    import os

    root = make_coco(tmp_path / "toys")
    index = read_index(tmp_path / "run" / ingest(root, tmp_path / "run").index)
    picture = root / "train2017/train_0001.jpg"
    status, data = picture.stat(), bytearray(picture.read_bytes())
    data[-3] ^= 1
    picture.write_bytes(data)
    os.utime(picture, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert [(Path(c.path), c.kind) for c in full_changes(index)] == [(picture, "changed")]


def test_what_an_older_reader_read_is_read_anew(tmp_path: Path) -> None:
    root = tmp_path / "yolo"
    (root / "images/train").mkdir(parents=True)
    (root / "labels/train").mkdir(parents=True)
    Image.new("RGB", (20, 10)).save(root / "images/train/a.png")
    (root / "labels/train/a.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    (root / "data.yaml").write_text("train: images/train\nnames: [cup]\n")
    config = resolve(IngestConfig(root=root, work_dir=tmp_path / "work"))
    manifest = run(config, out=tmp_path / "run" / "data_ingestion")
    index = read_index(tmp_path / "run" / manifest.index)
    assert manifest.source is not None and sources_changed(manifest, index) is None
    older = manifest.model_copy(update={"source": manifest.source.model_copy(update={"reader_version": 1})})
    assert f"reader version 1 → {READER_VERSION}" in str(sources_changed(older, index))
