"""Which of YOLO's label files is an image's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from visionllm_interaction.datasets.ingestion.formats.image_files import of_other_recordings
from visionllm_interaction.datasets.ingestion.formats.yolo.names_and_splits import split_word
from visionllm_interaction.errors import InputDataError


class LabelFiles:
    """The label files below a folder, and which image each is of.

    Args:
        root: the data folder.
        exclude: text files that are no labels.
    """

    def __init__(self, root: Path, *, exclude: frozenset[Path]) -> None:
        self._root = root
        self.paths = {path for path in root.rglob("*.txt") if path not in exclude and path.is_file()}
        self._by_stem: dict[str, list[Path]] = defaultdict(list)
        for path in sorted(self.paths):
            self._by_stem[path.stem].append(path)

    def of_all(self, names: Sequence[str]) -> dict[str, Path]:
        """Find the label file of each image.

        It is in ``labels/`` where the image is in ``images/``, or beside the image, or the only file of that stem.

        Args:
            names: paths of the images relative to the data folder.

        Returns:
            Image path → label file; images without one are absent.

        Raises:
            InputDataError: if it is not clear which of several files is an image's.
        """
        direct = {name: path for name in names if (path := self._direct(PurePosixPath(name)))}
        used = set(direct.values())
        rest = [name for name in names if name not in direct]
        found = dict(direct)
        for name in rest:
            own = PurePosixPath(name).parts[:-1]
            fitting = [
                path
                for path in self._by_stem[PurePosixPath(name).stem]
                if path not in used and not of_other_recordings(own, path.relative_to(self._root).parts[:-1])
            ]
            if path := self._nearest(name, fitting):
                found[name] = path
        self._refuse_shared(found, direct)
        return {name: found[name] for name in names if name in found}

    def _direct(self, name: PurePosixPath) -> Path | None:
        parts = list(name.with_suffix(".txt").parts)
        candidates = [self._root / name.with_suffix(".txt")]
        for at in (n for n in reversed(range(len(parts) - 1)) if parts[n].lower() == "images"):
            candidates.insert(0, self._root.joinpath(*parts[:at], "labels", *parts[at + 1 :]))
        return next((path for path in candidates if path in self.paths), None)

    def _nearest(self, name: str, fitting: Sequence[Path]) -> Path | None:
        if len(fitting) <= 1:
            return fitting[0] if fitting else None
        own = _words(PurePosixPath(name).parts[:-1])
        near = {path: len(own & _words(path.relative_to(self._root).parts[:-1])) for path in fitting}
        best = [path for path, count in near.items() if count == max(near.values())]
        if len(best) > 1:
            raise InputDataError(
                "Several label files fit one image.",
                expected=f"one label file for {name}",
                found=", ".join(path.relative_to(self._root).as_posix() for path in best[:5]),
                where=str(self._root),
                fix="keep labels/ laid out as images/ is, with the same folders and names",
            )
        return best[0]

    def _refuse_shared(self, found: Mapping[str, Path], direct: Mapping[str, Path]) -> None:
        images: dict[Path, list[str]] = defaultdict(list)
        for name, path in found.items():
            images[path].append(name)
        for path, names in images.items():
            if len(names) > 1 and not all(name in direct for name in names):
                raise InputDataError(
                    "A label file fits several images.",
                    expected="an image of its own for each label file",
                    found=", ".join(names[:5]),
                    where=str(path),
                    fix="keep labels/ laid out as images/ is, with the same folders and names",
                )


def _words(parts: Iterable[str]) -> set[str]:
    """What folders say: their names, and the split they are of."""
    return {split_word(part) or part.casefold() for part in parts}
