"""Settings of stage 1 (section ``data``)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from visionllm_interaction.settings import Section


class IngestConfig(Section):
    """Where the raw data is and how it is taken in."""

    root: Path | None = None
    """Folder that holds ``train2017/``, ``val2017/`` and ``annotations/``, itself or up to two levels down."""
    name: str | None = None
    """Name written to the manifest; the folder's name when left out."""
    mode: Literal["register"] = "register"
    """``register``: use the files where they are. Raw files are only ever read."""
