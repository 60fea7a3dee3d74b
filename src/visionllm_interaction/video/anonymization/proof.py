"""The proof of a copy: it is decoded again, and every frame and sample that was to be hidden is looked at.

Nothing is taken over from writing but what was to be hidden: the copy is opened anew and decoded here, its times are
those of its own frames, and the source is read again for comparison.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import tee
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.frame_table import Frame
from visionllm_interaction.errors import ProofFailed
from visionllm_interaction.utils.atomic_files import write_file
from visionllm_interaction.utils.hashing import sha256_file
from visionllm_interaction.utils.path_type import StrPath
from visionllm_interaction.video.anonymization.listed_intervals import ListedIntervals, Span, display_spans, touches
from visionllm_interaction.video.anonymization.regions_to_blur import Regions
from visionllm_interaction.video.anonymization.report_files import proof_path
from visionllm_interaction.video.config import DecodeConfig
from visionllm_interaction.video.decoding.metadata_names import metadata_names, user_data_names
from visionllm_interaction.video.decoding.reader import VideoReader

Image = NDArray[np.uint8]
SILENCE_DBFS = -90.0
"""The loudest sample of a muted interval is below this: one step of 16 bits."""
_QUIETEST_DBFS = -200.0
_BLACK = 4
"""The brightest value (of 255) in a black image; encoders reproduce black exactly."""
_BLUR_CELLS = 16
"""A blurred region is closer to its mean colours in so many cells along its longer side than to the source."""
_PLAIN = 2.0
"""Grey levels (root mean square) between a region and its mean colours, below which it has nothing to be hidden."""
_SHOWN = 20
_OWN_TAGS = {"encoder": "Lav", "handler_name": ("VideoHandler", "SoundHandler"), "vendor_id": "[0][0][0][0]"}
"""Tags that the muxer writes of itself → how their values begin."""


@dataclass(frozen=True)
class BlackoutProof:
    """Frames that are shown at some moment of a listed blackout.

    Attributes:
        intervals: the blackouts, in seconds.
        frames: frames shown in them.
        not_black: how many of these show something.
        first_not_black_s: times of the first of those.
    """

    intervals: tuple[Span, ...]
    frames: int
    not_black: int
    first_not_black_s: tuple[float, ...]


@dataclass(frozen=True)
class SilenceProof:
    """The sound of muted intervals.

    Attributes:
        intervals: the muted intervals, in seconds.
        has_sound: whether the copy has sound at all.
        limit_dbfs: level that no sample reaches.
        loudest_dbfs: level of the loudest sample in the intervals; at least -200.
        too_loud: the intervals that reach the limit.
    """

    intervals: tuple[Span, ...]
    has_sound: bool
    limit_dbfs: float
    loudest_dbfs: float
    too_loud: tuple[Span, ...]


@dataclass(frozen=True)
class BlurProof:
    """Blurred regions, compared with the source.

    Attributes:
        regions: regions compared, one for each box and frame.
        plain: how many of them had nothing in the source that a blur could take away.
        unchanged: how many show what the source shows.
        first_unchanged_s: times of the first of those.
    """

    regions: int
    plain: int
    unchanged: int
    first_unchanged_s: tuple[float, ...]


@dataclass(frozen=True)
class CopyProof:
    """What decoding a copy showed.

    Attributes:
        copy: name of the copy.
        sha256: digest of the copy.
        frames: frames of the copy.
        frames_expected: frames of the source that can be decoded; ``None`` if they were not compared.
        blackout: the blacked out frames.
        silence: the muted sound.
        blur: the blurred regions.
        metadata_left: names of tags, streams and chapters that should not be there.
        unreadable: why the copy could not be decoded; empty if it could.
    """

    copy: str
    sha256: str
    frames: int
    frames_expected: int | None
    blackout: BlackoutProof
    silence: SilenceProof
    blur: BlurProof
    metadata_left: tuple[str, ...]
    unreadable: str = ""

    @property
    def faults(self) -> list[str]:
        """What is wrong, in words; empty if everything is hidden."""
        found = [f"it cannot be decoded: {self.unreadable}"] if self.unreadable else []
        if self.blackout.not_black:
            first = ", ".join(f"{time_s:.3f}" for time_s in self.blackout.first_not_black_s)
            found.append(f"{self.blackout.not_black} frames in blackouts are not black (at {first} s)")
        if self.silence.too_loud:
            found.append(f"{len(self.silence.too_loud)} muted intervals reach {self.silence.loudest_dbfs:.1f} dBFS")
        if self.blur.unchanged:
            first = ", ".join(f"{time_s:.3f}" for time_s in self.blur.first_unchanged_s)
            found.append(f"{self.blur.unchanged} blurred regions show what the source shows (at {first} s)")
        if self.frames_expected not in (None, self.frames):
            found.append(f"{self.frames} frames instead of {self.frames_expected}")
        if self.metadata_left:
            found.append(f"it holds {', '.join(self.metadata_left)}")
        return found

    @property
    def status(self) -> Literal["PASS", "FAIL"]:
        """``"PASS"`` if everything is hidden."""
        return "FAIL" if self.faults else "PASS"

    def to_dict(self) -> dict[str, Any]:
        """The content of ``COPY.mp4.proof.json``, without what was removed."""
        return {"status": self.status, "faults": self.faults, **asdict(self)}


def prove_copy(
    copy: StrPath,
    source: StrPath,
    *,
    regions: Regions,
    listed: ListedIntervals,
    decode: DecodeConfig = DecodeConfig(),
    name: str | None = None,
) -> CopyProof:
    """Decode a copy and look at everything that was to be hidden in it.

    * Every frame that is shown at some moment of a blackout is black.
    * Every sample of a muted interval is below −90 dBFS.
    * Every blurred region is closer to its mean colours than to what the source shows there.
    * The copy holds one video stream, at most one of sound, and no metadata but its muxer's.

    Args:
        copy: the copy, an MP4 file.
        source: the video it was made from; read only if something was blurred.
        regions: what was blurred.
        listed: what was blacked out and muted.
        decode: how the source is read.
        name: name of the copy in the proof; by default that of the file.

    Returns:
        The proof; :attr:`CopyProof.status` says whether it holds.

    Raises:
        VideoError: if the source cannot be read.
    """
    copy = Path(copy)
    images = _Images(regions, listed)
    loudness = dict.fromkeys(listed.silent, _QUIETEST_DBFS)
    has_sound, unreadable = False, ""
    left: tuple[str, ...] = ()
    compared: int | None = None
    try:
        compared = _look(copy, images, source=VideoReader(source, config=decode) if regions.any() else None)
        has_sound = _listen(copy, loudness)
        left = tuple(_metadata_left(copy))
    except (av.FFmpegError, OSError) as error:
        unreadable = str(error)
    return CopyProof(
        name or copy.name,
        sha256_file(copy),
        images.frames,
        compared,
        BlackoutProof(listed.blackout, images.black, len(images.not_black_s), tuple(images.not_black_s[:_SHOWN])),
        _silence_proof(loudness, has_sound=has_sound),
        BlurProof(images.regions, images.plain, len(images.unchanged_s), tuple(images.unchanged_s[:_SHOWN])),
        left,
        unreadable,
    )


def write_proof(proof: CopyProof, copy: Path, *, removed: Sequence[str]) -> None:
    """Write ``COPY.mp4.proof.json``.

    Args:
        proof: what decoding the copy showed.
        copy: the copy's final place.
        removed: names of what the source has and the copy has not.
    """
    content = json.dumps({**proof.to_dict(), "removed": list(removed)}, indent=1)
    write_file(proof_path(copy), content.encode())


def require_proven(proof: CopyProof, copy: Path) -> None:
    """Refuse a copy that does not hide everything.

    Args:
        proof: what decoding the copy showed.
        copy: the copy's final place.

    Raises:
        ProofFailed: if the proof says FAIL.
    """
    if proof.status == "FAIL":
        raise ProofFailed(
            "The copy does not hide everything; it was deleted.",
            expected="everything that was to be hidden is hidden",
            found="; ".join(proof.faults),
            where=str(proof_path(copy)),
            fix="please report it, with the proof",
        )


class _Images:
    """What the images of a copy show, frame by frame."""

    def __init__(self, regions: Regions, listed: ListedIntervals) -> None:
        self._regions, self._listed = regions, listed
        self.frames = self.black = self.regions = self.plain = 0
        self.not_black_s: list[float] = []
        self.unchanged_s: list[float] = []

    def add(self, image: Any, shown: Span, original: Frame | None) -> None:
        """Look at one frame.

        Args:
            image: the decoded PyAV frame.
            shown: when it is shown, in seconds.
            original: the frame of the source that it was made from, if it is to be compared.
        """
        self.frames += 1
        time_s = round(float(image.pts * image.time_base), 6)
        if any(touches(shown, span) for span in self._listed.blackout):
            self.black += 1
            if int(image.to_ndarray(format="rgb24").max()) > _BLACK:
                self.not_black_s.append(time_s)
        elif original is not None:
            self._compare(image, original, time_s)

    def _compare(self, image: Any, original: Frame, time_s: float) -> None:
        height, width = original.image_rgb.shape[:2]
        boxes = self._regions.at(original.frame_index).tolist()
        if self._regions.is_whole(original.timestamp_s):
            boxes = [[0, 0, width, height]]
        if not boxes:
            return
        rgb = image.to_ndarray(format="rgb24")
        for x1, y1, x2, y2 in boxes:
            rows = slice(max(0, math.floor(y1)), min(height, math.ceil(y2)))
            columns = slice(max(0, math.floor(x1)), min(width, math.ceil(x2)))
            before, after = original.image_rgb[rows, columns], rgb[rows, columns]
            if before.size:
                self._compare_region(before, after, time_s)

    def _compare_region(self, before: Image, after: Image, time_s: float) -> None:
        self.regions += 1
        means = _mean_colours(before)
        if _distance(before, means) < _PLAIN:
            self.plain += 1
        elif _distance(after, before) <= _distance(after, means):
            self.unchanged_s.append(time_s)


def _mean_colours(part: Image) -> NDArray[np.float64]:
    """A region with its mean colours in a few cells."""
    height, width = part.shape[:2]
    cell = max(2, round(max(height, width) / _BLUR_CELLS))
    rows, columns = np.arange(height) // cell, np.arange(width) // cell
    place = rows[:, None] * (columns[-1] + 1) + columns
    count = np.bincount(place.ravel())
    means = [np.bincount(place.ravel(), part[..., n].ravel()) / count for n in range(3)]
    return np.stack([mean[place] for mean in means], axis=-1)


def _distance(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Root mean square of the difference, in grey levels."""
    return float(np.sqrt(np.mean((one.astype(np.float64) - other) ** 2)))


