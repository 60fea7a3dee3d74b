"""What images have to do with each other: copies within a split, and leakage between the splits."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.artifacts.raw_file_index import IndexedFile
from visionllm_interaction.datasets.validation.config import ImageChecks
from visionllm_interaction.datasets.validation.images.near_duplicates import descriptors, matches
from visionllm_interaction.datasets.validation.issues import Issue
from visionllm_interaction.datasets.validation.reading.columns import SplitTable
from visionllm_interaction.datasets.validation.rules._issue_builders import image_issue
from visionllm_interaction.datasets.validation.rules.image_content import DecodedImages
from visionllm_interaction.utils.hashing import sha256_files

GROUPS = ("child", "household", "session")
_FRAME = re.compile(r"(.*[^\W\d].*?)[\W_]*(\d+)", re.DOTALL)
_SAME_SCENE = 0.4
"""Frames that are named as neighbours must also look somewhat alike: numbers alone can be a count of anything."""


@dataclass(frozen=True, eq=False)
class ComparableImages:
    """The images of one split that can be compared."""

    table: SplitTable
    images: DecodedImages
    indexed: Mapping[str, IndexedFile]

    def name(self, place: int) -> str:
        """File name of the image in ``place``."""
        return self.table.images.file_names[int(self.images.rows[place])] or ""

    def issue(self, place: int, code: str, found: str) -> Issue:
        """An issue of the image in ``place``."""
        expected = "images of its own" if code.startswith("LEAK") else "one copy"
        row = int(self.images.rows[place])
        return image_issue(self.table, row, code, found=found, expected=expected, field="file_name")


Place = tuple[str, int]


def check_copies(albums: Mapping[str, ComparableImages], checks: ImageChecks) -> list[Issue]:
    """IMG-DUPLICATE, IMG-NEAR-DUPLICATE, LEAK-SAME-FILE, LEAK-ADJACENT-FRAME and LEAK-NEAR-DUPLICATE.

    An image has one of them only, the first in this order. Images of one colour are left out: they have nothing
    in common that could be learned.
    """
    found: dict[Place, Issue] = {}
    for find in (_same_files, _adjacent, _near):
        for place, issue in find(albums, checks):
            found.setdefault(place, issue)
    return [found[place] for place in sorted(found)]


Finds = Iterator[tuple[Place, Issue]]


def _same_files(albums: Mapping[str, ComparableImages], checks: ImageChecks) -> Finds:
    del checks
    by_size: dict[int, list[Place]] = defaultdict(list)
    for split, album in albums.items():
        for place in np.flatnonzero(~album.images.flat).tolist():
            by_size[album.images.paths[place].stat().st_size].append((split, place))
    suspects = [where for group in by_size.values() if len(group) > 1 for where in group]
    digests = sha256_files(albums[split].images.paths[place] for split, place in suspects)
    owner: dict[tuple[str, str], int] = {}
    for (split, place), digest in sorted(zip(suspects, digests, strict=True)):
        album = albums[split]
        first = owner.setdefault((split, digest), place)
        other = owner.get(("train", digest)) if split == "val" else None
        if other is not None:
            what = f"the same bytes as train/{albums['train'].name(other)}"
            yield (split, place), album.issue(place, "LEAK-SAME-FILE", what)
        elif album.images.paths[first] != album.images.paths[place]:
            yield (split, place), album.issue(place, "IMG-DUPLICATE", f"the same bytes as {album.name(first)}")


def _near(albums: Mapping[str, ComparableImages], checks: ImageChecks) -> Finds:
    usable = {split: np.flatnonzero(~album.images.flat) for split, album in albums.items()}
    thumbs = {split: album.images.thumbs[usable[split]] for split, album in albums.items()}
    limit = checks.near_duplicate_correlation
    if not checks.near_duplicates:
        return
    if len(albums) == 2:
        train, val = albums["train"], albums["val"]
        for match in matches(thumbs["train"], thumbs["val"], min_correlation=limit):
            a, b = int(usable["train"][match.a]), int(usable["val"][match.b])
            what = f"correlation {match.correlation:.3f} with train/{train.name(a)}"
            yield ("val", b), val.issue(b, "LEAK-NEAR-DUPLICATE", what)
    for split, album in albums.items():
        numbers = _videos(album, usable[split])
        for match in matches(thumbs[split], None, min_correlation=limit, videos=(numbers, numbers)):
            a, b = int(usable[split][match.a]), int(usable[split][match.b])
            what = f"correlation {match.correlation:.3f} with {album.name(a)}"
            yield (split, b), album.issue(b, "IMG-NEAR-DUPLICATE", what)


def _videos(album: ComparableImages, places: Iterable[int]) -> NDArray[np.int64]:
    """A number for each image: frames of one video, by their names, have the same one."""
    numbers: dict[str, int] = {}
    found = []
    for place in places:
        frame = _FRAME.fullmatch(Path(album.name(place)).with_suffix("").as_posix())
        found.append(numbers.setdefault(frame[1], len(numbers)) if frame else -1)
    return np.array(found, np.int64)


def _adjacent(albums: Mapping[str, ComparableImages], checks: ImageChecks) -> Finds:
    if len(albums) < 2:
        return
    moments = {split: _moments(album) for split, album in albums.items()}
    limits = {"name": float(checks.adjacent_frames), "time": checks.adjacent_seconds}
    for recording in sorted(moments["train"].keys() & moments["val"].keys()):
        train, val = sorted(moments["train"][recording]), moments["val"][recording]
        instants = np.array([instant for instant, _ in train])
        for instant, place in val:
            nearest = int(np.abs(instants - instant).argmin())
            other = train[nearest][1]
            if abs(instants[nearest] - instant) <= limits[recording[0]] and _alike(albums, other, place):
                what = f"{abs(instants[nearest] - instant):g} {'s' if recording[0] == 'time' else 'frames'} from"
                name = albums["train"].name(other)
                yield ("val", place), albums["val"].issue(place, "LEAK-ADJACENT-FRAME", f"{what} train/{name}")


def _alike(albums: Mapping[str, ComparableImages], train: int, val: int) -> bool:
    pair = np.stack([albums["train"].images.thumbs[train], albums["val"].images.thumbs[val]])
    a, b = descriptors(pair)
    return float(a @ b) >= _SAME_SCENE


def _moments(album: ComparableImages) -> dict[tuple[str, str], list[tuple[float, int]]]:
    """Recording → (instant, image); from the names of files, and from the groups the index of files has."""
    found: dict[tuple[str, str], list[tuple[float, int]]] = defaultdict(list)
    for place in np.flatnonzero(~album.images.flat).tolist():
        path = album.images.paths[place]
        numbered = _FRAME.fullmatch(Path(album.name(place)).with_suffix("").as_posix())
        if numbered and len(numbered[2]) < 16:
            found["name", numbered[1]].append((float(numbered[2]), place))
        file = album.indexed.get(str(path))
        instant = _seconds(file.time) if file and file.session else None
        if file and instant is not None:
            found["time", f"{file.household}/{file.session}/{file.camera}"].append((instant, place))
    return found


def _seconds(text: str | None) -> float | None:
    """A time as seconds: a number, hours:minutes:seconds, or a date with time (ISO 8601)."""
    if not text:
        return None
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if clock := re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", text):
        return 3600 * float(clock[1]) + 60 * float(clock[2]) + float(clock[3])
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


def check_groups(indexed: Sequence[IndexedFile]) -> list[Issue]:
    """LEAK-GROUP: one issue for each child, household or session that has images in both splits."""
    issues = []
    for kind in GROUPS:
        counts: dict[str, dict[str, int]] = defaultdict(lambda: {"train": 0, "val": 0})
        for file in indexed:
            value = getattr(file, kind)
            if value is not None and file.split in ("train", "val"):
                counts[value][file.split] += 1
        for value, count in sorted(counts.items()):
            if count["train"] and count["val"]:
                found = f"{kind} {value!r}: {count['train']} images in train, {count['val']} in val"
                issues.append(Issue("LEAK-GROUP", None, "dataset", found, "one split per group", field=kind))
    return issues
