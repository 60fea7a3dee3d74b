r"""The image files of a data set, found by the names and addresses that annotation files give them.

Annotation files name images as another machine saw them: ``/home/ann/images/a.jpg``, ``C:\Users\ann\a.jpg``,
``file:///…``, ``s3://…``, ``../images/a.jpg``. One rule holds for every format: the file that shares the longest end of
its path with the name is the image, if there is just one. Only files below the data folder are considered.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from urllib.parse import parse_qs, unquote, urlsplit

from visionllm_interaction.core.image_decoding import ENDINGS, UNREAD_ENDINGS
from visionllm_interaction.datasets.ingestion.layout.file_scan import upright_size
from visionllm_interaction.errors import InputDataError

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
"""Of an address (``file:``, ``s3:``), or a drive (``C:``)."""
_NUMBER = re.compile(r"\d+")


class ImageFiles:
    """The image files below a folder.

    Args:
        root: the folder.
        names: those of its files to consider, relative to it; ``None`` for all images.
    """

    def __init__(self, root: Path, names: Iterable[str] | None = None) -> None:
        self.root = root
        self.names = sorted(_images_below(root) if names is None else names)
        self._by_base: dict[str, list[str]] = defaultdict(list)
        self._by_folded: dict[str, list[str]] = defaultdict(list)
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        for name in self.names:
            path = PurePosixPath(name)
            self._by_base[path.name].append(name)
            self._by_folded[_folded(path.name)].append(name)
            self._by_stem[path.stem].append(name)

    def find(self, name: str, *, hint: str = "") -> Path | None:
        """Find the file whose path ends in ``name``.

        Args:
            name: file name or relative path; without an image suffix, any suffix matches.
            hint: folder name that decides between several matches, for example a split.

        Returns:
            The image file, or ``None`` if there is none.

        Raises:
            InputDataError: if several fit.
        """
        fitting = next((found for parts in _readings(name) if (found := self._ending_in(parts))), [])
        return self._one(name, fitting, hint)

    def as_written(self, name: str, *, hint: str = "") -> Path | None:
        """Find the file of a name that is right as it stands: as :meth:`find` does, unless it leads elsewhere."""
        return None if leads_elsewhere(name) else self.find(name, hint=hint)

    def nearest(self, name: str, *, hint: str = "", size: tuple[int, int] | None = None) -> Path | None:
        """Find the file that shares the longest end of its path with ``name``.

        A file in a folder of another number than the name's (``rec2/`` for ``rec1/``) is of another recording.

        Args:
            name: path or address as written in the annotations; its folders may be those of another machine.
            hint: folder name that decides between several matches, for example a split.
            size: width and height in pixels that the annotations say; they decide where the folders do not.

        Returns:
            The image file, or ``None`` if there is none.

        Raises:
            InputDataError: if several fit equally well.
        """
        for parts in _readings(name):
            for begin in range(len(parts)):
                if fitting := [n for n in self._ending_in(parts[begin:]) if not _of_another_recording(parts, n)]:
                    return self._one(name, fitting, hint, size)
        return None

    def has_near(self, name: str) -> bool:
        """Whether a file shares an end of its path with ``name``, be it one or several."""
        return self.namesake(name) is not None

    def namesake(self, name: str) -> Path | None:
        """A file that is called as ``name`` says, in whatever folder."""
        found = (same[0] for parts in _readings(name) if (same := self._ending_in(parts[-1:])))
        return next((self.root / same for same in found), None)

    def nearest_of_all(
        self,
        absent: Iterable[str],
        *,
        taken: Collection[Path] = (),
        hint: str = "",
        sizes: Mapping[str, tuple[int, int]] = MappingProxyType({}),
    ) -> dict[str, Path]:
        """Find the files of the names that say another place, as :meth:`nearest` does.

        Args:
            absent: the names in an annotation file that are not right as they stand.
            taken: files of its names that are; they become the image of no other name.
            hint: folder name that decides between several matches, for example a split.
            sizes: name → width and height in pixels that the annotations say.

        Returns:
            Name → image file, of those that have one that no other name fits as well or better.

        Raises:
            InputDataError: if several files fit a name equally well.
        """
        elsewhere = of_another_place(absent, some_are_right=bool(taken))
        found = self.without_guesses(
            {name: self.nearest(name, hint=hint, size=sizes.get(name)) for name in elsewhere}, taken=taken
        )
        return {name: file for name, file in found.items() if file}

    def without_guesses(
        self, found: Mapping[str, Path | None], *, taken: Collection[Path] = ()
    ) -> dict[str, Path | None]:
        """Leave a file that was found for several names to the one whose folders agree best with it.

        A folder in which a name has found its file by more than the file's own name belongs to that name's folder:
        what a name of another folder finds there is a namesake.

        Args:
            found: name → file.
            taken: files that are the images of other names for certain.

        Returns:
            The same, with ``None`` where the file is taken or another name agrees as well or better.
        """
        certain = frozenset(taken)
        names: dict[Path, list[str]] = defaultdict(list)
        kept = {name: None if file in certain else file for name, file in found.items()}
        for name, file in kept.items():
            if file:
                names[file].append(name)
        for file, several in names.items():
            if len(several) < 2:
                continue
            agreement = {name: self.agreement(name, file) for name in several}
            best = [name for name in several if agreement[name] == max(agreement.values())]
            kept |= {name: file if [name] == best else None for name in several}
        return kept | dict.fromkeys(self._namesakes(kept))

    def _namesakes(self, found: Mapping[str, Path | None]) -> list[str]:
        agreement = {name: self.agreement(name, file) for name, file in found.items() if file}
        most: dict[Path, int] = defaultdict(int)
        for name, parts in agreement.items():
            if file := found[name]:
                most[file.parent] = max(most[file.parent], parts)
        return [name for name, parts in agreement.items() if (f := found[name]) and parts < 2 <= most[f.parent]]

    def of_stem(self, stem: str) -> list[str]:
        """The names, relative to the folder, of the images with this stem."""
        return self._by_stem.get(stem, [])

    def _ending_in(self, parts: tuple[str, ...]) -> list[str]:
        if not parts:
            return []
        last, folders = parts[-1], parts[:-1]
        found = self._by_base.get(last) or self._by_folded.get(_folded(last)) or []
        if not found and PurePosixPath(last).suffix.lower() not in ENDINGS:
            found = self._by_stem.get(last, [])
        return [name for name in found if not folders or _ends_in(PurePosixPath(name).parts[:-1], folders)]

    def agreement(self, name: str, file: Path) -> int:
        """How many parts of a name, from its end, are the file's."""
        own = file.relative_to(self.root).parts
        return max((equal_at_end(parts, own) for parts in _readings(name)), default=0)

    def only(self, name: str, fitting: list[str], *, size: tuple[int, int] | None) -> str:
        """The only one of several images, or the only one of a size.

        Args:
            name: what they were found for, for the error.
            fitting: their names, relative to the folder; at least one.
            size: width and height in pixels.

        Returns:
            Its name.

        Raises:
            InputDataError: if several fit.
        """
        return str(self._one_name(name, fitting, "", size))

    def _one(self, name: str, fitting: list[str], hint: str, size: tuple[int, int] | None = None) -> Path | None:
        only = self._one_name(name, fitting, hint, size)
        return self.root / only if only else None

    def _one_name(self, name: str, fitting: list[str], hint: str, size: tuple[int, int] | None) -> str | None:
        if len(fitting) > 1 and hint:
            near = [n for n in fitting if hint.casefold() in (part.casefold() for part in PurePosixPath(n).parts[:-1])]
            fitting = near or fitting
        if len(fitting) > 1 and name in fitting:
            fitting = [name]
        if len(fitting) > 1 and size is not None:
            fitting = [n for n in fitting if upright_size(self.root / n) == size] or fitting
        if len(fitting) > 1:
            raise InputDataError(
                "Several images fit one name in the annotations.",
                expected=f"one file {name}",
                found=", ".join(fitting[:5]),
                where=str(self.root),
                fix="keep the images of each subset or recording in a folder that the annotations name too, "
                "or move the copies out of the data folder",
            )
        return fitting[0] if fitting else None