def _look(copy: Path, images: _Images, *, source: VideoReader | None) -> int | None:
    """Look at every frame of a copy; the number of frames of the source, if they are compared."""
    originals = iter(()) if source is None else iter(source)
    compared = 0
    with _opened(copy) as container:
        ahead, behind = tee(container.decode(container.streams.video[0]))
        spans = display_spans(float(frame.pts * frame.time_base) for frame in ahead)
        for frame, shown in zip(behind, spans, strict=True):
            original = next(originals, None)
            compared += original is not None
            images.add(frame, shown, original)
    return None if source is None else compared + sum(1 for _ in originals)


def _listen(copy: Path, loudness: dict[Span, float]) -> bool:
    """Measure the loudest sample of each interval; whether the copy has sound."""
    with _opened(copy) as container:
        if not container.streams.audio:
            return False
        for frame in container.decode(container.streams.audio[0]):
            samples = np.abs(frame.to_ndarray()).max(axis=0)
            begin_s = float(frame.pts * frame.time_base)
            for span in loudness:
                first = max(0, math.floor((span[0] - begin_s) * frame.sample_rate))
                after = max(0, math.ceil((span[1] - begin_s) * frame.sample_rate) + 1)
                peak = float(samples[first:after].max(initial=0.0))
                if peak > 0:
                    loudness[span] = max(loudness[span], 20 * math.log10(peak))
    return True


def _silence_proof(loudness: Mapping[Span, float], *, has_sound: bool) -> SilenceProof:
    too_loud = tuple(span for span, level in loudness.items() if level >= SILENCE_DBFS)
    loudest = max(loudness.values(), default=_QUIETEST_DBFS)
    return SilenceProof(tuple(loudness), has_sound, SILENCE_DBFS, round(loudest, 1), too_loud)


def _metadata_left(copy: Path) -> list[str]:
    """Names of what a copy should not hold."""
    with _opened(copy) as container:
        kept = tuple(streams[0].index for streams in (container.streams.video, container.streams.audio) if streams)
        named = metadata_names(container, kept=kept)
        tagged = {**container.metadata}
        for stream in container.streams:
            tagged |= stream.metadata
    own = {name for name, begin in _OWN_TAGS.items() if tagged.get(name, "").startswith(begin)}
    boxes = [name for name in user_data_names(copy) if name != "user data meta"]
    return [*(name for name in named if name not in own), *boxes]


@contextmanager
def _opened(copy: Path) -> Iterator[Any]:
    """The copy, opened through its descriptor, so that it can make the decoder read no other file."""
    with copy.open("rb") as file, av.open(file, format="mp4", options={"protocol_whitelist": "none"}) as container:
        yield container
