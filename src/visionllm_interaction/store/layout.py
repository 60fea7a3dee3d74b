"""The folder of a store: its version and its videos."""

from __future__ import annotations

import os
import re
from pathlib import Path

from visionllm_interaction.errors import StoreError, UsageError
from visionllm_interaction.store.columns import SCHEMA_VERSION
from visionllm_interaction.utils.atomic_files import write_file
from visionllm_interaction.utils.path_type import StrPath

RECORD_FILE = "video.json"
"""The record of a video, in its folder."""
CORRECTED_FOLDER = "corrected"
"""What people corrected of a video, in its folder: one numbered folder for each revision."""
_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}\Z")

STORE_FILE = "store.yaml"
_IN_OBJECT_STORE = "in Python, a store in an object store is read in `with working_copy(url) as copy`, as copy.folder"
_AS_WRITTEN = re.compile(r"kind: visionllm-interaction store\nschema_version: (\d+)\n")
"""What :func:`write_version` writes; read without a YAML parser, for which every command on a store would wait."""


def unknown_video(store: Path, video_id: str) -> StoreError:
    """The error for a video that is not in the store."""
    known = list_videos(store)
    return StoreError(
        "The video is not in the store.",
        expected=f"one of {', '.join(known[:10])}{' …' if len(known) > 10 else ''}" if known else "a video",
        found=video_id,
        where=str(store),
    )


def list_videos(store: StrPath) -> list[str]:
    """Ids of the complete videos in a store, sorted."""
    store = Path(store)
    folder = store / "videos"
    if not folder.is_dir():
        return []
    return sorted(e.name for e in os.scandir(folder) if e.is_dir() and not e.name.startswith("."))


def has_video(store: StrPath, video_id: str) -> bool:
    """Whether a complete video is in a store; as fast for many videos as for one."""
    is_name = bool(video_id) and not video_id.startswith(".") and Path(video_id).name == video_id
    return is_name and os.path.isdir(Path(store) / "videos" / video_id)  # noqa: PTH112 (False for what no path can be)


def write_version(store: Path) -> None:
    """Write ``store.yaml`` with the current version."""
    write_file(store / STORE_FILE, version_content())


def version_content() -> bytes:
    """The content of ``store.yaml`` with the current version."""
    return f"kind: visionllm-interaction store\nschema_version: {SCHEMA_VERSION}\n".encode()


def read_version(store: StrPath) -> object:
    """Read ``schema_version`` from ``store.yaml``.

    Args:
        store: the store's folder.

    Returns:
        The value as it is in the file, of any type.

    Raises:
        StoreError: if there is no store.
    """
    store = Path(store)
    try:
        text = (store / STORE_FILE).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _no_store(store, error) from error
    as_written = _AS_WRITTEN.fullmatch(text)
    return int(as_written[1]) if as_written else _version_in_yaml(store, text)


def _version_in_yaml(store: Path, text: str) -> object:
    from yaml import YAMLError

    from visionllm_interaction.utils.strict_yaml import load_yaml

    try:
        content = load_yaml(text)
    except YAMLError as error:
        raise _no_store(store, error) from error
    return content.get("schema_version") if isinstance(content, dict) else None


def _no_store(store: Path, error: Exception) -> StoreError:
    return StoreError(
        "There is no interaction store here.",
        expected=f"a folder with a {STORE_FILE}",
        found=getattr(error, "strerror", None) or " ".join(str(error).split())[:300],
        where=str(store),
        fix=_IN_OBJECT_STORE
        if store.as_posix().startswith("s3:/")
        else "make one with `visionllm analyze VIDEO… --store DIR`, or correct --store",
    )


def check_store(store: StrPath) -> None:
    """Check that ``store`` is a store of the current version.

    Args:
        store: the store's folder.

    Raises:
        StoreError: if it is no store, or one of another version.
    """
    store = Path(store)
    version = read_version(store)
    if version != SCHEMA_VERSION:
        older = isinstance(version, int) and 0 < version < SCHEMA_VERSION
        raise StoreError(
            "The store is of another version.",
            expected=f"schema_version {SCHEMA_VERSION}",
            found=repr(version),
            where=str(store / STORE_FILE),
            fix=f"bring it up to date with `visionllm migrate --store {store}`" if older else "use a newer visionllm",
        )


def check_video_id(video_id: str) -> str:
    """Check that a video id is safe as a folder name.

    Args:
        video_id: 1 to 120 letters, digits, dots, dashes or underscores, beginning with a letter or digit.

    Returns:
        ``video_id``.

    Raises:
        UsageError: if it is no such id.
    """
    if _SAFE_ID.match(video_id):
        return video_id
    raise UsageError(
        "A video id cannot be used.",
        expected="1 to 120 letters, digits, '.', '_' or '-', beginning with a letter or digit",
        found=repr(video_id[:200]),
    )


def newest_revision(folder: Path) -> Path | None:
    """The newest revision in a video's folder; None if nobody has corrected the video.

    Args:
        folder: the video's folder.

    Returns:
        The revision's folder.
    """
    try:
        numbers = [int(entry.name) for entry in os.scandir(folder / CORRECTED_FOLDER) if entry.name.isdecimal()]
    except OSError:
        return None
    return folder / CORRECTED_FOLDER / str(max(numbers)) if numbers else None
