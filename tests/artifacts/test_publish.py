"""Files and folders appear whole or not at all, with the permissions asked for, and nothing is left beside them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from visionllm_interaction.utils import atomic_files as publish
from visionllm_interaction.utils.atomic_files import exchange, publish_file, replace_folder, write_file


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    final = tmp_path / "deep" / "film.mp4"
    for content in (b"first", b"second"):
        with publish_file(final) as partial:
            assert partial.suffix == ".mp4" and partial.parent == final.parent
            partial.write_bytes(content)
            assert not final.exists() or final.read_bytes() == b"first"
        assert final.read_bytes() == content and names(final.parent) == ["film.mp4"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_writer_that_fails_leaves_the_former_file(tmp_path: Path, error: type[BaseException]) -> None:
    final = tmp_path / "film.mp4"
    write_file(final, b"former")
    with pytest.raises(error), publish_file(final) as partial:
        partial.write_bytes(b"half")
        raise error
    assert final.read_bytes() == b"former" and names(tmp_path) == ["film.mp4"]


def test_everything_is_on_the_disk_before_and_after_the_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[str, bool]] = []
    final = tmp_path / "file"
    monkeypatch.setattr(publish, "sync_file", lambda path: synced.append((path.name[:9], final.exists())))
    write_file(final, b"data")
    assert synced == [(".partial-", False), (tmp_path.name[:9], True)]


def test_a_file_that_is_there_stays_where_that_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    final = tmp_path / "file"
    write_file(final, b"mine", replace=False)
    write_file(final, b"yours", replace=False)
    assert final.read_bytes() == b"mine"

    def no_links(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", no_links)
    write_file(final, b"yours", replace=False)
    write_file(tmp_path / "other", b"yours", replace=False)
    assert (final.read_bytes(), (tmp_path / "other").read_bytes()) == (b"mine", b"yours")
    assert names(tmp_path) == ["file", "other"]


def test_permissions_are_those_asked_for_from_the_first_moment(tmp_path: Path) -> None:
    mask = os.umask(0o022)
    try:
        write_file(tmp_path / "public", b"")
        write_file(tmp_path / "private", b"", mode=0o600)
        write_file(tmp_path / "public", b"again", mode=0o600)
    finally:
        os.umask(mask)
    modes = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in names(tmp_path)}
    assert modes == {"private": 0o600, "public": 0o600}
    write_file(tmp_path / "plain", b"")
    assert stat.S_IMODE((tmp_path / "plain").stat().st_mode) == 0o666 & ~mask


@pytest.fixture
def two_folders(tmp_path: Path) -> Path:
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "name").write_text(name)
    return tmp_path


@pytest.mark.parametrize("kernel", [True, False], ids=["in one step", "in three renames"])
def test_exchange_swaps_folders(two_folders: Path, monkeypatch: pytest.MonkeyPatch, kernel: bool) -> None:
    if not kernel:
        monkeypatch.setattr(publish.ctypes, "CDLL", lambda *_, **__: object())
    exchange(two_folders / "a", two_folders / "b")
    assert [(two_folders / n / "name").read_text() for n in "ab"] == ["b", "a"]
    assert names(two_folders) == ["a", "b"]


def test_a_folder_takes_the_place_of_another(two_folders: Path) -> None:
    replace_folder(two_folders / "a", two_folders / "b")
    replace_folder(two_folders / "b", two_folders / "new")
    assert names(two_folders) == ["new"] and (two_folders / "new" / "name").read_text() == "a"
