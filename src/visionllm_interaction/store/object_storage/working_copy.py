"""A store in an object store, as a folder on this machine for the time of one command.

::

    s3://bucket/prefix/store.yaml
    s3://bucket/prefix/videos/<video_id>/published.json    which objects are the video's folder: written last
    s3://bucket/prefix/ledger/<digest>.json                and whatever else a store has beside its videos

What was read before is kept in a cache on this machine and linked from there, so that the next command reads only what
has changed. What the cache holds of a video is deleted by the next command on a store from which it was erased.
"""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from visionllm_interaction.artifacts.object_storage.bucket import Bucket, Found, Listed, endpoint_of
from visionllm_interaction.artifacts.object_storage.published_folders import (
    POINTER,
    Publication,
    PublishedFile,
    download_file,
    file_names,
    parse_publication,
    publish,
    read_publication,
    unpublish,
)
from visionllm_interaction.errors import StoreError, VisionLLMError
from visionllm_interaction.store.layout import STORE_FILE, check_store, check_video_id, version_content
from visionllm_interaction.store.video_status_ledger import FOLDER as LEDGER
from visionllm_interaction.utils.atomic_files import PARTIAL_PREFIX, partial_of
from visionllm_interaction.utils.file_locks import try_lock_file, wait_for_lock_file
from visionllm_interaction.utils.hashing import sha256_value

CACHE_VARIABLE = "VISIONLLM_STORE_CACHE"
"""Environment variable that names the folder for what was read of stores in object stores."""
VIDEOS = "videos"
_WORKING = "working-"
_ATTEMPTS = 3
_CONNECTIONS = 16
_ABANDONED_S = 86_400
"""A file under construction that is older was left by a process that was killed."""
_Stat = tuple[int, int, int]

Chosen = Callable[[str], bool]


class _Held(NamedTuple):
    """A video as it was checked out: its publication, and inode, size and time of each file."""

    publication: Publication
    files: dict[str, _Stat]


class _Other(NamedTuple):
    """Another file as it was checked out: the object's tag, and the file's inode, size and time."""

    etag: str
    file: _Stat


def everything(_name: str) -> bool:
    """Choose all videos, or all other files."""
    return True


def nothing(_name: str) -> bool:
    """Choose no video, or no other file."""
    return False


@contextmanager
def working_copy(
    url: str,
    *,
    videos: Chosen = everything,
    others: Chosen = everything,
    files: Chosen = everything,
    at_end: bool = True,
) -> Iterator[WorkingCopy]:
    """Check out a store from an object store, publish what was changed, and remove the copy.

    Example:
        >>> with working_copy("s3://lab/study1") as copy:      # doctest: +SKIP
        ...     v.ask("How long does the child hold the ball?", copy.folder)

    Args:
        url: the store's address, ``s3://bucket/prefix``.
        videos: which videos, by id.
        others: which files beside the videos, by key.
        files: which files of the videos, by name; if not all, the copy is for reading only.
        at_end: whether changes are published at the end; otherwise when :meth:`WorkingCopy.publish` is called.

    Yields:
        WorkingCopy: its folder is a store like any other.

    Raises:
        StoreError: if another writer has changed the same video or file meanwhile.
        ServiceError: if the object store does not answer.
    """
    bucket = Bucket(url)
    home = _cache_of(bucket)
    _remove_abandoned(home)
    folder = home / f"{_WORKING}{uuid.uuid4().hex[:12]}"
    copy = WorkingCopy(bucket, folder, home, writable=files is everything)
    with wait_for_lock_file(folder.with_suffix(".lock")):
        try:
            copy.check_out(videos, others, files)
            yield copy
            if at_end:
                copy.publish()
        except VisionLLMError as error:
            _name_place(error, folder, copy.url)
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            folder.with_suffix(".lock").unlink(missing_ok=True)