def leads_elsewhere(name: str) -> bool:
    """Whether a name is that of another place: absolute, with Windows's separators, an address, or with ``..``."""
    path = PurePosixPath(name)
    return path.is_absolute() or ".." in path.parts or "\0" in name or "\\" in name or bool(_SCHEME.match(name))


def of_another_place(absent: Iterable[str], *, some_are_right: bool) -> list[str]:
    """The names that say another place, of those of an annotation file that are not right as they stand.

    Where no name is right, their folders are another machine's. Where some are, the others mean what they say, and
    their images are missing, unless they lead elsewhere.

    Args:
        absent: the names that are not right as they stand.
        some_are_right: whether others of the same file are.

    Returns:
        Those to look for below the data folder, each once.
    """
    return [name for name in dict.fromkeys(absent) if not some_are_right or leads_elsewhere(name)]


def moved_notes(moved: Mapping[str, Path], *, images: int, root: Path) -> tuple[str, ...]:
    """How names of another place were read, in a sentence.

    Args:
        moved: names as written that say another place → the files taken for them.
        images: how many images the annotations name.
        root: the data folder.

    Returns:
        The sentence; nothing if there are no such names.
    """
    if not moved:
        return ()
    written, file = next(iter(moved.items()))
    return (
        f"{len(moved)} of {images} images are named by a path that is not here, such as {written}: "
        f"each is the file that shares the longest end of its path with it, here {file.relative_to(root)}",
    )


