"""A copy of a video in which faces or whole people cannot be recognised, and listed intervals are hidden.

The copy has new images only: no metadata, no subtitles, no cover of the original; its sound is encoded anew or left
out. What was hidden where is written beside it. The copy is decoded again and proven before it gets its name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, tee
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import av
import numpy as np
from av.video.frame import PictureType
from numpy.typing import NDArray

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frame_table import OK, Frame, FrameTable
from visionllm_interaction.errors import UsageError
from visionllm_interaction.utils.atomic_files import publish_file
from visionllm_interaction.utils.path_type import StrPath
from visionllm_interaction.video.anonymization.audio_track_writer import AudioTrackWriter
from visionllm_interaction.video.anonymization.listed_intervals import ListedIntervals, Span, display_spans
from visionllm_interaction.video.anonymization.proof import CopyProof, prove_copy, require_proven, write_proof
from visionllm_interaction.video.anonymization.regions_to_blur import Regions, find_regions
from visionllm_interaction.video.anonymization.report_files import proof_path, report_path, write_regions
from visionllm_interaction.video.config import BlurConfig, DecodeConfig
from visionllm_interaction.video.decoding.metadata_names import user_data_names
from visionllm_interaction.video.decoding.prefetch import read_ahead
from visionllm_interaction.video.decoding.reader import VideoReader, read_audio
from visionllm_interaction.video.decoding.worker_messages import AudioChunk
from visionllm_interaction.video.tracking.buffers import DetectionBuffer, FrameDetections
from visionllm_interaction.video.tracking.detections_file import load_detections

if TYPE_CHECKING:
    from visionllm_interaction.detection.runtimes.detector_interface import Detector

What = Literal["faces", "people"]
Progress = Callable[[int, int | None], None]
_TICKS_PER_S = 90_000
_CATEGORIES: dict[What, frozenset[str]] = {"faces": frozenset({"face"}), "people": PERSON_CATEGORIES}
_CODEC: dict[str, object] = {"preset": "fast", "crf": "20", "forced-idr": "1"}


@dataclass(frozen=True)
class BlurReport:
    """What :func:`blur_video` wrote, in numbers.

    Attributes:
        out: the copy.
        source: the video it was made from.
        what: ``"faces"``, ``"people"``, or ``None`` if only listed intervals are hidden.
        width: width of the copy in pixels.
        height: height of the copy in pixels.
        frames: frames written.
        frames_left_out: frames that could not be decoded.
        frames_blurred: frames with at least one blurred region.
        tracks: faces or people followed.
        regions: blurred regions, one for each track and frame.
        regions_carried: those of them in which nothing was detected.
        whole: intervals (begin, end) in seconds in which the whole frame is blurred.
        audio: whether the copy has sound.
        config: the settings.
        listed: the intervals that were blacked out or muted because they were listed.
        frames_black: frames that are black.
        removed: names of the metadata, data tracks, chapters … of the source that the copy does not have.
        proof: what decoding the copy again showed.
    """

    out: Path
    source: Path
    what: What | None
    width: int
    height: int
    frames: int
    frames_left_out: int
    frames_blurred: int
    tracks: int
    regions: int
    regions_carried: int
    whole: tuple[tuple[float, float], ...]
    audio: bool
    config: BlurConfig
    listed: ListedIntervals
    frames_black: int
    removed: tuple[str, ...]
    proof: CopyProof

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``visionllm blur``."""
        return {
            "out": str(self.out),
            "source": str(self.source),
            "what": self.what,
            "width": self.width,
            "height": self.height,
            "frames": self.frames,
            "frames_left_out": self.frames_left_out,
            "frames_blurred": self.frames_blurred,
            "tracks": self.tracks,
            "regions": self.regions,
            "regions_carried": self.regions_carried,
            "whole": _as_json(self.whole),
            "audio": self.audio,
            "config": self.config.model_dump(mode="json"),
            "blackout": _as_json(self.listed.blackout),
            "mute": _as_json(self.listed.silent if self.audio else ()),
            "frames_black": self.frames_black,
            "removed": list(self.removed),
            "proof": {"file": str(proof_path(self.out)), "status": self.proof.status},
        }


def _as_json(spans: Iterable[Span]) -> list[dict[str, float]]:
    return [{"begin_s": begin, "end_s": end} for begin, end in spans]


