"""Settings of decoding, detection and tracking. Times in seconds, boxes in pixels of the upright image."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from visionllm_interaction.config_loading import Section
from visionllm_interaction.video.bodies.config import BodiesConfig


class DecodeConfig(Section):
    """What is read from a video file, and how much at most."""

    stream: int | None = Field(default=None, ge=0, le=1023)
    """Which stream of the file, as ffprobe counts; null = the default one; cover images are ignored."""
    sample_fps: float | None = Field(default=None, gt=0.0, le=240.0)
    """Frames processed per second of video; null = every frame; docs/video.md has the error at each rate."""
    adaptive: bool = False
    """Skip frames that are similar to the last processed one; movement is processed in every (sampled) frame."""
    adaptive_change: float = Field(default=5.0, gt=0.0, le=255.0)
    """A frame is different if the grey level (0-255) of any cell, 1/96 of the width across, differs by so much."""
    adaptive_gap_s: float = Field(default=0.7, gt=0.0, le=60.0)
    """A frame is processed after this time even if nothing has changed; keep it below `track.lost_s`."""
    adaptive_margin_s: float = Field(default=0.12, ge=0.0, le=2.0)
    """Frames are also processed for this time before and after a change: movements begin and end slowly."""
    max_megapixels: float = Field(default=40.0, gt=0.0, le=400.0)
    """An image larger than this is refused before its pixels are decoded."""
    max_duration_s: float = Field(default=6 * 3600.0, gt=0.0)
    """A longer video is refused; cut it into parts."""
    max_frames: int = Field(default=2_000_000, ge=1)
    """A video with more frames is refused."""
    max_memory_mb: int = Field(default=448, ge=192, le=65536)
    """Memory of the process that decodes, besides three images; very large images need more."""
    stall_cpu_s: int = Field(default=6, ge=1, le=3600)
    """Processor time for one frame, and for the beginning of a video, after which decoding stops …"""
    cpu_s_per_s: float = Field(default=10.0, gt=0.0)
    """… and for each second of video (of a GIF: 3 s and 0.25 s). Only malicious files take longer."""
    ahead: int = Field(default=8, ge=1, le=256)
    """Frames decoded ahead of the detector; bounds the memory."""
    threads: int = Field(default=2, ge=1, le=64)
    """Threads of the decoder."""


class DetectConfig(Section):
    """How frames are passed to a detector."""

    batch_size: int = Field(default=4, ge=1, le=256)
    """Frames per call."""
    compile: bool = False
    """Whether `torch.compile` makes kernels of a checkpoint's layers; exports (OpenVINO, ONNX) always are compiled."""
    min_confidence: float = Field(default=0.2, ge=0.0, le=1.0)
    """Detections below this are dropped; those below `track.high_confidence` only continue tracks."""
    truth_min_visible: float = Field(default=0.0, ge=0.0, le=1.0)
    """With `--detections truth`: objects with a smaller visible share are omitted; 0 = keep all."""


class TrackConfig(Section):
    """C-BIoU (Yang et al., 2023), one tracker per category, and the postprocessing of its tracks."""

    high_confidence: float = Field(default=0.3, ge=0.0, le=1.0)
    """Detections from here on are matched first; weaker ones only continue a track that was seen one frame before."""
    new_track_confidence: float = Field(default=0.55, ge=0.0, le=1.0)
    """Only detections from here on begin a track."""
    min_iou: float = Field(default=0.2, ge=0.0, le=1.0)
    """Least overlap of a predicted and a detected box, both enlarged, times the confidence, to be the same object."""
    low_min_iou: float = Field(default=0.5, ge=0.0, le=1.0)
    """Least overlap, not times the confidence, for a detection below `high_confidence`."""
    new_min_iou: float = Field(default=0.3, ge=0.0, le=1.0)
    """`min_iou` for the second detection of a track."""
    box_buffer: float = Field(default=0.15, ge=0.0, le=2.0)
    """Boxes of people are enlarged by this share on each side for matching; twice as much for weak detections."""
    object_buffer: float = Field(default=0.5, ge=0.0, le=2.0)
    """`box_buffer` of things: they are small, and carried further than their own size."""
    min_hits: int = Field(default=2, ge=1, le=30)
    """Detections in a row that make a track."""
    same_place_iou: float = Field(default=0.5, ge=0.0, le=1.0)
    """Tracklets of two categories belong to one object if their boxes overlap by this IoU …"""
    same_place_share: float = Field(default=0.6, gt=0.0, le=1.0)
    """… in this share of the shorter one's frames; 1 all but switches this off."""
    lost_s: float = Field(default=1.0, ge=0.0, le=60.0)
    """A track without detections for longer is closed."""
    rejoin_s: float = Field(default=6.0, ge=0.0, le=600.0)
    """A track that begins within this time of another's end continues it, if it begins within reach."""
    rejoin_reach: float = Field(default=1.0, ge=0.0, le=10.0)
    """Maximum distance in heights (of its box, or 0.4 of a person's), plus `rejoin_speed` for each second."""
    moving_rejoin_s: float = Field(default=20.0, ge=0.0, le=600.0)
    """`rejoin_s` where the camera moves: objects leave its view but stay where they are."""
    moving_rejoin_reach: float = Field(default=1.5, ge=0.0, le=10.0)
    """`rejoin_reach` where the camera moves."""
    rejoin_speed: float = Field(default=0.5, ge=0.0, le=10.0)
    """Box heights per second."""
    fill_gap_s: float = Field(default=0.5, ge=0.0, le=5.0)
    """Shorter gaps inside a track are interpolated linearly; the rows are marked `interpolated`."""
    hidden_s: float = Field(default=2.0, ge=0.0, le=60.0)
    """So are longer ones, up to this, in which another person occludes the person."""
    appearance: bool = True
    """Whether colour histograms are used to correct identity switches and to stitch tracks."""
    appearance_step_s: float = Field(default=0.2, gt=0.0, le=10.0)
    """Colour histograms are computed once in this time."""
    appearance_window_s: float = Field(default=6.0, gt=0.0, le=600.0)
    """Histograms from this time before an encounter, or an end, are compared with those from this time after it."""
    appearance_margin: float = Field(default=0.05, ge=0.0, le=1.0)
    """Tracks are exchanged if that fits better by this; histograms of one object usually differ by 0.04."""
    appearance_limit: float = Field(default=0.25, ge=0.0, le=1.0)
    """Tracks whose histograms differ by more are not stitched; those of two children usually differ by 0.2."""
    appearance_nearest: float = Field(default=0.06, ge=0.0, le=1.0)
    """People lost for over half a second and a frame are the same only if their nearest histograms differ by less."""
    min_duration_s: float = Field(default=0.4, ge=0.0, le=60.0)
    """Shorter tracks are noise: their detections stay, on no track."""
    min_detections: int = Field(default=4, ge=1)
    """Tracks with fewer detections are noise."""
    min_mean_confidence: float = Field(default=0.4, ge=0.0, le=1.0)
    """Tracks of people with a lower mean confidence are noise …"""
    object_min_mean_confidence: float = Field(default=0.5, ge=0.0, le=1.0)
    """… and tracks of things: detectors are less sure of people who are far away, and take more things for others."""
    min_density: float = Field(default=0.4, ge=0.0, le=1.0)
    """Tracks seen in a smaller share of the frames they span (gaps over `lost_s` left out) are noise."""