def namesakes_note(absent: Iterable[str], files: ImageFiles) -> tuple[str, ...]:
    """Which images are missing although others are called so, in a sentence.

    Args:
        absent: names as written of the images that are not here.
        files: the image files of the data set.

    Returns:
        The sentence; nothing if there are none.
    """
    namesakes = {name: file for name in absent if (file := files.namesake(name))}
    if not namesakes:
        return ()
    written, file = next(iter(namesakes.items()))
    return (
        f"{len(namesakes)} images are missing, though others are called so: {file.relative_to(files.root)} was not "
        f"taken for {written}, since folders of other images or of another number hold it. If it is the same image, "
        "rename its folder as the annotations have it",
    )


def unread_images_note(root: Path) -> tuple[str, ...]:
    """Which images below the data folder are in formats that are not read, in a sentence; nothing if there are none."""
    found = [path for path in root.rglob("*") if path.suffix.lower() in UNREAD_ENDINGS and path.is_file()]
    shown = sorted(path.relative_to(root) for path in found if not _is_hidden(path.relative_to(root)))
    if not shown:
        return ()
    endings = ", ".join(sorted({path.suffix.lower() for path in shown}))
    return (
        f"{len(shown)} files are images in formats that are not read ({endings}), such as {shown[0]}: "
        "convert them to PNG or JPEG, upright, under the same names",
    )


def path_in_address(address: str) -> str:
    """The file's path in an address: of local storage the query ``d``, of a signed one what ``fileuri`` encodes."""
    try:
        parts = urlsplit(address.replace("\\", "/"))
    except ValueError:  # a bracket that begins no IPv6 address
        return address.replace("\\", "/")
    asked = parse_qs(parts.query)
    if "d" in asked:
        return asked["d"][0].replace("\\", "/")
    if "fileuri" in asked and (inner := _decoded(asked["fileuri"][0])):
        return path_in_address(inner)
    # A drive letter looks like a scheme.
    path = address if len(parts.scheme) == 1 else parts.path
    return unquote(path).replace("\\", "/")


def _decoded(text: str) -> str | None:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def _readings(name: str) -> Iterator[tuple[str, ...]]:
    """The parts of a name as it stands, then with Windows's separators, then as an address."""
    texts = (name, name.replace("\\", "/"), path_in_address(name), unquote(path_in_address(name)))
    for text in dict.fromkeys(texts):
        yield tuple(
            part for part in PurePosixPath(text).parts if part not in ("/", "//", ".", "..") and not part.endswith(":")
        )


def _folded(name: str) -> str:
    """A name without the differences that disks and their systems make: case, and the form of accents."""
    return unicodedata.normalize("NFC", name).casefold()


def _images_below(root: Path) -> Iterator[str]:
    for path in root.rglob("*"):
        relative = path.relative_to(root)
        if path.suffix.lower() in ENDINGS and not _is_hidden(relative) and path.is_file():
            yield relative.as_posix()


def _is_hidden(path: Path) -> bool:
    """Whether a file is some program's own: ``.ipynb_checkpoints/``, ``.thumbnails/``, ``__MACOSX/._a.jpg``."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def _ends_in(parts: tuple[str, ...], end: tuple[str, ...]) -> bool:
    return parts[-len(end) :] == end


def _of_another_recording(written: Sequence[str], name: str) -> bool:
    """Whether the first folder in which a name and a file differ, from their ends, has another number."""
    own = PurePosixPath(name).parts
    equal = equal_at_end(written, own)
    equal = max(equal, 1)  # the file's own name may differ in case or in how accents are written
    return len(written) > equal < len(own) and numbered_apart(written[-1 - equal], own[-1 - equal])


def numbered_apart(one: str, other: str) -> bool:
    """Whether two folders differ in their numbers only: ``rec1`` and ``rec2``, but not ``rec1`` and ``rec01``."""
    texts, numbers = zip(*(_NUMBER.subn("#", name.casefold()) for name in (one, other)), strict=True)
    values = [[int(number) for number in _NUMBER.findall(name)] for name in (one, other)]
    return bool(numbers[0]) and texts[0] == texts[1] and values[0] != values[1]


def of_other_recordings(folders: Collection[str], others: Collection[str]) -> bool:
    """Whether some of the folders of two files, in which they differ, differ in their numbers only."""
    return any(numbered_apart(one, two) for one in set(folders) - set(others) for two in set(others) - set(folders))


def equal_at_end(one: Sequence[str], other: Sequence[str]) -> int:
    """How many parts two paths share, from their ends."""
    pairs = zip(reversed(one), reversed(other), strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
