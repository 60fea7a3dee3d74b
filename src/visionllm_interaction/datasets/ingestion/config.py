"""Settings of stage 1 (section ``data``)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from visionllm_interaction.artifacts.image_group_columns import GROUP_COLUMNS
from visionllm_interaction.config_loading import Section
from visionllm_interaction.downloads.config import DownloadConfig

SPACE_ADVICE = "free some space, set data.work_dir to another disk, or lower data.limits.min_free_gb"
"""What messages about a full disk advise."""


class GroupsConfig(Section):
    """Which child, household, session, camera and time an image belongs to."""

    table: Path | None = None
    """CSV file with a column ``file_name`` and any of ``child, household, session, camera, time``."""
    pattern: str | None = None
    """Regular expression with named groups of those names, searched in the path below the data folder."""

    @field_validator("pattern")
    @classmethod
    def _names_groups(cls, pattern: str | None) -> str | None:
        if pattern is None:
            return None
        try:
            names = re.compile(pattern).groupindex
        except re.error as error:
            raise ValueError(f"is not a regular expression ({error})") from None
        if not names or names.keys() - set(GROUP_COLUMNS):
            raise ValueError(f"needs named groups, of {', '.join(GROUP_COLUMNS)} only, such as (?P<child>c[0-9]+)")
        return pattern


class LimitsConfig(Section):
    """What an archive may unpack to. An archive over a limit is refused, nothing of it is kept."""

    max_unpacked_gb: float = Field(default=200.0, gt=0.0)
    """Size of all files together, in 10⁹ bytes."""
    max_ratio: float = Field(default=100.0, ge=1.0)
    """Size unpacked by size packed."""
    max_files: int = Field(default=500_000, ge=1)
    """Number of files and folders."""
    min_free_gb: float = Field(default=2.0, ge=0.0)
    """What stays free on the disk, in 10⁹ bytes; before that stage 1 stops."""


class IngestConfig(Section):
    """Where the raw data is and how it is taken in: ``root`` (here) or ``source`` (elsewhere), one of the two."""

    root: Path | None = None
    """Folder or archive (zip, tar) that holds the data set, itself or up to two levels down."""
    source: tuple[str, ...] = ()
    """What to download: ``coco-2017``, ``kaggle:OWNER/NAME``, or http(s) addresses of archives."""
    name: str | None = None
    """Name written to the manifest; the folder's name when left out."""
    mode: Literal["register", "copy", "hardlink"] = "register"
    """``register``: use the files where they are; ``copy``, ``hardlink``: place them below ``work_dir`` first."""
    work_dir: Path = Path("data")
    """Where downloaded, unpacked, copied and converted data is kept; ``$NAME`` is filled in from the environment."""
    subsets: dict[str, Literal["train", "val", "test"]] = Field(default_factory=dict)
    """Which split a subset of the source is, where its name does not say so."""
    val_share: float | None = Field(default=None, gt=0.0, lt=1.0)
    """Share of the images that become val where the source has none: whole groups, else the last by name."""
    limits: LimitsConfig = LimitsConfig()
    """What an archive may unpack to."""
    download: DownloadConfig = DownloadConfig()
    """How patient downloads are."""
    groups: GroupsConfig = GroupsConfig()
    """Child, household, session, camera and time of each image, so that splits can keep them apart."""

    @field_validator("source", mode="before")
    @classmethod
    def _one_is_a_list_too(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value or ()
