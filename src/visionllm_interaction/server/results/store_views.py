"""Parts of a store: the videos of some projects, without those that are damaged.

A part is a folder of links that is itself a store. Whatever opens it (answers, measures, timelines, sessions) can reach
nothing else, so that no question has to know of projects.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
import time
import uuid
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

from visionllm_interaction.store.arrow_schemas import SCHEMAS
from visionllm_interaction.store.audit_corrections import FOLDER as CORRECTIONS
from visionllm_interaction.store.columns import COLUMNS
from visionllm_interaction.store.layout import CORRECTED_FOLDER as CORRECTED
from visionllm_interaction.store.layout import RECORD_FILE, STORE_FILE, list_videos
from visionllm_interaction.utils.logs import log

MOST = 64
"""Parts kept; the oldest go first."""
CHECK_EVERY_S = 2.0
"""How often the files of a store are looked at for damage; a video that is new or gone is noticed at once."""
_TRIES = 5
"""How often a part is made when others remove what it is made of meanwhile."""
_REMOVED = ".removed-"
Written = tuple[tuple[str, int, int], ...]


class StoreViews:
    """The parts of one store that are in use.

    Args:
        store: the store's folder.
        folder: where the parts of all processes lie.
        owner: name of this process, whose parts :meth:`prepare` removes.
    """

    def __init__(self, store: Path, folder: Path, *, owner: str) -> None:
        self._store = store
        self._all = folder
        self._folder = folder / owner
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Remove the parts of an earlier process of this name."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def part(self, video_ids: Collection[str]) -> Path:
        """The store with some of its videos only.

        Args:
            video_ids: the videos; of others nothing can be read. Those that have been erased since they were listed
                are left out: a link to one would keep its name.

        Returns:
            A folder that is a store.
        """
        for attempt in range(1, _TRIES + 1):
            kept = sorted(one for one in video_ids if (self._store / "videos" / one).exists())
            digest = hashlib.sha256(json.dumps([kept, self._corrections_written()]).encode()).hexdigest()
            folder = self._folder / digest[:32]
            try:
                with self._lock:
                    if not folder.is_dir():
                        self._make_once(folder, frozenset(kept))
                return folder
            except FileNotFoundError:  # a video is being erased, here or by another process
                if attempt == _TRIES:
                    raise
        raise AssertionError("the last try returns or raises")

    def erase(self, video_id: str) -> None:
        """Remove every part with a video, those of other processes too: its links name it."""
        with self._lock:
            for part in self._all.glob("*/*"):  # those that are being made, too: whoever makes one begins anew
                if part.name.startswith(_REMOVED):
                    continue
                if (part / "videos" / video_id).is_symlink():  # glob would not find one whose video is gone already
                    _remove(part)

    def _make_once(self, folder: Path, video_ids: frozenset[str]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        parts = [path for path in self._folder.iterdir() if not path.name.startswith(".")]
        made = sorted(parts, key=lambda path: path.stat().st_mtime_ns)
        for old in made[: max(0, len(made) - MOST + 1)]:
            _remove(old)
        partial = self._folder / f".{uuid.uuid4().hex}"
        (partial / "videos").mkdir(parents=True)
        store = self._store.resolve()
        (partial / STORE_FILE).symlink_to(store / STORE_FILE)
        for video_id in video_ids:
            link = partial / "videos" / video_id
            link.symlink_to(store / "videos" / video_id)
            if not link.exists():  # erased before it was linked: whoever erases after this finds the link
                _remove(partial)
                raise FileNotFoundError(link)
        for correction in (store / CORRECTIONS).glob("*.json"):
            if _is_about(correction, video_ids):
                (partial / CORRECTIONS).mkdir(exist_ok=True)
                (partial / CORRECTIONS / correction.name).symlink_to(correction)
        partial.rename(folder)

    def _corrections_written(self) -> Written:
        """Name, time and size of each kept correction: a part links those that are about its videos only."""
        return files_written(self._store / CORRECTIONS) if (self._store / CORRECTIONS).is_dir() else ()


def _remove(part: Path) -> None:
    """Remove a part, which nobody sees half removed: it would be a store of fewer videos."""
    removed = part.with_name(f"{_REMOVED}{uuid.uuid4().hex}")
    with suppress(FileNotFoundError):  # another process was faster
        part.rename(removed)
        shutil.rmtree(removed, ignore_errors=True)


def _is_about(correction: Path, video_ids: frozenset[str]) -> bool:
    """Whether a corrected value is about these videos and no others: it would tell of the others."""
    try:
        content: Any = json.loads(correction.read_bytes())
        return set(content["states"]) <= video_ids
    except (OSError, ValueError, TypeError, KeyError):
        return False


class DamagedVideos:
    """Which videos of a store cannot be read: checked once after each change of their files.

    Args:
        store: the store's folder.
    """

    def __init__(self, store: Path) -> None:
        self._store = store
        self._known: dict[str, tuple[Written, str | None]] = {}
        self._last: tuple[float, list[str], dict[str, str]] = (-CHECK_EVERY_S, [], {})

    def find(self) -> dict[str, str]:
        """The damaged videos of the store: id → what is wrong."""
        ids, now = list_videos(self._store), time.monotonic()
        if now - self._last[0] > CHECK_EVERY_S or ids != self._last[1]:
            found = {video_id: self.fault(video_id) for video_id in ids}
            self._last = (now, ids, {video_id: fault for video_id, fault in found.items() if fault is not None})
        return self._last[2]

    def fault(self, video_id: str) -> str | None:
        """What is wrong with a video; None if nothing is."""
        folder = self._store / "videos" / video_id
        try:
            written = files_written(folder)
        except OSError as error:
            return f"its folder cannot be read: {error.strerror}"
        known = self._known.get(video_id)
        if known is None or known[0] != written:
            known = (written, _fault_of(folder))
            if known[1] is not None:
                log.error("a video of the store is damaged: erase it, or analyse it again", fault=known[1])
            self._known[video_id] = known
        return known[1]

    def forget(self, video_id: str) -> None:
        """Forget an erased video."""
        self._known.pop(video_id, None)
        self._last = (-CHECK_EVERY_S, [], {})


def files_written(folder: Path) -> Written:
    """Name, time and size of each file of a folder, and of the folders in it (corrections are made in one)."""
    found = [(one.name, one.stat()) for one in sorted(folder.iterdir())]
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in found)


def store_written(store: Path) -> Written:
    """Time and inode of each video's folder and of its corrections: another one once a video was changed or erased."""
    folders = [store / "videos" / video_id for video_id in list_videos(store)]
    return tuple(one for folder in folders for one in (_folder_written(folder), _folder_written(folder / CORRECTED)))


def _folder_written(folder: Path) -> tuple[str, int, int]:
    try:
        stat = folder.stat()
    except OSError:  # erased meanwhile, or nobody has corrected the video
        return folder.name, 0, 0
    return folder.name, stat.st_mtime_ns, stat.st_ino


def _fault_of(folder: Path) -> str | None:
    """What is wrong with the record or a table of a video: the record is parsed, of each table the footer."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        record = json.loads((folder / RECORD_FILE).read_bytes())
        if record["video_id"] != folder.name:
            return f"{RECORD_FILE} is that of another video"
    except (OSError, ValueError, TypeError, KeyError) as error:
        return f"{RECORD_FILE} cannot be read ({type(error).__name__})"
    for name in SCHEMAS:
        path = folder / f"{name}.parquet"
        if name not in COLUMNS and not path.exists():
            continue
        try:
            pq.read_schema(path)
        except (OSError, pa.ArrowException) as error:
            return f"{path.name} cannot be read ({type(error).__name__})"
    return None
