"""Where data comes from and where it is put: archives, servers, Kaggle; register, copy, hardlink; verify."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import types
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from faulty_server import faulty_server
from small_coco import change, make_coco

from visionllm_interaction.artifacts.raw_file_index import read_index
from visionllm_interaction.artifacts.stage_manifests import DataManifest
from visionllm_interaction.cli import app
from visionllm_interaction.cli.output import run_app
from visionllm_interaction.datasets.ingestion.config import IngestConfig
from visionllm_interaction.datasets.ingestion.layout.raw_data_verification import find_manifest, verify
from visionllm_interaction.datasets.ingestion.stage import resolve, run, sources_changed
from visionllm_interaction.errors import ConfigError, DownloadFailed, InputDataError, ManifestError
from visionllm_interaction.utils.hashing import sha256_tree


def ingest(folder: Path, **settings: Any) -> DataManifest:
    settings = {"work_dir": folder / "work", "limits": {"min_free_gb": 0.0}, **settings}
    return run(IngestConfig(**settings), out=folder / "run/data_ingestion")


def changed(folder: Path) -> str | None:
    """Why the pipeline would take the data in again."""
    manifest = DataManifest.load(folder / "run/data_ingestion/data_manifest.yaml")
    return sources_changed(manifest, read_index(folder / "run" / manifest.index))


def packed(root: Path, archive: Path, *, kind: str = "zip") -> Path:
    return Path(shutil.make_archive(str(archive), kind, root.parent, root.name))


@pytest.mark.parametrize("kind", ["zip", "gztar"])
def test_an_archive_is_unpacked_once_and_watched(tmp_path: Path, kind: str) -> None:
    root = make_coco(tmp_path / "made/toys")
    archive = packed(root, tmp_path / "toys-export", kind=kind)
    manifest = ingest(tmp_path / "a", root=archive)
    assert manifest.source is not None
    assert (manifest.source.kind, manifest.dataset_name, manifest.files) == ("archive", "toys-export", 12)
    assert sha256_tree(Path(manifest.root)) == sha256_tree(root)
    assert changed(tmp_path / "a") is None
    again = ingest(tmp_path / "b", root=archive, work_dir=tmp_path / "a/work")
    assert again.root == manifest.root and len(list((tmp_path / "a/work/unpacked").glob("toys*"))) == 1
    archive.write_bytes(archive.read_bytes() + b"x")
    assert "source changed" in str(changed(tmp_path / "a"))


def test_a_download_of_several_archives_becomes_one_data_set(tmp_path: Path) -> None:
    root = make_coco(tmp_path / "made")
    with faulty_server() as server:
        urls = []
        for part in ("annotations", "train2017", "val2017"):
            archive = packed(root / part, tmp_path / part)
            urls.append(server.add(archive.name, archive.read_bytes(), drops=[100, 300], statuses=[(503, {})]))
            urls[-1] += f"#sha256={server.sha256(archive.name)}"
        quick = {"first_pause_s": 0.001, "longest_pause_s": 0.001}
        manifest = ingest(tmp_path / "a", source=urls, name="toys", download=quick)
        asked = len(server.requests)
        ingest(tmp_path / "b", source=urls, name="toys", download=quick, work_dir=tmp_path / "a/work")
        assert len(server.requests) == asked, "nothing is downloaded twice"
    assert sha256_tree(Path(manifest.root)) == sha256_tree(root)
    assert manifest.source is not None and manifest.source.kind == "download"
    assert [file.path for file in manifest.source.files] == [url.split("#")[0] for url in urls]
    assert changed(tmp_path / "a") is None, "asked without the server"


def test_kaggle_goes_through_its_own_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kaggle cannot be reached from tests; what is checked is what we ask its package and do with the answer."""
    root = make_coco(tmp_path / "cache/toys/versions/1/coco2017")
    asked: list[str] = []
    fake = types.SimpleNamespace(dataset_download=lambda handle: asked.append(handle) or str(root.parent))
    monkeypatch.setitem(sys.modules, "kagglehub", fake)
    manifest = ingest(tmp_path / "a", source="kaggle:awsaf49/coco-2017-dataset")
    assert asked == ["awsaf49/coco-2017-dataset"] and manifest.root == str(root)
    assert manifest.dataset_name == "coco-2017-dataset"
    monkeypatch.setattr(fake, "dataset_download", lambda handle: 1 / 0)
    with pytest.raises(DownloadFailed, match="KAGGLE_USERNAME"):
        ingest(tmp_path / "b", source="kaggle:awsaf49/coco-2017-dataset")
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(ConfigError, match=r"visionllm-interaction\[kaggle\]"):
        ingest(tmp_path / "c", source="kaggle:awsaf49/coco-2017-dataset")


