"""Settings of downloads, and what a message advises to do about them."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field

from visionllm_interaction.config_loading import Section


class DownloadConfig(Section):
    """How patient downloads are."""

    parallel: int = Field(default=3, ge=1, le=16)
    """Files downloaded at the same time."""
    retries: int = Field(default=6, ge=0, le=50)
    """How many tries in a row may bring nothing new before it counts as failed."""
    first_pause_s: float = Field(default=1.0, ge=0.0, le=60.0)
    """Longest pause after the first such try, seconds; it doubles from try to try."""
    longest_pause_s: float = Field(default=60.0, ge=0.0, le=600.0)
    """Longest pause of all, seconds."""
    timeout_s: float = Field(default=60.0, gt=0.0, le=3600.0)
    """How long a server may send nothing, seconds."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What a user can change when a download fails, in the words of the command that asked for it.

    Attributes:
        space: what to do about a full disk.
        address: where the address comes from.
        checksum: where the expected digest comes from.
    """

    space: str = "free some space"
    address: str = "check the address and the network"
    checksum: str = "check the address and the checksum"
