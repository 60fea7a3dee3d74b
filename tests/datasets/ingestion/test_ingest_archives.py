"""Archives: good ones come out whole, hostile ones leave nothing behind."""

from __future__ import annotations

import os
import shutil
import tarfile
import time
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hostile_archives import MAKERS, Maker
from small_coco import make_coco

from visionllm_interaction.datasets.ingestion.config import LimitsConfig
from visionllm_interaction.datasets.ingestion.sources.extraction_limits import Outlet
from visionllm_interaction.datasets.ingestion.sources.unpack_archive import unpack_all
from visionllm_interaction.errors import ArchiveError, SpaceError
from visionllm_interaction.utils.hashing import sha256_tree

LIMITS = LimitsConfig(max_unpacked_gb=0.5, min_free_gb=0)
KINDS = {"zip": "zip", "tar": "tar", "gztar": "tar.gz", "bztar": "tar.bz2", "xztar": "tar.xz"}


def listing(folder: Path) -> list[tuple[str, int]]:
    return sorted((str(path), path.lstat().st_size) for path in folder.rglob("*"))


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)
def test_hostile_archives_leave_nothing(tmp_path: Path, maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "in"
    source.mkdir()
    archive = source / "archive"
    maker(archive)
    before = listing(tmp_path)
    sizes: list[int] = []
    count = Outlet.count_bytes

    def measured(self: Outlet, size: int) -> None:
        sizes.append(sum(path.lstat().st_size for path in tmp_path.rglob("*") if path.is_file()))
        count(self, size)

    monkeypatch.setattr(Outlet, "count_bytes", measured)
    started = time.monotonic()
    with pytest.raises(ArchiveError) as caught:
        unpack_all([archive], tmp_path / "out", limits=LIMITS)
    assert caught.value.exit_code == 3 and str(archive) in str(caught.value)
    assert listing(tmp_path) == before, "nothing outside, nothing partial"
    assert time.monotonic() - started < 20
    size = archive.stat().st_size
    assert max(sizes, default=0) <= size + max(100 * size, 10_000_000), "disk use stays under the cap"


def test_a_huge_header_is_refused_without_holding_it(tmp_path: Path) -> None:
    from hostile_archives import tar_huge_header

    tar_huge_header(tmp_path / "archive")
    tracemalloc.start()
    try:
        with pytest.raises(ArchiveError, match=r"header that is too large|looks like a bomb"):
            unpack_all([tmp_path / "archive"], tmp_path / "out", limits=LIMITS)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", KINDS)
def test_good_archives_come_out_as_they_went_in(tmp_path: Path, kind: str) -> None:
    root = make_coco(tmp_path / "in/coco")
    (root / "empty folder").mkdir()
    (root / "train2017/\u00e6\u00f8\u00e5.txt").write_text("Norwegian")
    archive = Path(shutil.make_archive(str(tmp_path / "toys"), kind, tmp_path / "in"))
    unpack_all([archive], tmp_path / "out", limits=LIMITS)
    assert sha256_tree(tmp_path / "out") == sha256_tree(tmp_path / "in")
    assert (tmp_path / "out/coco/empty folder").is_dir()
    assert not list(tmp_path.glob(".partial-*"))


def test_several_archives_fill_one_folder_and_may_not_clash(tmp_path: Path) -> None:
    for name in ("a", "b"):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
            archive.writestr(f"{name}/file", name)
    archives = [tmp_path / "a.zip", tmp_path / "b.zip"]
    unpack_all(archives, tmp_path / "out", limits=LIMITS)
    assert [(tmp_path / f"out/{name}/file").read_text() for name in "ab"] == ["a", "b"]
    with pytest.raises(ArchiveError, match="two things of one name"):
        unpack_all([archives[0], archives[0]], tmp_path / "again", limits=LIMITS)
    assert not (tmp_path / "again").exists()


def test_windows_separators_and_mode_bits(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("train2017\\a.txt", "a")
    member = tarfile.TarInfo("b.txt")
    member.mode = 0o4777
    with tarfile.open(tmp_path / "b.tar", "w") as tar:
        tar.addfile(member)
    unpack_all([tmp_path / "a.zip", tmp_path / "b.tar"], tmp_path / "out", limits=LIMITS)
    assert (tmp_path / "out/train2017/a.txt").read_text() == "a"
    mask = os.umask(0)
    os.umask(mask)
    assert (tmp_path / "out/b.txt").stat().st_mode & 0o7777 == 0o666 & ~mask


def test_limits_can_be_raised_and_are_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(20_000_000))
        archive.writestr("more", b"")
    with pytest.raises(ArchiveError, match="looks like a bomb"):
        unpack_all([tmp_path / "a.zip"], tmp_path / "out", limits=LIMITS)
    with pytest.raises(ArchiveError, match="too many files"):
        unpack_all([tmp_path / "a.zip"], tmp_path / "out", limits=LIMITS.model_copy(update={"max_files": 1}))
    unpack_all([tmp_path / "a.zip"], tmp_path / "out", limits=LIMITS.model_copy(update={"max_ratio": 2000.0}))
    assert (tmp_path / "out/zeros").stat().st_size == 20_000_000


def test_no_room_is_noticed_before_unpacking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a", bytes(3_000_000))
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=2_000_000))
    with pytest.raises(SpaceError):
        unpack_all([tmp_path / "a.zip"], tmp_path / "out", limits=LIMITS)
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]
