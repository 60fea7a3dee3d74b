"""Settings of stage 1 (section ``data``)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import field_validator

from visionllm_interaction.artifacts.file_index import GROUP_COLUMNS
from visionllm_interaction.settings import Section


class GroupsConfig(Section):
    """Which child, household, session, camera and time a picture belongs to."""

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


class IngestConfig(Section):
    """Where the raw data is and how it is taken in."""

    root: Path | None = None
    """Folder that holds ``train2017/``, ``val2017/`` and ``annotations/``, itself or up to two levels down."""
    name: str | None = None
    """Name written to the manifest; the folder's name when left out."""
    mode: Literal["register"] = "register"
    """``register``: use the files where they are. Raw files are only ever read."""
    groups: GroupsConfig = GroupsConfig()
    """Child, household, session, camera and time of each picture, so that splits can keep them apart."""
