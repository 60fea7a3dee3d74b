"""Stores in an object store: read, changed, erased, copied, on a real server."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from object_store_server import READER, ObjectStore
from scenes_builders import make_store

from visionllm_interaction.artifacts.object_storage.bucket import Bucket
from visionllm_interaction.cli.application import app
from visionllm_interaction.cli.output import run_app
from visionllm_interaction.core.tracks_relations_events import Code
from visionllm_interaction.errors import InputDataError, StoreError, UsageError
from visionllm_interaction.measures.table import measures_table
from visionllm_interaction.store.layout import STORE_FILE, list_videos
from visionllm_interaction.store.object_storage.copying import copy_folder
from visionllm_interaction.store.object_storage.working_copy import prepare_store_at, working_copy
from visionllm_interaction.store.reader import open_store
from visionllm_interaction.store.writer import erase_video, write_codes

CODE = Code("1", "play", "code", "child", "grasps", 1.0, 2.0, "coder.eaf")


@pytest.fixture
def remote(object_store: str, tmp_path: Path) -> str:
    """The small store of ``scenes_builders`` in an object store."""
    copy_folder(make_store(tmp_path / "local"), object_store)
    return object_store


def files_of(folder: Path) -> dict[str, bytes]:
    """Contents by name, without lock files."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_copy_there_and_back_is_the_same(remote: str, tmp_path: Path) -> None:
    copied = copy_folder(remote, tmp_path / "back")
    assert (copied.kind, copied.files) == ("store", 17)
    assert files_of(tmp_path / "back") == files_of(tmp_path / "local")


def test_a_working_copy_is_a_store_like_any_other(remote: str, tmp_path: Path) -> None:
    with working_copy(remote) as copy, open_store(copy.folder) as store, open_store(tmp_path / "local") as local:
        assert measures_table(store).equals(measures_table(local))
        folder = copy.folder
    assert not folder.exists()