@pytest.mark.parametrize("mode", ["copy", "hardlink"])
def test_copies_and_hard_links_leave_the_raw_data_alone(tmp_path: Path, mode: str) -> None:
    root = make_coco(tmp_path / "toys")
    (root / "unrelated.bin").write_bytes(b"not part of the data set")
    before = sha256_tree(root)
    manifest = ingest(tmp_path, root=root, mode=mode)
    placed = Path(manifest.root)
    assert placed.is_relative_to(tmp_path / "work") and manifest.ingestion.mode == mode
    assert all(file.path.startswith(str(placed)) for file in read_index(tmp_path / "run" / manifest.index))
    one = "train2017/train_0000.jpg"
    assert (placed / one).samefile(root / one) == (mode == "hardlink")
    (root / "unrelated.bin").unlink()
    assert sha256_tree(placed) == sha256_tree(root)
    assert sha256_tree(root) != before  # only by what this test deleted


def test_a_change_in_the_source_of_a_copy_is_noticed_and_copied_anew(tmp_path: Path) -> None:
    root = make_coco(tmp_path / "toys")
    first = ingest(tmp_path, root=root, mode="copy")
    assert changed(tmp_path) is None
    change(root, "train", lambda content: content["annotations"].pop())
    assert "source changed" in str(changed(tmp_path))
    second = ingest(tmp_path / "2", root=root, mode="copy", work_dir=tmp_path / "work")
    assert second.root != first.root and sha256_tree(Path(second.root)) == sha256_tree(root)


def test_a_damaged_copy_is_not_used(tmp_path: Path) -> None:
    root = make_coco(tmp_path / "toys")
    first = ingest(tmp_path, root=root, mode="copy")
    (Path(first.root) / "train2017/train_0000.jpg").write_bytes(b"bit rot")
    assert "raw data changed" in str(changed(tmp_path))
    with pytest.raises(InputDataError, match="not what it was copied from"):
        ingest(tmp_path / "2", root=root, mode="copy", work_dir=tmp_path / "work")


def test_a_killed_copy_leaves_nothing_that_is_used(tmp_path: Path) -> None:
    left = tmp_path / "work/placed/.partial-toys"
    left.mkdir(parents=True)
    (left / "half").write_bytes(b"half")
    ingest(tmp_path, root=make_coco(tmp_path / "toys"), mode="copy")
    assert not left.exists()


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a second file system")
def test_hard_links_to_another_disk_say_what_to_do(tmp_path: Path) -> None:
    root = make_coco(tmp_path / "toys")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        if Path(other).stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("one file system")
        with pytest.raises(InputDataError, match=r"set data\.mode to copy"):
            ingest(tmp_path, root=root, mode="hardlink", work_dir=Path(other))
        assert [path.name for path in Path(other, "placed").iterdir()] == [".lock"]


def test_root_or_source_and_not_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for config in (IngestConfig(), IngestConfig(root=tmp_path, source=("coco-2017",))):
        with pytest.raises(ConfigError, match=r"data\.root"):
            resolve(config)
    monkeypatch.setenv("SCRATCH", "/scratch/job7")
    assert resolve(IngestConfig(root=tmp_path, work_dir=Path("$SCRATCH/x"))).work_dir == Path("/scratch/job7/x")