class RolesConfig(Section):
    """Roles of people of the category ``person``: from faces and poses where they were looked for, else from sizes."""

    estimate: bool = True
    """Whether to estimate who is a child from faces, proportions and looks; needs `--models faces,pose`."""
    min_probability: float = Field(default=0.85, gt=0.5, lt=1.0)
    """Somebody is a child from this probability on, an adult up to 1 minus it; between them the role is unknown …"""
    child_share: float = Field(default=0.5, gt=0.0, lt=1.0)
    """… where this share of the people that may be seen are children."""
    adult: Literal["caregiver", "other"] = "caregiver"
    """The role of an adult."""

    proxy: bool = True
    """Whether to infer roles from sizes alone elsewhere; they are then called `child-proxy` and `caregiver-proxy`."""
    size_ratio: float = Field(default=0.7, gt=0.0, lt=1.0)
    """Of two people in a frame one is smaller if its height is at most this share of the other's …"""
    min_share: float = Field(default=0.6, gt=0.5, le=1.0)
    """… and has the role if this holds in this share of the time both are fully visible …"""
    min_together_s: float = Field(default=1.0, gt=0.0)
    """… which has to be at least this many seconds."""


class QualityConfig(Section):
    """When a stretch of a video counts as hard to see: `poor_quality("dark")` in the language of quantities."""

    per_s: float = Field(default=2.0, gt=0.0, le=30.0)
    """At most so many images a second are measured."""
    stretch_s: float = Field(default=1.0, gt=0.0, le=60.0)
    """Length of a stretch."""
    dark: float = Field(default=40.0, ge=0.0, le=255.0)
    """`dark`: mean luma (0-255) below this."""
    blurred: float = Field(default=0.6, ge=0.0, le=1.0)
    """`blurred`: blur (0 sharp, 1 blurred) above this."""
    moving_camera: float = Field(default=0.05, ge=0.0)
    """`moving_camera`: the whole image shifts by more than this, in widths per second."""
    small_px: float = Field(default=60.0, ge=0.0)
    """`small`: the median height of people is below this, in pixels."""
    edge: float = Field(default=0.5, ge=0.0, le=1.0)
    """`edge`: a larger share than this of the boxes of people is cut by an edge of the image."""


class BlurConfig(Section):
    """What `visionllm blur` hides, and for how long without detections."""

    min_confidence: float = Field(default=0.25, ge=0.0, le=1.0)
    """Detections from here on are blurred; low, because a false detection does no harm."""
    carry_s: float = Field(default=1.5, ge=0.0, le=5.0)
    """Gaps in a track up to this are blurred at interpolated positions."""
    whole_s: float = Field(default=4.0, ge=0.0, le=600.0)
    """In longer gaps up to this, the whole image is blurred; these gaps are listed."""
    linger_s: float = Field(default=0.6, ge=0.0, le=10.0)
    """The blur begins this long before the first detection of a track and ends this long after the last."""
    margin: float = Field(default=0.25, ge=0.0, le=2.0)
    """Boxes are enlarged by this share on each side …"""
    margin_per_s: float = Field(default=0.5, ge=0.0, le=10.0)
    """… and by this share more for each second to the nearest detection."""
    cells: int = Field(default=5, ge=1, le=16)
    """Number of mean colours along the longer side of a blurred region."""


class VideoConfig(Section):
    """Video in, tracks out."""

    decode: DecodeConfig = DecodeConfig()
    """Reading the file."""
    detect: DetectConfig = DetectConfig()
    """Detecting objects."""
    track: TrackConfig = TrackConfig()
    """Tracking them."""
    roles: RolesConfig = RolesConfig()
    """Inferring roles."""
    quality: QualityConfig = QualityConfig()
    """When a stretch is hard to see."""
    bodies: BodiesConfig = BodiesConfig()
    """Faces, hands and poses: `visionllm analyze --models`."""
    blur: BlurConfig = BlurConfig()
    """Anonymisation: `visionllm blur`."""