class WorkingCopy:
    """The folder on this machine, and what it was when it was checked out.

    Args:
        bucket: the store's place.
        folder: a new folder.
        cache: the folder that keeps what was read.
        writable: whether changes are published.
    """

    def __init__(self, bucket: Bucket, folder: Path, cache: Path, *, writable: bool) -> None:
        self.folder = folder
        self.url = bucket.url
        self._bucket, self._cache, self._writable = bucket, cache, writable
        self._videos: dict[str, _Held] = {}
        self._others: dict[str, _Other] = {}

    def check_out(self, videos: Chosen, others: Chosen, files: Chosen) -> None:
        """Fill the folder; each video is whole, as one publication has it."""
        (self.folder / VIDEOS).mkdir(parents=True)
        used: set[str] = set()
        folders, objects = self._bucket.level()
        for name in folders:
            objects += [] if name == VIDEOS else self._bucket.objects_below(name)
        chosen = [one for one in objects if others(one.key)]
        for one, content in zip(chosen, self._contents(chosen, used), strict=True):
            if content is not None:
                path = self.folder / one.key
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content.data)
                self._others[one.key] = _Other(content.etag, _stat(path))
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            found = self._publications(videos, used) if VIDEOS in folders else {}
            held = pool.map(lambda one: self._fetch(one[0], one[1], files), found.items())
            self._videos = {video_id: one for video_id, one in zip(found, held, strict=True) if one is not None}
        if videos is everything and files is everything:
            used |= {file.sha256 for one in self._videos.values() for file in one.publication.files.values()}
            _forget(self._cache, used)

    def publish(self) -> None:
        """Publish what has changed in the folder: each video in one step, ``store.yaml`` last.

        Raises:
            StoreError: if another writer has changed the same video or file meanwhile.
        """
        if not self._writable:
            return
        present = {path.name for path in (self.folder / VIDEOS).iterdir() if not path.name.startswith(".")}
        for video_id in sorted(set(self._videos) - present):
            unpublish(self._bucket, f"{VIDEOS}/{video_id}")
            del self._videos[video_id]
        for video_id in sorted(present):
            self._publish_video(video_id)
        self.publish_others()

    def publish_others(self) -> None:
        """Publish what has changed beside the videos, such as the ledger.

        Raises:
            StoreError: if another writer has changed the same file meanwhile.
        """
        names = [name for name in file_names(self.folder) if not name.startswith(f"{VIDEOS}/")]
        for key in sorted(set(self._others) - set(names)):
            self._bucket.delete([key])
            del self._others[key]
        for key in sorted(names, key=lambda name: (name == STORE_FILE, name)):
            self._publish_other(key)

    def _publish_video(self, video_id: str) -> None:
        local, held = self.folder / VIDEOS / video_id, self._videos.get(video_id)
        now = {name: _stat(local / name) for name in file_names(local)}
        if held is not None and held.files == now:
            return
        unchanged = [name for name, stat in now.items() if held is not None and held.files.get(name) == stat]
        former = None if held is None else held.publication
        made = publish(self._bucket, f"{VIDEOS}/{video_id}", local, former=former, unchanged=unchanged)
        if made is None:
            raise _changed_meanwhile(f"{self.url}/{VIDEOS}/{video_id}")
        self._videos[video_id] = _Held(made, now)

    def _publish_other(self, key: str) -> None:
        path, former = self.folder / key, self._others.get(key)
        stat = _stat(path)
        if former is not None and former.file == stat:
            return
        data = path.read_bytes()
        etag: str | None
        if key.startswith(f"{LEDGER}/"):  # the latest status counts, whoever writes it
            etag = self._bucket.write(key, data)
        elif former is None:
            etag = self._bucket.create(key, data)
        else:
            etag = self._bucket.replace(key, data, etag=former.etag)
        if etag is None:
            raise _changed_meanwhile(f"{self.url}/{key}")
        self._others[key] = _Other(etag, stat)

    def _publications(self, videos: Chosen, used: set[str]) -> dict[str, Publication]:
        """The published videos: with one list of all objects, or a request for each of those that are chosen."""
        if videos is everything:
            listed = self._bucket.objects_below(VIDEOS)
            pointers = [one for one in listed if one.key.count("/") == 2 and one.key.endswith(f"/{POINTER}")]
            ids = [one.key.split("/")[1] for one in pointers]
            found = self._contents(pointers, used)
        else:
            ids = [name for name in self._bucket.level(VIDEOS)[0] if videos(name)]
            found = self._bucket.read_all([f"{VIDEOS}/{name}/{POINTER}" for name in ids])
        read = {
            check_video_id(video_id): parse_publication(content, where=f"{self.url}/{VIDEOS}/{video_id}")
            for video_id, content in zip(ids, found, strict=True)
        }
        return {video_id: publication for video_id, publication in read.items() if publication is not None}

    def _contents(self, objects: Collection[Listed], used: set[str]) -> list[Found | None]:
        """The contents of small objects, from the cache where their tags are known."""
        kept = {one.key: self._cache / sha256_value([one.key, one.etag]) for one in objects}
        used |= {path.name for path in kept.values()}
        missing = [one.key for one in objects if not kept[one.key].is_file()]
        read = dict(zip(missing, self._bucket.read_all(missing), strict=True))
        for one in objects:
            content = read.get(one.key)
            if content is not None and content.etag == one.etag:
                _put(kept[one.key], content.data)
        return [read[one.key] if one.key in read else Found(kept[one.key].read_bytes(), one.etag) for one in objects]

    def _fetch(self, video_id: str, publication: Publication, files: Chosen) -> _Held | None:
        """Fill a video's folder; None if it was erased meanwhile."""
        folder, local = f"{VIDEOS}/{video_id}", self.folder / VIDEOS / video_id
        found: Publication | None = publication
        for _ in range(_ATTEMPTS):
            if found is None:
                return None
            chosen = {name: file for name, file in found.files.items() if files(name)}
            if all(self._fetch_file(folder, file, local / name) for name, file in chosen.items()):
                return _Held(found, {name: _stat(local / name) for name in chosen})
            shutil.rmtree(local, ignore_errors=True)
            found = read_publication(self._bucket, folder)
        raise StoreError(
            "A video of the store is not whole.",
            expected=f"the objects that its {POINTER} names",
            found="some of them are gone",
            where=f"{self.url}/{folder}",
            fix="analyse the video again",
        )

    def _fetch_file(self, folder: str, file: PublishedFile, to: Path) -> bool:
        to.parent.mkdir(parents=True, exist_ok=True)
        kept = self._cache / file.sha256
        for _ in range(_ATTEMPTS):
            # Another process may delete what it finds no longer in the store at any moment.
            with suppress(FileNotFoundError):
                if kept.stat().st_size == file.size:
                    os.link(kept, to)
                    return True
            partial = partial_of(kept)
            try:
                if not download_file(self._bucket, folder, file, partial):
                    return False
                partial.replace(kept)
            finally:
                partial.unlink(missing_ok=True)
        return download_file(self._bucket, folder, file, to)