def blur_video(
    source: StrPath,
    out: StrPath,
    *,
    detector: Detector | None = None,
    detections: StrPath | None = None,
    what: What = "faces",
    listed: ListedIntervals = ListedIntervals(),
    keep_audio: bool | None = None,
    config: BlurConfig = BlurConfig(),
    decode: DecodeConfig = DecodeConfig(),
    progress: Progress = lambda _done, _total: None,
) -> BlurReport:
    """Write an anonymised copy of a video: faces or people blurred, listed intervals blacked out or muted.

    Every frame is processed, whatever sampling ``decode`` asks for. Frames that cannot be decoded are omitted. The
    blurred regions (``.regions.csv``), a report (``.json``) and a proof (``.proof.json``) are written next to the copy.
    The proof comes from decoding the copy again; a copy that fails it is deleted.

    Args:
        source: the video file.
        out: the new MP4 file.
        detector: finds faces or people; this, or ``detections``, or ``listed`` is required.
        detections: a file of detections (formats: :func:`.read_detections`).
        what: blur ``"faces"`` or whole ``"people"``.
        listed: intervals to black out or to mute, with or without blurring.
        keep_audio: decode the sound and encode it again as AAC, each sample at its original time. ``None``: where
            nothing is blurred, or where ``listed`` speaks of sound.
        config: margins, gap lengths and thresholds of the blurred regions.
        decode: limits on the input file.
        progress: called with the frames done and the frames expected (``None`` if unknown).

    Returns:
        The content of the JSON report.

    Raises:
        UsageError: if ``out`` exists, nothing is said to be hidden, both sources of detections are given or none has
            the category ``what``, or an interval lies outside the video.
        VideoError: if the video cannot be read.
        InputDataError: if the detections cannot be used.
        ProofFailed: if something in the copy is not hidden.
    """
    source = Path(source)
    out = Path(out)
    detections = None if detections is None else Path(detections)
    _check(out, detector, detections, listed)
    decode = decode.model_copy(update={"sample_fps": None, "adaptive": False})
    reader = VideoReader(source, config=decode)
    blurs = detector is not None or detections is not None
    if blurs:
        rows, frames, names = _detections(reader, detector, detections, config, progress)
        _check_names(names, what)
        wanted = rows.select(np.isin(rows.category.astype(str), sorted(_CATEGORIES[what])))
        regions = find_regions(wanted, frames, config=config)
    else:
        frames, regions = _scan(reader, progress), Regions.none()
    listed.check_inside(max(frames.end_s, reader.ending.reached_s if reader.ending else 0.0))
    keeps = keep_audio if keep_audio is not None else not blurs or listed.speaks_of_sound
    sound = _sound(source, decode, reader) if keeps else None
    removed = (*reader.info.metadata, *(user_data_names(source) if reader.info.container == "mov" else ()))
    with publish_file(out) as partial:
        _write(partial, reader, regions, listed, config=config, sound=sound, progress=progress)
        proof = prove_copy(partial, source, regions=regions, listed=listed, decode=decode, name=out.name)
        write_proof(proof, out, removed=removed)
        require_proven(proof, out)
    if blurs:
        write_regions(out, regions)
    report = BlurReport(
        out=out,
        source=source,
        what=what if blurs else None,
        width=reader.info.width,
        height=reader.info.height,
        frames=int(frames.processed.sum()),
        frames_left_out=sum(note != OK for note in frames.quality),
        frames_blurred=len(np.unique(regions.boxes.frame_index)),
        tracks=len(np.unique(regions.boxes.track_id)),
        regions=len(regions.boxes),
        regions_carried=int(regions.boxes.interpolated.sum()),
        whole=tuple((round(begin, 3), round(end, 3)) for begin, end in regions.whole),
        audio=sound is not None,
        config=config,
        listed=listed,
        frames_black=proof.blackout.frames,
        removed=removed,
        proof=proof,
    )
    report_path(out).write_text(json.dumps(report.to_dict(), indent=1), encoding="utf-8")
    return report


def _check(out: Path, detector: Detector | None, detections: Path | None, listed: ListedIntervals) -> None:
    if (detector is not None and detections is not None) or (detector is None and detections is None and not listed):
        raise UsageError(
            "It must be said once what is to be hidden, and where.",
            expected="--detector FILE or --detections FILE for faces, --blackout or --mute for intervals",
            found="both a detector and detections" if detector else "none of them",
            fix="centerface.onnx finds faces; a detector of persons serves for --what people",
        )
    if out.exists() or out.suffix.lower() != ".mp4":
        found = "a file that exists" if out.exists() else out.name
        raise UsageError("The copy cannot be written there.", expected="a new .mp4 file", found=found, where=str(out))


def _check_names(names: tuple[str, ...], what: What) -> None:
    if not _CATEGORIES[what] & set(names):
        raise UsageError(
            f"These detections know nothing of {what}.",
            expected=f"a category among {', '.join(sorted(_CATEGORIES[what]))}",
            found=", ".join(names[:10]) or "none",
        )


