"""What every detector offers, whatever runs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.categories import Categories
from visionllm_interaction.core.detections import Detections


@dataclass(frozen=True)
class Runtime:
    """What runs a detector's file, as far as it decides what is found.

    Attributes:
        name: for people, such as ``"torch"``.
        algorithm_version: raised by whoever changes what this runtime finds with the same file in the same image:
            preparing images, decoding outputs, suppression. Videos analysed with another version are analysed again.
        libraries: those whose versions decide what is found, by the names they are installed under.
    """

    name: str
    algorithm_version: int
    libraries: tuple[str, ...]


class Detector(Protocol):
    """Finds objects in images.

    Attributes:
        categories: what it can find; labels in its detections index these.
        digest: sha256 of the file it was loaded from.
        name: architecture, for people.
        runtime: what runs it.
    """

    @property
    def categories(self) -> Categories:
        """The categories it can find, in label order."""
        ...

    @property
    def digest(self) -> str:
        """The sha256 of the file it was loaded from."""
        ...

    @property
    def name(self) -> str:
        """The architecture, for people."""
        ...

    @property
    def runtime(self) -> Runtime:
        """What runs it, and which version of the algorithm and of libraries decide its result."""
        ...

    def detect(self, images_rgb: Sequence[NDArray[np.uint8]], *, min_confidence: float = 0.05) -> list[Detections]:
        """Detect objects.

        Args:
            images_rgb: (H, W, 3) uint8 each, of any sizes.
            min_confidence: detections below it are left out.

        Returns:
            Detections per image; boxes are xyxy pixels of that image.
        """
        ...