def prepare_store_at(url: str) -> None:
    """Create an empty store in an object store unless there is one.

    Args:
        url: its address.

    Raises:
        StoreError: if it is a store of another version, or other things are there.
    """
    bucket = Bucket(url)
    with working_copy(url, videos=nothing, others=lambda key: key == STORE_FILE) as copy:
        if (copy.folder / STORE_FILE).is_file():
            check_store(copy.folder)
            return
    folders, objects = bucket.level()
    if folders or objects:
        raise StoreError(
            "The place for the store is taken by something else.",
            expected="a prefix without objects, or an interaction store",
            found=f"objects, and no {STORE_FILE}",
            where=url,
            fix="name another prefix with --store",
        )
    bucket.create(STORE_FILE, version_content())  # if another process is faster, it has written the same


def _changed_meanwhile(where: str) -> StoreError:
    return StoreError(
        "Another writer was faster.",
        expected="that nobody changes the same thing at the same time",
        found="it was changed since this command began; nothing of it was overwritten",
        where=where,
        fix="run the same command again",
    )


def _name_place(error: VisionLLMError, folder: Path, url: str) -> None:
    """Name the store's address in a message, not the folder that is gone by the time it is read."""
    for name in ("message", "expected", "found", "where", "fix"):
        text = getattr(error, name)
        if text is not None:
            setattr(error, name, text.replace(str(folder), url))


def _stat(path: Path) -> _Stat:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _cache_of(bucket: Bucket) -> Path:
    """This machine's folder for one store; only its user may read it."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or "")
    base = base if base.is_absolute() else Path.home() / ".cache"
    chosen = os.environ.get(CACHE_VARIABLE)
    root = Path(chosen).expanduser() if chosen else base / "visionllm_interaction" / "stores"
    home = root / sha256_value([endpoint_of(), bucket.url])[:32]
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    return home


def _remove_abandoned(home: Path) -> None:
    """Remove the working copies of killed processes."""
    for folder in home.glob(f"{_WORKING}*"):
        if not folder.is_dir():
            continue
        lock = try_lock_file(folder.with_suffix(".lock"))
        if lock is not None:
            with lock:
                shutil.rmtree(folder, ignore_errors=True)
                folder.with_suffix(".lock").unlink(missing_ok=True)


def _forget(home: Path, used: Collection[str]) -> None:
    """Delete what the cache holds of nothing that is in the store."""
    for path in home.iterdir():
        if path.name.startswith(_WORKING) or not path.is_file():
            continue
        if path.name.startswith(PARTIAL_PREFIX):
            unused = time.time() - path.stat().st_mtime > _ABANDONED_S
        else:
            unused = path.name not in used
        if unused:
            path.unlink(missing_ok=True)


def _put(path: Path, data: bytes) -> None:
    partial = partial_of(path)
    partial.write_bytes(data)
    partial.replace(path)
