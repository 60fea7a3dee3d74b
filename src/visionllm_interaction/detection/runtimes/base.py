"""What every detector offers, whatever runs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from visionllm_interaction.core.categories import Categories
from visionllm_interaction.core.detections import Detections


class Detector(Protocol):
    """Finds objects in images.

    Attributes:
        categories: what it can find; labels in its detections index these.
        digest: sha256 of the file it was loaded from.
        name: architecture, for people.
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

    def detect(self, images_rgb: Sequence[NDArray[np.uint8]], *, min_confidence: float = 0.05) -> list[Detections]:
        """Detect objects.

        Args:
            images_rgb: (H, W, 3) uint8 each, of any sizes.
            min_confidence: detections below it are left out.

        Returns:
            Detections per image; boxes are xyxy pixels of that image.
        """
        ...
