"""Buckets and folders that are published whole, on a real object store."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

import pytest
from object_store_server import READER, ObjectStore

from visionllm_interaction.artifacts.object_storage import published_folders
from visionllm_interaction.artifacts.object_storage.bucket import Bucket, is_url
from visionllm_interaction.artifacts.object_storage.published_folders import (
    POINTER,
    download_file,
    publish,
    read_publication,
    unpublish,
)
from visionllm_interaction.errors import InputDataError, ServiceError, UsageError


def folder_with(path: Path, **contents: str) -> Path:
    """A folder with text files."""
    path.mkdir(parents=True, exist_ok=True)
    for name, text in contents.items():
        (path / name).write_text(text)
    return path


def contents_of(bucket: Bucket, folder: str) -> dict[str, bytes | None]:
    """What a reader sees of a folder."""
    found = read_publication(bucket, folder)
    if found is None:
        return {}
    read = {name: bucket.read(f"{folder}/{file.key}") for name, file in found.files.items()}
    return {name: content.data if content else None for name, content in read.items()}


@pytest.mark.parametrize(
    ("place", "expected"),
    [("s3://lab/x", True), ("store", False), ("/tmp/s3:/x", False), (Path("s3:/lab/x"), False)],
)
def test_addresses_and_paths_are_told_apart(place: str | Path, expected: bool) -> None:
    assert is_url(place) is expected


@pytest.mark.parametrize("url", ["gs://lab/x", "https://lab.example/x", "s3://L/x", "s3:///x", "s3://a"])
def test_addresses_that_cannot_be_used_are_refused(url: str) -> None:
    with pytest.raises(UsageError):
        is_url(url) and Bucket(url)


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    monkeypatch.setattr("visionllm_interaction.utils.extras._is_installed", lambda _name: False)
    with pytest.raises(UsageError) as caught:
        Bucket("s3://lab/x")
    assert caught.value.fix == "pip install 'visionllm-interaction[s3]'" and caught.value.exit_code == 2


def test_conditions_are_kept_by_the_server(object_store: str) -> None:
    bucket = Bucket(object_store)
    first = bucket.create("a", b"1")
    assert first is not None and bucket.create("a", b"2") is None
    second = bucket.replace("a", b"3", etag=first)
    assert second is not None and bucket.replace("a", b"4", etag=first) is None
    assert bucket.replace("never", b"5", etag=first) is None
    found = bucket.read("a")
    assert found is not None and (found.data, found.etag) == (b"3", second)
    assert bucket.read("never") is None


def test_a_folder_appears_is_replaced_and_goes_as_a_whole(object_store: str, tmp_path: Path) -> None:
    bucket = Bucket(object_store)
    local = folder_with(tmp_path / "one", a="1", b="2")
    (local / ".hidden").write_text("no")
    first = publish(bucket, "v", local, former=None)
    assert contents_of(bucket, "v") == {"a": b"1", "b": b"2"}
    folder_with(local, b="3", c="4")
    second = publish(bucket, "v", local, former=first)
    assert first is not None and second is not None and contents_of(bucket, "v") == {"a": b"1", "b": b"3", "c": b"4"}
    assert second.files["a"] == first.files["a"]  # not sent again
    assert len(bucket.objects_below("v")) == 4  # the former b is gone
    unpublish(bucket, "v")
    assert read_publication(bucket, "v") is None and bucket.objects_below("v") == []


def test_of_two_writers_one_is_told_that_it_was_late(object_store: str, tmp_path: Path) -> None:
    bucket = Bucket(object_store)
    first = publish(bucket, "v", folder_with(tmp_path / "one", a="1"), former=None)
    assert publish(bucket, "v", folder_with(tmp_path / "two", a="2"), former=None) is None
    assert publish(bucket, "v", folder_with(tmp_path / "three", a="3"), former=first) is not None
    assert publish(bucket, "v", folder_with(tmp_path / "four", a="4"), former=first) is None
    assert contents_of(bucket, "v") == {"a": b"3"} and len(bucket.objects_below("v")) == 2


def test_a_writer_that_fails_before_the_last_step_changes_nothing(
    object_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = Bucket(object_store)
    local = folder_with(tmp_path / "one", a="1")
    former = publish(bucket, "v", local, former=None)
    folder_with(local, a="2", b="2")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(published_folders, "_point", killed)
    with pytest.raises(KeyboardInterrupt):
        publish(bucket, "v", local, former=former)
    assert contents_of(bucket, "v") == {"a": b"1"} and len(bucket.objects_below("v")) == 2


def test_readers_during_replacements_see_one_whole_folder(object_store: str, tmp_path: Path) -> None:
    bucket = Bucket(object_store)
    local = folder_with(tmp_path / "one", a="0", b="0")
    former = publish(bucket, "v", local, former=None)
    seen: list[dict[str, bytes | None]] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.append(contents_of(bucket, "v"))

    reader = threading.Thread(target=read)
    reader.start()
    for n in range(1, 25):
        former = publish(bucket, "v", folder_with(local, a=str(n), b=str(n)), former=former)
    done.set()
    reader.join()
    whole = [one for one in seen if None not in one.values()]  # the others were told, and read again
    assert len(whole) > 3 and all(one["a"] == one["b"] for one in whole)


def test_bytes_that_were_changed_in_the_bucket_are_not_believed(object_store: str, tmp_path: Path) -> None:
    bucket = Bucket(object_store)
    made = publish(bucket, "v", folder_with(tmp_path / "one", a="true"), former=None)
    assert made is not None
    bucket.write(f"v/{made.files['a'].key}", b"lies")
    with pytest.raises(InputDataError, match="damaged"):
        download_file(bucket, "v", made.files["a"], tmp_path / "a")
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("name", ["../a", "/etc/passwd", ".ssh/a", "a/../../b", "a\\..\\b", ""])
def test_names_that_could_leave_the_folder_are_refused(object_store: str, name: str) -> None:
    bucket = Bucket(object_store)
    content = {"format": 1, "files": {name: {"key": "k", "sha256": "0", "bytes": 0}}}
    bucket.write(f"v/{POINTER}", json.dumps(content).encode())
    with pytest.raises(InputDataError, match="cannot be read"):
        read_publication(bucket, "v")


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"format": 2, "files": {}}', b'{"format": 1, "files": [1]}'])
def test_a_damaged_pointer_is_told(object_store: str, content: bytes) -> None:
    bucket = Bucket(object_store)
    bucket.write(f"v/{POINTER}", content)
    with pytest.raises(InputDataError, match="cannot be read"):
        read_publication(bucket, "v")


def test_who_may_only_read_is_told_so(
    object_store: str, object_store_server: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    Bucket(object_store).write("a", b"1")
    for name, value in object_store_server.environment(READER).items():
        monkeypatch.setenv(name, value)
    reader = Bucket(object_store)
    assert reader.read("a") is not None
    with pytest.raises(UsageError, match="refuses") as caught:
        reader.write("a", b"2")
    assert caught.value.found == "AccessDenied"


def test_wrong_keys_a_missing_bucket_and_a_server_that_is_off(
    object_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputDataError, match="no such bucket"):
        Bucket("s3://nobody-made-this/x").read("a")
    with pytest.raises(InputDataError, match="no such bucket"):
        Bucket("s3://nobody-made-this/x").level()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    for use in (lambda one: one.read("a"), lambda one: one.level(), lambda one: one.write("a", b"")):
        with pytest.raises(UsageError, match="refuses") as caught:
            use(Bucket(object_store))
        assert caught.value.found == "SignatureDoesNotMatch"
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    with pytest.raises(ServiceError, match="does not answer"):
        Bucket(object_store).read("a")


def test_a_profile_has_the_credentials(object_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("boto3")
    (tmp_path / "credentials").write_text(
        "[lab]\naws_access_key_id = writer-key\naws_secret_access_key = writer-key-secret\n"
    )
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_PROFILE", "lab")
    assert Bucket(object_store).create("a", b"1") is not None
    monkeypatch.setenv("AWS_PROFILE", "other")
    with pytest.raises(UsageError, match="no credentials") as caught:
        Bucket(object_store)
    assert caught.value.found is not None and "other" in caught.value.found
    monkeypatch.delenv("AWS_PROFILE")
    with pytest.raises(UsageError, match="no credentials") as caught:
        Bucket(object_store)
    assert caught.value.found == "none"


def test_credentials_in_the_environment_need_no_boto3(object_store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    assert Bucket(object_store).create("a", b"1") is not None
