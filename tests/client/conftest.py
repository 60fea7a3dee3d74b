"""The detector and video of the service's tests, and where its helpers lie."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "server"))  # running_service

from server_fixtures import tiny_checkpoint, tiny_video

__all__ = ["tiny_checkpoint", "tiny_video"]