def test_commands_print_the_address_and_the_same_values(
    remote: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = {}
    for store in (remote, str(tmp_path / "local")):
        for command in (["ask", "How long does the child hold the ball?"], ["query", "total(visible(child))"]):
            assert run_app(app, [*command, "--store", store, "--json"]) == 0
            printed[store, command[0]] = capsys.readouterr().out.replace(store, "STORE")
    for command in ("ask", "query"):
        assert printed[remote, command] == printed[str(tmp_path / "local"), command]
    assert run_app(app, ["measures", "--store", remote, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["store"] == remote


def test_a_second_reader_reads_only_what_has_changed(remote: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with working_copy(remote) as copy:
        write_codes(copy.folder, "a", [CODE])
    read: list[str] = []
    for name in ("read", "download"):
        original = getattr(Bucket, name)

        def noted(self: Bucket, key: str, *more: Path, original: object = original) -> object:
            read.append(key)
            return original(self, key, *more)  # type: ignore[operator]

        monkeypatch.setattr(Bucket, name, noted)
    with working_copy(remote) as copy, open_store(copy.folder) as store:
        assert [code.label for code in store.codes("a")] == ["grasps"]
    assert sorted(key.rpartition("/")[2] for key in read) == ["codes.parquet", "published.json"]
    read.clear()
    with working_copy(remote):
        pass
    assert read == []


def test_only_what_was_changed_is_published(remote: str) -> None:
    before = {entry.key: entry.etag for entry in Bucket(remote).objects_below("videos/a")}
    with working_copy(remote) as copy:
        write_codes(copy.folder, "a", [CODE])
    after = {entry.key: entry.etag for entry in Bucket(remote).objects_below("videos/a")}
    assert len(before) == len(after)
    assert {key.rpartition("/")[2] for key in after.keys() - before.keys()} == {"codes.parquet"}
    with working_copy(remote) as copy, open_store(copy.folder) as store:
        assert [code.label for code in store.codes("a")] == ["grasps"]


def test_of_two_writers_one_is_told_to_begin_again(remote: str) -> None:
    with pytest.raises(StoreError, match="faster") as caught, working_copy(remote) as late:
        write_codes(late.folder, "a", [CODE])
        with working_copy(remote) as early:
            write_codes(early.folder, "a", [Code("1", "play", "code", "child", "drops", 1.0, 2.0, "other.eaf")])
    assert caught.value.where == f"{remote}/videos/a"
    with working_copy(remote) as copy, open_store(copy.folder) as store:
        assert [code.label for code in store.codes("a")] == ["drops"]


def test_writers_of_different_videos_do_not_meet(remote: str) -> None:
    with working_copy(remote) as one:
        write_codes(one.folder, "a", [CODE])
        with working_copy(remote) as other:
            write_codes(other.folder, "b", [CODE])
    with working_copy(remote) as copy, open_store(copy.folder) as store:
        assert [len(store.codes(video_id)) for video_id in store] == [1, 1]


def test_a_command_that_fails_publishes_nothing(remote: str) -> None:
    before = Bucket(remote).objects_below("videos")
    with pytest.raises(ValueError, match="stop"), working_copy(remote) as copy:
        write_codes(copy.folder, "a", [CODE])
        raise ValueError("stop")
    assert Bucket(remote).objects_below("videos") == before


def test_erasing_leaves_no_byte_of_the_video(remote: str, tmp_path: Path) -> None:
    left = "videos/a/20200101T000000-left/tracks.parquet"
    Bucket(remote).write(left, b"of a process that was killed")
    with working_copy(remote) as copy:
        digests = {file.sha256 for file in copy._videos["a"].publication.files.values()}
    assert run_app(app, ["erase", "--video", "a", "--store", remote]) == 0
    assert Bucket(remote).objects_below("videos/a") == []
    with working_copy(remote) as copy:
        assert list_videos(copy.folder) == ["b"]
        mine = {file.sha256 for file in copy._videos["b"].publication.files.values()}
    kept = {path.name for path in (tmp_path / "cache_of_stores").rglob("*")}
    assert not kept & (digests - mine)


def test_a_video_that_is_replaced_while_it_is_read_is_read_again(
    remote: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VISIONLLM_STORE_CACHE", str(tmp_path / "writer"))
    original, replaced = Bucket.download, []

    def slow(self: Bucket, key: str, file: Path) -> bool:
        if not replaced and "/videos/a/" in f"/{key}" and key.endswith("codes.parquet"):
            replaced.append(key)
            monkeypatch.setenv("VISIONLLM_STORE_CACHE", str(tmp_path / "writer"))
            with working_copy(remote) as other:
                write_codes(other.folder, "a", [CODE])
        return original(self, key, file)

    monkeypatch.setenv("VISIONLLM_STORE_CACHE", str(tmp_path / "reader"))
    monkeypatch.setattr(Bucket, "download", slow)
    with working_copy(remote) as copy, open_store(copy.folder) as store:
        assert [code.label for code in store.codes("a")] == ["grasps"]
    assert replaced


def test_a_copy_that_was_killed_is_no_store_and_can_be_made_again(
    object_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = make_store(tmp_path / "local")
    original = Bucket.create

    def killed(self: Bucket, key: str, data: bytes) -> str | None:
        if key == STORE_FILE:
            raise KeyboardInterrupt
        return original(self, key, data)

    with monkeypatch.context() as patch:
        patch.setattr(Bucket, "create", killed)
        with pytest.raises(KeyboardInterrupt):
            copy_folder(local, object_store)
    with pytest.raises(StoreError, match="no interaction store"):
        copy_folder(object_store, tmp_path / "half")
    assert not (tmp_path / "half").exists()
    copy_folder(local, object_store)
    copy_folder(object_store, tmp_path / "back")
    assert files_of(tmp_path / "back") == files_of(local)


def test_places_that_are_taken_are_not_written_to(remote: str, tmp_path: Path, object_store: str) -> None:
    with pytest.raises(InputDataError, match="taken"):
        copy_folder(tmp_path / "local", remote)
    with pytest.raises(InputDataError, match="taken"):
        copy_folder(remote, tmp_path / "local")
    Bucket(f"{object_store}-x").write("notes.txt", b"mine")
    with pytest.raises(StoreError, match="taken"):
        prepare_store_at(f"{object_store}-x")
    prepare_store_at(remote)


def test_a_runs_folder_is_copied_whole(object_store: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "model_trainer").mkdir(parents=True)
    (run / "model_trainer" / "training_report.yaml").write_text("AP: 0.5\n")
    (run / "model_trainer" / "weights.pt").write_bytes(bytes(range(256)) * 40_000)  # sent in several parts
    (run / ".lock").touch()
    assert run_app(app, ["copy", str(run), object_store]) == 0
    assert run_app(app, ["copy", object_store, str(tmp_path / "back")]) == 0
    assert files_of(tmp_path / "back") == files_of(run)
    assert run_app(app, ["copy", str(run), object_store]) == 3
    assert run_app(app, ["copy", str(run), str(tmp_path / "other")]) == 2
    assert run_app(app, ["copy", str(tmp_path / "none"), f"{object_store}-y"]) == 3
    assert run_app(app, ["copy", str(run), "s3://study"]) == 2


def test_who_may_only_read_can_ask_and_not_erase(
    remote: str, object_store_server: ObjectStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in object_store_server.environment(READER).items():
        monkeypatch.setenv(name, value)
    assert run_app(app, ["query", "total(visible(child))", "--store", remote]) == 0
    assert run_app(app, ["erase", "--video", "a", "--store", remote]) == 2
    assert "refuses these credentials" in capsys.readouterr().err


def test_what_was_left_of_killed_commands_goes(remote: str, tmp_path: Path) -> None:
    with working_copy(remote) as copy:
        home = copy.folder.parent
        shutil.copytree(copy.folder, home / "working-killed")
        with working_copy(remote):
            assert copy.folder.is_dir()  # this one is in use
    assert not list(home.glob("working-*"))
    assert home.stat().st_mode & 0o077 == 0


def test_a_copy_for_reading_publishes_nothing(remote: str) -> None:
    before = Bucket(remote).objects_below("videos")
    with working_copy(remote, files=lambda name: name == "video.json") as copy:
        assert not (copy.folder / "videos/a/tracks.parquet").exists()
        erase_video(copy.folder, "a")
    assert Bucket(remote).objects_below("videos") == before


def test_addresses_of_other_kinds_are_refused_by_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(app, ["ask", "How long?", "--store", "gs://lab/x"]) == 2
    assert "s3://BUCKET/PREFIX" in capsys.readouterr().err
    with pytest.raises(UsageError):
        copy_folder("gs://lab/x", "y")


def test_a_function_that_takes_folders_says_how_an_address_is_read() -> None:
    with pytest.raises(StoreError) as caught:
        open_store("s3://lab/x")
    assert caught.value.fix is not None and "working_copy(url)" in caught.value.fix