def test_a_file_that_is_no_data_set(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(InputDataError, match="No data set is in this folder"):
        ingest(tmp_path, root=tmp_path / "notes.txt")


def test_verify_finds_every_kind_of_change(tmp_path: Path) -> None:
    root = make_coco(tmp_path / "toys")
    manifest = ingest(tmp_path, root=root)
    path = find_manifest(tmp_path / "run", tmp_path)
    proof = verify(path)
    assert proof.same and (proof.files, proof.bytes) == (12, manifest.total_bytes)
    assert proof.tree_sha256 == manifest.tree_sha256
    picture = root / "train2017/train_0000.jpg"
    status = picture.stat()
    data = bytearray(picture.read_bytes())
    data[-3] ^= 1
    picture.write_bytes(data)
    os.utime(picture, ns=(status.st_atime_ns, status.st_mtime_ns))  # size and time say nothing
    (root / "val2017/val_0000.jpg").unlink()
    (root / "val2017/extra.jpg").write_bytes(b"x")
    found = verify(path).to_dict()
    assert found["status"] == "changed"
    assert [Path(found[kind][0]).name for kind in ("changed", "missing", "new")] == [
        "train_0000.jpg",
        "val_0000.jpg",
        "extra.jpg",
    ]


def test_verify_covers_the_archive_the_data_was_unpacked_from(tmp_path: Path) -> None:
    archive = packed(make_coco(tmp_path / "made/toys"), tmp_path / "toys")
    ingest(tmp_path, root=archive)
    assert verify(find_manifest(tmp_path / "run", tmp_path)).same
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr("more", b"")
    assert verify(find_manifest(tmp_path / "run", tmp_path)).to_dict()["changed"] == [str(archive)]


@pytest.mark.parametrize("name", ["files.parquet", "data_manifest.yaml"])
def test_verify_does_not_trust_an_edited_record(tmp_path: Path, name: str) -> None:
    ingest(tmp_path, root=make_coco(tmp_path / "toys"))
    path = tmp_path / "run/data_ingestion" / name
    data = path.read_bytes()
    path.write_bytes(data.replace(b"dataset_name: toys", b"dataset_name: boys") if "yaml" in name else data + b"x")
    with pytest.raises(ManifestError, match="record of the raw data was changed"):
        verify(find_manifest(tmp_path / "run", tmp_path))


@pytest.fixture
def log_settings_restored() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("log_settings_restored")
def test_commands_end_with_the_documented_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from hostile_archives import zip_slip

    root = make_coco(tmp_path / "toys")
    runs = ["-o", f"artifacts_dir={tmp_path}/runs", "-o", f"data.work_dir={tmp_path}/work", "--json"]
    assert run_app(app, ["ingest", "-o", f"data.root={root}", *runs]) == 0
    assert run_app(app, ["verify", "-o", f"artifacts_dir={tmp_path}/runs", "--json"]) == 0
    assert '"status": "verified"' in capsys.readouterr().out
    (root / "train2017/train_0000.jpg").unlink()
    assert run_app(app, ["verify", "-o", f"artifacts_dir={tmp_path}/runs"]) == 3
    assert run_app(app, ["verify", str(tmp_path / "toys")]) == 3
    zip_slip(tmp_path / "bad.zip")
    assert run_app(app, ["ingest", "-o", f"data.root={tmp_path}/bad.zip", *runs]) == 3
    assert (
        run_app(app, ["ingest", "-o", "data.source=http://127.0.0.1:9/a.zip", "-o", "data.download.retries=0", *runs])
        == 4
    )
    assert run_app(app, ["ingest", "-o", "data.source=coco-2018", *runs]) == 2
    assert '"code": "ARCHIVE"' in capsys.readouterr().out
    assert list((tmp_path / "work/unpacked").iterdir()) == [tmp_path / "work/unpacked/.lock"]