def _detections(
    reader: VideoReader, detector: Detector | None, detections: Path | None, config: BlurConfig, progress: Progress
) -> tuple[DetectionTable, FrameTable, tuple[str, ...]]:
    total = reader.info.declared_frames or None
    if detector is None:
        frames = _scan(reader, progress)
        info = reader.info
        stored_px = (info.stored_width or info.width, info.stored_height or info.height)
        given = detections or Path()
        rows, names = load_detections(given, frames, scale=info.stored_to_square, stored_px=stored_px)
        return rows.select(rows.confidence >= config.min_confidence), frames, names
    log = DetectionBuffer(detector.categories)
    for frame in read_ahead(reader, depth=4):
        [found] = detector.detect([frame.image_rgb], min_confidence=config.min_confidence)
        row = FrameDetections(frame.frame_index, frame.timestamp_s, found)
        log.add(row, np.full(len(found), -1))
        progress(frame.frame_index + 1, total)
    frames = reader.frame_table()
    return log.table(frames)[0], frames, detector.categories.names


def _scan(reader: VideoReader, progress: Progress) -> FrameTable:
    for index in reader.scan():
        progress(index + 1, reader.info.declared_frames or None)
    return reader.frame_table()


def _sound(source: Path, decode: DecodeConfig, reader: VideoReader) -> Iterator[AudioChunk] | None:
    """The sound of the video, or ``None``; unreadable sound is refused before anything is written."""
    clock_jumps = reader.ending.clock_jumps if reader.ending else ()
    sound = read_audio(source, config=decode, clock_jumps=clock_jumps)
    first = next(sound, None)
    return None if first is None else chain([first], sound)


def _write(
    path: Path,
    reader: VideoReader,
    regions: Regions,
    listed: ListedIntervals,
    *,
    config: BlurConfig,
    sound: Iterator[AudioChunk] | None,
    progress: Progress,
) -> None:
    info = reader.info
    was_black = False
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(info.header_fps or 25).limit_denominator(1001))
        stream.width, stream.height = info.width, info.height
        stream.pix_fmt = "yuv444p" if info.width % 2 or info.height % 2 else "yuv420p"
        stream.options = dict(_CODEC)
        stream.time_base = stream.codec_context.time_base = Fraction(1, _TICKS_PER_S)
        # Before the first packet is written: a container takes no further stream then.
        track = None if sound is None else AudioTrackWriter(container, sound, silent=listed.silent)
        for frame, shown in _with_display_spans(read_ahead(reader, depth=4)):
            is_black = listed.is_black(*shown)
            if is_black:
                frame.image_rgb[...] = 0
            else:
                whole = regions.is_whole(frame.timestamp_s)
                hide(frame.image_rgb, regions.at(frame.frame_index), cells=config.cells, whole=whole)
            video_frame = av.VideoFrame.from_ndarray(frame.image_rgb, format="rgb24")
            video_frame.pts, video_frame.time_base = round(frame.timestamp_s * _TICKS_PER_S), Fraction(1, _TICKS_PER_S)
            if is_black != was_black:
                # Predicted from images that show something, black ones could keep a trace of it.
                video_frame.pict_type = PictureType.I
            was_black = is_black
            if track is not None:
                track.write(until_s=frame.timestamp_s)
            container.mux(stream.encode(video_frame))
            progress(frame.frame_index + 1, info.declared_frames or None)
        container.mux(stream.encode(None))
        if track is not None:
            track.end()


def _with_display_spans(frames: Iterator[Frame]) -> Iterator[tuple[Frame, Span]]:
    """Each frame with the time from its appearance until the next one's."""
    ahead, behind = tee(frames)
    return zip(behind, display_spans(frame.timestamp_s for frame in ahead), strict=True)


def hide(image_rgb: NDArray[np.uint8], boxes_xyxy: NDArray[np.floating], *, cells: int, whole: bool = False) -> None:
    """Pixelate regions of an image in place: each region is replaced by ``cells`` mean colours along its longer side.

    So few mean colours do not identify a face, and no other information remains that could be restored.

    Args:
        image_rgb: (H, W, 3) uint8; modified.
        boxes_xyxy: (n, 4) regions in pixels.
        cells: mean colours along the longer side of a region.
        whole: pixelate the whole image.
    """
    height, width = image_rgb.shape[:2]
    boxes = [[0, 0, width, height]] if whole else boxes_xyxy.tolist()
    for x1, y1, x2, y2 in boxes:
        left, top = max(0, int(np.floor(x1))), max(0, int(np.floor(y1)))
        right, bottom = min(width, int(np.ceil(x2))), min(height, int(np.ceil(y2)))
        if right > left and bottom > top:
            part = image_rgb[top:bottom, left:right]
            part[...] = _coarse(part, cells)


def _coarse(part: NDArray[np.uint8], cells: int) -> NDArray[np.uint8]:
    import cv2

    height, width = part.shape[:2]
    rows = max(1, round(cells * height / max(height, width)))
    columns = max(1, round(cells * width / max(height, width)))
    small = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
