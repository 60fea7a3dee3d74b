"""Which image each annotation file of VOC or LabelMe is of: one file an image, found by name, folders and size."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from visionllm_interaction.datasets.ingestion.formats.image_files import ImageFiles, of_other_recordings
from visionllm_interaction.datasets.ingestion.layout.file_scan import upright_size
from visionllm_interaction.errors import InputDataError


@dataclass(frozen=True, slots=True)
class Stated:
    """What an annotation file says of its image.

    Attributes:
        address: its path; the folders may be those of another machine. "" if nothing says it.
        by_name: what to look for if no image has the annotation file's own name; "" for nothing.
        size: its width and height in pixels, if they are known.
        hint: folder name that decides between several matches, for example a split.
    """

    address: str = ""
    by_name: str = ""
    size: tuple[int, int] | None = None
    hint: str = ""


@dataclass(frozen=True, slots=True)
class ImagesOfAnnotationFiles:
    """The images of annotation files.

    Attributes:
        images: annotation file → image; files without one are absent.
        strays: annotation file → an image of its name that is another's, or lies where the images of its folder do not.
    """

    images: Mapping[Path, Path]
    strays: Mapping[Path, Path]

    def notes(self, root: Path) -> tuple[str, ...]:
        """What was not taken for an image, in a sentence; nothing if there is none.

        Args:
            root: the data folder.

        Returns:
            The sentence.
        """
        if not self.strays:
            return ()
        file, image = next(iter(self.strays.items()))
        return (
            f"{len(self.strays)} annotation files have no image: one of their name is in a folder of other images, "
            f"such as {image.relative_to(root)} for {file.relative_to(root)}. If it is theirs, put it beside them",
        )


def images_of_annotation_files(stated: Mapping[Path, Stated], files: ImageFiles) -> ImagesOfAnnotationFiles:
    """Find the image of each annotation file.

    It has the stem of the annotation file. Of several, one in the same folder comes first, then the one in the nearest
    folders, then the one whose path or size the file states. An image that is less near than those of at least half of
    the files in the same folder is none of theirs, nor is one of another size than the file states where some are
    nearer, nor one of another recording (``rec1/``, ``rec2/``), nor one that another file is nearer to. Where no image
    has its stem, it is what the file states.

    Args:
        stated: annotation file → what it says of its image.
        files: the image files of the data set.

    Returns:
        The images, and those that were not taken.

    Raises:
        InputDataError: if several images fit one file, or several files one image.
    """
    of_stem = {path: found for path in stated if (found := files.of_stem(path.stem))}
    nearest = {path: name for path, names in of_stem.items() if (name := _nearest(path, names, stated[path], files))}
    nearness = {path: _nearness(path, name, files.root) for path, name in nearest.items()}
    near_enough = {path: nearest[path] for path in _near_enough(nearest, nearness, stated, files)}
    less = _less_near(near_enough, nearness, stated, files)
    images = {path: files.root / name for path, name in near_enough.items() if path not in less}
    strays = {path: files.root / (nearest.get(path) or of_stem[path][0]) for path in of_stem if path not in images}
    rest = {path: about for path, about in stated.items() if path not in of_stem and about.by_name}
    return ImagesOfAnnotationFiles({**images, **_by_stated_name(rest, set(images.values()), files)}, strays)


def _near_enough(
    nearest: Mapping[Path, str], nearness: Mapping[Path, int], stated: Mapping[Path, Stated], files: ImageFiles
) -> list[Path]:
    """The files whose images are as near as those of at least half of the files in their folder.

    A copy that lies beside its annotation file is nearer than the folder of all the images, and says nothing of them.
    """
    of_folder: dict[Path, list[int]] = defaultdict(list)
    for path, near in nearness.items():
        of_folder[path.parent].append(near)
    usual = {folder: sorted(near, reverse=True)[(len(near) - 1) // 2] for folder, near in of_folder.items()}
    enough = []
    for path, near in nearness.items():
        less = near < max(of_folder[path.parent])
        size = stated[path].size
        if near >= usual[path.parent] and not (less and size and upright_size(files.root / nearest[path]) != size):
            enough.append(path)
    return enough


def _nearest(path: Path, names: list[str], stated: Stated, files: ImageFiles) -> str | None:
    folders = _folders(path, files.root)
    fitting = [name for name in names if not of_other_recordings(folders, PurePosixPath(name).parts[:-1])]
    near = {name: _nearness(path, name, files.root) for name in fitting}
    best = [name for name in fitting if near[name] == max(near.values())]
    if len(best) > 1 and stated.address:
        agreement = {name: files.agreement(stated.address, files.root / name) for name in best}
        best = [name for name in best if agreement[name] == max(agreement.values())]
    return files.only(path.stem, best, size=stated.size) if best else None


def _nearness(path: Path, name: str, root: Path) -> int:
    """How many of an annotation file's folders are the image's too; being in the same one counts once more."""
    folders = PurePosixPath(name).parts[:-1]
    own = _folders(path, root)
    return len(set(own) & set(folders)) + (own == folders)


def _folders(path: Path, root: Path) -> tuple[str, ...]:
    return path.relative_to(root).parts[:-1]


def _less_near(
    chosen: Mapping[Path, str], nearness: Mapping[Path, int], stated: Mapping[Path, Stated], files: ImageFiles
) -> set[Path]:
    """The files whose image another file is nearer to; refuses the data where no file is the nearest."""
    of_image: dict[str, list[Path]] = defaultdict(list)
    for path, name in chosen.items():
        of_image[name].append(path)
    less: set[Path] = set()
    for name, paths in of_image.items():
        if len(paths) < 2:
            continue
        rank = {p: (nearness[p], files.agreement(stated[p].address, files.root / name)) for p in paths}
        best = [path for path in paths if rank[path] == max(rank.values())]
        if len(best) > 1:
            raise InputDataError(
                "Several annotation files fit one image.",
                expected=f"one annotation file for {name}",
                found=", ".join(path.relative_to(files.root).as_posix() for path in best[:5]),
                where=str(files.root),
                fix="keep one of them below the data folder; a second set of annotations is a data set of its own",
            )
        less |= set(paths) - set(best)
    return less


def _by_stated_name(rest: Mapping[Path, Stated], taken: set[Path], files: ImageFiles) -> dict[Path, Path]:
    found: dict[str, Path | None] = {}
    for about in rest.values():
        if about.by_name not in found:
            found[about.by_name] = files.nearest(about.by_name, hint=about.hint, size=about.size)
    kept = files.without_guesses(found, taken=taken)
    return {path: image for path, about in rest.items() if (image := kept[about.by_name])}
