"""Images that could be annotated next: of a folder, of videos, of a store, or of a data set's own folder of train."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.image_decoding import ENDINGS, read_rgb
from visionllm_interaction.errors import InputDataError
from visionllm_interaction.interop.coco import frame_image_name, sampled_frames
from visionllm_interaction.interop.rendering.source_video import source_video
from visionllm_interaction.labelling.annotated_data import TOGETHER, AnnotatedData, group_values
from visionllm_interaction.store.covariates import read_covariates
from visionllm_interaction.store.data_protection.consent import check_consent, consent_of
from visionllm_interaction.store.layout import STORE_FILE
from visionllm_interaction.store.reader import Store, open_store
from visionllm_interaction.store.video_record import make_video_id
from visionllm_interaction.utils.hashing import sha256_file
from visionllm_interaction.utils.path_type import StrPath
from visionllm_interaction.video.config import DecodeConfig
from visionllm_interaction.video.decoding.reader import VideoReader

VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mts", ".m2ts", ".mpg", ".mpeg", ".wmv"})
Rgb = NDArray[np.uint8]
GroupsOf = Callable[[str], Mapping[str, str]]
"""Path below the pool → child, household, session … of an image or video, as far as they are known."""


@dataclass(frozen=True)
class Candidate:
    """An image that nobody has annotated.

    Attributes:
        name: file name it gets when it is suggested; unique in the pool and in the data set.
        file: the image file, or the video file that it is a frame of.
        groups: household, child, session … as far as they are known; a video is a session.
        frame_index: the frame of a video.
        timestamp_s: its time in seconds.
        stream: the video's stream, where it is not the default one.
        missed: number of boxes that the tracker of a store expects here and the detector lacked; ``None`` elsewhere.
    """

    name: str
    file: Path
    groups: Mapping[str, str] = field(default_factory=dict)
    frame_index: int | None = None
    timestamp_s: float | None = None
    stream: int | None = None
    missed: int | None = None

    @property
    def group(self) -> str:
        """What it shares with the images that are no independent evidence: the widest group known, else itself."""
        known = next((f"{column} {self.groups[column]}" for column in TOGETHER if self.groups.get(column)), None)
        return known or f"image {self.name}"


@dataclass
class LeftOut:
    """Images of the pool that are not candidates, by reason."""

    annotated: int = 0
    held_out: int = 0
    """The same file is in val, or val has images of the same household, child or session."""
    videos_without_consent: int = 0
    """Videos of a store: consent was withdrawn, or is required and not recorded."""


@dataclass(frozen=True, eq=False)
class Pool:
    """The images to choose from, by source: each is read once, in order.

    Attributes:
        where: the folder, store or manifest.
        kind: ``images``, ``store`` or ``manifest``.
        stills: image files.
        videos: video file → its groups, for a folder.
        frames: frames of a store, by video.
        without_consent: number of videos of a store whose frames may not be handed out.
    """

    where: Path
    kind: str
    stills: tuple[Candidate, ...] = ()
    videos: Mapping[Path, Mapping[str, str]] = field(default_factory=dict)
    frames: tuple[tuple[Candidate, ...], ...] = ()
    without_consent: int = 0


def find_pool(source: StrPath, *, every_s: float, data: AnnotatedData | None, groups_of: GroupsOf) -> Pool:
    """Find the images to choose from.

    Args:
        source: a folder with images, videos or both; an interaction store; or the manifest of ``data``: then the images
            in its folder of train that are not annotated.
        every_s: of videos, least time in seconds between two frames.
        data: what is annotated.
        groups_of: names the groups of files in a folder.

    Returns:
        The pool, before annotated and held-out images are left out.

    Raises:
        InputDataError: if there is nothing to choose from.
        ConsentMissing: if no video of the store may be handed out.
        VideoError: if a video of the store is gone.
    """
    path = Path(source)
    if path.is_file() and path.suffix.lower() in (".yaml", ".yml") and data is not None:
        stills = tuple(
            Candidate(_flat(path.relative_to(data.folders["train"])), path, group_values(file))
            for file in data.unannotated
            if (path := Path(file.path)).suffix.lower() in ENDINGS
        )
        pool = Pool(path, "manifest", stills=stills)
    elif (path / STORE_FILE).is_file():
        with open_store(path) as store:
            known = consent_of(path, store.video_ids())
            allowed = [one.video_id for one in known if one.may_be_exported]
            if not allowed:
                check_consent(path, store.video_ids())  # says for whom
            frames = tuple(_frames_of_store(store, path, allowed, every_s=every_s))
        pool = Pool(path, "store", frames=frames, without_consent=len(known) - len(allowed))
    else:
        pool = _folder(path, groups_of)
    if not (pool.stills or pool.videos or pool.frames):
        raise InputDataError(
            "There are no images to choose from.",
            expected="a folder with images or videos, an interaction store, or the manifest of a data set whose "
            "folder of train holds images that are not annotated",
            found="none in it" if path.exists() else "no such file or folder",
            where=str(path),
        )
    return pool


def _folder(path: Path, groups_of: GroupsOf) -> Pool:
    alone = [path] if path.is_file() else []
    files = alone or sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
    root = path.parent if alone else path
    stills = tuple(
        Candidate(_flat(file.relative_to(root)), file, groups_of(file.relative_to(root).as_posix()))
        for file in files
        if file.suffix.lower() in ENDINGS
    )
    videos = {
        file: groups_of(file.relative_to(root).as_posix()) for file in files if file.suffix.lower() in VIDEO_SUFFIXES
    }
    return Pool(path, "images", stills=stills, videos=videos)


def _flat(path: Path) -> str:
    """A file name that tells the folders too."""
    return "__".join(path.parts)


def frame_name(video_id: str, frame_index: int) -> str:
    """File name of a suggested frame."""
    return f"{video_id}__{frame_image_name(frame_index)}"


def _frames_of_store(
    store: Store, path: Path, video_ids: Sequence[str], *, every_s: float
) -> Iterator[tuple[Candidate, ...]]:
    for video_id in video_ids:
        covariates = read_covariates(path, video_id)
        groups = _video_groups(video_id, {"child": covariates.child} if covariates and covariates.child else {})
        lacking: dict[int, int] = {}
        detections = store.detections(video_id)
        for frame, interpolated in zip(
            detections["frame_index"].to_pylist(), detections["interpolated"].to_pylist(), strict=True
        ):
            lacking[frame] = lacking.get(frame, 0) + int(interpolated)
        stream = store.video(video_id).get("stream")
        file = source_video(store, video_id, made="images of frames")
        yield tuple(
            Candidate(frame_name(video_id, n), file, groups, n, time_s, stream, lacking.get(n, 0))
            for n, time_s in sampled_frames(store, video_id, every_s=every_s).items()
        )


def _video_groups(video_id: str, known: Mapping[str, str]) -> dict[str, str]:
    return {"session": video_id, **known}


def read_pool(
    pool: Pool, *, every_s: float, data: AnnotatedData | None, left_out: LeftOut
) -> Iterator[tuple[Candidate, Rgb]]:
    """Read the images to choose from, without those that are annotated or held out.

    Args:
        pool: as of :func:`find_pool`.
        every_s: of videos, least time in seconds between two frames.
        data: what is annotated and held out.
        left_out: counts what is left out.

    Yields:
        Each candidate with its image, (H, W, 3) uint8.

    Raises:
        ImageError: if an image cannot be decoded.
        VideoError: if a video cannot be decoded.
    """
    taken = set(data.split_of_name) if data else set()
    for still in pool.stills:
        sha256 = sha256_file(still.file)
        if _is_candidate(still, sha256, data, left_out):
            # Many recordings number their images from 1.
            unique = replace(still, name=f"{sha256[:8]}__{still.name}") if still.name in taken else still
            taken.add(unique.name)
            yield unique, read_rgb(still.file)
    for file, groups in pool.videos.items():
        video_id = make_video_id(file, sha256_file(file))
        yield from _read_video(file, _video_groups(video_id, groups), video_id, every_s, data, left_out)
    for frames in pool.frames:
        yield from read_frames([one for one in frames if _is_candidate(one, None, data, left_out)])


def _read_video(
    file: Path,
    groups: Mapping[str, str],
    video_id: str,
    every_s: float,
    data: AnnotatedData | None,
    left_out: LeftOut,
) -> Iterator[tuple[Candidate, Rgb]]:
    for frame in VideoReader(file, config=DecodeConfig(sample_fps=1.0 / every_s)):
        name = frame_name(video_id, frame.frame_index)
        candidate = Candidate(name, file, groups, frame.frame_index, frame.timestamp_s)
        if _is_candidate(candidate, None, data, left_out):
            yield candidate, frame.image_rgb


def _is_candidate(candidate: Candidate, sha256: str | None, data: AnnotatedData | None, left_out: LeftOut) -> bool:
    """Images are known by their bytes; frames, which are encoded anew, by their name with the video's digest."""
    if data is None:
        return True
    if any(pair in data.held_out for pair in candidate.groups.items()):
        split: str | None = "val"
    else:
        split = data.split_of_name.get(candidate.name) if sha256 is None else data.split_of_digest.get(sha256)
    left_out.held_out += split == "val"
    left_out.annotated += split == "train"
    return split is None


def read_frames(candidates: Sequence[Candidate]) -> Iterator[tuple[Candidate, Rgb]]:
    """Read frames of videos, each file once.

    Args:
        candidates: frames of videos, in any order.

    Yields:
        Each candidate with its image, (H, W, 3) uint8; by file, then by time.

    Raises:
        VideoError: if a video cannot be decoded.
    """
    for file, stream in dict.fromkeys((one.file, one.stream) for one in candidates):
        wanted: dict[int, list[Candidate]] = {}
        for one in candidates:
            if (one.file, one.stream) == (file, stream) and one.frame_index is not None:
                wanted.setdefault(one.frame_index, []).append(one)
        for frame in VideoReader(file, config=DecodeConfig(stream=stream)):
            for one in wanted.pop(frame.frame_index, ()):
                yield one, frame.image_rgb
            if not wanted:
                break
