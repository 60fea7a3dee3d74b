"""Settings of the simulated play room."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from visionllm_interaction.config_loading import Section


class ToyRoomConfig(Section):
    """How images and videos of the play room are made."""

    image_width: int = Field(default=480, ge=160, le=1920)
    """Width of the images in pixels."""
    image_height: int = Field(default=360, ge=120, le=1080)
    """Height of the images in pixels."""
    min_objects: int = Field(default=3, ge=1, le=9)
    """Fewest objects put into an image (fewer may be seen where one hides another)."""
    max_objects: int = Field(default=9, ge=1, le=12)
    """Most objects put into an image."""
    val_share: float = Field(default=0.2, gt=0.0, lt=1.0)
    """Share of the images in the validation split (at least one when there are two or more)."""
    video_width: int = Field(default=640, ge=160, le=1920, multiple_of=2)
    """Width of the videos in pixels."""
    video_height: int = Field(default=480, ge=120, le=1080, multiple_of=2)
    """Height of the videos in pixels."""
    video_seconds: float = Field(default=20.0, ge=8.0, le=600.0)
    """Length of each video in seconds; plans are repeated to fill longer ones."""
    fps: float = Field(default=25.0, ge=5.0, le=60.0)
    """Frames per second (the mean rate when ``frame_rate`` is variable)."""
    frame_rate: Literal["constant", "variable"] = "constant"
    """``variable`` spaces the frames unevenly, as phones do; true times are in the file and in truth.json."""
    sound: bool = False
    """Whether videos have sound; beside them are a second recorder's, the transcript and the truth of both clocks."""
    gaze: bool = False
    """Whether it is written where child and caregiver look, and what an eye tracker of each records."""
    imu: bool = False
    """Whether it is written what the head camera's inertial sensor measures (head camera only)."""
    gaze_noise_deg: float = Field(default=1.0, ge=0.0, le=10.0)
    """Standard deviation of the eye trackers' noise in degrees, over both axes together."""
    gaze_loss: float = Field(default=0.2, ge=0.0, le=0.6)
    """Share of the time in which the eye trackers lose the eyes (blinks)."""
